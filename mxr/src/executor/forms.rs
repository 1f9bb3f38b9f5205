//! Weights of a prediction in the forms in which kernels read them: made once, and all of them again when a weight was written, rather than in
//! every step.

use super::layout::layer_name;
use super::pass::Ready;
use crate::device::kernel::{Form, Kernel, Part};
use crate::error::Result;
use crate::ndarray::memory;
use crate::storage::{Buffer, Operands};
use mxr_graph::instr::Instr;
use mxr_graph::program::{Program, Role};

/// A weight in one form.
#[derive(Debug)]
struct Kept {
    /// The parameter, or what is [kept](Role::Kept) of parameters.
    weight: u32,
    name: String,
    bytes: usize,
    /// The step that makes the weight, where it is wanted in this form alone: then the weight itself is not kept.
    after: Option<usize>,
}

/// All forms of a program's weights.
#[derive(Debug, Default)]
pub(super) struct Forms {
    /// By value: the weight whose numbers it has.
    weights: Vec<Option<u32>>,
    kept: Vec<Kept>,
    /// By step: the form that it reads.
    of: Vec<Option<usize>>,
}

impl Forms {
    /// None.
    pub(super) fn none(program: &Program) -> Forms {
        Forms {
            weights: vec![None; program.values.len()],
            kept: Vec::new(),
            of: vec![None; program.steps.len()],
        }
    }

    /// For a prediction; the forms are still to be [noted](Self::note).
    pub(super) fn for_prediction(program: &Program) -> Forms {
        let mut forms = Forms::none(program);
        for (v, value) in program.values.iter().enumerate() {
            if matches!(value.role, Role::Param | Role::Kept) {
                forms.weights[v] = Some(v as u32);
            }
        }
        for s in program.steps.iter().filter(|s| s.instr == Instr::View) {
            let shown = forms.weights[s.reads[0] as usize];
            let to = &mut forms.weights[s.writes[0] as usize];
            *to = to.or(shown);
        }
        forms
    }

    /// Whether the second operand of a step is a weight that may be wanted in another form.
    pub(super) fn may_serve(&self, program: &Program, at: usize) -> bool {
        let weight = program.steps[at].reads.get(1).and_then(|v| self.weights[*v as usize]);
        at >= program.prologue() && weight.is_some()
    }

    /// What the kernel of a step wants.
    pub(super) fn note(&mut self, program: &Program, at: usize, kernel: &Kernel) {
        let Some(Form { read, name, bytes, .. }) = &kernel.form else { return };
        let weight = self.weights[program.steps[at].reads[*read] as usize].expect("a form is of a weight");
        let there = self.kept.iter().position(|k| k.weight == weight && k.name == *name);
        self.of[at] = Some(there.unwrap_or_else(|| {
            self.kept.push(Kept { weight, name: name.clone(), bytes: *bytes, after: None });
            self.kept.len() - 1
        }));
    }

    /// Weights that an elementwise step makes and that are wanted in one form alone are not kept: that form is made right behind the step,
    /// which leaves the weight in a workspace of so many bytes (`needs`).
    pub(super) fn pass_on(&mut self, program: &Program, needs: &mut [u64], bytes: impl Fn(u32) -> usize) {
        for number in 0..self.kept.len() {
            let weight = self.kept[number].weight;
            let maker = program.steps.iter().position(|s| s.writes[..] == [weight]);
            let elementwise = |m: &usize| matches!(program.steps[*m].instr, Instr::Map(_));
            let Some(maker) = maker.filter(|m| needs[*m] == 0 && elementwise(m)) else { continue };
            let alone = |(at, s): (usize, &mxr_graph::program::Step)| {
                let reads = s.reads.iter().filter(|v| **v == weight).count();
                reads == 0 || reads == 1 && self.of[at] == Some(number)
            };
            if program.steps.iter().enumerate().all(alone) {
                needs[maker] = bytes(weight) as u64;
                self.kept[number].after = Some(maker);
            }
        }
    }

    /// The step in whose workspace a weight lies that is not kept.
    pub(super) fn passed_on(&self, weight: u32) -> Option<usize> {
        self.kept.iter().find(|k| k.weight == weight).and_then(|k| k.after)
    }

    /// Bytes of all.
    pub(super) fn bytes(&self) -> usize {
        self.kept.iter().map(|k| k.bytes).sum()
    }
}

/// The arrays of the forms, and the steps that make them.
pub(super) struct Makers<'a> {
    forms: &'a Forms,
    arrays: Vec<Option<Part>>,
    steps: Vec<(usize, Ready)>,
}

impl<'a> Makers<'a> {
    pub(super) fn new(forms: &'a Forms) -> Makers<'a> {
        Makers { forms, arrays: vec![None; forms.kept.len()], steps: Vec::new() }
    }

    /// What step `at` reads instead of its weight, and which read that is.
    pub(super) fn serve(
        &mut self,
        program: &Program,
        at: usize,
        kernel: &mut Kernel,
        part: impl Fn(u32) -> Part,
    ) -> Result<Option<(usize, Part)>> {
        let (Some(form), Some(number)) = (kernel.form.take(), self.forms.of[at]) else { return Ok(None) };
        if let Some(there) = &self.arrays[number] {
            return Ok(Some((form.read, there.clone())));
        }
        let kept = &self.forms.kept[number];
        let made = Part { buffer: Buffer::new(kept.bytes).map_err(memory)?, bytes: 0..kept.bytes };
        let weight = part(kept.weight);
        let operands = Operands::builder().read(&weight.buffer, weight.bytes);
        let operands = operands.write(&made.buffer, made.bytes.clone()).build().map_err(memory)?;
        let make = Kernel { workspace: 0, form: None, run: form.make };
        let layer = layer_name(program, &program.steps[at]).to_string();
        self.steps.push((number, Ready { operands, kernel: Some(make), layer, results: Vec::new() }));
        self.arrays[number] = Some(made.clone());
        Ok(Some((form.read, made)))
    }

    /// The prologue with these steps: behind the one that makes a weight that is not kept, or at the end.
    pub(super) fn among(self, prologue: Vec<Ready>) -> Vec<Ready> {
        let after = |number: usize| self.forms.kept[number].after;
        let (mut behind, last): (Vec<_>, Vec<_>) =
            self.steps.into_iter().partition(|(number, _)| after(*number).is_some());
        behind.sort_by_key(|(number, _)| after(*number));
        let mut behind = behind.into_iter().peekable();
        let mut all = Vec::new();
        for (at, step) in prologue.into_iter().enumerate() {
            all.push(step);
            while let Some((_, make)) = behind.next_if(|(number, _)| after(*number) == Some(at)) {
                all.push(make);
            }
        }
        all.extend(last.into_iter().map(|(_, make)| make));
        all
    }
}
