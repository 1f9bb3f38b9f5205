//! Small files made by hand from the descriptions of the formats, and comparisons.

use std::fs;
use std::path::Path;

use mxr::io::HostArray;

/// A file under construction.
#[derive(Clone, Default)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Bytes {
    pub(crate) fn new() -> Bytes {
        Bytes::default()
    }

    pub(crate) fn u16(mut self, value: u16) -> Bytes {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn u32(mut self, value: u32) -> Bytes {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn i32s(mut self, values: &[i32]) -> Bytes {
        values.iter().for_each(|v| self.0.extend(v.to_le_bytes()));
        self
    }

    pub(crate) fn u64s(mut self, values: &[u64]) -> Bytes {
        values.iter().for_each(|v| self.0.extend(v.to_le_bytes()));
        self
    }

    pub(crate) fn f32s(mut self, values: &[f32]) -> Bytes {
        values.iter().for_each(|v| self.0.extend(v.to_le_bytes()));
        self
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Bytes {
        self.0.extend(bytes);
        self
    }
}

/// A `.params` file around hand-made arrays; `names` may be empty.
pub(crate) fn params(arrays: &[Bytes], names: &[&str]) -> Vec<u8> {
    let mut file = Bytes::new().u64s(&[0x112, 0, arrays.len() as u64]);
    for array in arrays {
        file = file.raw(&array.0);
    }
    file = file.u64s(&[names.len() as u64]);
    for name in names {
        file = file.u64s(&[name.len() as u64]).raw(name.as_bytes());
    }
    file.0
}

/// A dense array of version 2: shape, type code, elements.
pub(crate) fn dense(shape: &[u64], code: i32, elements: &[u8]) -> Bytes {
    Bytes::new().u32(0xF993_FAC9).i32s(&[0, shape.len() as i32]).u64s(shape).i32s(&[1, 0, code]).raw(elements)
}

/// One array of each layout that `.params` knows.
pub(crate) fn params_of_all_kinds() -> Vec<u8> {
    let oldest = Bytes::new().u32(2).u32(1).u32(2).i32s(&[1, 0, 0]).f32s(&[1.0, 2.0]);
    let v1 = Bytes::new().u32(0xF993_FAC8).i32s(&[1]).u64s(&[2]).i32s(&[2, 0, 4, 7, -7]);
    let scalar = Bytes::new().u32(0xF993_FACA).i32s(&[0, 0, 1, 0, 0]).f32s(&[2.5]);
    let row_sparse = Bytes::new()
        .u32(0xF993_FAC9)
        .i32s(&[1, 2])
        .u64s(&[1, 2])
        .i32s(&[2])
        .u64s(&[3, 2])
        .i32s(&[1, 0, 0, 6, 1])
        .u64s(&[1])
        .f32s(&[5.0, 6.0])
        .u64s(&[1]);
    let csr = Bytes::new()
        .u32(0xF993_FAC9)
        .i32s(&[2, 1])
        .u64s(&[2])
        .i32s(&[2])
        .u64s(&[2, 3])
        .i32s(&[1, 0, 0, 6, 1])
        .u64s(&[3])
        .i32s(&[6, 1])
        .u64s(&[2])
        .f32s(&[7.0, 8.0])
        .u64s(&[0, 1, 2, 2, 0]);
    let flags = dense(&[3], 7, &[1, 0, 1]);
    params(&[oldest, v1, scalar, row_sparse, csr, flags], &["v0", "v1", "v3", "rows", "csr", "flags"])
}

pub(crate) fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    Bytes::new().u64s(&[header.len() as u64]).raw(header.as_bytes()).raw(data).0
}

/// Two arrays, an empty one, a scalar and metadata.
pub(crate) fn safetensors_small() -> Vec<u8> {
    let header = concat!(
        r#"{"__metadata__":{"by":"hand"},"b":{"dtype":"U8","shape":[2,2],"data_offsets":[8,12]},"#,
        r#""a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"e":{"dtype":"I64","shape":[0,3],"data_offsets":[8,8]},"#,
        r#""s":{"dtype":"BOOL","shape":[],"data_offsets":[12,13]}}  "#
    );
    safetensors(header, &Bytes::new().f32s(&[1.5, -2.0]).raw(&[1, 2, 3, 4, 1]).0)
}

pub(crate) fn npy(version: u8, dictionary: &str, data: &[u8]) -> Vec<u8> {
    let start = Bytes::new().raw(b"\x93NUMPY").raw(&[version, 0]);
    let length = dictionary.len();
    let start = if version == 1 { start.u16(length as u16) } else { start.u32(length as u32) };
    start.raw(dictionary.as_bytes()).raw(data).0
}

/// Big-endian, column-major: 2 rows of 3.
pub(crate) fn npy_small() -> Vec<u8> {
    let elements: Vec<u8> = [0i16, 10, 1, 11, 2, 12].iter().flat_map(|v| v.to_be_bytes()).collect();
    npy(2, "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }\n", &elements)
}

/// Labels 3, 1, 4.
pub(crate) fn idx_small() -> Vec<u8> {
    vec![0, 0, 8, 1, 0, 0, 0, 3, 3, 1, 4]
}

pub(crate) fn assert_same(name: &str, found: &HostArray, expected: &HostArray) {
    assert_eq!((found.dtype(), found.shape()), (expected.dtype(), expected.shape()), "{name}");
    assert!(found.as_bytes() == expected.as_bytes(), "{name}: elements differ");
}

/// Checks an array against literal values.
pub(crate) fn assert_is<T: mxr::io::HostElement + PartialEq + std::fmt::Debug>(
    array: &HostArray,
    shape: &[usize],
    elements: &[T],
) {
    assert_eq!((array.shape(), array.as_slice::<T>().unwrap()), (shape, elements));
}

pub(crate) fn load(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{name} belongs to the test data: {e}"))
}
