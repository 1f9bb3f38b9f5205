//! Slices of the batch: the first layers of a network, whose results are the largest, run a part of the batch at a time,
//! forward and backward, where each sample is treated by itself.
//!
//! ```text
//! forward:   for each part: its slice of the inputs, the steps; what later steps read is put together
//! backward:  for each part: the steps again, then the backward steps on slices of the gradients; gradients of weights are added up
//! ```
//!
//! Slices and what is put together lie within the whole arrays, so nothing is copied. The sums of the weights' gradients
//! are rounded in another order, and kernels may choose another way for a smaller batch: results agree up to rounding. The prologue
//! of a prediction stays in front, as it has nothing of the batch.

use crate::dim::Dim;
use crate::expr::Expr;
use crate::instr::{BinOp, Epilogue, Instr, MAX_RANK, ReduceKind};
use crate::program::{List, Program, ProgramValue, Role, Step};
use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

/// What a step does when the batch is cut.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Its results are those of the parts one after the other.
    Rows,
    /// Its result is the sum of those of the parts.
    Sum,
    /// It has nothing of the batch.
    Whole,
    /// It cannot be cut.
    No,
}

struct Splitter<'a> {
    program: &'a Program,
    /// The extent that counts samples.
    batch: &'a Dim,
    /// Samples of a part.
    rows: i64,
    parts: i64,
    outside: Vec<bool>,
    values: Vec<ProgramValue>,
    steps: Vec<Step>,
    /// The number of the expression that adds.
    add: u32,
}

/// The program whose first `until` forward steps, and the backward steps that belong to them, run in this many parts of the
/// batch; `None` where that is not possible.
pub(super) fn split(program: &Program, symbols: &[i64], until: usize, parts: i64) -> Option<Program> {
    let first = program.inputs.first()?;
    let batch = program.values[*first as usize].shape.first().filter(|d| d.as_const().is_none())?;
    let samples = batch.eval(symbols)?;
    if samples % parts != 0 || samples <= parts {
        return None;
    }
    let mut exprs = program.exprs.to_vec();
    let lines = Expr::binary(BinOp::Add).lines;
    let add = exprs.iter().position(|e| e[..] == lines[..]).unwrap_or_else(|| {
        exprs.push(List::from(lines));
        exprs.len() - 1
    });
    let mut s = Splitter {
        program,
        batch,
        rows: samples / parts,
        parts,
        outside: program.outside(),
        values: program.values.to_vec(),
        steps: Vec::with_capacity(program.steps.len() * 2),
        add: add as u32,
    };
    let forward = s.run(until)?;
    Some(Program {
        values: s.values.into(),
        steps: s.steps.into(),
        forward,
        exprs: exprs.into(),
        plan: None,
        ..program.clone()
    })
}

/// Forward steps after which little is alive: where a part of the network that runs in slices may end.
pub(super) fn ends(program: &Program, crossing: &[u64]) -> Vec<usize> {
    let (mut ends, mut most, mut least) = (Vec::new(), 0, u64::MAX);
    for (at, bytes) in crossing.iter().enumerate().skip(program.prologue()) {
        most = most.max(*bytes);
        if *bytes <= most / 2 && *bytes < least && *bytes > 0 {
            least = *bytes;
            ends.push(at + 1);
        }
    }
    ends.truncate(4);
    ends
}

