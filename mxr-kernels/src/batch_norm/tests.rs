use super::*;
use crate::testing::{assert_close, assert_same, data, with_threads};

type Train<T> = [Vec<T>; 5];

fn check<T: Float>(outer: usize, channels: usize, inner: usize) {
    for (fix_gamma, offset) in [(false, 0.0), (true, 100.0)] {
        let attrs = BatchNormAttrs { axis: 1, eps: 1e-3, momentum: 0.9, fix_gamma };
        let d = BatchNorm { outer, channels, inner, attrs };
        let x: Vec<T> = data(d.elements(), 1).into_iter().map(|x: T| x + T::from_f64(offset)).collect();
        let dy: Vec<T> = data(d.elements(), 2);
        let [gamma, beta, mean] = [3, 4, 5].map(|salt| data::<T>(channels, salt));
        let var: Vec<T> = data::<T>(channels, 6).into_iter().map(|v| v * v).collect();
        let blank = || vec![T::ONE; d.elements()];
        let mut want: Train<T> = [mean.clone(), var.clone(), blank(), mean.clone(), mean.clone()];
        let [mm, mv, y, m, s] = &mut want;
        reference::train(&d, &x, &gamma, &beta, mm, mv, y, m, s);
        let mut want_infer = blank();
        reference::infer(&d, &x, &gamma, &beta, &mean, &var, &mut want_infer);
        let gradients = |mean: &[T], inv: Vec<f64>, constant| {
            let mut g = (blank(), vec![T::ONE; channels], vec![T::ONE; channels]);
            reference::backward(&d, &x, &gamma, mean, &inv, constant, &dy, &mut g.0, &mut g.1, &mut g.2);
            g
        };
        let want_back = gradients(&want[3], want[4].iter().map(|s| s.to_f64()).collect(), false);
        let want_infer_back = gradients(&mean, var.iter().map(|v| d.inv_std(v.to_f64())).collect(), true);
        for isa in Isa::ALL {
            let what = format!("{isa:?} {d:?}");
            let run = || {
                let mut got: Train<T> = [mean.clone(), var.clone(), blank(), mean.clone(), mean.clone()];
                let [mm, mv, y, m, s] = &mut got;
                train_on(isa, &d, &x, &gamma, &beta, mm, mv, y, m, s);
                let mut again = blank();
                apply_on(isa, &d, Src::Slice(&x), &gamma, &beta, m, s, &mut again);
                assert_same(y, &again, &what);
                again.copy_from_slice(&x);
                apply_on(isa, &d, Src::Out, &gamma, &beta, m, s, &mut again);
                assert_same(y, &again, &what);
                let mut y = blank();
                infer_on(isa, &d, Src::Slice(&x), &gamma, &beta, &mean, &var, &mut y);
                let mut own = x.clone();
                infer_on(isa, &d, Src::Out, &gamma, &beta, &mean, &var, &mut own);
                assert_same(&y, &own, &what);
                let mut all: Vec<Vec<T>> = got.into_iter().chain([y]).collect();
                for constant in [false, true] {
                    let mut g = (blank(), vec![T::ONE; channels], vec![T::ONE; channels]);
                    if constant {
                        infer_backward_on(
                            isa, &d, &x, &gamma, &mean, &var, &dy, &mut g.0, &mut g.1, &mut g.2,
                        );
                    } else {
                        backward_on(
                            isa, &d, &x, &gamma, &want[3], &want[4], &dy, &mut g.0, &mut g.1, &mut g.2,
                        );
                    }
                    all.extend([g.0, g.1, g.2]);
                }
                all
            };
            let (one, two) = (with_threads(1, run), with_threads(2, run));
            let (b, i) = (&want_back, &want_infer_back);
            let want: Vec<&Vec<T>> =
                want.iter().chain([&want_infer, &b.0, &b.1, &b.2, &i.0, &i.1, &i.2]).collect();
            for (n, want) in want.into_iter().enumerate() {
                assert_same(&one[n], &two[n], &what);
                assert_close(&one[n], want, 1e-5, 1e-11, &format!("{what} result {n}"));
            }
        }
    }
}

#[test]
fn candidates_agree_with_the_reference() {
    for (outer, channels, inner) in [
        (0, 3, 4),
        (2, 0, 4),
        (1, 1, 1),
        (5, 1, 1),
        (7, 100, 1),
        (3000, 5, 1),
        (2, 3, 49),
        (3, 10, 5),
        (5, 2, 70_000 / 5),
        (40, 70, 2),
    ] {
        check::<f32>(outer, channels, inner);
        check::<f64>(outer, channels, inner);
    }
}

#[test]
fn a_large_mean_costs_no_variance() {
    let attrs = BatchNormAttrs { axis: 1, eps: 0.0, momentum: 0.0, fix_gamma: false };
    let d = BatchNorm { outer: 1, channels: 1, inner: 10_000, attrs };
    let x: Vec<f64> = (0..10_000).map(|i| 1e9 + f64::from(i % 2)).collect();
    let (mut mm, mut mv, mut y, mut m, mut s) = ([0.0], [0.0], vec![0.0; 10_000], [0.0], [0.0]);
    train(&d, &x, &[1.0], &[0.0], &mut mm, &mut mv, &mut y, &mut m, &mut s);
    assert_eq!((m[0], mv[0], s[0]), (1e9 + 0.5, 0.25, 2.0));
    assert!(y.iter().all(|y| y.abs() == 1.0));
}

#[test]
fn nan_stays_in_its_channel() {
    let attrs = BatchNormAttrs { axis: 1, eps: 1e-3, momentum: 0.9, fix_gamma: false };
    for inner in [1, 2] {
        let d = BatchNorm { outer: 3, channels: 2, inner, attrs };
        let mut x = vec![1f32; d.elements()];
        x[0] = f32::NAN;
        let (mut mm, mut mv, mut y, mut m, mut s) =
            ([0.0; 2], [0.0; 2], vec![0.0; x.len()], [0.0; 2], [0.0; 2]);
        train(&d, &x, &[1.0; 2], &[0.0; 2], &mut mm, &mut mv, &mut y, &mut m, &mut s);
        assert!(m[0].is_nan() && m[1] == 1.0);
        for (i, y) in y.iter().enumerate() {
            assert_eq!(y.is_nan(), i / inner % 2 == 0);
        }
    }
}
