//! The part of a program that some of its results need.

use super::{Program, Role, Step};
use crate::instr::Instr;
use crate::memory;
use alloc::format;
use alloc::vec::Vec;

impl Program {
    /// The program that makes these values (outputs, predictions, or the results of layers) and the gradients of these
    /// values (of [`Program::grads`], by what they are the gradient of), and nothing else: steps, inputs, weights and head
    /// gradients that nothing of it needs are gone. The numbers of values, layers and expressions stay as they are.
    ///
    /// Wanted values that are neither outputs nor predictions of the program become outputs; one that is fed (the layer returns
    /// its input) becomes an output through a copy with a number of its own. Outputs come in the order in which they are wanted.
    pub fn select(&self, wanted: &[u32], grads: &[u32]) -> Program {
        let mut p = self.clone();
        p.grads.to_mut().retain(|(of, _)| grads.contains(of));
        p.predictions.to_mut().retain(|v| wanted.contains(v));
        let mut outputs: Vec<u32> = Vec::with_capacity(wanted.len());
        let first = |(at, w): &(usize, &u32)| !wanted[..*at].contains(w);
        for (_, w) in wanted.iter().enumerate().filter(first) {
            let out = match p.values[*w as usize].role {
                _ if p.predictions.contains(w) && !self.outputs.contains(w) => continue,
                Role::Internal => *w,
                _ => p.copy_of(*w),
            };
            outputs.push(out);
        }
        p.outputs = outputs.into();

        let mut needed = alloc::vec![false; p.values.len()];
        for v in p.outputs.iter().chain(p.predictions.iter()).chain(p.grads.iter().map(|(_, g)| g)) {
            needed[*v as usize] = true;
        }
        let mut kept: Vec<Step> = Vec::with_capacity(p.steps.len());
        let mut forward = 0;
        for (at, s) in p.steps.iter().enumerate().rev() {
            if s.writes.iter().any(|w| needed[*w as usize]) {
                for r in s.reads.iter() {
                    needed[*r as usize] = true;
                }
                forward += u32::from((at as u32) < p.forward);
                kept.push(s.clone());
            }
        }
        kept.reverse();
        p.steps = kept.into();
        p.forward = forward;
        for list in [&mut p.inputs, &mut p.params, &mut p.aux] {
            list.to_mut().retain(|v| needed[*v as usize]);
        }
        p.training.to_mut().retain(|(v, _)| needed[*v as usize]);
        p.heads.to_mut().retain(|(_, head)| needed[*head as usize]);
        p.plan = memory::symbolic(&p);
        p
    }

    /// The program with the gradients of weights alone.
    pub(crate) fn trained(&self) -> Program {
        let results: Vec<u32> = self.outputs.iter().chain(self.predictions.iter()).copied().collect();
        let weights = self.grads.iter().map(|(of, _)| *of);
        let weights: Vec<u32> = weights.filter(|of| self.values[*of as usize].role == Role::Param).collect();
        self.select(&results, &weights)
    }

    /// A value of its own with the contents of one that is fed.
    fn copy_of(&mut self, value: u32) -> u32 {
        let new = self.values.len() as u32;
        let mut v = self.values[value as usize].clone();
        v.name = format!("{}_copy{new}", v.name).into();
        v.role = Role::Internal;
        self.values.to_mut().push(v);
        let step = Step {
            instr: Instr::View,
            reads: alloc::vec![value].into(),
            writes: alloc::vec![new].into(),
            layer: 0,
        };
        self.steps.to_mut().insert(self.forward as usize, step);
        self.forward += 1;
        new
    }
}
