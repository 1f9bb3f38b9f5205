//! Groups of few channels and filters (depthwise): planes are scaled, shifted and added row by row. There is nothing to pack, and
//! a product of such small matrices would mostly move memory.

use super::Conv2d;
use crate::element::Float;
use crate::epilogue::Epilogue;
use crate::isa::Isa;
use crate::par;
use crate::simd::{Kernel, vectorize};

/// Few products per element that would have to be gathered, in either direction.
pub(super) fn accepts(conv: &Conv2d) -> bool {
    conv.groups() > 1 && conv.group_filters() <= 2 && conv.group_channels() <= 2
}

const fn isa(number: u8) -> Isa {
    if number == Isa::Avx512 as u8 {
        Isa::Avx512
    } else if number == Isa::Avx2 as u8 {
        Isa::Avx2
    } else {
        Isa::Portable
    }
}

pub(super) fn forward<T: Float, const ISA: u8>(
    conv: &Conv2d,
    x: &[T],
    weight: &[T],
    epilogue: Epilogue<'_, T>,
    y: &mut [T],
    _: &mut [T],
) {
    let (channels, group_filters) = (conv.group_channels(), conv.group_filters());
    let (strides, kernel) = (conv.x_strides(), conv.kh * conv.kw);
    par::for_each_mut(y, conv.oh * conv.ow, |number, y| {
        let (image, filter) = conv.plane(conv.attrs.y, number, conv.filters);
        let x = &x[strides.at(image, filter / group_filters * channels)..];
        let weight = &weight[filter * channels * kernel..][..channels * kernel];
        let bias = epilogue.bias.map_or(T::ZERO, |bias| bias[filter]);
        let first = number * conv.oh * conv.ow;
        vectorize(isa(ISA), ForwardPlane { conv, x, weight, bias, epilogue, first, y });
    });
}

pub(super) fn backward_data<T: Float, const ISA: u8>(
    conv: &Conv2d,
    dy: &[T],
    weight: &[T],
    epilogue: Epilogue<'_, T>,
    dx: &mut [T],
    _: &mut [T],
) {
    let (channels, group_filters) = (conv.group_channels(), conv.group_filters());
    let (plane, kernel) = (conv.oh * conv.ow, conv.kh * conv.kw);
    let strides = conv.y_strides();
    par::for_each_mut(dx, conv.h * conv.w, |number, dx| {
        let (image, channel) = conv.plane(conv.attrs.x, number, conv.c);
        let first = number * dx.len();
        epilogue.begin(first, dx);
        for group_filter in 0..group_filters {
            let filter = channel / channels * group_filters + group_filter;
            let at = strides.at(image, filter);
            let weight = &weight[(filter * channels + channel % channels) * kernel..][..kernel];
            vectorize(isa(ISA), AddBackward { conv, dy: &dy[at..][..plane], weight, dx });
        }
        epilogue.end(first, dx);
    });
}

pub(super) fn backward_weight<T: Float, const ISA: u8>(
    conv: &Conv2d,
    x: &[T],
    dy: &[T],
    dw: &mut [T],
    _: &mut [T],
) {
    let (channels, group_filters) = (conv.group_channels(), conv.group_filters());
    let (x_plane, y_plane) = (conv.h * conv.w, conv.oh * conv.ow);
    par::for_each_mut(dw, conv.kh * conv.kw, |number, dw| {
        let (filter, channel) = (number / channels, number % channels);
        dw.fill(T::ZERO);
        for image in 0..conv.n {
            let seen = filter / group_filters * channels + channel;
            let (x_at, y_at) = (conv.x_strides().at(image, seen), conv.y_strides().at(image, filter));
            let (x, dy) = (&x[x_at..][..x_plane], &dy[y_at..][..y_plane]);
            vectorize(isa(ISA), AddWeight { conv, x, dy, dw });
        }
    });
}

/// Calls `row(tap, x range start, y range)` for every row of the output and every tap, where the tap meets the image: element `t` of the
/// range of `y` goes with element `start + t · stride` of `x`.
#[inline(always)]
fn for_each_row(conv: &Conv2d, mut row: impl FnMut(usize, usize, std::ops::Range<usize>)) {
    let [sh, sw] = conv.attrs.stride.map(|s| s as usize);
    let [dh, dw] = conv.attrs.dilation.map(|d| d as usize);
    let [top, left, ..] = conv.attrs.pad.map(|p| p as usize);
    for i in 0..conv.oh {
        for r in 0..conv.kh {
            let Some(y) = (i * sh + r * dh).checked_sub(top).filter(|&y| y < conv.h) else { continue };
            for s in 0..conv.kw {
                // left ≤ j · sw + s · dw < left + w
                let low = left.saturating_sub(s * dw).div_ceil(sw);
                let high = (left + conv.w).saturating_sub(s * dw).div_ceil(sw).min(conv.ow);
                if low < high {
                    row(
                        r * conv.kw + s,
                        y * conv.w + low * sw + s * dw - left,
                        i * conv.ow + low..i * conv.ow + high,
                    );
                }
            }
        }
    }
}

