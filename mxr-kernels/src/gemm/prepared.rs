//! Products whose B was packed before, once rather than in every call: the weight of a dense layer.
//!
//! ```
//! use mxr_kernels::epilogue::Epilogue;
//! use mxr_kernels::gemm::{Gemm, prepared};
//!
//! let desc = Gemm::new(20, 3, 2).transposed(false, true);
//! let candidate = prepared::select::<f32>(&desc).expect("several rows");
//! let mut b = vec![0.0; candidate.prepared_len(&desc).expect("it packs")];
//! candidate.prepare(&desc, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &mut b);
//!
//! let mut c = [0.0; 60];
//! candidate.run_prepared(&desc, &[1.0; 40], &b, Epilogue::NONE, &mut c);
//! assert_eq!(c[57..], [3.0, 7.0, 11.0]);
//! ```

use std::marker::PhantomData;
use std::ops::Range;

use super::driver::Rhs;
use super::micro::Registers;
use super::{Candidate, Gemm, GemmElement, dense, select as select_plain};
use crate::epilogue::Epilogue;
use crate::par;
use crate::simd::Kernel;

/// The candidate for products with a matrix B that is packed once and used again and again; `None` where it is read where it lies anyway, or
/// packing is so small a part of a call that the memory is not worth it.
pub fn select<T: GemmElement<Sum = T>>(desc: &Gemm) -> Option<&'static Candidate<T>> {
    /// Up to so many rows of A.
    const MOST_ROWS: usize = 2048;
    let candidate = select_plain::<T>(desc);
    (candidate.prepared_len(desc).is_some() && desc.folded().m <= MOST_ROWS).then_some(candidate)
}

/// How a candidate packs B.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prepared<T: 'static> {
    /// The descriptor, B, what is made of it.
    pub(super) prepare: fn(&Gemm, &[T], &mut [T]),
    /// The descriptor, A, packed B, epilogue, C.
    pub(super) run: super::Run<T, T>,
    pub(super) cols: usize,
}

impl<T: GemmElement<Sum = T>> Candidate<T> {
    /// Elements of B as [`prepare`](Self::prepare) packs it; `None` where the candidate reads it as it lies, or a batch has several. Depends
    /// on `n` and `k` alone, and what is made on B besides: it serves any number of rows.
    pub fn prepared_len(&self, desc: &Gemm) -> Option<usize> {
        let one = desc.folded().batch == 1;
        self.prepared.filter(|_| one).map(|p| desc.n.next_multiple_of(p.cols) * desc.k)
    }

    /// Packs B.
    ///
    /// # Panics
    ///
    /// If there is [nothing](Self::prepared_len) to pack, or a slice is shorter than the descriptor says.
    pub fn prepare(&self, desc: &Gemm, b: &[T], to: &mut [T]) {
        let prepared = self.prepares(desc, to);
        desc.check_b(b);
        if !to.is_empty() {
            (prepared.prepare)(desc, b, to);
        }
    }

    /// As [`run`](Self::run), bit for bit, with what [`prepare`](Self::prepare) has made of B.
    ///
    /// # Panics
    ///
    /// As [`prepare`](Self::prepare) and [`run`](Self::run).
    pub fn run_prepared(&self, desc: &Gemm, a: &[T], b: &[T], epilogue: Epilogue<'_, T>, c: &mut [T]) {
        let prepared = self.prepares(desc, b);
        if !desc.is_empty() {
            desc.check_others(a, &epilogue, c);
            (prepared.run)(&desc.folded(), a, b, epilogue, c);
        }
    }

    fn prepares(&self, desc: &Gemm, b: &[T]) -> Prepared<T> {
        assert!(
            self.accepts(desc),
            "candidate {} was asked for what it does not accept: {desc:?}",
            self.name
        );
        let (Some(prepared), Some(len)) = (self.prepared, self.prepared_len(desc)) else {
            panic!("candidate {} reads B as it lies: {desc:?}", self.name);
        };
        assert_eq!(b.len(), len, "elements of the packed B: {desc:?}");
        prepared
    }
}

/// Columns that were packed before, panel after panel of `[k, V::COLS]`.
pub(crate) struct PackedCols<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) k: usize,
}

impl<V: Registers> Rhs<V> for PackedCols<'_, V::Elem> {
    const PACKED: bool = true;

    #[inline(always)]
    unsafe fn pack(&self, _: Range<usize>, _: Range<usize>, _: *mut V::Elem) {}

    #[inline(always)]
    unsafe fn panel(&self, col: usize, _: usize, ks: &Range<usize>, _: *const V::Elem) -> *const V::Elem {
        self.data.as_ptr().wrapping_add(col * self.k + ks.start * V::COLS)
    }
}

/// Packs all of B.
pub(super) fn pack<V: Registers>(desc: &Gemm, b: &[V::Elem], to: &mut [V::Elem]) {
    let matrix = dense::Matrix { data: b, ld: desc.ldb, transposed: desc.trans_b, in_place: false };
    par::for_each_mut(to, V::COLS * desc.k, |panel, to| {
        let cols = panel * V::COLS..desc.n.min((panel + 1) * V::COLS);
        V::enter(Panel { matrix: &matrix, cols, k: desc.k, to, v: PhantomData::<V> });
    });
}

struct Panel<'a, V: Registers> {
    matrix: &'a dense::Matrix<'a, V::Elem>,
    cols: Range<usize>,
    k: usize,
    to: &'a mut [V::Elem],
    v: PhantomData<V>,
}

impl<V: Registers> Kernel for Panel<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Panel { matrix, cols, k, to, .. } = self;
        assert!(to.len() == V::COLS * k, "a panel has its columns");
        // SAFETY: below the entry of `V`'s instruction set; `Candidate::prepare` has checked B against the descriptor, and the panel was just.
        unsafe { Rhs::<V>::pack(matrix, 0..k, cols, to.as_mut_ptr()) }
    }
}
