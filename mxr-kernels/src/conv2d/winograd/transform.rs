//! The one-dimensional transforms of F(4,3) and F(3,4), which share their points 0, 1, −1, 2, −2 and ∞.
//!
//! `y = Aᵀ[(G g) ⊙ (Bᵀ d)]` for six numbers `d`: with three taps `g`, four results; with four taps, three. In two dimensions each
//! is applied to the columns and then to the rows.

use crate::simd::vector::Vector;

/// `Bᵀ d`.
///
/// # Safety
///
/// As all functions here: runs below the entry of `V`'s instruction set.
#[inline(always)]
pub(super) unsafe fn data<V: Vector<Elem = f32>>(d: [V; 6]) -> [V; 6] {
    // SAFETY: the caller has the instructions.
    unsafe {
        let [two, four, minus_four, minus_five] = [2.0, 4.0, -4.0, -5.0].map(|x| V::splat(x));
        let (even, odd) = (d[2].mul_add(minus_four, d[4]), d[1].mul_add(minus_four, d[3]));
        let (even_2, odd_2) = (d[4].sub(d[2]), d[3].sub(d[1]).mul(two));
        [
            d[0].mul_add(four, d[2].mul_add(minus_five, d[4])),
            even.add(odd),
            even.sub(odd),
            even_2.add(odd_2),
            even_2.sub(odd_2),
            d[1].mul_add(four, d[3].mul_add(minus_five, d[5])),
        ]
    }
}

/// `G g` for three taps.
///
/// # Safety
///
/// As [`data`].
#[inline(always)]
pub(super) unsafe fn three_taps<V: Vector<Elem = f32>>(g: [V; 3]) -> [V; 6] {
    // SAFETY: the caller has the instructions.
    unsafe {
        let [quarter, sixth, twelfth, twenty_fourth] =
            [1.0 / 4.0, 1.0 / 6.0, 1.0 / 12.0, 1.0 / 24.0].map(|x| V::splat(x));
        let minus_sixth = V::splat(-1.0 / 6.0);
        let even = g[0].add(g[2]);
        let (even_2, odd_2) = (g[0].mul_add(twenty_fourth, g[2].mul(sixth)), g[1].mul(twelfth));
        [
            g[0].mul(quarter),
            even.add(g[1]).mul(minus_sixth),
            even.sub(g[1]).mul(minus_sixth),
            even_2.add(odd_2),
            even_2.sub(odd_2),
            g[2],
        ]
    }
}

/// `G g` for four taps.
///
/// # Safety
///
/// As [`data`].
#[inline(always)]
pub(super) unsafe fn four_taps<V: Vector<Elem = f32>>(g: [V; 4]) -> [V; 6] {
    // SAFETY: the caller has the instructions.
    unsafe {
        let [quarter, third, sixth, twelfth, twenty_fourth] =
            [1.0 / 4.0, 1.0 / 3.0, 1.0 / 6.0, 1.0 / 12.0, 1.0 / 24.0].map(|x| V::splat(x));
        let minus_sixth = V::splat(-1.0 / 6.0);
        let (even, odd) = (g[0].add(g[2]), g[1].add(g[3]));
        let even_2 = g[0].mul_add(twenty_fourth, g[2].mul(sixth));
        let odd_2 = g[1].mul_add(twelfth, g[3].mul(third));
        [
            g[0].mul(quarter),
            even.add(odd).mul(minus_sixth),
            even.sub(odd).mul(minus_sixth),
            even_2.add(odd_2),
            even_2.sub(odd_2),
            g[3],
        ]
    }
}

/// `Aᵀ m` for four results.
///
/// # Safety
///
/// As [`data`].
#[inline(always)]
pub(super) unsafe fn four_results<V: Vector<Elem = f32>>(m: [V; 6]) -> [V; 4] {
    // SAFETY: the caller has the instructions.
    unsafe {
        let [two, four, eight] = [2.0, 4.0, 8.0].map(|x| V::splat(x));
        let (sum, difference) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (sum_2, difference_2) = (m[3].add(m[4]), m[3].sub(m[4]));
        [
            m[0].add(sum).add(sum_2),
            difference_2.mul_add(two, difference),
            sum_2.mul_add(four, sum),
            difference_2.mul_add(eight, difference).add(m[5]),
        ]
    }
}

/// `Aᵀ m` for three results.
///
/// # Safety
///
/// As [`data`].
#[inline(always)]
pub(super) unsafe fn three_results<V: Vector<Elem = f32>>(m: [V; 6]) -> [V; 3] {
    // SAFETY: the caller has the instructions.
    unsafe {
        let [two, four] = [2.0, 4.0].map(|x| V::splat(x));
        let (sum, difference) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (sum_2, difference_2) = (m[3].add(m[4]), m[3].sub(m[4]));
        [m[0].add(sum).add(sum_2), difference_2.mul_add(two, difference), sum_2.mul_add(four, sum).add(m[5])]
    }
}
