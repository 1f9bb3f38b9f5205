//! Transposes that nobody needs: around elementwise operations they cancel, in front of a product they are its flag.

use super::is;
use super::readers::Readers;
use crate::graph::{Graph, Node, ValueId};
use crate::instr::{Instr, Scalar};
use crate::ops::transpose::Transpose;
use crate::ops::{Lower, Lowered, Map, MatMul};
use crate::schema::{Attr, Options};
use alloc::vec::Vec;

/// Remove transposes:
///
/// * one of an elementwise value whose operands are transposed the other way (or are numbers): the value of the operands as they
///   are, with the same bits;
/// * one that exchanges the last two axes, and that products alone read: their `transpose_a` or `transpose_b`. The kernel of the
///   product may then be another one, so that its sums may be rounded otherwise.
///
/// Transposes of transposes and those that move no element are the business of [`simplify`](super::simplify()). What becomes unused
/// stays for [`dce`](super::dce()).
pub fn cancel_transposes(graph: &mut Graph) {
    for at in 0..graph.nodes.len() {
        if let Some((op, attrs, inputs)) = around(graph, &graph.nodes[at]) {
            let node = &mut graph.nodes[at];
            (node.op, node.attrs, node.inputs) = (op, attrs, inputs);
        }
    }
    let readers = Readers::new(graph);
    for at in 0..graph.nodes.len() {
        let node = &graph.nodes[at];
        let Some(x) = exchanged(graph, node) else { continue };
        let v = node.outputs[0];
        if readers.is_result(v) || !readers.nodes(v).all(|r| is(&graph.nodes[r], &MatMul)) {
            continue;
        }
        for r in readers.nodes(v) {
            let product = &mut graph.nodes[r];
            for operand in (0..2).filter(|i| product.inputs[*i] == v).collect::<Vec<_>>() {
                let name = ["transpose_a", "transpose_b"][operand];
                let flag = product.op.schema().option(name).expect("an option of the schema");
                product.attrs[flag] = Attr::Bool(product.attrs[flag] != Attr::Bool(true));
                product.inputs[operand] = x;
            }
        }
    }
}

/// The operand, if the node exchanges its last two axes and nothing else.
fn exchanged(graph: &Graph, node: &Node) -> Option<ValueId> {
    let axes = permutation(graph, node)?;
    let n = axes.len();
    let as_it_is = axes.iter().take(n.checked_sub(2)?).copied().eq(0..n as i64 - 2);
    (as_it_is && axes[n - 2..] == [n as i64 - 1, n as i64 - 2]).then(|| node.inputs[0])
}

/// The axes of a transpose that moves elements.
fn permutation<'a>(graph: &Graph, node: &'a Node) -> Option<&'a [i64]> {
    let Attr::Ints(axes) = is(node, &Transpose).then(|| node.attrs.first())?? else { return None };
    let moves = matches!(node.op.lower(Lower { graph, node }), Lowered::Instr(Instr::Transpose { .. }));
    moves.then_some(axes)
}

