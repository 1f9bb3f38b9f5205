//! Data that is made up: enough to see a network learn where no data set is at hand.

use fastrand::Rng;
use mxr::io::{FormatError, HostArray};
use std::f32::consts::PI;

/// Pictures `[n, 3, size, size]` of waves, whose direction and colour are the class, at random places with noise; and the classes `[n]`.
///
/// # Errors
///
/// None that the arrays do not have.
pub fn waves(
    n: usize,
    size: usize,
    classes: usize,
    rng: &mut Rng,
) -> Result<(HostArray, HostArray), FormatError> {
    let mut pixels = Vec::with_capacity(n * 3 * size * size);
    let mut labels = Vec::with_capacity(n);
    for _ in 0..n {
        let class = rng.usize(..classes);
        let turn = PI * class as f32 / classes as f32;
        let (dx, dy) = (turn.cos(), turn.sin());
        let phase = 2.0 * PI * rng.f32();
        for channel in 0..3 {
            let tint = (turn * 2.0 + channel as f32 * 2.0 * PI / 3.0).cos();
            for y in 0..size {
                for x in 0..size {
                    let wave = (0.9 * (dx * x as f32 + dy * y as f32) + phase).sin();
                    pixels.push(wave * (0.6 + 0.4 * tint) + 0.5 * tint + 0.4 * (rng.f32() - 0.5));
                }
            }
        }
        labels.push(class as i64);
    }
    Ok((HostArray::from_vec(pixels, &[n, 3, size, size])?, HostArray::from_vec(labels, &[n])?))
}

/// Pictures `[n, 1, size, size]` of bright discs and of squares as bright, over noise; and for the middle `[n, inner, inner]` pixels
/// whether they belong to a disc.
///
/// # Errors
///
/// None that the arrays do not have.
pub fn discs(
    n: usize,
    size: usize,
    inner: usize,
    rng: &mut Rng,
) -> Result<(HostArray, HostArray), FormatError> {
    let mut pixels = Vec::with_capacity(n * size * size);
    let mut labels: Vec<i64> = Vec::with_capacity(n * inner * inner);
    let border = (size - inner) / 2;
    for _ in 0..n {
        let mut picture: Vec<f32> = (0..size * size).map(|_| 0.5 * (rng.f32() - 0.5)).collect();
        let mut disc = vec![0i64; size * size];
        for shape in 0..6 {
            let radius = size as f32 * (0.05 + 0.08 * rng.f32());
            let (cx, cy) = (size as f32 * rng.f32(), size as f32 * rng.f32());
            for (at, (pixel, label)) in picture.iter_mut().zip(&mut disc).enumerate() {
                let (dx, dy) = ((at % size) as f32 - cx, (at / size) as f32 - cy);
                let round = shape % 2 == 0;
                let inside = if round {
                    dx * dx + dy * dy < radius * radius
                } else {
                    dx.abs().max(dy.abs()) < 0.9 * radius
                };
                if inside {
                    *pixel = 1.0 + 0.3 * (rng.f32() - 0.5);
                    *label = i64::from(round);
                }
            }
        }
        pixels.extend(picture);
        for y in border..border + inner {
            labels.extend(&disc[y * size + border..y * size + border + inner]);
        }
    }
    Ok((HostArray::from_vec(pixels, &[n, 1, size, size])?, HostArray::from_vec(labels, &[n, inner, inner])?))
}
