//! The blocked, packed, multi-threaded loops around the register tile.
//!
//! C is cut into rectangles, one per block of a parallel loop. For each block of `k` ([`Tiled::KC`] long at most), the block packs its
//! columns of B, then block after block of its rows of A, and runs the register tiles over them. The panel of B that a
//! tile reads stays in L1, the packed block of A and the other panels of B in L2.
//!
//! Where operands come from and where tiles of C go are traits, so convolutions run through the same loops.

use std::ops::Range;

use super::micro::{Registers, Rows, Tile, TileTable};
use crate::element::Float;
use crate::par;
use crate::scratch::Pool;
use crate::simd::Kernel;

/// Block sizes of an element type, chosen so that the packed blocks fit a 1 MiB L2, and the memory for them.
pub trait Tiled: Float {
    /// The longest block of `k`.
    const KC: usize;
    /// The most rows of A in a packed block.
    const MC: usize;
    /// The most columns of B in a packed block; a multiple of every register tile's width.
    const NC: usize;

    /// Elements of a product that is used up before it leaves the caches.
    const PRODUCT: usize;

    #[doc(hidden)]
    fn with_scratch<R>(body: impl FnOnce(&mut [Self]) -> R) -> R;

    #[doc(hidden)]
    fn with_product<R>(body: impl FnOnce(&mut [Self]) -> R) -> R;
}

macro_rules! tiled {
    ($t:ty: $kc:literal, $mc:literal, $nc:literal) => {
        impl Tiled for $t {
            const KC: usize = $kc;
            const MC: usize = $mc;
            const NC: usize = $nc;

            fn with_scratch<R>(body: impl FnOnce(&mut [Self]) -> R) -> R {
                static POOL: Pool<$t> = Pool::new(($mc + $nc) * $kc);
                POOL.with(body)
            }

            const PRODUCT: usize = (1 << 18) / size_of::<$t>();

            fn with_product<R>(body: impl FnOnce(&mut [Self]) -> R) -> R {
                static POOL: Pool<$t> = Pool::new(<$t>::PRODUCT);
                POOL.with(body)
            }
        }
    };
}

tiled!(f32: 320, 168, 512);
tiled!(f64: 192, 168, 256);

/// Multiplications below this are not worth waking another thread for.
const SERIAL_FLOPS: f64 = 1e6;

/// Blocks per thread that even out threads of unequal speed.
const BLOCKS_PER_THREAD: usize = 4;

/// Packed blocks of rows in the highest rectangle, which packs its columns of B seldom enough.
pub(crate) const HEIGHT: usize = 4;

/// Columns of a rectangle whose sums are not kept in C; a multiple of every register tile's width.
const APART: usize = 256;

/// Up to this length of `k`, most time goes into C, so tiles follow its rows; above, they go down its columns, so that a panel of B
/// stays in L1.
const SHORT_K: usize = 48;

/// Rows of A as panels `[k, rows]`.
pub(crate) trait Lhs<V: Registers>: Sync {
    /// Packing costs nothing, because it was done before.
    const PACKED: bool;

    /// The distance of rows that are read where they lie, so that nothing is packed; 0 where there are panels.
    #[inline(always)]
    fn apart(&self) -> usize {
        0
    }

    /// The register tiles that multiply its panels: `[rows − 1][vectors − 1]`.
    #[inline(always)]
    fn tiles(&self) -> &'static TileTable<V::Elem> {
        V::TILES
    }

    /// Packs panels `panels` of `ks` to `to`, one after the other, unless rows are read where they lie.
    ///
    /// # Safety
    ///
    /// Runs below the entry of `V`'s instruction set; `to` is valid for `rows · ks` writes.
    unsafe fn pack(&self, rows: &Rows, panels: Range<usize>, ks: Range<usize>, to: *mut V::Elem);

    /// Panel `p` of `ks`, or its rows where they lie, where `packed` holds what `pack` made of the panels from `first` on.
    ///
    /// # Safety
    ///
    /// `packed` was filled by `pack` with the same `ks`, and `p` was among its panels.
    unsafe fn panel(
        &self,
        rows: &Rows,
        first: usize,
        p: usize,
        ks: &Range<usize>,
        packed: *const V::Elem,
    ) -> *const V::Elem;
}

/// Columns of B as panels `[k, V::COLS]`.
pub(crate) trait Rhs<V: Registers>: Sync {
    /// Packing costs nothing, because it was done before.
    const PACKED: bool = false;

    /// Packs columns `cols` of `ks` to `to`, panel after panel, the last filled up with zeros.
    ///
    /// # Safety
    ///
    /// Runs below the entry of `V`'s instruction set; `to` is valid for the writes; `cols` starts a panel.
    unsafe fn pack(&self, ks: Range<usize>, cols: Range<usize>, to: *mut V::Elem);

