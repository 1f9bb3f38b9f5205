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
        // SAFETY: the block has `len` initialised bytes. The shared borrow lasts until the operation ends, so no exclusive one
        // exists in it, nor, by the grant, in any other operation; so the block is not replaced before either (`grow`
        // borrows exclusively), and lives as long as `buffer`.
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

    /// Makes a buffer at least `len` bytes long, for all its handles, in an operation that listed its variable for writing.
    /// Where it grows, what was in it is lost; parts that were within it are within it still.
    ///
    /// ```
    /// use mxr::{engine::Engine, storage::Buffer};
    /// let engine = Engine::serial();
    /// let arena = Buffer::new(64)?;
    /// engine.run_here(&[], &[arena.var()], "grow", |ctx| Ok(ctx.grow(&arena, 4096)?))?;
    /// assert_eq!(arena.len(), 4096);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the operation did not list it for writing, or has lent it; if there is not that much memory: then the buffer is
    /// what it was.
    pub fn grow(&self, buffer: &Buffer, len: usize) -> Result<(), StorageError> {
        // Nobody has a view of the old block while this is borrowed.
        let _alone = self.lend(buffer, true)?;
        buffer.enlarge(len)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::OpError;

    #[test]
    fn views_of_one_operation_never_alias() {
        let engine = Engine::serial();
        let (a, b) = (Buffer::zeroed(8).unwrap(), Buffer::zeroed(8).unwrap());
        let refused = |run: &dyn Fn(&RunContext<'_>) -> Result<(), StorageError>| {
            let result = engine.run_here(&[a.var()], &[b.var()], "probe", |ctx| Ok::<_, OpError>(run(ctx)));
            matches!(result.unwrap(), Err(StorageError::Denied { .. }))
        };
        assert!(!refused(&|ctx| ctx.read(&a).and(ctx.read(&a)).map(drop)), "any number of readers");
        assert!(refused(&|ctx| ctx.write(&a).map(drop)), "listed for reading only");
        assert!(refused(&|ctx| ctx.write(&b).and(ctx.write(&b)).map(drop)));
        assert!(refused(&|ctx| ctx.write(&b).and_then(|_| ctx.read(&b).map(drop))));
        assert!(refused(&|ctx| ctx.read(&b).and_then(|_| ctx.write(&b).map(drop))));
        assert!(refused(&|ctx| ctx.read(&Buffer::new(1)?).map(drop)), "never listed");
    }

    #[test]
    fn running_out_of_memory_is_an_error_of_the_operation() {
        let engine = Engine::threaded(1);
        let huge = Buffer::new(1 << 61).unwrap();
        let lent = huge.clone();
        engine.push(&[], &[huge.var()], "touch", move |ctx| {
            ctx.write(&lent)?.fill(1);
            Ok(())
        });
        let error = engine.wait_for(huge.var()).unwrap_err();
        assert!(error.message().starts_with("out of memory: 2305843009213693952 bytes"), "{error}");
        assert!(Buffer::new(usize::MAX).unwrap_err().to_string().contains("is a size wrong?"));
    }

    #[test]
    fn outside_access_waits_for_its_turn() {
        let engine = Engine::threaded(1);
        let buffer = Buffer::from_slice(&[0u64]).unwrap();
        for _ in 0..1000 {
            let lent = buffer.clone();
            engine.push(&[], &[buffer.var()], "add", move |ctx| {
                ctx.write_as::<u64>(&lent)?[0] += 1;
                Ok(())
            });
        }
        assert_eq!(buffer.to_vec::<u64>(&engine).unwrap(), [1000]);
        buffer.write_with(&engine, |bytes| bytes.fill(0)).unwrap();
        assert_eq!(buffer.read_with(&engine, |bytes| bytes.to_vec()).unwrap(), [0; 8]);
        assert!(buffer.to_vec::<char>(&engine).is_err());
        buffer.to_vec::<f32>(&engine).expect("a failed look leaves no mark on what it only reads");
    }

    #[test]
    fn a_buffer_grows_between_operations() {
        for engine in [Engine::serial(), Engine::threaded(2)] {
            let buffer = Buffer::zeroed(8).unwrap();
            let lent = buffer.clone();
            let fill = engine.prepare(&[], &[buffer.var()], "fill", move |ctx| {
                let bytes = ctx.write(&lent)?;
                let n = bytes.len();
                bytes.fill(n as u8);
                Ok(())
            });
            for len in [8, 100, 50, 200] {
                for _ in 0..10 {
                    engine.push_prepared(&fill);
                }
                let before = buffer.len();
                engine.run_here(&[], &[buffer.var()], "grow", |ctx| Ok(ctx.grow(&buffer, len)?)).unwrap();
                assert_eq!(buffer.len(), before.max(len));
                let now = buffer.to_vec::<u8>(&engine).unwrap();
                let same = if len > before { vec![0; len] } else { vec![before as u8; before] };
                assert_eq!(now, same, "zero where it is new");
            }
        }
    }

    #[test]
    fn a_buffer_that_cannot_grow_is_what_it_was() {
        let engine = Engine::serial();
        let buffer = Buffer::from_slice(&[1u8; 16]).unwrap();
        for len in [1 << 61, usize::MAX] {
            let refused = engine.run_here(&[], &[buffer.var()], "grow", |ctx| Ok(ctx.grow(&buffer, len)));
            assert!(refused.unwrap().is_err());
            assert_eq!(buffer.to_vec::<u8>(&engine).unwrap().len(), 16);
        }
        let lists: [(&[&crate::engine::Var], &[&crate::engine::Var]); 2] =
            [(&[buffer.var()], &[]), (&[], &[buffer.var()])];
        for (reads, writes) in lists {
            let lent = engine.run_here(reads, writes, "lend", |ctx| {
                let _view = ctx.read(&buffer)?;
                Ok(ctx.grow(&buffer, 64))
            });
            assert!(matches!(lent.unwrap(), Err(StorageError::Denied { .. })), "somebody looks at it");
        }
    }
}
