//! Batches of training data: the protocol, and iterators over arrays in memory, MNIST and tables.
//!
//! An iterator gives batches until its epoch ends, then `None` until [`DataIter::reset`] starts the next one. A batch
//! lends the iterator's own buffers: nothing is allocated after the first. [`DataIter::state`] says where an
//! iterator stands; [`DataIter::restore`] brings an equal iterator there, and from then on both give the same
//! batches.
//!
//! ```
//! use mxr::io::HostArray;
//! use mxr::io::iter::{ArrayIter, DataIter, LastBatch};
//!
//! let data = HostArray::from_vec((0..10).map(|i| i as f32).collect(), &[5, 2])?;
//! let label = HostArray::from_vec(vec![0i64, 1, 2, 3, 4], &[5])?;
//! let mut train = ArrayIter::new(data, label, 2)?.shuffle(42).last_batch(LastBatch::Discard)?;
//! for _epoch in 0..3 {
//!     train.reset();
//!     while let Some(batch) = train.next() {
//!         let batch = batch?;
//!         assert_eq!(batch.data[0].shape(), [2, 2]);
//!     }
//! }
//! # Ok::<(), mxr::io::FormatError>(())
//! ```

mod array;
mod cursor;
mod mnist;
mod shuffle;
mod state;
mod table;

use mxr_graph::dtype::DType;

use super::array::HostArray;
use super::error::FormatError;

pub use array::ArrayIter;
pub use mnist::{MnistIter, MnistPart};
pub use state::IterState;
pub use table::CsvIter;

/// A source of batches.
pub trait DataIter: Send {
    /// Names, shapes (with the batch in front) and types of [`DataBatch::data`].
    fn provide_data(&self) -> &[DataDesc];

    /// Names, shapes and types of [`DataBatch::label`].
    fn provide_label(&self) -> &[DataDesc];

    /// Samples in a batch.
    fn batch_size(&self) -> usize;

    /// Batches of the current epoch, when that is known.
    fn batches(&self) -> Option<usize>;

    /// Starts the next epoch. Before the first batch of an epoch it changes nothing, so that a training loop may
    /// call it at the start or at the end of every epoch.
    fn reset(&mut self);

    /// The next batch of the epoch, in the iterator's own buffers.
    fn next(&mut self) -> Option<Result<DataBatch<'_>, FormatError>>;

    /// Where the iterator stands.
    fn state(&self) -> IterState;

    /// Goes to where an equal iterator stood.
    ///
    /// # Errors
    /// When the state is that of other data, another batch size, seed or rule for the last batch.
    fn restore(&mut self, state: &IterState) -> Result<(), FormatError>;
}

/// An input of the network that an iterator provides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDesc {
    /// The input's name.
    pub name: String,
    /// `[batch, ..]`.
    pub shape: Vec<usize>,
    /// The element type.
    pub dtype: DType,
}

/// Some samples; the arrays belong to the iterator.
#[derive(Clone, Copy, Debug)]
pub struct DataBatch<'a> {
    /// The arrays of [`DataIter::provide_data`].
    pub data: &'a [HostArray],
    /// The arrays of [`DataIter::provide_label`].
    pub label: &'a [HostArray],
    /// How many samples at the end only fill the batch up ([`LastBatch::Pad`]) and should not be counted.
    pub pad: usize,
    /// Which samples these are, by their row in the source.
    pub index: &'a [usize],
}

/// What happens to samples that do not fill a batch at the end of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum LastBatch {
    /// The batch is filled up with samples from the start of the epoch; [`DataBatch::pad`] says how many.
    #[default]
    Pad,
    /// They are left out of this epoch.
    Discard,
    /// They come first in the next epoch.
    RollOver,
}
