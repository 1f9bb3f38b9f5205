//! What MXNet had to place in memory at the time of its paper (December 2015, CPU build), to hold our plans against: the arrays
//! that each of its operators makes, what its backward pass reads of them, and which may lie over which.
//!
//! The network is taken as declared ([`ProgramLayer::operands`]), so no pass of ours has a part in it: activations are operators
//! of their own, dropout and local response normalisation keep arrays of floats, batch normalisation keeps its result before
//! scale and shift, a backward operator makes the gradients of all operands, those of data and labels included, and gradients of
//! a value with several readers are added up in an array of their own.

use super::{InPlace, Problem};
use crate::dim::Dim;
use crate::program::{Operand, Program, ProgramLayer};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Bytes of an element: there was only f32.
const ELEMENT: u64 = 4;

/// What a backward operator reads.
#[derive(Clone, Copy)]
enum Read {
    /// The gradient of the result.
    Dy,
    /// Operand 0.
    X,
    /// The last operand: labels, the right hand side.
    Last,
    /// The result.
    Y,
    /// The further results.
    Hidden,
}

/// How an operator used memory.
struct Rule {
    /// Results beside the visible one.
    hidden: &'static [Extra],
    /// Whether the result may lie over operand 0.
    forward: InPlace,
    reads: &'static [Read],
    /// Which gradients may lie over what is read, by places in `reads` and among the operands.
    backward: InPlace,
}

#[derive(Clone, Copy)]
enum Extra {
    /// As large as the result.
    Like,
    /// A number per channel.
    Channels,
}

const FIRST: InPlace = InPlace::Pairs(&[(0, 0)]);
const SECOND: InPlace = InPlace::Pairs(&[(1, 0)]);

fn rule(op: &str) -> Option<Rule> {
    use Extra::{Channels, Like};
    use InPlace::Never;
    use Read::{Dy, Hidden, Last, X, Y};
    let rule = |hidden, forward, reads, backward| Some(Rule { hidden, forward, reads, backward });
    match op {
        "relu" | "tanh" | "sigmoid" | "softplus" => rule(&[], FIRST, &[Dy, Y], FIRST),
        "conv2d" => rule(&[], Never, &[Dy, X], Never),
        "dense" => rule(&[], Never, &[Dy, X], SECOND),
        "max_pool" | "avg_pool" | "global_avg_pool" | "global_max_pool" => {
            rule(&[], Never, &[Dy, X, Y], SECOND)
        }
        "lrn" => rule(&[Like], Never, &[Dy, X, Hidden], FIRST),
        "dropout" => rule(&[Like], FIRST, &[Dy, Hidden], FIRST),
        "batch_norm" => rule(&[Like, Channels, Channels], Never, &[Dy, Y, Hidden, X], FIRST),
        "concat" => rule(&[], Never, &[Dy], Never),
        "flatten" | "reshape" => rule(&[], FIRST, &[Dy], FIRST),
        "add" | "sub" => rule(&[], FIRST, &[Dy], Never),
        "mul" | "div" => rule(&[], FIRST, &[Dy, X, Last], FIRST),
        "softmax_cross_entropy" => rule(&[], FIRST, &[Last, Y], SECOND),
        _ => None,
    }
}

/// The planning problem that MXNet of December 2015 had with a network, for a pass forward alone or with the pass backward;
/// `program` is the one that trains it (or predicts, if there is no other), `symbols` as
/// [`Program::bind_symbols`] gives them. With the [`Strategy`](super::Strategy) of that time it gives the four bars of the
/// paper's memory figure.
///
/// # Errors
///
/// The first layer whose operator did not exist.
pub fn mxnet2015(program: &Program, symbols: &[i64], backward: bool) -> Result<Problem, String> {
    let mut m = Model { program, symbols, problem: Problem::default(), made: Vec::new(), fed: Vec::new() };
    for l in program.layers.iter() {
        m.forward(l)?;
    }
    let mut read = alloc::vec![false; program.layers.len()];
    for l in program.layers.iter() {
        for o in l.operands() {
            if let Operand::Layer(at) = o {
                read[at as usize] = true;
            }
        }
    }
    let heads: Vec<u32> = (0..read.len()).filter(|l| !read[*l]).map(|l| m.made[l][0]).collect();
    if backward {
        m.backward(&read)?;
    }
    // What the network returns is in one of its blocks until the end.
    m.problem.step(&heads, &[], InPlace::Never);
    Ok(m.problem)
}

struct Model<'a> {
    program: &'a Program,
    symbols: &'a [i64],
    problem: Problem,
    /// Layer to its results.
    made: Vec<Vec<u32>>,
    /// Fed values of the program and what they are here.
    fed: Vec<(u32, u32)>,
}

