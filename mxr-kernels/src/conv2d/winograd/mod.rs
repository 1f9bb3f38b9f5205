//! Winograd's algorithm for kernels with stride 1: F(4×4, 3×3), where a tile of 4×4 outputs takes 36 multiplications per channel and
//! filter, not 144, and F(2×2, 5×5), where one of 2×2 takes 36, not 100.
//!
//! The 6×6 pixels that a tile sees are transformed to 36 points ([`input`]), and so are the weights ([`weights`]); at every point,
//! tiles × channels × filters is a product of matrices ([`product`]), whose results are transformed to pixels ([`output`]). Registers
//! hold neighbouring channels (or filters), so pixels are turned from `[channel, row, column]` to `[row, column, LANES channels]` on
//! the way in and back on the way out.
//!
//! The gradient of the data is the same convolution of `dy` by weights with filters and channels exchanged and taps turned around. That of
//! the weight is F(3×3, 4×4) or F(5×5, 2×2): the tiles of `dy` take the place of the weights, and the sum runs over the tiles
//! ([`gradient`]). What differs between the kernels is the side of a tile, the step from one to the next, and three transforms.
//!
//! **Memory.** Either all transformed weights or all transformed pixels lie in the workspace, whichever are fewer ([`Order`]); of the other,
//! a task has the part that it needs in scratch memory, which stays in the caches. Weights that were [prepared](prepare) lie there as a
//! whole in either order. Sums run over all channels in registers, so the bits
//! depend on neither.
//!
//! **Rounding.** The transforms enlarge numbers by up to 10 on each axis and shrink them again, so errors are larger than those of direct
//! convolution: relative to the result's norm a few 10⁻⁶, held below 10⁻⁴ by the tests. What is not finite spreads over its tile: an
//! infinite or NaN pixel makes everything that uses it not finite (but NaN rather than infinite), and possibly other
//! outputs of the same tiles too.

mod gradient;
mod input;
mod output;
mod product;
mod tiles;
mod transform;
mod weights;

use std::marker::PhantomData;
use std::ops::Range;

pub(super) use self::gradient::backward_weight;
use self::input::Place;
use self::output::Products;
use self::product::{LINE, Product, Winograd};
use self::tiles::{Images, POINTS, SEEN, Tiles};
use super::{Conv2d, Direction, Strides};
use crate::epilogue::Epilogue;
use crate::gemm::dense::Address;
use crate::gemm::micro::Rows;
use crate::par;
use crate::scratch::Pool;
use crate::simd::Kernel;

/// Elements of a task's memory (5 MiB).
const SCRATCH: usize = 5 << 18;

static POOL: Pool<f32> = Pool::new(SCRATCH);

/// Elements of it that are for pixels and weights on their way.
const PIXELS: usize = {
    let most = if input::PIXELS > output::PIXELS { input::PIXELS } else { output::PIXELS };
    if most > gradient::WEIGHTS { most } else { gradient::WEIGHTS }
};

/// Tiles that a task multiplies at once: the most, so that weights are read seldom enough.
const MOST_TILES: usize = 56;

/// And the fewest, while there are fewer tasks than [`TASKS`].
const LEAST_TILES: usize = 16;

/// Tasks that keep the threads of a large machine busy.
const TASKS: usize = 16;

/// Vectors of filters that are multiplied before their outputs are made.
const CHUNK: usize = 4;

/// Channels over which a register tile sums at once, so that its panel of weights stays in the first-level cache from tile to tile.
const DEPTH: usize = 256;

/// Channels and filters whose memory can be planned.
const MOST_CHANNELS: usize = 4096;

/// What the algorithm can do.
pub(super) fn accepts(conv: &Conv2d, _: Direction) -> bool {
    let [top, left, ..] = conv.attrs.pad;
    let whole = conv.groups() == 1 && conv.attrs.dilation == [1, 1] && conv.attrs.stride == [1, 1];
    let channels = 1..=MOST_CHANNELS;
    whole
        && conv.kh == conv.kw
        && [3, 5].contains(&conv.kh)
        && (top.max(left) as usize) < conv.kh
        && channels.contains(&conv.c)
        && channels.contains(&conv.filters)
}

