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

mod images;
mod rewrite;

use super::{Program, Step};
use crate::instr::{Instr, Layout};
use crate::ops::mask;
use crate::shape::Shape;
use alloc::vec::Vec;
use images::Images;
use rewrite::Rewriter;

impl Program {
    /// The same program with feature maps that lie channel after channel ([`ProgramValue::layout`](super::ProgramValue::layout)). Values keep their numbers, new
    /// ones are added. Outputs, gradients and whatever else the user keeps stay as they are, and so do the values of
    /// `fixed`. It has no memory plan.
    ///
    /// Where nothing changes, there are no convolutions.
    pub fn channels_outermost(&self, fixed: &[u32]) -> Program {
        let images = Images::new(self);
        let mut values = self.values.to_vec();
        for (v, _) in self.channel_images(&images, fixed).iter().enumerate().filter(|(_, lies)| **lies) {
            let value = &mut values[v];
            value.layout = Layout::Cnhw;
            match images.masked(v as u32) {
                None => value.shape.to_mut().swap(0, 1),
                // Its bits lie as the elements do.
                Some(of) => {
                    let mut shape = Shape(self.values[of as usize].shape.to_vec());
                    shape.0.swap(0, 1);
                    value.shape = mask::shape(&shape).0.into();
                }
            }
        }
        let mut to = Rewriter::new(&images, values);
        let (ahead, behind) = self.steps.split_at(self.forward as usize);
        ahead.iter().for_each(|s| to.step(s));
        let forward = to.steps.len() as u32;
        behind.iter().for_each(|s| to.step(s));
        Program { values: to.values.into(), steps: to.steps.into(), forward, plan: None, ..self.clone() }
    }

    /// The number of axes of a value.
    pub fn rank(&self, v: u32) -> usize {
        self.values[v as usize].shape.len()
    }

    /// By value: whether it is to lie channel after channel.
    fn channel_images(&self, images: &Images<'_>, fixed: &[u32]) -> Vec<bool> {
        let mut may = self.outside();
        for (v, may) in (0u32..).zip(&mut may) {
            *may = !*may && images.is_one(v) && !fixed.contains(&v);
        }
        // The probabilities of a loss per pixel are returned: it is made in their order.
        for s in self.steps.iter().filter(|s| matches!(s.instr, Instr::CrossEntropy(_))) {
            may[s.reads[0] as usize] &= may[s.writes[1] as usize];
        }
        let linked: Vec<Vec<u32>> = self.steps.iter().map(|s| images.of(s)).collect();
        let mut lies = alloc::vec![false; self.values.len()];
        // What convolutions make; what they read they read in either order.
        let image = |s: &&Step| s.convolves() && !matches!(s.instr, Instr::Conv2dBackwardWeight(_));
        for v in self.steps.iter().filter(image).map(|s| s.writes[0] as usize) {
            lies[v] = may[v];
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
}
