//! Data for networks, the same on every machine.

use mxr::io::HostArray;

/// Numbers between −1 and 1 that depend on `seed` alone.
pub(crate) fn noise(seed: u64, shape: &[usize]) -> HostArray {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let values = (0..shape.iter().product()).map(|_| next()).collect::<Vec<f32>>();
    HostArray::from_vec(values, shape).expect("as many as the shape says")
}

/// Labels below `classes`.
pub(crate) fn labels(seed: u64, n: usize, classes: i64) -> HostArray {
    let noise = noise(seed + 1000, &[n]);
    let class = |x: &f32| ((f64::from(*x) + 1.0) / 2.0 * classes as f64) as i64;
    let values = noise.as_slice::<f32>().expect("f32").iter().map(class).collect();
    HostArray::from_vec(values, &[n]).expect("one per sample")
}
