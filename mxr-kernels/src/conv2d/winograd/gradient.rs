//! The gradient of the weight, F(3×3, 4×4) or F(5×5, 2×2): at each of the 36 points, `[channels, tiles] · [tiles, filters]` of the pixels
//! that tiles see and of the tiles of `dy`.
//!
//! A task has some channels and some filters, so many that their sums at all points fit the caches, and takes the tiles block after
//! block. What few such tasks there are for a small gradient share the tiles out, in slices whose number depends on the
//! shapes alone; the gradients of the slices lie in the workspace and are added in order.

use std::marker::PhantomData;
use std::ops::Range;

use super::input::{self, Place};
use super::product::{LINE, Sums, Winograd};
use super::tiles::{Images, POINTS, SEEN, Tiles};
use super::transform::results;
use super::{PIXELS, POOL, SCRATCH, TASKS, odd_lines, split};
use crate::conv2d::Conv2d;
use crate::conv2d::backward_weight::add_slices;
use crate::gemm::dense::Address;
use crate::gemm::micro::Rows;
use crate::par;
use crate::simd::Kernel;
use crate::simd::vector::{MAX_LANES, first};

/// Elements of the memory through which weights go: 25 taps of the channels and filters of the widest register.
pub(super) const WEIGHTS: usize = 25 * MAX_LANES * MAX_LANES;

/// The most channels and filters of a task.
const SIDE: usize = 128;

/// Tiles that are transformed and multiplied at once.
const BLOCK: usize = 64;

/// Tiles that make a slice worth its addition.
const SLICE: usize = 96;

/// The memory of the largest task.
const _: () = assert!(
    POINTS * (SIDE * SIDE + 2 * SIDE * BLOCK + 6 * LINE) + PIXELS <= SCRATCH,
    "sums, pixels and gradients of a task fit the scratch memory"
);

/// How the work is cut; a function of the shapes and the length of a register.
struct Plan {
    tiles: Tiles,
    /// Blocks of channels and vectors of filters, cut for tasks.
    channels: Rows,
    filters: Rows,
    slices: usize,
}

impl Plan {
    fn new(conv: &Conv2d, lanes: usize) -> Plan {
        let tiles = Tiles::new(conv.kh, conv.n, [conv.oh, conv.ow]);
        let cut = |count: usize| Rows::new(count.div_ceil(lanes), SIDE / lanes);
        let (channels, filters) = (cut(conv.c), cut(conv.filters));
        let tasks = channels.panels() * filters.panels();
        let slices = (TASKS / tasks).min(tiles.count() / SLICE).max(1);
        Plan { tiles, channels, filters, slices }
    }
}

pub(super) fn workspace_len<V: Winograd>(conv: &Conv2d) -> usize {
    match Plan::new(conv, V::LANES).slices {
        1 => 0,
        slices => slices * conv.weight_len(),
    }
}

pub(in crate::conv2d) fn backward_weight<V: Winograd>(
    conv: &Conv2d,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
    workspace: &mut [f32],
) {
    let plan = &Plan::new(conv, V::LANES);
    if plan.tiles.count() == 0 {
        dw.fill(0.0);
        return;
    }
    let slices = plan.slices;
    if slices == 1 {
        products::<V>(conv, plan, x, dy, dw);
        return;
    }
    let partial = &mut workspace[..slices * dw.len()];
    products::<V>(conv, plan, x, dy, partial);
    add_slices(partial, dw);
}

/// The gradients of all slices, one after the other in `out`.
fn products<V: Winograd>(conv: &Conv2d, plan: &Plan, x: &[f32], dy: &[f32], out: &mut [f32]) {
    let (channels, filters) = (plan.channels.panels(), plan.filters.panels());
    let out = Address::of(out);
    par::for_blocks(plan.slices * channels * filters, |number| {
        let (rest, slice) = (number / plan.slices, number % plan.slices);
        let (channel, filter) = (rest % channels, rest / channels);
        let count = plan.tiles.count();
        POOL.with(|scratch| {
            V::enter(Task {
                conv,
                tiles: plan.tiles,
                slice: count * slice / plan.slices..count * (slice + 1) / plan.slices,
                channels: plan.channels.start(channel)..plan.channels.start(channel + 1),
                filters: plan.filters.start(filter)..plan.filters.start(filter + 1),
                x,
                dy,
                dw: out.skip(slice * conv.weight_len()),
                scratch,
                v: PhantomData::<V>,
            });
        });
    });
}

