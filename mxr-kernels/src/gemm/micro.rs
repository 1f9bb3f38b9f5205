//! The register tile: a few rows by two registers of C, kept in registers for a whole block of `k`.

use crate::simd::Kernel;
use crate::simd::vector::{Vector, first};

/// What one register tile multiplies and where the product goes.
pub(crate) struct Tile<T> {
    /// A panel `[k, rows]`, or the rows of A where they lie.
    pub(crate) a: *const T,
    /// Where they lie: their distance; 0 for a panel.
    pub(crate) lda: usize,
    /// Rows of A that lie at no one distance: where each begins, counted from `a`; or null.
    pub(crate) rows: *const usize,
    /// Distance of neighbours in a row of A that is read where it lies.
    pub(crate) step: usize,
    /// A panel `[k, ≥ vectors · lanes]`.
    pub(crate) b: *const T,
    /// Distance of the panel's rows.
    pub(crate) b_stride: usize,
    /// Length of the sums.
    pub(crate) k: usize,
    /// The tile of C.
    pub(crate) c: *mut T,
    /// Distance of its rows.
    pub(crate) ldc: usize,
    /// Columns that exist, at most `vectors · lanes`; more than the lanes if there are two vectors.
    pub(crate) cols: usize,
    /// What was summed up before, to add; or null. It may be C.
    pub(crate) sum: *const T,
    /// Distance of its rows.
    pub(crate) lds: usize,
    /// One number per row to add, or null.
    pub(crate) row_bias: *const T,
    /// One number per column to add, or null.
    pub(crate) col_bias: *const T,
    /// What to add then, with rows at the distance of C's; or null. It may be C.
    pub(crate) residual: *const T,
    /// Then, what is negative becomes 0.
    pub(crate) relu: bool,
    /// Then, what is not above 0 here becomes 0, with rows at the distance of C's; or null.
    pub(crate) mask: *const T,
}

impl<T> Tile<T> {
    /// The product alone; `a` is still to be said.
    pub(crate) fn plain(k: usize, b: *const T, b_stride: usize, c: *mut T, ldc: usize, cols: usize) -> Self {
        Tile {
            a: std::ptr::null(),
            lda: 0,
            rows: std::ptr::null(),
            step: 1,
            b,
            b_stride,
            k,
            c,
            ldc,
            cols,
            sum: std::ptr::null(),
            lds: 0,
            row_bias: std::ptr::null(),
            col_bias: std::ptr::null(),
            residual: std::ptr::null(),
            relu: false,
            mask: std::ptr::null(),
        }
    }
}

/// A register tile compiled for its instruction set.
///
/// # Safety
///
/// The CPU has the instruction set. `a` is valid for `k · rows` reads, or for `k`, a step apart, at each of its rows; `rows` is null or has
/// one number for each; `b` for `vectors · lanes` reads at each of its `k` rows; `c`
/// for reads and writes of `cols` elements at each of `rows` rows, and so are `sum`, `residual` and `mask` for reads, unless they are null; the
/// biases are null or valid for `rows` and `cols` reads.
pub(crate) type TileFn<T> = unsafe fn(&Tile<T>);

/// Register tiles by `[rows − 1][vectors − 1]`.
pub(crate) type TileTable<T> = [[TileFn<T>; 2]];

/// A loop over the rows of a tile, written out. As a loop, the compiler leaves it rolled, indexes the sums by a variable and
/// therefore keeps all of them in memory during the multiplication too, at a third of the speed.
macro_rules! for_rows {
    ($i:ident in $rows:ident $body:block) => {
        $crate::gemm::micro::for_rows!(@ $i $rows $body 0 1 2 3 4 5 6 7 8 9 10 11 12 13)
    };
    (@ $i:ident $rows:ident $body:block $($row:literal)*) => {
        $(if $row < $rows {
            let $i = $row;
            $body
        })*
    };
}
pub(crate) use for_rows;

/// What a register tile does to two elements of its panels and a sum.
pub(crate) trait Step<V> {
    /// # Safety
    ///
    /// The CPU has the instruction set of `V`, and what the step needs beside it.
    unsafe fn step(x: V, w: V, sum: V) -> V;
}

/// `sum + x · w`.
pub(crate) struct Fused;

impl<V: Vector> Step<V> for Fused {
    #[inline(always)]
    unsafe fn step(x: V, w: V, sum: V) -> V {
        // SAFETY: the caller has the instruction set.
        unsafe { x.mul_add(w, sum) }
    }
}

