//! Elementwise expressions over broadcast inputs.
//!
//! [`Plan::new`] compiles an expression once: dimensions are merged, inputs are classified (read in place, one element
//! for a whole tile, or expanded), values get registers by their life. [`Plan::run`] then evaluates it tile by tile:
//! every scalar operation is one vectorised loop over a tile that stays in the first-level cache, an operation that
//! reads an input or writes the output does so in place. Tiles are spread over the threads; nothing is allocated,
//! the registers live on the stack of the thread (at most 64 KiB).
//!
//! Float functions of `f32` are the ones of this module's own (each within a few ulp, see `math32`), those of `f64` are the
//! standard library's. A comparison gives 1 or 0. `Max` and `Min` give NaN when an operand is NaN. `Select` takes
//! one of its values; the other is never mixed in.

mod cpu;
mod element;
mod math32;
mod math64;
mod plan;
pub mod reference;
#[cfg(test)]
mod tests;

pub use element::MapElement;
pub(crate) use element::Ops;
pub use plan::Plan;

use std::mem::MaybeUninit;
use std::ops::Range;

use crate::isa::Isa;
use crate::par;
use crate::stream;
use cpu::{Task, Val};
use plan::{Arg, Class, Op, SCRATCH};

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
        assert_eq!(inputs.len(), self.inputs.len(), "number of inputs of the expression");
        assert_eq!(y.len(), self.len, "length of the output");
        for (n, (src, input)) in inputs.iter().zip(&self.inputs).enumerate() {
            match src {
                Src::Slice(x) => assert_eq!(x.len(), input.len, "length of input {n}"),
                Src::Out => assert!(input.whole, "input {n} broadcasts, it cannot be the output's buffer"),
            }
        }
        if self.len == 0 {
            return;
        }
        let size = size_of::<T>();
        let tile = self.tile(size);
        let inner = if self.rows { self.dims[self.rank - 1] } else { self.len };
        let per_row = inner.div_ceil(tile);
        let tiles = self.len / inner * per_row;
        let out = Out(y.as_mut_ptr());
        let stream = self.len * size >= stream::FROM && !inputs.iter().any(|i| matches!(i, Src::Out));
        let run = Run { plan: self, isa, inputs, out, tile, inner, per_row, stream };
        let grain = (BLOCK / tile.min(inner)).max(1);
        par::for_each_chunk(tiles, grain, |tiles| run.tiles(tiles));
    }
}

/// The output, written in disjoint tiles by several threads.
struct Out<T>(*mut T);
// SAFETY: every tile is handed to exactly one call of `Run::tile`, so no element is touched by two threads.
unsafe impl<T: Send> Sync for Out<T> {}

struct Run<'a, T> {
    plan: &'a Plan,
    isa: Isa,
    inputs: &'a [Src<'a, T>],
    out: Out<T>,
    tile: usize,
    inner: usize,
    per_row: usize,
    /// The output goes past the caches.
    stream: bool,
}

#[repr(C, align(64))]
struct Scratch(MaybeUninit<[u8; SCRATCH]>);