    /// The panel of `ks` that begins with column `col`, the one of number `j` in what `packed` holds of those that `pack` was told.
    ///
    /// # Safety
    ///
    /// `packed` was filled by `pack` with the same `ks`, and the panel was among its columns.
    #[inline(always)]
    unsafe fn panel(
        &self,
        _col: usize,
        j: usize,
        ks: &Range<usize>,
        packed: *const V::Elem,
    ) -> *const V::Elem {
        packed.wrapping_add(j * V::COLS * ks.len())
    }
}

/// The place of a tile of C.
pub(crate) struct Place<T> {
    pub(crate) c: *mut T,
    /// Distance of the tile's rows, and of the residual's and the mask's.
    pub(crate) ldc: usize,
    /// Null where there is none.
    pub(crate) residual: *const T,
    /// Null where there is none.
    pub(crate) mask: *const T,
}

/// Where tiles of C go.
pub(crate) trait Sink<V: Registers>: Sync {
    /// The tile's place in memory, if its columns are neighbours there.
    ///
    /// # Safety
    ///
    /// No other thread uses the same elements.
    unsafe fn place(&self, row: usize, cols: &Range<usize>) -> Option<Place<V::Elem>>;

    /// Writes a tile `[rows, V::COLS]` whose columns lie scattered; `add`s it to what is there; adds the residual, and rectifies
    /// or masks, where it is `complete`.
    ///
    /// # Safety
    ///
    /// No other thread uses the same elements; `from` is valid for the reads.
    unsafe fn scatter(
        &self,
        rows: Range<usize>,
        cols: &Range<usize>,
        from: *const V::Elem,
        add: bool,
        complete: bool,
    );

    /// C is added to.
    fn accumulate(&self) -> bool;

    /// C holds the residual until its elements are complete.
    fn holds_residual(&self) -> bool {
        false
    }

    /// Hardly a tile has a place, so sums are written when they are complete.
    fn scatters(&self) -> bool {
        false
    }

    /// What is negative becomes 0.
    fn relu(&self) -> bool {
        false
    }

    /// One number for each row of C.
    fn row_bias(&self) -> Option<&[V::Elem]>;

    /// One number for each column of C.
    fn col_bias(&self) -> Option<&[V::Elem]>;
}

/// `C = A·B` for `batch` products of `[rows, k]` and `[k, n]`, whose operands `operands(z)` describes.
///
/// # Safety
///
/// The CPU has the instruction set of `V`. The operands of every product are valid for `rows`, `n` and `k`, and elements of C
/// belong to one product and position only.
pub(crate) unsafe fn multiply<V: Registers, L: Lhs<V>, R: Rhs<V>, S: Sink<V>>(
    rows: Rows,
    n: usize,
    k: usize,
    batch: usize,
    operands: impl Fn(usize) -> (L, R, S) + Sync,
) {
    let flops = 2.0 * rows.rows() as f64 * n as f64 * k as f64 * batch as f64;
    let threads = if flops < SERIAL_FLOPS { 1 } else { par::threads() };
    // Every product of a batch has the same epilogue.
    let apart = k > V::Elem::KC && {
        let (_, _, sink) = operands(0);
        sink.holds_residual() || sink.scatters()
    };
    let free = L::PACKED || batch > 0 && operands(0).0.apart() > 0;
    let grid = Grid::new::<V>(&rows, n, batch, threads, [free, R::PACKED], apart);
    let block = |number: usize| {
        let (z, panels, cols) = grid.block::<V>(number, n);
        let (lhs, rhs, sink) = operands(z);
        let run = |sums: &mut [V::Elem]| {
            V::Elem::with_scratch(|scratch| {
                V::enter(Rectangle {
                    rows,
                    panels,
                    cols,
                    k,
                    lhs: &lhs,
                    rhs: &rhs,
                    sink: &sink,
                    scratch,
                    sums,
                    v: std::marker::PhantomData::<V>,
                });
            });
        };
        if apart { V::Elem::with_product(run) } else { run(&mut []) }
    };
    if flops < SERIAL_FLOPS {
        (0..grid.blocks()).for_each(block);
    } else {
        par::for_blocks(grid.blocks(), block);
    }
}

