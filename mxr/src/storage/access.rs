//! Whole buffers lent to operations, and to threads outside that wait for their turn.

use std::panic::Location;
use std::slice;

use super::buffer::Buffer;
use super::error::StorageError;
use super::plain::{slice_of, slice_of_mut};
use crate::engine::{Borrow, Engine, EngineError, Properties, RunContext};

/// Buffers inside an operation. What these lend is lent until the operation ends: many times to read, or once to write.
impl RunContext<'_> {
    /// The bytes of a buffer whose variable the operation listed.
    ///
    /// # Errors
    ///
    /// If it did not list it, has lent it to write already, or memory has run out.
    pub fn read<'a>(&'a self, buffer: &'a Buffer) -> Result<&'a [u8], StorageError> {
        let start = buffer.start()?;
        self.lend(buffer, false)?.keep();
        // SAFETY: the block has `len` initialised bytes and lives as long as `buffer`. The shared borrow lasts until the
        // operation ends, so no exclusive one exists in it, nor, by the grant, in any other operation.
        Ok(unsafe { slice::from_raw_parts(start.as_ptr(), buffer.len()) })
    }

    /// The bytes of a buffer whose variable the operation listed for writing, to be read and changed.
    ///
    /// # Errors
    ///
    /// If it did not list it for writing, has lent it already, or memory has run out.
    #[allow(clippy::mut_from_ref)] // The exclusive borrow is counted in the context.
    pub fn write<'a>(&'a self, buffer: &'a Buffer) -> Result<&'a mut [u8], StorageError> {
        let start = buffer.start()?;
        self.lend(buffer, true)?.keep();
        // SAFETY: as in `read`; the exclusive borrow lasts until the operation ends, so this is the only view.
        Ok(unsafe { slice::from_raw_parts_mut(start.as_ptr(), buffer.len()) })
    }

    /// The elements of a buffer whose variable the operation listed.
    ///
    /// # Errors
    ///
    /// Those of [`RunContext::read`] and of [`slice_of`].
    pub fn read_as<'a, T: Copy + 'static>(&'a self, buffer: &'a Buffer) -> Result<&'a [T], StorageError> {
        slice_of(self.read(buffer)?)
    }

    /// The elements of a buffer whose variable the operation listed for writing, to be read and changed.
    ///
    /// # Errors
    ///
    /// Those of [`RunContext::write`] and of [`slice_of_mut`].
    #[allow(clippy::mut_from_ref)] // As in `write`.
    pub fn write_as<'a, T: Copy + 'static>(
        &'a self,
        buffer: &'a Buffer,
    ) -> Result<&'a mut [T], StorageError> {
        slice_of_mut(self.write(buffer)?)
    }

    /// Borrows a buffer's variable, with the refusal in words.
    pub(super) fn lend(&self, buffer: &Buffer, write: bool) -> Result<Borrow<'_>, StorageError> {
        self.borrow(buffer.var(), write).map_err(|reason| StorageError::Denied {
            reason,
            operation: self.name().to_owned(),
            write,
        })
    }
}

/// Buffers outside operations: the calling thread waits for its turn and runs the closure as an operation of its own.
impl Buffer {
    /// Lets `look` read the bytes as soon as everything pushed before that writes them has run.
    ///
    /// # Errors
    ///
    /// The error that the buffer's variable carries; that the call is inside an operation; that memory has run out.
    #[track_caller]
    pub fn read_with<R>(&self, engine: &Engine, look: impl FnOnce(&[u8]) -> R) -> Result<R, EngineError> {
        let props = Properties::new("read").pushed_at(Location::caller());
        engine.run_here(&[self.var()], &[], props, |ctx| Ok(look(ctx.read(self)?)))
    }

    /// Lets `change` change the bytes as soon as everything pushed before that uses them has run.
    ///
    /// # Errors
    ///
    /// As [`Buffer::read_with`].
    #[track_caller]
    pub fn write_with<R>(
        &self,
        engine: &Engine,
        change: impl FnOnce(&mut [u8]) -> R,
    ) -> Result<R, EngineError> {
        let props = Properties::new("write").pushed_at(Location::caller());
        engine.run_here(&[], &[self.var()], props, |ctx| Ok(change(ctx.write(self)?)))
    }

    /// A copy of the elements, as soon as everything pushed before that writes them has run.
    ///
    /// # Errors
    ///
    /// As [`Buffer::read_with`], and those of [`slice_of`].
    #[track_caller]
    pub fn to_vec<T: Copy + 'static>(&self, engine: &Engine) -> Result<Vec<T>, EngineError> {
        let props = Properties::new("read").pushed_at(Location::caller());
        engine.run_here(&[self.var()], &[], props, |ctx| Ok(ctx.read_as(self)?.to_vec()))
    }
}
