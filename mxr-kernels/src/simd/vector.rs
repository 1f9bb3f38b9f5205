//! One SIMD register, whatever the instruction set: kernels of the GEMM kind are written once over this trait.

use std::array;

use crate::element::{Float, Num};

/// A register of [`LANES`](Vector::LANES) numbers. Masks have one bit per lane, lane 0 lowest.
///
/// Every method is unsafe for one common reason, beside its pointers: the CPU must have the instructions of the type.
/// So they may only be called below an entry that holds the token of the instruction set.
///
/// # Safety
///
/// Loads and stores touch no memory but that of the lanes whose mask bit is set.
pub unsafe trait Vector: Copy {
    /// The element type.
    type Elem: Float;

    /// Numbers per register, at most [`MAX_LANES`].
    const LANES: usize;

    /// 0 in every lane.
    ///
    /// # Safety
    /// The CPU has the instructions.
    unsafe fn zero() -> Self;

    /// `x` in every lane.
    ///
    /// # Safety
    /// The CPU has the instructions.
    unsafe fn splat(x: Self::Elem) -> Self;

    /// All lanes from memory.
    ///
    /// # Safety
    /// The CPU has the instructions; `from` is valid for `LANES` reads.
    unsafe fn load(from: *const Self::Elem) -> Self;

    /// The lanes of `mask` from memory at `from + lane`, the others from `self`.
    ///
    /// # Safety
    /// The CPU has the instructions; `from + lane` is valid for reads for every lane of `mask` (`from` itself need not be).
    unsafe fn load_over(self, from: *const Self::Elem, mask: u32) -> Self;

    /// All lanes from bytes in memory.
    ///
    /// # Safety
    /// The CPU has the instructions; `from` is valid for `LANES` reads.
    unsafe fn load_bytes(from: *const u8) -> Self;

    /// All lanes, whole numbers from 0 to 255, to bytes in memory.
    ///
    /// # Safety
    /// The CPU has the instructions; `to` is valid for `LANES` writes.
    unsafe fn store_bytes(self, to: *mut u8);

    /// The lanes of `mask` from memory at `from + index[lane]`, the others 0.
    ///
    /// # Safety
    /// The CPU has the instructions; `index` has `LANES` entries; `from + index[lane]` is valid for reads for every lane of `mask`.
    unsafe fn gather(from: *const Self::Elem, index: *const i32, mask: u32) -> Self;

    /// The lanes of `mask` from `over`, the others from `self`.
    ///
    /// # Safety
    /// The CPU has the instructions.
    unsafe fn blend(self, over: Self, mask: u32) -> Self;

    /// Lanes 0, 2, 4, … of `self`, then those of `next`.
    ///
    /// # Safety
    /// The CPU has the instructions.
    unsafe fn evens(self, next: Self) -> Self;

    /// All lanes to memory.
    ///
    /// # Safety
    /// The CPU has the instructions; `to` is valid for `LANES` writes.
    unsafe fn store(self, to: *mut Self::Elem);

    /// The lanes of `mask` to memory at `to + lane`.
    ///
    /// # Safety
    /// The CPU has the instructions; `to + lane` is valid for writes for every lane of `mask`.
    unsafe fn store_masked(self, to: *mut Self::Elem, mask: u32);

    /// `self + b`.
    ///
    /// # Safety
    /// The CPU has the instructions.
    unsafe fn add(self, b: Self) -> Self;

    /// `self − b`.
    ///
    /// # Safety
    /// The CPU has the instructions.
    unsafe fn sub(self, b: Self) -> Self;

    /// `self · b`.
    ///
    /// # Safety
    /// The CPU has the instructions.
    unsafe fn mul(self, b: Self) -> Self;

    /// `self · a + b`, rounded once where the instruction set has it.
    ///
    /// # Safety
    /// The CPU has the instructions.
    unsafe fn mul_add(self, a: Self, b: Self) -> Self;

