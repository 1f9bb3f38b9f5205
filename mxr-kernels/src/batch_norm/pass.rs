//! The two passes over a group of channels: sums, then results. The second goes backwards through memory and so begins with
//! what the first one has left in the cache.

use std::ops::Range;

use crate::batch_norm::BatchNorm;
use crate::batch_norm::lines::{Array, Group, Part, WIDE, line, lines, load, store};
use crate::element::Float;
use crate::isa::Isa;
use crate::level::{self, Wide};
use crate::par;
use crate::simd::vector::{MAX_LANES, Vector};
use crate::stream;

/// Elements of a block of the parallel loops inside a group.
const BLOCK: usize = 32 * 1024;

/// Registers that are added up in the element type before their sums go into sums in `f64`: what so few additions round off is less than
/// what the result in the element type does, and they cost a third.
const RUN: usize = 64;

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
pub(super) struct Coefficients<T> {
    pub(super) m: [T; WIDE],
    pub(super) s: [T; WIDE],
    pub(super) t: [T; WIDE],
    pub(super) u: [T; WIDE],
    pub(super) k: [T; WIDE],
}

impl<T: Float> Coefficients<T> {
    pub(super) fn zero() -> Self {
        let z = [T::ZERO; WIDE];
        Coefficients { m: z, s: z, t: z, u: z, k: z }
    }
}

/// Those of a line, and `t` of the forward pass beside that of the gradient.
#[derive(Clone, Copy)]
struct Spread<V> {
    m: V,
    s: V,
    t: V,
    u: V,
    k: V,
    mask: V,
}

impl<V: Vector> Spread<V> {
    /// Of channel `c` in every lane, or of neighbouring channels from `c` on.
    ///
    /// # Safety
    /// The CPU has the instructions.
    #[inline(always)]
    unsafe fn new(of: &Coefficients<V::Elem>, mask: &[V::Elem; WIDE], c: usize, columns: bool) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            Spread {
                m: Self::pick(&of.m, c, columns),
                s: Self::pick(&of.s, c, columns),
                t: Self::pick(&of.t, c, columns),
                u: Self::pick(&of.u, c, columns),
                k: Self::pick(&of.k, c, columns),
                mask: Self::pick(mask, c, columns),
            }
        }
    }

    /// Not a closure: those are compiled without the block's instruction set unless the compiler happens to inline them.
    ///
    /// # Safety
    /// As for [`Self::new`].
    #[inline(always)]
    unsafe fn pick(from: &[V::Elem; WIDE], c: usize, columns: bool) -> V {
        // SAFETY: the caller's promise; lines of columns begin at multiples of the lanes, which divide `WIDE`.
        unsafe { if columns { V::load(from[c..c + V::LANES].as_ptr()) } else { V::splat(from[c]) } }
    }

    /// `(x − m) · s + t`, rounded the same way wherever it is computed, so that the backward pass finds the signs of the forward pass.
    ///
    /// # Safety
    /// The CPU has the instructions.
    #[inline(always)]
    unsafe fn normal(&self, x: V, t: V) -> V {
        // SAFETY: the caller's promise.
        unsafe { x.sub(self.m).mul_add(self.s, t) }
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

impl<T: Float> Arrays<T> {
    /// Whether results are sent past the caches: beside the operands they would not stay there, and they lie where nothing has been read.
    fn past_caches(&self, d: &BatchNorm) -> bool {
        let apart = [self.x, self.dy, self.y].iter().all(|a| !a.same(self.out));
        let arrays = 2 + [self.dy, self.y].iter().filter(|a| !a.same(self.x)).count();
        apart && arrays * d.elements() * size_of::<T>() >= stream::FROM && self.out.streams(d.inner)
    }
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
    /// The arrays that the kind uses have the descriptor's elements, and nobody writes those of the group.
    pub(super) unsafe fn sums<const KIND: u8>(self) -> Sums {
        let grain = self.grain();
        let block = |b: usize| {
            let outer = b * grain..self.d.outer.min((b + 1) * grain);
            level::run_wide(self.isa, SumBlock::<T, KIND> { pass: self, outer })
        };
        par::map_reduce(self.d.outer.div_ceil(grain), block, Sums::join).unwrap_or(Sums::ZERO)
    }

    /// Results of a kind for all elements of the group. With `masked`, dy counts where the normalised x is positive, by `t` of
    /// the forward pass.
    ///
    /// # Safety
    /// The arrays that the kind uses have the descriptor's elements, and nobody else uses those of the group in `out`.
    pub(super) unsafe fn results<const KIND: u8>(self, masked: Option<&[T; WIDE]>) {
        let grain = self.grain();
        let blocks = self.d.outer.div_ceil(grain);
        par::for_blocks(blocks, |b| {
            let b = blocks - 1 - b;
            let outer = b * grain..self.d.outer.min((b + 1) * grain);
            match masked {
                None => {
                    level::run_wide(
                        self.isa,
                        ResultBlock::<T, KIND, false> { pass: self, outer, mask: &self.with.t },
                    );
                }
                Some(mask) => {
                    level::run_wide(self.isa, ResultBlock::<T, KIND, true> { pass: self, outer, mask });
                }
            }
        });
    }

    /// Outer indices of a block.
    fn grain(&self) -> usize {
        (BLOCK / (self.d.inner * self.g.width).max(1)).max(1)
    }
}

struct SumBlock<'a, T, const KIND: u8> {
    pass: Pass<'a, T>,
    outer: Range<usize>,
}

