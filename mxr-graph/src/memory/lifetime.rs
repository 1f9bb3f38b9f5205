//! From values to buffers: views, parts and in-place results share one, and a buffer lives from its first value's step to its
//! last value's last reader.

use super::{InPlace, Problem};
use crate::program::Place;
use alloc::vec::Vec;

/// No buffer, no step, no value.
pub(super) const NONE: u32 = u32::MAX;

/// A part may keep the array that it is a part of alive for this many steps more; after that it is copied.
const PATIENCE: u32 = 16;

/// What the decisions are made from.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) problem: &'a Problem,
    /// Values have the same size when their keys are equal.
    pub(super) keys: &'a [u64],
    /// Keys are bytes, so that it can be seen which parts of a buffer overlap.
    pub(super) bytes: bool,
    /// Parts of arrays are no copies.
    pub(super) parts: bool,
}

/// The buffers of a problem.
pub(super) struct Buffers {
    /// Value to buffer; [`NONE`] for values that no step touches and no view of which exists.
    of: Vec<u32>,
    /// Value to the byte of its buffer at which it begins.
    at: Vec<u64>,
    /// Value to the next value of its buffer.
    next: Vec<u32>,
    /// Buffer to the value whose size it has; of outside buffers, the value that owns the memory.
    pub(super) value: Vec<u32>,
    /// Buffer to the first of its values.
    head: Vec<u32>,
    first: Vec<u32>,
    last: Vec<u32>,
    outside: Vec<bool>,
    /// Whether values lie in a buffer that are not all of it.
    parted: Vec<bool>,
}

/// A buffer to find an offset for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) buffer: u32,
    pub(super) size: u64,
    pub(super) first: u32,
    pub(super) last: u32,
}

impl Item {
    /// Steps that it lives for.
    pub(super) fn life(&self) -> u32 {
        self.last - self.first + 1
    }
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

/// Decide about views, parts and in-place results, in order of the steps.
pub(super) fn buffers(rules: Rules<'_>) -> Buffers {
    let problem = rules.problem;
    let count = problem.sizes.len();
    let last_use = last_uses(problem);
    let mut b = Buffers {
        of: alloc::vec![NONE; count],
        at: alloc::vec![0; count],
        next: alloc::vec![NONE; count],
        value: Vec::with_capacity(count),
        head: Vec::with_capacity(count),
        first: Vec::with_capacity(count),
        last: Vec::with_capacity(count),
        outside: Vec::with_capacity(count),
        parted: Vec::with_capacity(count),
    };
    for (v, outside) in problem.outside.iter().enumerate() {
        if *outside {
            b.open(v as u32, 0, NONE - 1, true);
        }
    }
    for (t, step) in problem.steps.iter().enumerate() {
        let t = t as u32;
        match step.inplace {
            InPlace::View => b.view(step.reads[0], step.writes[0], t, &last_use, problem),
            InPlace::Part(begin) if rules.parts => {
                b.part(rules, step.reads[0], step.writes[0], begin, t, &last_use);
            }
            InPlace::Concat if rules.parts => {
                b.concat(rules, &step.reads, step.writes[0], t, &last_use);
            }
            _ => {
                for (r, w) in step.inplace.pairs(step.reads.len()) {
                    if w < step.writes.len() {
                        b.over(rules, t, r, w, &last_use);
                    }
                }
            }
        }
        for w in &step.writes {
            b.open(*w, t, last_use[*w as usize], false);
        }
    }
    if !rules.bytes {
        b.at.fill(0);
    }
    b
}

impl Buffers {
    fn open(&mut self, value: u32, first: u32, last: u32, outside: bool) {
        if self.of[value as usize] != NONE {
            return;
        }
        self.value.push(value);
        self.head.push(NONE);
        self.first.push(first);
        self.last.push(last);
        self.outside.push(outside);
        self.parted.push(false);
        self.put(value, self.value.len() - 1, 0);
    }

