//! Which results of an instruction may lie where its operands lie.

use crate::instr::{Epilogue, Instr};

/// Which results may lie where operands lie. A result takes an operand's bytes only when nobody reads the
/// operand afterwards and both have the same number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InPlace {
    /// None.
    #[default]
    Never,
    /// Result 0 *is* operand 0 under another shape, as long as both live.
    View,
    /// Result 0 *is* a part of operand 0 that begins at this byte, as long as both live.
    Part(u64),
    /// Result 0 *is* its operands one after the other, as long as all of them live: none of them is copied when each was made in
    /// its place.
    Concat,
    /// Result 0 over any operand.
    Any,
    /// These `(operand, result)` pairs, best first.
    Pairs(&'static [(u8, u8)]),
}

impl InPlace {
    /// The pairs for a step with `reads` operands, best first.
    pub(crate) fn pairs(self, reads: usize) -> impl Iterator<Item = (usize, usize)> {
        let (any, listed): (usize, &'static [(u8, u8)]) = match self {
            InPlace::Any => (reads, &[]),
            InPlace::Pairs(p) => (0, p),
            InPlace::Never | InPlace::View | InPlace::Part(_) | InPlace::Concat => (0, &[]),
        };
        let listed = listed.iter().map(|(r, w)| (usize::from(*r), usize::from(*w)));
        (0..any).map(|r| (r, 0)).chain(listed.filter(move |(r, _)| *r < reads))
    }

    /// Whether result `write` may lie over operand `read`.
    pub(crate) fn permits(self, read: usize, write: usize) -> bool {
        match self {
            InPlace::Any => write == 0,
            InPlace::Pairs(p) => p.iter().any(|(r, w)| (usize::from(*r), usize::from(*w)) == (read, write)),
            InPlace::Never | InPlace::View | InPlace::Part(_) | InPlace::Concat => false,
        }
    }
}

impl Instr {
    /// Which results the instruction's kernels can write over operands. That parts of an array are no copies depends on shapes
    /// besides: [`Program::accesses`](crate::program::Program::accesses) says it.
    ///
    /// An input of [`Instr::Map`] that broadcasts has fewer bytes than the result, so the equal-bytes rule of
    /// [`InPlace`] keeps it.
    pub fn inplace(&self) -> InPlace {
        match self {
            Instr::View => InPlace::View,
            Instr::Map(_) => InPlace::Any,
            Instr::Softmax { .. } | Instr::Dropout { .. } | Instr::DropoutBackward { .. } => {
                InPlace::Pairs(&[(0, 0)])
            }
            Instr::ReluMask => InPlace::Pairs(&[(0, 0)]),
            // A residual is added element by element; over anything else there are no such bytes to begin with.
            Instr::BatchNormApply(..) | Instr::BatchNormInfer(..) => InPlace::Pairs(&[(0, 0), (5, 0)]),
            Instr::BatchNormTrain(_, Epilogue { residual: true, .. }) => InPlace::Pairs(&[(5, 0)]),
            Instr::Conv2d(_, Epilogue { residual: true, .. })
            | Instr::Conv2dBackwardData(_, Epilogue { residual: true, .. })
            | Instr::MatMul { epilogue: Epilogue { residual: true, .. }, .. } => InPlace::Pairs(&[(2, 0)]),
            Instr::BatchNormBackward(..) => InPlace::Pairs(&[(4, 0), (0, 0)]),
            _ => InPlace::Never,
        }
    }
}
