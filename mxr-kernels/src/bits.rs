//! Masks of one bit per element: eight elements a byte, the lowest bit first, every row beginning with a byte of its own.

use crate::par;

/// Elements of a task, a multiple of what a byte holds and of what random blocks come in.
const TASK: usize = 16 * 1024;

/// Bytes of the mask of `len` elements in rows of `row`.
///
/// ```
/// use mxr_kernels::bits::bytes;
/// assert_eq!(bytes(20, 10), 4);
/// assert_eq!(bytes(0, 0), 0);
/// ```
pub fn bytes(len: usize, row: usize) -> usize {
    if len == 0 { 0 } else { len / row * row.div_ceil(8) }
}

/// How the elements are cut into tasks: so many elements, and so many bytes of the mask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    row: usize,
    elements: usize,
    bytes: usize,
}

impl Cut {
    /// Of elements in rows; the rows of a task are whole unless they fill their bytes.
    pub(crate) fn new(row: usize) -> Cut {
        if row.is_multiple_of(8) {
            return Cut { row: TASK, elements: TASK, bytes: TASK / 8 };
        }
        let rows = (TASK / row).max(1);
        Cut { row, elements: rows * row, bytes: rows * row.div_ceil(8) }
    }

    /// `body(first element, elements, mask)` of every task, in parallel.
    pub(crate) fn both<T: Send>(
        self,
        y: &mut [T],
        mask: &mut [u8],
        body: impl Fn(usize, &mut [T], &mut [u8]) + Sync,
    ) {
        par::for_each_mut2(y, self.elements, mask, self.bytes, |task, y, mask| {
            body(task * self.elements, y, mask);
        });
    }

    /// The same, of a mask that is read.
    pub(crate) fn read<T: Send>(
        self,
        y: &mut [T],
        mask: &[u8],
        body: impl Fn(usize, &mut [T], &[u8]) + Sync,
    ) {
        par::for_each_mut(y, self.elements, |task, y| {
            let len = y.len() / self.row * self.row.div_ceil(8) + (y.len() % self.row).div_ceil(8);
            body(task * self.elements, y, &mask[task * self.bytes..][..len]);
        });
    }

    /// `(elements, bytes)` of the next row of what is left of a task, whole but for the last.
    #[inline(always)]
    pub(crate) fn row(self, left: usize) -> (usize, usize) {
        let row = self.row.min(left);
        (row, row.div_ceil(8))
    }
}

/// Eight truth values, 0 or 1, as a byte.
#[inline(always)]
pub(crate) fn pack(flags: [u8; 8]) -> u8 {
    // Each factor moves the lowest bit of one byte into the highest byte, no two to the same place.
    (u64::from_le_bytes(flags).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

/// Packs truth values, 0 or 1.
#[inline(always)]
pub(crate) fn pack_all(flags: &[u8], mask: &mut [u8]) {
    let whole = flags.chunks_exact(8);
    let rest = whole.remainder();
    for (m, f) in mask.iter_mut().zip(whole) {
        let mut eight = [0; 8];
        eight.copy_from_slice(f);
        *m = pack(eight);
    }
    if !rest.is_empty() {
        let mut eight = [0; 8];
        eight[..rest.len()].copy_from_slice(rest);
        mask[flags.len() / 8] = pack(eight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_packed() {
        for byte in 0..=255u8 {
            let flags: [u8; 8] = std::array::from_fn(|i| byte >> i & 1);
            assert_eq!(pack(flags), byte);
        }
        let mut mask = [9; 2];
        pack_all(&[1, 0, 1, 1, 0, 0, 0, 1, 0, 1], &mut mask);
        assert_eq!(mask, [0b1000_1101, 0b10]);
    }
}