impl Model<'_> {
    fn forward(&mut self, l: &ProgramLayer) -> Result<(), String> {
        let rule = find(l)?;
        let reads: Vec<u32> = l.operands().map(|o| self.operand(o)).collect();
        // A loss returned what it predicts.
        let bytes = match (&*l.op, reads.first()) {
            ("softmax_cross_entropy", Some(logits)) => self.problem.sizes[*logits as usize],
            _ => self.bytes(&l.shape),
        };
        let mut results = alloc::vec![self.problem.value(bytes, false)];
        for h in rule.hidden {
            let bytes = match h {
                Extra::Like => bytes,
                Extra::Channels => l.shape.get(1).map_or(0, |c| self.bytes(core::slice::from_ref(c))),
            };
            results.push(self.problem.value(bytes, false));
        }
        self.problem.step(&reads, &results, rule.forward);
        self.made.push(results);
        Ok(())
    }

    fn backward(&mut self, read: &[bool]) -> Result<(), String> {
        // Gradients that flow into each layer's result, in the order in which they are made.
        let mut flow: Vec<Vec<u32>> = alloc::vec![Vec::new(); self.made.len()];
        for (at, l) in self.program.layers.iter().enumerate().rev() {
            let rule = find(l)?;
            let y = self.made[at][0];
            let bytes = self.problem.sizes[y as usize];
            let dy = match flow[at][..] {
                [] if read[at] => continue,
                // Fed, or ones.
                [] => self.problem.value(bytes, true),
                [one] => one,
                _ => {
                    let sum = self.problem.value(bytes, false);
                    self.problem.step(&flow[at], &[sum], FIRST);
                    sum
                }
            };
            let operands: Vec<Operand> = l.operands().collect();
            let values: Vec<u32> = operands.iter().map(|o| self.operand(*o)).collect();
            let (Some(first), Some(last)) = (values.first(), values.last()) else { continue };
            let mut reads = Vec::new();
            for r in rule.reads {
                match r {
                    Read::Dy => reads.push(dy),
                    Read::X => reads.push(*first),
                    Read::Last => reads.push(*last),
                    Read::Y => reads.push(y),
                    Read::Hidden => reads.extend(&self.made[at][1..]),
                }
            }
            let grads: Vec<u32> = values
                .iter()
                .map(|v| {
                    let bytes = self.problem.sizes[*v as usize];
                    self.problem.value(bytes, false)
                })
                .collect();
            self.problem.step(&reads, &grads, rule.backward);
            for (o, g) in operands.iter().zip(grads) {
                if let Operand::Layer(from) = o {
                    flow[*from as usize].push(g);
                }
            }
        }
        Ok(())
    }

    fn operand(&mut self, o: Operand) -> u32 {
        match o {
            Operand::Layer(at) => self.made[at as usize][0],
            Operand::Fed(v) => match self.fed.iter().find(|(f, _)| *f == v) {
                Some((_, here)) => *here,
                None => {
                    let bytes = self.bytes(&self.program.values[v as usize].shape);
                    let here = self.problem.value(bytes, true);
                    self.fed.push((v, here));
                    here
                }
            },
        }
    }

    fn bytes(&self, shape: &[Dim]) -> u64 {
        let extent = |d: &Dim| d.eval(self.symbols).and_then(|n| u64::try_from(n).ok());
        let extents = shape.iter().map(|d| extent(d).expect("symbols bound by bind_symbols"));
        extents.product::<u64>() * ELEMENT
    }
}

fn find(l: &ProgramLayer) -> Result<Rule, String> {
    rule(&l.op)
        .ok_or_else(|| format!("layer `{}`: MXNet's operators of 2015 are not told of `{}`", l.name, l.op))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile;
    use crate::memory::{Strategy, plan};
    use crate::testnets::{self, Net};

    fn bars(p: &Program, backward: bool) -> [u64; 4] {
        let symbols = p.bind_symbols(&[("N", 4)]).expect("any batch fits");
        let problem = mxnet2015(p, &symbols, backward).expect("operators of the time");
        [Strategy::Naive, Strategy::InPlace, Strategy::CoShare, Strategy::Both]
            .map(|s| plan(&problem, s).bytes)
    }

    #[test]
    fn a_chain_by_hand() {
        // Units of 1,024 bytes: data 4 · 64, hidden layers 4 · 64, logits 4 · 16 numbers.
        let mut n = Net::new("chain");
        let data = n.batch("data", &[64], crate::dtype::DType::F32);
        let h = n.dense(data, 64);
        let h = n.relu(h);
        let logits = n.dense(h, 16);
        let p = compile::train(n.classify(logits)).expect("trains");
        let [naive, inplace, share, both] = bars(&p, false);
        assert_eq!(naive, 2 * 1024 + 2 * 256, "dense, relu, dense, softmax");
        assert_eq!((inplace, share), (1024 + 256, 2 * 1024));
        assert_eq!(both, 1024 + 256);
        let [naive, inplace, ..] = bars(&p, true);
        // And gradients of logits, labels, relu, dense, data; labels take 16 bytes in a place of 64.
        assert_eq!(naive, 2 * 1024 + 2 * 256 + 256 + 64 + 3 * 1024);
        // The gradient of the logits may not lie over the softmax, which is returned; that of the relu lies over the one that
        // flows into it.
        assert_eq!(inplace, 1024 + 256 + 256 + 64 + 2 * 1024);
    }

    #[test]
    fn layers_are_those_declared_whatever_the_passes_make_of_them() {
        let graph = testnets::resnet20();
        let all = compile::train(graph.clone()).expect("trains");
        let none = compile::train_with(graph, &crate::passes::Passes::NONE).expect("trains");
        for backward in [false, true] {
            assert_eq!(bars(&all, backward), bars(&none, backward));
        }
        let ours = all.plan.as_ref().map_or(u64::MAX, |p| p.bytes(4));
        assert!(ours < bars(&all, true)[3]);
    }

    #[test]
    fn operators_that_came_later_are_named() {
        let mut n = Net::new("later");
        let data = n.batch("data", &[64], crate::dtype::DType::F32);
        let h = n.call("gelu", &[], &[data]);
        let p = compile::predict(n.finish(&[h])).expect("predicts");
        let symbols = p.bind_symbols(&[("N", 4)]).expect("any batch fits");
        let e = mxnet2015(&p, &symbols, false).expect_err("not there");
        assert!(e.contains("`gelu`"), "{e}");
    }
}
