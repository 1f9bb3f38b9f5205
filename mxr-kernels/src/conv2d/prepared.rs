//! Forward convolutions whose weight was prepared before: packed or transformed as a candidate reads it, once rather than in every call.
//!
//! ```
//! use mxr_graph::instr::ConvAttrs;
//! use mxr_kernels::conv2d::{Conv2d, prepared};
//! use mxr_kernels::epilogue::Epilogue;
//!
//! let conv = Conv2d::new([1, 2, 4, 4], [3, 2, 1, 1], [1, 3, 4, 4], ConvAttrs::default())?;
//! let candidate = prepared::select::<f32>(&conv).expect("a small image");
//! let mut weight = vec![0.0; candidate.prepared_len(&conv).expect("it prepares")];
//! candidate.prepare(&conv, &[1.0; 6], &mut weight);
//!
//! let (mut y, mut workspace) = ([0.0; 48], vec![0.0; candidate.prepared_workspace_len(&conv)]);
//! candidate.forward_prepared(&conv, &[1.0; 32], &weight, Epilogue::NONE, &mut y, &mut workspace);
//! assert_eq!(y, [2.0; 48]);
//! # Ok::<(), String>(())
//! ```

use super::{Candidate, Conv2d, ConvElement, Direction, Image, choice};
use crate::epilogue::Epilogue;
use crate::isa::Isa;

/// The candidate for a forward convolution whose weight is prepared once and used again and again; `None` where preparing it is so small
/// a part of a call that the memory is not worth it, or nothing has to be prepared. `MXR_CONV` overrides it as it does
/// [`select`](super::select).
///
/// It may be another one than [`select`](super::select) finds: what a call must prepare itself counts there.
pub fn select<T: ConvElement>(conv: &Conv2d) -> Option<&'static Candidate<T>> {
    let candidate = choice::choose(choice::wish(), Isa::detect(), conv, Direction::Forward, true);
    (candidate.prepared.is_some() && choice::worth_preparing(conv, candidate)).then_some(candidate)
}

/// How a candidate prepares weights.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prepared<T: 'static> {
    pub(super) len: fn(&Conv2d) -> usize,
    /// Convolution, the weight, what is made of it.
    pub(super) prepare: fn(&Conv2d, &[T], &mut [T]),
    pub(super) workspace_len: fn(&Conv2d) -> usize,
    pub(super) forward: Image<T>,
}

impl<T: ConvElement> Candidate<T> {
    /// Elements of a weight as [`prepare`](Self::prepare) makes it; `None` where the candidate reads weights as they are. Depends on the
    /// weight's shape, the groups and the candidate alone, and so does what is made: it serves images of any size and number.
    pub fn prepared_len(&self, conv: &Conv2d) -> Option<usize> {
        self.prepared.map(|p| (p.len)(conv))
    }

    /// Prepares a weight.
    ///
    /// # Panics
    ///
    /// If the candidate does not [accept](Self::accepts) the forward convolution or prepares nothing, or a slice has another length
    /// than the convolution and [`prepared_len`](Self::prepared_len) say.
    pub fn prepare(&self, conv: &Conv2d, weight: &[T], to: &mut [T]) {
        let prepared = self.prepares(conv, to);
        assert_eq!(weight.len(), conv.weight_len(), "elements of the weight: {conv:?}");
        (prepared.prepare)(conv, weight, to);
    }

    /// Elements of workspace that [`forward_prepared`](Self::forward_prepared) needs. Depends on the shapes alone.
    pub fn prepared_workspace_len(&self, conv: &Conv2d) -> usize {
        self.prepared.map_or(0, |p| (p.workspace_len)(conv))
    }

    /// As [`forward`](super::forward), bit for bit, with what [`prepare`](Self::prepare) has made of the weight.
    ///
    /// # Panics
    ///
    /// As [`prepare`](Self::prepare) and [`forward`](super::forward).
    pub fn forward_prepared(
        &self,
        conv: &Conv2d,
        x: &[T],
        weight: &[T],
        epilogue: Epilogue<'_, T>,
        y: &mut [T],
        workspace: &mut [T],
    ) {
        let prepared = self.prepares(conv, weight);
        conv.check_images(x, y);
        let len = (prepared.workspace_len)(conv);
        assert!(workspace.len() >= len, "a workspace of {len} elements is needed: {conv:?}");
        conv.check_forward(&epilogue);
        if !y.is_empty() {
            (prepared.forward)(conv, x, weight, epilogue, y, workspace);
        }
    }

    fn prepares(&self, conv: &Conv2d, weight: &[T]) -> Prepared<T> {
        let accepts = self.accepts(conv, Direction::Forward);
        assert!(accepts, "candidate {} was asked for what it does not accept: {conv:?}", self.name);
        let Some(prepared) = self.prepared else {
            panic!("candidate {} reads weights as they are", self.name);
        };
        assert_eq!(weight.len(), (prepared.len)(conv), "elements of the prepared weight: {conv:?}");
        prepared
    }
}