impl Splitter<'_> {
    fn run(&mut self, until: usize) -> Option<u32> {
        let program = self.program;
        let forward = program.forward as usize;
        let (ahead, head) = program.steps.get(..until)?.split_at_checked(program.prologue())?;
        self.steps.extend(ahead.iter().cloned());
        let mut inside = alloc::vec![false; program.values.len()];
        for s in head {
            if self.kind(s) != Kind::Rows {
                return None;
            }
            for w in s.writes.iter() {
                inside[*w as usize] = true;
                if self.outside[*w as usize] {
                    return None;
                }
            }
        }
        // The backward steps of the same layers come last; a layer that is computed together with another one has no step of its own.
        let next = program.steps[until..forward].iter().map(|s| s.layer).min().unwrap_or(u32::MAX);
        let own = |s: &Step| s.layer < next || head.iter().any(|h| h.layer == s.layer);
        let back = program.steps.iter().rposition(|s| !own(s)).map_or(0, |at| at + 1).max(forward);
        let tail = &program.steps[back..];

        let mut crossing: Vec<u32> = Vec::new();
        for r in program.steps[until..back].iter().flat_map(|s| s.reads.iter()) {
            if inside[*r as usize] && !crossing.contains(r) {
                crossing.push(*r);
            }
        }
        let mut slices: BTreeMap<(u32, i64), u32> = BTreeMap::new();
        let mut joined: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for part in 0..self.parts {
            let mut own: BTreeMap<u32, u32> = BTreeMap::new();
            for s in head {
                self.rows(s, part, "part", &mut own, &mut slices);
            }
            for v in &crossing {
                joined.entry(*v).or_default().push(own[v]);
            }
        }
        self.join(joined, until.saturating_sub(1));
        self.steps.extend(program.steps[until..forward].iter().cloned());
        let count = self.steps.len() as u32;
        self.steps.extend(program.steps[forward..back].iter().cloned());
        if tail.is_empty() {
            return Some(count);
        }
        self.backward(head, back, &mut slices)?;
        Some(count)
    }

    fn backward(&mut self, head: &[Step], back: usize, slices: &mut BTreeMap<(u32, i64), u32>) -> Option<()> {
        let tail = &self.program.steps[back..];
        // What is summed, and what follows from sums alone, is there when all parts have run.
        let mut late = alloc::vec![false; self.program.values.len()];
        let mut kinds = Vec::with_capacity(tail.len());
        for s in tail {
            let kind = match self.kind(s) {
                Kind::No => return None,
                kind => kind,
            };
            let after = s.reads.iter().any(|r| late[*r as usize]);
            if after && kind != Kind::Whole || kind == Kind::Sum && s.writes.len() != 1 {
                return None;
            }
            if kind != Kind::Rows {
                s.writes.iter().for_each(|w| late[*w as usize] = true);
            }
            kinds.push(kind);
        }
        // Forward steps that the backward steps need.
        let mut needed = alloc::vec![false; self.program.values.len()];
        tail.iter().flat_map(|s| s.reads.iter()).for_each(|r| needed[*r as usize] = true);
        let mut again: Vec<&Step> = Vec::new();
        for s in head.iter().rev() {
            if s.writes.iter().any(|w| needed[*w as usize]) {
                s.reads.iter().for_each(|r| needed[*r as usize] = true);
                again.push(s);
            }
        }
        again.reverse();

        let mut joined: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        let mut sums: BTreeMap<u32, u32> = BTreeMap::new();
        for part in 0..self.parts {
            let mut own: BTreeMap<u32, u32> = BTreeMap::new();
            for s in &again {
                self.rows(s, part, "again_part", &mut own, slices);
            }
            for (s, kind) in tail.iter().zip(&kinds) {
                match kind {
                    Kind::Rows => {
                        self.rows(s, part, "part", &mut own, slices);
                        for w in s.writes.iter().filter(|w| self.outside[**w as usize]) {
                            joined.entry(*w).or_default().push(own[w]);
                        }
                    }
                    Kind::Sum => {
                        let w = s.writes[0];
                        let share = self.value(w, &format!("part{part}"), false);
                        let mut reads = Vec::with_capacity(s.reads.len());
                        for r in s.reads.iter() {
                            reads.push(self.operand(*r, part, s, &mut own, slices));
                        }
                        self.push(s.instr, reads, share, s.layer);
                        let sum = match sums.get(&w) {
                            None => share,
                            Some(before) => {
                                let last = part + 1 == self.parts;
                                let sum = if last { w } else { self.value(w, &format!("sum{part}"), false) };
                                self.push(Instr::Map(self.add), alloc::vec![*before, share], sum, s.layer);
                                sum
                            }
                        };
                        sums.insert(w, sum);
                    }
                    Kind::Whole | Kind::No => {}
                }
            }
        }
        self.join(joined, back);
        let whole = tail.iter().zip(&kinds).filter(|(_, k)| **k == Kind::Whole);
        self.steps.extend(whole.map(|(s, _)| s.clone()));
        Some(())
    }

    /// A step on a part of the batch.
    fn rows(
        &mut self,
        s: &Step,
        part: i64,
        what: &str,
        own: &mut BTreeMap<u32, u32>,
        slices: &mut BTreeMap<(u32, i64), u32>,
    ) {
        let mut reads = Vec::with_capacity(s.reads.len());
        for r in s.reads.iter() {
            reads.push(self.operand(*r, part, s, own, slices));
        }
        let mut writes = Vec::with_capacity(s.writes.len());
        for w in s.writes.iter() {
            let new = self.value(*w, &format!("{what}{part}"), true);
            own.insert(*w, new);
            writes.push(new);
        }
        self.steps.push(Step { instr: s.instr, reads: reads.into(), writes: writes.into(), layer: s.layer });
    }

    /// The operand of a part: its own value, a slice of the whole, or the whole of what has no samples.
    fn operand(
        &mut self,
        v: u32,
        part: i64,
        s: &Step,
        own: &mut BTreeMap<u32, u32>,
        slices: &mut BTreeMap<(u32, i64), u32>,
    ) -> u32 {
        if let Some(new) = own.get(&v).or_else(|| slices.get(&(v, part))) {
            return *new;
        }
        if !self.samples(v) {
            return v;
        }
        let new = self.value(v, &format!("slice{part}"), true);
        let mut begin = [0; MAX_RANK];
        begin[0] = part * self.rows;
        self.push(Instr::Slice { begin, step: [1; MAX_RANK] }, alloc::vec![v], new, s.layer);
        slices.insert((v, part), new);
        new
    }

    /// Put the parts of these values together.
    fn join(&mut self, joined: BTreeMap<u32, Vec<u32>>, near: usize) {
        let layer = self.program.steps.get(near).map_or(0, |s| s.layer);
        for (whole, parts) in joined {
            self.push(Instr::Concat { axis: 0 }, parts, whole, layer);
        }
    }

    fn push(&mut self, instr: Instr, reads: Vec<u32>, write: u32, layer: u32) {
        self.steps.push(Step { instr, reads: reads.into(), writes: alloc::vec![write].into(), layer });
    }

    /// A new value like this one, of one part where it has `samples`.
    fn value(&mut self, like: u32, name: &str, samples: bool) -> u32 {
        let new = self.values.len() as u32;
        let mut v = self.program.values[like as usize].clone();
        v.name = Cow::Owned(format!("{}_{name}", v.name));
        v.role = Role::Internal;
        if samples {
            v.shape.to_mut()[0] = Dim::Const(self.rows);
        }
        self.values.push(v);
        new
    }

    /// Whether the first axis of a value counts samples.
    fn samples(&self, v: u32) -> bool {
        self.program.values[v as usize].shape.first() == Some(self.batch)
    }

    /// Instructions mix samples only as listed here.
    fn kind(&self, s: &Step) -> Kind {
        let rank = |v: u32| self.program.values[v as usize].shape.len();
        // An axis that depends on the batch elsewhere is an axis that holds samples of several places.
        let mixed = |v: u32| {
            let shape = &self.program.values[v as usize].shape;
            shape.iter().skip(usize::from(self.samples(v))).any(|d| d.as_const().is_none())
        };
        if s.reads.iter().chain(s.writes.iter()).any(|v| mixed(*v)) || !s.instr.mutates().is_empty() {
            return Kind::No;
        }
        let reads = s.reads.iter().any(|r| self.samples(*r));
        let results = s.writes.iter().filter(|w| self.samples(**w)).count();
        if results == 0 {
            let first = s.reads.iter().all(|r| self.samples(*r));
            return match s.instr {
                _ if !reads => Kind::Whole,
                Instr::Reduce(ReduceKind::Sum, axes) if axes.has(0) => Kind::Sum,
                Instr::MapReduce { kind: ReduceKind::Sum, axes, .. } if axes.has(0) => {
                    // The axes are those of the longest operand.
                    let most = s.reads.iter().map(|r| rank(*r)).max();
                    let aligned = s.reads.iter().all(|r| !self.samples(*r) || Some(rank(*r)) == most);
                    if aligned { Kind::Sum } else { Kind::No }
                }
                Instr::Conv2dBackwardWeight(_) => Kind::Sum,
                Instr::MatMul { trans_a: true, .. } if first && rank(s.reads[0]) == 2 => Kind::Sum,
                _ => Kind::No,
            };
        }
        if results < s.writes.len() || !reads {
            return Kind::No;
        }
        let broadcasts = |r: &u32| {
            let (shape, of) = (&self.program.values[*r as usize].shape, rank(s.writes[0]));
            shape.len() < of || self.samples(*r) || shape.first() == Some(&Dim::ONE)
        };
        let aligned = |r: &u32| !self.samples(*r) || rank(*r) == rank(s.writes[0]);
        // Weights and bias are those of all samples, a residual and a mask are not.
        let shared = |e: Epilogue| {
            let mut others = s.reads.iter().enumerate().skip(1);
            let last = s.reads.len() - 1;
            others.all(|(at, r)| self.samples(*r) == (e.residual && at == 2 || e.mask && at == last))
        };
        let fine = match s.instr {
            Instr::Map(_) => s.reads.iter().all(|r| broadcasts(r) && aligned(r)),
            Instr::MatMul { trans_a, epilogue, .. } => !trans_a && rank(s.writes[0]) == 2 && shared(epilogue),
            Instr::Conv2d(_, epilogue) | Instr::Conv2dBackwardData(_, epilogue) => shared(epilogue),
            Instr::Transpose { perm } => perm[0] == 0,
            Instr::Concat { axis } => axis > 0,
            Instr::Softmax { axis, .. } | Instr::SoftmaxBackward { axis, .. } => axis > 0,
            Instr::Reduce(_, axes) | Instr::Expand { axes, .. } => !axes.has(0),
            Instr::MapReduce { .. }
            | Instr::Slice { .. }
            | Instr::SliceBackward { .. }
            | Instr::BatchNormBackward(..)
            | Instr::BatchNormInferBackward(..)
            | Instr::CrossEntropy(_)
            | Instr::CrossEntropyBackward(_)
            // Its random numbers belong to places of the whole batch.
            | Instr::Dropout { .. } => false,
            _ => true,
        };
        if fine { Kind::Rows } else { Kind::No }
    }
}
