use super::*;
use crate::testing::{assert_close, assert_same, data, with_threads};

/// What one case computes: statistics and results of training and inference, then gradients.
type Results<T> = Vec<Vec<T>>;

struct Case<T> {
    d: BatchNorm,
    x: Vec<T>,
    dy: Vec<T>,
    residual: Option<Vec<T>>,
    gamma: Vec<T>,
    beta: Vec<T>,
    mean: Vec<T>,
    var: Vec<T>,
}

impl<T: Float> Case<T> {
    fn new(d: BatchNorm, offset: f64, residual: bool) -> Self {
        let [gamma, beta, mean] = [3, 4, 5].map(|salt| data::<T>(d.channels, salt));
        Case {
            d,
            x: data(d.elements(), 1).into_iter().map(|x: T| x + T::from_f64(offset)).collect(),
            dy: data(d.elements(), 2),
            residual: residual.then(|| data(d.elements(), 7)),
            gamma,
            beta,
            mean,
            var: data::<T>(d.channels, 6).into_iter().map(|v| v * v).collect(),
        }
    }

    fn blank(&self) -> Vec<T> {
        vec![T::ONE; self.d.elements()]
    }

    /// `y, mean, inv_std, moving_mean, moving_var` of training.
    fn train(&self, isa: Isa, in_place: bool) -> Results<T> {
        let (mut mm, mut mv) = (self.mean.clone(), self.var.clone());
        let (mut m, mut s) = (self.mean.clone(), self.mean.clone());
        let (mut y, mut residual) = (self.blank(), self.residual.as_deref().map(Src::Slice));
        if let (true, Some(r)) = (in_place, &self.residual) {
            y.copy_from_slice(r);
            residual = Some(Src::Out);
        }
        let (g, b) = (&self.gamma, &self.beta);
        train_on(isa, &self.d, &self.x, g, b, residual, &mut mm, &mut mv, &mut y, &mut m, &mut s);
        vec![y, m, s, mm, mv]
    }

    /// dx, dgamma, dbeta; `over` says which of x and dy dx lies over.
    fn backward(&self, isa: Isa, trained: &[Vec<T>], over: Option<usize>) -> Results<T> {
        let [m, s] = [1, 2].map(|i| &trained[i]);
        let (mut dgamma, mut dbeta) = (self.mean.clone(), self.mean.clone());
        let operands = [&self.x, &self.dy];
        let mut dx = over.map_or_else(|| self.blank(), |n| operands[n].clone());
        let at = |n: usize| if over == Some(n) { Src::Out } else { Src::Slice(&operands[n][..]) };
        let relu = (self.d.relu && self.residual.is_none()).then_some(&self.beta[..]);
        let (d, g) = (&self.d, &self.gamma);
        backward_on(isa, d, at(0), g, m, s, at(1), relu, &mut dx, &mut dgamma, &mut dbeta);
        vec![dx, dgamma, dbeta]
    }

    /// The gradient as it is without fusion: relu's mask from y, then the plain normalisation's.
    fn apart(&self, isa: Isa, trained: &[Vec<T>]) -> Results<T> {
        let mask = |(&dy, &y): (&T, &T)| if y > T::ZERO { dy } else { T::ZERO };
        let dy: Vec<T> = self.dy.iter().zip(&trained[0]).map(mask).collect();
        let d = BatchNorm { relu: false, ..self.d };
        let plain = Case { d, dy, residual: None, x: self.x.clone(), ..self.channels() };
        plain.backward(isa, trained, None)
    }

    fn channels(&self) -> Case<T> {
        let [gamma, beta, mean, var] = [&self.gamma, &self.beta, &self.mean, &self.var].map(Vec::clone);
        Case { d: self.d, x: Vec::new(), dy: Vec::new(), residual: None, gamma, beta, mean, var }
    }

