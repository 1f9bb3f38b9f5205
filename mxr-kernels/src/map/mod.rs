//! Elementwise expressions over broadcast inputs.
//!
//! [`Plan::new`] compiles an expression once: dimensions are merged, inputs are classified (read in place, one element
//! for a whole tile, or expanded), values get registers by their life. [`Plan::run`] then evaluates it tile by tile:
//! every scalar operation is one vectorised loop over a tile that stays in the first-level cache, an operation that
//! reads an input or writes the output does so in place. Tiles are spread over the threads; nothing is allocated,
//! the registers live on the stack of the thread (at most 64 KiB). Where the expression was also compiled as a
//! [`Function`], one loop takes the place of the loops per operation, with the same bits.
//!
//! Float functions of `f32` are the ones of this module's own (each within a few ulp, see `math32`), those of `f64` are the
//! standard library's. A comparison gives 1 or 0. `Max` and `Min` give NaN when an operand is NaN. `Select` takes
//! one of its values; the other is never mixed in.

mod cpu;
mod element;
pub mod function;
mod math32;
mod math64;
mod plan;
mod ranges;
pub mod reference;
#[cfg(test)]
mod tests;
mod tile;

pub use element::MapElement;
pub(crate) use element::Ops;
pub use function::Function;
pub use plan::Plan;
pub(crate) use ranges::Ranges;

use std::ops::Range;

use crate::isa::Isa;
use crate::par;
use crate::stream;
use tile::{Machine, Registers};

/// An input of a kernel that may work in place.
#[derive(Clone, Copy, Debug)]
pub enum Src<'a, T> {
    /// Memory of its own.
    Slice(&'a [T]),
    /// The elements that the output's buffer holds before the call.
    Out,
}

/// Elements of a block, the unit of parallel work.
const BLOCK: usize = 32 * 1024;

impl Plan {
    /// Computes `y` from the inputs, in the order of the expression's input numbers.
    ///
    /// # Panics
    /// If the number or the lengths of the inputs or of `y` are not those of the plan, or if an input that is the
    /// output's buffer does not have the output's shape.
    pub fn run<T: MapElement>(&self, inputs: &[Src<'_, T>], y: &mut [T]) {
        self.run_on(Isa::detect(), inputs, y);
    }

    /// [`run`](Plan::run) with a chosen instruction set.
    ///
    /// # Panics
    /// As [`run`](Plan::run).
    pub fn run_on<T: MapElement>(&self, isa: Isa, inputs: &[Src<'_, T>], y: &mut [T]) {
        self.check(inputs);
        assert_eq!(y.len(), self.len, "length of the output");
        if self.len == 0 {
            return;
        }
        let in_place = inputs.iter().any(|i| matches!(i, Src::Out));
        let stream = self.len * size_of::<T>() >= stream::FROM && !in_place;
        let machine = Machine::new(self, isa, inputs, stream);
        let (tile, inner) = (machine.tile, machine.inner);
        let per_row = inner.div_ceil(tile);
        let tiles = self.len / inner * per_row;
        let run = Run { machine, out: Out(y.as_mut_ptr()), per_row };
        let grain = (BLOCK / tile.min(inner)).max(1);
        par::for_each_chunk(tiles, grain, |tiles| run.tiles(tiles));
    }

    /// Holds the inputs against the plan.
    pub(crate) fn check<T>(&self, inputs: &[Src<'_, T>]) {
        assert_eq!(inputs.len(), self.inputs.len(), "number of inputs of the expression");
        for (n, (src, input)) in inputs.iter().zip(&self.inputs).enumerate() {
            match src {
                Src::Slice(x) => assert_eq!(x.len(), input.len, "length of input {n}"),
                Src::Out => assert!(input.whole, "input {n} broadcasts, it cannot be the output's buffer"),
            }
        }
    }
}

/// The output, written in disjoint tiles by several threads.
struct Out<T>(*mut T);
// SAFETY: every tile is handed to exactly one call of `Run::tiles`, so no element is touched by two threads.
unsafe impl<T: Send> Sync for Out<T> {}

struct Run<'a, T: Copy> {
    machine: Machine<'a, T>,
    out: Out<T>,
    per_row: usize,
}

impl<T: MapElement> Run<'_, T> {
    fn tiles(&self, tiles: Range<usize>) {
        let machine = &self.machine;
        let mut registers = Registers::new();
        machine.prepare(&mut registers);
        for t in tiles {
            let (row, off) = (t / self.per_row, t % self.per_row * machine.tile);
            let len = machine.tile.min(machine.inner - off);
            // SAFETY: the elements of this tile lie in the output and belong to it alone.
            unsafe { machine.one(&mut registers, row, off, len, self.out.0.add(row * machine.inner + off)) };
        }
        if machine.stream {
            stream::fence();
        }
    }
}