/// The body of every [`TileFn`].
///
/// # Safety
///
/// As for [`TileFn`], with `ROWS` rows and `VECTORS` registers of columns.
#[inline(always)]
pub(super) unsafe fn tile<V: Vector, P: Step<V>, const ROWS: usize, const VECTORS: usize>(t: &Tile<V::Elem>) {
    let lanes = V::LANES;
    // SAFETY: the caller allows all of these accesses; the last register's mask ends at `cols`.
    unsafe {
        for i in 0..ROWS {
            V::prefetch(t.c.wrapping_add(i * t.ldc));
            V::prefetch(t.c.wrapping_add(i * t.ldc + t.cols - 1));
        }
        if !t.residual.is_null() {
            for i in 0..ROWS {
                V::prefetch(t.residual.wrapping_add(i * t.ldc));
                V::prefetch(t.residual.wrapping_add(i * t.ldc + t.cols - 1));
            }
        }
        let mut acc = [[V::zero(); VECTORS]; ROWS];
        let (mut a, mut b) = (t.a, t.b);
        if t.lda == 0 && t.rows.is_null() {
            for _ in 0..t.k {
                let mut row = [V::zero(); VECTORS];
                for (v, w) in row.iter_mut().enumerate() {
                    *w = V::load(b.add(v * lanes));
                }
                for_rows!(i in ROWS {
                    let x = V::splat(*a.add(i));
                    for (sum, &w) in acc[i].iter_mut().zip(&row) {
                        *sum = P::step(x, w, *sum);
                    }
                });
                a = a.add(ROWS);
                b = b.add(t.b_stride);
            }
        } else {
            let mut rows = [a; ROWS];
            for (i, row) in rows.iter_mut().enumerate() {
                *row = a.add(if t.rows.is_null() { i * t.lda } else { *t.rows.add(i) });
            }
            let mut at = 0;
            for _ in 0..t.k {
                let mut row = [V::zero(); VECTORS];
                for (v, w) in row.iter_mut().enumerate() {
                    *w = V::load(b.add(v * lanes));
                }
                for_rows!(i in ROWS {
                    let x = V::splat(*rows[i].add(at));
                    for (sum, &w) in acc[i].iter_mut().zip(&row) {
                        *sum = P::step(x, w, *sum);
                    }
                });
                b = b.add(t.b_stride);
                at += t.step;
            }
        }
        let last = first(t.cols - (VECTORS - 1) * lanes);
        let mask = |v: usize| if v + 1 == VECTORS { last } else { first(lanes) };
        if !t.sum.is_null() {
            for_rows!(i in ROWS {
                for (v, sum) in acc[i].iter_mut().enumerate() {
                    *sum = sum.add(V::zero().load_over(t.sum.wrapping_add(i * t.lds + v * lanes), mask(v)));
                }
            });
        }
        if !t.row_bias.is_null() {
            for_rows!(i in ROWS {
                let bias = V::splat(*t.row_bias.add(i));
                for sum in &mut acc[i] {
                    *sum = sum.add(bias);
                }
            });
        }
        if !t.col_bias.is_null() {
            let mut bias = [V::zero(); VECTORS];
            for (v, bias) in bias.iter_mut().enumerate() {
                *bias = V::zero().load_over(t.col_bias.wrapping_add(v * lanes), mask(v));
            }
            for_rows!(i in ROWS {
                for (sum, &bias) in acc[i].iter_mut().zip(&bias) {
                    *sum = sum.add(bias);
                }
            });
        }
        if !t.residual.is_null() {
            for_rows!(i in ROWS {
                for (v, sum) in acc[i].iter_mut().enumerate() {
                    *sum = sum.add(V::zero().load_over(t.residual.wrapping_add(i * t.ldc + v * lanes), mask(v)));
                }
            });
        }
        if t.relu {
            for_rows!(i in ROWS {
                for sum in &mut acc[i] {
                    *sum = sum.relu();
                }
            });
        }
        if !t.mask.is_null() {
            for_rows!(i in ROWS {
                for (v, sum) in acc[i].iter_mut().enumerate() {
                    let of = V::zero().load_over(t.mask.wrapping_add(i * t.ldc + v * lanes), mask(v));
                    *sum = sum.where_positive(of);
                }
            });
        }
        if t.cols == VECTORS * lanes {
            for_rows!(i in ROWS {
                for (v, sum) in acc[i].iter().enumerate() {
                    sum.store(t.c.wrapping_add(i * t.ldc + v * lanes));
                }
            });
        } else {
            for_rows!(i in ROWS {
                for (v, sum) in acc[i].iter().enumerate() {
                    sum.store_masked(t.c.wrapping_add(i * t.ldc + v * lanes), mask(v));
                }
            });
        }
    }
}