    fn inferred(&self, isa: Isa) -> Vec<T> {
        let (mut y, mut own, mut third) = (self.blank(), self.x.clone(), self.blank());
        let (d, g, b, m, v) = (&self.d, &self.gamma, &self.beta, &self.mean, &self.var);
        let r = self.residual.as_deref().map(Src::Slice);
        infer_on(isa, d, Src::Slice(&self.x), g, b, m, v, r, &mut y);
        infer_on(isa, d, Src::Out, g, b, m, v, r, &mut own);
        assert_same(&y, &own, "over x");
        if let Some(r) = &self.residual {
            third.copy_from_slice(r);
            infer_on(isa, d, Src::Slice(&self.x), g, b, m, v, Some(Src::Out), &mut third);
            assert_same(&y, &third, "over the residual");
        }
        y
    }

    fn applied(&self, isa: Isa, trained: &[Vec<T>]) -> Vec<T> {
        let (mut y, mut own) = (self.blank(), self.x.clone());
        let (d, g, b, m, s) = (&self.d, &self.gamma, &self.beta, &trained[1], &trained[2]);
        let r = self.residual.as_deref().map(Src::Slice);
        apply_on(isa, d, Src::Slice(&self.x), g, b, m, s, r, &mut y);
        apply_on(isa, d, Src::Out, g, b, m, s, r, &mut own);
        assert_same(&y, &own, "over x");
        y
    }

    fn infer_backward(&self, isa: Isa) -> Results<T> {
        let mut g = (self.blank(), self.mean.clone(), self.mean.clone());
        let (x, gamma, m, v) = (&self.x, &self.gamma, &self.mean, &self.var);
        infer_backward_on(isa, &self.d, x, gamma, m, v, &self.dy, &mut g.0, &mut g.1, &mut g.2);
        vec![g.0, g.1, g.2]
    }
}

fn check<T: Float>(outer: usize, channels: usize, inner: usize) {
    for (fix_gamma, offset, relu, residual) in [
        (false, 0.0, false, false),
        (true, 100.0, true, false),
        (false, 0.0, true, true),
        (false, 3.0, false, true),
        (false, 0.0, true, false),
    ] {
        let attrs = BatchNormAttrs { axis: 1, eps: 1e-3, momentum: 0.9, fix_gamma };
        let d = BatchNorm { outer, channels, inner, attrs, relu };
        let case = Case::<T>::new(d, offset, residual);
        let r = case.residual.as_deref();
        let (mut mm, mut mv, mut y) = (case.mean.clone(), case.var.clone(), case.blank());
        let (mut m, mut s) = (case.mean.clone(), case.mean.clone());
        let Case { x, dy, gamma, beta, mean, var, .. } = &case;
        reference::train(&d, x, gamma, beta, r, &mut mm, &mut mv, &mut y, &mut m, &mut s);
        let mut infer = case.blank();
        reference::infer(&d, x, gamma, beta, mean, var, r, &mut infer);
        let trained = [y, m, s, mm, mv];
        let gradients = |mean: &[T], inv: Vec<f64>, constant, dy: &[T]| {
            let mut g = vec![case.blank(), vec![T::ONE; channels], vec![T::ONE; channels]];
            let [dx, dgamma, dbeta] = &mut g[..] else { unreachable!() };
            reference::backward(&d, x, gamma, mean, &inv, constant, dy, dx, dgamma, dbeta);
            g
        };
        // With a residual, whoever makes dy masks it.
        let by_input = relu && !residual;
        let counted: Vec<T> = (dy.iter().zip(&trained[0]))
            .map(|(&dy, &y)| if !by_input || y > T::ZERO { dy } else { T::ZERO })
            .collect();
        let inv = trained[2].iter().map(|s| s.to_f64()).collect();
        let back = gradients(&trained[1], inv, false, &counted);
        let inv = var.iter().map(|v| d.inv_std(v.to_f64())).collect();
        let infer_back = gradients(mean, inv, true, dy);
        for isa in Isa::ALL {
            let what = format!("{isa:?} {d:?} residual {residual}");
            let run = || {
                let got = case.train(isa, false);
                assert_same(&got[0], &case.train(isa, true)[0], &what);
                assert_same(&got[0], &case.applied(isa, &got), &what);
                // From the same statistics and results as the reference, so that no sign near 0 differs.
                let own = case.backward(isa, &got, None);
                for over in [0, 1] {
                    let over = case.backward(isa, &got, Some(over));
                    own.iter().zip(&over).for_each(|(own, over)| assert_same(own, over, &what));
                }
                if by_input {
                    let apart = case.apart(isa, &got);
                    own.iter().zip(&apart).for_each(|(own, apart)| assert_same(own, apart, &what));
                }
                let same_signs =
                    (got[0].iter().zip(&trained[0])).all(|(a, b)| (*a > T::ZERO) == (*b > T::ZERO));
                let back = if by_input && !same_signs { back.clone() } else { own };
                [got, vec![case.inferred(isa)], case.infer_backward(isa), back].concat()
            };
            let (one, two) = (with_threads(1, run), with_threads(2, run));
            let want = [&trained[..], &[infer.clone()], &infer_back, &back].concat();
            assert_eq!(one.len(), want.len());
            for (n, want) in want.iter().enumerate() {
                assert_same(&one[n], &two[n], &what);
                assert_close(&one[n], want, 1e-5, 1e-11, &format!("{what} result {n}"));
            }
        }
    }
}

