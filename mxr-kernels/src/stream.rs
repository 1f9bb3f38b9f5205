//! Stores that go past the caches.
//!
//! An ordinary store first reads the line that it overwrites. For an output far larger than the caches that reading
//! is a third of the traffic of a copy, so kernels finish a tile in the first-level cache and send it out from there.

use crate::element::Num;

/// From this many bytes on an output is sent past the caches: the next reader would not find it there anyway.
pub(crate) const FROM: usize = 32 << 20;

/// `dst = src` past the caches; [`fence`] must follow before another thread is told that `dst` is complete.
#[cfg(target_arch = "x86_64")]
pub(crate) fn copy<T: Num>(dst: &mut [T], src: &[T]) {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_stream_si128};
    assert_eq!(dst.len(), src.len(), "lengths of a copy");
    // SAFETY: `Num` is implemented for plain integers and floats only; any of them is valid as bytes of a vector, and
    // every byte pattern of a vector that was copied from such elements is valid as elements.
    let (head, body, tail) = unsafe { dst.align_to_mut::<__m128i>() };
    let per = size_of::<__m128i>() / size_of::<T>();
    let (first, last) = (head.len(), head.len() + body.len() * per);
    head.copy_from_slice(&src[..first]);
    tail.copy_from_slice(&src[last..]);
    for (d, s) in body.iter_mut().zip(src[first..last].chunks_exact(per)) {
        // SAFETY: `s` holds 16 readable bytes; `d` is aligned to 16 by its type. SSE2 is part of x86-64.
        unsafe { _mm_stream_si128(d, _mm_loadu_si128(s.as_ptr().cast())) };
    }
}

/// Whether registers of any size may be streamed to the beginnings of lines of this many bytes from `at` on.
pub(crate) fn aligned<T>(at: *const T, line: usize) -> bool {
    at.addr().is_multiple_of(64) && line.is_multiple_of(64)
}

/// Makes what this thread has streamed visible before what follows.
#[cfg(target_arch = "x86_64")]
pub(crate) fn fence() {
    // SAFETY: SSE is part of x86-64.
    unsafe { std::arch::x86_64::_mm_sfence() };
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn copy<T: Num>(dst: &mut [T], src: &[T]) {
    dst.copy_from_slice(src);
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn fence() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_every_alignment_and_length() {
        let src: Vec<i32> = (0..100).collect();
        for start in 0..9 {
            for len in [0, 1, 3, 4, 17, 80] {
                let mut dst = vec![-1; 100];
                copy(&mut dst[start..start + len], &src[start + 3..start + 3 + len]);
                fence();
                for (i, d) in dst.iter().enumerate() {
                    let want = if (start..start + len).contains(&i) { i as i32 + 3 } else { -1 };
                    assert_eq!(*d, want);
                }
            }
        }
    }
}
