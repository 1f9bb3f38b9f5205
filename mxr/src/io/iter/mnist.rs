//! MNIST and data sets in its format (Fashion-MNIST, KMNIST, EMNIST).

use std::path::{Path, PathBuf};

use mxr_graph::dtype::DType;

use super::super::array::HostArray;
use super::super::error::FormatError;
use super::super::idx;
use super::cursor::Cursor;
use super::{DataBatch, DataDesc, DataIter, IterState, LastBatch};

/// Batches of MNIST: `data` is f32 `[n, 1, 28, 28]` in 0 to 1, `label` is i64 `[n]`.
///
/// Pixels stay bytes in memory; they are scaled when a batch is made.
#[derive(Clone, Debug)]
pub struct MnistIter {
    images: Vec<u8>,
    labels: Vec<u8>,
    /// Pixels of an image.
    pixels: usize,
    cursor: Cursor,
    data: [HostArray; 1],
    label: [HostArray; 1],
    data_descriptions: [DataDesc; 1],
    label_descriptions: [DataDesc; 1],
}

/// A part of the data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MnistPart {
    /// The 60,000 training images.
    Train,
    /// The 10,000 test images.
    Test,
}

impl MnistIter {
    /// A part of MNIST from a folder with the four files under their usual names, gzipped or not:
    /// `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`
    /// (`.idx3-ubyte` is accepted too).
    ///
    /// # Errors
    /// When a file is missing, or as [`from_files`](MnistIter::from_files).
    pub fn new(
        folder: impl AsRef<Path>,
        part: MnistPart,
        batch_size: usize,
    ) -> Result<MnistIter, FormatError> {
        let prefix = match part {
            MnistPart::Train => "train",
            MnistPart::Test => "t10k",
        };
        let images = find(folder.as_ref(), prefix, "images", "idx3-ubyte")?;
        let labels = find(folder.as_ref(), prefix, "labels", "idx1-ubyte")?;
        MnistIter::from_files(images, labels, batch_size)
    }

    /// Images and labels from two idx files.
    ///
    /// # Errors
    /// When a file cannot be read, is not u8 of shape `[n, h, w]` or `[n]`, or their numbers of samples differ.
    pub fn from_files(
        images: impl AsRef<Path>,
        labels: impl AsRef<Path>,
        batch_size: usize,
    ) -> Result<MnistIter, FormatError> {
        let image_array = expect_u8(images.as_ref(), 3, "images, u8 of shape [n, h, w]")?;
        let label_array = expect_u8(labels.as_ref(), 1, "labels, u8 of shape [n]")?;
        let &[samples, height, width] = image_array.shape() else { unreachable!("the rank was checked") };
        if label_array.len() != samples {
            return Err(FormatError::argument(
                labels.as_ref().display().to_string(),
                format!("{} labels for {samples} images", label_array.len()),
                "pass the two files of one part of the data set",
            ));
        }
        let cursor = Cursor::new("MnistIter", samples, batch_size)?;
        let data = HostArray::zeros(DType::F32, &[batch_size, 1, height, width])?;
        let label = HostArray::zeros(DType::I64, &[batch_size])?;
        let describe = |name: &str, array: &HostArray| {
            [DataDesc { name: name.to_string(), shape: array.shape().to_vec(), dtype: array.dtype() }]
        };
        Ok(MnistIter {
            data_descriptions: describe("data", &data),
            label_descriptions: describe("label", &label),
            images: image_array.into_vec()?,
            labels: label_array.into_vec()?,
            pixels: height * width,
            cursor,
            data: [data],
            label: [label],
        })
    }

    /// Shuffles the samples, differently in each epoch and from the first one on. The order depends on seed and
    /// epoch only.
    pub fn shuffle(mut self, seed: u64) -> MnistIter {
        self.cursor.set_seed(seed);
        self
    }

    /// What happens to samples that do not fill a batch.
    ///
    /// # Errors
    /// When there are fewer samples than a batch has, except for [`LastBatch::Pad`].
    pub fn last_batch(mut self, rule: LastBatch) -> Result<MnistIter, FormatError> {
        self.cursor.set_last_batch(rule)?;
        Ok(self)
    }

    fn gather(&mut self) -> Result<(), FormatError> {
        let ids = self.cursor.ids();
        let data = self.data[0].as_mut_slice::<f32>()?;
        for (&id, target) in ids.iter().zip(data.chunks_exact_mut(self.pixels.max(1))) {
            let image = &self.images[id * self.pixels..(id + 1) * self.pixels];
            target.iter_mut().zip(image).for_each(|(to, &from)| *to = f32::from(from) / 255.0);
        }
        let label = self.label[0].as_mut_slice::<i64>()?;
        label.iter_mut().zip(ids).for_each(|(to, &id)| *to = self.labels[id].into());
        Ok(())
    }
}

fn find(folder: &Path, prefix: &str, content: &str, format: &str) -> Result<PathBuf, FormatError> {
    let names = ["-", "."].map(|dash| format!("{prefix}-{content}{dash}{format}"));
    let candidates = names.iter().flat_map(|name| [folder.join(name), folder.join(format!("{name}.gz"))]);
    candidates.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        FormatError::argument(
            folder.display().to_string(),
            format!("there is no `{}` or `{}.gz` in this folder", names[0], names[0]),
            "put the four files of MNIST there, or name them with `MnistIter::from_files`",
        )
    })
}

fn expect_u8(path: &Path, rank: usize, wanted: &str) -> Result<HostArray, FormatError> {
    let array = idx::read(path)?;
    if array.dtype() == DType::U8 && array.shape().len() == rank {
        return Ok(array);
    }
    Err(FormatError::argument(
        path.display().to_string(),
        format!("it holds {array:?}, not {wanted}"),
        "check that images and labels are not exchanged",
    ))
}

impl DataIter for MnistIter {
    fn provide_data(&self) -> &[DataDesc] {
        &self.data_descriptions
    }

    fn provide_label(&self) -> &[DataDesc] {
        &self.label_descriptions
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
        if let Err(error) = self.gather() {
            return Some(Err(error));
        }
        Some(Ok(DataBatch { data: &self.data, label: &self.label, pad, index: self.cursor.ids() }))
    }

    fn state(&self) -> IterState {
        self.cursor.state()
    }

    fn restore(&mut self, state: &IterState) -> Result<(), FormatError> {
        self.cursor.restore(state)
    }
}
