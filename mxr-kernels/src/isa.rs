//! Which instruction set the kernels use, decided once per process.

use std::sync::OnceLock;

use crate::simd::{Avx2, Avx512};

/// The instruction sets that kernels are written for, smallest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// What the compiler may assume of every machine of the target.
    Portable,
    /// AVX2 and FMA: vectors of 8 `f32`.
    Avx2,
    /// AVX-512 F, BW, DQ and VL: vectors of 16 `f32`, 32 registers, masks.
    Avx512,
}

impl Isa {
    /// Every instruction set, smallest first.
    pub const ALL: [Isa; 3] = [Isa::Portable, Isa::Avx2, Isa::Avx512];

    /// The instruction set that kernels use: the largest that this CPU has, capped by the environment variable
    /// `MXR_ISA` (`portable`, `avx2` or `avx512`).
    ///
    /// The variable can only lower the choice. Any other value, and a value above what the CPU has, is ignored.
    /// The answer is found at the first call and stays the same for the life of the process.
    pub fn detect() -> Isa {
        static DETECTED: OnceLock<Isa> = OnceLock::new();
        *DETECTED.get_or_init(|| capped(Isa::of_cpu(), std::env::var("MXR_ISA").ok().as_deref()))
    }

    /// The largest instruction set that this CPU has, whatever the environment says.
    pub fn of_cpu() -> Isa {
        if Avx512::new().is_some() {
            Isa::Avx512
        } else if Avx2::new().is_some() {
            Isa::Avx2
        } else {
            Isa::Portable
        }
    }

    /// Its name, as in `MXR_ISA`.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        }
    }
}

fn capped(cpu: Isa, cap: Option<&str>) -> Isa {
    match cap.and_then(|cap| Isa::ALL.into_iter().find(|isa| isa.name() == cap)) {
        Some(cap) => cpu.min(cap),
        None => cpu,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_only_lowers_and_ignores_what_it_does_not_know() {
        assert_eq!(capped(Isa::Avx512, None), Isa::Avx512);
        assert_eq!(capped(Isa::Avx512, Some("avx2")), Isa::Avx2);
        assert_eq!(capped(Isa::Avx512, Some("portable")), Isa::Portable);
        assert_eq!(capped(Isa::Avx2, Some("avx512")), Isa::Avx2);
        assert_eq!(capped(Isa::Avx2, Some("AVX9")), Isa::Avx2);
        assert_eq!(capped(Isa::Portable, Some("")), Isa::Portable);
    }

    #[test]
    fn detection_never_exceeds_the_cpu() {
        assert!(Isa::detect() <= Isa::of_cpu());
    }
}
