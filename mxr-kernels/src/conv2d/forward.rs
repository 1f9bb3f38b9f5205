//! The forward product, `[filters, taps] · [taps, pixels]`, one per group.

use std::marker::PhantomData;
use std::ops::Range;

use super::gather::{TapsByPixels, Window};
use super::planes::Planes;
use super::weights::{PackedRows, pack_rows};
use super::{Conv2d, points};
use crate::epilogue::Epilogue;
use crate::gemm::dense::Address;
use crate::gemm::driver::{Rhs, Tiled, multiply};
use crate::gemm::micro::{Registers, Rows};
use crate::gemm::prepared::PackedCols;
use crate::par;
use crate::simd::Kernel;

/// With a weight that is packed in the call.
pub(super) fn run<V: Registers>(
    conv: &Conv2d,
    x: &[V::Elem],
    weight: &[V::Elem],
    epilogue: Epilogue<'_, V::Elem>,
    y: &mut [V::Elem],
    workspace: &mut [V::Elem],
) {
    let (packed, workspace) = workspace.split_at_mut(conv.weight_len());
    prepare::<V>(conv, weight, packed);
    run_prepared::<V>(conv, x, packed, epilogue, y, workspace);
}

/// Packs the weight, group after group.
pub(super) fn prepare<V: Registers>(conv: &Conv2d, weight: &[V::Elem], to: &mut [V::Elem]) {
    let (filters, taps) = (conv.group_filters(), conv.group_channels() * conv.kh * conv.kw);
    if filters * taps > 0 {
        let rows = Rows::new(filters, V::ROWS);
        for (weight, to) in weight.chunks(filters * taps).zip(to.chunks_mut(filters * taps)) {
            pack_rows::<V>(&rows, taps, weight, to);
        }
    }
}

/// Up to so many pixels are packed once, before the product, whose rectangles would else pack them again and again: few pixels are cut by
/// filters, as they should be, so that a weight is read once.
const FEW_PIXELS: usize = 512;

/// Fewer filters are not cut.
const MANY_FILTERS: usize = 64;

/// Columns of the pixels that are packed once.
fn packed_columns<V: Registers>(conv: &Conv2d) -> Option<usize> {
    let pixels = conv.n * conv.oh * conv.ow;
    let few = pixels <= FEW_PIXELS && conv.group_filters() >= MANY_FILTERS;
    few.then(|| pixels.next_multiple_of(V::COLS))
}

/// Elements for pixels that are packed once, or for those that a 1×1 kernel with a stride sees.
pub(super) fn prepared_workspace_len<V: Registers>(conv: &Conv2d) -> usize {
    match (packed_columns::<V>(conv), points::of(conv)) {
        (Some(columns), _) => columns * conv.c * conv.kh * conv.kw,
        (None, Some(seen)) => seen.x_len(),
        (None, None) => 0,
    }
}

/// With a weight that is [packed](prepare). What a 1×1 kernel with a stride sees is collected once, rather than by every rectangle of the
/// product.
pub(super) fn run_prepared<V: Registers>(
    conv: &Conv2d,
    x: &[V::Elem],
    packed: &[V::Elem],
    epilogue: Epilogue<'_, V::Elem>,
    y: &mut [V::Elem],
    workspace: &mut [V::Elem],
) {
    let workspace = &mut workspace[..prepared_workspace_len::<V>(conv)];
    let taps = conv.group_channels() * conv.kh * conv.kw;
    if let Some(columns) = packed_columns::<V>(conv) {
        let window = Window::of(conv);
        for group in 0..conv.groups() {
            let to = &mut workspace[group * columns * taps..][..columns * taps];
            pack_pixels::<V>(conv, taps, pixels(conv, &window, x, group), to);
        }
        let workspace = &*workspace;
        let rhs = |group: usize| PackedCols {
            data: &workspace[group * columns * taps..][..columns * taps],
            k: taps,
        };
        return product::<V, _>(conv, packed, rhs, epilogue, y);
    }
    let (conv, x) = match points::of(conv) {
        None => (*conv, x),
        Some(seen) => {
            points::collect(conv, x, workspace);
            (seen, &*workspace)
        }
    };
    let window = Window::of(&conv);
    product::<V, _>(&conv, packed, |group| pixels(&conv, &window, x, group), epilogue, y);
}

/// The pixels that the filters of a group see.
fn pixels<'a, T>(conv: &Conv2d, window: &'a Window, x: &'a [T], group: usize) -> TapsByPixels<'a, T> {
    let source = x.get(group * conv.group_channels() * conv.x_strides().channel..).unwrap_or_default();
    TapsByPixels { window, source }
}

/// Packs all pixels, panel after panel of whole columns, a block of `k` of each at a time.
fn pack_pixels<V: Registers>(conv: &Conv2d, taps: usize, rhs: TapsByPixels<'_, V::Elem>, to: &mut [V::Elem]) {
    let (pixels, parts) = (conv.n * conv.oh * conv.ow, taps.div_ceil(V::Elem::KC));
    let panels = pixels.div_ceil(V::COLS);
    let to = Address::of(to);
    par::for_blocks(panels * parts, |number| {
        let (panel, part) = (number / parts, number % parts);
        let ks = taps * part / parts..taps * (part + 1) / parts;
        let cols = panel * V::COLS..pixels.min((panel + 1) * V::COLS);
        let to = to.skip((panel * taps + ks.start) * V::COLS);
        V::enter(Panel { rhs: &rhs, ks, cols, to, v: PhantomData::<V> });
    });
}

struct Panel<'a, V: Registers> {
    rhs: &'a TapsByPixels<'a, V::Elem>,
    ks: Range<usize>,
    cols: Range<usize>,
    to: Address<V::Elem>,
    v: PhantomData<V>,
}

impl<V: Registers> Kernel for Panel<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Panel { rhs, ks, cols, to, .. } = self;
        // SAFETY: below the entry of `V`'s instruction set; the source was checked against the convolution, and `to` has room for all
        // panels, of which no other block writes this part.
        unsafe { Rhs::<V>::pack(rhs, ks, cols, to.start()) }
    }
}

fn product<'a, V: Registers, R: Rhs<V>>(
    conv: &Conv2d,
    packed: &'a [V::Elem],
    rhs: impl Fn(usize) -> R + Sync,
    epilogue: Epilogue<'a, V::Elem>,
    y: &mut [V::Elem],
) {
    let (filters, taps) = (conv.group_filters(), conv.group_channels() * conv.kh * conv.kw);
    let rows = Rows::new(filters, V::ROWS);
    let y = Address::of(y);
    let operands = |group: usize| {
        let lhs = PackedRows { data: &packed[group * filters * taps..][..filters * taps], k: taps };
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
        (lhs, rhs(group), sink)
    };
    // SAFETY: `Candidate` has checked the CPU and the lengths of all slices against the convolution, and groups write
    // different channels.
    unsafe { multiply::<V, _, _, _>(rows, conv.n * conv.oh * conv.ow, taps, conv.groups(), operands) }
}
