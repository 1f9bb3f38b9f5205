//! A look at every value while a network runs.

use crate::storage::slice_of;
use mxr_graph::dtype::DType;
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
    /// Its bytes.
    pub bytes: &'a [u8],
}

impl Observation<'_> {
    /// The elements, if they are f32.
    pub fn as_f32(&self) -> Option<&[f32]> {
        (self.dtype == DType::F32).then(|| slice_of(self.bytes).ok()).flatten()
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
