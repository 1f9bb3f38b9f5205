//! The tokens where the target is not x86-64: they cannot be made.

use super::Kernel;

/// Proof that the CPU has AVX-512: impossible on this target.
#[derive(Clone, Copy, Debug)]
pub struct Avx512(std::convert::Infallible);

impl Avx512 {
    /// Always `None` on this target.
    #[inline]
    pub fn new() -> Option<Self> {
        None
    }

    /// Unreachable: the token does not exist.
    #[inline]
    pub fn vectorize<K: Kernel>(self, _kernel: K) -> K::Output {
        match self.0 {}
    }
}

/// Proof that the CPU has AVX2 and FMA: impossible on this target.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(std::convert::Infallible);

impl Avx2 {
    /// Always `None` on this target.
    #[inline]
    pub fn new() -> Option<Self> {
        None
    }

    /// Unreachable: the token does not exist.
    #[inline]
    pub fn vectorize<K: Kernel>(self, _kernel: K) -> K::Output {
        match self.0 {}
    }
}
