//! Panels of 32-bit elements, made of numbers of 16 bits on their way through a little memory on the stack.

use std::marker::PhantomData;
use std::ops::Range;

use super::{Form, Tiles};
use crate::gemm::driver::{Lhs, Rhs, Tiled};
use crate::gemm::micro::{Registers, Rows, TileFn};
use crate::gemm::pack;
use crate::simd::vector::MAX_LANES;

/// Elements along `k` of a line that are on their way at once.
const DEPTH: usize = 64;

/// The most lines of a panel: two registers.
const WIDTH: usize = 2 * MAX_LANES;

/// The most lines that are packed at once.
const LINES: usize =
    if <f32 as Tiled>::NC > <f32 as Tiled>::MC { <f32 as Tiled>::NC } else { <f32 as Tiled>::MC };

/// A row-major operand. Its lines are the rows of A or the columns of B.
pub(super) struct Operand<'a, T, F> {
    data: &'a [T],
    ld: usize,
    /// A line lies in one piece; otherwise, lines lie side by side.
    along: bool,
    /// Numbers of a line.
    k: usize,
    form: PhantomData<F>,
}

/// The lines of a panel and where it begins.
struct Panel {
    line: usize,
    width: usize,
    /// Elements from one step of `k` to the next.
    stride: usize,
    at: usize,
}

impl<'a, T: Copy, F: Form<T>> Operand<'a, T, F> {
    pub(super) fn new(data: &'a [T], ld: usize, along: bool, k: usize) -> Self {
        Operand { data, ld, along, k, form: PhantomData }
    }

    /// Writes panels, which follow each other along the lines, for `ks` elements along `k`.
    ///
    /// # Safety
    ///
    /// Runs below the entry of `V`'s instruction set; `to` is valid for the writes of all panels.
    #[inline(always)]
    unsafe fn pack<V: Registers<Elem = f32>>(
        &self,
        ks: Range<usize>,
        panels: impl Iterator<Item = Panel> + Clone,
        to: *mut f32,
    ) {
        if self.along {
            let mut lines = [[0.0; DEPTH]; WIDTH];
            for Panel { line, width, stride, at } in panels {
                for first in ks.clone().step_by(DEPTH) {
                    let len = DEPTH.min(ks.end - first);
                    let numbers = first * F::DEPTH..self.k.min((first + len) * F::DEPTH);
                    for (i, to) in lines[..width].iter_mut().enumerate() {
                        let start = (line + i) * self.ld;
                        F::along(&self.data[start + numbers.start..start + numbers.end], &mut to[..len]);
                    }
                    // SAFETY: lines on their way are `len` long; the panel has room by the caller's contract.
                    unsafe {
                        let to = to.add(at + (first - ks.start) * stride);
                        pack::transposed::<V>(width, len, |i| lines[i].as_ptr(), to, stride);
                    }
                }
            }
            return;
        }
        let first = panels.clone().map(|p| p.line).min().unwrap_or(0);
        let end = panels.clone().map(|p| p.line + p.width).max().unwrap_or(0);
        let mut steps = [0.0; LINES];
        let steps = &mut steps[..end - first];
        for (step, element) in ks.enumerate() {
            let row = |k: usize| &self.data[k * self.ld + first..k * self.ld + end];
            let k = element * F::DEPTH;
            let second = (F::DEPTH > 1 && k + 1 < self.k).then(|| row(k + 1));
            F::across(row(k), second, steps);
            for Panel { line, width, stride, at } in panels.clone() {
                // SAFETY: all lines of the panels are in `steps`; the panel has room by the caller's contract.
                unsafe {
                    let (from, to) = (steps.as_ptr().add(line - first), to.add(at + step * stride));
                    pack::copied::<V>(width, 1, from, width, to, stride);
                }
            }
        }
    }
}

impl<T: Copy + Send + Sync, V: Registers<Elem = f32>, F: Form<T> + Tiles<V>> Lhs<V> for Operand<'_, T, F> {
    const PACKED: bool = false;

    #[inline(always)]
    fn tiles(&self) -> &'static [[TileFn<f32>; 2]] {
        F::TILES
    }

    #[inline(always)]
    unsafe fn pack(&self, rows: &Rows, panels: Range<usize>, ks: Range<usize>, to: *mut f32) {
        let first = rows.start(panels.start);
        let panels = panels.map(|p| Panel {
            line: rows.start(p),
            width: rows.height(p),
            stride: rows.height(p),
            at: (rows.start(p) - first) * ks.len(),
        });
        // SAFETY: `to` has room for all rows of the panels, by the caller's contract.
        unsafe { self.pack::<V>(ks.clone(), panels, to) }
    }

    #[inline(always)]
    unsafe fn panel(
        &self,
        rows: &Rows,
        first: usize,
        p: usize,
        ks: &Range<usize>,
        packed: *const f32,
    ) -> *const f32 {
        packed.wrapping_add((rows.start(p) - rows.start(first)) * ks.len())
    }
}

impl<T: Copy + Send + Sync, V: Registers<Elem = f32>, F: Form<T> + Tiles<V>> Rhs<V> for Operand<'_, T, F> {
    #[inline(always)]
    unsafe fn pack(&self, ks: Range<usize>, cols: Range<usize>, to: *mut f32) {
        let panels = cols.clone().step_by(V::COLS).map(|col| Panel {
            line: col,
            width: V::COLS.min(cols.end - col),
            stride: V::COLS,
            at: (col - cols.start) * ks.len(),
        });
        // SAFETY: `to` has room for whole panels, by the caller's contract.
        unsafe {
            self.pack::<V>(ks.clone(), panels.clone(), to);
            for Panel { width, at, .. } in panels {
                pack::zeroed(to.add(at), ks.len(), V::COLS, width, V::COLS);
            }
        }
    }
}