type Rewritten = (&'static dyn crate::ops::Operator, crate::schema::Attrs, Vec<ValueId>);

/// `transpose(f(transpose(x), …))` as `f(x, …)`.
fn around(graph: &Graph, node: &Node) -> Option<Rewritten> {
    let outer = permutation(graph, node)?;
    let inner = graph.producer(node.inputs[0])?;
    if inner.backward != node.backward {
        return None;
    }
    let expr = inner.op.expr(Options { schema: inner.op.schema(), attrs: &inner.attrs })?;
    if matches!(expr.lines[..], [Scalar::In(_)]) {
        return None;
    }
    let mut transposed = false;
    let mut inputs = Vec::with_capacity(inner.inputs.len());
    for v in &inner.inputs {
        let cancels = |p: &Node| {
            let first = permutation(graph, p)?;
            let both = outer.iter().map(|a| first[*a as usize]);
            (first.len() == outer.len() && both.eq(0..outer.len() as i64)).then(|| p.inputs[0])
        };
        if let Some(x) = graph.producer(*v).and_then(cancels) {
            transposed = true;
            inputs.push(x);
        } else if graph.value(*v).shape.rank() == 0 {
            inputs.push(*v);
        } else {
            return None;
        }
    }
    transposed.then(|| (&Map as _, alloc::vec![Attr::Expr(expr)], inputs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use crate::passes::dce;
    use crate::schema::Arg;
    use crate::testnets::Net;
    use crate::verify::verify;

    fn axes(list: &[i64]) -> Arg {
        Arg::List(list.iter().map(|a| Arg::Int(*a)).collect())
    }

    fn after(net: Net, outputs: &[ValueId]) -> (Graph, Vec<&'static str>) {
        let mut g = net.graph;
        g.outputs = outputs.to_vec();
        g.settle();
        cancel_transposes(&mut g);
        dce(&mut g);
        verify(&g).unwrap_or_else(|e| panic!("{e}\n{g}"));
        let ops = g.nodes.iter().map(|n| n.op.schema().name).collect();
        (g, ops)
    }

    #[test]
    fn they_cancel_around_elementwise_operations() {
        let mut n = Net::new("net");
        let (x, z) = (n.batch("x", &[3, 4, 5], DType::F32), n.batch("z", &[3, 4, 5], DType::F32));
        let there = [("axes", axes(&[0, 2, 3, 1]))];
        let a = n.call("transpose", &there, &[x]);
        let b = n.call("transpose", &there, &[z]);
        let sum = n.call("add", &[], &[a, b]);
        let y = n.call("transpose", &[("axes", axes(&[0, 3, 1, 2]))], &[sum]);
        let (g, ops) = after(n, &[y]);
        assert_eq!(ops, ["map"], "{g}");
        assert_eq!(g.nodes[0].inputs, [x, z]);
    }

    #[test]
    fn another_order_or_a_broadcast_operand_stays() {
        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 4, 4], DType::F32);
        let row = n.graph.param("row", crate::shape::Shape::of(&[3]), DType::F32);
        let a = n.call("transpose", &[("axes", axes(&[0, 2, 3, 1]))], &[x]);
        let sum = n.call("add", &[], &[a, row]);
        let y = n.call("transpose", &[("axes", axes(&[0, 3, 1, 2]))], &[sum]);
        let t = n.call("tanh", &[], &[a]);
        let z = n.call("transpose", &[("axes", axes(&[0, 2, 3, 1]))], &[t]);
        let (g, ops) = after(n, &[y, z]);
        assert_eq!(ops, ["transpose", "add", "transpose", "tanh", "transpose"], "{g}");
    }

    #[test]
    fn a_product_reads_its_operand_as_it_is_stored() {
        let mut n = Net::new("net");
        let (q, k) = (n.batch("q", &[6, 8], DType::F32), n.batch("k", &[6, 8], DType::F32));
        let last = [("axes", axes(&[0, 2, 1]))];
        let kt = n.call("transpose", &last, &[k]);
        let y = n.call("matmul", &[], &[q, kt]);
        let qt = n.call("transpose", &last, &[q]);
        let z = n.call("matmul", &[("transpose_a", true.into())], &[qt, kt]);
        let (g, ops) = after(n, &[y, z]);
        assert_eq!(ops, ["matmul", "matmul"], "{g}");
        let flags: Vec<_> = g.nodes.iter().map(|n| n.attrs.clone()).collect();
        let [no, yes] = [Attr::Bool(false), Attr::Bool(true)];
        assert_eq!(flags, [[no.clone(), yes.clone()], [no, yes]], "{g}");
    }

    #[test]
    fn what_others_read_is_transposed_for_the_product_too() {
        let mut n = Net::new("net");
        let (q, k) = (n.batch("q", &[6, 8], DType::F32), n.batch("k", &[6, 8], DType::F32));
        let kt = n.call("transpose", &[("axes", axes(&[0, 2, 1]))], &[k]);
        let y = n.call("matmul", &[], &[q, kt]);
        let (g, ops) = after(n, &[y, kt]);
        assert_eq!(ops, ["transpose", "matmul"], "{g}");
    }
}