pub(super) fn workspace_len<V: Winograd>(conv: &Conv2d, direction: Direction) -> usize {
    let problem = match direction {
        Direction::Forward => Problem::forward(conv),
        Direction::BackwardData => Problem::backward_data(conv),
        Direction::BackwardWeight => return gradient::workspace_len::<V>(conv),
    };
    let plan = Plan::new::<V>(&problem);
    match plan.order {
        Order::Weights => plan.weights_len(problem.filters.div_ceil(V::LANES), V::LANES),
        Order::Tiles => plan.blocks * plan.block_len(),
    }
}

/// Elements of all transformed weights of the forward convolution.
pub(super) fn prepared_len<V: Winograd>(conv: &Conv2d) -> usize {
    let problem = Problem::forward(conv);
    Plan::new::<V>(&problem).weights_len(problem.filters.div_ceil(V::LANES), V::LANES)
}

/// Transforms all weights of the forward convolution.
pub(super) fn prepare<V: Winograd>(conv: &Conv2d, weight: &[f32], to: &mut [f32]) {
    let problem = Problem::forward(conv);
    transform_all::<V>(&problem, &Plan::new::<V>(&problem), weight, to);
}

/// Elements for the pixels, where those lie in the workspace.
pub(super) fn prepared_workspace_len<V: Winograd>(conv: &Conv2d) -> usize {
    let plan = Plan::new::<V>(&Problem::forward(conv));
    match plan.order {
        Order::Weights => 0,
        Order::Tiles => plan.blocks * plan.block_len(),
    }
}

pub(super) fn forward<V: Winograd>(
    conv: &Conv2d,
    x: &[f32],
    weight: &[f32],
    epilogue: Epilogue<'_, f32>,
    y: &mut [f32],
    workspace: &mut [f32],
) {
    run::<V>(&Problem::forward(conv), x, Weight::Plain(weight), epilogue, y, workspace);
}

/// With weights that [`prepare`] has transformed.
pub(super) fn forward_prepared<V: Winograd>(
    conv: &Conv2d,
    x: &[f32],
    weight: &[f32],
    epilogue: Epilogue<'_, f32>,
    y: &mut [f32],
    workspace: &mut [f32],
) {
    run::<V>(&Problem::forward(conv), x, Weight::Transformed(weight), epilogue, y, workspace);
}

pub(super) fn backward_data<V: Winograd>(
    conv: &Conv2d,
    dy: &[f32],
    weight: &[f32],
    epilogue: Epilogue<'_, f32>,
    dx: &mut [f32],
    workspace: &mut [f32],
) {
    run::<V>(&Problem::backward_data(conv), dy, Weight::Plain(weight), epilogue, dx, workspace);
}

/// `y` of `n` images of `filters` channels of `oh` × `ow` pixels, of `x` with `c` channels of `h` × `w`, and weights
/// `[filters, c, kernel, kernel]`, or `[c, filters, kernel, kernel]` with turned taps.
struct Problem {
    n: usize,
    c: usize,
    h: usize,
    w: usize,
    filters: usize,
    oh: usize,
    ow: usize,
    /// 3 or 5.
    kernel: usize,
    /// Where images and channels of `x` and of `y` begin.
    strides: [Strides; 2],
    /// Zeros above and left of the image.
    pad: [usize; 2],
    turned: bool,
}

impl Problem {
    fn forward(conv: &Conv2d) -> Problem {
        let Conv2d { n, c, h, w, filters, oh, ow, .. } = *conv;
        let [top, left, ..] = conv.attrs.pad.map(|pad| pad as usize);
        let strides = [conv.x_strides(), conv.y_strides()];
        Problem { n, c, h, w, filters, oh, ow, kernel: conv.kh, strides, pad: [top, left], turned: false }
    }

