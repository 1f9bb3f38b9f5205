//! What is known of a network before it runs: amounts of numbers, operations and bytes, for any batch size, in constants.

use crate::dim::{Dim, SymbolDef, SymbolId};
use crate::program::{Program, Role};

/// `a · N + c` of something, with `N` the network's symbol: its batch size.
///
/// ```
/// use mxr_graph::summary::Amount;
/// const BYTES: Amount = Amount::new(4096, 128);
/// const _: () = assert!(BYTES.at(64) < 1 << 20);
/// assert_eq!(BYTES.get(2), Some(8320));
/// assert_eq!((BYTES.per_symbol(), BYTES.fixed()), (Some(4096), Some(128)));
/// assert_eq!(Amount::UNKNOWN.get(2), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    known: bool,
    per_symbol: u64,
    fixed: u64,
}

impl Amount {
    /// Not of this form: it depends on another symbol or on a power of it, or the network has no such mode.
    pub const UNKNOWN: Amount = Amount { known: false, per_symbol: 0, fixed: 0 };

    /// `per_symbol · N + fixed`.
    pub const fn new(per_symbol: u64, fixed: u64) -> Amount {
        Amount { known: true, per_symbol, fixed }
    }

    /// The amount for this value of the symbol; any value will do where there is no symbol.
    ///
    /// # Panics
    ///
    /// Where it is [`Amount::UNKNOWN`] or does not fit a `u64`: in a constant, that is an error of compilation.
    pub const fn at(self, n: u64) -> u64 {
        match self.get(n) {
            Some(amount) => amount,
            None => panic!(
                "the amount is not known as `a · N + c`: ask a bound network, or `get` for an `Option`"
            ),
        }
    }

    /// The amount for this value of the symbol; `None` where it is not known or does not fit a `u64`.
    pub const fn get(self, n: u64) -> Option<u64> {
        if !self.known {
            return None;
        }
        match self.per_symbol.checked_mul(n) {
            Some(scaled) => scaled.checked_add(self.fixed),
            None => None,
        }
    }

    /// What each unit of the symbol adds: the amount per sample.
    pub const fn per_symbol(self) -> Option<u64> {
        if self.known { Some(self.per_symbol) } else { None }
    }

    /// What does not depend on the symbol.
    pub const fn fixed(self) -> Option<u64> {
        if self.known { Some(self.fixed) } else { None }
    }

    fn of(dim: &Dim, symbol: SymbolId) -> Amount {
        let numbers = dim.affine_in(symbol).map(|(a, c)| (u64::try_from(a), u64::try_from(c)));
        match numbers {
            Some((Ok(a), Ok(c))) => Amount::new(a, c),
            _ => Amount::UNKNOWN,
        }
    }
}

/// What one run in one mode takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Floating-point operations, 2 per multiply-add, of convolutions, dense layers and matrix products: the forward pass, and
    /// in training the backward pass without gradients of inputs.
    pub flops: Amount,
    /// Bytes of the arrays between the layers as they are planned: what the executor's arena takes.
    pub planned: Amount,
    /// Bytes of the same arrays if each had memory of its own.
    pub naive: Amount,
    /// Bytes of what is not in the arena: inputs, weights, states, results, in training gradients of the weights, in prediction
    /// [`Cost::kept`].
    pub outside: Amount,
    /// Bytes of what is made of weights and states alone and kept from run to run
    /// ([`Role::Kept`]): weights that have a normalisation in them, say. A bound network may keep weights in the forms that its kernels read instead
    /// and besides, which depends on kernels and batch and is known when it is bound.
    pub kept: Amount,
}

impl Cost {
    /// Nothing is known, or the network has no such mode.
    pub const UNKNOWN: Cost = Cost {
        flops: Amount::UNKNOWN,
        planned: Amount::UNKNOWN,
        naive: Amount::UNKNOWN,
        outside: Amount::UNKNOWN,
        kept: Amount::UNKNOWN,
    };

    /// Bytes of the arrays between the layers for a batch of `n`: [`Cost::planned`].
    ///
    /// # Panics
    ///
    /// As [`Amount::at`].
    pub const fn bytes(&self, n: u64) -> u64 {
        self.planned.at(n)
    }

    /// Of a program. Kernels may add workspaces, and layouts of their own, when it is bound.
    pub fn of(program: &Program) -> Cost {
        let symbol = symbol(program);
        let bytes = |v: usize| {
            let value = &program.values[v];
            value.shape.iter().fold(Dim::from(value.dtype.size()), |n, d| n.mul(d))
        };
        let outside = program.outside();
        let total = |sum: Dim, v: usize| sum.add(&bytes(v));
        let made = || program.steps.iter().flat_map(|s| s.writes.iter()).map(|w| *w as usize);
        let naive = made().filter(|w| !outside[*w]).fold(Dim::ZERO, total);
        let kept = made().filter(|w| program.values[*w].role == Role::Kept).fold(Dim::ZERO, total);
        let unasked = |(of, _): &&(u32, u32)| program.values[*of as usize].role != Role::Param;
        let unasked = || program.grads.iter().filter(unasked).map(|(_, g)| *g as usize);
        let owned = (0..outside.len()).filter(|v| outside[*v] && !unasked().any(|g| g == *v));
        let owned = owned.fold(Dim::ZERO, total);
        let planned = program.plan.as_ref().map(|p| match p.symbol == symbol || p.per_symbol == 0 {
            true => Amount::new(p.per_symbol, p.fixed),
            false => Amount::UNKNOWN,
        });
        Cost {
            flops: Amount::of(&program.flops, symbol),
            planned: planned.unwrap_or(Amount::UNKNOWN),
            naive: Amount::of(&naive, symbol),
            outside: Amount::of(&owned, symbol),
            kept: Amount::of(&kept, symbol),
        }
    }
}