impl<T: MapElement> Run<'_, T> {
    fn tiles(&self, tiles: Range<usize>) {
        let mut scratch = Scratch(MaybeUninit::uninit());
        let registers = scratch.0.as_mut_ptr().cast::<T>();
        let used =
            self.stream || self.plan.registers > 1 || self.inputs.iter().any(|i| matches!(i, Src::Out));
        if used {
            // SAFETY: `Plan::tile` keeps registers · tile elements within SCRATCH bytes, and all-zero bytes are a
            // value of every element type, so from here on the registers are initialised.
            unsafe { registers.write_bytes(0, self.plan.registers * self.tile) };
        }
        for t in tiles {
            let (row, off) = (t / self.per_row, t % self.per_row * self.tile);
            let len = self.tile.min(self.inner - off);
            self.one(registers, row, off, len);
        }
        if self.stream {
            stream::fence();
        }
    }

    /// Evaluates elements `off..off + len` of `row`. `registers` points to initialised registers if any is used.
    fn one(&self, registers: *mut T, row: usize, off: usize, len: usize) {
        let plan = self.plan;
        let start = row * self.inner + off;
        // Registers lie `tile >= len` elements apart in initialised memory that this thread owns, and no step's operand
        // has the register of its result.
        // SAFETY: `r` is below plan.registers, so the offset stays within the scratch memory.
        let register = |r: u16| unsafe { registers.add(usize::from(r) * self.tile) };
        for (src, input) in self.inputs.iter().zip(&plan.inputs) {
            if let (Class::Fill(r), Src::Slice(x)) = (input.class, src) {
                // SAFETY: see `register`; nothing else refers to it now.
                let dst = unsafe { std::slice::from_raw_parts_mut(register(r), len) };
                expand(dst, x, &plan.dims[..plan.rank], &input.stride[..plan.rank], start);
            }
        }
        for step in &plan.steps {
            let value = |arg: Arg, own: bool| match arg {
                Arg::Const(c) => Val::Scalar(T::from_f64(c)),
                // SAFETY: see `register`.
                Arg::Reg(r) => Val::Slice(unsafe { std::slice::from_raw_parts(register(r), len) }),
                Arg::In(n) => {
                    let input = &plan.inputs[usize::from(n)];
                    match self.inputs[usize::from(n)] {
                        Src::Out if own => Val::Own,
                        Src::Out => {
                            // SAFETY: start..start + len belongs to this tile, and the step writes a register.
                            let own = unsafe { std::slice::from_raw_parts(self.out.0.add(start), len) };
                            Val::Slice(own)
                        }
                        Src::Slice(x) => match input.class {
                            Class::Direct if plan.rows => {
                                let at = self.row_offset(&input.stride, row) + off;
                                Val::Slice(&x[at..at + len])
                            }
                            Class::Direct => Val::Slice(&x[start..start + len]),
                            Class::Scalar if plan.rows => Val::Scalar(x[self.row_offset(&input.stride, row)]),
                            Class::Scalar => Val::Scalar(x[0]),
                            Class::Fill(r) => {
                                // SAFETY: see `register`; it was filled above.
                                let filled = unsafe { std::slice::from_raw_parts(register(r), len) };
                                Val::Slice(filled)
                            }
                        },
                    }
                }
            };
            let task = |own: bool| match step.op {
                Op::Copy(a) => Task::Copy(value(a, own)),
                Op::Un(f, a) => Task::Un(f, value(a, own)),
                Op::Bin(f, a, b) => Task::Bin(f, value(a, own), value(b, own)),
                Op::Select(c, a, b) => Task::Select(value(c, own), value(a, own), value(b, own)),
            };
            if let Some(r) = step.dst {
                // SAFETY: see `register`.
                let dst = unsafe { std::slice::from_raw_parts_mut(register(r), len) };
                cpu::step(self.isa, task(false), dst);
                continue;
            }
            let in_place = task(true).own_first();
            if in_place.works_in_place() && !self.stream {
                // SAFETY: start..start + len lies in the output and belongs to this tile; operands that are these
                // elements are `Own`, so no slice of `in_place` refers to them.
                let dst = unsafe { std::slice::from_raw_parts_mut(self.out.0.add(start), len) };
                cpu::step(self.isa, in_place, dst);
            } else {
                // SAFETY: the spare register is the last one and no operand's.
                let spare =
                    unsafe { std::slice::from_raw_parts_mut(register((plan.registers - 1) as u16), len) };
                cpu::step(self.isa, task(false), spare);
                // SAFETY: as above; the operands are no longer in use.
                let dst = unsafe { std::slice::from_raw_parts_mut(self.out.0.add(start), len) };
                if self.stream {
                    stream::copy(dst, spare);
                } else {
                    dst.copy_from_slice(spare);
                }
            }
        }
    }

    /// Where `row` begins in an input of these strides.
    fn row_offset(&self, stride: &[usize], row: usize) -> usize {
        let (mut rest, mut at) = (row, 0);
        for d in (0..self.plan.rank - 1).rev() {
            let extent = self.plan.dims[d];
            at += rest % extent * stride[d];
            rest /= extent;
        }
        at
    }
}

/// Elements `start..` of `x` broadcast to `dims`.
fn expand<T: Copy>(dst: &mut [T], x: &[T], dims: &[usize], stride: &[usize], start: usize) {
    let last = dims.len() - 1;
    let mut index = [0; mxr_graph::instr::MAX_RANK];
    let (mut rest, mut at) = (start, 0);
    for d in (0..dims.len()).rev() {
        index[d] = rest % dims[d];
        rest /= dims[d];
        at += index[d] * stride[d];
    }
    let mut done = 0;
    while done < dst.len() {
        let run = (dims[last] - index[last]).min(dst.len() - done);
        let part = &mut dst[done..done + run];
        // Broadcasting either repeats an input along the innermost axis or walks it element by element.
        if stride[last] == 0 {
            part.fill(x[at]);
        } else {
            part.copy_from_slice(&x[at..at + run]);
        }
        done += run;
        at += run * stride[last];
        index[last] += run;
        // Carry into the outer axes.
        let mut d = last;
        while index[d] == dims[d] && d > 0 {
            at -= dims[d] * stride[d];
            index[d] = 0;
            d -= 1;
            index[d] += 1;
            at += stride[d];
        }
    }
}