    fn backward_data(conv: &Conv2d) -> Problem {
        let Conv2d { n, c, h, w, filters, oh, ow, .. } = *conv;
        // dx[u] = Σ dy[u + pad − r] · w[r] is a window that begins kernel − 1 − pad before u.
        let [top, left, ..] = conv.attrs.pad.map(|pad| pad as usize);
        Problem {
            n,
            c: filters,
            h: oh,
            w: ow,
            filters: c,
            oh: h,
            ow: w,
            kernel: conv.kh,
            strides: [conv.y_strides(), conv.x_strides()],
            pad: [top, left].map(|pad| conv.kh - 1 - pad),
            turned: true,
        }
    }
}

/// The weights that a call is given.
#[derive(Clone, Copy)]
enum Weight<'a> {
    Plain(&'a [f32]),
    /// All of them, as [`transform_all`] leaves them.
    Transformed(&'a [f32]),
}

/// What lies in the workspace as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// The weights: a task is a block of tiles, which it transforms, and all filters.
    Weights,
    /// The pixels: a task is some filters, whose weights it transforms, and all tiles.
    Tiles,
}

/// How the work is cut; a function of the shapes and the instruction set's registers.
#[derive(Clone, Copy, Debug)]
struct Plan {
    tiles: Tiles,
    /// Tiles of a block; the last may have fewer.
    block: usize,
    blocks: usize,
    /// Channels, filled up to whole vectors.
    channels: usize,
    /// Vectors of filters of a task, where it does not have all of them; even.
    vectors: usize,
    /// Elements from one point to the next in transformed pixels and in products.
    v_plane: usize,
    m_plane: usize,
    order: Order,
}

impl Plan {
    fn new<V: Winograd>(problem: &Problem) -> Plan {
        let lanes = V::LANES;
        let tiles = Tiles::new(problem.kernel, problem.n, [problem.oh, problem.ow]);
        let channels = problem.c.next_multiple_of(lanes);
        let vectors = problem.filters.div_ceil(lanes);
        let room = SCRATCH - PIXELS - POINTS * 4 * LINE;
        // Blocks of about this many tiles are all of the same size, but for the last.
        let cut = |most: usize| {
            let blocks = tiles.count().div_ceil(most.max(1)).max(1);
            let block = tiles.count().div_ceil(blocks).max(1);
            (block, tiles.count().div_ceil(block))
        };
        let order = if tiles.count() < problem.filters
            && 2 * lanes * channels + MOST_TILES * CHUNK * lanes <= room / POINTS
        {
            Order::Tiles
        } else {
            Order::Weights
        };
        let (block, blocks) = match order {
            Order::Tiles => cut(MOST_TILES),
            Order::Weights => {
                let fits = room / POINTS / (channels + CHUNK * lanes);
                let even = tiles.count().div_ceil(TASKS).clamp(LEAST_TILES, MOST_TILES);
                cut(even.min(fits))
            }
        };
        let fit = (room / POINTS - block * CHUNK * lanes) / (channels * lanes);
        let even = vectors.div_ceil(TASKS);
        Plan {
            tiles,
            block,
            blocks,
            channels,
            vectors: even.next_multiple_of(2).clamp(2, (64 / lanes).min(fit & !1).max(2)),
            v_plane: odd_lines(channels * block),
            m_plane: odd_lines(CHUNK * lanes * block),
            order,
        }
    }

    /// Elements of the transformed weights of so many vectors of filters.
    fn weights_len(&self, vectors: usize, lanes: usize) -> usize {
        POINTS * self.channels * vectors * lanes
    }

    /// Elements of a transformed block of tiles.
    fn block_len(&self) -> usize {
        POINTS * self.v_plane
    }

    fn block(&self, number: usize) -> Range<usize> {
        number * self.block..self.tiles.count().min((number + 1) * self.block)
    }
}

/// At least so many elements: an odd number of cache lines, so that the same place of all points does not fall into one set of a cache.
fn odd_lines(elements: usize) -> usize {
    (elements.div_ceil(LINE) | 1) * LINE
}

/// Transforms all weights to `u`, pair after pair of vectors of filters.
fn transform_all<V: Winograd>(problem: &Problem, plan: &Plan, weight: &[f32], u: &mut [f32]) {
    let vectors = problem.filters.div_ceil(V::LANES);
    par::for_each_mut(u, plan.weights_len(2, V::LANES), |pair, u| {
        let last = vectors.min(2 * pair + 2);
        V::enter(Transform { problem, plan, weight, vectors: 2 * pair..last, u, v: PhantomData::<V> });
    });
}

