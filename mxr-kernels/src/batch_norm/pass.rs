//! The two passes over a group of channels: sums, then results. The second goes backwards through memory and so begins with
//! what the first one has left in the cache.

use std::ops::Range;

use crate::batch_norm::BatchNorm;
use crate::batch_norm::lines::{Array, Group, LANES, WIDE, line, lines};
use crate::element::Float;
use crate::isa::Isa;
use crate::level::{self, Body, Level};
use crate::par;

/// Elements of a block of the parallel loops inside a group.
const BLOCK: usize = 32 * 1024;

/// Two sums for every channel of a group.
#[derive(Clone, Copy)]
pub(super) struct Sums {
    pub(super) a: [f64; WIDE],
    pub(super) b: [f64; WIDE],
}

impl Sums {
    const ZERO: Sums = Sums { a: [0.0; WIDE], b: [0.0; WIDE] };

    fn join(mut self, other: Sums) -> Sums {
        for j in 0..WIDE {
            self.a[j] += other.a[j];
            self.b[j] += other.b[j];
        }
        self
    }
}

/// A number of each kind for every channel of a group: `(x − m) · s + t` normalises, `u` is for the gradient, sums are of
/// elements less `k`.
#[derive(Clone, Copy)]
pub(super) struct Coefficients<T, const N: usize = WIDE> {
    pub(super) m: [T; N],
    pub(super) s: [T; N],
    pub(super) t: [T; N],
    pub(super) u: [T; N],
    pub(super) k: [f64; N],
}

impl<T: Float> Coefficients<T> {
    pub(super) fn zero() -> Self {
        let z = [T::ZERO; WIDE];
        Coefficients { m: z, s: z, t: z, u: z, k: [0.0; WIDE] }
    }

    /// Of the lanes of a piece: one channel's, or those of neighbouring channels from `c` on.
    #[inline(always)]
    fn lanes(&self, c: usize, columns: bool) -> Coefficients<T, LANES> {
        if columns {
            let pick = |from: &[T; WIDE]| from[c..c + LANES].try_into().expect("a piece of a group");
            Coefficients {
                m: pick(&self.m),
                s: pick(&self.s),
                t: pick(&self.t),
                u: pick(&self.u),
                k: self.k[c..c + LANES].try_into().expect("a piece of a group"),
            }
        } else {
            Coefficients {
                m: [self.m[c]; LANES],
                s: [self.s[c]; LANES],
                t: [self.t[c]; LANES],
                u: [self.u[c]; LANES],
                k: [self.k[c]; LANES],
            }
        }
    }
}

/// What is added up over the elements of a channel, and which gradients count.
pub(super) mod sum {
    /// x − k and its square.
    pub(crate) const STATISTICS: u8 = 0;
    /// dy and dy · (x − k).
    pub(crate) const GRADIENT: u8 = 1;
    /// The same, where dy counts if the normalised x is positive.
    pub(crate) const BY_INPUT: u8 = 2;
    /// The same, where dy counts if y is positive; what counts, and zeros, are written to `out`.
    pub(crate) const BY_OUTPUT: u8 = 3;
}

/// What the second pass writes to `out`.
pub(super) mod result {
    /// `(x − m) · s + t`.
    pub(crate) const NORMAL: u8 = 0;
    /// The same, where it is positive.
    pub(crate) const RELU: u8 = 1;
    /// `(x − m) · s + t + y`.
    pub(crate) const ADD: u8 = 2;
    /// The same, where it is positive.
    pub(crate) const ADD_RELU: u8 = 3;
    /// `dy · s − t − (x − m) · u`, with `t` and `u` of the gradient.
    pub(crate) const GRADIENT: u8 = 4;
    /// `dy · s`.
    pub(crate) const SCALE: u8 = 5;
}

/// The arrays of a group's passes; a pass that has no use for one may be given any.
#[derive(Clone, Copy)]
pub(super) struct Arrays<T> {
    pub(super) x: Array<T>,
    pub(super) dy: Array<T>,
    pub(super) y: Array<T>,
    pub(super) out: Array<T>,
}

/// A group and what its passes need.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a, T> {
    pub(super) isa: Isa,
    pub(super) d: &'a BatchNorm,
    pub(super) g: Group,
    pub(super) with: &'a Coefficients<T>,
    pub(super) of: Arrays<T>,
}

