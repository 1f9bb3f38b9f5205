//! Random graphs.

use super::Rng;
use mxr_graph::dim::Dim;
use mxr_graph::dtype::DType;
use mxr_graph::graph::{Graph, ValueId};
use mxr_graph::ops::find;
use mxr_graph::schema::Arg;
use mxr_graph::shape::Shape;

/// Apply an operator with options that may or may not fit.
pub fn grow(g: &mut Graph, pool: &mut Vec<ValueId>, rng: &mut Rng, smooth: bool) {
    let x = pool[rng.below(pool.len())];
    let shape = g.shape(x);
    let rank = shape.rank();
    let axis = |rng: &mut Rng| Arg::Int(rng.range(0, rank.max(1) as i64 - 1));
    let list = |list: Vec<i64>| Arg::List(list.into_iter().map(Arg::Int).collect());
    let unary = ["tanh", "sigmoid", "softplus", "gelu", "erf", "softsign", "neg", "square"];
    let kinked =
        ["relu", "leaky_relu", "abs", "sign", "floor", "exp", "sqrt", "log", "rsqrt", "reciprocal", "log1p"];
    let (name, options, inputs): (&str, Vec<(&str, Arg)>, Vec<ValueId>) = match rng.below(14) {
        0 if !smooth => (rng.pick(&kinked), vec![], vec![x]),
        0..=2 => (rng.pick(&unary), vec![], vec![x]),
        3 | 4 => {
            let y = pool[rng.below(pool.len())];
            let more = if smooth {
                &["add", "sub", "mul"][..]
            } else {
                &["add", "div", "pow", "maximum", "less", "minimum"]
            };
            (rng.pick(more), vec![], vec![x, y])
        }
        5 => {
            let y = pool[rng.below(pool.len())];
            let mut turn = || Arg::Bool(rng.below(2) == 0);
            ("matmul", vec![("transpose_a", turn()), ("transpose_b", turn())], vec![x, y])
        }
        6 => {
            let kind =
                if smooth { rng.pick(&["sum", "mean"]) } else { rng.pick(&["sum", "mean", "max", "min"]) };
            let keep = Arg::Bool(rng.below(2) == 0);
            (
                kind,
                vec![("axes", list(vec![rng.range(0, rank.max(1) as i64 - 1)])), ("keepdims", keep)],
                vec![x],
            )
        }
        7 => {
            let mut axes: Vec<i64> = (0..rank as i64).collect();
            for i in (1..rank).rev() {
                axes.swap(i, rng.below(i + 1));
            }
            ("transpose", vec![("axes", list(axes))], vec![x])
        }
        8 => {
            let y = pool[rng.below(pool.len())];
            ("concat", vec![("axis", axis(rng))], vec![x, y, x])
        }
        9 => ("split", vec![("parts", Arg::Int(rng.range(1, 3))), ("axis", axis(rng))], vec![x]),
        10 => {
            let mut index = || {
                Arg::List(
                    (0..rank)
                        .map(|_| {
                            rng.pick(&[Arg::Hole, Arg::Int(0), Arg::Int(1), Arg::Int(-1)].each_ref()).clone()
                        })
                        .collect(),
                )
            };
            let (begin, end) = (index(), index());
            let step = Arg::List((0..rank).map(|_| Arg::Int(rng.pick(&[1, 1, 2, -1]))).collect());
            ("slice", vec![("begin", begin), ("end", end), ("step", step)], vec![x])
        }
        11 => ("expand_dims", vec![("axis", Arg::Int(rng.range(0, rank as i64)))], vec![x]),
        12 => (rng.pick(&["squeeze", "flatten"]), vec![], vec![x]),
        _ => {
            // The same elements under a shape with two neighbours merged.
            let at = rng.below(rank.max(2) - 1);
            let mut dims: Vec<Arg> = shape.iter().map(|d| Arg::Dim(d.clone())).collect();
            if rank > 1 {
                dims.splice(at..at + 2, [Arg::Hole]);
            }
            ("reshape", vec![("shape", Arg::List(dims))], vec![x])
        }
    };
    let op = find(name).unwrap_or_else(|| panic!("no operator {name}"));
    let before = g.to_string();
    match g.call(op, &options, &inputs, None) {
        Ok(results) => pool.extend(results),
        Err(e) => {
            assert_eq!(g.to_string(), before, "a refused {name} left something behind: {e}");
            assert!(!e.message.is_empty() && e.op.len() > 1, "{e:?}");
        }
    }
}

/// A graph of about 14 random operators; the values whose gradients may be asked for.
pub fn random_graph(rng: &mut Rng, lead: impl Fn(&mut Graph) -> Dim, smooth: bool) -> (Graph, Vec<ValueId>) {
    let mut g = Graph::new("random");
    let lead = lead(&mut g);
    let mut pool = Vec::new();
    for (name, dims) in [("a", vec![2, 3]), ("b", vec![3]), ("c", vec![3, 3])] {
        pool.push(g.param(name, Shape::of(&dims), DType::F64));
    }
    pool.push(g.input("x", Shape(vec![lead.clone(), Dim::Const(3)]), DType::F64));
    pool.push(g.input("y", Shape(vec![lead, Dim::Const(2), Dim::Const(3)]), DType::F64));
    let wrt = pool.clone();
    for _ in 0..14 {
        grow(&mut g, &mut pool, rng, smooth);
    }
    for v in [pool[pool.len() - 1], pool[rng.below(pool.len())]] {
        if !wrt.contains(&v) && !g.outputs.contains(&v) {
            g.outputs.push(v);
        }
    }
    (g, wrt)
}
