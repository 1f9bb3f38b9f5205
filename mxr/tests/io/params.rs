//! MXNet's parameter files.

use mxr::io::params::{self, Options, Params};
use mxr::io::{FormatErrorKind, HostArray, NamedArrays, checkpoint, npz};
use mxr_graph::dtype::DType;
use proptest::prelude::*;

use super::common::data_dir;
use super::samples::{Bytes, assert_is, assert_same, dense, load, params as file, params_of_all_kinds};
use super::strategies;

fn parse(bytes: &[u8]) -> Result<Params, mxr::io::FormatError> {
    params::from_bytes(bytes, Options::default())
}

fn named(bytes: &[u8]) -> NamedArrays {
    match parse(bytes).unwrap() {
        Params::Named(arrays) => arrays,
        Params::List(_) => panic!("the file has names"),
    }
}

fn refusal(bytes: &[u8], kind: FormatErrorKind, words: &str) {
    let error = parse(bytes).unwrap_err();
    assert!(error.kind() == kind && error.to_string().contains(words), "{error}");
}

#[test]
fn mxnets_files_hold_the_values_of_the_npz_beside_them() {
    let Some(data) = data_dir() else { return };
    let mut arrays = 0;
    for (file, values) in [
        ("mixed.params", "mixed.npz"),
        ("list-no-names.params", "list-no-names.npz"),
        ("sparse.params", "sparse.npz"),
        ("npshape.params", "npshape.npz"),
        ("legacy/v1.params", "legacy/v1.npz"),
        ("legacy/legacy_ndarray.v0", "legacy/legacy_ndarray.npz"),
    ] {
        let folder = data.join("mxnet");
        let expected = npz::read(folder.join(values)).unwrap();
        let found = params::read_with(folder.join(file), Options::default()).unwrap();
        let found: Vec<(String, HostArray)> = match found {
            Params::Named(named) => {
                named.into_iter().map(|(name, array)| (name.replace('/', "|"), array)).collect()
            }
            Params::List(list) => {
                list.into_iter().enumerate().map(|(i, array)| (format!("arr_{i}"), array)).collect()
            }
        };
        assert_eq!(found.len(), expected.len(), "{file}");
        for (name, array) in &found {
            assert_same(name, array, expected.get(name).unwrap_or_else(|| panic!("{file}: {name}")));
        }
        arrays += found.len();
    }
    assert!(arrays > 25, "{arrays}");
}

#[test]
fn dense_files_are_written_as_mxnet_writes_them() {
    let Some(data) = data_dir() else { return };
    for name in [
        "mixed.params",
        "list-no-names.params",
        "npshape.params",
        "lenet-0000.params",
        "resnet-0000.params",
        "inception-0000.params",
        "lstm-0000.params",
        "gluoncv/cifar_resnet20_v1-0000.params",
    ] {
        let original = load(&data.join("mxnet"), name);
        let written = match parse(&original).unwrap() {
            Params::Named(arrays) => params::to_bytes(&arrays).unwrap(),
            Params::List(arrays) => params::to_bytes_list(&arrays).unwrap(),
        };
        assert!(written == original, "{name}");
    }
}

#[test]
fn a_checkpoint_splits_into_weights_and_statistics() {
    let Some(data) = data_dir() else { return };
    let prefix = data.join("mxnet/resnet");
    assert_eq!(checkpoint::latest_epoch(&prefix).unwrap(), Some(0));
    let roles = checkpoint::split_roles(params::read(checkpoint::params_path(&prefix, 0)).unwrap()).unwrap();
    assert!(roles.bare.is_empty());
    assert!(roles.arg.get("stem_conv_weight").is_some_and(|w| w.shape() == [8, 3, 3, 3]));
    assert!(roles.aux.get("stem_bn_moving_var").is_some_and(|v| v.shape() == [8]));
}

#[test]
fn every_layout_is_read() {
    let arrays = named(&params_of_all_kinds());
    assert_is(arrays.get("v0").unwrap(), &[1, 2], &[1.0f32, 2.0]);
    assert_is(arrays.get("v1").unwrap(), &[2], &[7i32, -7]);
    assert_is(arrays.get("v3").unwrap(), &[], &[2.5f32]);
    assert_is(arrays.get("rows").unwrap(), &[3, 2], &[0.0f32, 0.0, 5.0, 6.0, 0.0, 0.0]);
    assert_is(arrays.get("csr").unwrap(), &[2, 3], &[0.0f32, 0.0, 7.0, 8.0, 0.0, 0.0]);
    assert_is(arrays.get("flags").unwrap(), &[3], &[true, false, true]);
}

