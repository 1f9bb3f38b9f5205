//! The gradient of the data: `dx[c, u] = Σ dy[k, i] · w[k, c, r]` over all `i · stride + r · dilation − pad = u`.
//!
//! Pixels `u` of one phase (one remainder modulo the stride) meet the same taps, at neighbouring `i`: each phase is a product
//! `[channels, (filter, taps of the phase)] · [(filter, taps), pixels of the phase]` whose right side slides over `dy` with stride 1.
//!
//! Of a 1×1 kernel with a stride, the pixels that it sees get a plain product, which is then spread, see [`points`].
//!
//! Images of few channels do too little with what is gathered; they go the other way, see [`scatter`].

use super::gather::{Axis, TapsByPixels, Window};
use super::planes::Planes;
use super::weights::{PackedRows, TapStride, pack_turned};
use super::{Conv2d, points, scatter};
use crate::epilogue::Epilogue;
use crate::gemm::dense::Address;
use crate::gemm::driver::multiply;
use crate::gemm::micro::{Registers, Rows};

/// One phase of one axis.
#[derive(Clone, Copy, Debug)]
struct Phase {
    /// The first of its pixels.
    first: usize,
    taps: TapStride,
    axis: Axis,
}

impl Phase {
    /// Pixels `phase`, `phase + stride`, … of axis `axis`.
    fn new(conv: &Conv2d, axis: usize, phase: usize) -> Phase {
        let (pixels, size, kernel) =
            if axis == 0 { (conv.h, conv.oh, conv.kh) } else { (conv.w, conv.ow, conv.kw) };
        let stride = conv.attrs.stride[axis] as usize;
        let dilation = conv.attrs.dilation[axis] as usize;
        let padded = phase + conv.attrs.pad[axis] as usize;
        let meets =
            |tap: usize| (padded as isize - (tap * dilation) as isize).rem_euclid(stride as isize) == 0;
        let mut taps = (0..kernel).filter(|&tap| meets(tap));
        let first = taps.next();
        let step = taps.next().map_or(1, |second| second - first.unwrap_or(0));
        let count = (0..kernel).filter(|&tap| meets(tap)).count();
        let first = first.unwrap_or(0);
        // Both divisions are exact where there is a tap.
        let offset = (padded as isize - (first * dilation) as isize).div_euclid(stride as isize);
        let axis = Axis {
            size,
            grid: (pixels - phase).div_ceil(stride),
            stride: 1,
            taps: count,
            offset,
            step: -((step * dilation / stride) as isize),
        };
        Phase { first: phase, taps: TapStride { first, step, count }, axis }
    }
}

pub(super) fn workspace_len(conv: &Conv2d) -> usize {
    conv.weight_len() + points::of(conv).map_or(0, |dense| dense.x_len())
}

pub(super) fn run<V: Registers>(
    conv: &Conv2d,
    dy: &[V::Elem],
    weight: &[V::Elem],
    epilogue: Epilogue<'_, V::Elem>,
    dx: &mut [V::Elem],
    workspace: &mut [V::Elem],
) {
    if scatter::is_better::<V::Elem>(conv) {
        scatter::run::<V>(conv, dy, weight, epilogue, dx);
        return;
    }
    if let Some(dense) = points::of(conv) {
        let (seen, workspace) = workspace.split_at_mut(dense.x_len());
        run::<V>(&dense, dy, weight, Epilogue::NONE, seen, workspace);
        points::spread::<V>(conv, seen, epilogue, dx);
        return;
    }
    let strides = conv.attrs.stride.map(|s| s as usize);
    let mut workspace = &mut workspace[..conv.weight_len()];
    for i in 0..strides[0].min(conv.h) {
        for j in 0..strides[1].min(conv.w) {
            let phases = [Phase::new(conv, 0, i), Phase::new(conv, 1, j)];
            // Every tap belongs to one phase of each axis, so the phases share the workspace out.
            let len = conv.filters * conv.group_channels() * phases[0].taps.count * phases[1].taps.count;
            let (packed, rest) = workspace.split_at_mut(len);
            workspace = rest;
            run_phase::<V>(conv, phases, dy, weight, epilogue, dx, packed);
        }
    }
}

fn run_phase<V: Registers>(
    conv: &Conv2d,
    phases: [Phase; 2],
    dy: &[V::Elem],
    weight: &[V::Elem],
    epilogue: Epilogue<'_, V::Elem>,
    dx: &mut [V::Elem],
    packed: &mut [V::Elem],
) {
    let (channels, filters) = (conv.group_channels(), conv.group_filters());
    let [y, x] = phases.map(|phase| phase.axis);
    let taps = filters * y.taps * x.taps;
    let rows = Rows::new(channels, V::ROWS);
    if taps > 0 {
        for (group, packed) in packed.chunks_mut(channels * taps).enumerate() {
            let weight = &weight[group * filters * channels * conv.kh * conv.kw..]
                [..filters * channels * conv.kh * conv.kw];
            pack_turned::<V>(
                &rows,
                filters,
                [conv.kh, conv.kw],
                phases.map(|phase| phase.taps),
                weight,
                packed,
            );
        }
    }
    let packed = &*packed;
    let window = Window { y, x, strides: conv.y_strides() };
    let dx = Address::of(dx);
    let operands = |group: usize| {
        let lhs = PackedRows { data: packed.get(group * channels * taps..).unwrap_or_default(), k: taps };
        let source = dy.get(group * filters * conv.y_strides().channel..).unwrap_or_default();
        let rhs = TapsByPixels { window: &window, source };
        let sink = Planes {
            data: dx.start(),
            first: group * channels * conv.x_strides().channel,
            strides: conv.x_strides(),
            size: [conv.h, conv.w],
            grid: [y.grid, x.grid],
            origin: phases.map(|phase| phase.first),
            step: conv.attrs.stride.map(|s| s as usize),
            epilogue,
        };
        (lhs, rhs, sink)
    };
    // SAFETY: `Candidate::backward_data` has checked the CPU and the lengths of all slices against the convolution; phases and groups
    // write different pixels.
    unsafe { multiply::<V, _, _, _>(rows, conv.n * y.grid * x.grid, taps, conv.groups(), operands) }
}
