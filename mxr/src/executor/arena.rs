//! The memory of the arrays between layers: of one executor, or of several that take turns.
//!
//! What lies in it belongs to the pass that ran last. A backward pass needs what its own forward pass left, so each
//! forward pass leaves its mark, and a backward pass that finds another one is an error instead of wrong numbers. That is
//! looked at twice: when the pass is asked for, where it can be told at once, and when it runs, in the order of the engine,
//! which is the one that counts when several threads ask.

use crate::device::Device;
use crate::engine::{OpError, Properties, Var};
use crate::error::Result;
use crate::ndarray::memory;
use crate::storage::Buffer;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Shared memory. Clones are the same memory.
#[derive(Clone, Debug)]
pub(crate) struct Arena(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    device: Device,
    buffer: Buffer,
    /// The most bytes that the arrays of one executor take of it, without workspaces.
    internal: AtomicUsize,
    /// The mark of the last forward pass that was asked for.
    asked: AtomicU64,
    /// The mark of the last forward pass that ran. Written by operations that have the arena for themselves.
    ran: AtomicU64,
}

/// Who has left its values in an arena: a mode of an executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark(u64);

impl Mark {
    pub(super) fn new() -> Mark {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Mark(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Nobody's values.
const USED_UP: u64 = 0;

impl Arena {
    /// Of so many bytes, `internal` of them for arrays and the others for workspaces of kernels.
    pub(super) fn new(device: &Device, bytes: usize, internal: usize) -> Result<Arena> {
        let buffer = Buffer::new(bytes).map_err(memory)?;
        buffer.allocate().map_err(memory)?;
        Ok(Arena(Arc::new(Inner {
            device: device.clone(),
            buffer,
            internal: AtomicUsize::new(internal),
            asked: AtomicU64::new(USED_UP),
            ran: AtomicU64::new(USED_UP),
        })))
    }

    /// At least so large. Where it has to grow, it waits for passes under way, and what they left is gone.
    pub(super) fn fit(&self, bytes: usize, internal: usize) -> Result<()> {
        let Inner { device, buffer, asked, ran, .. } = &*self.0;
        if bytes <= buffer.len() {
            self.0.internal.fetch_max(internal, Ordering::Relaxed);
            return Ok(());
        }
        asked.store(USED_UP, Ordering::Relaxed);
        let props = Properties::new("grow").overwrites(true);
        let grown = device.engine().run_here(&[], &[buffer.var()], props, |ctx| {
            ran.store(USED_UP, Ordering::Relaxed);
            Ok(ctx.grow(buffer, bytes))
        })?;
        grown.map_err(memory)?;
        self.0.internal.fetch_max(internal, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn device(&self) -> &Device {
        &self.0.device
    }

    pub(super) fn buffer(&self) -> &Buffer {
        &self.0.buffer
    }

    /// Bytes for arrays, and bytes for workspaces besides.
    pub(super) fn bytes(&self) -> (usize, usize) {
        let internal = self.0.internal.load(Ordering::Relaxed);
        (internal, self.0.buffer.len().saturating_sub(internal))
    }

    /// What every pass lists as written, so that the passes of all executors follow each other.
    pub(super) fn var(&self) -> &Var {
        self.0.buffer.var()
    }

    /// A forward pass is asked for.
    pub(super) fn ask(&self, mark: Mark) {
        self.0.asked.store(mark.0, Ordering::Relaxed);
    }

    /// Whether the last forward pass that was asked for is this one's.
    pub(super) fn is_asked(&self, mark: Mark) -> bool {
        self.0.asked.load(Ordering::Relaxed) == mark.0
    }

    /// A forward pass begins.
    pub(super) fn enter(&self, mark: Mark) {
        self.0.ran.store(mark.0, Ordering::Relaxed);
    }

    /// A backward pass begins, which uses up what the forward pass left.
    pub(super) fn take(&self, mark: Mark) -> Result<(), OpError> {
        match self.0.ran.swap(USED_UP, Ordering::Relaxed) == mark.0 {
            true => Ok(()),
            false => Err(OpError::new(TAKEN_OVER)),
        }
    }
}

/// What a backward pass is told that comes too late.
pub(super) const TAKEN_OVER: &str =
    "another pass in the same shared memory has overwritten the values of the forward pass";
