//! Vectorised batch normalisation, a group of channels at a time: both passes over a group follow each other, so the second
//! finds it in the cache.

use crate::batch_norm::BatchNorm;
use crate::batch_norm::lines::{Array, Group, width};
use crate::batch_norm::pass::{Arrays, Coefficients, Pass, result, sum};
use crate::element::Float;
use crate::isa::Isa;
use crate::map::Src;
use crate::par;
use crate::share::Shared;

/// Calls `body` for every group of channels.
fn groups(d: &BatchNorm, body: impl Fn(Group) + Sync) {
    par::for_each_chunk(d.channels, width(d), |c| body(Group { first: c.start, width: c.len() }));
}

/// How the spread of a channel is given.
#[derive(Clone, Copy)]
pub(crate) enum Spread<'a, T> {
    /// 1/√(var + eps) of the batch.
    Inverse(&'a [T]),
    /// The running variance, a constant.
    Variance(&'a [T]),
}

impl<T: Float> Spread<'_, T> {
    /// 1/√(var + eps) of a channel.
    fn inverse(&self, d: &BatchNorm, c: usize) -> f64 {
        match self {
            Spread::Inverse(inv) => inv[c].to_f64(),
            Spread::Variance(var) => d.inv_std(var[c].to_f64()),
        }
    }
}

impl<T: Float> Coefficients<T> {
    /// What normalises channel `c`, the `j`-th of its group. It follows from numbers of the element type, so that results can
    /// be made again, bit by bit, from the statistics that training wrote.
    fn normalise(
        &mut self,
        d: &BatchNorm,
        (j, c): (usize, usize),
        mean: T,
        inv: f64,
        [gamma, beta]: [&[T]; 2],
    ) {
        self.m[j] = mean;
        self.s[j] = T::from_f64(inv * d.gamma(gamma, c).to_f64());
        self.t[j] = beta[c];
    }
}

/// The arrays of a forward pass.
fn forward<T: Float>(x: Src<'_, T>, residual: Option<Src<'_, T>>, y: &mut [T]) -> Arrays<T> {
    let out = Array::write(y);
    let x = Array::of(x, out);
    Arrays { x, dy: x, y: residual.map_or(x, |r| Array::of(r, out)), out }
}

/// The second pass of a forward call.
///
/// # Safety
/// As for [`Pass::results`].
unsafe fn normalise<T: Float>(pass: Pass<'_, T>, residual: bool) {
    // SAFETY: the caller's promise.
    unsafe {
        match (residual, pass.d.relu) {
            (false, false) => pass.results::<{ result::NORMAL }>(None),
            (false, true) => pass.results::<{ result::RELU }>(None),
            (true, false) => pass.results::<{ result::ADD }>(None),
            (true, true) => pass.results::<{ result::ADD_RELU }>(None),
        }
    }
}

pub(crate) fn train<T: Float>(
    isa: Isa,
    d: &BatchNorm,
    x: &[T],
    [gamma, beta]: [&[T]; 2],
    residual: Option<Src<'_, T>>,
    state: [&mut [T]; 4],
    y: &mut [T],
) {
    let n = (d.outer * d.inner).max(1) as f64;
    let [moving_mean, moving_var, mean, inv_std] = &state.map(Shared::new);
    let of = forward(Src::Slice(x), residual, y);
    groups(d, |g| {
        let mut with = Coefficients::zero();
        for (j, k) in with.k[..g.width].iter_mut().enumerate() {
            *k = x.get((g.first + j) * d.inner).copied().unwrap_or(T::ZERO);
            // An infinite or undefined shift would spread over elements that are neither.
            *k = if k.to_f64().is_finite() { *k } else { T::ZERO };
        }
        // SAFETY: the caller has checked the lengths; a group belongs to one task.
        let sums = unsafe { Pass { isa, d, g, with: &with, of }.sums::<{ sum::STATISTICS }>() };
        for j in 0..g.width {
            let c = g.first + j;
            let off = sums.a[j] / n;
            let m = with.k[j].to_f64() + off;
            let var = sums.b[j] / n - off * off;
            // Rounding may leave a little below 0; NaN must stay.
            let var = if var < 0.0 { 0.0 } else { var };
            let inv = d.inv_std(var);
            // SAFETY: a channel belongs to one group.
            let [running_mean, running_var, mean, inv_std] =
                [moving_mean, moving_var, mean, inv_std].map(|s| &mut unsafe { s.part(c, 1) }[0]);
            *running_mean = T::from_f64(d.moved(running_mean.to_f64(), m));
            *running_var = T::from_f64(d.moved(running_var.to_f64(), var));
            *mean = T::from_f64(m);
            *inv_std = T::from_f64(inv);
            with.normalise(d, (j, c), *mean, inv_std.to_f64(), [gamma, beta]);
        }
        // SAFETY: as above.
        unsafe { normalise(Pass { isa, d, g, with: &with, of }, residual.is_some()) };
    });
}

