//! Dropout in tiles: random bits and the product while both are in the cache.

use crate::dropout::scale;
use crate::element::Float;
use crate::isa::Isa;
use crate::level::{self, Body, Level};
use crate::map::Src;
use crate::par;
use crate::random::{Bits, Key, limit};

/// Elements of a task, a multiple of what random blocks come in.
const TASK: usize = 16 * 1024;

pub(crate) fn forward<T: Float>(isa: Isa, p: f32, key: Key, x: Src<'_, T>, y: &mut [T], mask: &mut [u8]) {
    let limit = limit(1.0 - f64::from(p));
    par::for_each_mut2(y, TASK, mask, TASK, |task, y, mask| {
        let first = task * TASK;
        level::run(isa, Bits { key, limit, first: first as u64 / 4, y: mask });
        level::run(isa, Keep { x: part(x, first, y.len()), y, mask, scale: scale(p) });
    });
}

pub(crate) fn backward<T: Float>(isa: Isa, p: f32, dy: Src<'_, T>, mask: &[u8], dx: &mut [T]) {
    par::for_each_mut(dx, TASK, |task, dx| {
        let first = task * TASK;
        let mask = &mask[first..first + dx.len()];
        level::run(isa, Keep { x: part(dy, first, dx.len()), y: dx, mask, scale: scale(p) });
    });
}

fn part<T>(x: Src<'_, T>, first: usize, len: usize) -> Src<'_, T> {
    match x {
        Src::Slice(x) => Src::Slice(&x[first..first + len]),
        Src::Out => Src::Out,
    }
}

struct Keep<'a, T> {
    x: Src<'a, T>,
    y: &'a mut [T],
    mask: &'a [u8],
    scale: T,
}

impl<T: Float> Body for Keep<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        let Keep { x, y, mask, scale } = self;
        let keep = |x: T, m: u8| {
            let v = x * scale;
            if m != 0 { v } else { T::ZERO }
        };
        match x {
            Src::Slice(x) => {
                for ((y, &x), &m) in y.iter_mut().zip(x).zip(mask) {
                    *y = keep(x, m);
                }
            }
            Src::Out => {
                for (y, &m) in y.iter_mut().zip(mask) {
                    *y = keep(*y, m);
                }
            }
        }
    }
}