/// What is known of a network before it runs. `network!` makes it a constant, so that bounds can be demanded of a network
/// where it is declared: `const _: () = assert!(Net::SUMMARY.train.bytes(64) < 2 << 20);`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Trained numbers.
    pub parameters: Amount,
    /// Of a training step; [`Cost::UNKNOWN`] for a network that only predicts.
    pub train: Cost,
    /// Of a prediction.
    pub predict: Cost,
}

impl Summary {
    /// Nothing is known: the network has a fault.
    pub const UNKNOWN: Summary =
        Summary { parameters: Amount::UNKNOWN, train: Cost::UNKNOWN, predict: Cost::UNKNOWN };

    /// Of compiled programs.
    ///
    /// ```
    /// use mxr_graph::{compile, dtype::DType, graph::Graph, ops, shape::Shape, summary::Summary};
    /// let mut g = Graph::new("net");
    /// let x = g.input("x", Shape::of(&[4, 3]), DType::F32);
    /// let h = g.call(ops::find("dense").unwrap(), &[("units", 8.into())], &[x], Some("h"))?[0];
    /// g.outputs = vec![h];
    /// g.settle();
    /// let summary = Summary::of(None, &compile::predict(g)?);
    /// assert_eq!(summary.parameters.at(1), 8 * 3 + 8);
    /// assert_eq!(summary.predict.flops.at(1), 2 * 4 * 8 * 3);
    /// # Ok::<(), mxr_graph::error::ShapeError>(())
    /// ```
    pub fn of(train: Option<&Program>, predict: &Program) -> Summary {
        let whole = train.unwrap_or(predict);
        let elements = |v: &u32| whole.values[*v as usize].shape.iter().fold(Dim::ONE, |n, d| n.mul(d));
        let parameters = whole.params.iter().fold(Dim::ZERO, |sum, v| sum.add(&elements(v)));
        Summary {
            parameters: Amount::of(&parameters, symbol(whole)),
            train: train.map_or(Cost::UNKNOWN, |p| match p.training.iter().any(|(_, t)| t.frozen) {
                true => Cost::of(&p.trained()),
                false => Cost::of(p),
            }),
            predict: Cost::of(predict),
        }
    }
}

/// The symbol that amounts are multiples of: the one that memory grows with, or the first that the user binds.
fn symbol(program: &Program) -> SymbolId {
    let planned = program.plan.as_ref().filter(|p| p.per_symbol > 0).map(|p| p.symbol);
    let first = || program.symbols.iter().position(|s| s.def == SymbolDef::Named).map(|at| at as SymbolId);
    planned.or_else(first).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile;
    use crate::memory::{Strategy, plan};
    use crate::testnets;

    #[test]
    fn amounts_are_what_the_bound_program_has() {
        let graph = testnets::resnet20();
        let (train, predict) =
            (compile::train(graph.clone()).expect("trains"), compile::predict(graph).expect("predicts"));
        let summary = Summary::of(Some(&train), &predict);
        for (p, cost) in [(&train, summary.train), (&predict, summary.predict)] {
            for n in [1, 7, 64] {
                let symbols = p.bind_symbols(&[("N", n)]).expect("any batch fits");
                let problem = p.problem(&symbols);
                let n = n as u64;
                assert_eq!(cost.bytes(n), p.plan.as_ref().map_or(0, |p| p.bytes(n)));
                assert!(cost.bytes(n) >= plan(&problem, Strategy::Best).bytes);
                let made = p.steps.iter().flat_map(|s| s.writes.iter()).map(|w| *w as usize);
                let naive: u64 = made.filter(|w| !problem.outside[*w]).map(|w| problem.sizes[w]).sum();
                assert_eq!(cost.naive.at(n), naive);
            }
        }
        let (forward, both) = (summary.predict.flops.at(1) as f64, summary.train.flops.at(1) as f64);
        // Every product has two gradients but that of the first layer.
        assert!((2.9..3.0).contains(&(both / forward)), "{both} beside {forward}");
        assert!(summary.train.outside.at(1) > 2 * 4 * summary.parameters.at(1));
        // Weights with a normalisation in them, and their offsets, but not the last layer's.
        let kept = summary.predict.kept.at(64);
        assert_eq!(kept, summary.predict.kept.at(1), "no batch is in it");
        assert!((900_000..4 * summary.parameters.at(1)).contains(&kept), "{kept}");
        assert!(summary.train.kept.at(64) == 0 && summary.predict.outside.at(64) > kept);
    }

    #[test]
    fn a_second_symbol_leaves_amounts_unknown() {
        let mut n = testnets::Net::new("net");
        let symbols = ["N", "T"].map(|s| Dim::symbol(n.graph.symbols.named(s)));
        let shape = crate::shape::Shape([&symbols[..], &[Dim::Const(8)]].concat());
        let x = n.graph.input("x", shape, crate::dtype::DType::F32);
        let y = n.call("relu", &[], &[x]);
        let z = n.call("dense", &[("units", 4.into()), ("flatten", false.into())], &[y]);
        let p = compile::predict(n.finish(&[z])).expect("predicts");
        let summary = Summary::of(None, &p);
        assert_eq!(summary.parameters.get(5), Some(36));
        assert_eq!((summary.predict.flops.get(5), summary.train.planned.get(5)), (None, None));
    }
}
