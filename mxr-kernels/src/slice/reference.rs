//! Slices one element at a time.

/// Where element `at` of the piece lies in the array.
fn offset(x_shape: &[usize], y_shape: &[usize], begin: &[i64], step: &[i64], at: usize) -> usize {
    let (mut rest, mut offset, mut inner) = (at, 0, 1);
    for d in (0..x_shape.len()).rev() {
        let i = (rest % y_shape[d]) as i64;
        rest /= y_shape[d];
        offset += (begin[d] + i * step[d]) as usize * inner;
        inner *= x_shape[d];
    }
    offset
}

/// The piece.
pub fn forward<T: Copy>(
    x_shape: &[usize],
    y_shape: &[usize],
    begin: &[i64],
    step: &[i64],
    x: &[T],
    y: &mut [T],
) {
    for (at, y) in y.iter_mut().enumerate() {
        *y = x[offset(x_shape, y_shape, begin, step, at)];
    }
}

/// `zero` everywhere, except the piece.
pub fn backward<T: Copy>(
    x_shape: &[usize],
    y_shape: &[usize],
    begin: &[i64],
    step: &[i64],
    dy: &[T],
    zero: T,
    dx: &mut [T],
) {
    dx.fill(zero);
    for (at, dy) in dy.iter().enumerate() {
        dx[offset(x_shape, y_shape, begin, step, at)] = *dy;
    }
}
