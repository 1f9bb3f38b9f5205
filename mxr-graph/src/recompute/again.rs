//! How the results of an instruction are made a second time.

use crate::instr::Instr;

/// How the results of an instruction are made a second time, with the same bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Again {
    /// By the same instruction.
    Same,
    /// Result 0 by another instruction from these operands; the other results have to be kept.
    By(Instr, &'static [From]),
    /// Not at all: all of them have to be kept.
    Never,
}

/// An operand of the instruction that makes a result again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// An operand of the first instruction.
    Read(usize),
    /// Another result of it.
    Result(usize),
}

impl Instr {
    /// How the results are made a second time. What an instruction does beside its results (running statistics, random
    /// numbers of the pass) must not happen twice.
    pub fn again(&self) -> Again {
        match *self {
            Instr::BatchNormTrain(attrs, epilogue) => {
                use self::From::{Read, Result};
                let with: &[From] = &[Read(0), Read(1), Read(2), Result(1), Result(2), Read(5)];
                let operands = if epilogue.residual { with } else { &with[..5] };
                Again::By(Instr::BatchNormApply(attrs, epilogue), operands)
            }
            // The mask is what was drawn.
            Instr::Dropout { p, .. } => {
                Again::By(Instr::DropoutBackward { p }, &[From::Read(0), From::Result(1)])
            }
            _ if !self.mutates().is_empty() => Again::Never,
            _ => Again::Same,
        }
    }
}
