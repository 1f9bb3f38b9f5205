//! Transposition one element at a time.

/// `y = x` with axis `i` of `y` being axis `perm[i]` of `x`.
pub fn transpose<T: Copy>(shape: &[usize], perm: &[u8], x: &[T], y: &mut [T]) {
    for (at, y) in y.iter_mut().enumerate() {
        let (mut rest, mut index) = (at, vec![0; shape.len()]);
        for &p in perm.iter().rev() {
            index[usize::from(p)] = rest % shape[usize::from(p)];
            rest /= shape[usize::from(p)];
        }
        *y = x[index.iter().zip(shape).fold(0, |at, (i, extent)| at * extent + i)];
    }
}
