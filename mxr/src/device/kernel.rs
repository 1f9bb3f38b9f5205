//! A kernel call that was prepared once: the instruction, its shapes and its operands' places are fixed, it only has to
//! be run.

use crate::engine::OpError;
use crate::error::{Error, Result};
use crate::storage::{Buffer, Operands};
use mxr_graph::dtype::DType;
use mxr_graph::instr::{Instr, Scalar};
use mxr_kernels::map::Function;
use std::ops::Range;

/// An operand as a kernel is prepared for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec<'a> {
    pub(crate) shape: &'a [usize],
    pub(crate) dtype: DType,
}

impl Spec<'_> {
    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.len() * self.dtype.size()
    }
}

/// What a kernel is prepared for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) instr: &'a Instr,
    /// The expression of [`Instr::expr`].
    pub(crate) expr: &'a [Scalar],
    /// The same, compiled.
    pub(crate) function: Option<Function>,
    pub(crate) reads: &'a [Spec<'a>],
    pub(crate) writes: &'a [Spec<'a>],
    /// Per read: the result whose bytes it shares.
    pub(crate) in_place: &'a [Option<usize>],
    /// The weight of a product or a convolution, its second operand, changes seldom and may be wanted in a [form](Form) of its own.
    pub(crate) fixed_weight: bool,
}

/// The key of random numbers: what is drawn depends on it and on the element's index alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) seed: u64,
    pub(crate) step: u64,
}

/// Where a read's bytes come from in a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum From {
    /// Part `n` that is only read.
    Read(usize),
    /// The result, which holds them before the call.
    Out,
    /// Written part `n`: a state that is updated.
    State(usize),
}

/// The operands of one call: parts that are only read; then results, states and the workspace, which are written.
pub(crate) struct Call<'a, 'r, 'w> {
    pub(crate) reads: &'a [&'r [u8]],
    pub(crate) writes: &'a mut [&'w mut [u8]],
    pub(crate) key: Key,
}

/// The function of a kernel.
pub(crate) type Run = Box<dyn Fn(&mut Call<'_, '_, '_>) -> Result<(), OpError> + Send + Sync>;

/// A prepared kernel.
pub(crate) struct Kernel {
    /// Bytes of scratch memory that a call needs, as the last written part.
    pub(crate) workspace: usize,
    /// The operand that it reads in another form than the step has it.
    pub(crate) form: Option<Form>,
    pub(crate) run: Run,
}

/// An operand as a kernel reads it, made once of what the step has.
pub(crate) struct Form {
    /// Which read it is.
    pub(crate) read: usize,
    /// The same operand is the same array in all forms of one name.
    pub(crate) name: String,
    pub(crate) bytes: usize,
    /// Makes it, the one part that is written, of the operand, the one part that is read.
    pub(crate) make: Run,
}

/// A part of a buffer.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) buffer: Buffer,
    pub(crate) bytes: Range<usize>,
}

impl Request<'_> {
    /// Where each read's bytes are found in a call.
    pub(crate) fn sources(&self) -> Vec<From> {
        let mutated = self.instr.mutates();
        let mut next = 0;
        (0..self.reads.len())
            .map(|i| match (self.in_place.get(i).copied().flatten(), mutated.iter().position(|m| *m == i)) {
                (_, Some(state)) => From::State(self.writes.len() + state),
                (Some(_), None) => From::Out,
                (None, None) => {
                    next += 1;
                    From::Read(next - 1)
                }
            })
            .collect()
    }

    /// The operand list of a call, for these places of the reads and the results.
    pub(crate) fn operands(
        &self,
        reads: &[Part],
        writes: &[Part],
        workspace: Option<Part>,
    ) -> Result<Operands> {
        let mut list = Operands::builder();
        let mut states: Vec<(usize, &Part)> = Vec::new();
        for (source, part) in self.sources().iter().zip(reads) {
            match source {
                From::Read(_) => list = list.read(&part.buffer, part.bytes.clone()),
                From::Out => {}
                From::State(n) => states.push((*n, part)),
            }
        }
        states.sort_by_key(|(n, _)| *n);
        for part in writes.iter().chain(states.into_iter().map(|(_, p)| p)).chain(workspace.as_ref()) {
            list = list.write(&part.buffer, part.bytes.clone());
        }
        list.build()
            .map_err(|e| Error::invalid("memory", e.to_string(), "give every operand memory of its own"))
    }
}
