//! Local response normalisation one element at a time, in `f64`.

use crate::element::Float;
use crate::lrn::Lrn;

/// Where channel `c` of column `i` of sample `n` lies.
fn at(d: &Lrn, n: usize, c: usize, i: usize) -> usize {
    (n * d.channels + c) * d.inner + i
}

fn sum<T: Float>(d: &Lrn, x: &[T], n: usize, c: usize, i: usize) -> f64 {
    let squares: f64 = d.window(c).map(|j| x[at(d, n, j, i)].to_f64().powi(2)).sum();
    f64::from(d.attrs.knorm) + d.scale() * squares
}

fn each(d: &Lrn, mut f: impl FnMut(usize, usize, usize)) {
    for n in 0..d.n {
        for c in 0..d.channels {
            for i in 0..d.inner {
                f(n, c, i);
            }
        }
    }
}

/// `y = lrn(x)`.
pub fn forward<T: Float>(d: &Lrn, x: &[T], y: &mut [T]) {
    each(d, |n, c, i| {
        let p = sum(d, x, n, c, i).powf(-f64::from(d.attrs.beta));
        y[at(d, n, c, i)] = T::from_f64(x[at(d, n, c, i)].to_f64() * p);
    });
}

/// `dx` from the input, the output and its gradient.
pub fn backward<T: Float>(d: &Lrn, x: &[T], y: &[T], dy: &[T], dx: &mut [T]) {
    let beta = f64::from(d.attrs.beta);
    each(d, |n, c, i| {
        let own = at(d, n, c, i);
        let others: f64 = d
            .window(c)
            .map(|j| (j, at(d, n, j, i)))
            .map(|(j, o)| dy[o].to_f64() * y[o].to_f64() / sum(d, x, n, j, i))
            .sum();
        let direct = dy[own].to_f64() * sum(d, x, n, c, i).powf(-beta);
        dx[own] = T::from_f64(direct - 2.0 * d.scale() * beta * x[own].to_f64() * others);
    });
}
