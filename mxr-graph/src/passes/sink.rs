//! Rectifying after a maximum rather than before it: on as many elements as the windows leave, and with nothing of the long
//! array to keep for the gradient.

use super::is;
use crate::expr::Expr;
use crate::graph::{Graph, Node, Source, ValueId};
use crate::instr::{BinOp, Scalar, UnOp};
use crate::ops::concat::Concat;
use crate::ops::pool::{GLOBAL_MAX_POOL, MAX_POOL};
use crate::ops::relu::Relu;
use crate::schema::Options;
use alloc::format;
use alloc::vec::Vec;

/// Turn `max_pool(f(x))` into `f(max_pool(x))`, and `max_pool(concat(f(a), f(b)))` into `f(max_pool(concat(a, b)))`, where nobody
/// else reads what is between.
///
/// In a network that predicts, `f` is any elementwise function of one operand that never falls and turns NaN into NaN: `relu`,
/// `leaky_relu`, `clip`, a product with a positive number. Then the largest result is that of the largest operand, to
/// the bit. In a network to train (`exact`), the gradient has to take the same way, too: where rounding gives two operands one
/// result, or `clip` does, the first of them may not be the largest. So `f` is `relu` alone: results above 0 are the operands
/// themselves, and where the largest result is 0, no gradient flows.
///
/// Must run before the gradient is made. The old nodes stay, without readers, for [`dce`](super::dce()); the result of the pooling
/// keeps its name and its number.
pub fn sink(graph: &mut Graph, exact: bool) {
    let mut readers = readers(graph);
    let nodes = core::mem::take(&mut graph.nodes);
    graph.nodes.reserve(nodes.len() + 8);
    for mut node in nodes {
        let mut after: Vec<Node> = Vec::new();
        if is(&node, &MAX_POOL) || is(&node, &GLOBAL_MAX_POOL) {
            while let Some(moved) = before(graph, &readers, &node, exact) {
                readers.resize(graph.values.len() + 2, 1);
                let (out, pooled) = (node.outputs[0], lift(graph, &mut node, &moved));
                after.push(Node { inputs: alloc::vec![pooled], outputs: alloc::vec![out], ..moved.function });
            }
        }
        super::push(graph, node);
        for node in after.into_iter().rev() {
            super::push(graph, node);
        }
    }
}

/// What can be moved behind a pooling.
struct Moved {
    /// A call of the function; its operands and results do not matter.
    function: Node,
    /// The join between, if there is one.
    join: Option<Node>,
    /// What the function is applied to: the operand, or those of the join.
    operands: Vec<ValueId>,
}

fn before(graph: &Graph, readers: &[u32], pool: &Node, exact: bool) -> Option<Moved> {
    let x = pool.inputs[0];
    let function = |v: ValueId| {
        let n = graph.producer(v)?;
        let fits = readers[v.index()] == 1
            && moves(n, exact)
            && graph.value(n.inputs[0]).shape == graph.value(v).shape;
        fits.then_some(n)
    };
    if let Some(f) = function(x) {
        return Some(Moved { function: f.clone(), join: None, operands: f.inputs.clone() });
    }
    let join = graph.producer(x).filter(|n| is(n, &Concat) && readers[x.index()] == 1)?;
    let first = function(*join.inputs.first()?)?;
    let mut operands = Vec::with_capacity(join.inputs.len());
    for v in &join.inputs {
        let f = function(*v)?;
        if !core::ptr::eq(f.op.schema(), first.op.schema()) || f.attrs != first.attrs {
            return None;
        }
        operands.push(f.inputs[0]);
    }
    Some(Moved { function: first.clone(), join: Some(join.clone()), operands })
}

/// Let the pooling read what the function was applied to; its new result.
fn lift(graph: &mut Graph, pool: &mut Node, moved: &Moved) -> ValueId {
    let made = Source::Node { node: 0, output: 0 };
    pool.inputs = match &moved.join {
        None => moved.operands.clone(),
        Some(join) => {
            let old = graph.value(join.outputs[0]).clone();
            let joined = graph.add_value(&format!("{}_before", old.name), old.shape, old.dtype, made);
            let (inputs, outputs) = (moved.operands.clone(), alloc::vec![joined]);
            super::push(graph, Node { inputs, outputs, ..join.clone() });
            alloc::vec![joined]
        }
    };
    let old = graph.value(pool.outputs[0]).clone();
    let pooled = graph.add_value(&format!("{}_before", old.name), old.shape, old.dtype, made);
    pool.outputs[0] = pooled;
    pooled
}

/// How many nodes read each value; results of the network count as read twice.
fn readers(graph: &Graph) -> Vec<u32> {
    let mut count = alloc::vec![0; graph.values.len()];
    for v in graph.nodes.iter().flat_map(|n| &n.inputs) {
        count[v.index()] += 1;
    }
    for v in graph.outputs.iter().chain(&graph.predictions) {
        count[v.index()] += 2;
    }
    count
}

fn moves(node: &Node, exact: bool) -> bool {
    if exact || is(node, &Relu) {
        return is(node, &Relu);
    }
    let options = Options { schema: node.op.schema(), attrs: &node.attrs };
    node.inputs.len() == 1 && node.op.expr(options).is_some_and(|e| never_falls(&e))
}

