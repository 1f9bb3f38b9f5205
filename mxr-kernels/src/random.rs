//! Random numbers that are a function of a key and the element's index alone.
//!
//! Philox 4×32 with 10 rounds (Salmon, Moraes, Dror, Shaw, SC 2011): `block(key, counter)` mixes a 128-bit counter under a 64-bit
//! key into 128 random bits. The key is the seed; the counter holds stream, step and index, so any element can be computed
//! anywhere and the numbers do not depend on the number of threads. Element `i` uses word `i mod 4` of block `i / 4`
//! (normal numbers come in pairs, by Box and Muller; 64-bit uniforms use two words).

use crate::element::Float;
use crate::isa::Isa;
use crate::level::{self, Body, Level};
use crate::par;

/// What tells one sequence of random numbers from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Seed of the run.
    pub seed: u64,
    /// Number of the step.
    pub step: u32,
    /// Tells the users within a step apart.
    pub stream: u32,
}

impl Key {
    /// Block `index` of the sequence: four random words.
    ///
    /// ```
    /// use mxr_kernels::random::Key;
    /// // The known answer of the authors' implementation for a zero key and counter.
    /// let zero = Key { seed: 0, step: 0, stream: 0 };
    /// assert_eq!(zero.block(0), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    /// ```
    #[inline(always)]
    pub fn block(&self, index: u64) -> [u32; 4] {
        let mut c = [index as u32, (index >> 32) as u32, self.step, self.stream];
        let mut k = [self.seed as u32, (self.seed >> 32) as u32];
        for _ in 0..10 {
            let a = u64::from(c[0]) * 0xd251_1f53;
            let b = u64::from(c[2]) * 0xcd9e_8d57;
            c = [(b >> 32) as u32 ^ c[1] ^ k[0], b as u32, (a >> 32) as u32 ^ c[3] ^ k[1], a as u32];
            k = [k[0].wrapping_add(0x9e37_79b9), k[1].wrapping_add(0xbb67_ae85)];
        }
        c
    }
}

/// Blocks computed side by side.
pub(crate) const WIDE: usize = 16;
/// Elements of a task: a multiple of what `WIDE` blocks give.
const TASK: usize = 16 * 1024;

/// `WIDE` consecutive blocks, word by word: [`Key::block`] with a vector in the place of every word.
#[inline(always)]
pub(crate) fn blocks(key: Key, first: u64) -> [[u32; WIDE]; 4] {
    use std::array::from_fn;
    let index: [u64; WIDE] = from_fn(|j| first + j as u64);
    let mut c =
        [index.map(|i| i as u32), index.map(|i| (i >> 32) as u32), [key.step; WIDE], [key.stream; WIDE]];
    let mut k = [key.seed as u32, (key.seed >> 32) as u32];
    for _ in 0..10 {
        let a: [u64; WIDE] = from_fn(|j| u64::from(c[0][j]) * 0xd251_1f53);
        let b: [u64; WIDE] = from_fn(|j| u64::from(c[2][j]) * 0xcd9e_8d57);
        c = [
            from_fn(|j| (b[j] >> 32) as u32 ^ c[1][j] ^ k[0]),
            from_fn(|j| b[j] as u32),
            from_fn(|j| (a[j] >> 32) as u32 ^ c[3][j] ^ k[1]),
            from_fn(|j| a[j] as u32),
        ];
        k = [k[0].wrapping_add(0x9e37_79b9), k[1].wrapping_add(0xbb67_ae85)];
    }
    c
}

/// Fills `y` with `make(words of a block) -> N elements of the block`.
fn generate<T: Float, const N: usize>(
    key: Key,
    y: &mut [T],
    make: impl Fn([u32; 4]) -> [T; N] + Sync + Copy,
) {
    struct Fill<'a, T, F> {
        key: Key,
        first: u64,
        y: &'a mut [T],
        make: F,
    }
    impl<T: Float, const N: usize, F: Fn([u32; 4]) -> [T; N]> Body for Fill<'_, T, Made<F, N>> {
        type Output = ();
        #[inline(always)]
        fn run<L: Level>(self) {
            for (group, y) in self.y.chunks_mut(WIDE * N).enumerate() {
                let words = blocks(self.key, self.first + (group * WIDE) as u64);
                for (j, y) in y.chunks_mut(N).enumerate() {
                    let made = (self.make.0)([words[0][j], words[1][j], words[2][j], words[3][j]]);
                    y.copy_from_slice(&made[..y.len()]);
                }
            }
        }
    }
    struct Made<F, const N: usize>(F);
    let isa = Isa::detect();
    par::for_each_mut(y, TASK, |task, y| {
        level::run(isa, Fill { key, first: (task * (TASK / N)) as u64, y, make: Made::<_, N>(make) });
    });
}

/// Uniform numbers in `[low, high)`: multiples of 2⁻²⁴ (`f32`) or 2⁻⁵³ (`f64`) of the width.
///
/// ```
/// let key = mxr_kernels::random::Key { seed: 7, step: 0, stream: 0 };
/// let mut y = [0f32; 5];
/// mxr_kernels::random::uniform(key, -1.0, 1.0, &mut y);
/// assert!(y.iter().all(|y| (-1.0..1.0).contains(y)));
/// ```
pub fn uniform<T: Float>(key: Key, low: f64, high: f64, y: &mut [T]) {
    let at = move |unit: f64| {
        let v = T::from_f64(low + (high - low) * unit);
        // Rounding may reach the bound that does not belong to the range.
        if v < T::from_f64(high) { v } else { T::from_f64(low) }
    };
    if size_of::<T>() == 4 {
        generate(key, y, |words| words.map(|w| at(f64::from(w >> 8) / 16_777_216.0)));
    } else {
        generate(key, y, |w| [at(unit64(w[0], w[1])), at(unit64(w[2], w[3]))]);
    }
}