fn run<V: Winograd>(
    problem: &Problem,
    x: &[f32],
    weight: Weight<'_>,
    epilogue: Epilogue<'_, f32>,
    y: &mut [f32],
    workspace: &mut [f32],
) {
    let plan = Plan::new::<V>(problem);
    let images = Images { data: x, c: problem.c, h: problem.h, w: problem.w, strides: problem.strides[0] };
    let job = Job { problem, plan, images, weight, epilogue, y: Address::of(y), v: PhantomData::<V> };
    let vectors = problem.filters.div_ceil(V::LANES);
    match plan.order {
        Order::Weights => {
            let u = match weight {
                Weight::Transformed(u) => u,
                Weight::Plain(weight) => {
                    let u = &mut workspace[..plan.weights_len(vectors, V::LANES)];
                    transform_all::<V>(problem, &plan, weight, u);
                    &*u
                }
            };
            par::for_blocks(plan.blocks, |block| {
                POOL.with(|scratch| V::enter(Task { job: &job, part: Part::Block(block, u, scratch) }));
            });
        }
        Order::Tiles => {
            let v = &mut workspace[..plan.blocks * plan.block_len()];
            let (start, channels) = (Address::of(v), plan.channels / V::LANES);
            par::for_blocks(plan.blocks * channels, |number| {
                let (block, channel) = (number / channels, number % channels);
                POOL.with(|scratch| {
                    V::enter(Task { job: &job, part: Part::Pixels(block, channel, start, scratch) });
                });
            });
            let v = &*v;
            par::for_blocks(vectors.div_ceil(plan.vectors), |number| {
                let last = vectors.min((number + 1) * plan.vectors);
                let filters = number * plan.vectors..last;
                POOL.with(|scratch| V::enter(Task { job: &job, part: Part::Filters(filters, v, scratch) }));
            });
        }
    }
}

/// What all tasks of a call share.
struct Job<'a, V> {
    problem: &'a Problem,
    plan: Plan,
    images: Images<'a>,
    weight: Weight<'a>,
    epilogue: Epilogue<'a, f32>,
    y: Address<f32>,
    v: PhantomData<V>,
}

/// What a task does.
enum Part<'a> {
    /// Transforms, multiplies and writes a block of tiles, with all weights at hand.
    Block(usize, &'a [f32], &'a mut [f32]),
    /// Transforms one block of channels of a block of tiles.
    Pixels(usize, usize, Address<f32>, &'a mut [f32]),
    /// Transforms the weights of some vectors of filters, where that was not done before, multiplies and writes all tiles, with all
    /// pixels at hand.
    Filters(Range<usize>, &'a [f32], &'a mut [f32]),
}

struct Task<'a, V> {
    job: &'a Job<'a, V>,
    part: Part<'a>,
}

impl<V: Winograd> Kernel for Task<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let job = self.job;
        let plan = &job.plan;
        // SAFETY: below the entry of `V`'s instruction set. `Candidate` has checked the lengths of all slices against the convolution,
        // and `Plan` makes the parts fit the scratch memory, which `split` proves; tasks write different pixels, or
        // different parts of what is transformed.
        unsafe {
            match self.part {
                Part::Block(number, u, scratch) => {
                    let [v, m, pixels] = split(scratch, [plan.block_len(), POINTS * plan.m_plane]);
                    let channels = 0..plan.channels / V::LANES;
                    job.pixels(number, channels, v.as_mut_ptr(), pixels);
                    job.block(number, 0..job.vectors(), v.as_ptr(), u, m, pixels);
                }
                Part::Pixels(number, channel, v, scratch) => {
                    let to = v.skip(number * plan.block_len() + channel * plan.block * V::LANES);
                    job.pixels(number, channel..channel + 1, to.start(), scratch);
                }
                Part::Filters(vectors, v, scratch) => {
                    let len = plan.weights_len(vectors.len(), V::LANES);
                    let [u, m, pixels] = split(scratch, [len, POINTS * plan.m_plane]);
                    let u = match job.weight {
                        Weight::Transformed(all) => &all[plan.weights_len(vectors.start, V::LANES)..][..len],
                        Weight::Plain(weight) => {
                            transform::<V>(job.problem, plan, weight, vectors.clone(), u);
                            &*u
                        }
                    };
                    for number in 0..plan.blocks {
                        let v = v[number * plan.block_len()..][..plan.block_len()].as_ptr();
                        job.block(number, vectors.clone(), v, u, m, pixels);
                    }
                }
            }
        }
    }
}

