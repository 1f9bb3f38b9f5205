//! Simplification: constants folded into what reads them, operations without effect removed.

use super::{Renamed, is};
use crate::dim::Dim;
use crate::dtype::DType;
use crate::expr::Expr;
use crate::graph::{Graph, Node, Source, ValueId};
use crate::instr::{Axes, BinOp, Instr, ReduceKind, Scalar};
use crate::ops::batch_norm::BatchNormBackward;
use crate::ops::transpose::Transpose;
use crate::ops::{Cast, Expand, Fill, Lower, Lowered, Map, Operator, Reshape, concat::Concat};
use crate::schema::{Attr, Attrs};
use crate::shape::Shape;
use alloc::vec::Vec;

/// Simplify every node, in order:
///
/// * constant operands of elementwise operators move into their expression, `x + 0` and `x · 1` are `x`, what has
///   constant operands only is a constant, and so is a part or a transpose of one;
/// * a view of a view is a view of the first value, one that changes nothing is that value; transposes of transposes are one, or none;
/// * reductions and repetitions over axes of extent 1 are views, conversions to the same type and joins of one array are nothing;
/// * the gradient of a bias that a batch normalisation takes out again is 0 (a NaN in front of it is seen in all other gradients);
/// * a repetition along new axes is a view with extents of 1 there, then a repetition that elementwise consumers can read
///   through.
///
/// What becomes unused stays for [`dce`](super::dce()).
pub fn simplify(graph: &mut Graph) {
    let mut renamed = Renamed::new(graph);
    let nodes = core::mem::take(&mut graph.nodes);
    graph.nodes.reserve(nodes.len());
    for mut node in nodes {
        renamed.update(&mut node.inputs);
        if let Some(same) = rewrite(graph, &mut node) {
            renamed.set(node.outputs[0], same);
        }
        super::push(graph, node);
    }
    renamed.finish(graph);
}

/// Rewrite a node in place, or give the value that its result is.
fn rewrite(graph: &mut Graph, node: &mut Node) -> Option<ValueId> {
    let [out] = node.outputs[..] else { return None };
    if let Some(expr) = node.op.expr(options(node)) {
        return elementwise(graph, node, expr);
    }
    let &[x] = &node.inputs[..] else { return None };
    if let Some(value) = constant(graph, x)
        && matches!(
            node.op.lower(Lower { graph, node }),
            Lowered::Instr(Instr::Transpose { .. } | Instr::Slice { .. })
        )
    {
        let result = graph.value(out);
        fill(node, value, &result.shape, result.dtype);
        return None;
    }
    if is(node, &Cast) {
        return (graph.value(x).dtype == graph.value(out).dtype).then_some(x);
    }
    if is(node, &Concat) {
        return Some(x);
    }
    if is(node, &Transpose) {
        return transpose(graph, node);
    }
    if is(node, &Expand) {
        return expand(graph, node);
    }
    let view = match node.op.lower(Lower { graph, node }) {
        Lowered::Instr(Instr::View) => true,
        Lowered::Instr(Instr::Reduce(kind, axes)) if sums_to_zero(graph, x, kind, axes) => {
            let result = graph.value(out);
            fill(node, 0.0, &result.shape, result.dtype);
            return None;
        }
        // Sum, mean and extremes of one element are the element.
        Lowered::Instr(Instr::Reduce(_, axes)) => {
            let one = |(a, d): (usize, &Dim)| !axes.has(a) || *d == Dim::ONE;
            graph.value(x).shape.iter().enumerate().all(one)
        }
        _ => false,
    };
    if view { reshape(graph, node, x, out) } else { None }
}

/// Whether a batch normalisation's gradient is summed over what the statistics were taken of. With `x̂ = (x − μ) / σ`, that is
/// `dx = γ / σ · (dy − mean dy − x̂ · mean(dy · x̂))`, where `mean x̂ = 0`, so that `Σ dx = 0`.
fn sums_to_zero(graph: &Graph, x: ValueId, kind: ReduceKind, axes: Axes) -> bool {
    let Some(p) = graph.producer(x).filter(|p| is(p, &BatchNormBackward) && p.outputs[0] == x) else {
        return false;
    };
    let Lowered::Instr(Instr::BatchNormBackward(norm, _)) = p.op.lower(Lower { graph, node: p }) else {
        return false;
    };
    let all_but_channels =
        (0..graph.value(x).shape.rank()).all(|a| axes.has(a) != (a == usize::from(norm.axis)));
    matches!(kind, ReduceKind::Sum | ReduceKind::Mean) && all_but_channels
}

fn options(node: &Node) -> crate::schema::Options<'_> {
    crate::schema::Options { schema: node.op.schema(), attrs: &node.attrs }
}

/// The node is a view of `x`.
fn reshape(graph: &Graph, node: &mut Node, x: ValueId, out: ValueId) -> Option<ValueId> {
    let mut from = x;
    if let Some(p) = graph.producer(x)
        && is(p, &Reshape)
    {
        from = p.inputs[0];
    }
    let (value, result) = (graph.value(from), graph.value(out));
    if value.shape == result.shape {
        return Some(from);
    }
    if let Some(value) = constant(graph, from) {
        fill(node, value, &result.shape, result.dtype);
        return None;
    }
    node.op = &Reshape;
    node.attrs = reshape_attrs(&result.shape);
    node.inputs = alloc::vec![from];
    None
}

fn reshape_attrs(shape: &Shape) -> Attrs {
    alloc::vec![Attr::Dims(shape.iter().map(|d| Some(d.clone())).collect())]
}