impl<T: Float, const KIND: u8> SumBlock<'_, T, KIND> {
    /// Adds a register's elements from `at` on.
    ///
    /// # Safety
    /// As for [`Pass::sums`]; the elements are of this block, and the CPU has the instructions.
    #[inline(always)]
    unsafe fn piece<V: Vector<Elem = T>>(
        of: &Arrays<T>,
        with: &Spread<V>,
        at: usize,
        part: Part,
        [a, b]: &mut [V; 2],
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            // Lanes without an element add zeros.
            let x = load(of.x.at(at), part, with.k);
            let off = x.sub(with.k);
            let counted = match KIND {
                sum::STATISTICS => off,
                sum::GRADIENT => load(of.dy.at(at), part, V::zero()),
                _ => load(of.dy.at(at), part, V::zero()).where_positive(with.normal(x, with.t)),
            };
            *a = a.add(counted);
            *b = counted.mul_add(off, *b);
        }
    }

    /// Adds elements `start..start + len` of one line.
    ///
    /// # Safety
    /// As for [`Self::piece`].
    #[inline(always)]
    unsafe fn line<V: Vector<Elem = T>>(
        of: &Arrays<T>,
        with: &Spread<V>,
        (start, len): (usize, usize),
        sums: &mut [[f64; MAX_LANES]; 2],
    ) {
        let whole = len - len % V::LANES;
        // SAFETY: the caller's promise.
        unsafe {
            for run in (0..len).step_by(RUN * V::LANES) {
                // Two chains, so that one addition does not wait for the other.
                let (mut even, mut odd) = ([V::zero(); 2], [V::zero(); 2]);
                let (mut at, end) = (run, whole.min(run + RUN * V::LANES));
                while at + 2 * V::LANES <= end {
                    Self::piece(of, with, start + at, Part::All, &mut even);
                    Self::piece(of, with, start + at + V::LANES, Part::All, &mut odd);
                    at += 2 * V::LANES;
                }
                if at < end {
                    Self::piece(of, with, start + at, Part::All, &mut even);
                }
                // The last run has what does not fill a register.
                if whole < len && len - run <= RUN * V::LANES {
                    Self::piece(of, with, start + whole, Part::First(len - whole), &mut odd);
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    let mut short = [T::ZERO; MAX_LANES];
                    even[i].add(odd[i]).store(short.as_mut_ptr());
                    for l in 0..V::LANES {
                        sums[l] += short[l].to_f64();
                    }
                }
            }
        }
    }
}