/// One product on this thread, tile after tile in an order that depends on `rows`, `n` and `k` alone: for sinks whose tiles overlap,
/// and that hold no residual.
///
/// # Safety
///
/// The CPU has the instruction set of `V`. The operands are valid for `rows`, `n` and `k`; no other thread uses what the sink writes.
pub(crate) unsafe fn multiply_in_order<V: Registers, L: Lhs<V>, R: Rhs<V>, S: Sink<V>>(
    rows: Rows,
    n: usize,
    k: usize,
    lhs: &L,
    rhs: &R,
    sink: &S,
) {
    V::Elem::with_scratch(|scratch| {
        let nc = V::Elem::NC;
        for start in (0..n).step_by(nc) {
            let (panels, cols) = (0..rows.panels(), start..n.min(start + nc));
            let v = std::marker::PhantomData::<V>;
            let scratch = &mut *scratch;
            V::enter(Rectangle { rows, panels, cols, k, lhs, rhs, sink, scratch, sums: &mut [], v });
        }
    });
}

/// How C is cut. It may depend on the number of threads, because no sum crosses the cuts.
struct Grid {
    batch: usize,
    row_panels: usize,
    col_panels: usize,
    row_blocks: usize,
    col_blocks: usize,
}

impl Grid {
    /// `free` where rows, or columns, need no packing; `apart` where the sums of a rectangle have to fit the memory of a product.
    fn new<V: Registers>(
        rows: &Rows,
        n: usize,
        batch: usize,
        threads: usize,
        free: [bool; 2],
        apart: bool,
    ) -> Grid {
        let (row_panels, col_panels) = (rows.panels(), n.div_ceil(V::COLS));
        let (height, width) =
            if apart { (V::Elem::PRODUCT / APART, APART) } else { (HEIGHT * V::Elem::MC, V::Elem::NC) };
        let mut grid = Grid {
            batch,
            row_panels,
            col_panels,
            row_blocks: row_panels.div_ceil((height / V::ROWS).max(1)),
            col_blocks: col_panels.div_ceil(width / V::COLS),
        };
        while threads > 1 && grid.blocks() < BLOCKS_PER_THREAD * threads {
            let height = row_panels.div_ceil(grid.row_blocks) * V::ROWS;
            let width = col_panels.div_ceil(grid.col_blocks) * V::COLS;
            let (can_rows, can_cols) = (height > 4 * V::ROWS, width > 2 * V::COLS);
            // Of what needs packing, each cut packs the other side once more.
            let by_cols = match free {
                [true, false] => true,
                [false, true] => false,
                [false, false] | [true, true] => width >= height,
            };
            if can_cols && (by_cols || !can_rows) {
                grid.col_blocks += 1;
            } else if can_rows {
                grid.row_blocks += 1;
            } else {
                break;
            }
        }
        grid
    }

    fn blocks(&self) -> usize {
        self.batch * self.row_blocks * self.col_blocks
    }

    /// Product, panels of rows and columns of block `number`.
    fn block<V: Registers>(&self, number: usize, n: usize) -> (usize, Range<usize>, Range<usize>) {
        let (rest, col) = (number / self.col_blocks, number % self.col_blocks);
        let (z, row) = (rest / self.row_blocks, rest % self.row_blocks);
        let cut = |panels: usize, blocks: usize, i: usize| panels * i / blocks..panels * (i + 1) / blocks;
        let cols = cut(self.col_panels, self.col_blocks, col);
        (z, cut(self.row_panels, self.row_blocks, row), cols.start * V::COLS..n.min(cols.end * V::COLS))
    }
}

/// One rectangle of C.
struct Rectangle<'a, V: Registers, L, R, S> {
    rows: Rows,
    panels: Range<usize>,
    cols: Range<usize>,
    k: usize,
    lhs: &'a L,
    rhs: &'a R,
    sink: &'a S,
    scratch: &'a mut [V::Elem],
    /// Where the sums are kept until they are complete; empty where C is that place.
    sums: &'a mut [V::Elem],
    v: std::marker::PhantomData<V>,
}