    fn put(&mut self, value: u32, buffer: usize, at: u64) {
        let v = value as usize;
        (self.of[v], self.at[v], self.next[v]) = (buffer as u32, at, self.head[buffer]);
        self.head[buffer] = value;
    }

    fn join(&mut self, value: u32, buffer: usize, at: u64, last: u32) {
        self.put(value, buffer, at);
        self.last[buffer] = self.last[buffer].max(last);
    }

    fn members(&self, buffer: usize) -> impl Iterator<Item = usize> {
        let start = self.head[buffer];
        let next = |v: &u32| Some(self.next[*v as usize]).filter(|n| *n != NONE);
        core::iter::successors((start != NONE).then_some(start), next).map(|v| v as usize)
    }

    /// Everything that is in one buffer lies in another from now on.
    fn adopt(&mut self, from: usize, into: usize, at: u64) {
        let mut v = core::mem::replace(&mut self.head[from], NONE);
        while v != NONE {
            let next = self.next[v as usize];
            self.put(v, into, self.at[v as usize].wrapping_add(at));
            v = next;
        }
        self.first[into] = self.first[into].min(self.first[from]);
        self.last[into] = self.last[into].max(self.last[from]);
        self.parted[into] |= self.parted[from];
        // Nothing is left that needs a place.
        self.outside[from] = true;
    }

    /// Whether a value is all of its buffer.
    fn whole(&self, rules: Rules<'_>, value: usize) -> bool {
        let b = self.of[value] as usize;
        self.at[value] == 0 && rules.keys[value] == rules.keys[self.value[b] as usize]
    }

    /// Whether an outside value's memory holds nothing else, and what is made from step `first` on may be written into it at
    /// step `t`: what the user keeps of one pass is not disturbed by the other.
    fn free(&self, problem: &Problem, outside: u32, first: u32, t: u32) -> bool {
        let own = self.of[outside as usize] as usize;
        let alone = self.head[own] == outside && self.next[outside as usize] == NONE;
        let backward = |t: u32| t >= problem.boundary;
        alone && backward(first) == backward(t)
    }

    /// `to` becomes the same bytes as `from`, unless both have memory of their own outside: then the step copies.
    fn view(&mut self, from: u32, to: u32, t: u32, last_use: &[u32], problem: &Problem) {
        let source = self.of[from as usize];
        if !problem.outside[to as usize] {
            match source {
                NONE => self.open(to, t, last_use[to as usize], false),
                b => self.join(to, b as usize, self.at[from as usize], last_use[to as usize]),
            }
            return;
        }
        if source == NONE || self.outside[source as usize] {
            return;
        }
        let b = source as usize;
        let all = self.at[from as usize] == 0
            && problem.sizes[from as usize] == problem.sizes[self.value[b] as usize];
        if all && self.free(problem, to, self.first[b], t) {
            // What was written into the arena so far is written into the outside value instead.
            self.adopt(b, self.of[to as usize] as usize, 0);
        }
    }

    /// `to` lies inside of `from`.
    fn part(&mut self, rules: Rules<'_>, from: u32, to: u32, begin: u64, t: u32, last_use: &[u32]) {
        let source = self.of[from as usize];
        let last = last_use[to as usize];
        if rules.problem.outside[to as usize] || source == NONE {
            return;
        }
        let b = source as usize;
        // What a user gives may change between the passes.
        let crosses = self.outside[b] && (t < rules.problem.boundary) != (last < rules.problem.boundary);
        if crosses || last > self.last[b].max(t).saturating_add(PATIENCE) {
            return;
        }
        self.parted[b] = true;
        self.join(to, b, self.at[from as usize].wrapping_add(begin), last);
    }

