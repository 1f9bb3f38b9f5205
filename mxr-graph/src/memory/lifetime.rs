//! From values to buffers: views and in-place results share one, and a buffer lives from its first value's step to its
//! last value's last reader.

use super::{InPlace, Problem};
use crate::program::Place;
use alloc::vec::Vec;

/// No buffer, no step.
pub(super) const NONE: u32 = u32::MAX;

/// The buffers of a problem.
pub(super) struct Buffers {
    /// Value to buffer; [`NONE`] for values that no step touches and no view of which exists.
    of: Vec<u32>,
    /// Buffer to the value whose size it has; of outside buffers, the value that owns the memory.
    pub(super) value: Vec<u32>,
    first: Vec<u32>,
    last: Vec<u32>,
    outside: Vec<bool>,
}

/// A buffer to find an offset for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) buffer: u32,
    pub(super) size: u64,
    pub(super) first: u32,
    pub(super) last: u32,
}

/// The last step that reads each value, or else the step that writes it; [`NONE`] when no step touches it.
pub(super) fn last_uses(problem: &Problem) -> Vec<u32> {
    let mut last = alloc::vec![NONE; problem.sizes.len()];
    for (t, step) in problem.steps.iter().enumerate() {
        for v in &step.reads {
            last[*v as usize] = t as u32;
        }
        for v in &step.writes {
            last[*v as usize] = t as u32;
        }
    }
    last
}

/// Decide about views and in-place results, in order of the steps. Values have the same size when their `keys` are equal.
pub(super) fn buffers(problem: &Problem, keys: &[u64]) -> Buffers {
    let count = problem.sizes.len();
    let last_use = last_uses(problem);
    let mut b = Buffers {
        of: alloc::vec![NONE; count],
        value: Vec::with_capacity(count),
        first: Vec::with_capacity(count),
        last: Vec::with_capacity(count),
        outside: Vec::with_capacity(count),
    };
    for (v, outside) in problem.outside.iter().enumerate() {
        if *outside {
            b.open(v as u32, 0, NONE - 1, true);
        }
    }
    for (t, step) in problem.steps.iter().enumerate() {
        let t = t as u32;
        if step.inplace == InPlace::View {
            b.view(step.reads[0], step.writes[0], t, &last_use, problem);
            for w in &step.writes[1..] {
                b.open(*w, t, last_use[*w as usize], problem.outside[*w as usize]);
            }
            continue;
        }
        for (r, w) in step.inplace.pairs(step.reads.len()) {
            let result = w;
            let (Some(w), r) = (step.writes.get(w), step.reads[r] as usize) else { continue };
            let (w, from) = (*w as usize, b.of[r]);
            if from == NONE || b.of[w] != NONE || keys[r] != keys[w] {
                continue;
            }
            let from = from as usize;
            let taken = step.writes.iter().any(|o| b.of[*o as usize] == from as u32);
            // Another operand in the same buffer (a view, the same value twice) must permit it, too.
            let mut others = step.reads.iter().enumerate().filter(|(_, o)| b.of[**o as usize] == from as u32);
            let permitted = others.all(|(o, _)| step.inplace.permits(o, result));
            if !b.outside[from] && b.last[from] == t && !taken && permitted {
                b.join(w as u32, from, last_use[w]);
            }
        }
        for w in &step.writes {
            if b.of[*w as usize] == NONE {
                b.open(*w, t, last_use[*w as usize], false);
            }
        }
    }
    b
}

impl Buffers {
    fn open(&mut self, value: u32, first: u32, last: u32, outside: bool) {
        if self.of[value as usize] != NONE {
            return;
        }
        self.of[value as usize] = self.value.len() as u32;
        self.value.push(value);
        self.first.push(first);
        self.last.push(last);
        self.outside.push(outside);
    }

    fn join(&mut self, value: u32, buffer: usize, last: u32) {
        self.of[value as usize] = buffer as u32;
        self.last[buffer] = self.last[buffer].max(last);
    }

    /// `to` becomes the same bytes as `from`, unless both have memory of their own outside: then the step copies.
    fn view(&mut self, from: u32, to: u32, t: u32, last_use: &[u32], problem: &Problem) {
        let source = self.of[from as usize];
        if problem.outside[to as usize] {
            let own = self.of[to as usize];
            if source != NONE && !self.outside[source as usize] {
                // What was written into the arena so far is written into the outside value instead.
                for of in &mut self.of {
                    if *of == source {
                        *of = own;
                    }
                }
                self.outside[source as usize] = true;
            }
        } else if source == NONE {
            self.open(to, t, last_use[to as usize], false);
        } else {
            self.join(to, source as usize, last_use[to as usize]);
        }
    }

    /// The buffers that need bytes of the arena, with their sizes.
    pub(super) fn items(&self, sizes: &[u64]) -> Vec<Item> {
        (0..self.value.len())
            .filter(|b| !self.outside[*b] && sizes[*b] > 0)
            .map(|b| Item { buffer: b as u32, size: sizes[b], first: self.first[b], last: self.last[b] })
            .collect()
    }

    /// The place of every value, given those of the buffers in the arena.
    pub(super) fn places(&self, arena: impl Fn(usize) -> Place) -> Vec<Place> {
        let place = |(v, b): (usize, &u32)| match *b {
            NONE => Place::Outside,
            b if !self.outside[b as usize] => arena(b as usize),
            b if self.value[b as usize] == v as u32 => Place::Outside,
            b => Place::Same(self.value[b as usize]),
        };
        self.of.iter().enumerate().map(place).collect()
    }
}
