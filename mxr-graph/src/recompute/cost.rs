//! What steps cost: floating-point operations of products and convolutions, bytes that everything else moves.

use crate::instr::Instr;
use crate::program::{Program, Step};
use alloc::vec::Vec;
use core::ops::{Add, AddAssign};

/// Work that takes the time of moving one byte, about: what a core's arithmetic is to its share of the memory's bandwidth.
const FLOPS_PER_BYTE: u64 = 8;

/// Work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Floating-point operations of products and convolutions, 2 per multiply-add.
    pub flops: u64,
    /// Bytes that are read and written.
    pub bytes: u64,
}

impl Cost {
    /// One number for both, in floating-point operations.
    pub fn work(self) -> u64 {
        self.flops + self.bytes * FLOPS_PER_BYTE
    }
}

impl Add for Cost {
    type Output = Cost;
    fn add(self, other: Cost) -> Cost {
        Cost { flops: self.flops + other.flops, bytes: self.bytes + other.bytes }
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Cost) {
        *self = *self + other;
    }
}

/// Sizes of a program's values with its symbols bound.
pub(super) struct Sizes {
    /// In bytes.
    pub(super) bytes: Vec<u64>,
    elements: Vec<u64>,
    /// The first extent and the last two, for the operands of products.
    extents: Vec<[u64; 3]>,
}

impl Sizes {
    pub(super) fn new(program: &Program, symbols: &[i64]) -> Sizes {
        let bytes = program.sizes(symbols);
        let elements = program.values.iter().zip(&bytes).map(|(v, b)| b / v.dtype.size() as u64);
        let extent = |v: u32| {
            let all = program.extents(v, symbols);
            let last = |back: usize| all.len().checked_sub(back).map_or(1, |at| all[at] as u64);
            [all.first().map_or(1, |n| *n as u64), last(2), last(1)]
        };
        Sizes {
            elements: elements.collect(),
            extents: (0..program.values.len() as u32).map(extent).collect(),
            bytes,
        }
    }

    /// What a step costs whose operands and results have the sizes of these values.
    pub(super) fn cost(&self, step: &Step, original: impl Fn(u32) -> u32) -> Cost {
        let value = |list: &[u32], at: usize| original(list[at]) as usize;
        let (reads, writes) = (&step.reads, &step.writes);
        // A tap of a filter is multiplied once for every element of the image that it makes, or is made of.
        let taps = |filters: usize, image: usize| {
            let per_element = self.elements[filters] / self.extents[filters][0].max(1);
            2 * self.elements[image] * per_element
        };
        let flops = match &step.instr {
            Instr::View => return Cost::default(),
            Instr::MatMul { trans_a, .. } => {
                let a = self.extents[value(reads, 0)];
                2 * self.elements[value(writes, 0)] * a[if *trans_a { 1 } else { 2 }]
            }
            Instr::Conv2d(..) => taps(value(reads, 1), value(writes, 0)),
            Instr::Conv2dBackwardData(..) => taps(value(reads, 1), value(reads, 0)),
            Instr::Conv2dBackwardWeight(_) => taps(value(writes, 0), value(reads, 1)),
            _ => 0,
        };
        let moved = reads.iter().chain(writes.iter()).map(|v| self.bytes[original(*v) as usize]).sum();
        Cost { flops, bytes: moved }
    }
}