    /// The operands lie one after the other in `to`, if every one of them is all of a buffer.
    fn concat(&mut self, rules: Rules<'_>, operands: &[u32], to: u32, t: u32, last_use: &[u32]) {
        let problem = rules.problem;
        let whole = operands.iter().enumerate().all(|(i, r)| {
            let b = self.of[*r as usize];
            b != NONE
                && !self.outside[b as usize]
                && self.whole(rules, *r as usize)
                && !operands[..i].iter().any(|o| self.of[*o as usize] == b)
                && (!problem.outside[to as usize] || self.free(problem, to, self.first[b as usize], t))
        });
        if !whole {
            return;
        }
        self.open(to, t, last_use[to as usize], false);
        let into = self.of[to as usize] as usize;
        let mut at = 0;
        for r in operands {
            self.adopt(self.of[*r as usize] as usize, into, at);
            // Keys that are no bytes are never used as offsets.
            at = at.wrapping_add(rules.keys[*r as usize]);
        }
        self.parted[into] = true;
    }

    /// Result `w` of step `t` overwrites operand `r` where nobody needs that any more.
    fn over(&mut self, rules: Rules<'_>, t: u32, r: usize, w: usize, last_use: &[u32]) {
        let (problem, step) = (rules.problem, &rules.problem.steps[t as usize]);
        let (operand, result) = (step.reads[r] as usize, step.writes[w] as usize);
        let b = self.of[operand];
        if b == NONE || self.outside[b as usize] || rules.keys[operand] != rules.keys[result] {
            return;
        }
        let b = b as usize;
        let begin = self.at[operand];
        let end = begin.saturating_add(rules.keys[operand]);
        let parts = rules.bytes && self.parted[b];
        let touches = |v: usize| {
            self.of[v] == b as u32 && (!parts || self.at[v] < end && begin < self.at[v] + rules.keys[v])
        };
        let last = match parts {
            true => self.members(b).filter(|m| touches(*m)).map(|m| last_use[m]).max().unwrap_or(t),
            false => self.last[b],
        };
        // The values that lie there are as large, unless it is the whole buffer of parts that overlap.
        if last != t || !rules.bytes && self.parted[b] {
            return;
        }
        let taken = step.writes.iter().any(|o| touches(*o as usize));
        // Another operand in the same bytes (a view, the same value twice) must permit it, too; one that only overlaps cannot.
        let same = |o: usize| self.at[o] == begin && rules.keys[o] == rules.keys[operand];
        let mut others = step.reads.iter().enumerate().filter(|(_, o)| touches(**o as usize));
        if taken || !others.all(|(o, v)| same(*v as usize) && step.inplace.permits(o, w)) {
            return;
        }
        if !problem.outside[result] {
            if self.of[result] == NONE {
                self.join(result as u32, b, begin, last_use[result]);
            }
        } else if self.whole(rules, operand) && self.free(problem, result as u32, self.first[b], t) {
            self.adopt(b, self.of[result] as usize, 0);
        }
    }

    /// The buffers that need bytes of the arena, with their sizes.
    pub(super) fn items(&self, sizes: &[u64]) -> Vec<Item> {
        (0..self.value.len())
            .filter(|b| !self.outside[*b] && sizes[*b] > 0)
            .map(|b| Item { buffer: b as u32, size: sizes[b], first: self.first[b], last: self.last[b] })
            .collect()
    }

    /// Whether any value lies in a buffer that it does not fill.
    pub(super) fn has_parts(&self) -> bool {
        self.parted.contains(&true)
    }

    /// The place of every value, given those of the buffers in the arena.
    pub(super) fn places(&self, arena: impl Fn(usize) -> Place) -> Vec<Place> {
        let place = |(v, b): (usize, &u32)| match *b {
            NONE => Place::Outside,
            b if !self.outside[b as usize] => match arena(b as usize) {
                Place::Fixed(start) => Place::Fixed(start + self.at[v]),
                other => other,
            },
            b if self.value[b as usize] == v as u32 => Place::Outside,
            b => Place::Within(self.value[b as usize], self.at[v]),
        };
        self.of.iter().enumerate().map(place).collect()
    }
}
