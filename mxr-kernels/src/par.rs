//! Parallel loops over a fixed partition.
//!
//! Work is cut into blocks by its size and the block length alone, never by the number of threads, and every block is
//! one call of the closure; so whatever a block computes is the same for any number of threads. Blocks are spread by
//! recursive [`rayon::join`], which allocates nothing on a thread of the pool.

use std::cell::Cell;
use std::ops::Range;

thread_local! {
    /// Whether this thread runs its loops without help.
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// The number of threads that loops started here may use.
pub fn threads() -> usize {
    if ALONE.get() { 1 } else { rayon::current_num_threads() }
}

/// Runs `body`, and all loops started in it on this thread without any other thread: for callers outside a pool, whose
/// loops would otherwise wait for the process's own pool, made for the purpose.
///
/// ```
/// use mxr_kernels::par;
/// assert_eq!(par::alone(par::threads), 1);
/// ```
pub fn alone<R>(body: impl FnOnce() -> R) -> R {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            ALONE.set(self.0);
        }
    }
    let _before = Before(ALONE.replace(true));
    body()
}

/// Calls `body(block)` for every block in `0..nblocks`, in parallel.
pub fn for_blocks(nblocks: usize, body: impl Fn(usize) + Sync) {
    if threads() == 1 {
        (0..nblocks).for_each(body);
    } else {
        split(0..nblocks, &body);
    }
}

fn split(blocks: Range<usize>, body: &(impl Fn(usize) + Sync)) {
    match blocks.len() {
        0 => {}
        1 => body(blocks.start),
        len => {
            let mid = blocks.start + len / 2;
            rayon::join(|| split(blocks.start..mid, body), || split(mid..blocks.end, body));
        }
    }
}

/// Calls `body(range)` for `0..items` cut into ranges of `grain` items (the last may be shorter), in parallel.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// let sum = AtomicUsize::new(0);
/// mxr_kernels::par::for_each_chunk(10, 4, |range| {
///     assert!([0..4, 4..8, 8..10].contains(&range));
///     sum.fetch_add(range.sum::<usize>(), Ordering::Relaxed);
/// });
/// assert_eq!(sum.into_inner(), 45);
/// ```
///
/// # Panics
///
/// If `grain` is 0.
pub fn for_each_chunk(items: usize, grain: usize, body: impl Fn(Range<usize>) + Sync) {
    assert!(grain > 0, "a block of a parallel loop holds at least one item");
    for_blocks(items.div_ceil(grain), |block| body(block * grain..items.min((block + 1) * grain)));
}

/// Cuts `out` into blocks of `block_len` elements (the last may be shorter) and calls `body(i, block i)`, in parallel.
///
/// ```
/// let mut out = [0; 5];
/// mxr_kernels::par::for_each_mut(&mut out, 2, |i, block| block.fill(i));
/// assert_eq!(out, [0, 0, 1, 1, 2]);
/// ```
///
/// # Panics
///
/// If `block_len` is 0.
pub fn for_each_mut<T: Send>(out: &mut [T], block_len: usize, body: impl Fn(usize, &mut [T]) + Sync) {
    assert!(block_len > 0, "a block of a parallel loop holds at least one element");
    if threads() == 1 {
        out.chunks_mut(block_len).enumerate().for_each(|(i, block)| body(i, block));
    } else {
        split_mut(0, out, block_len, &body);
    }
}

fn split_mut<T: Send>(
    first: usize,
    out: &mut [T],
    block_len: usize,
    body: &(impl Fn(usize, &mut [T]) + Sync),
) {
    match out.len().div_ceil(block_len) {
        0 => {}
        1 => body(first, out),
        blocks => {
            let half = blocks / 2;
            let (left, right) = out.split_at_mut(half * block_len);
            rayon::join(
                || split_mut(first, left, block_len, body),
                || split_mut(first + half, right, block_len, body),
            );
        }
    }
}

/// [`for_each_mut`] over two outputs at once: block `i` of `a` (of `a_len` elements) goes with block `i` of `b` (of `b_len`).
///
/// # Panics
///
/// If a block length is 0 or the outputs do not have the same number of blocks.
pub fn for_each_mut2<A: Send, B: Send>(
    a: &mut [A],
    a_len: usize,
    b: &mut [B],
    b_len: usize,
    body: impl Fn(usize, &mut [A], &mut [B]) + Sync,
) {
    assert!(a_len > 0 && b_len > 0, "a block of a parallel loop holds at least one element");
    assert_eq!(
        a.len().div_ceil(a_len),
        b.len().div_ceil(b_len),
        "both outputs have the same number of blocks"
    );
    if threads() == 1 {
        let blocks = a.chunks_mut(a_len).zip(b.chunks_mut(b_len)).enumerate();
        blocks.for_each(|(i, (a, b))| body(i, a, b));
    } else {
        split_mut2(0, (a, a_len), (b, b_len), &body);
    }
}

