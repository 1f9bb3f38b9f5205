//! Instruction-set tokens and the way to run code compiled for them.
//!
//! A token ([`Avx512`], [`Avx2`]) can only be made by asking the CPU, so holding one *proves* that its instructions
//! exist. [`vectorize`] runs a [`Kernel`] compiled for an instruction set: plain loops inside it are vectorised by the compiler
//! with that set's registers, no intrinsics needed.
//!
//! ```
//! use mxr_kernels::isa::Isa;
//! use mxr_kernels::simd::{Kernel, vectorize};
//!
//! struct Scale<'a>(&'a mut [f32], f32);
//!
//! impl Kernel for Scale<'_> {
//!     type Output = ();
//!     #[inline(always)]
//!     fn run(self) {
//!         for x in self.0 {
//!             *x *= self.1;
//!         }
//!     }
//! }
//!
//! let mut x = [1.0, 2.0, 3.0];
//! vectorize(Isa::detect(), Scale(&mut x, 2.0));
//! assert_eq!(x, [2.0, 4.0, 6.0]);
//! ```

pub(crate) mod vector;

#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

#[cfg(not(target_arch = "x86_64"))]
mod absent;
#[cfg(not(target_arch = "x86_64"))]
pub use absent::{Avx2, Avx512};

use crate::isa::Isa;

/// A piece of work that can be compiled for several instruction sets.
///
/// `run` must be `#[inline(always)]`, and so must the functions that its hot loops call: only what is inlined into
/// the instruction set's entry is compiled for it. A result must not depend on the instruction set except by rounding;
/// [`f32::mul_add`] is one instruction on AVX2 and AVX-512 but a slow call on the portable set.
pub trait Kernel {
    /// What `run` returns.
    type Output;

    /// Do the work.
    fn run(self) -> Self::Output;
}

/// Runs `kernel` compiled for `isa`, or for the largest set that the CPU has when `isa` is larger.
#[inline]
pub fn vectorize<K: Kernel>(isa: Isa, kernel: K) -> K::Output {
    match isa {
        Isa::Avx512 => {
            if let Some(token) = Avx512::new() {
                return token.vectorize(kernel);
            }
            vectorize(Isa::Avx2, kernel)
        }
        Isa::Avx2 => match Avx2::new() {
            Some(token) => token.vectorize(kernel),
            None => kernel.run(),
        },
        Isa::Portable => kernel.run(),
    }
}
