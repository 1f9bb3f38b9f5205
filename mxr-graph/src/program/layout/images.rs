//! Which operands are images, and instructions on images whose first two axes are exchanged.

use crate::dim::Dim;
use crate::instr::{Axes, BatchNormAttrs, CrossEntropyAttrs, Instr, MAX_RANK};
use crate::program::{Program, Step};
use alloc::vec::Vec;

/// The images of a program: arrays of four axes, and the masks that rectifiers leave of them.
pub(super) struct Images<'a> {
    pub(super) program: &'a Program,
    /// By value: what it is the mask of.
    masked: Vec<Option<u32>>,
}

impl<'a> Images<'a> {
    pub(super) fn new(program: &'a Program) -> Images<'a> {
        let mut masked = alloc::vec![None; program.values.len()];
        let rectifiers = program.steps.iter().filter(|s| s.instr == Instr::ReluMask);
        for s in rectifiers.filter(|s| program.rank(s.reads[0]) == 4) {
            masked[s.writes[1] as usize] = Some(s.reads[0]);
        }
        Images { program, masked }
    }

    /// The image that a value is the rectifier's mask of.
    pub(super) fn masked(&self, v: u32) -> Option<u32> {
        self.masked[v as usize]
    }

    pub(super) fn is_one(&self, v: u32) -> bool {
        self.program.rank(v) == 4 || self.masked(v).is_some()
    }

    /// Reads and results of a step that are images and lie alike, if the instruction can have them either way. Those of a convolution are
    /// its result, what is added to that and what masks it.
    pub(super) fn of(&self, s: &Step) -> Vec<u32> {
        let (r, w) = (&s.reads, &s.writes);
        let shape = |v: u32| &self.program.values[v as usize].shape;
        let four = |v: u32| self.program.rank(v) == 4;
        let all = || r.iter().chain(w.iter()).copied().collect::<Vec<u32>>();
        let some = |reads: &[usize], writes: &[usize]| {
            let reads = reads.iter().filter_map(|at| r.get(*at));
            reads.chain(writes.iter().filter_map(|at| w.get(*at))).copied().collect::<Vec<u32>>()
        };
        let images = match s.instr {
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
            | Instr::ReluMask
            | Instr::Fill(_)
            | Instr::Cast => all(),
            Instr::DropoutBackward { .. } if self.masked(r[1]).is_some() => all(),
            Instr::View if r.iter().chain(w.iter()).all(|v| four(*v)) && shape(r[0]) == shape(w[0]) => all(),
            Instr::BatchNormTrain(a, _) | Instr::BatchNormApply(a, _) | Instr::BatchNormInfer(a, _)
                if a.axis == 1 =>
            {
                some(&[0, 5], &[0])
            }
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
                let whole = self.broadcast(r);
                let same = r.iter().filter(|v| *shape(**v) == whole);
                same.chain(w.iter()).copied().collect()
            }
            _ => Vec::new(),
        };
        // A sum may have a lower rank.
        let images: Vec<u32> = images.into_iter().filter(|v| self.is_one(*v)).collect();
        let result = w.iter().any(|v| images.contains(v));
        let reduced = matches!(s.instr, Instr::Reduce(..) | Instr::MapReduce { .. });
        if result || reduced { images } else { Vec::new() }
    }

    /// The extents that these values broadcast to.
    fn broadcast(&self, values: &[u32]) -> Vec<Dim> {
        let rank = values.iter().map(|v| self.program.rank(*v)).max().unwrap_or(0);
        let mut whole = alloc::vec![Dim::ONE; rank];
        for v in values {
            let shape = &self.program.values[*v as usize].shape;
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
    /// A convolution, or a gradient of one.
    pub(super) fn convolves(&self) -> bool {
        matches!(
            self.instr,
            Instr::Conv2d(..) | Instr::Conv2dBackwardData(..) | Instr::Conv2dBackwardWeight(_)
        )
    }
}

/// Whether operands broadcast.
pub(super) fn broadcasts(instr: &Instr) -> bool {
    matches!(instr, Instr::Map(_) | Instr::MapReduce { .. })
}

/// Whether summing or repeating leaves the first two axes alone.
pub(super) fn leaves_both(instr: &Instr) -> bool {
    match instr {
        Instr::Reduce(_, axes) | Instr::MapReduce { axes, .. } | Instr::Expand { axes, .. } => {
            axes.0 & 0b11 == 0
        }
        _ => false,
    }
}

/// An axis of images whose first two axes are exchanged.
pub(super) fn exchanged(axis: u8) -> u8 {
    match axis {
        0 => 1,
        1 => 0,
        other => other,
    }
}

/// The instruction on images whose first two axes are exchanged.
pub(super) fn exchange(instr: Instr) -> Instr {
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
