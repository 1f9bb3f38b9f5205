//! Vectorised updates over fixed blocks.

use crate::element::Float;
use crate::isa::Isa;
use crate::level::{self, Body, Level};
use crate::optimizer::{Adam, Common};
use crate::par;
use crate::share::Shared;

const BLOCK: usize = 16 * 1024;

/// [`Common`] in the element type.
#[derive(Clone, Copy)]
struct Numbers<T> {
    lr: T,
    wd: T,
    rescale: T,
    clip: T,
}

impl<T: Float> Numbers<T> {
    fn new(c: &Common) -> Self {
        let clip = c.clip.map_or(T::INFINITY, T::from_f64);
        Numbers { lr: T::from_f64(c.lr), wd: T::from_f64(c.wd), rescale: T::from_f64(c.rescale), clip }
    }

    /// `clip(rescale · grad) + wd · w`; NaN stays NaN.
    #[inline(always)]
    fn gradient<L: Level>(&self, grad: T, w: T) -> T {
        let g = grad * self.rescale;
        let g = if g > self.clip { self.clip } else { g };
        let g = if g < -self.clip { -self.clip } else { g };
        L::fma(self.wd, w, g)
    }
}

pub(crate) fn sgd<T: Float>(isa: Isa, c: &Common, grad: &[T], w: &mut [T]) {
    let n = Numbers::new(c);
    par::for_each_mut(w, BLOCK, |b, w| level::run(isa, Sgd { n, grad: &grad[b * BLOCK..][..w.len()], w }));
}

struct Sgd<'a, T> {
    n: Numbers<T>,
    grad: &'a [T],
    w: &'a mut [T],
}

impl<T: Float> Body for Sgd<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<L: Level>(self) {
        for (w, &g) in self.w.iter_mut().zip(self.grad) {
            *w = L::fma(-self.n.lr, self.n.gradient::<L>(g, *w), *w);
        }
    }
}

pub(crate) fn sgd_momentum<T: Float>(
    isa: Isa,
    c: &Common,
    momentum: f64,
    grad: &[T],
    w: &mut [T],
    m: &mut [T],
) {
    let (n, momentum) = (Numbers::new(c), T::from_f64(momentum));
    par::for_each_mut2(w, BLOCK, m, BLOCK, |b, w, m| {
        level::run(isa, Momentum { n, momentum, grad: &grad[b * BLOCK..][..w.len()], w, m });
    });
}

struct Momentum<'a, T> {
    n: Numbers<T>,
    momentum: T,
    grad: &'a [T],
    w: &'a mut [T],
    m: &'a mut [T],
}

impl<T: Float> Body for Momentum<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<L: Level>(self) {
        for ((w, m), &g) in self.w.iter_mut().zip(self.m).zip(self.grad) {
            *m = L::fma(-self.n.lr, self.n.gradient::<L>(g, *w), self.momentum * *m);
            *w += *m;
        }
    }
}

pub(crate) fn adam<T: Float>(
    isa: Isa,
    c: &Common,
    a: &Adam,
    grad: &[T],
    w: &mut [T],
    m: &mut [T],
    v: &mut [T],
) {
    let n = Numbers::new(c);
    let with = [a.beta1, 1.0 - a.beta1, a.beta2, 1.0 - a.beta2, a.epsilon].map(T::from_f64);
    let v = &Shared::new(v);
    par::for_each_mut2(w, BLOCK, m, BLOCK, |b, w, m| {
        // SAFETY: blocks are disjoint, and each is one task.
        let v = unsafe { v.part(b * BLOCK, w.len()) };
        level::run(isa, AdamBlock { n, with, grad: &grad[b * BLOCK..][..w.len()], w, m, v });
    });
}

struct AdamBlock<'a, T> {
    n: Numbers<T>,
    with: [T; 5],
    grad: &'a [T],
    w: &'a mut [T],
    m: &'a mut [T],
    v: &'a mut [T],
}

impl<T: Float> Body for AdamBlock<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<L: Level>(self) {
        let [keep1, new1, keep2, new2, epsilon] = self.with;
        for (((w, m), v), &g) in self.w.iter_mut().zip(self.m).zip(self.v).zip(self.grad) {
            let g = self.n.gradient::<L>(g, *w);
            *m = L::fma(keep1, *m, new1 * g);
            *v = L::fma(keep2, *v, new2 * g * g);
            *w -= self.n.lr * *m / ((*v).sqrt() + epsilon);
        }
    }
}
