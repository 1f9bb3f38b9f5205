//! Vectorised batch normalisation: a channel at a time where its elements lie in runs, groups of channels where they are
//! neighbours. Both passes over a channel follow each other, so the second finds it in the cache.

use std::ops::Range;

use crate::batch_norm::BatchNorm;
use crate::element::Float;
use crate::isa::Isa;
use crate::level::{self, Body, Level};
use crate::map::Src;
use crate::par;
use crate::share::Shared;

/// Channels of a group where channels are neighbours.
const WIDE: usize = 64;
const BLOCK: usize = 32 * 1024;
const LANES: usize = 16;

/// Two sums for every channel of a group.
#[derive(Clone, Copy)]
struct Sums {
    a: [f64; WIDE],
    b: [f64; WIDE],
}

impl Sums {
    fn join(mut self, other: Sums) -> Sums {
        for j in 0..WIDE {
            self.a[j] += other.a[j];
            self.b[j] += other.b[j];
        }
        self
    }
}

/// The channels of a group and the way its elements lie.
#[derive(Clone, Copy)]
struct Group {
    first: usize,
    width: usize,
}

/// Calls `body` for every group of channels.
fn groups(d: &BatchNorm, body: impl Fn(Group) + Sync) {
    let width = if d.inner == 1 { WIDE } else { 1 };
    par::for_each_chunk(d.channels, width, |c| body(Group { first: c.start, width: c.len() }));
}

/// Outer indices of a block.
fn grain(d: &BatchNorm, g: Group) -> usize {
    (BLOCK / (d.inner * g.width).max(1)).max(1)
}

impl Group {
    /// Where the group's elements of an outer index begin, and how many they are.
    #[inline(always)]
    fn run(&self, d: &BatchNorm, o: usize) -> (usize, usize) {
        ((o * d.channels + self.first) * d.inner, d.inner * self.width)
    }
}

/// Σ f and Σ g over the elements of a group's channels, where `(f, g) = (x − k, (x − k)²)`, or with `dy`
/// `(f, g) = (dy, dy · (x − k))`.
fn sums<T: Float>(isa: Isa, d: &BatchNorm, g: Group, x: &[T], dy: Option<&[T]>, k: &[f64; WIDE]) -> Sums {
    let grain = grain(d, g);
    let block = |b: usize| {
        let outer = b * grain..d.outer.min((b + 1) * grain);
        level::run(isa, SumBlock { d, g, x, dy, k, outer })
    };
    let zero = Sums { a: [0.0; WIDE], b: [0.0; WIDE] };
    par::map_reduce(d.outer.div_ceil(grain), block, Sums::join).unwrap_or(zero)
}

struct SumBlock<'a, T> {
    d: &'a BatchNorm,
    g: Group,
    x: &'a [T],
    dy: Option<&'a [T]>,
    k: &'a [f64; WIDE],
    outer: Range<usize>,
}

impl<T: Float> Body for SumBlock<'_, T> {
    type Output = Sums;

    #[inline(always)]
    fn run<L: Level>(self) -> Sums {
        let SumBlock { d, g, x, dy, k, outer } = self;
        let mut sums = Sums { a: [0.0; WIDE], b: [0.0; WIDE] };
        for o in outer {
            let (at, len) = g.run(d, o);
            let x = &x[at..at + len];
            let dy = dy.map(|dy| &dy[at..at + len]);
            if d.inner == 1 {
                let columns = sums.a.iter_mut().zip(&mut sums.b).zip(k).zip(x);
                match dy {
                    None => columns.for_each(|(((a, b), k), x)| {
                        let v = x.to_f64() - k;
                        *a += v;
                        *b = L::fma(v, v, *b);
                    }),
                    Some(dy) => columns.zip(dy).for_each(|((((a, b), k), x), dy)| {
                        *a += dy.to_f64();
                        *b = L::fma(dy.to_f64(), x.to_f64() - k, *b);
                    }),
                }
            } else {
                let (a, b) = match dy {
                    None => run_sums::<L, T>(x, x, |x, _| x - k[0], |x, _| x - k[0]),
                    Some(dy) => run_sums::<L, T>(x, dy, |_, dy| dy, |x, _| x - k[0]),
                };
                sums.a[0] += a;
                sums.b[0] += b;
            }
        }
        sums
    }
}

