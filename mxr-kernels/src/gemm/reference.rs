//! The definition of [`Gemm`], one row of C at a time.

use super::Gemm;
use crate::element::Float;

pub(super) fn run<T: Float>(desc: &Gemm, a: &[T], b: &[T], bias: Option<&[T]>, c: &mut [T]) {
    let Gemm { n, k, lda, ldb, .. } = *desc;
    for z in 0..desc.batch {
        let (a, b) = (&a[z * desc.stride_a..], &b[z * desc.stride_b..]);
        for i in 0..desc.m {
            let row = &mut c[z * desc.stride_c + i * desc.ldc..][..n];
            if !desc.accumulate {
                row.fill(T::ZERO);
            }
            for p in 0..k {
                let x = if desc.trans_a { a[p * lda + i] } else { a[i * lda + p] };
                if desc.trans_b {
                    for (j, y) in row.iter_mut().enumerate() {
                        *y += x * b[j * ldb + p];
                    }
                } else {
                    for (y, &w) in row.iter_mut().zip(&b[p * ldb..][..n]) {
                        *y += x * w;
                    }
                }
            }
            if let Some(bias) = bias {
                for (y, &w) in row.iter_mut().zip(bias) {
                    *y += w;
                }
            }
        }
    }
}
