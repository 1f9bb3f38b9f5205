//! Which samples come next: shared by all iterators that know how many samples there are.

use super::super::error::FormatError;
use super::LastBatch;
use super::shuffle;
use super::state::IterState;

/// A place in the endless sequence of epochs over `samples` samples.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    what: &'static str,
    samples: usize,
    batch_size: usize,
    seed: Option<u64>,
    last_batch: LastBatch,
    epoch: u64,
    /// Batches given in this epoch.
    batch: usize,
    /// Whether `next` was called in this epoch.
    started: bool,
    /// Samples left over from the epoch before, which come first (`RollOver`).
    carried: Vec<usize>,
    order: Vec<usize>,
    /// The samples of the current batch.
    ids: Vec<usize>,
}

impl Cursor {
    /// A cursor at the first batch of epoch 0: in order, the last batch padded.
    pub(super) fn new(what: &'static str, samples: usize, batch_size: usize) -> Result<Cursor, FormatError> {
        if samples == 0 {
            return Err(FormatError::argument(
                what,
                "there are no samples",
                "pass arrays with at least one row",
            ));
        }
        if batch_size == 0 {
            return Err(FormatError::argument(
                what,
                "the batch size is 0",
                "choose a batch size of at least 1",
            ));
        }
        let mut cursor = Cursor {
            what,
            samples,
            batch_size,
            seed: None,
            last_batch: LastBatch::Pad,
            epoch: 0,
            batch: 0,
            started: false,
            carried: Vec::with_capacity(batch_size),
            order: vec![0; samples],
            ids: vec![0; batch_size],
        };
        cursor.load();
        Ok(cursor)
    }

    pub(super) fn set_seed(&mut self, seed: u64) {
        self.seed = Some(seed);
        self.load();
    }

    pub(super) fn set_last_batch(&mut self, last_batch: LastBatch) -> Result<(), FormatError> {
        if last_batch != LastBatch::Pad && self.samples < self.batch_size {
            return Err(FormatError::argument(
                self.what,
                format!("{} samples never fill a batch of {}", self.samples, self.batch_size),
                "choose a smaller batch size, or `LastBatch::Pad`",
            ));
        }
        self.last_batch = last_batch;
        self.load();
        Ok(())
    }

    /// Starts the next epoch, unless this one has not started.
    pub(super) fn reset(&mut self) {
        if self.started {
            self.epoch += 1;
            self.load();
        }
        self.batch = 0;
        self.started = false;
    }

    /// Goes to the next batch and gives the number of samples that only fill it up.
    pub(super) fn advance(&mut self) -> Option<usize> {
        self.started = true;
        if self.batch == self.batches() {
            return None;
        }
        let start = self.batch * self.batch_size;
        let length = self.carried.len() + self.samples;
        for (i, id) in self.ids.iter_mut().enumerate() {
            let at = (start + i) % length;
            *id = match at.checked_sub(self.carried.len()) {
                Some(at) => self.order[at],
                None => self.carried[at],
            };
        }
        self.batch += 1;
        Some((start + self.batch_size).saturating_sub(length))
    }

    pub(super) fn restore(&mut self, state: &IterState) -> Result<(), FormatError> {
        let own = IterState { epoch: state.epoch, batch: state.batch, ..self.state() };
        if own != *state {
            return Err(FormatError::argument(
                self.what,
                format!("the state is that of another iterator ({state}); this one is at {}", self.state()),
                "use the same data, batch size, seed and rule for the last batch as when the state was taken",
            ));
        }
        let mut there = self.clone();
        there.epoch = state.epoch;
        there.load();
        there.batch =
            usize::try_from(state.batch).ok().filter(|&batch| batch <= there.batches()).ok_or_else(|| {
                FormatError::argument(
                    self.what,
                    format!("batch {} of an epoch of {} batches", state.batch, there.batches()),
                    "the state is damaged",
                )
            })?;
        there.started = there.batch > 0;
        *self = there;
        Ok(())
    }

    pub(super) fn state(&self) -> IterState {
        IterState {
            epoch: self.epoch,
            batch: self.batch as u64,
            samples: self.samples as u64,
            batch_size: self.batch_size as u64,
            seed: self.seed,
            last_batch: self.last_batch,
        }
    }

