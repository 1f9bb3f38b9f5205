//! The definition, tap by tap.

use super::Conv2d;
use crate::element::Float;

/// Calls `tap(x index, weight index, y index)` for every product of the convolution that does not lie in the padding.
fn for_each_product(conv: &Conv2d, mut tap: impl FnMut(usize, usize, usize)) {
    let Conv2d { n, c, h, w, filters, kh, kw, oh, ow, attrs } = *conv;
    let (group_channels, group_filters) = (conv.group_channels(), conv.group_filters());
    let [sh, sw] = attrs.stride.map(|s| s as usize);
    let [dh, dw] = attrs.dilation.map(|d| d as usize);
    let [top, left, ..] = attrs.pad.map(|p| p as usize);
    for image in 0..n {
        for k in 0..filters {
            for group_channel in 0..group_channels {
                let channel = k / group_filters * group_channels + group_channel;
                for (r, s) in (0..kh).flat_map(|r| (0..kw).map(move |s| (r, s))) {
                    for i in 0..oh {
                        let Some(row) = (i * sh + r * dh).checked_sub(top).filter(|&row| row < h) else {
                            continue;
                        };
                        for j in 0..ow {
                            let Some(col) = (j * sw + s * dw).checked_sub(left).filter(|&col| col < w) else {
                                continue;
                            };
                            tap(
                                ((image * c + channel) * h + row) * w + col,
                                ((k * group_channels + group_channel) * kh + r) * kw + s,
                                ((image * filters + k) * oh + i) * ow + j,
                            );
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn forward<T: Float>(
    conv: &Conv2d,
    x: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    y: &mut [T],
    _: &mut [T],
) {
    y.fill(T::ZERO);
    for_each_product(conv, |at_x, at_w, at_y| y[at_y] += x[at_x] * weight[at_w]);
    if let Some(bias) = bias {
        for (plane, values) in y.chunks_mut(conv.oh * conv.ow).enumerate() {
            for value in values {
                *value += bias[plane % conv.filters];
            }
        }
    }
}

pub(super) fn backward_data<T: Float>(conv: &Conv2d, dy: &[T], weight: &[T], dx: &mut [T], _: &mut [T]) {
    dx.fill(T::ZERO);
    for_each_product(conv, |at_x, at_w, at_y| dx[at_x] += dy[at_y] * weight[at_w]);
}

pub(super) fn backward_weight<T: Float>(conv: &Conv2d, x: &[T], dy: &[T], dw: &mut [T], _: &mut [T]) {
    dw.fill(T::ZERO);
    for_each_product(conv, |at_x, at_w, at_y| dw[at_w] += dy[at_y] * x[at_x]);
}
