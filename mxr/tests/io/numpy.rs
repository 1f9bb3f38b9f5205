//! npy and npz.

use std::path::Path;

use mxr::io::{FormatErrorKind, HostArray, NamedArrays, npy, npz};
use mxr_graph::dtype::DType;
use proptest::prelude::*;
use serde_json::Value;

use super::common::data_dir;
use super::samples::{Bytes, assert_is, assert_same, load, npy as file, npy_small};
use super::strategies;

/// Checks arrays against the values that `odd.json` in this folder gives for their names.
pub(crate) fn assert_values(folder: &Path, arrays: &NamedArrays) {
    let json: Value = serde_json::from_slice(&load(folder, "odd.json")).unwrap();
    for (name, array) in arrays {
        let expected = &json[name];
        let list = |key: &str| expected[key].as_array().unwrap_or_else(|| panic!("odd.json: {name}")).iter();
        let dtype = match expected["dtype"].as_str().unwrap() {
            "float32" => DType::F32,
            "float64" => DType::F64,
            "float16" => DType::F16,
            "int8" => DType::I8,
            "uint8" => DType::U8,
            "int32" => DType::I32,
            "int64" => DType::I64,
            "bool" => DType::Bool,
            other => panic!("odd.json has the type {other}"),
        };
        assert_eq!(array.dtype(), dtype, "{name}");
        assert!(
            list("shape").map(|d| d.as_u64().unwrap() as usize).eq(array.shape().iter().copied()),
            "{name}"
        );
        let found: Vec<f64> = match array.as_slice::<f64>() {
            Ok(values) => values.to_vec(),
            Err(_) => array.to_f32().into_iter().map(f64::from).collect(),
        };
        let expected: Vec<f64> = list("values").map(|v| v.as_f64().unwrap()).collect();
        assert_eq!(found.len(), expected.len(), "{name}");
        // The JSON reader may be off by one unit in the last place of an f64.
        assert!(
            found.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1e-15 * b.abs()),
            "{name}: {found:?}"
        );
    }
}

fn refusal(bytes: &[u8], kind: FormatErrorKind, words: &str) {
    let error = npy::from_bytes(bytes).unwrap_err();
    assert!(error.kind() == kind && error.to_string().contains(words), "{error}");
}

fn refusal_npz(bytes: &[u8], kind: FormatErrorKind, words: &str) {
    let error = npz::from_bytes(bytes).unwrap_err();
    assert!(error.kind() == kind && error.to_string().contains(words), "{error}");
}

#[test]
fn archives_hold_their_values_stored_or_deflated() {
    let Some(data) = data_dir() else { return };
    let folder = data.join("formats");
    for name in ["odd.npz", "odd-deflate.npz"] {
        let arrays = npz::read(folder.join(name)).unwrap();
        assert_eq!(arrays.len(), 12, "{name}");
        assert_values(&folder, &arrays);
    }
}

#[test]
fn single_arrays_hold_their_values() {
    let Some(data) = data_dir() else { return };
    let folder = data.join("formats");
    let mut arrays = NamedArrays::new();
    arrays.push("f32", npy::read(folder.join("v2.npy")).unwrap()).unwrap();
    arrays.push("fortran", npy::read(folder.join("fortran.npy")).unwrap()).unwrap();
    assert_values(&folder, &arrays);
}

#[test]
fn every_archive_of_the_data_is_read() {
    let Some(data) = data_dir() else { return };
    let mut arrays = 0;
    for folder in ["formats", "mxnet", "mxnet/legacy", "mxnet/gluoncv"] {
        for entry in std::fs::read_dir(data.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "npz") {
                arrays += npz::read(&path).unwrap().len();
            }
        }
    }
    assert!(arrays > 200, "{arrays}");
}