/// Whether an expression of one input never falls as that grows, however it is rounded, and is NaN where that is.
fn never_falls(e: &Expr) -> bool {
    let mut grows: Vec<bool> = Vec::with_capacity(e.lines.len());
    let number = |l: u16| if let Scalar::Const(x) = e.lines[usize::from(l)] { Some(x) } else { None };
    for line in &e.lines {
        let at = |l: u16| grows[usize::from(l)];
        grows.push(match *line {
            Scalar::In(_) => true,
            Scalar::Un(UnOp::Floor, a) => at(a),
            Scalar::Bin(BinOp::Max | BinOp::Min, a, b) => {
                (at(a) || number(a).is_some()) && (at(b) || number(b).is_some()) && (at(a) || at(b))
            }
            Scalar::Bin(BinOp::Mul, a, b) => {
                let positive = |l| number(l).is_some_and(|x| x > 0.0 && x.is_finite());
                at(a) && positive(b) || at(b) && positive(a)
            }
            // `x > 0 ? x : slope · x`.
            Scalar::Select(c, a, b) => match e.lines[usize::from(c)] {
                Scalar::Bin(BinOp::Gt, x, zero) => {
                    let input = |l: u16| matches!(e.lines[usize::from(l)], Scalar::In(_));
                    let slope = match e.lines[usize::from(b)] {
                        Scalar::Bin(BinOp::Mul, p, q) => input(p) && at(b) || input(q) && at(b),
                        _ => false,
                    };
                    number(zero) == Some(0.0) && input(x) && x == a && slope
                }
                _ => false,
            },
            _ => false,
        });
    }
    grows.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use crate::passes::dce;
    use crate::schema::Arg;
    use crate::testnets::Net;
    use crate::verify::verify;

    fn ops(graph: &Graph) -> Vec<&'static str> {
        graph.nodes.iter().map(|n| n.op.schema().name).collect()
    }

    fn sunk(mut net: Net, outputs: &[ValueId], exact: bool) -> Graph {
        net.graph.outputs = outputs.to_vec();
        net.graph.settle();
        sink(&mut net.graph, exact);
        dce(&mut net.graph);
        verify(&net.graph).unwrap_or_else(|e| panic!("{e}\n{}", net.graph));
        net.graph
    }

    fn pool(n: &mut Net, x: ValueId) -> ValueId {
        n.call("max_pool", &[("kernel", Arg::Int(3)), ("stride", Arg::Int(2))], &[x])
    }

    #[test]
    fn the_rectifier_moves_behind_poolings() {
        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 20, 20], DType::F32);
        let c = n.conv(x, 8, 3, 1, 1, true);
        let r = n.relu(c);
        let p = pool(&mut n, r);
        let q = pool(&mut n, p);
        let g = sunk(n, &[q], true);
        assert_eq!(ops(&g), ["conv2d", "max_pool", "max_pool", "relu"], "{g}");
        assert_eq!(g.value(g.outputs[0]).name, "pooling1_output");
        let layer = |name: &str| g.layers.iter().find(|l| l.name == name).expect("declared");
        assert!(layer("activation0").outputs.is_empty(), "nobody makes the long rectified array");
        assert!(layer("pooling0").outputs.is_empty(), "nor the pooled one before the second pooling");
        assert_eq!(layer("pooling1").outputs, g.outputs);
    }

    #[test]
    fn the_rectifier_moves_through_a_join() {
        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 20, 20], DType::F32);
        let (a, b) = (n.conv(x, 8, 3, 1, 1, true), n.conv(x, 4, 1, 1, 0, true));
        let (a, b) = (n.relu(a), n.relu(b));
        let z = n.call("concat", &[], &[a, b]);
        let p = pool(&mut n, z);
        let g = sunk(n, &[p], true);
        assert_eq!(ops(&g), ["conv2d", "conv2d", "concat", "max_pool", "relu"], "{g}");
    }

    #[test]
    fn what_others_read_stays() {
        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 20, 20], DType::F32);
        let r = n.relu(x);
        let p = pool(&mut n, r);
        let t = n.call("tanh", &[], &[x]);
        let q = pool(&mut n, t);
        let m = n.call("avg_pool", &[("kernel", Arg::Int(3))], &[r]);
        let s = n.relu(x);
        let u = n.call("concat", &[], &[s, t]);
        let u = pool(&mut n, u);
        let g = sunk(n, &[p, q, m, u], true);
        let want = ["relu", "max_pool", "tanh", "max_pool", "avg_pool", "relu", "concat", "max_pool"];
        assert_eq!(ops(&g), want, "{g}");
        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 20, 20], DType::F32);
        let r = n.relu(x);
        let p = pool(&mut n, r);
        assert_eq!(ops(&sunk(n, &[p, r], true)), ["relu", "max_pool"], "the network returns it");
    }

    #[test]
    fn prediction_moves_whatever_never_falls() {
        for (name, options, exact, moves) in [
            ("leaky_relu", alloc::vec![], false, true),
            ("leaky_relu", alloc::vec![], true, false),
            ("leaky_relu", alloc::vec![("slope", Arg::Float(-0.5))], false, false),
            ("clip", alloc::vec![("min", Arg::Float(-1.0)), ("max", Arg::Float(1.0))], false, true),
            ("clip", alloc::vec![("min", Arg::Float(-1.0)), ("max", Arg::Float(1.0))], true, false),
            ("floor", alloc::vec![], false, true),
            ("neg", alloc::vec![], false, false),
            ("abs", alloc::vec![], false, false),
            ("square", alloc::vec![], false, false),
            // Mathematically it never falls; the rounded one makes no such promise.
            ("tanh", alloc::vec![], false, false),
        ] {
            let mut n = Net::new("net");
            let x = n.batch("x", &[3, 20, 20], DType::F32);
            let f = n.call(name, &options, &[x]);
            let p = n.call("global_max_pool", &[], &[f]);
            let g = sunk(n, &[p], exact);
            assert_eq!(g.nodes[0].op.schema().name == "global_max_pool", moves, "{name}: {g}");
        }
    }
}
