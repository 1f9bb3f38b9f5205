//! idx-ubyte.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use mxr::io::{FormatErrorKind, idx};

use super::common::data_dir;
use super::samples::{assert_is, idx_small};

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn refusal(bytes: &[u8], kind: FormatErrorKind, words: &str) {
    let error = idx::from_bytes(bytes).unwrap_err();
    assert!(error.kind() == kind && error.to_string().contains(words), "{error}");
}

#[test]
fn mnist_is_read() {
    let Some(data) = data_dir() else { return };
    let folder = data.join("mnist");
    let labels = idx::read(folder.join("train-labels-idx1-ubyte.gz")).unwrap();
    assert_eq!(labels.shape(), [60_000]);
    // The beginning that every description of the set shows.
    assert_eq!(labels.as_slice::<u8>().unwrap()[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    let images = idx::read(folder.join("train-images-idx3-ubyte.gz")).unwrap();
    assert_eq!(images.shape(), [60_000, 28, 28]);
    let pixels = images.as_slice::<u8>().unwrap();
    // Mean and deviation of the training pixels in 0..1, as published everywhere: 0.1307 and 0.3081.
    let mean = pixels.iter().map(|&p| f64::from(p)).sum::<f64>() / pixels.len() as f64 / 255.0;
    let square = pixels.iter().map(|&p| (f64::from(p) / 255.0).powi(2)).sum::<f64>() / pixels.len() as f64;
    let deviation = (square - mean * mean).sqrt();
    assert!((mean - 0.1307).abs() < 5e-5 && (deviation - 0.3081).abs() < 5e-5, "{mean} {deviation}");
}

#[test]
fn files_made_by_hand_are_read_plain_and_zipped() {
    for bytes in [idx_small(), gzip(&idx_small())] {
        assert_is(&idx::from_bytes(&bytes).unwrap(), &[3], &[3u8, 1, 4]);
    }
    let word = [0, 0, 0x0B, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xfe, 0x01, 0x00];
    assert_is(&idx::from_bytes(&word).unwrap(), &[1, 2], &[-2i32, 256]);
    let float = [&[0, 0, 0x0D, 1, 0, 0, 0, 1][..], &1.5f32.to_be_bytes()].concat();
    assert_is(&idx::from_bytes(&float).unwrap(), &[1], &[1.5f32]);
}

#[test]
fn broken_files_are_refused() {
    use FormatErrorKind::*;
    refusal(&[0, 0, 7, 1, 0, 0, 0, 0], Malformed, "00 00 07");
    refusal(&[0, 0, 8, 1, 0, 0, 0, 9, 1], Truncated, "takes 9 bytes, but 1 bytes are left");
    refusal(&[0, 0, 8, 1, 0, 0, 0, 1, 1, 1], Trailing, "1 bytes follow");
    refusal(&[0, 0, 8, 99], Malformed, "99 dimensions");
    let zipped = gzip(&idx_small());
    refusal(&[&zipped[..], &[0]].concat(), Truncated, "the end");
    refusal(&[&zipped[..], b"more behind the end"].concat(), Malformed, "damaged");
    let mut wrong_checksum = zipped.clone();
    let at = zipped.len() - 8;
    wrong_checksum[at] ^= 1;
    refusal(&wrong_checksum, Malformed, "damaged");
    refusal(&gzip(&[0, 0, 8, 1, 0, 0, 0, 9, 1]), Truncated, "the content ends within");
    refusal(&gzip(&[0, 0, 8, 1, 0, 0, 0, 1, 1, 1]), Trailing, "more bytes follow");
    refusal(&gzip(&[0, 0, 8, 2, 255, 255, 255, 255, 255, 255, 255, 255]), Truncated, "at most");
}
