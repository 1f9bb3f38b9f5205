//! Dropout in tiles: random bits, the product and the mask while all are in the cache.

use crate::bits::{Cut, pack_all};
use crate::dropout::scale;
use crate::element::Float;
use crate::isa::Isa;
use crate::level::{self, Body, Level};
use crate::map::Src;
use crate::random::{Bits, Key, limit};

/// Elements of a tile, a multiple of what a byte holds and of what random blocks come in.
const TILE: usize = 1024;

pub(crate) fn forward<T: Float>(
    isa: Isa,
    p: f32,
    key: Key,
    row: usize,
    x: Src<'_, T>,
    y: &mut [T],
    mask: &mut [u8],
) {
    let cut = Cut::new(row);
    let draw = Draw { key, limit: limit(1.0 - f64::from(p)) };
    cut.both(y, mask, |first, y, mask| {
        let x = part(x, first, y.len());
        level::run(isa, Forward { cut, draw, first, x, y, mask, scale: scale(p) });
    });
}

pub(crate) fn backward<T: Float>(isa: Isa, p: f32, row: usize, dy: Src<'_, T>, mask: &[u8], dx: &mut [T]) {
    let cut = Cut::new(row);
    cut.read(dx, mask, |first, dx, mask| {
        level::run(isa, Backward { cut, x: part(dy, first, dx.len()), y: dx, mask, scale: scale(p) });
    });
}

fn part<T>(x: Src<'_, T>, first: usize, len: usize) -> Src<'_, T> {
    match x {
        Src::Slice(x) => Src::Slice(&x[first..first + len]),
        Src::Out => Src::Out,
    }
}

/// What decides which elements stay.
#[derive(Clone, Copy)]
struct Draw {
    key: Key,
    limit: u64,
}

struct Forward<'a, T> {
    cut: Cut,
    draw: Draw,
    first: usize,
    x: Src<'a, T>,
    y: &'a mut [T],
    mask: &'a mut [u8],
    scale: T,
}

impl<T: Float> Body for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        let Forward { cut, draw: Draw { key, limit }, first, x, y, mask, scale } = self;
        let mut flags = [0u8; TILE + 4];
        let (mut at, mut byte) = (0, 0);
        while at < y.len() {
            let (row, bytes) = cut.row(y.len() - at);
            let mask = &mut mask[byte..byte + bytes];
            for (tile, mask) in mask.chunks_mut(TILE / 8).enumerate() {
                let begin = at + tile * TILE;
                let len = TILE.min(at + row - begin);
                // Random numbers come in fours.
                let (block, skip) = ((first + begin) / 4, (first + begin) % 4);
                let made = &mut flags[..skip + len];
                Bits { key, limit, first: block as u64, y: made }.run::<L>();
                let flags = &flags[skip..skip + len];
                let y = &mut y[begin..begin + len];
                let keep = |x: T, m: u8| {
                    let v = x * scale;
                    if m != 0 { v } else { T::ZERO }
                };
                match x {
                    Src::Slice(x) => {
                        for ((y, &x), &m) in y.iter_mut().zip(&x[begin..begin + len]).zip(flags) {
                            *y = keep(x, m);
                        }
                    }
                    Src::Out => {
                        for (y, &m) in y.iter_mut().zip(flags) {
                            *y = keep(*y, m);
                        }
                    }
                }
                pack_all(flags, mask);
            }
            (at, byte) = (at + row, byte + bytes);
        }
    }
}

struct Backward<'a, T> {
    cut: Cut,
    x: Src<'a, T>,
    y: &'a mut [T],
    mask: &'a [u8],
    scale: T,
}

impl<T: Float> Body for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        let Backward { cut, x, y, mask, scale } = self;
        let (mut at, mut byte) = (0, 0);
        while at < y.len() {
            let (row, bytes) = cut.row(y.len() - at);
            let (mask, y) = (&mask[byte..byte + bytes], &mut y[at..at + row]);
            match x {
                Src::Slice(x) => {
                    for ((y, x), &m) in y.chunks_mut(8).zip(x[at..at + row].chunks(8)).zip(mask) {
                        y.copy_from_slice(x);
                        keep_eight(y, m, scale);
                    }
                }
                Src::Out => {
                    for (y, &m) in y.chunks_mut(8).zip(mask) {
                        keep_eight(y, m, scale);
                    }
                }
            }
            (at, byte) = (at + row, byte + bytes);
        }
    }
}

/// Up to eight elements by the bits of a byte.
#[inline(always)]
fn keep_eight<T: Float>(y: &mut [T], mask: u8, scale: T) {
    let keep = |j: usize, y: T| {
        let v = y * scale;
        if u32::from(mask) & 1 << j != 0 { v } else { T::ZERO }
    };
    if let Ok(eight) = <&mut [T; 8]>::try_from(&mut *y) {
        for (j, y) in eight.iter_mut().enumerate() {
            *y = keep(j, *y);
        }
    } else {
        for (j, y) in y.iter_mut().enumerate() {
            *y = keep(j, *y);
        }
    }
}