    /// `self / b`.
    ///
    /// # Safety
    /// The CPU has the instructions.
    unsafe fn div(self, b: Self) -> Self;

    /// `self` where it is above `b` or NaN, `b` elsewhere.
    ///
    /// # Safety
    /// The CPU has the instructions.
    unsafe fn larger(self, b: Self) -> Self;

    /// `self` and `place` where `self` is above `best`, or is NaN and `best` is not; `best` and `best_place` elsewhere.
    ///
    /// # Safety
    /// The CPU has the instructions.
    unsafe fn follow(self, place: Self, best: Self, best_place: Self) -> [Self; 2];

    /// The lanes where `a` equals `b`, and 0 elsewhere.
    ///
    /// # Safety
    /// The CPU has the instructions.
    unsafe fn where_equal(self, a: Self, b: Self) -> Self;

    /// Lane 0 of `self`, lane 0 of `b`, lane 1 of `self`, … in two registers.
    ///
    /// # Safety
    /// The CPU has the instructions.
    unsafe fn interleave(self, b: Self) -> [Self; 2];

    /// The lanes where `of` is above 0, and 0 elsewhere.
    ///
    /// # Safety
    /// The CPU has the instructions.
    unsafe fn where_positive(self, of: Self) -> Self;

    /// max(x, 0) in every lane; NaN stays.
    ///
    /// # Safety
    /// The CPU has the instructions.
    unsafe fn relu(self) -> Self;

    /// `self`, complete before anything is read from memory after this call, as the compiler sees it; the processor need not wait. Where sums
    /// take all registers but one or two, compilers read the next operands early, have no register for them, and keep sums in memory
    /// instead: chains of additions through memory, at half the speed.
    ///
    /// # Safety
    /// The CPU has the instructions.
    #[inline(always)]
    unsafe fn settled(self) -> Self {
        self
    }

    /// [`store`](Self::store) past the caches; [`stream::fence`](crate::stream::fence) must follow before another thread is told.
    ///
    /// # Safety
    /// The CPU has the instructions; `to` is valid for `LANES` writes and at a multiple of the register's size.
    unsafe fn stream(self, to: *mut Self::Elem);

    /// The sum of all lanes, in a fixed order.
    ///
    /// # Safety
    /// The CPU has the instructions.
    #[inline(always)]
    unsafe fn sum(self) -> Self::Elem {
        let mut lanes = [Self::Elem::ZERO; MAX_LANES];
        // SAFETY: the caller has the instructions; the array has room for every register.
        unsafe { self.store(lanes.as_mut_ptr()) };
        let mut width = Self::LANES;
        while width > 1 {
            width /= 2;
            for lane in 0..width {
                lanes[lane] += lanes[lane + width];
            }
        }
        lanes[0]
    }

    /// Exchanges lanes and registers of the first `LANES` entries: lane `j` of entry `i` becomes lane `i` of entry `j`.
    ///
    /// # Safety
    /// The CPU has the instructions.
    #[inline(always)]
    unsafe fn transpose(rows: &mut [Self; MAX_LANES]) {
        let mut square = [[Self::Elem::ZERO; MAX_LANES]; MAX_LANES];
        for (i, row) in rows[..Self::LANES].iter().enumerate() {
            let mut lanes = [Self::Elem::ZERO; MAX_LANES];
            // SAFETY: the caller has the instructions; the array has room for every register.
            unsafe { row.store(lanes.as_mut_ptr()) };
            for (j, &x) in lanes[..Self::LANES].iter().enumerate() {
                square[j][i] = x;
            }
        }
        for (row, lanes) in rows[..Self::LANES].iter_mut().zip(&square) {
            // SAFETY: as above.
            *row = unsafe { Self::load(lanes.as_ptr()) };
        }
    }

    /// Asks for the cache line of `at`; never faults.
    #[inline(always)]
    fn prefetch(at: *const Self::Elem) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: prefetching is part of SSE, which every x86-64 CPU has, and ignores addresses that are not mapped.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast())
        };
        #[cfg(not(target_arch = "x86_64"))]
        let _ = at;
    }
}