/// A task that transforms the weights of a pair of vectors of filters.
struct Transform<'a, V> {
    problem: &'a Problem,
    plan: &'a Plan,
    weight: &'a [f32],
    vectors: Range<usize>,
    u: &'a mut [f32],
    v: PhantomData<V>,
}

impl<V: Winograd> Kernel for Transform<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        // SAFETY: below the entry of `V`'s instruction set; `Candidate` has checked the length of the weight against the convolution.
        unsafe { transform::<V>(self.problem, self.plan, self.weight, self.vectors, self.u) }
    }
}

/// Transforms the weights of `vectors` (which begin at an even one) to `u`: pair after pair of `[point, channel, 2 · LANES]`, a single
/// last vector as `[point, channel, LANES]`.
///
/// # Safety
///
/// As [`weights::transform`].
#[inline(always)]
unsafe fn transform<V: Winograd>(
    problem: &Problem,
    plan: &Plan,
    weight: &[f32],
    vectors: Range<usize>,
    u: &mut [f32],
) {
    let lanes = V::LANES;
    assert!(u.len() == plan.weights_len(vectors.len(), lanes), "every weight has a place");
    for vector in vectors.clone() {
        let at = (vector - vectors.start) & !1;
        let width = lanes * (vectors.len() - at).min(2);
        // SAFETY: the vector's place lies in `u`; the caller allows the rest.
        unsafe {
            let to = u.as_mut_ptr().add(plan.weights_len(at, lanes) + (vector - vectors.start - at) * lanes);
            weights::transform::<V>(problem, weight, vector, to, plan.channels * width, width);
        }
    }
}

/// Two parts of these lengths, and the rest for pixels on their way.
fn split(scratch: &mut [f32], [first, second]: [usize; 2]) -> [&mut [f32]; 3] {
    let (first, rest) = scratch.split_at_mut(first);
    let (second, pixels) = rest.split_at_mut(second);
    assert!(pixels.len() >= PIXELS, "the scratch memory has room for pixels");
    [first, second, pixels]
}

