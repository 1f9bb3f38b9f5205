//! Random arrays for round trips.

use mxr::io::{HostArray, NamedArrays};
use mxr_graph::dtype::DType;
use proptest::prelude::*;

/// Arrays of any type and up to 4 dimensions, some empty; any bit patterns.
pub(crate) fn array(dtypes: Vec<DType>) -> impl Strategy<Value = HostArray> {
    let shape = prop::collection::vec(0usize..5, 0..5);
    (prop::sample::select(dtypes), shape).prop_flat_map(|(dtype, shape)| {
        let bytes = shape.iter().product::<usize>() * dtype.size();
        let top = if dtype == DType::Bool { 1 } else { 255u8 };
        prop::collection::vec(0..=top, bytes)
            .prop_map(move |bytes| HostArray::from_bytes(dtype, &shape, &bytes).unwrap())
    })
}

/// Up to 5 arrays whose names are any text, different by their number.
pub(crate) fn arrays(dtypes: Vec<DType>) -> impl Strategy<Value = NamedArrays> {
    prop::collection::vec((".{0,12}", array(dtypes)), 0..5).prop_map(|entries| {
        let mut arrays = NamedArrays::new();
        for (i, (name, array)) in entries.into_iter().enumerate() {
            arrays.push(format!("{name}#{i}"), array).unwrap();
        }
        arrays
    })
}

pub(crate) fn assert_equal(found: &NamedArrays, expected: &NamedArrays) {
    assert!(found.names().eq(expected.names()));
    for ((name, found), (_, expected)) in found.iter().zip(expected) {
        super::samples::assert_same(name, found, expected);
    }
}
