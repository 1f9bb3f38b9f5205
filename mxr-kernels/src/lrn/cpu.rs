//! Vectorised normalisation: neighbouring columns side by side, channel after channel.

use std::ops::Range;

use crate::element::Float;
use crate::isa::Isa;
use crate::level::{self, Body, Level};
use crate::lrn::Lrn;
use crate::map::{MapElement, Ops};
use crate::par;
use crate::share::Shared;

/// Windows are smaller than this, which bounds the channels that the gradient keeps on the stack.
pub(crate) const LARGEST: usize = 32;
/// Columns that are worked on together.
const COLUMNS: usize = 64;
const BLOCK: usize = 16 * 1024;

pub(crate) fn accepts(d: &Lrn) -> bool {
    (d.attrs.size as usize) < LARGEST
}

/// Calls `body` for blocks of tiles of columns.
fn tiles(d: &Lrn, body: impl Fn(Range<usize>) + Sync) {
    let size = d.channels * COLUMNS.min(d.inner);
    par::for_each_chunk(d.n * d.inner.div_ceil(COLUMNS), (BLOCK / size.max(1)).max(1), body);
}

/// The first element and the width of a tile.
fn tile(d: &Lrn, tile: usize) -> (usize, usize) {
    let per = d.inner.div_ceil(COLUMNS);
    let first = tile % per * COLUMNS;
    (tile / per * d.channels * d.inner + first, COLUMNS.min(d.inner - first))
}

/// `s` of channel `c` for the columns of a tile.
#[inline(always)]
fn sums<L: Level, T: Float>(d: &Lrn, x: &[T], c: usize, at: usize, s: &mut [T]) {
    s.fill(T::ZERO);
    for j in d.window(c) {
        for (s, &x) in s.iter_mut().zip(&x[at + j * d.inner..]) {
            *s = L::fma(x, x, *s);
        }
    }
    let (scale, knorm) = (T::from_f64(d.scale()), T::from_f64(f64::from(d.attrs.knorm)));
    for s in s {
        *s = L::fma(scale, *s, knorm);
    }
}

/// `s^(−beta)`; two roots where beta is ¾, as in every published network.
#[inline(always)]
fn powers<L: Level, T: Float + MapElement>(d: &Lrn, s: &mut [T]) {
    if d.attrs.beta == 0.75 {
        for s in s {
            let root = Float::sqrt(*s);
            *s = T::ONE / (root * Float::sqrt(root));
        }
    } else {
        let exponent = T::from_f64(-f64::from(d.attrs.beta));
        for s in s {
            *s = <T as Ops>::pow::<L>(*s, exponent);
        }
    }
}

pub(crate) fn forward<T: Float + MapElement>(isa: Isa, d: &Lrn, x: &[T], y: &mut [T]) {
    let y = &Shared::new(y);
    tiles(d, |tiles| level::run(isa, Forward { d, x, y, tiles }));
}

struct Forward<'a, T> {
    d: &'a Lrn,
    x: &'a [T],
    y: &'a Shared<'a, T>,
    tiles: Range<usize>,
}

impl<T: Float + MapElement> Body for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        let Forward { d, x, y, tiles } = self;
        for t in tiles {
            let (at, width) = tile(d, t);
            let mut s = [T::ZERO; COLUMNS];
            let s = &mut s[..width];
            for c in 0..d.channels {
                sums::<L, T>(d, x, c, at, s);
                powers::<L, T>(d, s);
                let first = at + c * d.inner;
                // SAFETY: the columns of a tile belong to one task, and this is its only part in use.
                let y = unsafe { y.part(first, width) };
                for ((y, &x), &s) in y.iter_mut().zip(&x[first..first + width]).zip(s.iter()) {
                    *y = x * s;
                }
            }
        }
    }
}

pub(crate) fn backward<T: Float + MapElement>(isa: Isa, d: &Lrn, x: &[T], y: &[T], dy: &[T], dx: &mut [T]) {
    let dx = &Shared::new(dx);
    tiles(d, |tiles| level::run(isa, Backward { d, x, y, dy, dx, tiles }));
}

struct Backward<'a, T> {
    d: &'a Lrn,
    x: &'a [T],
    y: &'a [T],
    dy: &'a [T],
    dx: &'a Shared<'a, T>,
    tiles: Range<usize>,
}

impl<T: Float + MapElement> Body for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        let Backward { d, x, y, dy, dx, tiles } = self;
        let half = d.attrs.size as usize / 2;
        let factor = T::from_f64(-2.0 * d.scale() * f64::from(d.attrs.beta));
        // The last LARGEST channels: s^(−beta), and dy · y / s.
        let mut power = [[T::ZERO; COLUMNS]; LARGEST];
        let mut share = [[T::ZERO; COLUMNS]; LARGEST];
        for t in tiles {
            let (at, width) = tile(d, t);
            for ahead in 0..d.channels + half {
                if ahead < d.channels {
                    let first = at + ahead * d.inner;
                    let (p, t) = (&mut power[ahead % LARGEST][..width], &mut share[ahead % LARGEST][..width]);
                    sums::<L, T>(d, x, ahead, at, p);
                    let rows = y[first..first + width].iter().zip(&dy[first..first + width]);
                    for ((t, &s), (&y, &dy)) in t.iter_mut().zip(p.iter()).zip(rows) {
                        *t = dy * y / s;
                    }
                    powers::<L, T>(d, p);
                }
                let Some(c) = ahead.checked_sub(half) else { continue };
                let mut sum = [T::ZERO; COLUMNS];
                for j in d.window(c) {
                    for (sum, &t) in sum.iter_mut().zip(&share[j % LARGEST]) {
                        *sum += t;
                    }
                }
                let first = at + c * d.inner;
                // SAFETY: the columns of a tile belong to one task, and this is its only part in use.
                let dx = unsafe { dx.part(first, width) };
                let rows = x[first..first + width].iter().zip(&dy[first..first + width]);
                for (((dx, &sum), &p), (&x, &dy)) in
                    dx.iter_mut().zip(&sum).zip(&power[c % LARGEST]).zip(rows)
                {
                    *dx = L::fma(factor * x, sum, dy * p);
                }
            }
        }
    }
}