/// One plane of the output, from the planes that its filter sees.
struct ForwardPlane<'a, T> {
    conv: &'a Conv2d,
    /// From the first channel on that the filter sees.
    x: &'a [T],
    weight: &'a [T],
    bias: T,
    epilogue: Epilogue<'a, T>,
    /// The number of the first element of `y`.
    first: usize,
    y: &'a mut [T],
}

impl<T: Float> Kernel for ForwardPlane<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Conv2d { h, w, kh, kw, ow, attrs, .. } = *self.conv;
        let [sh, sw] = attrs.stride.map(|s| s as usize);
        let [dh, dw] = attrs.dilation.map(|d| d as usize);
        let [top, left, ..] = attrs.pad.map(|p| p as usize);
        // The memory of y may hold the residual until the sums are complete.
        let mut sums = [T::ZERO; RUN];
        for (i, y) in self.y.chunks_exact_mut(ow).enumerate() {
            for (run, y) in y.chunks_mut(RUN).enumerate() {
                let (from, sums) = (run * RUN, &mut sums[..y.len()]);
                sums.fill(self.bias);
                for (channel, weight) in self.weight.chunks_exact(kh * kw).enumerate() {
                    // An image without pixels has no taps either.
                    let x = self.x.get(channel * self.conv.x_strides().channel..).unwrap_or_default();
                    for r in 0..kh {
                        let Some(row) = (i * sh + r * dh).checked_sub(top).filter(|&row| row < h) else {
                            continue;
                        };
                        for s in 0..kw {
                            // left ≤ j · sw + s · dw < left + w
                            let low = left.saturating_sub(s * dw).div_ceil(sw).max(from);
                            let high = (left + w).saturating_sub(s * dw).div_ceil(sw).min(from + sums.len());
                            if low >= high {
                                continue;
                            }
                            let (x, w) = (&x[row * w + low * sw + s * dw - left..], weight[r * kw + s]);
                            let sums = sums[low - from..high - from].iter_mut();
                            if sw == 1 {
                                sums.zip(x).for_each(|(y, &x)| *y += x * w);
                            } else {
                                sums.zip(x.iter().step_by(sw)).for_each(|(y, &x)| *y += x * w);
                            }
                        }
                    }
                }
                let first = self.first + i * ow + from;
                for (t, (y, &sum)) in y.iter_mut().zip(&*sums).enumerate() {
                    *y = self.epilogue.last(sum, first + t, *y);
                }
            }
        }
    }
}

struct AddBackward<'a, T> {
    conv: &'a Conv2d,
    dy: &'a [T],
    weight: &'a [T],
    dx: &'a mut [T],
}

impl<T: Float> Kernel for AddBackward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let stride = self.conv.attrs.stride[1] as usize;
        for_each_row(self.conv, |tap, start, range| {
            let (w, dy) = (self.weight[tap], &self.dy[range]);
            if stride == 1 {
                self.dx[start..].iter_mut().zip(dy).for_each(|(dx, &dy)| *dx += dy * w);
            } else {
                self.dx[start..].iter_mut().step_by(stride).zip(dy).for_each(|(dx, &dy)| *dx += dy * w);
            }
        });
    }
}

struct AddWeight<'a, T> {
    conv: &'a Conv2d,
    x: &'a [T],
    dy: &'a [T],
    dw: &'a mut [T],
}

/// Neighbouring elements of an output row that are summed up in the first-level cache.
const RUN: usize = 256;

/// Partial sums that let the compiler add in registers.
const PARTIAL: usize = 16;

impl<T: Float> Kernel for AddWeight<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let stride = self.conv.attrs.stride[1] as usize;
        for_each_row(self.conv, |tap, start, range| {
            let (x, dy) = (&self.x[start..], &self.dy[range]);
            let mut sums = [T::ZERO; PARTIAL];
            if stride == 1 {
                let (x, dy) = (&x[..dy.len()], dy);
                let (x_blocks, dy_blocks) = (x.chunks_exact(PARTIAL), dy.chunks_exact(PARTIAL));
                for (&x, &dy) in x_blocks.remainder().iter().zip(dy_blocks.remainder()) {
                    sums[0] += x * dy;
                }
                for (x, dy) in x_blocks.zip(dy_blocks) {
                    for ((sum, &x), &dy) in sums.iter_mut().zip(x).zip(dy) {
                        *sum += x * dy;
                    }
                }
            } else {
                x.iter().step_by(stride).zip(dy).for_each(|(&x, &dy)| sums[0] += x * dy);
            }
            for sum in sums {
                self.dw[tap] += sum;
            }
        });
    }
}
