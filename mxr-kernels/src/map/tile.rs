//! One tile: its inputs found or expanded, its steps run, or the function that does the same in one loop.

use std::mem::MaybeUninit;

use crate::isa::Isa;
use crate::map::cpu::{self, Task, Val};
use crate::map::function::Call;
use crate::map::plan::{Arg, Class, Op, Plan, SCRATCH};
use crate::map::{MapElement, Src};
use crate::stream;

/// Functions read at most this many inputs.
pub(crate) const FEW: usize = 16;

/// The stack memory of the registers of one thread.
#[repr(C, align(64))]
pub(crate) struct Registers {
    bytes: MaybeUninit<[u8; SCRATCH]>,
    ready: bool,
}

impl Registers {
    pub(crate) fn new() -> Registers {
        Registers { bytes: MaybeUninit::uninit(), ready: false }
    }
}

/// A plan with its inputs, ready to evaluate tiles.
pub(crate) struct Machine<'a, T: Copy> {
    plan: &'a Plan,
    isa: Isa,
    inputs: &'a [Src<'a, T>],
    function: Option<Call<T>>,
    registers: usize,
    /// Elements of a tile at most.
    pub(crate) tile: usize,
    /// Elements of a row; tiles end where rows do.
    pub(crate) inner: usize,
    /// The output goes past the caches.
    pub(crate) stream: bool,
}

impl<'a, T: MapElement> Machine<'a, T> {
    pub(crate) fn new(plan: &'a Plan, isa: Isa, inputs: &'a [Src<'a, T>], stream: bool) -> Machine<'a, T> {
        let function = plan.function.and_then(|f| f.call::<T>()).filter(|_| inputs.len() <= FEW);
        let registers = if function.is_some() { plan.fills + 1 } else { plan.registers };
        let tile = plan.tile(registers, size_of::<T>());
        let inner = if plan.rows { plan.dims[plan.rank - 1] } else { plan.len };
        Machine { plan, isa, inputs, function, registers, tile, inner, stream }
    }

    /// Initialises registers if any is used; before the first tile.
    pub(crate) fn prepare(&self, registers: &mut Registers) {
        let in_place = || self.inputs.iter().any(|i| matches!(i, Src::Out));
        if self.stream || self.registers > 1 || in_place() {
            let first = registers.bytes.as_mut_ptr().cast::<T>();
            // SAFETY: `Plan::tile` keeps registers · tile elements within SCRATCH bytes, and all-zero bytes are a
            // value of every element type, so from here on the registers are initialised.
            unsafe { first.write_bytes(0, self.registers * self.tile) };
            registers.ready = true;
        }
    }

    /// Evaluates elements `off..off + len` of `row` into `to`; `len` is a tile at most.
    ///
    /// # Safety
    /// `to` points to `len` initialised elements that nothing else refers to. `registers` are prepared by this machine.
    pub(crate) unsafe fn one(
        &self,
        registers: &mut Registers,
        row: usize,
        off: usize,
        len: usize,
        to: *mut T,
    ) {
        let plan = self.plan;
        let start = row * self.inner + off;
        debug_assert!(len <= self.tile && (registers.ready || self.registers == 1));
        let first = registers.bytes.as_mut_ptr().cast::<T>();
        // Registers lie `tile >= len` elements apart in initialised memory that this thread owns, and no step's operand
        // has the register of its result.
        // SAFETY: `r` is below self.registers, so the offset stays within the scratch memory.
        let register = |r: usize| unsafe { first.add(r * self.tile) };
        for (src, input) in self.inputs.iter().zip(&plan.inputs) {
            if let (Class::Fill(r), Src::Slice(x)) = (input.class, src) {
                // SAFETY: see `register`; nothing else refers to it now.
                let dst = unsafe { std::slice::from_raw_parts_mut(register(usize::from(r)), len) };
                expand(dst, x, &plan.dims[..plan.rank], &input.stride[..plan.rank], start);
            }
        }
        let operand = |n: usize, own: bool| {
            let input = &plan.inputs[n];
            match self.inputs[n] {
                Src::Out if own => Val::Own,
                // SAFETY: the elements belong to this tile, and the result goes to a register.
                Src::Out => Val::Slice(unsafe { std::slice::from_raw_parts(to, len) }),
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
                        Val::Slice(unsafe { std::slice::from_raw_parts(register(usize::from(r)), len) })
                    }
                },
            }
        };
        if let Some(function) = self.function {
            let mut list = [Val::Own; FEW];
            for (n, place) in list.iter_mut().enumerate().take(self.inputs.len()) {
                *place = operand(n, true);
            }
            let inputs = &list[..self.inputs.len()];
            // A streamed result has no operand in its memory.
            let dst = if self.stream { register(self.registers - 1) } else { to };
            // SAFETY: a register that is no operand's, or the tile's own elements, to which no slice of `inputs` refers.
            let dst = unsafe { std::slice::from_raw_parts_mut(dst, len) };
            function(self.isa, inputs, dst);
            if self.stream {
                // SAFETY: the tile's own elements; `dst` is the register.
                stream::copy(unsafe { std::slice::from_raw_parts_mut(to, len) }, dst);
            }
            return;
        }
        for step in &plan.steps {
            let value = |arg: Arg, own: bool| match arg {
                Arg::Const(c) => Val::Scalar(T::from_f64(c)),
                // SAFETY: see `register`.
                Arg::Reg(r) => Val::Slice(unsafe {
                    std::slice::from_raw_parts(register(plan.fills + usize::from(r)), len)
                }),
                Arg::In(n) => operand(usize::from(n), own),
            };
            let task = |own: bool| match step.op {
                Op::Copy(a) => Task::Copy(value(a, own)),
                Op::Un(f, a) => Task::Un(f, value(a, own)),
                Op::Bin(f, a, b) => Task::Bin(f, value(a, own), value(b, own)),
                Op::Select(c, a, b) => Task::Select(value(c, own), value(a, own), value(b, own)),
            };
            if let Some(r) = step.dst {
                // SAFETY: see `register`.
                let dst =
                    unsafe { std::slice::from_raw_parts_mut(register(plan.fills + usize::from(r)), len) };
                cpu::step(self.isa, task(false), dst);
                continue;
            }
            let in_place = task(true).own_first();
            if in_place.works_in_place() && !self.stream {
                // SAFETY: the elements belong to this tile; operands that are these elements are `Own`, so no slice of
                // `in_place` refers to them.
                let dst = unsafe { std::slice::from_raw_parts_mut(to, len) };
                cpu::step(self.isa, in_place, dst);
            } else {
                // SAFETY: the spare register is the last one and no operand's.
                let spare = unsafe { std::slice::from_raw_parts_mut(register(self.registers - 1), len) };
                cpu::step(self.isa, task(false), spare);
                // SAFETY: as above; the operands are no longer in use.
                let dst = unsafe { std::slice::from_raw_parts_mut(to, len) };
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