/// Registers with register tiles: everything that the blocked loops must know of an instruction set.
pub(crate) trait Registers: Vector<Elem: super::driver::Tiled> + Send + Sync + 'static {
    /// `TILES[rows − 1][vectors − 1]`, for 1 or 2 vectors.
    const TILES: &'static [[TileFn<Self::Elem>; 2]];
    /// The most rows of a tile.
    const ROWS: usize = Self::TILES.len();
    /// Columns of a full tile.
    const COLS: usize = 2 * Self::LANES;

    /// Runs `kernel` compiled for the instruction set, and for no other (unlike [`vectorize`](crate::simd::vectorize)).
    ///
    /// # Panics
    ///
    /// If the CPU does not have it: a candidate was run that does not accept.
    fn enter<K: Kernel>(kernel: K) -> K::Output;
}

macro_rules! registers {
    ($($vector:ty: $isa:ident, $features:tt, $module:ident, [$($rows:literal)*];)*) => {$(
        mod $module {
            use super::*;

            registers!(@entry $features $vector);

            impl Registers for $vector {
                const TILES: &'static [[TileFn<Self::Elem>; 2]] = &[$([entry::<$rows, 1>, entry::<$rows, 2>]),*];

                #[inline(always)]
                fn enter<K: Kernel>(kernel: K) -> K::Output {
                    registers!(@enter $isa kernel)
                }
            }
        }
    )*};
    (@enter Portable $kernel:ident) => {
        $kernel.run()
    };
    (@enter $isa:ident $kernel:ident) => {
        crate::simd::$isa::new().expect("a candidate runs only where its instruction set exists").vectorize($kernel)
    };
    (@entry "" $vector:ty) => {
        /// # Safety
        ///
        /// As for [`TileFn`].
        unsafe fn entry<const ROWS: usize, const VECTORS: usize>(t: &Tile<<$vector as Vector>::Elem>) {
            // SAFETY: the caller keeps the contract of `TileFn`.
            unsafe { tile::<$vector, Fused, ROWS, VECTORS>(t) }
        }
    };
    (@entry $features:literal $vector:ty) => {
        /// # Safety
        ///
        /// As for [`TileFn`].
        #[target_feature(enable = $features)]
        unsafe fn entry<const ROWS: usize, const VECTORS: usize>(t: &Tile<<$vector as Vector>::Elem>) {
            // SAFETY: the caller keeps the contract of `TileFn`.
            unsafe { tile::<$vector, Fused, ROWS, VECTORS>(t) }
        }
    };
}

#[cfg(target_arch = "x86_64")]
registers! {
    std::arch::x86_64::__m512: Avx512, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma", avx512_f32, [1 2 3 4 5 6 7 8 9 10 11 12 13 14];
    std::arch::x86_64::__m512d: Avx512, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma", avx512_f64, [1 2 3 4 5 6 7 8 9 10 11 12 13 14];
    std::arch::x86_64::__m256: Avx2, "avx2,fma", avx2_f32, [1 2 3 4 5 6];
    std::arch::x86_64::__m256d: Avx2, "avx2,fma", avx2_f64, [1 2 3 4 5 6];
}

registers! {
    crate::simd::vector::Lanes<f32, 4>: Portable, "", portable_f32, [1 2 3 4];
    crate::simd::vector::Lanes<f64, 2>: Portable, "", portable_f64, [1 2 3 4];
}

/// Rows of C cut into panels of nearly equal height, none higher than a register tile: 20 rows under a tile of 14 are 10 + 10,
/// so no tile computes rows that do not exist.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    rows: usize,
    panels: usize,
    /// Height of the lower panels.
    low: usize,
    /// Number of panels that are one row higher; they come first.
    high: usize,
}

impl Rows {
    /// `rows` (at least 1) cut for tiles of at most `highest` rows.
    pub(crate) fn new(rows: usize, highest: usize) -> Self {
        let panels = rows.div_ceil(highest);
        Rows { rows, panels, low: rows / panels, high: rows % panels }
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Number of panels.
    pub(crate) fn panels(&self) -> usize {
        self.panels
    }

    /// First row of panel `p`; the number of rows for the panel past the end.
    #[inline(always)]
    pub(crate) fn start(&self, p: usize) -> usize {
        p * self.low + p.min(self.high)
    }

    /// Rows of panel `p`.
    #[inline(always)]
    pub(crate) fn height(&self, p: usize) -> usize {
        self.low + usize::from(p < self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::Rows;

    #[test]
    fn panels_cover_the_rows_once_and_fit_the_tile() {
        for rows in 1..200 {
            for highest in [1, 4, 6, 14] {
                let cut = Rows::new(rows, highest);
                let mut next = 0;
                for p in 0..cut.panels() {
                    assert_eq!(cut.start(p), next);
                    assert!((1..=highest).contains(&cut.height(p)));
                    next += cut.height(p);
                }
                assert_eq!((next, cut.start(cut.panels())), (rows, rows));
            }
        }
    }
}
