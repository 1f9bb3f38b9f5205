use super::*;
use crate::testing::{assert_close, assert_same, data, with_threads};

fn pool(size: [usize; 4], kernel: [u32; 2], stride: [u32; 2], pad: [u32; 4], ceil: bool) -> Pool2d {
    let [n, c, h, w] = size;
    let out = |d: usize, size: usize| {
        let room = size + (pad[d] + pad[d + 2]) as usize - kernel[d] as usize;
        let step = stride[d] as usize;
        let mut out = if ceil { room.div_ceil(step) } else { room / step } + 1;
        // The last window must begin inside the input or its padding before.
        if ceil && (out - 1) * step >= size + pad[d] as usize {
            out -= 1;
        }
        out
    };
    let (oh, ow) = (out(0, h), out(1, w));
    let attrs = PoolAttrs { kind: PoolKind::Max, kernel, stride, pad, count_pad: false, global: false };
    Pool2d { n, c, h, w, oh, ow, attrs }
}

/// Small integers, so that maxima repeat, with a few NaN.
fn rough<T: Float>(len: usize, nan: bool) -> Vec<T> {
    let numbers = data::<T>(len, 1);
    let turn = |(i, v): (usize, T)| if nan && i % 37 == 5 { T::NAN } else { (v + v).floor() };
    numbers.into_iter().enumerate().map(turn).collect()
}

fn check<T: Float>(mut d: Pool2d) {
    let kinds =
        [(PoolKind::Max, false), (PoolKind::ReluMax, false), (PoolKind::Avg, false), (PoolKind::Avg, true)];
    for (kind, count_pad) in kinds {
        d.attrs.kind = kind;
        d.attrs.count_pad = count_pad;
        let max = kind != PoolKind::Avg;
        let x: Vec<T> = rough(d.in_len(), max);
        let dy: Vec<T> = data(d.out_len(), 2);
        let mut want_y = vec![T::ZERO; d.out_len()];
        let mut want_dx = vec![T::ONE; d.in_len()];
        let mut want_place = vec![9; d.out_len()];
        reference::forward(&d, &x, &mut want_y);
        if max {
            reference::backward_max(&d, &x, &dy, &mut want_dx);
        } else {
            reference::backward_avg(&d, &dy, &mut want_dx);
        }
        if max && d.has_places() {
            reference::forward_places(&d, &x, &mut want_y, &mut want_place);
        }
        for isa in Isa::ALL {
            let what = format!("{isa:?} {d:?}");
            let run = || {
                let mut y = vec![T::ONE; d.out_len()];
                let mut dx = vec![T::ONE; d.in_len()];
                forward_on(isa, &d, &x, &mut y);
                if !max {
                    backward_avg_on(isa, &d, &dy, &mut dx);
                    return (y, dx);
                }
                backward_max_on(isa, &d, &x, &dy, &mut dx);
                if d.has_places() {
                    let (mut again, mut place) = (vec![T::ONE; d.out_len()], vec![9; d.out_len()]);
                    let mut same = vec![T::ONE; d.in_len()];
                    forward_places_on(isa, &d, &x, &mut again, &mut place);
                    backward_places_on(isa, &d, &place, &dy, &mut same);
                    assert_same(&again, &y, &what);
                    assert_same(&same, &dx, &what);
                    assert_eq!(place, want_place, "{what}");
                }
                (y, dx)
            };
            let (y, dx) = with_threads(1, run);
            let (y2, dx2) = with_threads(2, run);
            assert_same(&y, &y2, &what);
            assert_same(&dx, &dx2, &what);
            let (y3, dx3) = with_threads(3, run);
            assert_same(&y, &y3, &what);
            assert_same(&dx, &dx3, &what);
            if max {
                assert_same(&y, &want_y, &what);
                assert_same(&dx, &want_dx, &what);
            }
            assert_close(&y, &want_y, 2e-6, 1e-14, &what);
            assert_close(&dx, &want_dx, 2e-6, 1e-14, &what);
        }
    }
}

