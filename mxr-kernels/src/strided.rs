//! Copies between a contiguous array and a strided view of another: the engine of transpose, slice and expand.

use mxr_graph::instr::MAX_RANK;

use crate::par;
use crate::share::Shared;

/// Elements of a task.
const TASK: usize = 32 * 1024;
/// Edge of the squares in which two axes change places.
const SQUARE: usize = 32;

/// A view: element `i…` lies at `base + Σ i · stride`. Extents of 1 are dropped, neighbouring axes merged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct View {
    base: isize,
    rank: usize,
    extent: [usize; MAX_RANK],
    stride: [isize; MAX_RANK],
}

impl View {
    pub(crate) fn new(base: isize, axes: impl Iterator<Item = (usize, isize)>) -> View {
        let mut v = View { base, rank: 0, extent: [1; MAX_RANK], stride: [0; MAX_RANK] };
        for (extent, stride) in axes.filter(|a| a.0 != 1) {
            if v.rank > 0 && v.stride[v.rank - 1] == stride * extent as isize {
                v.extent[v.rank - 1] *= extent;
                v.stride[v.rank - 1] = stride;
            } else {
                (v.extent[v.rank], v.stride[v.rank]) = (extent, stride);
                v.rank += 1;
            }
        }
        if v.rank == 0 {
            v.rank = 1;
        }
        v
    }

    pub(crate) fn len(&self) -> usize {
        self.extent[..self.rank].iter().product()
    }

    /// Where element `i` of the first `axes` axes, counted row by row, lies.
    fn offset(&self, mut i: usize, axes: usize) -> isize {
        let mut at = self.base;
        for d in (0..axes).rev() {
            at += (i % self.extent[d]) as isize * self.stride[d];
            i /= self.extent[d];
        }
        at
    }

    fn inner(&self) -> (usize, isize) {
        (self.extent[self.rank - 1], self.stride[self.rank - 1])
    }

    /// Calls `body(first element, length, offset of the first)` for the runs of the innermost axis in `from..to`.
    fn runs(&self, from: usize, to: usize, mut body: impl FnMut(usize, usize, isize)) {
        let (inner, stride) = self.inner();
        let mut i = from;
        let mut index = [0; MAX_RANK];
        let mut rest = i / inner;
        let mut at = self.base;
        for d in (0..self.rank - 1).rev() {
            index[d] = rest % self.extent[d];
            rest /= self.extent[d];
            at += index[d] as isize * self.stride[d];
        }
        while i < to {
            let off = i % inner;
            let len = (inner - off).min(to - i);
            body(i, len, at + off as isize * stride);
            i += len;
            for d in (0..self.rank - 1).rev() {
                index[d] += 1;
                at += self.stride[d];
                if index[d] < self.extent[d] {
                    break;
                }
                at -= index[d] as isize * self.stride[d];
                index[d] = 0;
            }
        }
    }

    /// An axis along which the view is contiguous, when the innermost one is not.
    fn crossing(&self) -> Option<usize> {
        let (inner, stride) = self.inner();
        let crosses = |&d: &usize| self.stride[d] == 1 && self.extent[d] >= 4;
        (stride != 1 && stride != 0 && inner >= 4).then(|| (0..self.rank - 1).find(crosses)).flatten()
    }
}

/// `y[i] = x[view(i)]`, then `finish` on every piece of `y` while it is in the cache.
pub(crate) fn gather<T: Copy + Send + Sync>(
    v: &View,
    x: &[T],
    y: &mut [T],
    finish: impl Fn(&mut [T]) + Sync,
) {
    assert_eq!(y.len(), v.len(), "length of a strided copy");
    if y.is_empty() {
        return;
    }
    match v.crossing() {
        Some(axis) => gather_squares(v, axis, x, y, finish),
        None => par::for_each_mut(y, TASK, |task, y| {
            let from = task * TASK;
            v.runs(from, from + y.len(), |i, len, at| {
                let (y, stride) = (&mut y[i - from..i - from + len], v.inner().1);
                match stride {
                    0 => y.fill(x[at as usize]),
                    1 => y.copy_from_slice(&x[at as usize..at as usize + len]),
                    2.. => {
                        for (y, x) in y.iter_mut().zip(x[at as usize..].iter().step_by(stride as usize)) {
                            *y = *x;
                        }
                    }
                    _ => {
                        for (j, y) in y.iter_mut().enumerate() {
                            *y = x[(at + j as isize * stride) as usize];
                        }
                    }
                }
            });
            finish(y);
        }),
    }
}

/// Exchanges the innermost axis and `axis`, along which `x` is contiguous, square by square.
fn gather_squares<T: Copy + Send + Sync>(
    v: &View,
    axis: usize,
    x: &[T],
    y: &mut [T],
    finish: impl Fn(&mut [T]) + Sync,
) {
    let (inner, stride) = v.inner();
    let (across, step): (usize, usize) = (v.extent[axis], v.extent[axis + 1..v.rank].iter().product());
    // The other axes, in the order of y, with their strides there.
    let mut others = View { rank: 0, ..*v };
    let mut steps = [0; MAX_RANK];
    for d in (0..v.rank - 1).filter(|&d| d != axis) {
        (others.extent[others.rank], others.stride[others.rank]) = (v.extent[d], v.stride[d]);
        steps[others.rank] = v.extent[d + 1..v.rank].iter().product::<usize>();
        others.rank += 1;
    }
    let bands = across.div_ceil(SQUARE);
    let tasks = others.len() * bands;
    let y = &Shared::new(y);
    par::for_each_chunk(tasks, (TASK / (SQUARE * inner)).max(1), |tasks| {
        for task in tasks {
            let (other, first) = (task / bands, task % bands * SQUARE);
            let at = others.offset(other, others.rank) + first as isize;
            let (mut rest, mut to) = (other, first * step);
            for d in (0..others.rank).rev() {
                to += rest % others.extent[d] * steps[d];
                rest /= others.extent[d];
            }
            let height = SQUARE.min(across - first);
            for left in (0..inner).step_by(SQUARE) {
                let width = SQUARE.min(inner - left);
                for a in 0..height {
                    // SAFETY: the rows of a band belong to one task, and this is the only part of `y` in use.
                    let y = unsafe { y.part(to + a * step + left, width) };
                    let from = at + a as isize + left as isize * stride;
                    for (j, y) in y.iter_mut().enumerate() {
                        *y = x[(from + j as isize * stride) as usize];
                    }
                }
            }
            for a in 0..height {
                // SAFETY: as above; the squares are complete.
                finish(unsafe { y.part(to + a * step, inner) });
            }
        }
    });
}

/// `y[view(i)] = x[i]`; the view must not meet an element twice.
pub(crate) fn scatter<T: Copy + Send + Sync>(v: &View, x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), v.len(), "length of a strided copy");
    let distinct = v.stride[..v.rank].iter().zip(&v.extent).all(|(&s, &e)| s != 0 || e == 1);
    assert!(distinct, "a scattered element has one source");
    let y = &Shared::new(y);
    par::for_each_chunk(x.len(), TASK, |range| {
        v.runs(range.start, range.end, |i, len, at| {
            let (x, stride) = (&x[i..i + len], v.inner().1);
            if stride == 1 {
                // SAFETY: the view meets every element once, and its elements are dealt out to tasks.
                unsafe { y.part(at as usize, len) }.copy_from_slice(x);
            } else {
                for (j, &x) in x.iter().enumerate() {
                    // SAFETY: as above.
                    let one = unsafe { y.part((at + j as isize * stride) as usize, 1) };
                    one[0] = x;
                }
            }
        });
    });
}
