//! safetensors.

use std::collections::BTreeMap;

use mxr::io::{FormatErrorKind, HostArray, safetensors};
use mxr_graph::dtype::DType;
use proptest::prelude::*;

use super::common::data_dir;
use super::numpy::assert_values;
use super::samples::{assert_is, load, safetensors as file, safetensors_small};
use super::strategies;

fn refusal(bytes: &[u8], kind: FormatErrorKind, words: &str) {
    let error = safetensors::from_bytes(bytes).unwrap_err();
    assert!(error.kind() == kind && error.to_string().contains(words), "{error}");
}

#[test]
fn the_sample_holds_its_values_and_is_written_as_it_was() {
    let Some(data) = data_dir() else { return };
    let folder = data.join("formats");
    let original = load(&folder, "odd.safetensors");
    let found = safetensors::read(folder.join("odd.safetensors")).unwrap();
    assert_eq!(found.metadata, BTreeMap::from([("made_by".to_string(), "test".to_string())]));
    assert_eq!(found.arrays.len(), 10);
    assert_values(&folder, &found.arrays);
    assert!(safetensors::to_bytes(&found.arrays, &found.metadata).unwrap() == original);
}

#[test]
fn the_oracles_files_are_read() {
    let Some(data) = data_dir() else { return };
    let mut arrays = 0;
    for entry in std::fs::read_dir(data.join("oracle")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "safetensors") {
            arrays += safetensors::read(&path).unwrap().arrays.len();
        }
    }
    assert!(arrays > 500, "{arrays}");
}

#[test]
fn broken_samples_are_refused_for_their_reason() {
    use FormatErrorKind::*;
    let Some(data) = data_dir() else { return };
    for (name, kind, words) in [
        ("bad-header-len", Truncated, "the header takes 18446744073709551615 bytes, but 782 bytes are left"),
        ("bad-json", Malformed, "the header is not what safetensors prescribes"),
        ("bad-overlap", Malformed, "array `b` at bytes 8..24 of the data overlaps a, which ends at 16"),
        ("bad-size", Malformed, "array `a`, F32 of shape [5], does not fit its range of bytes 0..16"),
        ("truncated", Truncated, "the data of all arrays takes 150 bytes, but 147 bytes are left"),
        ("trailing", Trailing, "3 bytes follow"),
    ] {
        refusal(&load(&data.join("formats"), &format!("{name}.safetensors")), kind, words);
    }
}

#[test]
fn a_file_made_by_hand_is_read() {
    let found = safetensors::from_bytes(&safetensors_small()).unwrap();
    assert!(found.arrays.names().eq(["b", "a", "e", "s"]), "the order of the header");
    assert_is(found.arrays.get("a").unwrap(), &[2], &[1.5f32, -2.0]);
    assert_is(found.arrays.get("b").unwrap(), &[2, 2], &[1u8, 2, 3, 4]);
    assert_is::<i64>(found.arrays.get("e").unwrap(), &[0, 3], &[]);
    assert_is(found.arrays.get("s").unwrap(), &[], &[true]);
    assert_eq!(found.metadata["by"], "hand");
}

#[test]
fn types_without_a_counterpart_are_widened_or_refused() {
    let entry = |dtype: &str, bytes: usize| {
        format!(r#"{{"x":{{"dtype":"{dtype}","shape":[1],"data_offsets":[0,{bytes}]}}}}"#)
    };
    let read = |dtype: &str, data: &[u8]| {
        let found = safetensors::from_bytes(&file(&entry(dtype, data.len()), data)).unwrap();
        found.arrays.get("x").unwrap().clone()
    };
    assert_is(&read("I16", &[0xfe, 0xff]), &[1], &[-2i32]);
    assert_is(&read("U16", &[0xfe, 0xff]), &[1], &[65534i32]);
    assert_is(&read("U32", &[0xff; 4]), &[1], &[4294967295i64]);
    refusal(&file(&entry("U64", 8), &[0; 8]), FormatErrorKind::Unsupported, "`x` of shape [1] holds u64");
    refusal(
        &file(&entry("F8_E4M3", 1), &[0]),
        FormatErrorKind::Unsupported,
        "`x` has the element type `F8_E4M3`",
    );
}

#[test]
fn broken_rules_are_named() {
    use FormatErrorKind::*;
    let entry = |name: &str, begin: u64, end: u64| {
        format!(
            r#""{name}":{{"dtype":"U8","shape":[{}],"data_offsets":[{begin},{end}]}}"#,
            end.saturating_sub(begin)
        )
    };
    let two = |a: String, b: String| format!("{{{a},{b}}}");
    refusal(
        &file(&two(entry("a", 0, 2), entry("a", 2, 4)), &[0; 4]),
        Duplicate,
        "two arrays have the name `a`",
    );
    refusal(&file(&two(entry("a", 0, 2), entry("b", 3, 4)), &[0; 4]), Malformed, "leaves a hole after a");
    refusal(&file(&two(entry("a", 1, 2), entry("b", 2, 4)), &[0; 4]), Malformed, "hole after the start");
    refusal(&file(&two(entry("a", 0, 2), entry("b", 4, 2)), &[0; 4]), Malformed, "range of bytes 4..2");
    refusal(
        &file(r#"{"__metadata__":{"k":"1","k":"2"}}"#, &[]),
        Duplicate,
        "two metadata entries have the name `k`",
    );
    for (header, words) in [
        (r#"{"__metadata__":{},"__metadata__":{}}"#, "duplicate field `__metadata__`"),
        (r#"{"__metadata__":{"k":1}}"#, "expected a string"),
        (r#"{"a":{"dtype":"U8","shape":[1]}}"#, "missing field `data_offsets`"),
        (r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}"#, "trailing"),
        (r#"{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, "duplicate field `dtype`"),
        (r#"{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}"#, "integer `-1`"),
        (r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"strides":[1]}}"#, "unknown field `strides`"),
        (
            r#"{"a":{"dtype":"U8","shape":[4294967296,4294967296,2],"data_offsets":[0,1]}}"#,
            "larger than any memory",
        ),
        ("[]", "a map from names to arrays"),
        ("{}x", "trailing characters"),
    ] {
        refusal(&file(header, &[0]), Malformed, words);
    }
    let deep = format!(r#"{{"a":{{"dtype":"U8","shape":[{}1]}}}}"#, "1,".repeat(40));
    refusal(&file(&deep, &[]), Malformed, "at most 32 extents");
    assert_eq!(safetensors::from_bytes(&file("{}", &[])).unwrap().arrays.len(), 0);
}

#[test]
fn names_that_cannot_be_written_are_refused() {
    let array = HostArray::from_vec(vec![1u8], &[1]).unwrap();
    let write = |names: &[&str]| {
        safetensors::to_bytes(names.iter().map(|name| (*name, &array)), &BTreeMap::new())
            .map_err(|e| e.kind())
    };
    assert_eq!(write(&["a", "a"]), Err(FormatErrorKind::Duplicate));
    assert_eq!(write(&["__metadata__"]), Err(FormatErrorKind::Argument));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        arrays in strategies::arrays(DType::ALL.to_vec()),
        metadata in prop::collection::btree_map(".{0,6}", ".{0,6}", 0..3),
    ) {
        let bytes = safetensors::to_bytes(&arrays, &metadata).unwrap();
        let found = safetensors::from_bytes(&bytes).unwrap();
        prop_assert_eq!(&found.metadata, &metadata);
        prop_assert_eq!(found.arrays.len(), arrays.len());
        for (name, array) in &arrays {
            super::samples::assert_same(name, found.arrays.get(name).unwrap(), array);
        }
    }
}
