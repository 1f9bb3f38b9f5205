//! Sparse arrays made dense, with every index checked.

use super::super::array::{HostArray, element_count};
use super::super::error::FormatErrorKind;

/// How MXNet stores a sparse array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Some rows of an array, and their ids in rising order.
    RowSparse,
    /// Compressed sparse rows of a matrix: where each row starts (`indptr`), and the column of each element.
    Csr,
}

impl Layout {
    pub(super) fn auxiliary_arrays(self) -> usize {
        match self {
            Layout::RowSparse => 1,
            Layout::Csr => 2,
        }
    }
}

/// What is wrong with a sparse array; the reader adds the place.
pub(super) struct Fault {
    pub(super) kind: FormatErrorKind,
    pub(super) problem: String,
    pub(super) hint: &'static str,
}

/// The dense array of `shape`. Its size is taken off `budget`.
pub(super) fn densify(
    layout: Layout,
    name: &str,
    shape: Vec<usize>,
    data: &HostArray,
    indices: &[HostArray],
    budget: &mut u64,
) -> Result<HostArray, Fault> {
    let malformed = |problem: String| Fault {
        kind: FormatErrorKind::Malformed,
        problem: format!("sparse array `{name}` of shape {shape:?}: {problem}"),
        hint: "the file is damaged",
    };
    let bytes = element_count(&shape).and_then(|n| n.checked_mul(data.dtype().size())).map(|n| n as u64);
    let bytes = bytes.filter(|bytes| bytes <= budget).ok_or_else(|| Fault {
        kind: FormatErrorKind::TooLarge,
        problem: format!(
            "sparse array `{name}` of shape {shape:?} would take more memory than allowed when dense"
        ),
        hint: "if the file is trusted, raise `params::Options::max_dense_bytes`",
    })?;
    *budget -= bytes;

    let index_lists = indices.iter().map(index_list).collect::<Option<Vec<_>>>();
    let index_lists = index_lists.ok_or_else(|| malformed("its indices are not i32 or i64 lists".into()))?;
    let (targets, run) = match (layout, index_lists.as_slice()) {
        (Layout::RowSparse, [rows]) => {
            let [count, row_shape @ ..] = shape.as_slice() else {
                return Err(malformed("a scalar has no rows".into()));
            };
            let rows = rising(rows, *count)
                .ok_or_else(|| malformed("its row ids do not rise within the rows".into()))?;
            (rows, row_shape.iter().product::<usize>())
        }
        (Layout::Csr, [starts, columns]) => {
            let [rows, width] = *shape.as_slice() else {
                return Err(malformed("csr stands for matrices, with 2 dimensions".into()));
            };
            let cells = csr_cells(starts, columns, rows, width);
            (cells.ok_or_else(|| malformed("its row starts and columns do not fit".into()))?, 1)
        }
        _ => return Err(malformed(format!("{} lists of indices", indices.len()))),
    };
    if data.len() != targets.len() * run {
        return Err(malformed(format!(
            "{} elements are stored, its indices speak of {}",
            data.len(),
            targets.len() * run
        )));
    }

    // Both as rows of `run` elements: the stored ones are scattered to their places.
    let mut dense = HostArray::zeros(data.dtype(), &shape).map_err(|e| malformed(e.problem().to_string()))?;
    dense.scatter_runs(data, &targets, run);
    Ok(dense)
}

fn index_list(array: &HostArray) -> Option<Vec<i64>> {
    if array.shape().len() > 1 {
        return None;
    }
    if let Ok(list) = array.as_slice::<i64>() {
        return Some(list.to_vec());
    }
    array.as_slice::<i32>().ok().map(|list| list.iter().map(|&i| i.into()).collect())
}

/// The ids as indices, when each is larger than the one before and below `end`.
fn rising(ids: &[i64], end: usize) -> Option<Vec<usize>> {
    let ids =
        ids.iter().map(|&id| usize::try_from(id).ok().filter(|&id| id < end)).collect::<Option<Vec<_>>>()?;
    ids.is_sorted_by(|a, b| a < b).then_some(ids)
}

/// The flat position of every stored element.
fn csr_cells(starts: &[i64], columns: &[i64], rows: usize, width: usize) -> Option<Vec<usize>> {
    if starts.len() != rows.checked_add(1)? || starts[0] != 0 {
        return None;
    }
    let starts = starts.iter().map(|&s| usize::try_from(s).ok()).collect::<Option<Vec<_>>>()?;
    if starts[rows] != columns.len() {
        return None;
    }
    let mut cells = Vec::with_capacity(columns.len());
    for (row, bounds) in starts.windows(2).enumerate() {
        let columns = rising(columns.get(bounds[0]..bounds[1])?, width)?;
        cells.extend(columns.into_iter().map(|column| row * width + column));
    }
    Some(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csr(starts: &[i64], columns: &[i64]) -> Option<Vec<usize>> {
        csr_cells(starts, columns, 2, 3)
    }

    #[test]
    fn csr_indices_are_checked() {
        assert_eq!(csr(&[0, 2, 3], &[0, 2, 1]), Some(vec![0, 2, 4]));
        assert_eq!(csr(&[0, 0, 0], &[]), Some(vec![]));
        assert_eq!(csr(&[0, 2, 3], &[2, 0, 1]), None, "columns must rise");
        assert_eq!(csr(&[0, 2, 3], &[0, 3, 1]), None, "column beyond the width");
        assert_eq!(csr(&[0, 3, 2], &[0, 1]), None, "starts must rise");
        assert_eq!(csr(&[1, 2, 3], &[0, 2, 1]), None, "the first row starts at 0");
        assert_eq!(csr(&[0, 2], &[0, 2]), None, "one start for each row and one end");
        assert_eq!(csr(&[0, -1, 2], &[0, 2]), None);
    }

    #[test]
    fn a_few_bytes_cannot_ask_for_much_memory() {
        let data = HostArray::from_vec(Vec::<f32>::new(), &[0, 1 << 20]).unwrap();
        let ids = HostArray::from_vec(Vec::<i64>::new(), &[0]).unwrap();
        let mut budget = 1 << 20;
        let fault = densify(Layout::RowSparse, "w", vec![1 << 20, 1 << 20], &data, &[ids], &mut budget);
        assert!(fault.is_err_and(|fault| fault.kind == FormatErrorKind::TooLarge));
    }
}
