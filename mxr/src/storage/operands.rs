//! Operand lists: the parts of buffers that one step reads and writes, proven disjoint in advance.

use std::fmt;
use std::ops::Range;
use std::slice;

use super::buffer::Buffer;
use super::error::StorageError;
use crate::engine::{Borrow, RunContext, Var};

/// The parts of buffers that one step reads and writes, in order.
///
/// What is written overlaps nothing else in the list; parts that are read may overlap each other. A part that is changed in
/// place is listed once, as written.
#[derive(Clone)]
pub struct Operands {
    reads: Box<[Part]>,
    writes: Box<[Part]>,
    /// Every buffer once, and whether any part of it is written.
    buffers: Box<[(Buffer, bool)]>,
}

#[derive(Clone)]
struct Part {
    /// Index into `buffers`.
    buffer: usize,
    start: usize,
    len: usize,
}

impl Operands {
    /// An empty list to be filled.
    pub fn builder() -> OperandsBuilder {
        OperandsBuilder { reads: Vec::new(), writes: Vec::new() }
    }

    /// How many parts are read.
    pub fn reads(&self) -> usize {
        self.reads.len()
    }

    /// How many parts are written.
    pub fn writes(&self) -> usize {
        self.writes.len()
    }

    /// The variables of the buffers, for an operation that runs this step.
    pub fn vars(&self) -> VarLists {
        VarLists::of([self])
    }

    /// Takes the memory of all buffers now, so that no run has to.
    ///
    /// # Errors
    ///
    /// If there is not that much memory.
    pub fn allocate(&self) -> Result<(), StorageError> {
        self.buffers.iter().try_for_each(|(buffer, _)| buffer.allocate())
    }
}

impl fmt::Debug for Operands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |parts: &[Part]| -> Vec<_> {
            parts.iter().map(|p| (p.buffer, p.start..p.start + p.len)).collect()
        };
        f.debug_struct("Operands")
            .field("buffers", &self.buffers)
            .field("reads", &list(&self.reads))
            .field("writes", &list(&self.writes))
            .finish()
    }
}

/// Collects the parts of an operand list; see [`Operands::builder`].
#[derive(Clone, Debug)]
pub struct OperandsBuilder {
    reads: Vec<(Buffer, Range<usize>)>,
    writes: Vec<(Buffer, Range<usize>)>,
}

impl OperandsBuilder {
    /// The next part to read.
    pub fn read(mut self, buffer: &Buffer, bytes: Range<usize>) -> OperandsBuilder {
        self.reads.push((buffer.clone(), bytes));
        self
    }

    /// The next part to write, which may be read and changed in place.
    pub fn write(mut self, buffer: &Buffer, bytes: Range<usize>) -> OperandsBuilder {
        self.writes.push((buffer.clone(), bytes));
        self
    }

    /// The list.
    ///
    /// # Errors
    ///
    /// If a part reaches beyond its buffer, or a part that is written overlaps another one.
    pub fn build(self) -> Result<Operands, StorageError> {
        let mut buffers: Vec<(Buffer, bool)> = Vec::new();
        let mut place = |parts: Vec<(Buffer, Range<usize>)>, write: bool| {
            let place_one = |(buffer, range): (Buffer, Range<usize>)| {
                if range.start > range.end || range.end > buffer.len() {
                    return Err(StorageError::OutOfRange { range, len: buffer.len() });
                }
                let known = buffers.iter().position(|(b, _)| b.same(&buffer));
                let index = known.unwrap_or(buffers.len());
                match known {
                    Some(i) => buffers[i].1 |= write,
                    None => buffers.push((buffer, write)),
                }
                Ok(Part { buffer: index, start: range.start, len: range.len() })
            };
            parts.into_iter().map(place_one).collect::<Result<Box<[Part]>, StorageError>>()
        };
        let reads = place(self.reads, false)?;
        let writes = place(self.writes, true)?;
        check_disjoint(&reads, &writes)?;
        Ok(Operands { reads, writes, buffers: buffers.into_boxed_slice() })
    }
}