#[test]
fn types_without_a_counterpart_are_widened_or_refused() {
    let i16s: Vec<u8> = [-2i16, 300].iter().flat_map(|v| v.to_le_bytes()).collect();
    let arrays = named(&file(
        &[
            dense(&[2], 8, &i16s),
            dense(&[1], 9, &[0xff, 0xff]),
            dense(&[1], 10, &[0xff; 4]),
            dense(&[1], 12, &[0x80, 0x3f]),
        ],
        &["i16", "u16", "u32", "bf16"],
    ));
    assert_is(arrays.get("i16").unwrap(), &[2], &[-2i32, 300]);
    assert_is(arrays.get("u16").unwrap(), &[1], &[65535i32]);
    assert_is(arrays.get("u32").unwrap(), &[1], &[4294967295i64]);
    assert_eq!(arrays.get("bf16").unwrap().to_f32(), [1.0]);
    refusal(
        &file(&[dense(&[1], 11, &[0; 8])], &[]),
        FormatErrorKind::Unsupported,
        "array `#0` of shape [1] holds u64",
    );
    refusal(&file(&[dense(&[1], 13, &[0; 8])], &[]), FormatErrorKind::Malformed, "element type 13");
}

#[test]
fn arrays_that_were_never_made_are_empty() {
    let v2 = Bytes::new().u32(0xF993_FAC9).i32s(&[0, 0]);
    let v3 = Bytes::new().u32(0xF993_FACA).i32s(&[0, -1]);
    let Params::List(arrays) = parse(&file(&[v2, v3, Bytes::new().u32(0)], &[])).unwrap() else {
        panic!("there are no names");
    };
    arrays.iter().for_each(|array| assert_is::<f32>(array, &[0], &[]));
    assert_eq!(arrays.len(), 3);
}

#[test]
fn broken_rules_are_named() {
    use FormatErrorKind::*;
    let one = || dense(&[1], 3, &[9]);
    refusal(&file(&[one(), one()], &["a", "a"]), Duplicate, "`a` occurs twice");
    refusal(&file(&[one(), one()], &["a"]), Malformed, "1 names for 2 arrays");
    refusal(&[file(&[one()], &["a"]), vec![0]].concat(), Trailing, "1 bytes follow");
    refusal(&file(&[dense(&[u64::MAX / 2, 16], 3, &[])], &[]), Malformed, "larger than any memory");
    refusal(&file(&[dense(&[1 << 40], 3, &[0; 9])], &[]), Truncated, "takes 1099511627776 bytes");
    refusal(&file(&[dense(&[u64::MAX], 3, &[])], &[]), Malformed, "extent is -1");
    refusal(&file(&[dense(&[2], 7, &[0, 3])], &[]), Malformed, "element 1 of the bool");
    refusal(&Bytes::new().u64s(&[0x112, 0, u64::MAX]).0, Truncated, "a list of 18446744073709551615 arrays");
    refusal(&Bytes::new().u64s(&[0x113, 0, 0, 0]).0, Malformed, "0x113");
    refusal(&file(&[Bytes::new().u32(33)], &[]), Malformed, "33 is neither");
    refusal(
        &Bytes::new().u64s(&[0x112, 0, 1]).raw(&one().0).u64s(&[1, 1 << 20]).raw(&[0; 9]).0,
        Truncated,
        "name",
    );
    refusal(
        &Bytes::new().u64s(&[0x112, 0, 1]).raw(&one().0).u64s(&[1, 1]).raw(&[0xff]).0,
        Malformed,
        "UTF-8",
    );
}

#[test]
fn sparse_arrays_stay_within_the_limit() {
    let huge = Bytes::new()
        .u32(0xF993_FAC9)
        .i32s(&[1, 2])
        .u64s(&[0, 1 << 20])
        .i32s(&[2])
        .u64s(&[1 << 20, 1 << 20])
        .i32s(&[1, 0, 0, 6, 1])
        .u64s(&[0]);
    refusal(&file(&[huge], &[]), FormatErrorKind::TooLarge, "max_dense_bytes");
    let mut options = Options::default();
    options.max_dense_bytes = Some(47);
    let small = params_of_all_kinds();
    assert_eq!(params::from_bytes(&small, options).unwrap_err().kind(), FormatErrorKind::TooLarge);
    options.max_dense_bytes = Some(48);
    assert!(params::from_bytes(&small, options).is_ok(), "two arrays of 24 bytes");
}

#[test]
fn reading_named_arrays_from_a_list_says_how_to_read_it() {
    let Some(data) = data_dir() else { return };
    let error = params::read(data.join("mxnet/list-no-names.params")).unwrap_err();
    assert!(error.to_string().contains("params::read_with"), "{error}");
    let error = params::read(data.join("mxnet/missing.params")).unwrap_err();
    assert_eq!(error.kind(), FormatErrorKind::Io);
}

proptest! {
    #[test]
    fn what_is_written_is_read(arrays in strategies::arrays(DType::ALL.to_vec())) {
        let bytes = params::to_bytes(&arrays).unwrap();
        match parse(&bytes).unwrap() {
            Params::Named(found) => strategies::assert_equal(&found, &arrays),
            Params::List(found) => prop_assert!(found.is_empty() && arrays.is_empty()),
        }
    }
}