fn shapes() -> Vec<Pool2d> {
    let mut all = vec![
        pool([2, 3, 8, 8], [2, 2], [2, 2], [0; 4], false),
        pool([1, 2, 9, 11], [3, 3], [2, 2], [1, 1, 1, 1], false),
        pool([1, 2, 9, 12], [3, 3], [2, 2], [0, 0, 1, 1], true),
        pool([1, 1, 10, 70], [3, 3], [1, 1], [1; 4], false),
        pool([2, 1, 7, 37], [2, 5], [3, 3], [1, 2, 0, 1], true),
        pool([1, 1, 13, 41], [5, 4], [2, 4], [2, 1, 2, 3], true),
        pool([1, 2, 5, 30], [1, 2], [1, 7], [0; 4], false),
        pool([1, 1, 3, 1100], [3, 3], [2, 2], [1; 4], true),
        pool([1, 1, 2, 9000], [2, 2], [2, 2], [0; 4], false),
        pool([3, 7, 7, 7], [3, 3], [1, 1], [1; 4], false),
        pool([2, 5, 14, 14], [3, 3], [1, 1], [1; 4], false),
        pool([3, 17, 28, 28], [3, 3], [1, 1], [1; 4], false),
        pool([1, 3, 50, 50], [3, 3], [1, 1], [1; 4], false),
        pool([1, 9, 6, 13], [2, 3], [1, 1], [1, 0, 0, 2], false),
        pool([2, 2, 9, 8], [3, 3], [1, 1], [0; 4], false),
        pool([2, 9, 14, 14], [3, 3], [2, 2], [0; 4], true),
        pool([2, 30, 5, 3], [3, 2], [1, 1], [2, 0, 1, 1], false),
        pool([1, 3, 6, 5], [2, 2], [3, 3], [0; 4], false),
        pool([1, 40, 8, 4], [5, 5], [1, 1], [2; 4], false),
        pool([1, 3, 12, 9], [7, 7], [1, 3], [3; 4], true),
        pool([1, 1, 1, 1], [1, 1], [1, 1], [0; 4], false),
        pool([1, 1, 2, 2], [3, 3], [2, 2], [1; 4], true),
        pool([0, 3, 4, 4], [2, 2], [2, 2], [0; 4], false),
        pool([40, 30, 6, 6], [3, 3], [2, 2], [0; 4], true),
    ];
    for (h, w) in [(7, 7), (1, 1), (30, 50)] {
        let mut d = pool([3, 4, h, w], [1, 1], [1, 1], [0; 4], false);
        (d.oh, d.ow, d.attrs.global) = (1, 1, true);
        all.push(d);
    }
    all
}

#[test]
fn candidates_agree_with_the_reference() {
    for d in shapes() {
        check::<f32>(d);
        check::<f64>(d);
    }
}

#[test]
fn averages_count_padding_as_asked() {
    // 1 element, padded by 1, window 2, ceil rounding: the first window holds pad and element.
    let mut d = pool([1, 1, 1, 1], [2, 2], [2, 2], [1; 4], false);
    d.attrs.kind = PoolKind::Avg;
    let mut y = [0f32];
    forward(&d, &[8.0], &mut y);
    assert_eq!(y, [8.0]);
    d.attrs.count_pad = true;
    forward(&d, &[8.0], &mut y);
    assert_eq!(y, [2.0]);
    // 3 elements, window 2, step 2, ceil: the last window sticks out beyond the padding, which never counts.
    let mut d = pool([1, 1, 1, 3], [1, 2], [1, 2], [0; 4], true);
    (d.attrs.kind, d.attrs.count_pad) = (PoolKind::Avg, true);
    let mut y = [0f32; 2];
    forward(&d, &[2.0, 4.0, 6.0], &mut y);
    assert_eq!(y, [3.0, 6.0]);
}

#[test]
fn the_first_of_equal_maxima_gets_the_gradient_and_a_nan_before_all() {
    let d = pool([1, 1, 2, 2], [2, 2], [2, 2], [0; 4], false);
    let mut dx = [9f32; 4];
    backward_max(&d, &[1.0, 5.0, 5.0, 5.0], &[3.0], &mut dx);
    assert_eq!(dx, [0.0, 3.0, 0.0, 0.0]);
    backward_max(&d, &[1.0, 5.0, f32::NAN, f32::NAN], &[3.0], &mut dx);
    assert_eq!(dx, [0.0, 0.0, 3.0, 0.0]);
    let (mut y, mut place) = ([0f32], [9]);
    forward_places(&d, &[1.0, 5.0, f32::NAN, f32::NAN], &mut y, &mut place);
    assert!(y[0].is_nan() && place == [2]);
    // Negative infinity is an element like any other, and padding never wins.
    let padded = pool([1, 1, 1, 1], [3, 3], [1, 1], [1; 4], false);
    forward_places(&padded, &[f32::NEG_INFINITY], &mut y, &mut place);
    assert_eq!((y, place), ([f32::NEG_INFINITY], [4]));
}

#[test]
fn what_is_rectified_to_nothing_gets_no_gradient() {
    let mut d = pool([1, 1, 2, 2], [2, 2], [2, 2], [0; 4], false);
    d.attrs.kind = PoolKind::ReluMax;
    for (x, want, back) in [
        ([-1.0, -2.0, 3.0, 3.0], 3.0, [0.0, 0.0, 7.0, 0.0]),
        ([-1.0, -2.0, -3.0, -0.5], 0.0, [0.0; 4]),
        ([-1.0, 0.0, -3.0, -0.0], 0.0, [0.0; 4]),
        ([1.0, f32::NAN, 3.0, 3.0], f32::NAN, [0.0; 4]),
    ] {
        let (mut y, mut place, mut dx) = ([9f32], [9], [9f32; 4]);
        forward_places(&d, &x, &mut y, &mut place);
        backward_places(&d, &place, &[7.0], &mut dx);
        assert!(y[0].to_bits() == want.to_bits() || y[0].is_nan() && want.is_nan(), "{x:?}: {y:?}");
        assert_eq!(dx, back, "{x:?}");
        backward_max(&d, &x, &[7.0], &mut dx);
        assert_eq!(dx, back, "{x:?}");
    }
}

#[test]
fn windows_without_input_are_harmless() {
    let mut d = pool([1, 1, 4, 4], [2, 2], [2, 2], [0; 4], false);
    (d.oh, d.ow) = (4, 3);
    check::<f32>(d);
}