/// The gradient of some blocks of channels and vectors of filters over some tiles.
struct Task<'a, V> {
    conv: &'a Conv2d,
    tiles: Tiles,
    slice: Range<usize>,
    channels: Range<usize>,
    filters: Range<usize>,
    x: &'a [f32],
    dy: &'a [f32],
    dw: Address<f32>,
    scratch: &'a mut [f32],
    v: PhantomData<V>,
}

impl<V: Winograd> Kernel for Task<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Task { conv, tiles, slice, channels, filters, x, dy, dw, scratch, .. } = self;
        let lanes = V::LANES;
        let m_plane = odd_lines(channels.len() * filters.len() * lanes * lanes);
        let (v_plane, g_plane) =
            (odd_lines(channels.len() * BLOCK * lanes), odd_lines(filters.len() * BLOCK * lanes));
        let [m, points, pixels] = split(scratch, [POINTS * m_plane, POINTS * (v_plane + g_plane)]);
        let (v, g) = points.split_at_mut(POINTS * v_plane);
        let [top, left, ..] = conv.attrs.pad.map(|pad| pad as usize);
        let x = Images { data: x, c: conv.c, h: conv.h, w: conv.w, strides: conv.x_strides() };
        let dy = Images { data: dy, c: conv.filters, h: conv.oh, w: conv.ow, strides: conv.y_strides() };
        let (m, v, g, pixels) = (m.as_mut_ptr(), v.as_mut_ptr(), g.as_mut_ptr(), pixels.as_mut_ptr());
        // Blocks of about the same size.
        let blocks = slice.len().div_ceil(BLOCK).max(1);
        for block in 0..blocks {
            let cut = |number: usize| slice.start + slice.len() * number / blocks;
            let block = cut(block)..cut(block + 1);
            // SAFETY: below the entry of `V`'s instruction set. `Candidate` has checked the lengths of all slices against the convolution, and
            // the parts of the scratch memory are as long as planes of that many blocks, vectors and tiles.
            unsafe {
                let place = Place { to: v, plane: v_plane, stride: BLOCK };
                input::transform::<V, SEEN>(
                    &x,
                    [top, left],
                    tiles,
                    block.clone(),
                    channels.clone(),
                    place,
                    pixels,
                );
                let place = Place { to: g, plane: g_plane, stride: BLOCK };
                let (seen, of) = (block.clone(), filters.clone());
                match tiles.side {
                    4 => input::transform::<V, 4>(&dy, [0, 0], tiles, seen, of, place, pixels),
                    _ => input::transform::<V, 2>(&dy, [0, 0], tiles, seen, of, place, pixels),
                }
                for point in 0..POINTS {
                    let (v, g) = (v.add(point * v_plane), g.add(point * g_plane));
                    add_products::<V>(&Products {
                        tiles: block.len(),
                        channels: channels.len(),
                        filters: filters.len(),
                        v,
                        g,
                        m: m.add(point * m_plane),
                        next: [
                            (v.wrapping_add(v_plane), channels.len()),
                            (g.wrapping_add(g_plane), filters.len()),
                        ],
                        add: block.start > slice.start,
                    });
                }
            }
        }
        for (number, vector) in filters.enumerate() {
            for (block, channel) in channels.clone().enumerate() {
                // SAFETY: as above; the sums are complete, and these weights belong to this task.
                unsafe {
                    let m = m.add((number * channels.len() + block) * lanes * lanes);
                    match conv.kh {
                        3 => output::<V, 3>(conv, channel, vector, m, m_plane, dw.start(), pixels),
                        _ => output::<V, 5>(conv, channel, vector, m, m_plane, dw.start(), pixels),
                    }
                }
            }
        }
    }
}

/// Products of a block of tiles at one point.
struct Products {
    tiles: usize,
    /// Blocks of channels and vectors of filters.
    channels: usize,
    filters: usize,
    /// Pixels, gradients and sums at this point.
    v: *const f32,
    g: *const f32,
    m: *mut f32,
    /// Pixels and gradients of the next point, with their blocks and vectors.
    next: [(*const f32, usize); 2],
    /// Add to what is there.
    add: bool,
}