/// Proves that no written part overlaps another part of its buffer: in order of the starts, none may begin before the
/// furthest end of a written part before it, and a written one not before the furthest end of any.
fn check_disjoint(reads: &[Part], writes: &[Part]) -> Result<(), StorageError> {
    let mut parts: Vec<(&Part, bool)> =
        reads.iter().map(|p| (p, false)).chain(writes.iter().map(|p| (p, true))).collect();
    parts.retain(|(part, _)| part.len > 0);
    parts.sort_by_key(|(part, _)| (part.buffer, part.start));
    let range = |part: &Part| part.start..part.start + part.len;
    for group in parts.chunk_by(|a, b| a.0.buffer == b.0.buffer) {
        // The part with the furthest end so far: of all, and of the written ones.
        let (mut any, mut written): (Option<(&Part, bool)>, Option<&Part>) = (None, None);
        let reaches = |before: &Part, part: &Part| before.start + before.len > part.start;
        for &(part, write) in group {
            if let Some(before) = written.filter(|before| reaches(before, part)) {
                let (written, other, other_written) = (range(before), range(part), write);
                return Err(StorageError::Overlap { written, other, other_written });
            }
            if let Some((before, other_written)) = any.filter(|(before, _)| write && reaches(before, part)) {
                let (written, other) = (range(part), range(before));
                return Err(StorageError::Overlap { written, other, other_written });
            }
            if any.is_none_or(|(before, _)| range(part).end > range(before).end) {
                any = Some((part, write));
            }
            if write && written.is_none_or(|before| range(part).end > range(before).end) {
                written = Some(part);
            }
        }
    }
    Ok(())
}

/// The variables of one or several operand lists, each once, as read and write lists for the engine.
#[derive(Clone, Debug, Default)]
pub struct VarLists {
    vars: Vec<(Var, bool)>,
}

impl VarLists {
    /// The variables of all these lists together: for several steps that run as one operation.
    pub fn of<'a>(lists: impl IntoIterator<Item = &'a Operands>) -> VarLists {
        let mut vars: Vec<(Var, bool)> = Vec::new();
        for (buffer, write) in lists.into_iter().flat_map(|list| &*list.buffers) {
            match vars.iter_mut().find(|(var, _)| var.same(buffer.var())) {
                Some((_, written)) => *written |= write,
                None => vars.push((buffer.var().clone(), *write)),
            }
        }
        VarLists { vars }
    }

    /// What is only read.
    pub fn reads(&self) -> Vec<&Var> {
        self.vars.iter().filter(|(_, write)| !write).map(|(var, _)| var).collect()
    }

    /// What is written.
    pub fn writes(&self) -> Vec<&Var> {
        self.vars.iter().filter(|(_, write)| *write).map(|(var, _)| var).collect()
    }
}