#[test]
fn candidates_agree_with_the_reference() {
    for (outer, channels, inner) in [
        (0, 3, 4),
        (2, 0, 4),
        (1, 1, 1),
        (5, 1, 1),
        (7, 100, 1),
        (3000, 5, 1),
        (2, 3, 49),
        (3, 10, 5),
        (5, 2, 70_000 / 5),
        // Whole runs of registers of every size and a few elements more.
        (3, 2, 129),
        (2, 3, 515),
        (1, 2, 1027),
        (40, 70, 2),
    ] {
        check::<f32>(outer, channels, inner);
        check::<f64>(outer, channels, inner);
    }
}

#[test]
fn a_large_mean_costs_no_variance() {
    let attrs = BatchNormAttrs { axis: 1, eps: 0.0, momentum: 0.0, fix_gamma: false };
    let d = BatchNorm { outer: 1, channels: 1, inner: 10_000, attrs, relu: false };
    let x: Vec<f64> = (0..10_000).map(|i| 1e9 + f64::from(i % 2)).collect();
    let (mut mm, mut mv, mut y, mut m, mut s) = ([0.0], [0.0], vec![0.0; 10_000], [0.0], [0.0]);
    train(&d, &x, &[1.0], &[0.0], None, &mut mm, &mut mv, &mut y, &mut m, &mut s);
    assert_eq!((m[0], mv[0], s[0]), (1e9 + 0.5, 0.25, 2.0));
    assert!(y.iter().all(|y| y.abs() == 1.0));
}

#[test]
fn nan_stays_in_its_channel() {
    let attrs = BatchNormAttrs { axis: 1, eps: 1e-3, momentum: 0.9, fix_gamma: false };
    for inner in [1, 2] {
        let d = BatchNorm { outer: 3, channels: 2, inner, attrs, relu: true };
        let mut x = vec![1f32; d.elements()];
        x[0] = f32::NAN;
        let (mut mm, mut mv, mut y, mut m, mut s) =
            ([0.0; 2], [0.0; 2], vec![0.0; x.len()], [0.0; 2], [0.0; 2]);
        train(&d, &x, &[1.0; 2], &[0.0; 2], None, &mut mm, &mut mv, &mut y, &mut m, &mut s);
        assert!(m[0].is_nan() && m[1] == 1.0);
        for (i, y) in y.iter().enumerate() {
            assert_eq!(y.is_nan(), i / inner % 2 == 0);
        }
    }
}
