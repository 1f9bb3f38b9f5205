//! Feature maps that lie channel after channel, `[c, n, h, w]`.
//!
//! Users give and get images as `[n, c, h, w]`. Between the steps of a network another order is better: with the channels outermost,
//! a concatenation of channels, and a slice of them, is one piece of memory at any batch size, and so no copy; a convolution by 1×1 is
//! one product of matrices over the pixels of all images; and normalisation reads what it sums as one run.
//!
//! The pass works on programs, after all that counts samples along the first axis (recomputation in slices of the batch). Values
//! that convolutions read and make, and what is linked to them step by step, exchange their first two extents; their steps follow.
//! Steps that know one order only get transposed copies, and so does what the user gives and keeps, unless it is a convolution that
//! stands at the border: that reads and writes both.

use super::{Program, ProgramValue, Role, Step};
use crate::dim::Dim;
use crate::instr::{Axes, BatchNormAttrs, ConvAttrs, CrossEntropyAttrs, Instr, Layout, MAX_RANK};
use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

impl Program {
    /// The same program with feature maps that lie channel after channel ([`ProgramValue::layout`]). Values keep their numbers, new
    /// ones are added. Outputs, gradients and whatever else the user keeps stay as they are, and so do the values of
    /// `fixed`. It has no memory plan.
    ///
    /// Where nothing changes, there are no convolutions.
    pub fn channels_outermost(&self, fixed: &[u32]) -> Program {
        let lies = self.channel_images(fixed);
        let mut values = self.values.to_vec();
        for (value, _) in values.iter_mut().zip(&lies).filter(|(_, lies)| **lies) {
            value.shape.to_mut().swap(0, 1);
            value.layout = Layout::Cnhw;
        }
        let mut to =
            Rewriter { values, steps: Vec::with_capacity(self.steps.len()), copies: BTreeMap::new() };
        let (ahead, behind) = self.steps.split_at(self.forward as usize);
        ahead.iter().for_each(|s| to.step(self, s));
        let forward = to.steps.len() as u32;
        behind.iter().for_each(|s| to.step(self, s));
        Program { values: to.values.into(), steps: to.steps.into(), forward, plan: None, ..self.clone() }
    }

    /// By value: whether it is to lie channel after channel.
    fn channel_images(&self, fixed: &[u32]) -> Vec<bool> {
        let mut may = self.outside();
        for (v, (may, value)) in may.iter_mut().zip(self.values.iter()).enumerate() {
            *may = !*may && value.shape.len() == 4 && !fixed.contains(&(v as u32));
        }
        let mut lies = alloc::vec![false; self.values.len()];
        let linked: Vec<Vec<u32>> = self.steps.iter().map(|s| s.images(self)).collect();
        for (s, images) in self.steps.iter().zip(&linked).filter(|(s, _)| s.convolves()) {
            let both = images.iter().chain(&s.reads[..1]).chain(s.reads.get(1).filter(|_| s.sums_pixels()));
            both.for_each(|v| lies[*v as usize] |= may[*v as usize]);
        }
        loop {
            let mut changed = false;
            for images in &linked {
                if images.iter().any(|v| lies[*v as usize]) {
                    for v in images.iter().filter(|v| may[**v as usize]) {
                        changed |= !core::mem::replace(&mut lies[*v as usize], true);
                    }
                }
            }
            if !changed {
                return lies;
            }
        }
    }

    /// The number of axes of a value.
    pub fn rank(&self, v: u32) -> usize {
        self.values[v as usize].shape.len()
    }

    /// The extents that these values broadcast to.
    fn broadcast(&self, values: &[u32]) -> Vec<Dim> {
        let rank = values.iter().map(|v| self.rank(*v)).max().unwrap_or(0);
        let mut whole = alloc::vec![Dim::ONE; rank];
        for v in values {
            let shape = &self.values[*v as usize].shape;
            for (to, d) in whole[rank - shape.len()..].iter_mut().zip(shape.iter()) {
                if *d != Dim::ONE {
                    *to = d.clone();
                }
            }
        }
        whole
    }
}

impl Step {
    fn convolves(&self) -> bool {
        matches!(
            self.instr,
            Instr::Conv2d(..) | Instr::Conv2dBackwardData(..) | Instr::Conv2dBackwardWeight(_)
        )
    }

    /// A convolution's gradient of the weight: images are its operands only.
    fn sums_pixels(&self) -> bool {
        matches!(self.instr, Instr::Conv2dBackwardWeight(_))
    }