impl RunContext<'_> {
    /// Lends all parts of an operand list at once, for one call: `run(reads, writes)`, both in the order of the list.
    ///
    /// Allocates nothing (lists of more than 1,024 parts do), and can be called again and again in one operation.
    ///
    /// # Errors
    ///
    /// If the operation did not list one of the variables, or not for writing, has lent one already, or memory has run out.
    pub fn with<R>(
        &self,
        operands: &Operands,
        run: impl FnOnce(&[&[u8]], &mut [&mut [u8]]) -> R,
    ) -> Result<R, StorageError> {
        match operands.reads.len().max(operands.writes.len()) {
            0..=16 => self.with_room::<16, R>(operands, run),
            17..=128 => self.with_room::<128, R>(operands, run),
            129..=1024 => self.with_room::<1024, R>(operands, run),
            _ => self.with_heap(operands, run),
        }
    }

    fn with_room<const N: usize, R>(
        &self,
        operands: &Operands,
        run: impl FnOnce(&[&[u8]], &mut [&mut [u8]]) -> R,
    ) -> Result<R, StorageError> {
        // As many buffers as parts at most, of both kinds: two arrays hold them.
        let mut borrows: [[Option<Borrow<'_>>; N]; 2] = [const { [const { None }; N] }; 2];
        self.borrow_all(operands, borrows.as_flattened_mut())?;
        let mut reads: [&[u8]; N] = [&[]; N];
        let mut writes: [&mut [u8]; N] = std::array::from_fn(|_| <&mut [u8]>::default());
        // SAFETY: everything is borrowed until `borrows` goes, which is after `run`.
        unsafe { operands.lend(&mut reads, &mut writes)? };
        Ok(run(&reads[..operands.reads.len()], &mut writes[..operands.writes.len()]))
    }

    fn with_heap<R>(
        &self,
        operands: &Operands,
        run: impl FnOnce(&[&[u8]], &mut [&mut [u8]]) -> R,
    ) -> Result<R, StorageError> {
        let mut borrows: Vec<Option<Borrow<'_>>> = Vec::new();
        borrows.resize_with(operands.buffers.len(), || None);
        self.borrow_all(operands, &mut borrows)?;
        let mut reads: Vec<&[u8]> = vec![&[]; operands.reads.len()];
        let mut writes: Vec<&mut [u8]> = Vec::new();
        writes.resize_with(operands.writes.len(), Default::default);
        // SAFETY: everything is borrowed until `borrows` goes, which is after `run`.
        unsafe { operands.lend(&mut reads, &mut writes)? };
        Ok(run(&reads, &mut writes))
    }

    fn borrow_all<'a>(
        &'a self,
        operands: &Operands,
        borrows: &mut [Option<Borrow<'a>>],
    ) -> Result<(), StorageError> {
        for ((buffer, write), borrow) in operands.buffers.iter().zip(borrows) {
            *borrow = Some(self.lend(buffer, *write)?);
        }
        Ok(())
    }
}

impl Operands {
    /// Makes the views of all parts.
    ///
    /// # Safety
    ///
    /// While the views are used, every buffer of the list stays borrowed by the caller, exclusively where a part is written.
    unsafe fn lend<'a>(
        &'a self,
        reads: &mut [&'a [u8]],
        writes: &mut [&'a mut [u8]],
    ) -> Result<(), StorageError> {
        for (view, part) in reads.iter_mut().zip(&self.reads) {
            let start = self.buffers[part.buffer].0.start()?;
            // SAFETY: `build` has checked that the part lies within its buffer, which never becomes shorter; its bytes are
            // initialised and live as long as `self`, and in the same block while it is borrowed. Nobody writes it: not another operation and not another view of this one (the caller's
            // borrow), nor a written part of this list (`check_disjoint`).
            *view = unsafe { slice::from_raw_parts(start.as_ptr().add(part.start), part.len) };
        }
        for (view, part) in writes.iter_mut().zip(&self.writes) {
            let start = self.buffers[part.buffer].0.start()?;
            // SAFETY: as above; the borrow is exclusive, and `check_disjoint` has seen that no other part of the list
            // shares a byte with this one.
            *view = unsafe { slice::from_raw_parts_mut(start.as_ptr().add(part.start), part.len) };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;

    #[test]
    fn overlaps_are_found_exactly() {
        // Every pair of ranges in 0..4, as read-read, read-write and write-write, against the definition.
        let buffer = Buffer::new(4).unwrap();
        let ranges: Vec<_> = (0..=4).flat_map(|a| (a..=4).map(move |b| a..b)).collect();
        let overlap = |a: &Range<usize>, b: &Range<usize>| (0..4).any(|i| a.contains(&i) && b.contains(&i));
        for a in &ranges {
            for b in &ranges {
                let new = || Operands::builder();
                assert!(new().read(&buffer, a.clone()).read(&buffer, b.clone()).build().is_ok());
                let mixed = new().read(&buffer, a.clone()).write(&buffer, b.clone()).build();
                let written = new().write(&buffer, a.clone()).write(&buffer, b.clone()).build();
                assert_eq!(mixed.is_err(), overlap(a, b), "{a:?} {b:?}");
                assert_eq!(written.is_err(), overlap(a, b), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn an_overlap_hidden_behind_other_parts_is_found() {
        let buffer = Buffer::new(100).unwrap();
        let list = Operands::builder().read(&buffer, 0..90).read(&buffer, 10..20).write(&buffer, 50..60);
        let error = list.build().unwrap_err();
        assert_eq!(error, StorageError::Overlap { written: 50..60, other: 0..90, other_written: false });
        let list = Operands::builder().write(&buffer, 0..90).write(&buffer, 95..100).read(&buffer, 92..93);
        assert!(list.clone().build().is_ok());
        assert!(list.read(&buffer, 89..90).build().is_err());
    }

    #[test]
    fn parts_beyond_the_buffer_are_refused() {
        let buffer = Buffer::new(8).unwrap();
        assert!(Operands::builder().read(&buffer, 4..9).build().is_err());
        #[allow(clippy::reversed_empty_ranges)] // The mistake under test.
        let backwards = Operands::builder().read(&buffer, 5..4).build();
        assert_eq!(backwards.unwrap_err().to_string(), "bytes 5..4 are not within a buffer of 8 bytes");
    }

    #[test]
    fn any_number_of_parts_is_lent_and_in_order() {
        let engine = Engine::serial();
        for n in [1usize, 16, 17, 128, 129, 1024, 1025, 3000] {
            let (from, to) = (
                Buffer::filled(n, |b| b.iter_mut().zip(0u8..=255).for_each(|(b, i)| *b = i)),
                Buffer::new(n),
            );
            let (from, to) = (from.unwrap(), to.unwrap());
            let mut list = Operands::builder();
            for i in 0..n {
                list = list.read(&from, i..i + 1).write(&to, n - 1 - i..n - i);
            }
            let list = list.build().unwrap();
            let vars = list.vars();
            engine
                .run_here(&vars.reads(), &vars.writes(), "reverse", |ctx| {
                    for _ in 0..2 {
                        ctx.with(&list, |reads, writes| {
                            assert_eq!((reads.len(), writes.len()), (n, n));
                            writes.iter_mut().zip(reads).for_each(|(w, r)| w.copy_from_slice(r));
                        })?;
                    }
                    Ok(())
                })
                .unwrap();
            let mut expected = from.to_vec::<u8>(&engine).unwrap();
            expected.reverse();
            assert_eq!(to.to_vec::<u8>(&engine).unwrap(), expected);
        }
    }

    #[test]
    fn only_what_was_granted_is_lent() {
        let engine = Engine::serial();
        let (a, b) = (Buffer::new(8).unwrap(), Buffer::new(8).unwrap());
        let both = Operands::builder().read(&a, 0..8).write(&b, 0..8).build().unwrap();
        let check = |reads: &[&Var], writes: &[&Var], text: &str| {
            let result = engine.run_here(reads, writes, "step", |ctx| Ok(ctx.with(&both, |_, _| ())?));
            let error = result.unwrap_err();
            assert!(error.message().contains(text), "{error}");
            engine.clear_error(a.var()).unwrap();
            engine.clear_error(b.var()).unwrap();
        };
        check(&[b.var()], &[], "in neither");
        check(&[a.var(), b.var()], &[], "read list only");
        let twice = engine.run_here(&[a.var()], &[b.var()], "step", |ctx| {
            ctx.with(&both, |_, _| ())?;
            let _view = ctx.read(&b)?;
            ctx.with(&both, |_, _| ())?;
            Ok(())
        });
        assert!(twice.unwrap_err().message().contains("in use already"));
        engine.clear_error(b.var()).unwrap();
        let nested = engine.run_here(&[a.var()], &[b.var()], "step", |ctx| {
            ctx.with(&both, |_, _| assert!(ctx.with(&both, |_, _| ()).is_err()))?;
            Ok(ctx.with(&both, |_, _| ())?)
        });
        assert!(nested.is_ok(), "borrows of a call end with it: {nested:?}");
    }
}