fn fill(node: &mut Node, value: f64, shape: &Shape, dtype: DType) {
    node.op = &Fill;
    node.attrs = Fill::attrs(value, shape, dtype);
    node.inputs.clear();
}

/// The number that all elements of a value are.
fn constant(graph: &Graph, value: ValueId) -> Option<f64> {
    let p = graph.producer(value)?;
    is(p, &Fill).then(|| options(p).float("value"))
}

fn transpose(graph: &Graph, node: &mut Node) -> Option<ValueId> {
    let x = node.inputs[0];
    if let Some(p) = graph.producer(x)
        && is(p, &Transpose)
        && let (Attr::Ints(inner), Attr::Ints(outer)) = (&p.attrs[0], &node.attrs[0])
    {
        node.attrs = alloc::vec![Attr::Ints(outer.iter().map(|a| inner[*a as usize]).collect())];
        node.inputs = p.inputs.clone();
    }
    let x = node.inputs[0];
    let Attr::Ints(axes) = &node.attrs[0] else { return None };
    if axes.iter().copied().eq(0..axes.len() as i64) {
        return Some(x);
    }
    match node.op.lower(Lower { graph, node }) {
        Lowered::Instr(Instr::View) => reshape(graph, node, x, node.outputs[0]),
        _ => None,
    }
}

fn expand(graph: &mut Graph, node: &mut Node) -> Option<ValueId> {
    let (x, out) = (node.inputs[0], node.outputs[0]);
    let Attr::Ints(axes) = options(node).get("axes").clone() else { return None };
    let (result, rank) = (graph.value(out).shape.clone(), graph.value(x).shape.rank());
    let repeats = axes.iter().fold(Dim::ONE, |p, a| p.mul(&result[*a as usize]));
    if repeats == Dim::ONE {
        return reshape(graph, node, x, out);
    }
    let mean = options(node).bool("mean");
    if !mean && let Some(value) = constant(graph, x) {
        let dtype = graph.value(out).dtype;
        fill(node, value, &result, dtype);
        return None;
    }
    // Of a mean, the division belongs to the few elements before they are repeated.
    let count = repeats.as_const();
    if mean && count.is_none() {
        return None;
    }
    let mut kept = result;
    for a in &axes {
        kept.0[*a as usize] = Dim::ONE;
    }
    let mut from = x;
    if let Some(count) = count.filter(|_| mean) {
        let divided = Expr::build(|e| {
            let (x, n) = (e.input(0), e.constant(count as f64));
            e.bin(BinOp::Div, x, n)
        });
        from = insert(graph, node, &Map, alloc::vec![Attr::Expr(divided)], from);
    }
    if rank != kept.rank() {
        from = insert(graph, node, &Reshape, reshape_attrs(&kept), from);
    }
    node.inputs = alloc::vec![from];
    let at = node.op.schema().option("mean").expect("an option of the schema");
    node.attrs[at] = Attr::Bool(false);
    None
}

/// A new node of one operand before `node`, of its layer and pass.
fn insert(graph: &mut Graph, node: &Node, op: &'static dyn Operator, attrs: Attrs, x: ValueId) -> ValueId {
    let layer = node.layer;
    let apply = |g: &mut Graph| g.apply(op, attrs, &[x], None).expect("a shape that fits")[0];
    if !node.backward {
        return graph.within(layer, apply);
    }
    graph.backward_of = Some(layer);
    let value = apply(graph);
    graph.backward_of = None;
    value
}

/// Fold constant operands into the expression.
fn elementwise(graph: &Graph, node: &mut Node, expr: Expr) -> Option<ValueId> {
    let out = graph.value(node.outputs[0]);
    // A fraction in an array of integers would be truncated.
    let exact = |x: &f64| out.dtype.is_float() || (*x == (*x as i64) as f64 && out.dtype != DType::Bool);
    let constants: Vec<Option<f64>> =
        node.inputs.iter().map(|i| constant(graph, *i).filter(&exact)).collect();
    let mut folded = None;
    if constants.iter().any(Option::is_some) {
        let left: Vec<ValueId> =
            (0..node.inputs.len()).filter(|i| constants[*i].is_none()).map(|i| node.inputs[i]).collect();
        // Without the constants the operands must still have the result's shape between them.
        if left.is_empty() || super::covers(graph, &left, &out.shape) {
            let e = Expr::build(|e| {
                let mut next = 0;
                let lines: Vec<_> = constants
                    .iter()
                    .map(|c| match c {
                        Some(x) => e.constant(*x),
                        None => {
                            next += 1;
                            e.input(next - 1)
                        }
                    })
                    .collect();
                e.append(&expr, &lines)
            });
            let (e, used) = e.compact();
            let inputs: Vec<ValueId> = used.iter().map(|u| left[*u]).collect();
            match e.lines[..] {
                [Scalar::Const(x)] => {
                    fill(node, x, &out.shape, out.dtype);
                    return None;
                }
                // The shape may hang on an operand whose value no longer matters.
                _ if !super::covers(graph, &inputs, &out.shape) => {}
                _ => {
                    node.inputs = inputs;
                    node.op = &Map;
                    node.attrs = alloc::vec![Attr::Expr(e.clone())];
                    folded = Some(e);
                }
            }
        }
    }
    let identity = matches!(folded.as_ref().unwrap_or(&expr).lines[..], [Scalar::In(0)]);
    let x = *node.inputs.first()?;
    (identity && graph.value(x).shape == out.shape && !matches!(out.source, Source::HeadGrad(_))).then_some(x)
}
