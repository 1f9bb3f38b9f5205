//! The definition of [`Gemm`], one element of C at a time.

use super::{Gemm, GemmElement};
use crate::element::Num;
use crate::epilogue::Epilogue;

pub(super) fn run<T: GemmElement>(
    desc: &Gemm,
    a: &[T],
    b: &[T],
    epilogue: Epilogue<'_, T::Sum>,
    c: &mut [T::Sum],
) {
    let Gemm { n, k, lda, ldb, .. } = *desc;
    for z in 0..desc.batch {
        let (a, b) = (&a[z * desc.stride_a..], &b[z * desc.stride_b..]);
        for (i, j) in (0..desc.m).flat_map(|i| (0..n).map(move |j| (i, j))) {
            let at = z * desc.stride_c + i * desc.ldc + j;
            let mut sum = if desc.accumulate { c[at] } else { T::Sum::ZERO };
            for p in 0..k {
                let x = if desc.trans_a { a[p * lda + i] } else { a[i * lda + p] };
                let y = if desc.trans_b { b[j * ldb + p] } else { b[p * ldb + j] };
                sum += x.widened() * y.widened();
            }
            if let Some(bias) = epilogue.bias {
                sum += bias[j];
            }
            c[at] = epilogue.last(sum, at, c[at]);
        }
    }
}