/// # Safety
///
/// Runs below the entry of `V`'s instruction set; planes of so many blocks of channels and vectors of filters lie at `v`, `g` and `m`; those at
/// `next` need not be there.
#[inline(always)]
unsafe fn add_products<V: Winograd>(p: &Products) {
    let (lanes, half) = (V::LANES, V::LANES / 2);
    let (g_vector, m_vector) = (BLOCK * lanes, p.channels * lanes * lanes);
    let groups = Rows::new(p.filters, V::SUMS.len());
    // What the next point reads is asked for meanwhile, once.
    let planes = p.next.map(|(start, count)| (start, start.wrapping_add(count * BLOCK * lanes)));
    let (mut plane, mut at) = (0, planes[0].0);
    for group in 0..groups.panels() {
        let vector = groups.start(group);
        for part in 0..2 * p.channels {
            let (channel, row) = (part / 2, part % 2 * half);
            let v = p.v.wrapping_add(channel * BLOCK * lanes + row);
            if plane == 0 && at >= planes[0].1 {
                (plane, at) = (1, planes[1].0);
            }
            let ahead = if at < planes[plane].1 { at } else { v };
            at = at.wrapping_add(p.tiles * LINE);
            // SAFETY: the caller vouches for the planes.
            unsafe {
                V::SUMS[groups.height(group) - 1](&Sums {
                    tiles: p.tiles,
                    v,
                    g: p.g.add(vector * g_vector),
                    g_vector,
                    m: p.m.add(vector * m_vector + (channel * lanes + row) * lanes),
                    m_vector,
                    add: p.add,
                    ahead,
                });
            }
        }
    }
}

/// Transforms the sums `[channel, LANES]` of one block of channels and one vector of filters and writes them to
/// `dw [filters, c, KERNEL, KERNEL]`.
///
/// # Safety
///
/// Runs below the entry of `V`'s instruction set; `m` holds the sums of all points, `plane` apart; these weights belong to the caller;
/// `pixels` is valid for [`PIXELS`] elements.
#[inline(always)]
unsafe fn output<V: Winograd, const KERNEL: usize>(
    conv: &Conv2d,
    channel: usize,
    vector: usize,
    m: *const f32,
    plane: usize,
    dw: *mut f32,
    pixels: *mut f32,
) {
    let (lanes, taps) = (V::LANES, KERNEL * KERNEL);
    let (first_channel, first_filter) = (channel * lanes, vector * lanes);
    let (channels, filters) = (lanes.min(conv.c - first_channel), lanes.min(conv.filters - first_filter));
    // SAFETY: masks keep weights within the block's channels; the caller allows the accesses.
    unsafe {
        for channel in 0..channels {
            one::<V, KERNEL>(m.add(channel * lanes), plane, pixels.add(channel * taps * lanes));
        }
        for at in (0..channels * taps).step_by(lanes) {
            let width = lanes.min(channels * taps - at);
            let mut block = [V::zero(); MAX_LANES];
            for (j, x) in block[..width].iter_mut().enumerate() {
                *x = V::load(pixels.add((at + j) * lanes));
            }
            V::transpose(&mut block);
            for (f, x) in block[..filters].iter().enumerate() {
                let to = dw.add(((first_filter + f) * conv.c + first_channel) * taps + at);
                if width == lanes { x.store(to) } else { x.store_masked(to, first(width)) }
            }
        }
    }
}

/// # Safety
///
/// Runs below the entry of `V`'s instruction set; `from` is valid for a register at every point, `to` for one at every tap.
#[inline(always)]
unsafe fn one<V: Winograd, const KERNEL: usize>(from: *const f32, plane: usize, to: *mut f32) {
    // SAFETY: the caller allows the accesses.
    unsafe {
        let mut half = [[V::zero(); SEEN]; KERNEL];
        for j in 0..SEEN {
            let mut column = [V::zero(); SEEN];
            for (i, x) in column.iter_mut().enumerate() {
                *x = V::load(from.add((i * SEEN + j) * plane));
            }
            for (row, x) in half.iter_mut().zip(results::<V, KERNEL>(column)) {
                row[j] = x;
            }
        }
        for (i, &half) in half.iter().enumerate() {
            for (j, x) in results::<V, KERNEL>(half).into_iter().enumerate() {
                x.store(to.add((i * KERNEL + j) * V::LANES));
            }
        }
    }
}
