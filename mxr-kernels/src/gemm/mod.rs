//! Matrix multiplication: `C = A·B (+ C) (+ bias) (+ residual)`, rectified or not, batched, with transposes and leading dimensions.
//!
//! ```
//! use mxr_kernels::epilogue::Epilogue;
//! use mxr_kernels::gemm::{Gemm, gemm};
//!
//! let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0f32]; // [2, 3]
//! let b = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0]; // [3, 2]
//! let mut c = [0.0; 4];
//! gemm(&Gemm::new(2, 2, 3), &a, &b, Epilogue::bias(Some(&[10.0, 20.0])), &mut c);
//! assert_eq!(c, [14.0, 25.0, 20.0, 31.0]);
//! ```
//!
//! The fast candidates pack both operands into panels that fit the caches and multiply them with a register tile of their
//! instruction set (`avx512`: 14×32 `f32`, `avx2`: 6×16, `portable`: 4×8). Every element of C is one chain of products over
//! `k`, in order, cut at fixed places; so the partition of C over threads does not show in its bits.

pub(crate) mod dense;
pub(crate) mod driver;
mod half;
pub(crate) mod micro;
mod narrow;
mod outer;
pub(crate) mod pack;
pub mod prepared;
mod reference;
mod skinny;
#[cfg(test)]
mod tests;

use crate::element::Float;
use crate::epilogue::Epilogue;
use crate::isa::Isa;
use crate::map::Src;

/// A multiplication of `[m, k]` by `[k, n]` matrices, `batch` times.
///
/// Element `(i, p)` of A lies at `i · lda + p`, or at `p · lda + i` if `trans_a`; B and C alike. Matrix number `z` of a batch
/// starts at `z · stride`; a stride of 0 uses the same A or B for the whole batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gemm {
    /// Rows of C.
    pub m: usize,
    /// Columns of C.
    pub n: usize,
    /// Length of the sums.
    pub k: usize,
    /// A is stored `[k, m]`.
    pub trans_a: bool,
    /// B is stored `[n, k]`.
    pub trans_b: bool,
    /// Distance of stored rows of A.
    pub lda: usize,
    /// Distance of stored rows of B.
    pub ldb: usize,
    /// Distance of rows of C.
    pub ldc: usize,
    /// Number of multiplications.
    pub batch: usize,
    /// Distance of matrices A.
    pub stride_a: usize,
    /// Distance of matrices B.
    pub stride_b: usize,
    /// Distance of matrices C.
    pub stride_c: usize,
    /// Add to what C holds instead of overwriting it.
    pub accumulate: bool,
}

impl Gemm {
    /// One multiplication of dense row-major matrices.
    pub const fn new(m: usize, n: usize, k: usize) -> Self {
        Gemm {
            m,
            n,
            k,
            trans_a: false,
            trans_b: false,
            lda: k,
            ldb: n,
            ldc: n,
            batch: 1,
            stride_a: m * k,
            stride_b: k * n,
            stride_c: m * n,
            accumulate: false,
        }
    }

    /// Dense operands stored transposed where told.
    #[must_use]
    pub const fn transposed(mut self, trans_a: bool, trans_b: bool) -> Self {
        self.trans_a = trans_a;
        self.trans_b = trans_b;
        self.lda = if trans_a { self.m } else { self.k };
        self.ldb = if trans_b { self.k } else { self.n };
        self
    }

    /// `batch` multiplications with these distances between their matrices.
    #[must_use]
    pub const fn batched(mut self, batch: usize, stride_a: usize, stride_b: usize, stride_c: usize) -> Self {
        self.batch = batch;
        self.stride_a = stride_a;
        self.stride_b = stride_b;
        self.stride_c = stride_c;
        self
    }

    /// Add to what C holds.
    #[must_use]
    pub const fn accumulating(mut self) -> Self {
        self.accumulate = true;
        self
    }

    /// Nothing to write.
    fn is_empty(&self) -> bool {
        self.m == 0 || self.n == 0 || self.batch == 0
    }

    /// The same work with fewer, larger matrices where the batch is only more rows of A.
    fn folded(mut self) -> Self {
        let rows_follow = self.stride_a == self.m * self.lda && self.stride_c == self.m * self.ldc;
        if self.batch > 1 && self.stride_b == 0 && !self.trans_a && rows_follow {
            self.m *= self.batch;
            self.batch = 1;
        }
        self
    }