impl<V: Registers, L: Lhs<V>, R: Rhs<V>, S: Sink<V>> Kernel for Rectangle<'_, V, L, R, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Rectangle { rows, panels, cols, k, lhs, rhs, sink, scratch, sums, .. } = self;
        let (kc, mc, nc) = (V::Elem::KC, V::Elem::MC, V::Elem::NC);
        assert!(cols.len() <= nc && scratch.len() >= (mc + nc) * kc, "a block of C fits its scratch memory");
        let (b_packed, a_packed) = scratch.split_at_mut(nc * kc);
        let (b_packed, a_packed) = (b_packed.as_mut_ptr(), a_packed.as_mut_ptr());
        let k_blocks = k.div_ceil(kc).max(1);
        let panels_per_block = mc / V::ROWS;
        let width = cols.len().next_multiple_of(V::COLS);
        let height = rows.start(panels.end) - rows.start(panels.start);
        assert!(sums.is_empty() || sums.len() >= height * width, "sums of a block of C fit their memory");
        let sums = if sums.is_empty() { std::ptr::null_mut() } else { sums.as_mut_ptr() };
        for k_block in 0..k_blocks {
            let ks = k * k_block / k_blocks..k * (k_block + 1) / k_blocks;
            // SAFETY: `multiply`'s caller vouches for the operands and the instruction set; `ks` is at most `KC` long, the columns at
            // most `NC`, and the rows of a block of panels at most `MC`, so packed blocks fit the scratch memory; sums have been held
            // against theirs.
            unsafe {
                rhs.pack(ks.clone(), cols.clone(), b_packed);
                for first in panels.clone().step_by(panels_per_block) {
                    let block = first..panels.end.min(first + panels_per_block);
                    lhs.pack(&rows, block.clone(), ks.clone(), a_packed);
                    let col_panels = cols.len().div_ceil(V::COLS);
                    let along_rows = ks.len() <= SHORT_K;
                    let (outer, inner) =
                        if along_rows { (block.len(), col_panels) } else { (col_panels, block.len()) };
                    for o in 0..outer {
                        for i in 0..inner {
                            let (p, j) = if along_rows { (o, i) } else { (i, o) };
                            let p = first + p;
                            let at = cols.start + j * V::COLS;
                            let cols_here = at..cols.end.min(at + V::COLS);
                            let a = lhs.panel(&rows, first, p, &ks, a_packed);
                            let b = rhs.panel(at, j, &ks, b_packed);
                            let row = rows.start(p)..rows.start(p + 1);
                            let part = Part {
                                first: k_block == 0,
                                last: k_block + 1 == k_blocks,
                                sums: if sums.is_null() {
                                    sums
                                } else {
                                    sums.add((row.start - rows.start(panels.start)) * width + at - cols.start)
                                },
                                width,
                            };
                            tile::<V, S>(
                                sink,
                                (lhs.tiles(), a, lhs.apart()),
                                b,
                                ks.len(),
                                row,
                                cols_here,
                                &part,
                            );
                        }
                    }
                }
            }
        }
    }
}

/// The block of `k` that a tile belongs to.
struct Part<T> {
    first: bool,
    last: bool,
    /// Where the tile's sums are kept until they are complete, with rows at a distance of `width`; null where C is that place.
    sums: *mut T,
    width: usize,
}

/// Runs one register tile and puts it where it belongs.
///
/// # Safety
///
/// As for [`super::micro::TileFn`]; the tile of C and its sums belong to this thread.
#[inline(always)]
unsafe fn tile<V: Registers, S: Sink<V>>(
    sink: &S,
    (tiles, a, lda): (&TileTable<V::Elem>, *const V::Elem, usize),
    b: *const V::Elem,
    k: usize,
    rows: Range<usize>,
    cols: Range<usize>,
    part: &Part<V::Elem>,
) {
    let bias = |bias: Option<&[V::Elem]>, at: usize| match bias {
        Some(bias) if part.first => bias[at..].as_ptr(),
        _ => std::ptr::null(),
    };
    let run = tiles[rows.len() - 1][(cols.len() - 1) / V::LANES];
    let (keep, add) = (!part.sums.is_null(), !part.first || sink.accumulate());
    let mut tile = Tile {
        a,
        lda,
        sum: if keep && !part.first { part.sums } else { std::ptr::null() },
        lds: part.width,
        row_bias: bias(sink.row_bias(), rows.start),
        col_bias: bias(sink.col_bias(), cols.start),
        ..Tile::plain(k, b, V::COLS, std::ptr::null_mut(), V::COLS, cols.len())
    };
    if keep && !part.last {
        (tile.c, tile.ldc) = (part.sums, part.width);
        // SAFETY: the caller vouches for the operands and for the place of the sums.
        unsafe { run(&tile) };
        return;
    }
    // SAFETY: the caller vouches for the operands; the temporary tile has room for every tile of any instruction set.
    unsafe {
        match sink.place(rows.start, &cols) {
            Some(place) => {
                (tile.c, tile.ldc) = (place.c, place.ldc);
                if add && !keep {
                    (tile.sum, tile.lds) = (place.c, place.ldc);
                }
                if part.last {
                    (tile.residual, tile.relu, tile.mask) = (place.residual, sink.relu(), place.mask);
                }
                run(&tile);
            }
            None => {
                let mut temporary = std::mem::MaybeUninit::<[V::Elem; MAX_TILE]>::uninit();
                tile.c = temporary.as_mut_ptr().cast();
                run(&tile);
                sink.scatter(rows, &cols, tile.c, add && !keep, part.last);
            }
        }
    }
}

/// Elements of the largest register tile: 14 rows of 32.
const MAX_TILE: usize = 14 * 32;