#[test]
fn arrays_are_written_as_numpy_writes_them() {
    let Some(data) = data_dir() else { return };
    let bytes = load(&data.join("formats"), "odd.npz");
    let arrays = npz::from_bytes(&bytes).unwrap();
    for (name, array) in arrays.iter().filter(|(name, _)| !["fortran", "big"].contains(name)) {
        let written = npy::to_bytes(array).unwrap();
        assert!(bytes.windows(written.len()).any(|window| window == written), "{name}");
    }
}

#[test]
fn an_array_made_by_hand_is_read() {
    assert_is(&npy::from_bytes(&npy_small()).unwrap(), &[2, 3], &[0i32, 1, 2, 10, 11, 12]);
    let scalar = file(1, "{'descr': '|b1', 'fortran_order': True, 'shape': ()}", &[1]);
    assert_is(&npy::from_bytes(&scalar).unwrap(), &[], &[true]);
    let elements: Vec<u8> = (0..24).collect();
    let cube = file(3, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4)}", &elements);
    let cube = npy::from_bytes(&cube).unwrap();
    let at = |i: usize, j: usize, k: usize| cube.as_slice::<u8>().unwrap()[(i * 3 + j) * 4 + k];
    assert_eq!([at(0, 0, 1), at(0, 1, 0), at(1, 0, 0), at(1, 2, 3)], [6, 2, 1, 23]);
}

#[test]
fn broken_or_foreign_arrays_are_refused() {
    use FormatErrorKind::*;
    let of = |descr: &str| {
        file(1, &format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}"), &[0; 8])
    };
    refusal(&of("'<u8'"), Unsupported, "holds u64");
    refusal(&of("'<c8'"), Unsupported, "`<c8`");
    refusal(&of("'|O'"), Unsupported, "`|O`");
    refusal(&of("[('a', '<f4'), ('b', '<f4')]"), Unsupported, "[('a', '<f4')");
    refusal(&of("'|u1'"), Trailing, "7 bytes follow");
    let many = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }";
    refusal(&file(1, many, &[0; 8]), Truncated, "takes 8000000000000 bytes");
    refusal(&file(4, "{}", &[]), Unsupported, "version 4.0");
    refusal(b"PK\x03\x04....", Malformed, "magic number");
}

#[test]
fn bf16_is_not_written_for_numpy() {
    let array = HostArray::zeros(DType::Bf16, &[1]).unwrap();
    assert!(npy::to_bytes(&array).unwrap_err().to_string().contains("to_f32"));
    assert!(npz::to_bytes([("a", &array)], false).is_err());
}

/// An archive of one stored member whose sizes and places are all given in ZIP64 fields, as streaming writers
/// give them even for small files.
fn zip64(member: &str, content: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(content);
    let size = content.len() as u64;
    let extra = Bytes::new().u16(1).u16(16).u64s(&[size, size]);
    let local = Bytes::new()
        .u32(0x0403_4b50)
        .u16(45)
        .u16(0)
        .u16(0)
        .u32(0)
        .u32(crc.sum())
        .u32(u32::MAX)
        .u32(u32::MAX)
        .u16(member.len() as u16)
        .u16(20)
        .raw(member.as_bytes())
        .raw(&extra.0)
        .raw(content);
    let central = Bytes::new()
        .u32(0x0201_4b50)
        .u16(45)
        .u16(45)
        .u16(0)
        .u16(0)
        .u32(0)
        .u32(crc.sum())
        .u32(u32::MAX)
        .u32(u32::MAX)
        .u16(member.len() as u16)
        .u16(28)
        .raw(&[0; 10])
        .u32(u32::MAX)
        .raw(member.as_bytes())
        .u16(1)
        .u16(24)
        .u64s(&[size, size, 0]);
    let (start, length) = (local.0.len() as u64, central.0.len() as u64);
    local
        .raw(&central.0)
        .u32(0x0606_4b50)
        .u64s(&[44])
        .u16(45)
        .u16(45)
        .raw(&[0; 8])
        .u64s(&[1, 1, length, start])
        .u32(0x0706_4b50)
        .u32(0)
        .u64s(&[start + length])
        .u32(1)
        .u32(0x0605_4b50)
        .raw(&[0; 4])
        .raw(&[0xff; 12])
        .u16(0)
        .0
}

