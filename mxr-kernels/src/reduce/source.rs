//! Where the elements of a reduction come from: an array, or an expression evaluated as it is read.

use std::ops::Range;

use crate::element::Num;
use crate::isa::Isa;
use crate::map::{MapElement, Plan, Ranges, Src};
use crate::reduce::cpu::RUN;

/// Elements that several tasks read.
pub(crate) trait Source<T>: Sync {
    /// For one task.
    type Reader<'a>: Reader<T>
    where
        Self: 'a;

    fn reader(&self, isa: Isa) -> Self::Reader<'_>;
}

/// The elements for one task.
pub(crate) trait Reader<T> {
    /// Elements `at..at + len`, no more than [`RUN`]; those up to `ahead` after them will be asked for next, in runs as long.
    fn read(&mut self, at: usize, len: usize, ahead: usize) -> &[T];
}

impl<T: Num> Source<T> for [T] {
    type Reader<'a> = &'a [T];

    fn reader(&self, _: Isa) -> &[T] {
        self
    }
}

impl<T> Reader<T> for &[T] {
    #[inline(always)]
    fn read(&mut self, at: usize, len: usize, _: usize) -> &[T] {
        &self[at..at + len]
    }
}

/// The value of an expression.
pub(crate) struct Mapped<'a, T: Copy> {
    pub(crate) plan: &'a Plan,
    pub(crate) inputs: &'a [Src<'a, T>],
}

impl<T: MapElement> Source<T> for Mapped<'_, T> {
    type Reader<'a>
        = Window<'a, T>
    where
        Self: 'a;

    fn reader(&self, isa: Isa) -> Window<'_, T> {
        Window { ranges: Ranges::new(self.plan, isa, self.inputs), elements: [T::ZERO; RUN], have: 0..0 }
    }
}

/// What was evaluated last.
pub(crate) struct Window<'a, T: Copy> {
    ranges: Ranges<'a, T>,
    elements: [T; RUN],
    have: Range<usize>,
}

impl<T: MapElement> Reader<T> for Window<'_, T> {
    fn read(&mut self, at: usize, len: usize, ahead: usize) -> &[T] {
        if at < self.have.start || at + len > self.have.end {
            // Whole runs, so that the last is not evaluated again.
            let runs = (RUN / len.max(1)).clamp(1, 1 + ahead / len.max(1));
            self.have = at..at + runs * len;
            self.ranges.fill(at, &mut self.elements[..runs * len]);
        }
        let from = at - self.have.start;
        &self.elements[from..from + len]
    }
}