    pub(super) fn batches(&self) -> usize {
        match self.last_batch {
            LastBatch::Pad => self.samples.div_ceil(self.batch_size),
            LastBatch::Discard => self.samples / self.batch_size,
            LastBatch::RollOver => (self.carried.len() + self.samples) / self.batch_size,
        }
    }

    pub(super) fn batch_size(&self) -> usize {
        self.batch_size
    }

    pub(super) fn ids(&self) -> &[usize] {
        &self.ids
    }

    /// Computes what the epoch consists of from its number alone, so that any epoch can be entered.
    fn load(&mut self) {
        self.carried.clear();
        if self.last_batch == LastBatch::RollOver {
            // Whole epochs before this one leave `epoch * samples mod batch_size` samples, and because an epoch
            // is no shorter than a batch, all of these are from the end of the one before.
            let seen = u128::from(self.epoch) * self.samples as u128;
            let left = (seen % self.batch_size as u128) as usize;
            if left > 0 {
                self.permute(self.epoch - 1);
                self.carried.extend(&self.order[self.samples - left..]);
            }
        }
        self.permute(self.epoch);
    }

    fn permute(&mut self, epoch: u64) {
        match self.seed {
            Some(seed) => shuffle::permute(&mut self.order, seed, epoch),
            None => shuffle::identity(&mut self.order),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(cursor: &mut Cursor) -> Vec<Vec<usize>> {
        cursor.reset();
        let mut batches = Vec::new();
        while cursor.advance().is_some() {
            batches.push(cursor.ids().to_vec());
        }
        batches
    }

    #[test]
    fn the_last_batch_is_padded_from_the_start() {
        let mut cursor = Cursor::new("test", 5, 2).unwrap();
        assert_eq!(epoch(&mut cursor), [[0, 1], [2, 3], [4, 0]]);
        cursor.reset();
        let pads: Vec<_> = std::iter::from_fn(|| cursor.advance()).collect();
        assert_eq!(pads, [0, 0, 1]);
        let mut small = Cursor::new("test", 2, 5).unwrap();
        assert_eq!((small.advance(), small.ids()), (Some(3), &[0, 1, 0, 1, 0][..]));
        assert_eq!(small.advance(), None);
    }

    #[test]
    fn left_over_samples_are_discarded_or_come_first() {
        let mut cursor = Cursor::new("test", 5, 2).unwrap();
        cursor.set_last_batch(LastBatch::Discard).unwrap();
        assert_eq!(epoch(&mut cursor), [[0, 1], [2, 3]]);
        let mut cursor = Cursor::new("test", 5, 3).unwrap();
        cursor.set_last_batch(LastBatch::RollOver).unwrap();
        assert_eq!(epoch(&mut cursor), [[0, 1, 2]]);
        assert_eq!(epoch(&mut cursor), [[3, 4, 0], [1, 2, 3]]);
        assert_eq!(epoch(&mut cursor), [[4, 0, 1], [2, 3, 4]]);
        assert_eq!(epoch(&mut cursor), [[0, 1, 2]]);
        assert!(Cursor::new("test", 2, 3).unwrap().set_last_batch(LastBatch::RollOver).is_err());
    }

    #[test]
    fn rolled_over_samples_are_those_that_were_left_when_shuffled() {
        let mut cursor = Cursor::new("test", 10, 4).unwrap();
        cursor.set_seed(3);
        cursor.set_last_batch(LastBatch::RollOver).unwrap();
        let mut counts = [0; 10];
        // 6 epochs are 60 samples, 15 batches without a rest: each sample exactly 6 times.
        let batches: Vec<_> = (0..6).flat_map(|_| epoch(&mut cursor)).collect();
        batches.iter().flatten().for_each(|&id| counts[id] += 1);
        assert_eq!((batches.len(), counts), (15, [6; 10]));
    }

    #[test]
    fn reset_before_the_first_batch_changes_nothing() {
        let mut cursor = Cursor::new("test", 6, 3).unwrap();
        cursor.set_seed(1);
        let start = cursor.state();
        cursor.reset();
        cursor.reset();
        assert_eq!(cursor.state(), start);
        cursor.advance();
        cursor.reset();
        assert_eq!((cursor.state().epoch, cursor.state().batch), (1, 0));
    }
}