impl<T: Float> Pass<'_, T> {
    /// Sums of a kind over all elements of the group.
    ///
    /// # Safety
    /// The arrays that the kind uses have the descriptor's elements, and nobody else uses those of the group in an array that
    /// is written.
    pub(super) unsafe fn sums<const KIND: u8>(self) -> Sums {
        let grain = self.grain();
        let block = |b: usize| {
            let outer = b * grain..self.d.outer.min((b + 1) * grain);
            level::run(self.isa, SumBlock::<T, KIND> { pass: self, outer })
        };
        par::map_reduce(self.d.outer.div_ceil(grain), block, Sums::join).unwrap_or(Sums::ZERO)
    }

    /// Results of a kind for all elements of the group. With `masked`, dy counts where the normalised x is positive, by `t` of
    /// the forward pass.
    ///
    /// # Safety
    /// As for [`Self::sums`].
    pub(super) unsafe fn results<const KIND: u8>(self, masked: Option<&[T; WIDE]>) {
        let grain = self.grain();
        let blocks = self.d.outer.div_ceil(grain);
        par::for_blocks(blocks, |b| {
            let b = blocks - 1 - b;
            let outer = b * grain..self.d.outer.min((b + 1) * grain);
            match masked {
                None => level::run(
                    self.isa,
                    ResultBlock::<T, KIND, false> { pass: self, outer, mask: &self.with.t },
                ),
                Some(mask) => level::run(self.isa, ResultBlock::<T, KIND, true> { pass: self, outer, mask }),
            }
        });
    }

    /// Outer indices of a block.
    fn grain(&self) -> usize {
        (BLOCK / (self.d.inner * self.g.width).max(1)).max(1)
    }
}

/// Rounded the same way wherever it is computed, so that the backward pass finds the signs of the forward pass.
#[inline(always)]
fn normal<L: Level, T: Float>(x: T, m: T, s: T, t: T) -> T {
    L::fma(x - m, s, t)
}

/// max(x, 0); NaN stays.
#[inline(always)]
fn relu<T: Float>(x: T) -> T {
    if (x > T::ZERO) | x.is_nan() { x } else { T::ZERO }
}

struct SumBlock<'a, T, const KIND: u8> {
    pass: Pass<'a, T>,
    outer: Range<usize>,
}

/// Not closures: those are compiled without the block's instruction set unless the compiler happens to inline them.
impl<T: Float, const KIND: u8> SumBlock<'_, T, KIND> {
    /// Adds elements `at..at + n`.
    ///
    /// # Safety
    /// As for [`Pass::sums`]; the elements are of this block.
    #[inline(always)]
    unsafe fn piece<L: Level>(
        of: &Arrays<T>,
        with: &Coefficients<T, LANES>,
        at: usize,
        n: usize,
        a: &mut [f64; LANES],
        b: &mut [f64; LANES],
    ) {
        // SAFETY: the caller's promise.
        let x = unsafe { of.x.load(at, n) };
        let mut counted = x;
        if KIND != sum::STATISTICS {
            // SAFETY: as above.
            counted = unsafe { of.dy.load(at, n) };
        }
        if KIND == sum::BY_INPUT {
            for l in 0..LANES {
                let y = normal::<L, T>(x[l], with.m[l], with.s[l], with.t[l]);
                counted[l] = if y > T::ZERO { counted[l] } else { T::ZERO };
            }
        }
        if KIND == sum::BY_OUTPUT {
            // SAFETY: as above.
            let y = unsafe { of.y.load(at, n) };
            for l in 0..LANES {
                counted[l] = if y[l] > T::ZERO { counted[l] } else { T::ZERO };
            }
            // SAFETY: as above; `out` of this kind is an array that is written.
            unsafe { of.out.store(at, n, counted) };
        }
        for l in 0..n {
            let off = x[l].to_f64() - with.k[l];
            let v = if KIND == sum::STATISTICS { off } else { counted[l].to_f64() };
            a[l] += v;
            b[l] = L::fma(v, off, b[l]);
        }
    }
}