    /// Elements from the first to the last of a stored matrix.
    fn span(&self, rows: usize, cols: usize, ld: usize) -> usize {
        assert!(ld >= cols || rows <= 1, "a leading dimension is at least the row length: {self:?}");
        if rows == 0 || cols == 0 { 0 } else { (rows - 1) * ld + cols }
    }

    fn check_b<T>(&self, b: &[T]) {
        if self.n == 0 || self.batch == 0 {
            return;
        }
        let (rows, cols) = if self.trans_b { (self.n, self.k) } else { (self.k, self.n) };
        let span = self.span(rows, cols, self.ldb);
        assert!(
            self.k == 0 || b.len() >= (self.batch - 1) * self.stride_b + span,
            "B of {} elements is too short: {self:?}",
            b.len()
        );
    }

    fn check_others<A, T>(&self, a: &[A], epilogue: &Epilogue<'_, T>, c: &[T]) {
        let last = self.batch - 1;
        let (rows, cols) = if self.trans_a { (self.k, self.m) } else { (self.m, self.k) };
        let a_span = self.span(rows, cols, self.lda);
        let c_span = self.span(self.m, self.n, self.ldc);
        assert!(
            self.k == 0 || a.len() >= last * self.stride_a + a_span,
            "A of {} elements is too short: {self:?}",
            a.len()
        );
        assert!(c.len() >= last * self.stride_c + c_span, "C of {} elements is too short: {self:?}", c.len());
        assert!(last == 0 || self.stride_c >= c_span, "matrices C of a batch do not overlap: {self:?}");
        assert!(
            epilogue.bias.is_none_or(|bias| bias.len() == self.n),
            "the bias has one element per column: {self:?}"
        );
        let len = last * self.stride_c + c_span;
        assert!(epilogue.mask.is_none_or(|m| m.len() >= len), "a mask needs {len} elements: {self:?}");
        match epilogue.residual {
            None => {}
            Some(Src::Slice(r)) => {
                assert!(r.len() >= len, "a residual of {} elements is too short: {self:?}", r.len());
            }
            Some(Src::Out) => {
                assert!(!self.accumulate, "C holds a sum or the residual, not both: {self:?}");
            }
        }
    }
}

/// `C = A·B (+ C)` and what the epilogue says. Its bias has `n` elements and is added to every row; its residual and its mask
/// lie as C does.
///
/// Operands of 16 bits are multiplied and added up in `f32`, which is what C holds:
///
/// ```
/// use half::bf16;
/// use mxr_kernels::epilogue::Epilogue;
/// use mxr_kernels::gemm::{Gemm, gemm};
///
/// let a = [1.0, 2.0, 3.0].map(bf16::from_f32); // [1, 3]
/// let b = [1.0, 0.5, 0.25].map(bf16::from_f32); // [3, 1]
/// let mut c = [0.0];
/// gemm(&Gemm::new(1, 1, 3), &a, &b, Epilogue::NONE, &mut c);
/// assert_eq!(c, [2.75f32]);
/// ```
///
/// # Panics
///
/// If an operand is shorter than the descriptor says, or C is to be added and to be the residual, too.
pub fn gemm<T: GemmElement>(desc: &Gemm, a: &[T], b: &[T], epilogue: Epilogue<'_, T::Sum>, c: &mut [T::Sum]) {
    select::<T>(desc).run(desc, a, b, epilogue, c);
}

/// The candidate that [`gemm`] uses.
///
/// # Panics
///
/// Never: the reference accepts everything.
pub fn select<T: GemmElement>(desc: &Gemm) -> &'static Candidate<T> {
    let isa = Isa::detect();
    let candidate = candidates::<T>().iter().find(|c| c.isa <= isa && c.accepts(desc));
    candidate.expect("the reference accepts every multiplication")
}

/// Every candidate for an element type, fastest first, the reference last.
pub fn candidates<T: GemmElement>() -> &'static [Candidate<T>] {
    T::CANDIDATES
}

/// Element types that can be multiplied: `f32`, `f64`, `bf16` and `f16`.
pub trait GemmElement: Copy + Send + Sync + 'static {
    /// What products are added up in, and C holds: `f32` for 16 bits, the type itself otherwise.
    type Sum: Float + driver::Tiled;

    /// What [`candidates`] returns.
    const CANDIDATES: &'static [Candidate<Self>];

    /// The same number.
    fn widened(self) -> Self::Sum;
}