fn split_mut2<A: Send, B: Send>(
    first: usize,
    (a, a_len): (&mut [A], usize),
    (b, b_len): (&mut [B], usize),
    body: &(impl Fn(usize, &mut [A], &mut [B]) + Sync),
) {
    match a.len().div_ceil(a_len) {
        0 => {}
        1 => body(first, a, b),
        blocks => {
            let half = blocks / 2;
            let (a_left, a_right) = a.split_at_mut(half * a_len);
            let (b_left, b_right) = b.split_at_mut(half * b_len);
            rayon::join(
                || split_mut2(first, (a_left, a_len), (b_left, b_len), body),
                || split_mut2(first + half, (a_right, a_len), (b_right, b_len), body),
            );
        }
    }
}

/// Combines `map(block)` over `0..nblocks` in a fixed tree: neighbours first, in block order, so the result has the same bits
/// for any number of threads. `None` when there is no block.
///
/// ```
/// let sum = mxr_kernels::par::map_reduce(4, |block| block as f32, |a, b| a + b);
/// assert_eq!(sum, Some(6.0));
/// ```
pub fn map_reduce<R: Send>(
    nblocks: usize,
    map: impl Fn(usize) -> R + Sync,
    combine: impl Fn(R, R) -> R + Sync,
) -> Option<R> {
    (nblocks > 0).then(|| tree(0..nblocks, threads() > 1, &map, &combine))
}

fn tree<R: Send>(
    blocks: Range<usize>,
    parallel: bool,
    map: &(impl Fn(usize) -> R + Sync),
    combine: &(impl Fn(R, R) -> R + Sync),
) -> R {
    if blocks.len() == 1 {
        return map(blocks.start);
    }
    let mid = blocks.start + blocks.len() / 2;
    let left = || tree(blocks.start..mid, parallel, map, combine);
    let right = || tree(mid..blocks.end, parallel, map, combine);
    let (left, right) = if parallel { rayon::join(left, right) } else { (left(), right()) };
    combine(left, right)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn with_threads<R: Send>(threads: usize, body: impl FnOnce() -> R + Send) -> R {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(body)
    }

    #[test]
    fn every_block_is_called_once() {
        for threads in [1, 2, 3] {
            for nblocks in [0, 1, 2, 7, 100] {
                let calls: Vec<AtomicUsize> = (0..nblocks).map(|_| AtomicUsize::new(0)).collect();
                with_threads(threads, || {
                    for_blocks(nblocks, |block| {
                        calls[block].fetch_add(1, Ordering::Relaxed);
                    });
                });
                assert!(
                    calls.iter().all(|c| c.load(Ordering::Relaxed) == 1),
                    "{threads} threads, {nblocks} blocks"
                );
            }
        }
    }

    #[test]
    fn outputs_are_cut_at_the_same_places_for_any_number_of_threads() {
        for threads in [1, 2, 3] {
            for len in [0, 1, 5, 6, 7, 64] {
                let mut a = vec![(usize::MAX, 0); len];
                let mut b = vec![usize::MAX; 2 * len];
                with_threads(threads, || {
                    for_each_mut(&mut a, 3, |i, block| {
                        let len = block.len();
                        block.fill((i, len));
                    });
                    for_each_mut2(&mut a, 3, &mut b, 6, |i, a, b| {
                        assert_eq!(2 * a.len(), b.len());
                        b.fill(i);
                    });
                });
                for (at, &(block, block_len)) in a.iter().enumerate() {
                    assert_eq!((block, block_len), (at / 3, 3.min(len - at / 3 * 3)));
                }
                assert!(b.iter().enumerate().all(|(at, &block)| block == at / 6));
            }
        }
    }

    #[test]
    fn a_reduction_has_the_same_bits_for_any_number_of_threads() {
        let sum = || map_reduce(1000, |block| 1.0 / (block as f32 + 0.1), |a, b| a + b).unwrap();
        let one = with_threads(1, sum);
        for threads in [2, 3, 5] {
            assert_eq!(with_threads(threads, sum).to_bits(), one.to_bits());
        }
        assert_eq!(map_reduce(0, |block| block, |a, b| a + b), None);
    }
}