/// Σ f(x, y) and Σ f(x, y) · g(x, y) over a run.
#[inline(always)]
fn run_sums<L: Level, T: Float>(
    x: &[T],
    y: &[T],
    f: impl Fn(f64, f64) -> f64,
    g: impl Fn(f64, f64) -> f64,
) -> (f64, f64) {
    let (mut a, mut b) = ([0f64; LANES], [0f64; LANES]);
    let (mut xs, mut ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    for (x, y) in (&mut xs).zip(&mut ys) {
        for j in 0..LANES {
            let (x, y) = (x[j].to_f64(), y[j].to_f64());
            let v = f(x, y);
            a[j] += v;
            b[j] = L::fma(v, g(x, y), b[j]);
        }
    }
    for (j, (x, y)) in xs.remainder().iter().zip(ys.remainder()).enumerate() {
        let (x, y) = (x.to_f64(), y.to_f64());
        let v = f(x, y);
        a[j] += v;
        b[j] = L::fma(v, g(x, y), b[j]);
    }
    (a.iter().sum(), b.iter().sum())
}

/// What the second pass computes, with a coefficient of each kind for every channel of the group.
#[derive(Clone, Copy)]
enum Pass {
    /// (x − m) · s + t.
    Normalise,
    /// dy · s − t − (x − m) · u.
    Gradient,
    /// dy · s.
    Scale,
}

#[derive(Clone, Copy)]
struct Coefficients<T> {
    m: [T; WIDE],
    s: [T; WIDE],
    t: [T; WIDE],
    u: [T; WIDE],
}

impl<T: Float> Coefficients<T> {
    fn zero() -> Self {
        Coefficients { m: [T::ZERO; WIDE], s: [T::ZERO; WIDE], t: [T::ZERO; WIDE], u: [T::ZERO; WIDE] }
    }

    /// Of [`Pass::Normalise`] for channel `c`, the `j`-th of its group. They follow from numbers of the element type, so that
    /// results can be made again, bit by bit, from the statistics that training wrote.
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

struct Apply<'a, T> {
    d: &'a BatchNorm,
    g: Group,
    pass: Pass,
    with: &'a Coefficients<T>,
    x: Src<'a, T>,
    dy: &'a [T],
    out: &'a Shared<'a, T>,
    outer: Range<usize>,
}

impl<'a, T: Float> Apply<'a, T> {
    /// The pass over the whole group; `outer` is set for each block.
    fn everywhere(isa: Isa, one: Apply<'a, T>) {
        par::for_each_chunk(one.d.outer, grain(one.d, one.g), |outer| {
            level::run(isa, Apply { outer, ..one })
        });
    }
}

impl<T: Float> Body for Apply<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        let Apply { d, g, pass, with, x, dy, out, outer } = self;
        let normalise = |x: T, m: T, s: T, t: T| L::fma(x - m, s, t);
        let gradient = |x: T, dy: T, m: T, s: T, t: T, u: T| L::fma(m - x, u, L::fma(dy, s, -t));
        for o in outer {
            let (at, len) = g.run(d, o);
            // SAFETY: a group and an outer index belong to one task.
            let out = unsafe { out.part(at, len) };
            let columns = with.m.iter().zip(&with.s).zip(&with.t).zip(&with.u);
            let (m, s, t, u) = (with.m[0], with.s[0], with.t[0], with.u[0]);
            match (pass, x, d.inner == 1) {
                (Pass::Normalise, Src::Slice(x), false) => {
                    for (y, &x) in out.iter_mut().zip(&x[at..at + len]) {
                        *y = normalise(x, m, s, t);
                    }
                }
                (Pass::Normalise, Src::Out, false) => {
                    for y in out {
                        *y = normalise(*y, m, s, t);
                    }
                }
                (Pass::Normalise, Src::Slice(x), true) => {
                    for ((y, &x), (((&m, &s), &t), _)) in out.iter_mut().zip(&x[at..at + len]).zip(columns) {
                        *y = normalise(x, m, s, t);
                    }
                }
                (Pass::Normalise, Src::Out, true) => {
                    for (y, (((&m, &s), &t), _)) in out.iter_mut().zip(columns) {
                        *y = normalise(*y, m, s, t);
                    }
                }
                (Pass::Gradient, Src::Slice(x), false) => {
                    for ((dx, &x), &dy) in out.iter_mut().zip(&x[at..at + len]).zip(&dy[at..at + len]) {
                        *dx = gradient(x, dy, m, s, t, u);
                    }
                }
                (Pass::Gradient, Src::Slice(x), true) => {
                    let rows = out.iter_mut().zip(&x[at..at + len]).zip(&dy[at..at + len]);
                    for (((dx, &x), &dy), (((&m, &s), &t), &u)) in rows.zip(columns) {
                        *dx = gradient(x, dy, m, s, t, u);
                    }
                }
                (Pass::Scale, _, false) => {
                    for (dx, &dy) in out.iter_mut().zip(&dy[at..at + len]) {
                        *dx = dy * s;
                    }
                }
                (Pass::Scale, _, true) => {
                    for ((dx, &dy), &s) in out.iter_mut().zip(&dy[at..at + len]).zip(&with.s) {
                        *dx = dy * s;
                    }
                }
                (Pass::Gradient, Src::Out, _) => unreachable!("a gradient never overwrites x"),
            }
        }
    }
}