/// One way to multiply.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<T: GemmElement> {
    name: &'static str,
    isa: Isa,
    accepts: fn(&Gemm) -> bool,
    run: Run<T, <T as GemmElement>::Sum>,
    /// Where it packs B.
    prepared: Option<prepared::Prepared<T>>,
}

/// Descriptor, A, B, epilogue, C.
type Run<T, S> = fn(&Gemm, &[T], &[T], Epilogue<'_, S>, &mut [S]);

impl<T: GemmElement> Candidate<T> {
    /// Its name: the instruction set, or `skinny-`, `outer-`, `narrow-` or `pairs-` and the instruction set, or `reference`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The instruction set that it needs.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Whether this CPU can run it and it handles this multiplication.
    pub fn accepts(&self, desc: &Gemm) -> bool {
        self.isa <= Isa::of_cpu() && (self.accepts)(&desc.folded())
    }

    /// Multiplies; see [`gemm`].
    ///
    /// # Panics
    ///
    /// As [`gemm`], and if the candidate does not [accept](Self::accepts) the multiplication.
    pub fn run(&self, desc: &Gemm, a: &[T], b: &[T], epilogue: Epilogue<'_, T::Sum>, c: &mut [T::Sum]) {
        assert!(
            self.accepts(desc),
            "candidate {} was asked for what it does not accept: {desc:?}",
            self.name
        );
        if !desc.is_empty() {
            desc.check_b(b);
            desc.check_others(a, &epilogue, c);
            (self.run)(&desc.folded(), a, b, epilogue, c);
        }
    }
}

macro_rules! candidates {
    ($t:ty: $($isa:ident $skinny:literal $outer:literal $narrow:literal $tiled:literal $vector:ty),*) => {
        impl GemmElement for $t {
            type Sum = $t;

            #[inline(always)]
            fn widened(self) -> $t {
                self
            }

            const CANDIDATES: &'static [Candidate<Self>] = &[
                $(
                    Candidate { name: $skinny, isa: Isa::$isa, accepts: skinny::accepts, run: skinny::run::<$vector>, prepared: None },
                    Candidate { name: $outer, isa: Isa::$isa, accepts: outer::accepts, run: outer::run::<$vector>, prepared: None },
                    Candidate { name: $narrow, isa: Isa::$isa, accepts: narrow::accepts, run: narrow::run::<$vector>, prepared: None },
                    Candidate {
                        name: $tiled,
                        isa: Isa::$isa,
                        accepts: |_| true,
                        run: dense::run::<$vector>,
                        prepared: Some(prepared::Prepared {
                            prepare: prepared::pack::<$vector>,
                            run: dense::run_prepared::<$vector>,
                            cols: <$vector as micro::Registers>::COLS,
                        }),
                    },
                )*
                Candidate { name: "reference", isa: Isa::Portable, accepts: |_| true, run: reference::run, prepared: None },
            ];
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod list {
    use std::arch::x86_64::{__m256, __m256d, __m512, __m512d};

    use super::{Candidate, GemmElement, Isa, dense, micro, narrow, outer, prepared, reference, skinny};
    use crate::simd::vector::Lanes;

    candidates!(f32: Avx512 "skinny-avx512" "outer-avx512" "narrow-avx512" "avx512" __m512, Avx2 "skinny-avx2" "outer-avx2" "narrow-avx2" "avx2" __m256,
        Portable "skinny-portable" "outer-portable" "narrow-portable" "portable" Lanes<f32, 4>);
    candidates!(f64: Avx512 "skinny-avx512" "outer-avx512" "narrow-avx512" "avx512" __m512d, Avx2 "skinny-avx2" "outer-avx2" "narrow-avx2" "avx2" __m256d,
        Portable "skinny-portable" "outer-portable" "narrow-portable" "portable" Lanes<f64, 2>);
}

#[cfg(not(target_arch = "x86_64"))]
mod list {
    use super::{Candidate, GemmElement, Isa, dense, micro, narrow, outer, prepared, reference, skinny};
    use crate::simd::vector::Lanes;

    candidates!(f32: Portable "skinny-portable" "outer-portable" "narrow-portable" "portable" Lanes<f32, 4>);
    candidates!(f64: Portable "skinny-portable" "outer-portable" "narrow-portable" "portable" Lanes<f64, 2>);
}
