//! The rewriting itself: steps whose results are not kept run once more, in the backward part, right before their first
//! reader there.

use super::again::{Again, From};
use super::cost::{Cost, Sizes};
use crate::instr::Instr;
use crate::memory::{self, Access, InPlace, Problem};
use crate::program::{Program, Step};
use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

/// No step, no value.
pub(super) const NONE: u32 = u32::MAX;

/// What the rewriting has to know of a program.
pub(super) struct Outline<'a> {
    pub(super) program: &'a Program,
    outside: Vec<bool>,
    /// Which results of its steps may lie where operands lie.
    inplace: Vec<InPlace>,
    /// Forward step that makes a value.
    pub(super) maker: Vec<u32>,
    /// Whether a value can be made again.
    pub(super) free: Vec<bool>,
    /// The value whose bytes it is, for views.
    pub(super) root: Vec<u32>,
}

/// A program's steps with some made again.
pub(super) struct Rewritten {
    pub(super) steps: Vec<Step>,
    /// The steps of the program that they are, or are copies of.
    origin: Vec<u32>,
    pub(super) forward: usize,
    /// What the new values are copies of; they are numbered after those of the program.
    pub(super) copies: Vec<u32>,
    /// The steps that run again, by their places in `steps`.
    pub(super) again: Vec<usize>,
    /// Forward steps that are gone, as they run in the backward part alone.
    pub(super) moved: Vec<usize>,
}

impl<'a> Outline<'a> {
    /// Where parts of arrays begin is known when the `symbols` are given.
    pub(super) fn new(program: &'a Program, symbols: Option<&[i64]>) -> Outline<'a> {
        let count = program.values.len();
        let outside = program.outside();
        let (mut maker, mut free) = (alloc::vec![NONE; count], alloc::vec![false; count]);
        let mut root: Vec<u32> = (0..count as u32).collect();
        let mut changes = alloc::vec![false; count];
        for s in program.steps.iter() {
            for m in s.instr.mutates() {
                changes[s.reads[*m] as usize] = true;
            }
        }
        for (at, s) in program.steps[..program.forward as usize].iter().enumerate() {
            let whole = match s.instr.again() {
                Again::Same => s.reads.iter().all(|r| !changes[*r as usize]),
                Again::By(..) => false,
                Again::Never => false,
            };
            for (i, w) in s.writes.iter().enumerate() {
                maker[*w as usize] = at as u32;
                let one = i == 0 && matches!(s.instr.again(), Again::By(..));
                free[*w as usize] = (whole || one) && !outside[*w as usize];
            }
            if s.instr == Instr::View && !outside[s.writes[0] as usize] {
                root[s.writes[0] as usize] = root[s.reads[0] as usize];
            }
        }
        let inplace = program.accesses(symbols).into_iter().map(|a| a.inplace).collect();
        Outline { program, outside, inplace, maker, free, root }
    }

    /// Per value, whether the program as it is keeps it for the backward part; the root stands for its views.
    pub(super) fn saved(&self) -> Vec<bool> {
        let mut saved = alloc::vec![false; self.maker.len()];
        for r in self.program.steps[self.program.forward as usize..].iter().flat_map(|s| s.reads.iter()) {
            if self.maker[*r as usize] != NONE {
                saved[self.root[*r as usize] as usize] = true;
            }
        }
        saved
    }

    /// Whether the backward part can read a value itself.
    fn kept(&self, kept: &[bool], v: u32) -> bool {
        let root = self.root[v as usize] as usize;
        !self.free[v as usize] || kept[root] || !self.free[root]
    }

    /// The operands from which the value is made again, and how.
    fn recipe(&self, v: u32) -> (Instr, Vec<u32>, bool) {
        let step = &self.program.steps[self.maker[v as usize] as usize];
        match step.instr.again() {
            Again::By(instr, from) => {
                let operand = |f: &From| match *f {
                    From::Read(r) => step.reads[r],
                    From::Result(w) => step.writes[w],
                };
                (instr, from.iter().map(operand).collect(), true)
            }
            _ => (step.instr, step.reads.to_vec(), false),
        }
    }

    /// The steps when only these values, of those that can be made again, outlive the forward part.
    pub(super) fn rewrite(&self, kept: &[bool]) -> Rewritten {
        let (program, count) = (self.program, self.program.values.len() as u32);
        let forward = program.forward as usize;
        let mut copy = alloc::vec![NONE; count as usize];
        let mut out = Rewritten {
            steps: Vec::with_capacity(program.steps.len() + forward),
            origin: Vec::with_capacity(program.steps.len() + forward),
            forward,
            copies: Vec::new(),
            again: Vec::new(),
            moved: Vec::new(),
        };
        let mut backward: Vec<Step> = Vec::with_capacity(program.steps.len());
        let mut origin: Vec<u32> = Vec::with_capacity(program.steps.len());
        let mut again: Vec<usize> = Vec::new();
        let mut stack: Vec<u32> = Vec::new();
        let ready = |v: u32, copy: &[u32]| {
            self.maker[v as usize] == NONE || copy[v as usize] != NONE || self.kept(kept, v)
        };
        let current = |v: u32, copy: &[u32]| match copy[v as usize] {
            NONE => v,
            c => c,
        };
        for (at, step) in program.steps.iter().enumerate().skip(forward) {
            for r in step.reads.iter().rev().filter(|r| !ready(**r, &copy)) {
                stack.push(*r);
            }
            while let Some(v) = stack.last().copied() {
                if ready(v, &copy) {
                    stack.pop();
                    continue;
                }
                let (instr, reads, one) = self.recipe(v);
                let before = stack.len();
                stack.extend(reads.iter().rev().filter(|r| !ready(**r, &copy)));
                if stack.len() > before {
                    continue;
                }
                let maker = &program.steps[self.maker[v as usize] as usize];
                let reads: Vec<u32> = reads.iter().map(|r| current(*r, &copy)).collect();
                let mut writes = Vec::with_capacity(1);
                for w in maker.writes.iter().take(if one { 1 } else { maker.writes.len() }) {
                    let new = count + out.copies.len() as u32;
                    out.copies.push(*w);
                    writes.push(new);
                    if !ready(*w, &copy) {
                        copy[*w as usize] = new;
                    }
                }
                again.push(backward.len());
                origin.push(self.maker[v as usize]);
                backward.push(Step { instr, reads: reads.into(), writes: writes.into(), layer: maker.layer });
                stack.pop();
            }
            let mut step = step.clone();
            if step.reads.iter().any(|r| copy[*r as usize] != NONE) {
                step.reads = step.reads.iter().map(|r| current(*r, &copy)).collect();
            }
            origin.push(at as u32);
            backward.push(step);
        }

        // What only the backward part read is made there alone.
        let mut read = alloc::vec![false; count as usize];
        for r in backward.iter().flat_map(|s| s.reads.iter()).filter(|r| **r < count) {
            read[*r as usize] = true;
        }
        let mut dead = alloc::vec![false; forward];
        for (at, s) in program.steps[..forward].iter().enumerate().rev() {
            let wanted = |w: &u32| read[*w as usize] || self.outside[*w as usize];
            dead[at] = !out.copies.is_empty() && s.instr.mutates().is_empty() && !s.writes.iter().any(wanted);
            if !dead[at] {
                s.reads.iter().for_each(|r| read[*r as usize] = true);
            }
        }
        for (at, s) in program.steps[..forward].iter().enumerate() {
            if dead[at] {
                out.moved.push(at);
            } else {
                out.steps.push(s.clone());
                out.origin.push(at as u32);
            }
        }
        out.forward = out.steps.len();
        out.again = again.iter().map(|at| at + out.forward).collect();
        out.steps.extend(backward);
        out.origin.extend(origin);
        out
    }
}

impl Rewritten {
    fn original(&self, program: &Program) -> impl Fn(u32) -> u32 {
        let count = program.values.len() as u32;
        move |v| if v < count { v } else { self.copies[(v - count) as usize] }
    }

