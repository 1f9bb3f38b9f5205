//! The one-dimensional transforms of F(4,3), F(2,5) and of their gradients F(3,4) and F(5,2), which share their points 0, 1, −1, 2, −2
//! and ∞.
//!
//! `y = Aᵀ[(G g) ⊙ (Bᵀ d)]` for six numbers `d`: with `t` taps `g`, `7 − t` results. In two dimensions each is applied to the columns and
//! then to the rows.

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

/// `G g` for two to five taps.
///
/// # Safety
///
/// As [`data`].
#[inline(always)]
pub(super) unsafe fn taps<V: Vector<Elem = f32>, const N: usize>(g: [V; N]) -> [V; 6] {
    // SAFETY: the caller has the instructions.
    unsafe {
        let (quarter, minus_sixth) = (V::splat(1.0 / 4.0), V::splat(-1.0 / 6.0));
        // What taps of even and of odd numbers give at the points 1 and 2, those at 2 with their factor.
        let (mut at_1, mut at_2) = ([g[0], g[1]], [g[0], g[1]]);
        for (j, &g) in g.iter().enumerate().rev() {
            let power = V::splat((1 << j) as f32 / 24.0);
            let (at_1, at_2) = (&mut at_1[j % 2], &mut at_2[j % 2]);
            (*at_1, *at_2) =
                if j + 2 < N { (at_1.add(g), g.mul_add(power, *at_2)) } else { (g, g.mul(power)) };
        }
        let ([even, odd], [even_2, odd_2]) = (at_1, at_2);
        [
            g[0].mul(quarter),
            even.add(odd).mul(minus_sixth),
            even.sub(odd).mul(minus_sixth),
            even_2.add(odd_2),
            even_2.sub(odd_2),
            g[N - 1],
        ]
    }
}

/// `Aᵀ m` for two to five results.
///
/// # Safety
///
/// As [`data`].
#[inline(always)]
pub(super) unsafe fn results<V: Vector<Elem = f32>, const N: usize>(m: [V; 6]) -> [V; N] {
    // SAFETY: the caller has the instructions.
    unsafe {
        let at_1 = [m[1].add(m[2]), m[1].sub(m[2])];
        let at_2 = [m[3].add(m[4]), m[3].sub(m[4])];
        let mut y = [m[0].add(at_1[0]).add(at_2[0]); N];
        for (j, y) in y.iter_mut().enumerate().skip(1) {
            *y = at_2[j % 2].mul_add(V::splat((1 << j) as f32), at_1[j % 2]);
        }
        y[N - 1] = y[N - 1].add(m[5]);
        y
    }
}
