//! Data iterators: what they give, resuming, and their use of memory.

use std::fs;

use mxr::io::iter::{ArrayIter, CsvIter, DataIter, IterState, LastBatch, MnistIter, MnistPart};
use mxr::io::{HostArray, csv};
use mxr_graph::dtype::DType;
use proptest::prelude::*;

use super::alloc::measure;
use super::common::data_dir;
use super::files::Folder;
use super::samples::idx_small;

/// `n` samples of 3 numbers that tell the sample, and the sample as label.
fn numbered(n: usize, batch_size: usize) -> ArrayIter {
    let data = (0..3 * n).map(|i| i as f32).collect();
    let label = (0..n as i64).collect();
    let data = HostArray::from_vec::<f32>(data, &[n, 3]).unwrap();
    ArrayIter::new(data, HostArray::from_vec::<i64>(label, &[n]).unwrap(), batch_size).unwrap()
}

/// Labels and pad of each batch to the end of the epoch.
fn rest(iter: &mut dyn DataIter) -> Vec<(Vec<i64>, usize)> {
    let mut batches = Vec::new();
    while let Some(batch) = iter.next() {
        let batch = batch.unwrap();
        batches.push((batch.label[0].as_slice::<i64>().unwrap().to_vec(), batch.pad));
    }
    batches
}

#[test]
fn data_label_and_index_belong_together() {
    let mut iter = numbered(10, 4).shuffle(5);
    let mut seen = 0;
    while let Some(batch) = iter.next() {
        let batch = batch.unwrap();
        let data = batch.data[0].as_slice::<f32>().unwrap();
        let label = batch.label[0].as_slice::<i64>().unwrap();
        for (i, &sample) in batch.index.iter().enumerate() {
            assert_eq!(label[i], sample as i64);
            assert_eq!(data[3 * i..3 * i + 3], [0, 1, 2].map(|k| (3 * sample + k) as f32));
        }
        seen += 4 - batch.pad;
    }
    assert_eq!(seen, 10);
}

#[test]
fn an_iterator_says_what_it_provides() {
    let iter = numbered(10, 4);
    assert_eq!((iter.batch_size(), iter.batches()), (4, Some(3)));
    let data = &iter.provide_data()[0];
    assert_eq!((data.name.as_str(), &data.shape[..], data.dtype), ("data", &[4, 3][..], DType::F32));
    let label = &iter.provide_label()[0];
    assert_eq!((label.name.as_str(), &label.shape[..], label.dtype), ("label", &[4][..], DType::I64));
}

#[test]
fn every_epoch_is_shuffled_and_differently() {
    let mut iter = numbered(100, 10).shuffle(1);
    let mut orders = Vec::new();
    for _ in 0..3 {
        iter.reset();
        let order: Vec<i64> = rest(&mut iter).into_iter().flat_map(|(labels, _)| labels).collect();
        assert!(!order.is_sorted());
        let mut sorted = order.clone();
        sorted.sort();
        assert!(sorted.into_iter().eq(0..100), "each sample once");
        orders.push(order);
    }
    assert!(orders[0] != orders[1] && orders[1] != orders[2]);
    assert_eq!(rest(&mut numbered(100, 10).shuffle(1)).concat_labels(), orders[0], "the seed decides");
    assert_ne!(rest(&mut numbered(100, 10).shuffle(2)).concat_labels(), orders[0]);
}

trait ConcatLabels {
    fn concat_labels(self) -> Vec<i64>;
}

impl ConcatLabels for Vec<(Vec<i64>, usize)> {
    fn concat_labels(self) -> Vec<i64> {
        self.into_iter().flat_map(|(labels, _)| labels).collect()
    }
}

#[test]
fn wrong_arrays_are_refused() {
    let array = |rows: usize| HostArray::zeros(DType::F32, &[rows, 2]).unwrap();
    let problem = |iter: Result<ArrayIter, mxr::io::FormatError>| iter.unwrap_err().to_string();
    assert!(problem(ArrayIter::new(array(3), array(4), 2)).contains("`data` has 3 rows, `label` has 4"));
    assert!(problem(ArrayIter::new(array(0), array(0), 2)).contains("no samples"));
    assert!(problem(ArrayIter::new(array(3), array(3), 0)).contains("batch size is 0"));
    assert!(problem(ArrayIter::with_inputs([("x", array(3)), ("x", array(3))], [], 2)).contains("name `x`"));
    assert!(problem(ArrayIter::with_inputs([], [], 2)).contains("no arrays"));
    assert!(
        problem(numbered(3, 4).last_batch(LastBatch::Discard)).contains("3 samples never fill a batch of 4")
    );
    let scalar = HostArray::zeros(DType::F32, &[]).unwrap();
    assert!(problem(ArrayIter::with_inputs([("x", scalar)], [], 2)).contains("no rows"));
}

#[test]
fn a_state_of_another_iterator_is_refused() {
    let mut iter = numbered(10, 4).shuffle(1);
    let good = iter.state();
    for wrong in [
        IterState { samples: 11, ..good },
        IterState { batch_size: 5, ..good },
        IterState { seed: Some(2), ..good },
        IterState { seed: None, ..good },
        IterState { last_batch: LastBatch::Discard, ..good },
        IterState { batch: 4, ..good },
    ] {
        assert!(iter.restore(&wrong).is_err(), "{wrong}");
    }
    assert_eq!(iter.state(), good, "a refused state changes nothing");
    assert!("epoch=1 batch=x".parse::<IterState>().is_err());
    assert!(format!("{good} more").parse::<IterState>().is_err());
}