    /// Reads and results that are images and lie alike, if the instruction can have them either way. Those of a convolution are its
    /// result and what is added to it.
    fn images(&self, program: &Program) -> Vec<u32> {
        let (r, w) = (&self.reads, &self.writes);
        let shape = |v: u32| &program.values[v as usize].shape;
        let four = |v: u32| program.rank(v) == 4;
        let all = || r.iter().chain(w.iter()).copied().collect::<Vec<u32>>();
        let some = |reads: &[usize], writes: &[usize]| {
            let reads = reads.iter().filter_map(|at| r.get(*at));
            reads.chain(writes.iter().filter_map(|at| w.get(*at))).copied().collect::<Vec<u32>>()
        };
        let images = match self.instr {
            Instr::Conv2d(_, e) | Instr::Conv2dBackwardData(_, e) => {
                let mask = if e.mask { r.len() - 1 } else { usize::MAX };
                some(&[if e.residual { 2 } else { usize::MAX }, mask], &[0])
            }
            Instr::Pool2d(_)
            | Instr::Pool2dBackward(_)
            | Instr::Pool2dPlaces(_)
            | Instr::Pool2dPlacesBackward(_)
            | Instr::Lrn(_)
            | Instr::LrnBackward(_)
            | Instr::Softmax { .. }
            | Instr::SoftmaxBackward { .. }
            | Instr::Concat { .. }
            | Instr::Slice { .. }
            | Instr::SliceBackward { .. }
            | Instr::Fill(_)
            | Instr::Cast => all(),
            Instr::View if r.iter().chain(w.iter()).all(|v| four(*v)) && shape(r[0]) == shape(w[0]) => all(),
            Instr::BatchNormTrain(a, _) | Instr::BatchNormApply(a, _) | Instr::BatchNormInfer(a, _)
                if a.axis == 1 =>
            {
                some(&[0, 5], &[0])
            }
            Instr::BatchNormBackward(a, e) if a.axis == 1 && e.residual => some(&[0, 4, 5, 6], &[0, 3]),
            Instr::BatchNormBackward(a, _) | Instr::BatchNormInferBackward(a) if a.axis == 1 => {
                some(&[0, 4], &[0])
            }
            Instr::CrossEntropy(a) if a.axis == 1 => some(&[0], &[1]),
            Instr::CrossEntropyBackward(a) if a.axis == 1 => some(&[0], &[0]),
            Instr::Map(_) => {
                let same = r.iter().filter(|v| shape(**v) == shape(w[0]));
                same.chain(w.iter()).copied().collect()
            }
            Instr::Reduce(..) | Instr::Expand { .. } => all(),
            Instr::MapReduce { .. } => {
                let whole = program.broadcast(r);
                let same = r.iter().filter(|v| *shape(**v) == whole);
                same.chain(w.iter()).copied().collect()
            }
            _ => Vec::new(),
        };
        // A sum may have a lower rank.
        let images: Vec<u32> = images.into_iter().filter(|v| four(*v)).collect();
        let result = w.iter().any(|v| images.contains(v));
        let reduced = matches!(self.instr, Instr::Reduce(..) | Instr::MapReduce { .. });
        if result || reduced { images } else { Vec::new() }
    }
}

/// The program that is made.
struct Rewriter {
    values: Vec<ProgramValue>,
    steps: Vec<Step>,
    /// Copies in the other order, and views that broadcast in it.
    copies: BTreeMap<u32, u32>,
}

impl Rewriter {
    fn layout(&self, v: u32) -> Layout {
        self.values[v as usize].layout
    }

    fn step(&mut self, program: &Program, s: &Step) {
        if s.convolves() {
            return self.convolution(s);
        }
        let images = s.images(program);
        let outermost = images.iter().any(|v| self.layout(*v) == Layout::Cnhw);
        let layout = if outermost { Layout::Cnhw } else { Layout::Nchw };
        let (mut instr, mut reads) = (s.instr, Vec::with_capacity(s.reads.len()));
        if let Instr::Transpose { perm } = &mut instr
            && self.layout(s.reads[0]) == Layout::Cnhw
        {
            // It reads either.
            for axis in &mut perm[..4] {
                *axis = exchanged(*axis);
            }
            reads.push(s.reads[0]);
        } else {
            if outermost {
                instr = exchange(instr);
            }
            for r in s.reads.iter() {
                reads.push(match (outermost, images.contains(r)) {
                    (_, true) => self.lying(*r, layout, s.layer),
                    (true, false) if broadcasts(&s.instr) => self.broadcasting(*r, s.layer),
                    _ => self.lying(*r, Layout::Nchw, s.layer),
                });
            }
        }
        // Between instructions that know one order of axes for all ranks and those that count channels from the second: a
        // leading axis of one image.
        if outermost && matches!(instr, Instr::Lrn(_) | Instr::LrnBackward(_)) {
            return self.as_one_image(s, instr, &reads);
        }
        // What has a lower rank, but both of the first two axes, has them exchanged, too.
        let both = outermost && leaves_both(&s.instr);
        if both && matches!(instr, Instr::Expand { .. }) {
            reads[0] = self.lying(reads[0], Layout::Cnhw, s.layer);
        }
        self.push(s, instr, reads, |v| if both || images.contains(&v) { layout } else { Layout::Nchw });
    }