impl<T: Float, const KIND: u8> Body for SumBlock<'_, T, KIND> {
    type Output = Sums;

    #[inline(always)]
    fn run<L: Level>(self) -> Sums {
        let Pass { d, g, with, of, .. } = self.pass;
        let columns = d.inner == 1;
        // One row of lanes per channel, or per piece of neighbouring channels.
        let (mut a, mut b) = ([[0f64; LANES]; WIDE], [[0f64; LANES]; WIDE]);
        for o in self.outer {
            for i in 0..lines(d, g) {
                let (c, start, len) = line(d, g, o, i);
                let with = with.lanes(c, columns);
                let (mut sum_a, mut sum_b) = (a[i], b[i]);
                let whole = len - len % LANES;
                // SAFETY: `Pass::sums` has the caller's promise for this group; blocks have different outer indices.
                unsafe {
                    for at in (start..start + whole).step_by(LANES) {
                        Self::piece::<L>(&of, &with, at, LANES, &mut sum_a, &mut sum_b);
                    }
                    if whole < len {
                        Self::piece::<L>(&of, &with, start + whole, len - whole, &mut sum_a, &mut sum_b);
                    }
                }
                (a[i], b[i]) = (sum_a, sum_b);
            }
        }
        let mut sums = Sums::ZERO;
        for j in 0..g.width {
            let (row, lane) = if columns { (j / LANES, j % LANES) } else { (j, 0) };
            sums.a[j] = if columns { a[row][lane] } else { a[row].iter().sum() };
            sums.b[j] = if columns { b[row][lane] } else { b[row].iter().sum() };
        }
        sums
    }
}

struct ResultBlock<'a, T, const KIND: u8, const MASKED: bool> {
    pass: Pass<'a, T>,
    outer: Range<usize>,
    /// `t` of the forward pass.
    mask: &'a [T; WIDE],
}

impl<T: Float, const KIND: u8, const MASKED: bool> ResultBlock<'_, T, KIND, MASKED> {
    /// Writes elements `at..at + n`; `t` is that of the forward pass.
    ///
    /// # Safety
    /// As for [`Pass::results`]; the elements are of this block.
    #[inline(always)]
    unsafe fn piece<L: Level>(
        of: &Arrays<T>,
        with: &Coefficients<T, LANES>,
        t: &[T; LANES],
        at: usize,
        n: usize,
    ) {
        let mut out = [T::ZERO; LANES];
        let mut x = out;
        if KIND != result::SCALE || MASKED {
            // SAFETY: the caller's promise.
            x = unsafe { of.x.load(at, n) };
        }
        if KIND <= result::ADD_RELU {
            for l in 0..LANES {
                out[l] = normal::<L, T>(x[l], with.m[l], with.s[l], with.t[l]);
            }
            if KIND >= result::ADD {
                // SAFETY: as above.
                let y = unsafe { of.y.load(at, n) };
                for l in 0..LANES {
                    out[l] += y[l];
                }
            }
            if KIND == result::RELU || KIND == result::ADD_RELU {
                for y in &mut out {
                    *y = relu(*y);
                }
            }
        } else {
            // SAFETY: as above.
            let mut dy = unsafe { of.dy.load(at, n) };
            if MASKED {
                for l in 0..LANES {
                    let y = normal::<L, T>(x[l], with.m[l], with.s[l], t[l]);
                    dy[l] = if y > T::ZERO { dy[l] } else { T::ZERO };
                }
            }
            for l in 0..LANES {
                out[l] = if KIND == result::SCALE {
                    dy[l] * with.s[l]
                } else {
                    L::fma(with.m[l] - x[l], with.u[l], L::fma(dy[l], with.s[l], -with.t[l]))
                };
            }
        }
        // SAFETY: as above; `out` is an array that is written.
        unsafe { of.out.store(at, n, out) };
    }
}

impl<T: Float, const KIND: u8, const MASKED: bool> Body for ResultBlock<'_, T, KIND, MASKED> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        let Pass { d, g, with, of, .. } = self.pass;
        let columns = d.inner == 1;
        for o in self.outer {
            for i in 0..lines(d, g) {
                let (c, start, len) = line(d, g, o, i);
                let with = with.lanes(c, columns);
                let mut t = [self.mask[c]; LANES];
                if columns {
                    t.copy_from_slice(&self.mask[c..c + LANES]);
                }
                let whole = len - len % LANES;
                // SAFETY: `Pass::results` has the caller's promise for this group; blocks have different outer indices.
                unsafe {
                    for at in (start..start + whole).step_by(LANES) {
                        Self::piece::<L>(&of, &with, &t, at, LANES);
                    }
                    if whole < len {
                        Self::piece::<L>(&of, &with, &t, start + whole, len - whole);
                    }
                }
            }
        }
    }
}
