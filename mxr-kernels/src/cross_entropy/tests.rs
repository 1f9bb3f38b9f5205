use super::*;
use crate::testing::{assert_close, assert_same, data, with_threads};

fn check<T: Float + MapElement>(outer: usize, classes: usize, inner: usize) {
    let samples = outer * inner;
    let labels: Vec<i64> =
        (0..samples).map(|i| if i % 5 == 3 { -1 } else { (i * 7 % classes) as i64 }).collect();
    for (reduction, smoothing) in
        [(Reduction::Mean, 0.0), (Reduction::Sum, 0.1), (Reduction::None, 0.0), (Reduction::None, 0.3)]
    {
        let attrs = CrossEntropyAttrs { axis: 1, ignore: Some(-1), smoothing, reduction };
        let d = CrossEntropy { outer, classes, inner, attrs };
        let mut x: Vec<T> = data(d.elements(), 1);
        for (i, x) in x.iter_mut().enumerate() {
            *x *= T::from_f64([1.0, 20.0, 100.0][i % 3]);
        }
        let dloss: Vec<T> = data(d.losses(), 4);
        let mut want = (vec![T::ONE; d.losses()], vec![T::ONE; x.len()], vec![T::ONE; x.len()]);
        reference::forward(&d, &x, Labels::I64(&labels), &mut want.0, &mut want.1).unwrap();
        reference::backward(&d, &want.1, Labels::I64(&labels), &dloss, &mut want.2).unwrap();
        for isa in Isa::ALL {
            let what = format!("{isa:?} {d:?}");
            let run = || {
                let mut got = (vec![T::ZERO; d.losses()], vec![T::ZERO; x.len()], vec![T::ZERO; x.len()]);
                forward_on(isa, &d, &x, Labels::I64(&labels), &mut got.0, &mut got.1).unwrap();
                backward_on(isa, &d, &want.1, Labels::I64(&labels), &dloss, &mut got.2).unwrap();
                got
            };
            let (one, two) = (with_threads(1, run), with_threads(2, run));
            assert_same(&one.0, &two.0, &what);
            assert_same(&one.1, &two.1, &what);
            assert_same(&one.2, &two.2, &what);
            assert_close(&one.0, &want.0, 2e-6, 1e-13, &what);
            assert_close(&one.1, &want.1, 2e-6, 1e-13, &what);
            assert_close(&one.2, &want.2, 2e-6, 1e-13, &what);
        }
    }
}

#[test]
fn candidates_agree_with_the_reference() {
    for (outer, classes, inner) in [(0, 3, 1), (1, 1, 1), (7, 10, 1), (40, 1000, 1), (3, 5, 7), (2, 21, 300)]
    {
        check::<f32>(outer, classes, inner);
        check::<f64>(outer, classes, inner);
    }
}

const MEAN: CrossEntropyAttrs =
    CrossEntropyAttrs { axis: 1, ignore: None, smoothing: 0.0, reduction: Reduction::Mean };

#[test]
fn labels_of_every_type_say_the_same() {
    let d = CrossEntropy { outer: 3, classes: 4, inner: 1, attrs: MEAN };
    let x: Vec<f32> = data(12, 1);
    let losses = [
        Labels::F32(&[0.0, 3.0, 2.0]),
        Labels::F64(&[0.0, 3.0, 2.0]),
        Labels::I32(&[0, 3, 2]),
        Labels::I64(&[0, 3, 2]),
        Labels::U8(&[0, 3, 2]),
    ]
    .map(|labels| {
        let (mut loss, mut prob) = ([0f32], [0f32; 12]);
        forward(&d, &x, labels, &mut loss, &mut prob).unwrap();
        loss[0]
    });
    assert!(losses.iter().all(|l| *l == losses[0] && *l > 0.0));
}

#[test]
fn a_label_that_is_no_class_is_an_error() {
    let d = CrossEntropy { outer: 3, classes: 4, inner: 1, attrs: MEAN };
    let (mut loss, mut prob) = ([7f32], [7f32; 12]);
    for (labels, label) in [
        (Labels::I64(&[0, 4, 9]), 4.0),
        (Labels::I32(&[0, -1, 9]), -1.0),
        (Labels::F32(&[0.0, 1.5, 9.0]), 1.5),
        (Labels::U8(&[0, 255, 9]), 255.0),
    ] {
        let want = BadLabel { position: 1, label, classes: 4 };
        assert_eq!(forward(&d, &[0.0; 12], labels, &mut loss, &mut prob), Err(want));
        assert_eq!(backward(&d, &[0.0; 12], labels, &[1.0], &mut prob), Err(want));
    }
    let nan = forward(&d, &[0.0; 12], Labels::F64(&[0.0, f64::NAN, 1.0]), &mut loss, &mut prob).unwrap_err();
    assert!(nan.label.is_nan() && nan.position == 1);
    assert_eq!((loss, prob), ([7.0], [7.0; 12]));
}

#[test]
fn nothing_counts_when_all_are_ignored_and_huge_logits_stay_finite() {
    let attrs = CrossEntropyAttrs { ignore: Some(2), ..MEAN };
    let d = CrossEntropy { outer: 2, classes: 2, inner: 1, attrs };
    let (mut loss, mut prob) = ([7f32], [7f32; 4]);
    forward(&d, &[1.0, 2.0, 3.0, 4.0], Labels::I64(&[2, 2]), &mut loss, &mut prob).unwrap();
    assert_eq!(loss, [0.0]);
    let mut dx = [7f32; 4];
    backward(&d, &prob, Labels::I64(&[2, 2]), &[1.0], &mut dx).unwrap();
    assert_eq!(dx, [0.0; 4]);
    forward(&d, &[1e38, -1e38, 0.0, 1000.0], Labels::I64(&[0, 0]), &mut loss, &mut prob).unwrap();
    assert_eq!(loss, [500.0]);
}
