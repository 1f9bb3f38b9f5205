//! Update rules of optimizers, each one pass over the weight, its gradient and its states.
//!
//! The conventions are MXNet's: `g = clip(rescale · grad)`, then the rule. See [`Common`].

use crate::isa::Isa;
use crate::par;
use crate::share::Shared;
use crate::simd::{Kernel, vectorize};

/// Elements of a block, the unit of parallel work.
const BLOCK: usize = 32 * 1024;

/// What all rules share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Common {
    /// Learning rate.
    pub lr: f32,
    /// Weight decay.
    pub wd: f32,
    /// Factor on the gradient (1 / batch for summed losses).
    pub rescale: f32,
    /// Bound on the magnitude of `rescale · grad`, where there is one.
    pub clip: Option<f32>,
}

impl Common {
    /// This learning rate, nothing else.
    pub const fn new(lr: f32) -> Common {
        Common { lr, wd: 0.0, rescale: 1.0, clip: None }
    }

    /// NaN stays NaN: a clipped step from a broken gradient would hide it.
    #[inline(always)]
    fn gradient(&self, g: f32) -> f32 {
        let g = self.rescale * g;
        match self.clip {
            Some(c) if g > c => c,
            Some(c) if g < -c => -c,
            _ => g,
        }
    }
}

/// `w −= lr · (g + wd · w)`.
///
/// # Panics
/// If the lengths differ.
pub fn sgd(c: &Common, w: &mut [f32], grad: &[f32]) {
    assert_eq!(w.len(), grad.len(), "a gradient per weight");
    par::for_each_mut(w, BLOCK, |block, w| {
        let grad = &grad[block * BLOCK..][..w.len()];
        vectorised(|| {
            for (w, g) in w.iter_mut().zip(grad) {
                *w -= c.lr * (c.gradient(*g) + c.wd * *w);
            }
        });
    });
}

/// `m = momentum · m − lr · (g + wd · w)`, `w += m`; with `nesterov` `w += momentum · m − lr · (g + wd · w)`.
///
/// # Panics
/// If the lengths differ.
pub fn sgd_momentum(c: &Common, momentum: f32, nesterov: bool, w: &mut [f32], grad: &[f32], m: &mut [f32]) {
    assert!(w.len() == grad.len() && w.len() == m.len(), "a gradient and a momentum per weight");
    par::for_each_mut2(w, BLOCK, m, BLOCK, |block, w, m| {
        let grad = &grad[block * BLOCK..][..w.len()];
        vectorised(|| {
            for ((w, m), g) in w.iter_mut().zip(m).zip(grad) {
                let step = c.lr * (c.gradient(*g) + c.wd * *w);
                *m = momentum * *m - step;
                *w += if nesterov { momentum * *m - step } else { *m };
            }
        });
    });
}

/// Constants of [`adam`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamRule {
    /// Decay of the mean gradient.
    pub beta1: f32,
    /// Decay of the mean squared gradient.
    pub beta2: f32,
    /// Added to the root.
    pub epsilon: f32,
}

/// Adam (Kingma and Ba, 2014) without bias correction, which the caller puts into the learning rate: `g += wd · w`,
/// `m = β₁ m + (1 − β₁) g`, `v = β₂ v + (1 − β₂) g²`, `w −= lr · m / (√v + ε)`.
///
/// # Panics
/// If the lengths differ.
pub fn adam(c: &Common, rule: &AdamRule, w: &mut [f32], grad: &[f32], m: &mut [f32], v: &mut [f32]) {
    assert!(
        w.len() == grad.len() && w.len() == m.len() && w.len() == v.len(),
        "a gradient and two states per weight"
    );
    let v = Shared::new(v);
    par::for_each_mut2(w, BLOCK, m, BLOCK, |block, w, m| {
        let grad = &grad[block * BLOCK..][..w.len()];
        // SAFETY: blocks of `v` are those of `w` and `m`: each is taken by one call.
        let v = unsafe { v.part(block * BLOCK, w.len()) };
        vectorised(|| {
            for (((w, m), v), g) in w.iter_mut().zip(m).zip(v).zip(grad) {
                let g = c.gradient(*g) + c.wd * *w;
                *m = rule.beta1 * *m + (1.0 - rule.beta1) * g;
                *v = rule.beta2 * *v + (1.0 - rule.beta2) * g * g;
                *w -= c.lr * *m / (v.sqrt() + rule.epsilon);
            }
        });
    });
}

/// Runs a loop compiled for the widest vectors of this CPU. The operations and their order per element are the same in
/// each, so the bits are too.
#[inline(always)]
fn vectorised(body: impl FnOnce()) {
    struct Loop<F>(F);
    impl<F: FnOnce()> Kernel for Loop<F> {
        type Output = ();
        #[inline(always)]
        fn run(self) {
            (self.0)();
        }
    }
    vectorize(Isa::detect(), Loop(body));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_follow_their_formulas() {
        let c = Common { lr: 0.1, wd: 0.01, rescale: 0.5, clip: Some(1.0) };
        let (mut w, g) = ([1.0f32, -2.0], [4.0f32, 0.5]);
        sgd(&c, &mut w, &g);
        assert_eq!(w, [1.0 - 0.1 * (1.0 + 0.01), -2.0 - 0.1 * (0.25 - 0.02)]);
        let (mut w, mut m) = ([1.0f32], [0.5f32]);
        sgd_momentum(&Common::new(0.1), 0.9, false, &mut w, &[1.0], &mut m);
        assert!((m[0] - 0.35).abs() < 1e-7 && (w[0] - 1.35).abs() < 1e-7);
        let rule = AdamRule { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
        let (mut w, mut m, mut v) = ([0.0f32], [0.0f32], [0.0f32]);
        adam(&Common::new(0.1), &rule, &mut w, &[2.0], &mut m, &mut v);
        assert!((m[0] - 0.2).abs() < 1e-7 && v[0] == (1.0 - 0.999f32) * 4.0);
        assert!((w[0] + 0.1 * 0.2 / v[0].sqrt()).abs() < 1e-6);
    }

    #[test]
    fn a_broken_gradient_is_not_clipped_away() {
        let c = Common { clip: Some(1.0), ..Common::new(0.1) };
        let mut w = [1.0f32];
        sgd(&c, &mut w, &[f32::NAN]);
        assert!(w[0].is_nan());
    }

    #[test]
    fn threads_do_not_show() {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            let n = 3 * BLOCK + 17;
            let g: Vec<f32> = (0..n).map(|i| (i % 13) as f32 - 6.0).collect();
            let (mut w, mut m) = (vec![1f32; n], vec![0.1f32; n]);
            pool.install(|| sgd_momentum(&Common::new(0.1), 0.9, true, &mut w, &g, &mut m));
            (w, m)
        };
        assert_eq!(run(1), run(3));
    }
}