/// The registers that hold an element type, by instruction set.
pub trait Registers: Sized {
    /// Those of [`Isa::Avx512`](crate::isa::Isa::Avx512).
    type Avx512: Vector<Elem = Self>;
    /// Those of [`Isa::Avx2`](crate::isa::Isa::Avx2).
    type Avx2: Vector<Elem = Self>;
    /// Those of machines of which nothing is known.
    type Portable: Vector<Elem = Self>;
}

#[cfg(target_arch = "x86_64")]
mod registers {
    use super::{Lanes, Registers};
    use std::arch::x86_64::{__m256, __m256d, __m512, __m512d};

    impl Registers for f32 {
        type Avx512 = __m512;
        type Avx2 = __m256;
        type Portable = Lanes<f32, 4>;
    }

    impl Registers for f64 {
        type Avx512 = __m512d;
        type Avx2 = __m256d;
        type Portable = Lanes<f64, 2>;
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod registers {
    use super::{Lanes, Registers};

    impl Registers for f32 {
        type Avx512 = Lanes<f32, 4>;
        type Avx2 = Lanes<f32, 4>;
        type Portable = Lanes<f32, 4>;
    }

    impl Registers for f64 {
        type Avx512 = Lanes<f64, 2>;
        type Avx2 = Lanes<f64, 2>;
        type Portable = Lanes<f64, 2>;
    }
}

/// The most lanes of any [`Vector`].
pub(crate) const MAX_LANES: usize = 16;

/// The mask of the first `n` lanes.
#[inline(always)]
pub(crate) fn first(n: usize) -> u32 {
    debug_assert!(n < 32);
    (1 << n) - 1
}

/// A register's worth of plain numbers, for machines of which nothing is known: the compiler puts it into whatever
/// registers the target has. Products are rounded before they are added.
#[derive(Clone, Copy)]
pub struct Lanes<T, const N: usize>([T; N]);

// SAFETY: every loop over a mask touches only lanes whose bit is set.
unsafe impl<T: Float, const N: usize> Vector for Lanes<T, N> {
    type Elem = T;
    const LANES: usize = N;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Lanes([T::ZERO; N])
    }

