use super::*;
use crate::testing::{assert_close, assert_same, data, with_threads};

fn check<T: Float>(shape: &[usize], axes: u8) {
    for kind in [ReduceKind::Sum, ReduceKind::Mean, ReduceKind::Max, ReduceKind::Min] {
        let d = Reduce::new(kind, shape, Axes(axes));
        let x: Vec<T> = data(d.in_len(), 3);
        let mut want = vec![T::ZERO; d.out_len()];
        reference::reduce(&d, &x, &mut want);
        for isa in Isa::ALL {
            let run = || {
                let mut y = vec![T::ONE; d.out_len()];
                reduce_on(isa, &d, &x, &mut y);
                y
            };
            let one = with_threads(1, run);
            let what = format!("{isa:?} {kind:?} {shape:?} {axes:b}");
            assert_same(&one, &with_threads(2, run), &what);
            assert_close(&one, &want, 1e-6, 1e-13, &what);
        }
    }
}

#[test]
fn every_pattern_of_axes() {
    for shape in [&[3, 5, 7][..], &[1, 1, 1], &[2, 1, 33], &[40, 3, 130], &[0, 2, 3], &[2, 0, 3], &[2, 2, 0]]
    {
        for axes in 0..8 {
            check::<f32>(shape, axes);
            check::<f64>(shape, axes);
        }
    }
    for axes in 0..32 {
        check::<f32>(&[3, 4, 2, 5, 6], axes);
    }
}

#[test]
fn long_rows_and_columns_are_split() {
    for (shape, axes) in [
        (&[200_001][..], 1),
        (&[2, 150_000], 2),
        (&[70_000, 3], 1),
        (&[3, 30_000, 5], 2),
        (&[600, 300], 1),
        (&[20, 9, 700], 5),
        (&[], 0),
    ] {
        check::<f32>(shape, axes);
        check::<f64>(shape, axes);
    }
}

#[test]
fn nan_wins_and_infinity_stays() {
    for len in [3usize, 100, 5000] {
        for at in [0, len / 2, len - 1] {
            let mut x = vec![1.0f32; len];
            x[at] = f32::NAN;
            for kind in [ReduceKind::Max, ReduceKind::Min, ReduceKind::Sum] {
                let mut y = [0.0];
                reduce(&Reduce::new(kind, &[len], Axes(1)), &x, &mut y);
                assert!(y[0].is_nan());
                let mut y = vec![0.0; len];
                reduce(&Reduce::new(kind, &[1, len], Axes(1)), &x, &mut y);
                assert!(y.iter().enumerate().all(|(i, y)| y.is_nan() == (i == at)));
            }
            x[at] = f32::INFINITY;
            let mut y = [0.0];
            reduce(&Reduce::new(ReduceKind::Sum, &[len], Axes(1)), &x, &mut y);
            assert_eq!(y, [f32::INFINITY]);
        }
    }
}

#[test]
fn ten_million_small_numbers_add_up() {
    let x = vec![0.1f32; 10_000_000];
    let want = f64::from(0.1f32) * 1e7;
    for (shape, axes) in [(&[10_000_000][..], 1), (&[1_000_000, 10], 3), (&[10, 1_000_000], 3)] {
        let mut y = [0.0];
        reduce(&Reduce::new(ReduceKind::Sum, shape, Axes(axes)), &x, &mut y);
        assert!((f64::from(y[0]) / want - 1.0).abs() < 1e-7, "{}", y[0]);
    }
    let mut y = [0.0; 10];
    reduce(&Reduce::new(ReduceKind::Sum, &[1_000_000, 10], Axes(1)), &x, &mut y);
    assert!(y.iter().all(|y| (f64::from(*y) * 10.0 / want - 1.0).abs() < 1e-7));
}