    /// The planning problem.
    pub(super) fn problem(&self, outline: &Outline<'_>, sizes: &Sizes) -> Problem {
        let access = |(s, from): (&Step, &u32)| {
            let from = *from as usize;
            let same = s.instr == outline.program.steps[from].instr;
            let inplace = if same { outline.inplace[from] } else { s.instr.inplace() };
            Access { reads: s.reads.to_vec(), writes: s.writes.to_vec(), inplace }
        };
        let copied = self.copies.iter().map(|v| sizes.bytes[*v as usize]);
        Problem {
            sizes: sizes.bytes.iter().copied().chain(copied).collect(),
            outside: outline.outside.iter().copied().chain(self.copies.iter().map(|_| false)).collect(),
            steps: self.steps.iter().zip(&self.origin).map(access).collect(),
            boundary: self.forward as u32,
        }
    }

    /// The most bytes alive at one time.
    pub(super) fn peak(&self, outline: &Outline<'_>, sizes: &Sizes) -> u64 {
        memory::lower_bound(&self.problem(outline, sizes))
    }

    /// What runs twice.
    pub(super) fn cost(&self, program: &Program, sizes: &Sizes) -> Cost {
        let original = self.original(program);
        let mut all = Cost::default();
        for at in &self.again {
            all += sizes.cost(&self.steps[*at], &original);
        }
        for at in &self.moved {
            let once = sizes.cost(&program.steps[*at], |v| v);
            // What stands for a step may cost less than it.
            all.flops = all.flops.saturating_sub(once.flops);
            all.bytes = all.bytes.saturating_sub(once.bytes);
        }
        all
    }

    /// The program of these steps, without a plan.
    pub(super) fn program(self, from: &Program) -> Program {
        let mut program = from.clone();
        let mut taken: BTreeSet<&str> = BTreeSet::new();
        if !self.copies.is_empty() {
            taken = from.values.iter().map(|v| &*v.name).collect();
        }
        let values = program.values.to_mut();
        for v in &self.copies {
            let mut new = from.values[*v as usize].clone();
            let mut name = format!("{}_again", new.name);
            if taken.contains(name.as_str()) {
                name = format!("{name}{}", values.len());
            }
            new.name = Cow::Owned(name);
            values.push(new);
        }
        program.steps = self.steps.into();
        program.forward = self.forward as u32;
        program.plan = None;
        program
    }
}
