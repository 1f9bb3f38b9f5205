//! Buffers: memory with a variable.

use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::StorageError;
use super::plain::bytes_of;
use super::pool::{Block, Pool};
use crate::engine::Var;

const MAX_LEN: usize = isize::MAX as usize / 2;

/// Memory with its own engine variable. Clones share both.
///
/// The memory is taken from the pool when the buffer is first touched, and goes back to it with the last handle.
#[derive(Clone)]
pub struct Buffer(Arc<Shared>);

/// Where the block is and how long changes when it is first taken, and in `RunContext::grow`, which has the variable for itself:
/// an operation that was granted the variable, and has touched the buffer, sees one block to its end.
struct Shared {
    var: Var,
    /// Never becomes less.
    len: AtomicUsize,
    zeroed: bool,
    /// The first byte of `block`; null before there is one.
    start: AtomicPtr<u8>,
    block: Mutex<Option<Block>>,
}

impl Shared {
    fn new(len: usize, zeroed: bool, block: Option<Block>) -> Shared {
        let start = AtomicPtr::new(block.as_ref().map_or(ptr::null_mut(), |b| b.start().as_ptr()));
        Shared { var: Var::new(), len: AtomicUsize::new(len), zeroed, start, block: Mutex::new(block) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Block>> {
        // A panic cannot leave it half-way: it is replaced as a whole.
        self.block.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, held: &mut Option<Block>, block: Block) -> NonNull<u8> {
        let start = block.start();
        *held = Some(block);
        self.start.store(start.as_ptr(), Ordering::Release);
        start
    }
}

impl Buffer {
    /// `len` bytes of any value.
    ///
    /// # Errors
    ///
    /// If `len` is more than an address space holds. That memory has run out shows when the buffer is first touched.
    pub fn new(len: usize) -> Result<Buffer, StorageError> {
        Buffer::lazy(len, false)
    }

    /// `len` bytes that are 0.
    ///
    /// # Errors
    ///
    /// As [`Buffer::new`].
    pub fn zeroed(len: usize) -> Result<Buffer, StorageError> {
        Buffer::lazy(len, true)
    }

    /// `len` bytes that `fill` sets; they are 0, or old numbers, before.
    ///
    /// ```
    /// use mxr::storage::{slice_of_mut, Buffer};
    /// let ones = Buffer::filled(8, |bytes| slice_of_mut(bytes).unwrap().fill(1.0f32))?;
    /// # Ok::<(), mxr::storage::StorageError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is not that much memory.
    pub fn filled(len: usize, fill: impl FnOnce(&mut [u8])) -> Result<Buffer, StorageError> {
        let mut block = Pool::global().take(len, false)?;
        fill(block.bytes_mut(len));
        Ok(Buffer(Arc::new(Shared::new(len, false, Some(block)))))
    }

    /// A copy of these elements.
    ///
    /// # Errors
    ///
    /// If there is not that much memory, or `T` is not one of the types of [`slice_of`](super::slice_of).
    pub fn from_slice<T: Copy + 'static>(elements: &[T]) -> Result<Buffer, StorageError> {
        let bytes = bytes_of(elements)?;
        Buffer::filled(bytes.len(), |to| to.copy_from_slice(bytes))
    }

    /// The variable to list in operations that use the buffer.
    pub fn var(&self) -> &Var {
        &self.0.var
    }

    /// Its bytes.
    pub fn len(&self) -> usize {
        self.0.len.load(Ordering::Acquire)
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether both handles are of the same memory.
    pub fn same(&self, other: &Buffer) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether this is the only handle: then nobody else, no pending operation either, will ever look at the memory.
    pub fn is_unique(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Takes the memory now, so that no later operation has to.
    ///
    /// # Errors
    ///
    /// If there is not that much memory.
    pub fn allocate(&self) -> Result<(), StorageError> {
        self.start().map(drop)
    }

    /// Makes the buffer longer; called while nobody has a view of its bytes. It is what it was if there is not that much memory.
    pub(super) fn enlarge(&self, len: usize) -> Result<(), StorageError> {
        let shared = &*self.0;
        let mut held = shared.lock();
        let before = self.len();
        if len <= before {
            return Ok(());
        }
        if len > MAX_LEN {
            return Err(StorageError::TooLarge { bytes: len });
        }
        // The old block goes first: both together may be more than there is.
        shared.start.store(ptr::null_mut(), Ordering::Release);
        let touched = held.take().is_some();
        match Pool::global().take(len, shared.zeroed) {
            Ok(block) => {
                shared.len.store(len, Ordering::Release);
                shared.place(&mut held, block);
                Ok(())
            }
            Err(e) => {
                // Should this be gone as well meanwhile, then the next touch tells.
                if touched && let Ok(block) = Pool::global().take(before, shared.zeroed) {
                    shared.place(&mut held, block);
                }
                Err(e)
            }
        }
    }

    /// Where the memory is; takes it from the pool at the first call.
    pub(super) fn start(&self) -> Result<NonNull<u8>, StorageError> {
        let shared = &*self.0;
        if let Some(start) = NonNull::new(shared.start.load(Ordering::Acquire)) {
            return Ok(start);
        }
        let mut held = shared.lock();
        // Another reader may have come first.
        if let Some(block) = &*held {
            return Ok(block.start());
        }
        let block = Pool::global().take(self.len(), shared.zeroed)?;
        Ok(shared.place(&mut held, block))
    }

    fn lazy(len: usize, zeroed: bool) -> Result<Buffer, StorageError> {
        if len > MAX_LEN {
            return Err(StorageError::TooLarge { bytes: len });
        }
        Ok(Buffer(Arc::new(Shared::new(len, zeroed, None))))
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes, {:?})", self.len(), self.var())
    }
}