pub(crate) fn train<T: Float>(
    isa: Isa,
    d: &BatchNorm,
    x: &[T],
    [gamma, beta]: [&[T]; 2],
    state: [&mut [T]; 4],
    y: &mut [T],
) {
    let n = (d.outer * d.inner).max(1) as f64;
    let [moving_mean, moving_var, mean, inv_std] = &state.map(Shared::new);
    let y = &Shared::new(y);
    groups(d, |g| {
        let mut k = [0.0; WIDE];
        for (j, k) in k[..g.width].iter_mut().enumerate() {
            *k = x.get((g.first + j) * d.inner).map_or(0.0, |x| x.to_f64());
            // An infinite or undefined shift would spread over elements that are neither.
            *k = if k.is_finite() { *k } else { 0.0 };
        }
        let sums = sums(isa, d, g, x, None, &k);
        let mut with = Coefficients::zero();
        for (j, &k) in k[..g.width].iter().enumerate() {
            let c = g.first + j;
            let off = sums.a[j] / n;
            let m = k + off;
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
        let (x, outer) = (Src::Slice(x), 0..0);
        Apply::everywhere(isa, Apply { d, g, pass: Pass::Normalise, with: &with, x, dy: &[], out: y, outer });
    });
}

/// With given statistics.
pub(crate) fn apply<T: Float>(
    isa: Isa,
    d: &BatchNorm,
    x: Src<'_, T>,
    [gamma, beta, mean]: [&[T]; 3],
    spread: Spread<'_, T>,
    y: &mut [T],
) {
    let y = &Shared::new(y);
    groups(d, |g| {
        let mut with = Coefficients::zero();
        for j in 0..g.width {
            let c = g.first + j;
            with.normalise(d, (j, c), mean[c], spread.inverse(d, c), [gamma, beta]);
        }
        let outer = 0..0;
        Apply::everywhere(isa, Apply { d, g, pass: Pass::Normalise, with: &with, x, dy: &[], out: y, outer });
    });
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

#[allow(clippy::too_many_arguments)] // the operands of the instruction
pub(crate) fn backward<T: Float>(
    isa: Isa,
    d: &BatchNorm,
    x: &[T],
    [gamma, mean]: [&[T]; 2],
    spread: Spread<'_, T>,
    dy: &[T],
    dx: &mut [T],
    grads: [&mut [T]; 2],
) {
    let n = (d.outer * d.inner).max(1) as f64;
    let [dgamma, dbeta] = &grads.map(Shared::new);
    let dx = &Shared::new(dx);
    groups(d, |g| {
        let mut k = [0.0; WIDE];
        for (j, k) in k[..g.width].iter_mut().enumerate() {
            *k = mean[g.first + j].to_f64();
        }
        let sums = sums(isa, d, g, x, Some(dy), &k);
        let mut with = Coefficients::zero();
        for j in 0..g.width {
            let c = g.first + j;
            let inv = spread.inverse(d, c);
            // SAFETY: a channel belongs to one group.
            let [dgamma, dbeta] = [dgamma, dbeta].map(|s| &mut unsafe { s.part(c, 1) }[0]);
            let dot = sums.b[j] * inv;
            *dgamma = if d.attrs.fix_gamma { T::ZERO } else { T::from_f64(dot) };
            *dbeta = T::from_f64(sums.a[j]);
            let s = d.gamma(gamma, c).to_f64() * inv;
            with.m[j] = mean[c];
            with.s[j] = T::from_f64(s);
            with.t[j] = T::from_f64(s * sums.a[j] / n);
            with.u[j] = T::from_f64(s * inv * dot / n);
        }
        let pass = if matches!(spread, Spread::Inverse(_)) { Pass::Gradient } else { Pass::Scale };
        Apply::everywhere(isa, Apply { d, g, pass, with: &with, x: Src::Slice(x), dy, out: dx, outer: 0..0 });
    });
}
