use super::*;
use crate::testing::{assert_close, assert_same, data, with_threads};

fn check<T: Float + MapElement>(outer: usize, classes: usize, inner: usize) {
    for log in [false, true] {
        let d = Softmax { outer, classes, inner, log };
        let mut x: Vec<T> = data(d.elements(), 1);
        for (i, x) in x.iter_mut().enumerate() {
            *x *= T::from_f64([1.0, 30.0, 0.01][i % 3]);
            match i % 613 {
                100 => *x = T::NEG_INFINITY,
                611 => *x = T::NAN,
                _ => {}
            }
        }
        let dy: Vec<T> = data(d.elements(), 2);
        let (mut want, mut want_dx) = (vec![T::ZERO; x.len()], vec![T::ZERO; x.len()]);
        reference::forward(&d, &x, &mut want);
        reference::backward(&d, &want, &dy, &mut want_dx);
        for isa in Isa::ALL {
            let what = format!("{isa:?} {d:?}");
            let run = || {
                let mut y = vec![T::ONE; x.len()];
                forward_on(isa, &d, Src::Slice(&x), &mut y);
                let mut own = x.clone();
                forward_on(isa, &d, Src::Out, &mut own);
                assert_same(&y, &own, &what);
                let mut dx = vec![T::ONE; x.len()];
                backward_on(isa, &d, &want, &dy, &mut dx);
                (y, dx)
            };
            let (one, two) = (with_threads(1, run), with_threads(2, run));
            assert_same(&one.0, &two.0, &what);
            assert_same(&one.1, &two.1, &what);
            assert_close(&one.0, &want, 2e-6, 1e-14, &what);
            assert_close(&one.1, &want_dx, 3e-6, 1e-13, &what);
        }
    }
}

#[test]
fn candidates_agree_with_the_reference() {
    for (outer, classes, inner) in
        [(0, 3, 1), (3, 1, 1), (7, 10, 1), (5, 1000, 1), (300, 33, 1), (2, 3, 5), (3, 21, 300), (1, 4, 5000)]
    {
        check::<f32>(outer, classes, inner);
        check::<f64>(outer, classes, inner);
    }
}

#[test]
fn huge_values_do_not_overflow() {
    let mut y = [0f32; 3];
    forward(
        &Softmax { outer: 1, classes: 3, inner: 1, log: true },
        Src::Slice(&[3e38, -3e38, f32::NEG_INFINITY]),
        &mut y,
    );
    assert_eq!(y, [0.0, f32::NEG_INFINITY, f32::NEG_INFINITY]);
}
