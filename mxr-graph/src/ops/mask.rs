//! Masks of one bit per element, as `dropout` and `relu_mask` leave them for their gradients.

use crate::dim::Dim;
use crate::shape::Shape;

/// The shape of the mask (of type u8) of an array: the axes after the last symbolic one, the first axis excepted, become bytes
/// of eight elements each, the last of a row filled up with zeros. So its size stays a multiple of the batch.
pub(crate) fn shape(x: &Shape) -> Shape {
    let symbolic = x.iter().rposition(|d| d.as_const().is_none()).map_or(0, |at| at + 1);
    let rows = symbolic.max(1).min(x.rank());
    let row = x[rows..].iter().filter_map(Dim::as_const).try_fold(1, i64::checked_mul);
    let mut dims = x[..rows].to_vec();
    dims.push(Dim::Const(row.unwrap_or(i64::MAX).div_euclid(8) + i64::from(row.is_some_and(|n| n % 8 != 0))));
    Shape(dims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dim::Symbols;
    use alloc::string::ToString;

    #[test]
    fn rows_begin_after_the_last_symbol() {
        let mut symbols = Symbols::default();
        let n = Dim::symbol(symbols.named("N"));
        let show = |dims: &[Option<i64>]| {
            let x = Shape(dims.iter().map(|d| d.map_or_else(|| n.clone(), Dim::Const)).collect());
            shape(&x).display(&symbols).to_string()
        };
        assert_eq!(show(&[None, Some(3), Some(7), Some(7)]), "[N, 19]");
        assert_eq!(show(&[Some(4), Some(8)]), "[4, 1]");
        assert_eq!(show(&[Some(5), None, Some(9)]), "[5, N, 2]");
        assert_eq!(show(&[Some(5), None]), "[5, N, 1]");
        assert_eq!(show(&[Some(9)]), "[9, 1]");
        assert_eq!(show(&[]), "[1]");
        assert_eq!(show(&[None, Some(0)]), "[N, 0]");
    }
}