impl<T: Float, const KIND: u8> Wide<T> for SumBlock<'_, T, KIND> {
    type Output = Sums;

    #[inline(always)]
    fn run<V: Vector<Elem = T>>(self) -> Sums {
        let Pass { d, g, with, of, .. } = self.pass;
        let columns = d.inner == 1;
        // Lanes per channel, or per register of neighbouring channels.
        let mut rows = [[[0f64; MAX_LANES]; 2]; WIDE];
        for o in self.outer {
            for (i, row) in rows.iter_mut().enumerate().take(lines(d, g, V::LANES)) {
                let (c, start, len) = line(d, g, o, i, V::LANES);
                // SAFETY: `Pass::sums` has the caller's promise for this group; blocks have different outer indices; `run_wide` chose
                // the register by the CPU.
                unsafe { Self::line(&of, &Spread::<V>::new(with, &with.t, c, columns), (start, len), row) };
            }
        }
        let mut sums = Sums::ZERO;
        for j in 0..g.width {
            [sums.a[j], sums.b[j]] = match columns {
                true => rows[j / V::LANES].map(|row| row[j % V::LANES]),
                false => rows[j].map(|row| row.iter().sum()),
            };
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
    /// A register of results from `at` on.
    ///
    /// # Safety
    /// As for [`Pass::results`]; the elements are of this block, and the CPU has the instructions.
    #[inline(always)]
    unsafe fn piece<V: Vector<Elem = T>>(of: &Arrays<T>, with: &Spread<V>, at: usize, part: Part) -> V {
        // SAFETY: the caller's promise.
        unsafe {
            let zero = V::zero();
            if KIND <= result::ADD_RELU {
                let mut y = with.normal(load(of.x.at(at), part, zero), with.t);
                if KIND >= result::ADD {
                    y = y.add(load(of.y.at(at), part, zero));
                }
                return if KIND == result::RELU || KIND == result::ADD_RELU { y.relu() } else { y };
            }
            let mut dy = load(of.dy.at(at), part, zero);
            if MASKED {
                dy = dy.where_positive(with.normal(load(of.x.at(at), part, zero), with.mask));
            }
            if KIND == result::SCALE {
                return dy.mul(with.s);
            }
            let off = with.m.sub(load(of.x.at(at), part, zero));
            off.mul_add(with.u, dy.mul_add(with.s, zero.sub(with.t)))
        }
    }

    /// Writes elements `start..start + len` of one line.
    ///
    /// # Safety
    /// As for [`Self::piece`].
    #[inline(always)]
    unsafe fn line<V: Vector<Elem = T>>(
        of: &Arrays<T>,
        with: &Spread<V>,
        (start, len): (usize, usize),
        past_caches: bool,
    ) {
        let end = start + len - len % V::LANES;
        // SAFETY: the caller's promise; `out` is an array that is written.
        unsafe {
            for at in (start..end).step_by(V::LANES) {
                let v = Self::piece(of, with, at, Part::All);
                if past_caches { v.stream(of.out.at(at)) } else { v.store(of.out.at(at)) }
            }
            if end < start + len {
                let part = Part::First(start + len - end);
                store(of.out.at(end), part, Self::piece(of, with, end, part));
            }
        }
    }
}

impl<T: Float, const KIND: u8, const MASKED: bool> Wide<T> for ResultBlock<'_, T, KIND, MASKED> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector<Elem = T>>(self) {
        let Pass { d, g, with, of, .. } = self.pass;
        let columns = d.inner == 1;
        let past_caches = of.past_caches(d);
        for o in self.outer {
            for i in 0..lines(d, g, V::LANES) {
                let (c, start, len) = line(d, g, o, i, V::LANES);
                // SAFETY: `Pass::results` has the caller's promise for this group; blocks have different outer indices; `run_wide` chose
                // the register by the CPU.
                unsafe {
                    Self::line(&of, &Spread::<V>::new(with, self.mask, c, columns), (start, len), past_caches)
                };
            }
        }
        if past_caches {
            stream::fence();
        }
    }
}
