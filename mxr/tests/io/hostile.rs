//! Damaged input: every prefix of a file and thousands of changed bytes give a value or an error, never a panic,
//! and never take much more memory than the file is long.

use mxr::io::{FormatError, HostArray, csv, idx, npy, npz, params, safetensors};

use super::alloc::measure;
use super::common::data_dir;
use super::idx::gzip;
use super::samples::{idx_small, load, npy_small, params_of_all_kinds, safetensors_small};

type Reader = fn(&[u8]) -> Result<(), FormatError>;

/// What decompressors and error messages take whatever the input is.
const ALLOWANCE: usize = 256 * 1024;

fn read_params(bytes: &[u8]) -> Result<(), FormatError> {
    let mut options = params::Options::default();
    options.max_dense_bytes = Some(bytes.len() as u64 * 8);
    params::from_bytes(bytes, options).map(drop)
}

fn read_safetensors(bytes: &[u8]) -> Result<(), FormatError> {
    safetensors::from_bytes(bytes).map(drop)
}

fn read_npy(bytes: &[u8]) -> Result<(), FormatError> {
    npy::from_bytes(bytes).map(drop)
}

fn read_npz(bytes: &[u8]) -> Result<(), FormatError> {
    npz::from_bytes(bytes).map(drop)
}

fn read_idx(bytes: &[u8]) -> Result<(), FormatError> {
    idx::from_bytes(bytes).map(drop)
}

fn read_csv(bytes: &[u8]) -> Result<(), FormatError> {
    csv::from_bytes(bytes, &csv::Options::new().label_last()).map(drop)
}

/// Reads `bytes` within the limit on memory.
fn bounded(name: &str, reader: Reader, bytes: &[u8]) -> Result<(), FormatError> {
    let (result, peak, _) = measure(|| reader(bytes));
    let limit = ALLOWANCE + 24 * bytes.len();
    assert!(peak <= limit, "{name}: {peak} bytes of memory for a file of {}: {result:?}", bytes.len());
    result
}

/// All prefixes, then every byte changed in five ways.
fn damage(name: &str, reader: Reader, good: &[u8]) {
    bounded(name, reader, good).unwrap_or_else(|e| panic!("{name}: {e}"));
    for length in 0..good.len() {
        let result = bounded(name, reader, &good[..length]);
        assert!(
            result.is_err(),
            "{name}: the first {length} of {} bytes were taken for a whole file",
            good.len()
        );
    }
    let mut bytes = good.to_vec();
    for at in 0..good.len() {
        for changed in [good[at] ^ 1, good[at] ^ 0x80, 0, 0x7f, 0xff] {
            bytes[at] = changed;
            let _ = bounded(name, reader, &bytes);
        }
        bytes[at] = good[at];
    }
}

fn small_archive(compressed: bool) -> Vec<u8> {
    let a = HostArray::from_vec(vec![1.0f32, 2.0, 3.0], &[3]).unwrap();
    let b = HostArray::from_vec(vec![true, false], &[1, 2]).unwrap();
    npz::to_bytes([("a", &a), ("b", &b)], compressed).unwrap()
}

#[test]
fn damaged_files_made_by_hand_do_no_harm() {
    damage("params", read_params, &params_of_all_kinds());
    damage("safetensors", read_safetensors, &safetensors_small());
    damage("npy", read_npy, &npy_small());
    damage("npz", read_npz, &small_archive(false));
    damage("npz deflated", read_npz, &small_archive(true));
    damage("idx", read_idx, &idx_small());
    damage("idx.gz", read_idx, &gzip(&idx_small()));
}

#[test]
fn checksums_find_changed_elements() {
    let good = small_archive(false);
    let element = good.windows(4).position(|w| w == 2.0f32.to_le_bytes()).unwrap();
    for bit in 0..8 {
        let mut bytes = good.clone();
        bytes[element] ^= 1 << bit;
        assert!(read_npz(&bytes).is_err());
    }
}

#[test]
fn damaged_tables_do_no_harm() {
    let good = b"x,\"y\",z\n1.5,2,0\n-3e2,\"4\",1\n";
    for length in 0..good.len() {
        let _ = bounded("csv", read_csv, &good[..length]);
    }
    let mut bytes = good.to_vec();
    for at in 0..good.len() {
        for changed in 0..=255 {
            bytes[at] = changed;
            let _ = bounded("csv", read_csv, &bytes);
        }
        bytes[at] = good[at];
    }
}

#[test]
fn damaged_files_of_other_systems_do_no_harm() {
    let Some(data) = data_dir() else { return };
    for (name, reader) in [
        ("mxnet/mixed.params", read_params as Reader),
        ("mxnet/list-no-names.params", read_params),
        ("mxnet/npshape.params", read_params),
        ("mxnet/sparse.params", read_params),
        ("mxnet/legacy/v1.params", read_params),
        ("mxnet/legacy/legacy_ndarray.v0", read_params),
        ("formats/odd.safetensors", read_safetensors),
        ("formats/v2.npy", read_npy),
        ("formats/fortran.npy", read_npy),
        ("formats/odd.npz", read_npz),
        ("formats/odd-deflate.npz", read_npz),
    ] {
        damage(name, reader, &load(&data, name));
    }
}

/// A reader must not believe the sizes in a few bytes.
#[test]
fn announced_sizes_take_no_memory() {
    let huge = u32::MAX.to_be_bytes();
    let idx = [&[0, 0, 8, 3][..], &huge, &huge, &huge].concat();
    assert!(bounded("idx", read_idx, &idx).is_err());
    // 256 MB announced, as much as 300 kB of gzip might hold; only 300 kB come out.
    let mut state = 1u32;
    let noise = (0..300_000).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    let content: Vec<u8> = [0, 0, 8, 2, 0, 0, 64, 0, 0, 0, 64, 0].into_iter().chain(noise).collect();
    let zipped = gzip(&content);
    assert!(zipped.len() * 1032 > 256 << 20);
    let error = bounded("idx.gz", read_idx, &zipped).unwrap_err();
    assert!(error.to_string().contains("the content ends within"), "{error}");
}