impl<V: Winograd> Job<'_, V> {
    fn vectors(&self) -> usize {
        self.problem.filters.div_ceil(V::LANES)
    }

    /// Transforms blocks of channels of a block of tiles.
    ///
    /// # Safety
    ///
    /// As [`input::transform`].
    #[inline(always)]
    unsafe fn pixels(&self, number: usize, channels: Range<usize>, to: *mut f32, pixels: &mut [f32]) {
        let Plan { tiles, v_plane, block, .. } = self.plan;
        assert!(pixels.len() >= PIXELS, "pixels on their way have their memory");
        // SAFETY: the caller's contract.
        unsafe {
            let pixels = pixels.as_mut_ptr();
            let (pad, range) = (self.problem.pad, self.plan.block(number));
            let place = Place { to, plane: v_plane, stride: block };
            input::transform::<V, SEEN>(&self.images, pad, tiles, range, channels, place, pixels);
        }
    }

    /// Multiplies a block of tiles, transformed to `v`, with some vectors of filters, whose weights are `u`, and writes the outputs.
    ///
    /// # Safety
    ///
    /// Runs below the entry of `V`'s instruction set; `v` holds the block; its pixels of these filters belong to the caller.
    #[inline(always)]
    unsafe fn block(
        &self,
        number: usize,
        vectors: Range<usize>,
        v: *const f32,
        u: &[f32],
        m: &mut [f32],
        pixels: &mut [f32],
    ) {
        let plan = &self.plan;
        let range = plan.block(number);
        let rows = Rows::new(range.len(), V::ROWS);
        assert!(m.len() >= POINTS * plan.m_plane && pixels.len() >= PIXELS, "products have their memory");
        assert!(u.len() >= plan.weights_len(vectors.len(), V::LANES), "all weights are there");
        for first in vectors.clone().step_by(CHUNK) {
            let chunk = first..vectors.end.min(first + CHUNK);
            // SAFETY: the weights and the products lie where the lengths above say; the caller vouches for `v` and the output.
            unsafe {
                let u = u.as_ptr().add(plan.weights_len(first - vectors.start, V::LANES));
                self.multiply(&rows, &chunk, v, u, m.as_mut_ptr());
                for vector in chunk.clone() {
                    let m = m.as_ptr().add((vector - first) * plan.block * V::LANES);
                    let products = Products { m, plane: plan.m_plane, vector };
                    let (tiles, range, epilogue) = (plan.tiles, range.clone(), &self.epilogue);
                    let (p, y, pixels) = (self.problem, self.y.start(), pixels.as_mut_ptr());
                    match tiles.side {
                        4 => output::transform::<V, 4>(p, &products, tiles, range, epilogue, y, pixels),
                        _ => output::transform::<V, 2>(p, &products, tiles, range, epilogue, y, pixels),
                    }
                }
            }
        }
    }

    /// The products of a block of tiles and a chunk of vectors of filters at all points.
    ///
    /// # Safety
    ///
    /// As [`Self::block`]; `u` holds the weights of the chunk and `m` has room for the products.
    #[inline(always)]
    unsafe fn multiply(&self, rows: &Rows, chunk: &Range<usize>, v: *const f32, u: *const f32, m: *mut f32) {
        let (plan, lanes) = (&self.plan, V::LANES);
        let panel = |point: usize, pair: usize| {
            let width = lanes * (chunk.len() - pair).min(2);
            u.wrapping_add(plan.weights_len(pair, lanes) + point * plan.channels * width)
        };
        let parts = Rows::new(plan.channels / lanes, DEPTH / lanes);
        for point in 0..POINTS {
            let v = v.wrapping_add(point * plan.v_plane);
            // What is multiplied next is asked for meanwhile: by the first tiles the next panel of weights, by the others the next
            // point's pixels, part after part, and nothing beyond them, which would push out of the caches what is still to be read.
            let mut next_pixels = v.wrapping_add(plan.v_plane);
            let last_pixels = next_pixels.wrapping_add(plan.channels * plan.block);
            for pair in (0..chunk.len()).step_by(2) {
                let vectors = (chunk.len() - pair).min(2);
                let width = vectors * lanes;
                let next_pair =
                    if pair + 2 < chunk.len() { panel(point, pair + 2) } else { panel(point + 1, 0) };
                for part in 0..parts.panels() {
                    let first = parts.start(part);
                    let u = panel(point, pair).wrapping_add(first * lanes * width);
                    let elements = parts.height(part) * lanes * width;
                    let next_panel =
                        if part + 1 < parts.panels() { u.wrapping_add(elements) } else { next_pair };
                    for row in 0..rows.panels() {
                        let tile = rows.start(row);
                        let mut product = Product {
                            blocks: parts.height(part),
                            v: v.wrapping_add((first * plan.block + tile) * lanes),
                            v_block: plan.block * lanes,
                            u,
                            m: m.wrapping_add(point * plan.m_plane + (pair * plan.block + tile) * lanes),
                            m_vector: plan.block * lanes,
                            add: part > 0,
                            ahead: next_panel,
                        };
                        if row > 0 {
                            product.ahead = if next_pixels < last_pixels { next_pixels } else { u };
                            next_pixels = next_pixels.wrapping_add(elements);
                        }
                        // SAFETY: panels, tiles and products lie in what the caller says.
                        unsafe { V::PRODUCTS[rows.height(row) - 1][vectors - 1](&product) };
                    }
                }
            }
        }
    }
}