    /// Data and result lie as their values do, each by itself; what is added lies as the result.
    fn convolution(&mut self, s: &Step) {
        let mut reads = s.reads.to_vec();
        let lies = |v: u32| self.layout(v);
        let (instr, result) = match s.instr {
            Instr::Conv2d(a, e) => {
                let (x, y) = (lies(reads[0]), lies(s.writes[0]));
                (Instr::Conv2d(ConvAttrs { x, y, ..a }, e), y)
            }
            Instr::Conv2dBackwardData(a, e) => {
                let (x, y) = (lies(s.writes[0]), lies(reads[0]));
                (Instr::Conv2dBackwardData(ConvAttrs { x, y, ..a }, e), x)
            }
            Instr::Conv2dBackwardWeight(a) => {
                let (x, y) = (lies(reads[0]), lies(reads[1]));
                let a = ConvAttrs { x, y, ..a };
                (Instr::Conv2dBackwardWeight(a), Layout::Nchw)
            }
            other => panic!("{other:?} is no convolution"),
        };
        if let Instr::Conv2d(_, e) | Instr::Conv2dBackwardData(_, e) = instr {
            // What is added and what masks lie as the result.
            let mask = e.mask.then(|| reads.len() - 1);
            for at in e.residual.then_some(2).into_iter().chain(mask) {
                reads[at] = self.lying(reads[at], result, s.layer);
            }
        }
        self.push(s, instr, reads, |_| result);
    }

    /// A step whose results are made in these orders; one that is to lie otherwise is copied.
    fn push(&mut self, s: &Step, instr: Instr, reads: Vec<u32>, made: impl Fn(u32) -> Layout) {
        let mut writes = s.writes.to_vec();
        let mut after = Vec::new();
        for w in &mut writes {
            let layout = made(*w);
            if layout != self.layout(*w) {
                let new = self.other(*w);
                after.push((new, *w));
                self.copies.insert(*w, new);
                *w = new;
            }
        }
        self.steps.push(Step { instr, reads: reads.into(), writes: writes.into(), layer: s.layer });
        for (from, to) in after {
            self.transpose(from, to, s.layer);
        }
    }

    /// A channel after channel image as one image whose pixels are those of all.
    fn as_one_image(&mut self, s: &Step, instr: Instr, reads: &[u32]) {
        let view = |to: &mut Rewriter, v: u32| {
            let mut shape = alloc::vec![Dim::ONE];
            shape.extend(to.values[v as usize].shape.iter().cloned());
            let name = format!("{}_one", to.values[v as usize].name);
            to.add(ProgramValue {
                name: name.into(),
                shape: shape.into(),
                layout: Layout::Nchw,
                ..to.values[v as usize].clone()
            })
        };
        let mut ones = Vec::with_capacity(reads.len());
        for r in reads {
            let one = view(self, *r);
            self.instr(Instr::View, *r, one, s.layer);
            ones.push(one);
        }
        let made = match self.layout(s.writes[0]) {
            Layout::Cnhw => s.writes[0],
            Layout::Nchw => self.other(s.writes[0]),
        };
        let one = view(self, made);
        self.steps.push(Step { instr, reads: ones.into(), writes: alloc::vec![one].into(), layer: s.layer });
        self.instr(Instr::View, one, made, s.layer);
        if made != s.writes[0] {
            self.transpose(made, s.writes[0], s.layer);
        }
    }

    /// The value in this order: itself, or a copy that is made once.
    fn lying(&mut self, v: u32, layout: Layout, layer: u32) -> u32 {
        if self.layout(v) == layout {
            return v;
        }
        if let Some(copy) = self.copies.get(&v) {
            return *copy;
        }
        let copy = self.other(v);
        self.transpose(v, copy, layer);
        self.copies.insert(v, copy);
        copy
    }

    /// An operand that broadcasts to images that lie channel after channel.
    fn broadcasting(&mut self, v: u32, layer: u32) -> u32 {
        let value = &self.values[v as usize];
        let rank = value.shape.len();
        if value.layout == Layout::Cnhw || rank < 3 || rank == 3 && value.shape[0] == Dim::ONE {
            return v;
        }
        let mut shape = alloc::vec![Dim::ONE; 4 - rank];
        shape.extend(value.shape.iter().cloned());
        let ones = |d: &Dim| *d == Dim::ONE;
        match [ones(&shape[0]), ones(&shape[1])] {
            [true, true] => v,
            [false, false] => self.lying(v, Layout::Cnhw, layer),
            _ => {
                if let Some(view) = self.copies.get(&v) {
                    return *view;
                }
                shape.swap(0, 1);
                let name = format!("{}_cnhw", value.name).into();
                let value = value.clone();
                let view =
                    self.add(ProgramValue { name, shape: shape.into(), layout: Layout::Cnhw, ..value });
                self.instr(Instr::View, v, view, layer);
                self.copies.insert(v, view);
                view
            }
        }
    }