    #[inline(always)]
    unsafe fn splat(x: T) -> Self {
        Lanes([x; N])
    }

    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: the caller allows `N` reads.
        Lanes(unsafe { from.cast::<[T; N]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load_over(mut self, from: *const T, mask: u32) -> Self {
        for (lane, x) in self.0.iter_mut().enumerate() {
            if mask >> lane & 1 == 1 {
                // SAFETY: the lane is in the mask.
                *x = unsafe { *from.wrapping_add(lane) };
            }
        }
        self
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        // SAFETY: the caller allows `N` reads.
        let bytes = unsafe { from.cast::<[u8; N]>().read() };
        Lanes(bytes.map(|byte| T::from_f64(f64::from(byte))))
    }

    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        // SAFETY: the caller allows `N` writes.
        unsafe { to.cast::<[u8; N]>().write(self.0.map(|x| x.to_f64() as u8)) };
    }

    #[inline(always)]
    unsafe fn gather(from: *const T, index: *const i32, mask: u32) -> Self {
        Lanes(array::from_fn(|lane| {
            if mask >> lane & 1 == 1 {
                // SAFETY: the lane is in the mask, and `index` has `N` entries.
                unsafe { *from.wrapping_offset(*index.add(lane) as isize) }
            } else {
                T::ZERO
            }
        }))
    }

    #[inline(always)]
    unsafe fn blend(self, over: Self, mask: u32) -> Self {
        Lanes(array::from_fn(|lane| if mask >> lane & 1 == 1 { over.0[lane] } else { self.0[lane] }))
    }

    #[inline(always)]
    unsafe fn evens(self, next: Self) -> Self {
        Lanes(array::from_fn(|lane| if 2 * lane < N { self.0[2 * lane] } else { next.0[2 * lane - N] }))
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: the caller allows `N` writes.
        unsafe { to.cast::<[T; N]>().write_unaligned(self.0) };
    }

    #[inline(always)]
    unsafe fn store_masked(self, to: *mut T, mask: u32) {
        for (lane, x) in self.0.into_iter().enumerate() {
            if mask >> lane & 1 == 1 {
                // SAFETY: the lane is in the mask.
                unsafe { *to.wrapping_add(lane) = x };
            }
        }
    }

    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        Lanes(array::from_fn(|lane| self.0[lane] + b.0[lane]))
    }

    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        Lanes(array::from_fn(|lane| self.0[lane] - b.0[lane]))
    }

    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        Lanes(array::from_fn(|lane| self.0[lane] * b.0[lane]))
    }

    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        Lanes(array::from_fn(|lane| self.0[lane] * a.0[lane] + b.0[lane]))
    }

    #[inline(always)]
    unsafe fn div(self, b: Self) -> Self {
        Lanes(array::from_fn(|lane| self.0[lane] / b.0[lane]))
    }

    #[inline(always)]
    unsafe fn larger(self, b: Self) -> Self {
        let larger = |x: T, y: T| if (x > y) | x.is_nan() { x } else { y };
        Lanes(array::from_fn(|lane| larger(self.0[lane], b.0[lane])))
    }

    #[inline(always)]
    unsafe fn follow(self, place: Self, best: Self, best_place: Self) -> [Self; 2] {
        let wins: [bool; N] = array::from_fn(|lane| {
            let (x, best) = (self.0[lane], best.0[lane]);
            (x > best) | (x.is_nan() & !best.is_nan())
        });
        let pick =
            |a: Self, b: Self| Lanes(array::from_fn(|lane| if wins[lane] { a.0[lane] } else { b.0[lane] }));
        [pick(self, best), pick(place, best_place)]
    }

    #[inline(always)]
    unsafe fn where_equal(self, a: Self, b: Self) -> Self {
        Lanes(array::from_fn(|lane| if a.0[lane] == b.0[lane] { self.0[lane] } else { T::ZERO }))
    }

    #[inline(always)]
    unsafe fn interleave(self, b: Self) -> [Self; 2] {
        let lane = |i: usize| if i.is_multiple_of(2) { self.0[i / 2] } else { b.0[i / 2] };
        [Lanes(array::from_fn(lane)), Lanes(array::from_fn(|i| lane(N + i)))]
    }

    #[inline(always)]
    unsafe fn where_positive(self, of: Self) -> Self {
        Lanes(array::from_fn(|lane| if of.0[lane] > T::ZERO { self.0[lane] } else { T::ZERO }))
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        Lanes(self.0.map(|x| if x <= T::ZERO { T::ZERO } else { x }))
    }

    #[inline(always)]
    unsafe fn stream(self, to: *mut T) {
        // SAFETY: the caller allows `N` writes.
        unsafe { self.store(to) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::isa::Isa;
    use crate::simd::{Kernel, vectorize};
    use crate::stream;

    /// A cache line or two.
    #[repr(align(64))]
    struct Line<T>([T; MAX_LANES]);

    /// Runs every method against plain numbers.
    struct Check<V>(std::marker::PhantomData<V>);

    impl<V: Vector> Kernel for Check<V> {
        type Output = ();

        #[inline(always)]
        fn run(self) {
            let lanes = V::LANES;
            let from: Vec<V::Elem> = (0..64).map(|i| V::Elem::from_f64(i as f64 + 1.0)).collect();
            let at = |i: usize| from[i];
            let numbers = |v: V| {
                let mut out = vec![V::Elem::ZERO; V::LANES];
                // SAFETY: the test enters through `vectorize` with the instruction set of `V`.
                unsafe { v.store(out.as_mut_ptr()) };
                out
            };
            let index: Vec<i32> = (0..lanes as i32).map(|lane| 3 * lane - 5).collect();
            let mask = 0b1010_0110_1101_1010 & first(lanes);
            let picked = |lane: usize| mask >> lane & 1 == 1;
            // SAFETY: as above; all lanes lie inside `from`.
            unsafe {
                let v = V::load(from.as_ptr().add(2));
                assert_eq!(numbers(v), from[2..2 + lanes]);
                assert_eq!(numbers(V::splat(at(7))), vec![at(7); lanes]);
                assert_eq!(numbers(v.add(v)), from[2..2 + lanes].iter().map(|&x| x + x).collect::<Vec<_>>());
                let w = V::load(from.as_ptr().add(9));
                assert_eq!(numbers(w.sub(v)), vec![at(6); lanes]);
                let products = (0..lanes).map(|lane| at(2 + lane) * at(9 + lane));
                assert_eq!(numbers(v.mul(w)), products.collect::<Vec<_>>());
                let fused = v.mul_add(v, V::splat(at(0)));
                assert_eq!(
                    numbers(fused),
                    from[2..2 + lanes].iter().map(|&x| x * x + at(0)).collect::<Vec<_>>()
                );
                let zero = V::Elem::ZERO;
                let around: Vec<_> =
                    [-1.0, 2.0, 0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e-30]
                        .into_iter()
                        .map(V::Elem::from_f64)
                        .cycle()
                        .take(2 * lanes)
                        .collect();
                for start in 0..lanes.min(8) {
                    let u = V::load(around[start..].as_ptr());
                    for (lane, (kept, relu)) in
                        numbers(v.where_positive(u)).into_iter().zip(numbers(u.relu())).enumerate()
                    {
                        let x = around[start + lane];
                        assert_eq!(kept, if x > zero { at(2 + lane) } else { zero });
                        assert!(if x.is_nan() {
                            relu.is_nan()
                        } else {
                            relu == if x > zero { x } else { zero }
                        });
                        assert!(relu != zero || relu.to_f64().is_sign_positive(), "no negative zero");
                    }
                }
                let bytes: Vec<u8> = (0..lanes as u8).map(|lane| (lane + 7).wrapping_mul(83)).collect();
                let whole = V::load_bytes(bytes.as_ptr());
                let expected = bytes.iter().map(|&byte| V::Elem::from_f64(f64::from(byte)));
                assert_eq!(numbers(whole), expected.collect::<Vec<_>>());
                let mut again = vec![0; lanes];
                whole.store_bytes(again.as_mut_ptr());
                assert_eq!(again, bytes);
                let quotients = (0..lanes).map(|lane| at(2 + lane) / at(9 + lane));
                assert_eq!(numbers(v.div(w)), quotients.collect::<Vec<_>>());
                for (start, other) in (0..lanes.min(8)).flat_map(|a| (0..lanes.min(8)).map(move |b| (a, b))) {
                    let (x, y) = (V::load(around[start..].as_ptr()), V::load(around[other..].as_ptr()));
                    let [best, place] = x.follow(v, y, w);
                    let (larger, equal) = (numbers(x.larger(y)), numbers(v.where_equal(x, y)));
                    for lane in 0..lanes {
                        let (a, b) = (around[start + lane], around[other + lane]);
                        let same = |x: V::Elem, y: V::Elem| x.to_f64().to_bits() == y.to_f64().to_bits();
                        assert!(same(larger[lane], if a > b || a.is_nan() { a } else { b }), "{a:?} {b:?}");
                        let wins = a > b || a.is_nan() && !b.is_nan();
                        assert!(same(numbers(best)[lane], if wins { a } else { b }), "{a:?} {b:?}");
                        assert_eq!(numbers(place)[lane], at(if wins { 2 } else { 9 } + lane));
                        assert_eq!(equal[lane], if a == b { at(2 + lane) } else { zero });
                    }
                }
                let [low, high] = v.interleave(w);
                let both = numbers(low).into_iter().chain(numbers(high));
                let expected = (0..2 * lanes).map(|i| at(if i % 2 == 0 { 2 } else { 9 } + i / 2));
                assert_eq!(both.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
                let mut line = Line([V::Elem::ZERO; MAX_LANES]);
                v.stream(line.0.as_mut_ptr());
                stream::fence();
                assert_eq!(line.0[..lanes], from[2..2 + lanes]);
                let over = v.load_over(from.as_ptr().add(20), mask);
                let expected: Vec<_> =
                    (0..lanes).map(|lane| if picked(lane) { at(20 + lane) } else { at(2 + lane) }).collect();
                assert_eq!(numbers(over), expected);
                let gathered = V::gather(from.as_ptr().add(8), index.as_ptr(), mask);
                let expected: Vec<_> = (0..lanes)
                    .map(|lane| if picked(lane) { at(8 + 3 * lane - 5) } else { V::Elem::ZERO })
                    .collect();
                assert_eq!(numbers(gathered), expected);
                for mask in (0..=lanes).map(first).chain([mask]) {
                    let picked = |lane: usize| mask >> lane & 1 == 1;
                    let mut out = vec![V::Elem::ONE; lanes];
                    v.store_masked(out.as_mut_ptr(), mask);
                    let expected: Vec<_> = (0..lanes)
                        .map(|lane| if picked(lane) { at(2 + lane) } else { V::Elem::ONE })
                        .collect();
                    assert_eq!(out, expected);
                }
                let expected: Vec<_> =
                    (0..lanes).map(|lane| at(if picked(lane) { 9 } else { 2 } + lane)).collect();
                assert_eq!(numbers(v.blend(w, mask)), expected);
                let next = V::load(from.as_ptr().add(2 + lanes));
                assert_eq!(
                    numbers(v.evens(next)),
                    (0..lanes).map(|lane| at(2 + 2 * lane)).collect::<Vec<_>>()
                );
                let signs = [-V::Elem::ONE, V::Elem::NAN, V::Elem::ONE, -V::Elem::ZERO];
                let mixed: Vec<_> = signs.into_iter().cycle().take(MAX_LANES).collect();
                for (x, y) in mixed.iter().zip(numbers(V::load(mixed.as_ptr()).relu())) {
                    assert_eq!(y.is_nan(), x.is_nan());
                    assert!(x.is_nan() || y == if *x > V::Elem::ZERO { *x } else { V::Elem::ZERO });
                    assert!(V::Elem::ONE / y != V::Elem::NEG_INFINITY, "no −0");
                }
                let sum = (2..2 + lanes).map(|i| at(i).to_f64()).sum::<f64>();
                assert_eq!(v.sum().to_f64(), sum);
                let mut rows = [V::zero(); MAX_LANES];
                for (i, row) in rows[..lanes].iter_mut().enumerate() {
                    *row = V::load(from.as_ptr().add(2 * i));
                }
                V::transpose(&mut rows);
                for (i, row) in rows[..lanes].iter().enumerate() {
                    assert_eq!(numbers(*row), (0..lanes).map(|j| at(2 * j + i)).collect::<Vec<_>>());
                }
            }
        }
    }

    #[test]
    fn registers_behave_like_plain_numbers() {
        vectorize(Isa::Portable, Check::<Lanes<f32, 4>>(std::marker::PhantomData));
        vectorize(Isa::Portable, Check::<Lanes<f64, 2>>(std::marker::PhantomData));
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{__m256, __m256d, __m512, __m512d};
            if Isa::of_cpu() >= Isa::Avx2 {
                vectorize(Isa::Avx2, Check::<__m256>(std::marker::PhantomData));
                vectorize(Isa::Avx2, Check::<__m256d>(std::marker::PhantomData));
            }
            if Isa::of_cpu() >= Isa::Avx512 {
                vectorize(Isa::Avx512, Check::<__m512>(std::marker::PhantomData));
                vectorize(Isa::Avx512, Check::<__m512d>(std::marker::PhantomData));
            }
        }
    }
}
