//! Buffers: memory with a variable.

use std::fmt;
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

use super::error::StorageError;
use super::plain::bytes_of;
use super::pool::{Block, Pool};
use crate::engine::Var;

/// Memory of a fixed size with its own engine variable. Clones share both.
///
/// The memory is taken from the pool when the buffer is first touched, and goes back to it with the last handle.
#[derive(Clone)]
pub struct Buffer(Arc<Shared>);

struct Shared {
    var: Var,
    len: usize,
    zeroed: bool,
    block: OnceLock<Block>,
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
        let shared = Shared { var: Var::new(), len, zeroed: false, block: OnceLock::from(block) };
        Ok(Buffer(Arc::new(shared)))
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
        self.0.len
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

    /// Where the memory is; takes it from the pool at the first call.
    pub(super) fn start(&self) -> Result<NonNull<u8>, StorageError> {
        let shared = &*self.0;
        if let Some(block) = shared.block.get() {
            return Ok(block.start());
        }
        let block = Pool::global().take(shared.len, shared.zeroed)?;
        // Two readers may come here at once; the block of the slower one goes back to the pool.
        Ok(shared.block.get_or_init(|| block).start())
    }

    fn lazy(len: usize, zeroed: bool) -> Result<Buffer, StorageError> {
        if len > isize::MAX as usize / 2 {
            return Err(StorageError::TooLarge { bytes: len });
        }
        Ok(Buffer(Arc::new(Shared { var: Var::new(), len, zeroed, block: OnceLock::new() })))
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes, {:?})", self.len(), self.var())
    }
}
