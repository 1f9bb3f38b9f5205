//! The reader of all versions.

use std::io::Read;

use super::super::array::HostArray;
use super::super::error::{FormatError, FormatErrorKind};
use super::super::input::{ByteOrder, FileType, Input, MAX_DIMS, MAX_NAME};
use super::super::named::NamedArrays;
use super::sparse::{Layout, densify};
use super::{LIST_MAGIC, Options, Params, TYPES, V1, V2, V3};

pub(super) fn read<R: Read>(mut input: Input<R>, options: Options) -> Result<Params, FormatError> {
    let magic = input.u64("the list's magic number")?;
    if magic != LIST_MAGIC {
        return Err(input.error_at(
            0,
            FormatErrorKind::Malformed,
            format!("the file starts with {magic:#x}, not with MXNet's {LIST_MAGIC:#x}"),
            "this is not a `.params` file; safetensors and npz have readers of their own",
        ));
    }
    input.u64("the reserved word")?;
    let mut budget = options
        .max_dense_bytes
        .unwrap_or_else(|| (16u64 << 20).saturating_add(input.left().saturating_mul(64)));
    let count = input.u64("the number of arrays")?;
    input.need(count.saturating_mul(SMALLEST_ARRAY), &format!("a list of {count} arrays"))?;
    let mut arrays = Vec::new();
    for index in 0..count {
        arrays.push(array(&mut input, index, &mut budget)?);
    }

    let at = input.offset();
    let names = input.u64("the number of names")?;
    if names != 0 && names != count {
        return Err(input.error_at(
            at,
            FormatErrorKind::Malformed,
            format!("{names} names for {count} arrays"),
            "a file has no names or one for each array; it is damaged",
        ));
    }
    if names == 0 {
        input.finish()?;
        return Ok(Params::List(arrays));
    }
    let mut named = NamedArrays::new();
    for (index, array) in arrays.into_iter().enumerate() {
        let at = input.offset();
        let name = name(&mut input, index)?;
        if named.contains(&name) {
            return Err(input.error_at(
                at,
                FormatErrorKind::Duplicate,
                format!("the name `{name}` occurs twice"),
                "it is not clear which array is meant; write the file again",
            ));
        }
        named.push(name, array)?;
    }
    input.finish()?;
    Ok(Params::Named(named))
}

/// Version 0 with no dimensions.
const SMALLEST_ARRAY: u64 = 4;

fn name<R: Read>(input: &mut Input<R>, index: usize) -> Result<String, FormatError> {
    let thing = format!("the name of array {index}");
    let length = input.u64(&thing)?;
    let at = input.offset();
    let bytes = input.blob(length, MAX_NAME, &thing)?;
    String::from_utf8(bytes).map_err(|e| {
        input.error_at(
            at + e.utf8_error().valid_up_to() as u64,
            FormatErrorKind::Malformed,
            format!("{thing} is not UTF-8"),
            "the file is damaged, or a tool wrote names in another encoding",
        )
    })
}

fn array<R: Read>(input: &mut Input<R>, index: u64, budget: &mut u64) -> Result<HostArray, FormatError> {
    let name = format!("#{index}");
    let version = input.u32("an array's version")?;
    let (sparse, shape) = match version {
        V3 | V2 => {
            let layout = storage(input)?;
            let stored = match layout {
                Some(_) => Some(shape(input, version)?.unwrap_or_default()),
                None => None,
            };
            (layout.zip(stored), shape(input, version)?)
        }
        V1 => (None, shape(input, version)?),
        ndim => (None, oldest_shape(input, ndim)?),
    };
    let Some(shape) = shape else {
        return Ok(HostArray::from_vec(Vec::<f32>::new(), &[0]).expect("no elements make the shape [0]"));
    };
    input.i32("an array's device type")?;
    input.i32("an array's device number")?;
    let dtype = file_type(input)?;
    match sparse {
        None => input.array(&name, dtype, ByteOrder::Little, shape),
        Some((layout, stored)) => {
            let mut auxiliary = Vec::new();
            for _ in 0..layout.auxiliary_arrays() {
                let dtype = file_type(input)?;
                auxiliary.push((dtype, self::shape(input, V2)?.unwrap_or_default()));
            }
            let at = input.offset();
            let data = input.array(&name, dtype, ByteOrder::Little, stored)?;
            let mut indices = Vec::new();
            for (dtype, shape) in auxiliary {
                indices.push(input.array(&format!("indices of {name}"), dtype, ByteOrder::Little, shape)?);
            }
            densify(layout, &name, shape, &data, &indices, budget)
                .map_err(|fault| input.error_at(at, fault.kind, fault.problem, fault.hint))
        }
    }
}

fn storage<R: Read>(input: &mut Input<R>) -> Result<Option<Layout>, FormatError> {
    let at = input.offset();
    match input.i32("an array's storage type")? {
        0 => Ok(None),
        1 => Ok(Some(Layout::RowSparse)),
        2 => Ok(Some(Layout::Csr)),
        other => Err(input.error_at(
            at,
            FormatErrorKind::Malformed,
            format!("the storage type {other} does not exist"),
            "it is 0 (dense), 1 (row_sparse) or 2 (csr); the file is damaged",
        )),
    }
}

/// A shape of versions 1 to 3; `None` when there is no array.
fn shape<R: Read>(input: &mut Input<R>, version: u32) -> Result<Option<Vec<usize>>, FormatError> {
    let at = input.offset();
    let ndim = input.i32("an array's number of dimensions")?;
    if (ndim == -1 && version == V3) || (ndim == 0 && version != V3) {
        return Ok(None);
    }
    let ndim = usize::try_from(ndim)
        .ok()
        .filter(|&n| n <= MAX_DIMS)
        .ok_or_else(|| dimensions(input, at, ndim.into()))?;
    let mut shape = Vec::with_capacity(ndim);
    for _ in 0..ndim {
        let at = input.offset();
        let extent = input.i64("an extent")?;
        shape.push(usize::try_from(extent).map_err(|_| {
            input.error_at(
                at,
                FormatErrorKind::Malformed,
                format!("an extent is {extent}"),
                "extents are not negative; the file is damaged, or its array was never given a shape",
            )
        })?);
    }
    Ok(Some(shape))
}

/// The shape of version 0, whose number of dimensions stands where later versions have their magic number.
fn oldest_shape<R: Read>(input: &mut Input<R>, ndim: u32) -> Result<Option<Vec<usize>>, FormatError> {
    if ndim == 0 {
        return Ok(None);
    }
    if ndim as usize > MAX_DIMS {
        return Err(dimensions(input, input.offset() - 4, ndim.into()));
    }
    let extents = (0..ndim).map(|_| input.u32("an extent").map(|extent| extent as usize));
    extents.collect::<Result<_, _>>().map(Some)
}

fn dimensions<R: Read>(input: &Input<R>, at: u64, ndim: i64) -> FormatError {
    input.error_at(
        at,
        FormatErrorKind::Malformed,
        format!("{ndim} is neither the version of an array nor a number of dimensions"),
        "arrays have up to 32 dimensions; the file is damaged",
    )
}

fn file_type<R: Read>(input: &mut Input<R>) -> Result<FileType, FormatError> {
    let at = input.offset();
    let code = input.i32("an array's element type")?;
    usize::try_from(code).ok().and_then(|code| TYPES.get(code).copied()).ok_or_else(|| {
        input.error_at(
            at,
            FormatErrorKind::Malformed,
            format!("the element type {code} does not exist"),
            "MXNet's codes are 0 to 12; the file is damaged or newer than MXNet 1.9",
        )
    })
}