#[test]
fn batches_after_the_first_take_no_memory() {
    let mut iter = numbered(1000, 32).shuffle(3).last_batch(LastBatch::RollOver).unwrap();
    iter.next().unwrap().unwrap();
    let ((), peak, calls) = measure(|| {
        for _ in 0..3 {
            while let Some(batch) = iter.next() {
                assert_eq!(batch.unwrap().pad, 0);
            }
            iter.reset();
        }
    });
    assert_eq!((peak, calls), (0, 0));
}

#[test]
fn mnist_gives_scaled_images() {
    let Some(data) = data_dir() else { return };
    let mut test = MnistIter::new(data.join("mnist"), MnistPart::Test, 256).unwrap();
    assert_eq!(test.provide_data()[0].shape, [256, 1, 28, 28]);
    let mut labels = [0; 10];
    while let Some(batch) = test.next() {
        let batch = batch.unwrap();
        assert!(batch.data[0].as_slice::<f32>().unwrap().iter().all(|p| (0.0..=1.0).contains(p)));
        let counted = 256 - batch.pad;
        batch.label[0].as_slice::<i64>().unwrap()[..counted].iter().for_each(|&l| labels[l as usize] += 1);
    }
    // The published numbers of test images per digit.
    assert_eq!(labels, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
}

#[test]
fn an_idx_data_set_made_by_hand_is_served() {
    let folder = Folder::new("idx-set");
    let images =
        [&[0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2][..], &[0, 51, 102, 153, 204, 255]].concat();
    fs::write(folder.path().join("train-images-idx3-ubyte"), images).unwrap();
    fs::write(folder.path().join("train-labels-idx1-ubyte.gz"), super::idx::gzip(&idx_small())).unwrap();
    let mut train = MnistIter::new(folder.path(), MnistPart::Train, 2).unwrap();
    let batch = train.next().unwrap().unwrap();
    assert_eq!(batch.data[0].shape(), [2, 1, 1, 2]);
    assert_eq!(batch.data[0].as_slice::<f32>().unwrap(), [0.0, 0.2, 0.4, 0.6]);
    assert_eq!(batch.label[0].as_slice::<i64>().unwrap(), [3, 1]);
    let batch = train.next().unwrap().unwrap();
    assert_eq!((batch.pad, batch.label[0].as_slice::<i64>().unwrap()), (1, &[4, 3][..]));
    assert!(train.next().is_none());
    let missing = MnistIter::new(folder.path(), MnistPart::Test, 2).unwrap_err();
    assert!(missing.to_string().contains("`t10k-images-idx3-ubyte`"), "{missing}");
    let exchanged = MnistIter::from_files(
        folder.path().join("train-labels-idx1-ubyte.gz"),
        folder.path().join("train-images-idx3-ubyte"),
        2,
    );
    assert!(exchanged.unwrap_err().to_string().contains("exchanged"));
}

#[test]
fn tables_are_served_in_the_shape_of_a_sample() {
    let table = || csv::from_bytes(b"1,2,3,4,0\n5,6,7,8,1\n", &csv::Options::new().label_last()).unwrap();
    let mut iter = CsvIter::from_table(table(), &[1, 2, 2], 2).unwrap();
    let batch = iter.next().unwrap().unwrap();
    assert_eq!(batch.data[0].shape(), [2, 1, 2, 2]);
    assert_eq!(batch.label[0].as_slice::<i64>().unwrap(), [0, 1]);
    let error = CsvIter::from_table(table(), &[1, 3, 3], 2).unwrap_err();
    assert!(
        error.to_string().contains("4 columns of data do not make samples of shape [1, 3, 3]"),
        "{error}"
    );
    let unlabelled = csv::from_bytes(b"1,2\n", &csv::Options::new()).unwrap();
    assert!(CsvIter::from_table(unlabelled, &[2], 1).unwrap().provide_label().is_empty());
}

proptest! {
    /// Stopping after any batch of any epoch and going on in a new iterator gives what not stopping gives.
    #[test]
    fn resuming_is_exact(
        samples in 1usize..40,
        batch_size in 1usize..12,
        seed in prop::option::of(any::<u64>()),
        rule in prop::sample::select(vec![LastBatch::Pad, LastBatch::Discard, LastBatch::RollOver]),
        stop in 0usize..30,
    ) {
        prop_assume!(rule == LastBatch::Pad || samples >= batch_size);
        let make = || {
            let iter = numbered(samples, batch_size).last_batch(rule).unwrap();
            match seed {
                Some(seed) => iter.shuffle(seed),
                None => iter,
            }
        };
        let mut steady = make();
        for _ in 0..stop {
            if steady.next().is_none() {
                steady.reset();
            }
        }
        let text = steady.state().to_string();
        let mut resumed = make();
        resumed.restore(&text.parse().unwrap()).unwrap();
        for _ in 0..3 {
            prop_assert_eq!(rest(&mut resumed), rest(&mut steady));
            prop_assert_eq!(resumed.state(), steady.state());
            resumed.reset();
            steady.reset();
        }
    }
}
