//! The forward product, `[filters, taps] · [taps, pixels]`, one per group.

use super::Conv2d;
use super::gather::{TapsByPixels, Window};
use super::planes::Planes;
use super::weights::{PackedRows, pack_rows};
use crate::epilogue::Epilogue;
use crate::gemm::dense::Address;
use crate::gemm::driver::multiply;
use crate::gemm::micro::{Registers, Rows};

pub(super) fn run<V: Registers>(
    conv: &Conv2d,
    x: &[V::Elem],
    weight: &[V::Elem],
    epilogue: Epilogue<'_, V::Elem>,
    y: &mut [V::Elem],
    workspace: &mut [V::Elem],
) {
    let (filters, taps) = (conv.group_filters(), conv.group_channels() * conv.kh * conv.kw);
    let rows = Rows::new(filters, V::ROWS);
    let packed = &mut workspace[..conv.weight_len()];
    if taps > 0 {
        for (group, packed) in packed.chunks_mut(filters * taps).enumerate() {
            let weight = &weight[group * filters * taps..][..filters * taps];
            pack_rows::<V>(&rows, taps, weight, packed);
        }
    }
    let packed = &*packed;
    let window = Window::of(conv);
    let y = Address::of(y);
    let operands = |group: usize| {
        let lhs = PackedRows { data: &packed[group * filters * taps..][..filters * taps], k: taps };
        let source = x.get(group * conv.group_channels() * conv.x_strides().channel..).unwrap_or_default();
        let rhs = TapsByPixels { window: &window, source };
        let sink = Planes {
            data: y.start(),
            first: group * filters * conv.y_strides().channel,
            strides: conv.y_strides(),
            size: [conv.oh, conv.ow],
            grid: [conv.oh, conv.ow],
            origin: [0, 0],
            step: [1, 1],
            epilogue: Epilogue {
                bias: epilogue.bias.map(|bias| &bias[group * filters..][..filters]),
                ..epilogue
            },
        };
        (lhs, rhs, sink)
    };
    // SAFETY: `Candidate::forward` has checked the CPU and the lengths of all slices against the convolution, and groups write
    // different channels.
    unsafe { multiply::<V, _, _, _>(rows, conv.n * conv.oh * conv.ow, taps, conv.groups(), operands) }
}
