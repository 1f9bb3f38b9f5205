//! Batches of arrays that are in memory.

use super::super::array::HostArray;
use super::super::error::FormatError;
use super::cursor::Cursor;
use super::{DataBatch, DataDesc, DataIter, IterState, LastBatch};

/// Batches of arrays in memory: row `i` of every array belongs to sample `i`.
///
/// Samples come in order unless [`shuffle`](ArrayIter::shuffle) is called; the last batch is padded unless
/// [`last_batch`](ArrayIter::last_batch) says otherwise.
#[derive(Clone, Debug)]
pub struct ArrayIter {
    data: Side,
    label: Side,
    cursor: Cursor,
}

/// The arrays of one side: whole, and the current batch of each.
#[derive(Clone, Debug)]
struct Side {
    descriptions: Vec<DataDesc>,
    sources: Vec<HostArray>,
    batches: Vec<HostArray>,
}

impl ArrayIter {
    /// Batches of one array named `data` and one named `label`.
    ///
    /// # Errors
    /// When the arrays have different numbers of rows or none, or the batch size is 0.
    pub fn new(data: HostArray, label: HostArray, batch_size: usize) -> Result<ArrayIter, FormatError> {
        ArrayIter::with_inputs([("data", data)], [("label", label)], batch_size)
    }

    /// Batches of any number of arrays, each for the input of its name. There may be no labels.
    ///
    /// # Errors
    /// When the arrays have different numbers of rows or none, two names are equal, or the batch size is 0.
    pub fn with_inputs<'a>(
        data: impl IntoIterator<Item = (&'a str, HostArray)>,
        label: impl IntoIterator<Item = (&'a str, HostArray)>,
        batch_size: usize,
    ) -> Result<ArrayIter, FormatError> {
        let data = Side::new(data, batch_size)?;
        let label = Side::new(label, batch_size)?;
        let mut named = data
            .descriptions
            .iter()
            .chain(&label.descriptions)
            .zip(data.sources.iter().chain(&label.sources));
        let Some((first, array)) = named.next() else {
            return Err(FormatError::argument(WHAT, "there are no arrays", "pass at least one array"));
        };
        let samples = array.rows()?;
        let mut names = vec![&first.name];
        for (description, array) in named {
            if names.contains(&&description.name) {
                return Err(FormatError::argument(
                    WHAT,
                    format!("two arrays have the name `{}`", description.name),
                    "give each input a name of its own",
                ));
            }
            names.push(&description.name);
            if array.rows()? != samples {
                return Err(FormatError::argument(
                    WHAT,
                    format!(
                        "`{}` has {samples} rows, `{}` has {}",
                        first.name,
                        description.name,
                        array.rows()?
                    ),
                    "each array needs one row per sample",
                ));
            }
        }
        Ok(ArrayIter { cursor: Cursor::new(WHAT, samples, batch_size)?, data, label })
    }

    /// Shuffles the samples, differently in each epoch and from the first one on. The order depends on seed and
    /// epoch only.
    pub fn shuffle(mut self, seed: u64) -> ArrayIter {
        self.cursor.set_seed(seed);
        self
    }

    /// What happens to samples that do not fill a batch.
    ///
    /// # Errors
    /// When there are fewer samples than a batch has, except for [`LastBatch::Pad`].
    pub fn last_batch(mut self, rule: LastBatch) -> Result<ArrayIter, FormatError> {
        self.cursor.set_last_batch(rule)?;
        Ok(self)
    }
}

const WHAT: &str = "ArrayIter";

impl Side {
    fn new<'a>(
        arrays: impl IntoIterator<Item = (&'a str, HostArray)>,
        batch_size: usize,
    ) -> Result<Side, FormatError> {
        let mut side = Side { descriptions: Vec::new(), sources: Vec::new(), batches: Vec::new() };
        for (name, array) in arrays {
            array.rows()?;
            let mut shape = array.shape().to_vec();
            shape[0] = batch_size;
            side.batches.push(HostArray::zeros(array.dtype(), &shape)?);
            side.descriptions.push(DataDesc { name: name.to_string(), shape, dtype: array.dtype() });
            side.sources.push(array);
        }
        Ok(side)
    }

    fn gather(&mut self, ids: &[usize]) -> Result<(), FormatError> {
        self.sources
            .iter()
            .zip(&mut self.batches)
            .try_for_each(|(source, batch)| batch.gather_rows(source, ids))
    }
}

impl DataIter for ArrayIter {
    fn provide_data(&self) -> &[DataDesc] {
        &self.data.descriptions
    }

    fn provide_label(&self) -> &[DataDesc] {
        &self.label.descriptions
    }

    fn batch_size(&self) -> usize {
        self.cursor.batch_size()
    }

    fn batches(&self) -> Option<usize> {
        Some(self.cursor.batches())
    }

    fn reset(&mut self) {
        self.cursor.reset();
    }

    fn next(&mut self) -> Option<Result<DataBatch<'_>, FormatError>> {
        let pad = self.cursor.advance()?;
        let index = self.cursor.ids();
        if let Err(error) = self.data.gather(index).and_then(|()| self.label.gather(index)) {
            return Some(Err(error));
        }
        Some(Ok(DataBatch { data: &self.data.batches, label: &self.label.batches, pad, index }))
    }

    fn state(&self) -> IterState {
        self.cursor.state()
    }

    fn restore(&mut self, state: &IterState) -> Result<(), FormatError> {
        self.cursor.restore(state)
    }
}