/// 53 random bits in `[0, 1)`.
#[inline(always)]
fn unit64(low: u32, high: u32) -> f64 {
    ((u64::from(high) << 32 | u64::from(low)) >> 11) as f64 / 9_007_199_254_740_992.0
}

/// Normal numbers of this mean and standard deviation.
pub fn normal<T: Float>(key: Key, mean: f64, deviation: f64, y: &mut [T]) {
    generate(key, y, move |w| {
        // 1 − u is in (0, 1], so its logarithm is finite.
        let radius = (-2.0 * (1.0 - unit64(w[0], w[1])).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * unit64(w[2], w[3])).sin_cos();
        [cos, sin].map(|z| T::from_f64(mean + deviation * radius * z))
    });
}

/// 1 with probability `p`, else 0, one byte each.
pub fn bernoulli(key: Key, p: f64, y: &mut [u8]) {
    let limit = limit(p);
    let isa = Isa::detect();
    par::for_each_mut(y, TASK, |task, y| {
        level::run(isa, Bits { key, limit, first: (task * TASK) as u64 / 4, y });
    });
}

/// Words below this number are a success; the probability is exact to 2⁻³².
pub(crate) fn limit(p: f64) -> u64 {
    (p * 4_294_967_296.0).round() as u64
}

/// Successes of consecutive elements from block `first` on.
pub(crate) struct Bits<'a> {
    pub(crate) key: Key,
    pub(crate) limit: u64,
    pub(crate) first: u64,
    pub(crate) y: &'a mut [u8],
}

impl Body for Bits<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        // A limit of 2³² does not fit a word; it means always.
        let (limit, always) = (self.limit.min(u64::from(u32::MAX)) as u32, self.limit > u64::from(u32::MAX));
        for (group, y) in self.y.chunks_mut(4 * WIDE).enumerate() {
            let words = blocks(self.key, self.first + (group * WIDE) as u64);
            let mut bits = [0u8; 4 * WIDE];
            for (w, words) in words.iter().enumerate() {
                for (j, &word) in words.iter().enumerate() {
                    bits[4 * j + w] = u8::from((word < limit) | always);
                }
            }
            y.copy_from_slice(&bits[..y.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, with_threads};

    const KEY: Key = Key { seed: 0x0123_4567_89ab_cdef, step: 3, stream: 9 };

    #[test]
    fn philox_gives_the_published_answers() {
        // Random123's known answers for philox4x32-10.
        let ones = Key { seed: u64::MAX, step: u32::MAX, stream: u32::MAX };
        assert_eq!(ones.block(u64::MAX), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi = Key { seed: 0x299f_31d0_a409_3822, step: 0x1319_8a2e, stream: 0x0370_7344 };
        assert_eq!(pi.block(0x85a3_08d3_243f_6a88), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }

    #[test]
    fn the_same_numbers_for_any_number_of_threads_and_any_length() {
        let all = || {
            let (mut a, mut b, mut c) = (vec![0f32; 40_001], vec![0f64; 40_001], vec![0f32; 40_001]);
            let mut bits = vec![0; 40_001];
            uniform(KEY, 0.0, 1.0, &mut a);
            normal(KEY, 0.0, 1.0, &mut b);
            normal(KEY, 0.0, 1.0, &mut c);
            bernoulli(KEY, 0.3, &mut bits);
            (a, b, c, bits)
        };
        let (one, two) = (with_threads(1, all), with_threads(2, all));
        assert_same(&one.0, &two.0, "uniform");
        assert_same(&one.1, &two.1, "normal");
        assert_eq!(one.3, two.3);
        let mut short = vec![0f32; 77];
        uniform(KEY, 0.0, 1.0, &mut short);
        assert_same(&short, &one.0[..77], "a prefix");
        assert_eq!(one.0[5], (KEY.block(1)[1] >> 8) as f32 / 16_777_216.0);
        assert!(one.1.iter().zip(&one.2).all(|(a, b)| *a as f32 == *b));
    }

    #[test]
    fn moments_are_right() {
        let n = 1_000_000;
        let (mut u, mut g) = (vec![0f32; n], vec![0f32; n]);
        uniform(KEY, -2.0, 4.0, &mut u);
        normal(KEY, 1.0, 2.0, &mut g);
        let moments = |x: &[f32]| {
            let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / n as f64;
            (mean, x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n as f64)
        };
        let ((m, v), (gm, gv)) = (moments(&u), moments(&g));
        assert!((m - 1.0).abs() < 0.01 && (v - 3.0).abs() < 0.02, "uniform: {m} {v}");
        assert!((gm - 1.0).abs() < 0.01 && (gv - 4.0).abs() < 0.03, "normal: {gm} {gv}");
        // About 68.27 % within one deviation.
        let within = g.iter().filter(|g| (**g - 1.0).abs() < 2.0).count() as f64 / n as f64;
        assert!((within - 0.6827).abs() < 0.003);
        for p in [0.0, 0.25, 1.0] {
            let mut bits = vec![9; n];
            bernoulli(KEY, p, &mut bits);
            let share = bits.iter().map(|&b| f64::from(b)).sum::<f64>() / n as f64;
            assert!((share - p).abs() <= 0.002 * f64::from(u8::from(p == 0.25)), "{p}: {share}");
        }
        let mut other = vec![0f32; 100];
        uniform(Key { stream: 10, ..KEY }, -2.0, 4.0, &mut other);
        assert!(other != u[..100]);
    }
}