#[test]
fn zip64_fields_are_understood() {
    let arrays = npz::from_bytes(&zip64("x.npy", &npy_small())).unwrap();
    assert_is(arrays.get("x").unwrap(), &[2, 3], &[0i32, 1, 2, 10, 11, 12]);
}

#[test]
fn broken_archives_are_refused() {
    use FormatErrorKind::*;
    let array = HostArray::from_vec(vec![1.0f32, 2.0], &[2]).unwrap();
    let good = npz::to_bytes([("a", &array), ("b", &array)], false).unwrap();
    refusal_npz(&[&good[..], &[0]].concat(), Truncated, "end record");
    refusal_npz(&[&[0], &good[..]].concat(), Malformed, "does not end where its end record starts");
    refusal_npz(b"", Truncated, "22 bytes");
    let position = |bytes: &[u8]| good.windows(bytes.len()).position(|w| w == bytes).unwrap();

    // Element 0 of `a`, and then its name: in the local header, in the directory, in both.
    let mut damaged = good.clone();
    damaged[position(&1.0f32.to_le_bytes())] ^= 1;
    refusal_npz(&damaged, Malformed, "checksum");
    let mut renamed = good.clone();
    let local = position(b"b.npy");
    renamed[local] = b'a';
    refusal_npz(&renamed, Malformed, "differs from the archive's directory");
    let central = local + 1 + good[local + 1..].windows(5).position(|w| w == b"b.npy").unwrap();
    renamed[central] = b'a';
    refusal_npz(&renamed, Duplicate, "`a.npy`");
    let mut foreign = good.clone();
    for at in [local, central] {
        foreign[at..at + 5].copy_from_slice(b"b.txt");
    }
    refusal_npz(&foreign, Unsupported, "`b.txt` is not an array");

    // Flags and method of the second entry, 38 and 36 bytes before its name.
    let mut encrypted = good.clone();
    encrypted[central - 38] |= 1;
    refusal_npz(&encrypted, Unsupported, "encrypted");
    let mut method = good.clone();
    method[central - 36] = 12;
    refusal_npz(&method, Unsupported, "method 12");
    // Its place, 4 bytes before its name: both members at 0.
    let mut overlapping = good.clone();
    overlapping[central - 4..central].copy_from_slice(&[0; 4]);
    refusal_npz(&overlapping, Malformed, "reaches into what follows");
}

#[test]
fn a_deflated_member_must_have_the_size_it_claims() {
    let array = HostArray::zeros(DType::F32, &[10_000]).unwrap();
    let good = npz::to_bytes([("zeros", &array)], true).unwrap();
    assert!(good.len() < 1000);
    assert_same("zeros", npz::from_bytes(&good).unwrap().get("zeros").unwrap(), &array);
    let size = (40_000u32 + 128).to_le_bytes();
    for wrong in [40_129u32, 40_127, 4_000_000_000] {
        let mut damaged = good.clone();
        for at in (0..good.len() - 4).filter(|&at| good[at..at + 4] == size) {
            damaged[at..at + 4].copy_from_slice(&wrong.to_le_bytes());
        }
        assert!(npz::from_bytes(&damaged).is_err(), "{wrong}");
    }
}

fn numpy_types() -> Vec<DType> {
    DType::ALL.into_iter().filter(|&dtype| dtype != DType::Bf16).collect()
}

proptest! {
    #[test]
    fn arrays_that_are_written_are_read(array in strategies::array(numpy_types())) {
        assert_same("array", &npy::from_bytes(&npy::to_bytes(&array).unwrap()).unwrap(), &array);
    }

    #[test]
    fn archives_that_are_written_are_read(arrays in strategies::arrays(numpy_types()), compressed: bool) {
        let bytes = npz::to_bytes(&arrays, compressed).unwrap();
        strategies::assert_equal(&npz::from_bytes(&bytes).unwrap(), &arrays);
    }
}
