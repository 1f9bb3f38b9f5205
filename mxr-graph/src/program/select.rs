//! The part of a program that some of its results need.

use super::{Program, Step};
use crate::memory;
use alloc::vec::Vec;

impl Program {
    /// The program that makes these values (outputs, predictions, or the results of layers) and the gradients of these
    /// values (of [`Program::grads`], by what they are the gradient of), and nothing else: steps, inputs, weights and head
    /// gradients that nothing of it needs are gone. The numbers of values, layers and expressions stay as they are.
    ///
    /// Wanted values that are neither outputs nor predictions of the program become outputs.
    pub fn select(&self, wanted: &[u32], grads: &[u32]) -> Program {
        let mut p = self.clone();
        p.grads.to_mut().retain(|(of, _)| grads.contains(of));
        p.outputs.to_mut().retain(|v| wanted.contains(v));
        p.predictions.to_mut().retain(|v| wanted.contains(v));
        for w in wanted {
            if !p.outputs.contains(w) && !p.predictions.contains(w) {
                p.outputs.to_mut().push(*w);
            }
        }

        let mut needed = alloc::vec![false; p.values.len()];
        for v in wanted.iter().chain(p.grads.iter().map(|(_, g)| g)) {
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
        p.heads.to_mut().retain(|(_, head)| needed[*head as usize]);
        p.plan = memory::symbolic(&p);
        p
    }
}
