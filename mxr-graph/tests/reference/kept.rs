//! Instructions that keep something for their gradients: poolings, masks.

use mxr_graph::instr::{Instr, PoolAttrs, PoolKind};

/// The results of an instruction, if it is one of these.
pub fn compute(instr: &Instr, xs: &[&[f64]], shapes: &[Vec<usize>], to: &[usize]) -> Option<Vec<Vec<f64>>> {
    Some(match *instr {
        Instr::Pool2d(a) if a.kind != PoolKind::Avg => vec![maxima(a, xs[0], &shapes[0], to).0],
        Instr::Pool2dPlaces(a) => {
            let (y, place) = maxima(a, xs[0], &shapes[0], to);
            vec![y, place]
        }
        Instr::Pool2dBackward(a) if a.kind != PoolKind::Avg => {
            let (_, place) = maxima(a, xs[0], &shapes[0], &shapes[1]);
            vec![scatter(a, &place, xs[1], &shapes[1], to)]
        }
        Instr::Pool2dPlacesBackward(a) => vec![scatter(a, xs[0], xs[1], &shapes[1], to)],
        Instr::ReluMask => {
            let positive: Vec<bool> = xs[0].iter().map(|x| *x > 0.0).collect();
            let y = xs[0].iter().map(|x| if *x > 0.0 || x.is_nan() { *x } else { 0.0 }).collect();
            vec![y, bits(&positive, to)]
        }
        // Any fixed choice will do.
        Instr::Dropout { p, stream } => {
            let kept: Vec<bool> =
                (0..xs[0].len()).map(|i| (i * 7 + stream as usize) % 10 >= (p * 10.0) as usize).collect();
            let scale = 1.0 / (1.0 - f64::from(p));
            let y = xs[0].iter().zip(&kept).map(|(x, k)| if *k { x * scale } else { 0.0 }).collect();
            vec![y, bits(&kept, to)]
        }
        Instr::DropoutBackward { p } => {
            let scale = 1.0 / (1.0 - f64::from(p));
            let row = row_of(to);
            let kept =
                |i: usize| (xs[1][i / row * row.div_ceil(8) + i % row / 8] as u8) >> (i % row % 8) & 1 == 1;
            vec![xs[0].iter().enumerate().map(|(i, dy)| if kept(i) { dy * scale } else { 0.0 }).collect()]
        }
        _ => return None,
    })
}

/// Elements of a row of a mask of an array without symbols: all axes but the first.
fn row_of(shape: &[usize]) -> usize {
    shape.iter().skip(1).product()
}

fn bits(flags: &[bool], shape: &[usize]) -> Vec<f64> {
    let byte = |f: &[bool]| f64::from(f.iter().rev().fold(0u32, |b, f| b << 1 | u32::from(*f)));
    flags.chunks(row_of(shape)).flat_map(|row| row.chunks(8).map(byte)).collect()
}

/// The input indices and the places of a window, row by row.
fn window(a: PoolAttrs, x: &[usize], [oy, ox]: [usize; 2]) -> Vec<(usize, usize)> {
    let ([kh, kw], [sh, sw], [top, left]) = match a.global {
        true => ([x[2], x[3]], [1, 1], [0, 0]),
        false => (
            a.kernel.map(|k| k as usize),
            a.stride.map(|s| s as usize),
            [a.pad[0] as usize, a.pad[1] as usize],
        ),
    };
    let places = (0..kh * kw).map(|p| (oy * sh + p / kw, ox * sw + p % kw, p));
    let inside = |(y, x2, p): (usize, usize, usize)| {
        let (y, x2) = (y.checked_sub(top)?, x2.checked_sub(left)?);
        (y < x[2] && x2 < x[3]).then_some((y * x[3] + x2, p))
    };
    places.filter_map(inside).collect()
}

fn outputs(to: &[usize]) -> impl Iterator<Item = (usize, usize, [usize; 2])> {
    let (h, w) = (to[2], to[3]);
    (0..to.iter().product()).map(move |i| (i, i / (h * w), [i / w % h, i % w]))
}

fn maxima(a: PoolAttrs, x: &[f64], from: &[usize], to: &[usize]) -> (Vec<f64>, Vec<f64>) {
    let plane = from[2] * from[3];
    outputs(to)
        .map(|(_, c, at)| {
            let x = &x[c * plane..][..plane];
            let (mut y, mut place) = (f64::NEG_INFINITY, None);
            for (i, p) in window(a, from, at) {
                if place.is_none() || x[i] > y || x[i].is_nan() && !y.is_nan() {
                    (y, place) = (x[i], Some(p));
                }
            }
            let place = place.expect("a window holds an element") as f64;
            match a.kind {
                PoolKind::ReluMax if y > 0.0 => (y, place),
                PoolKind::ReluMax => (if y.is_nan() { y } else { 0.0 }, place + 128.0),
                _ => (y, place),
            }
        })
        .unzip()
}

fn scatter(a: PoolAttrs, place: &[f64], dy: &[f64], from: &[usize], to: &[usize]) -> Vec<f64> {
    let mut dx = vec![0.0; to.iter().product()];
    let plane = to[2] * to[3];
    for (o, c, at) in outputs(from) {
        let p = place[o] as usize;
        if a.kind == PoolKind::ReluMax && p >= 128 {
            continue;
        }
        let (i, _) = window(a, to, at).into_iter().find(|(_, q)| *q == p).expect("a place in the window");
        dx[c * plane + i] += dy[o];
    }
    dx
}
