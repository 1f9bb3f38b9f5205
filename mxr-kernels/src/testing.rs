//! What the tests of several families share.

use crate::element::Float;

/// Runs `body` on a pool of this many threads.
pub(crate) fn with_threads<R: Send>(threads: usize, body: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(body)
}

/// Numbers between −2 and 2 without a pattern.
pub(crate) fn data<T: Float>(len: usize, salt: usize) -> Vec<T> {
    (0..len)
        .map(|i| {
            let h = (i + salt * 7919).wrapping_mul(2_654_435_761) ^ (i + salt).wrapping_mul(40_503) << 11;
            T::from_f64((h >> 5 & 0xffff) as f64 / 16384.0 - 2.0)
        })
        .collect()
}

/// The same bits, for two runs that differ in nothing but the number of threads.
#[track_caller]
pub(crate) fn assert_same<T: Float>(one: &[T], two: &[T], what: &str) {
    assert_eq!(one.len(), two.len(), "{what}: length");
    for (i, (a, b)) in one.iter().zip(two).enumerate() {
        assert_eq!(a.to_f64().to_bits(), b.to_f64().to_bits(), "{what}: element {i}: {a:?} and {b:?}");
    }
}

/// Elements agree within `eps32` or `eps64` (by element type) of the larger of 1 and their own size; NaN equals NaN.
#[track_caller]
pub(crate) fn assert_close<T: Float>(got: &[T], want: &[T], eps32: f64, eps64: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}: length");
    let eps = if size_of::<T>() == 4 { eps32 } else { eps64 };
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        let (g, w) = (g.to_f64(), w.to_f64());
        let close = g == w || g.is_nan() && w.is_nan() || (g - w).abs() <= eps * w.abs().max(1.0);
        assert!(close, "{what}: element {i} is {g} instead of {w}");
    }
}