/// With given statistics.
pub(crate) fn apply<T: Float>(
    isa: Isa,
    d: &BatchNorm,
    x: Src<'_, T>,
    [gamma, beta, mean]: [&[T]; 3],
    spread: Spread<'_, T>,
    residual: Option<Src<'_, T>>,
    y: &mut [T],
) {
    let of = forward(x, residual, y);
    groups(d, |g| {
        let mut with = Coefficients::zero();
        for j in 0..g.width {
            let c = g.first + j;
            with.normalise(d, (j, c), mean[c], spread.inverse(d, c), [gamma, beta]);
        }
        // SAFETY: the caller has checked the lengths; a group belongs to one task.
        unsafe { normalise(Pass { isa, d, g, with: &with, of }, residual.is_some()) };
    });
}

/// With `relu`, elements of dy count where the normalised input, with this beta, is positive.
pub(crate) fn backward<T: Float>(
    isa: Isa,
    d: &BatchNorm,
    of: Arrays<T>,
    [gamma, mean]: [&[T]; 2],
    spread: Spread<'_, T>,
    relu: Option<&[T]>,
    grads: [&mut [T]; 2],
) {
    let n = (d.outer * d.inner).max(1) as f64;
    let [dgamma, dbeta] = &grads.map(Shared::new);
    groups(d, |g| {
        let mut with = Coefficients::zero();
        for j in 0..g.width {
            let c = g.first + j;
            let beta = relu.unwrap_or(mean);
            with.normalise(d, (j, c), mean[c], spread.inverse(d, c), [gamma, beta]);
            with.k[j] = mean[c];
        }
        let shift = with.t;
        // SAFETY: the caller has checked the lengths; a group belongs to one task.
        let sums = unsafe {
            let pass = Pass { isa, d, g, with: &with, of };
            match relu {
                None => pass.sums::<{ sum::GRADIENT }>(),
                Some(_) => pass.sums::<{ sum::BY_INPUT }>(),
            }
        };
        for j in 0..g.width {
            let c = g.first + j;
            let inv = spread.inverse(d, c);
            // SAFETY: a channel belongs to one group.
            let [dgamma, dbeta] = [dgamma, dbeta].map(|s| &mut unsafe { s.part(c, 1) }[0]);
            let dot = sums.b[j] * inv;
            *dgamma = if d.attrs.fix_gamma { T::ZERO } else { T::from_f64(dot) };
            *dbeta = T::from_f64(sums.a[j]);
            let s = d.gamma(gamma, c).to_f64() * inv;
            with.t[j] = T::from_f64(s * sums.a[j] / n);
            with.u[j] = T::from_f64(s * inv * dot / n);
        }
        let masked = relu.is_some().then_some(&shift);
        // SAFETY: as above.
        unsafe {
            let pass = Pass { isa, d, g, with: &with, of };
            match spread {
                Spread::Inverse(_) => pass.results::<{ result::GRADIENT }>(masked),
                Spread::Variance(_) => pass.results::<{ result::SCALE }>(masked),
            }
        }
    });
}