    /// A new value like this one in the other order.
    fn other(&mut self, v: u32) -> u32 {
        let value = self.values[v as usize].clone();
        let (layout, name) = match value.layout {
            Layout::Nchw => (Layout::Cnhw, "cnhw"),
            Layout::Cnhw => (Layout::Nchw, "nchw"),
        };
        let mut shape = value.shape.to_vec();
        shape.swap(0, 1);
        let name = Cow::Owned(format!("{}_{name}", value.name));
        self.add(ProgramValue { name, shape: shape.into(), layout, ..value })
    }

    fn add(&mut self, value: ProgramValue) -> u32 {
        self.values.push(ProgramValue { role: Role::Internal, ..value });
        self.values.len() as u32 - 1
    }

    fn transpose(&mut self, from: u32, to: u32, layer: u32) {
        let mut perm = [0; MAX_RANK];
        let rank = self.values[from as usize].shape.len();
        perm[..rank].copy_from_slice(&[1, 0, 2, 3][..rank]);
        self.instr(Instr::Transpose { perm }, from, to, layer);
    }

    fn instr(&mut self, instr: Instr, from: u32, to: u32, layer: u32) {
        let (reads, writes) = (alloc::vec![from].into(), alloc::vec![to].into());
        self.steps.push(Step { instr, reads, writes, layer });
    }
}

/// Whether operands broadcast.
fn broadcasts(instr: &Instr) -> bool {
    matches!(instr, Instr::Map(_) | Instr::MapReduce { .. })
}

/// Whether summing or repeating leaves the first two axes alone.
fn leaves_both(instr: &Instr) -> bool {
    match instr {
        Instr::Reduce(_, axes) | Instr::MapReduce { axes, .. } | Instr::Expand { axes, .. } => {
            axes.0 & 0b11 == 0
        }
        _ => false,
    }
}

fn exchanged(axis: u8) -> u8 {
    match axis {
        0 => 1,
        1 => 0,
        other => other,
    }
}

/// The instruction on images whose first two axes are exchanged.
fn exchange(instr: Instr) -> Instr {
    let set = |Axes(bits): Axes| Axes(bits & !0b11 | (bits & 1) << 1 | bits >> 1 & 1);
    let lists = |mut begin: [i64; MAX_RANK], mut step: [i64; MAX_RANK]| {
        begin.swap(0, 1);
        step.swap(0, 1);
        (begin, step)
    };
    let norm = |a: BatchNormAttrs| BatchNormAttrs { axis: exchanged(a.axis), ..a };
    let classes = |a: CrossEntropyAttrs| CrossEntropyAttrs { axis: exchanged(a.axis), ..a };
    match instr {
        Instr::BatchNormTrain(a, e) => Instr::BatchNormTrain(norm(a), e),
        Instr::BatchNormApply(a, e) => Instr::BatchNormApply(norm(a), e),
        Instr::BatchNormInfer(a, e) => Instr::BatchNormInfer(norm(a), e),
        Instr::BatchNormBackward(a, e) => Instr::BatchNormBackward(norm(a), e),
        Instr::BatchNormInferBackward(a) => Instr::BatchNormInferBackward(norm(a)),
        Instr::CrossEntropy(a) => Instr::CrossEntropy(classes(a)),
        Instr::CrossEntropyBackward(a) => Instr::CrossEntropyBackward(classes(a)),
        Instr::Softmax { axis, log } => Instr::Softmax { axis: exchanged(axis), log },
        Instr::SoftmaxBackward { axis, log } => Instr::SoftmaxBackward { axis: exchanged(axis), log },
        Instr::Concat { axis } => Instr::Concat { axis: exchanged(axis) },
        Instr::Slice { begin, step } => {
            let (begin, step) = lists(begin, step);
            Instr::Slice { begin, step }
        }
        Instr::SliceBackward { begin, step } => {
            let (begin, step) = lists(begin, step);
            Instr::SliceBackward { begin, step }
        }
        Instr::Reduce(kind, axes) => Instr::Reduce(kind, set(axes)),
        Instr::MapReduce { expr, kind, axes } => Instr::MapReduce { expr, kind, axes: set(axes) },
        Instr::Expand { axes, mean } => Instr::Expand { axes: set(axes), mean },
        other => other,
    }
}
