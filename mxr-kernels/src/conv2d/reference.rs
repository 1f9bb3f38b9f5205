//! The definition, tap by tap.

use super::Conv2d;
use crate::element::Float;
use crate::epilogue::Epilogue;

/// Calls `tap(x index, weight index)` for every product of element `at` of y that does not lie in the padding.
fn for_each_product(conv: &Conv2d, at: usize, mut tap: impl FnMut(usize, usize)) {
    let Conv2d { h, w, filters, kh, kw, oh, ow, attrs, .. } = *conv;
    let (group_channels, group_filters) = (conv.group_channels(), conv.group_filters());
    let [sh, sw] = attrs.stride.map(|s| s as usize);
    let [dh, dw] = attrs.dilation.map(|d| d as usize);
    let [top, left, ..] = attrs.pad.map(|p| p as usize);
    let (i, j) = (at / ow % oh, at % ow);
    let (image, k) = conv.plane(attrs.y, at / (ow * oh), filters);
    for group_channel in 0..group_channels {
        let channel = k / group_filters * group_channels + group_channel;
        for (r, s) in (0..kh).flat_map(|r| (0..kw).map(move |s| (r, s))) {
            let row = (i * sh + r * dh).checked_sub(top).filter(|&row| row < h);
            let col = (j * sw + s * dw).checked_sub(left).filter(|&col| col < w);
            if let (Some(row), Some(col)) = (row, col) {
                tap(
                    conv.x_strides().at(image, channel) + row * w + col,
                    ((k * group_channels + group_channel) * kh + r) * kw + s,
                );
            }
        }
    }
}

pub(super) fn forward<T: Float>(
    conv: &Conv2d,
    x: &[T],
    weight: &[T],
    epilogue: Epilogue<'_, T>,
    y: &mut [T],
    _: &mut [T],
) {
    for (at, y) in y.iter_mut().enumerate() {
        let mut sum = T::ZERO;
        for_each_product(conv, at, |at_x, at_w| sum += x[at_x] * weight[at_w]);
        if let Some(bias) = epilogue.bias {
            sum += bias[conv.plane(conv.attrs.y, at / (conv.oh * conv.ow), conv.filters).1];
        }
        *y = epilogue.last(sum, at, *y);
    }
}

pub(super) fn backward_data<T: Float>(
    conv: &Conv2d,
    dy: &[T],
    weight: &[T],
    epilogue: Epilogue<'_, T>,
    dx: &mut [T],
    _: &mut [T],
) {
    epilogue.begin(0, dx);
    for (at, &dy) in dy.iter().enumerate() {
        for_each_product(conv, at, |at_x, at_w| dx[at_x] += dy * weight[at_w]);
    }
    epilogue.end(0, dx);
}

pub(super) fn backward_weight<T: Float>(conv: &Conv2d, x: &[T], dy: &[T], dw: &mut [T], _: &mut [T]) {
    dw.fill(T::ZERO);
    for (at, &dy) in dy.iter().enumerate() {
        for_each_product(conv, at, |at_x, at_w| dw[at_w] += dy * x[at_x]);
    }
}
