//! Batches of a table of numbers.

use std::path::Path;

use super::super::csv;
use super::super::error::FormatError;
use super::{ArrayIter, DataBatch, DataDesc, DataIter, IterState, LastBatch};

/// Batches of a table: `data` holds the columns that are not labels, `label` those that are (none without label
/// columns). The table is read as a whole first.
#[derive(Clone, Debug)]
pub struct CsvIter {
    rows: ArrayIter,
}

impl CsvIter {
    /// Batches of the table in a file. `sample_shape` is the shape of one row of data, for instance
    /// `&[1, 8, 8]` for 64 columns.
    ///
    /// # Errors
    /// As [`csv::read`]; when the columns do not make `sample_shape`; when the batch size is 0.
    pub fn new(
        path: impl AsRef<Path>,
        options: &csv::Options,
        sample_shape: &[usize],
        batch_size: usize,
    ) -> Result<CsvIter, FormatError> {
        let path = path.as_ref();
        CsvIter::from_table(csv::read(path, options)?, sample_shape, batch_size)
    }

    /// Batches of a table that was read.
    ///
    /// # Errors
    /// When the columns do not make `sample_shape`, the table has no rows, or the batch size is 0.
    pub fn from_table(
        table: csv::Table,
        sample_shape: &[usize],
        batch_size: usize,
    ) -> Result<CsvIter, FormatError> {
        let samples = table.data.rows()?;
        let columns = table.data.shape()[1];
        let shape: Vec<usize> = [samples].iter().chain(sample_shape).copied().collect();
        let data = table.data.reshape(&shape).map_err(|_| {
            FormatError::argument(
                "CsvIter",
                format!("{columns} columns of data do not make samples of shape {sample_shape:?}"),
                "the product of the shape must be the number of columns without labels",
            )
        })?;
        let label = table.labels.map(|labels| ("label", labels));
        Ok(CsvIter { rows: ArrayIter::with_inputs([("data", data)], label, batch_size)? })
    }

    /// Shuffles the samples, differently in each epoch and from the first one on. The order depends on seed and
    /// epoch only.
    pub fn shuffle(self, seed: u64) -> CsvIter {
        CsvIter { rows: self.rows.shuffle(seed) }
    }

    /// What happens to samples that do not fill a batch.
    ///
    /// # Errors
    /// When there are fewer samples than a batch has, except for [`LastBatch::Pad`].
    pub fn last_batch(self, rule: LastBatch) -> Result<CsvIter, FormatError> {
        Ok(CsvIter { rows: self.rows.last_batch(rule)? })
    }
}

impl DataIter for CsvIter {
    fn provide_data(&self) -> &[DataDesc] {
        self.rows.provide_data()
    }

    fn provide_label(&self) -> &[DataDesc] {
        self.rows.provide_label()
    }

    fn batch_size(&self) -> usize {
        self.rows.batch_size()
    }

    fn batches(&self) -> Option<usize> {
        self.rows.batches()
    }

    fn reset(&mut self) {
        self.rows.reset();
    }

    fn next(&mut self) -> Option<Result<DataBatch<'_>, FormatError>> {
        self.rows.next()
    }

    fn state(&self) -> IterState {
        self.rows.state()
    }

    fn restore(&mut self, state: &IterState) -> Result<(), FormatError> {
        self.rows.restore(state)
    }
}
