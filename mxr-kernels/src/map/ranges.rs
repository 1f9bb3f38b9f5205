//! The value of an expression in runs of elements, for kernels that consume it in the first-level cache.

use crate::isa::Isa;
use crate::map::tile::{Machine, Registers};
use crate::map::{MapElement, Plan, Src};

/// An expression over its inputs, evaluated where it is asked for.
pub(crate) struct Ranges<'a, T: Copy> {
    machine: Machine<'a, T>,
    registers: Registers,
}

impl<'a, T: MapElement> Ranges<'a, T> {
    /// Inputs are slices of the lengths of the plan.
    pub(crate) fn new(plan: &'a Plan, isa: Isa, inputs: &'a [Src<'a, T>]) -> Ranges<'a, T> {
        debug_assert!(!inputs.iter().any(|i| matches!(i, Src::Out)));
        let mut ranges =
            Ranges { machine: Machine::new(plan, isa, inputs, false), registers: Registers::new() };
        ranges.machine.prepare(&mut ranges.registers);
        ranges
    }

    /// Elements `start..start + y.len()` of the value, counted row by row.
    pub(crate) fn fill(&mut self, start: usize, y: &mut [T]) {
        let (mut at, mut rest) = (start, y);
        while !rest.is_empty() {
            let (row, off) = (at / self.machine.inner, at % self.machine.inner);
            let len = rest.len().min(self.machine.tile).min(self.machine.inner - off);
            let (part, after) = rest.split_at_mut(len);
            // SAFETY: `part` is borrowed here alone; `new` has prepared the registers.
            unsafe { self.machine.one(&mut self.registers, row, off, len, part.as_mut_ptr()) };
            rest = after;
            at += len;
        }
    }
}
