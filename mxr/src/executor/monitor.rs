//! A look at every value while a network runs.

use crate::storage::slice_of;
use mxr_graph::dtype::DType;
use std::borrow::Cow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// A value that a step has just made.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// The layer.
    pub layer: &'a str,
    /// The value: `conv1_output`; gradients are called `conv1_grad_…`.
    pub value: &'a str,
    /// Its extents.
    pub shape: &'a [usize],
    /// Its element type.
    pub dtype: DType,
    pub(super) memory: &'a [u8],
    /// Whether the memory holds channel after channel.
    pub(super) channels_outermost: bool,
}

impl<'a> Observation<'a> {
    /// Its bytes, row-major: borrowed, except where a feature map `[n, c, h, w]` lies channel after channel in memory
    /// ([`BindOptions::nchw`](crate::BindOptions::nchw) keeps maps as they are written) and is copied image by image.
    pub fn bytes(&self) -> Cow<'a, [u8]> {
        match (self.channels_outermost, self.shape) {
            (true, &[n, c, ..]) => {
                let plane = self.memory.len() / (n * c).max(1);
                let planes = (0..n).flat_map(|image| (0..c).map(move |channel| channel * n + image));
                let mut bytes = Vec::with_capacity(self.memory.len());
                planes.for_each(|at| bytes.extend_from_slice(&self.memory[at * plane..][..plane]));
                bytes.into()
            }
            _ => self.memory.into(),
        }
    }

    /// The elements, row-major, if they are f32.
    pub fn as_f32(&self) -> Option<Cow<'a, [f32]>> {
        if self.dtype != DType::F32 {
            return None;
        }
        match self.bytes() {
            Cow::Borrowed(bytes) => slice_of(bytes).ok().map(Cow::Borrowed),
            Cow::Owned(bytes) => {
                let element = |b: &[u8]| f32::from_ne_bytes(b.try_into().expect("four bytes"));
                Some(bytes.chunks_exact(4).map(element).collect())
            }
        }
    }
}

pub(super) type Callback = Box<dyn FnMut(&Observation<'_>) + Send>;

#[derive(Default)]
pub(super) struct Monitor {
    on: AtomicBool,
    callback: Mutex<Option<Callback>>,
}

impl Monitor {
    pub(super) fn set(&self, callback: Option<Callback>) {
        self.on.store(callback.is_some(), Ordering::Release);
        *self.callback.lock().unwrap_or_else(|e| e.into_inner()) = callback;
    }

    pub(super) fn is_on(&self) -> bool {
        self.on.load(Ordering::Acquire)
    }

    pub(super) fn show(&self, observation: &Observation<'_>) {
        if let Some(f) = &mut *self.callback.lock().unwrap_or_else(|e| e.into_inner()) {
            f(observation);
        }
    }
}
