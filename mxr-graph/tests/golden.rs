//! Graphs as text, held against files: whoever changes a rule, a gradient or a name sees what that does to a whole network.
//!
//! `MXR_BLESS=1 cargo test -p mxr-graph --test golden` writes the files anew; read the difference before you commit it.

use mxr_graph::dim::Dim;
use mxr_graph::dtype::DType;
use mxr_graph::error::ShapeError;
use mxr_graph::grad::backward;
use mxr_graph::graph::{Graph, Source, ValueId};
use mxr_graph::ops::find;
use mxr_graph::schema::Arg;
use mxr_graph::shape::Shape;
use mxr_graph::verify::verify;
use std::path::Path;

struct Net(Graph);

impl Net {
    fn new(name: &str) -> Net {
        Net(Graph::new(name))
    }

    fn input(&mut self, name: &str, dims: &[i64], dtype: DType) -> ValueId {
        let n = Dim::symbol(self.0.symbols.named("N"));
        let dims = std::iter::once(n).chain(dims.iter().map(|d| Dim::Const(*d))).collect();
        self.0.input(name, Shape(dims), dtype)
    }

    fn layer(&mut self, name: &str, op: &str, options: &[(&str, i64)], inputs: &[ValueId]) -> ValueId {
        let options: Vec<_> = options.iter().map(|(n, v)| (*n, Arg::Int(*v))).collect();
        let op = find(op).unwrap_or_else(|| panic!("no operator {op}"));
        self.0.call(op, &options, inputs, Some(name)).unwrap_or_else(|e| panic!("{e}"))[0]
    }

    /// The whole graph with the gradients of its parameters, verified.
    fn text(mut self, loss: ValueId) -> Result<String, ShapeError> {
        self.0.outputs.push(loss);
        assert!(self.0.settle().is_empty(), "every shape is known");
        verify(&self.0).unwrap_or_else(|e| panic!("{e}\n{}", self.0));
        let params = (0..self.0.values.len() as u32).map(ValueId);
        let params: Vec<ValueId> = params.filter(|v| self.0.value(*v).source == Source::Param).collect();
        backward(&mut self.0, &params)?;
        assert_eq!(self.0.grads.len(), params.len(), "every parameter has a gradient");
        self.0.settle();
        verify(&self.0).unwrap_or_else(|e| panic!("{e}\n{}", self.0));
        Ok(self.0.to_string())
    }
}

fn compare(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    if std::env::var_os("MXR_BLESS").is_some() {
        std::fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        return;
    }
    let want = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    for (at, (have, want)) in text.lines().zip(want.lines()).enumerate() {
        assert_eq!(have, want, "{file}, line {}; MXR_BLESS=1 accepts the change", at + 1);
    }
    assert_eq!(
        text.lines().count(),
        want.lines().count(),
        "{file} has another length; MXR_BLESS=1 accepts it"
    );
}

/// LeCun et al., 1998, in the form of MXNet's example: two convolutions of 20 and 50 filters, 500 hidden units.
#[test]
fn lenet() {
    let mut net = Net::new("LeNet");
    let data = net.input("data", &[1, 28, 28], DType::F32);
    let label = net.input("label", &[], DType::I64);
    let conv1 = net.layer("conv1", "conv2d", &[("filters", 20), ("kernel", 5)], &[data]);
    let tanh1 = net.layer("tanh1", "tanh", &[], &[conv1]);
    let pool1 = net.layer("pool1", "max_pool", &[("kernel", 2), ("stride", 2)], &[tanh1]);
    let conv2 = net.layer("conv2", "conv2d", &[("filters", 50), ("kernel", 5)], &[pool1]);
    let tanh2 = net.layer("tanh2", "tanh", &[], &[conv2]);
    let pool2 = net.layer("pool2", "max_pool", &[("kernel", 2), ("stride", 2)], &[tanh2]);
    let flat = net.layer("flatten", "flatten", &[], &[pool2]);
    let fc1 = net.layer("fc1", "dense", &[("units", 500)], &[flat]);
    let tanh3 = net.layer("tanh3", "tanh", &[], &[fc1]);
    let fc2 = net.layer("fc2", "dense", &[("units", 10)], &[tanh3]);
    let loss = net.layer("loss", "softmax_cross_entropy", &[], &[fc2, label]);
    compare("lenet.txt", &net.text(loss).expect("differentiable"));
}

/// Two heads of self-attention: split, transpose, stacks of products, a residual sum.
#[test]
fn attention() {
    let mut net = Net::new("Attention");
    let x = net.input("x", &[16, 8], DType::F32);
    let weight = net.0.param("qkv_weight", Shape::of(&[8, 24]), DType::F32);
    let qkv = net.layer("qkv", "matmul", &[], &[x, weight]);
    let split = find("split").expect("an operator");
    let options = [("parts", Arg::Int(3)), ("axis", Arg::Int(-1))];
    let parts = net.0.call(split, &options, &[qkv], Some("parts")).expect("24 is 3 times 8");
    let dims = |d: &[Dim]| Arg::List(d.iter().map(|d| Arg::Dim(d.clone())).collect());
    let n = Dim::symbol(net.0.symbols.named("N"));
    let heads = [n.clone(), 16i64.into(), 2i64.into(), 4i64.into()];
    let mut by_head = |name: &str, part: ValueId| {
        let (reshape, transpose) =
            (find("reshape").expect("an operator"), find("transpose").expect("an operator"));
        let tall = net.0.call(reshape, &[("shape", dims(&heads))], &[part], Some(&format!("{name}_heads")));
        let axes = Arg::List([0, 2, 1, 3].map(Arg::Int).to_vec());
        net.0.call(transpose, &[("axes", axes)], &tall.expect("fits"), Some(name)).expect("fits")[0]
    };
    let [q, k, v] = [by_head("q", parts[0]), by_head("k", parts[1]), by_head("v", parts[2])];
    let matmul = find("matmul").expect("an operator");
    let scores =
        net.0.call(matmul, &[("transpose_b", Arg::Bool(true))], &[q, k], Some("scores")).expect("fits")[0];
    let prob = net.layer("prob", "softmax", &[], &[scores]);
    let mixed = net.layer("mixed", "matmul", &[], &[prob, v]);
    let axes = Arg::List([0, 2, 1, 3].map(Arg::Int).to_vec());
    let back = net.0.call(find("transpose").expect("an operator"), &[("axes", axes)], &[mixed], Some("back"));
    let whole = dims(&[n, 16i64.into(), 8i64.into()]);
    let reshape = find("reshape").expect("an operator");
    let merged =
        net.0.call(reshape, &[("shape", whole)], &back.expect("fits"), Some("merged")).expect("fits")[0];
    let sum = net.layer("residual", "add", &[], &[merged, x]);
    let loss = net.layer("loss", "mean", &[], &[sum]);
    compare("attention.txt", &net.text(loss).expect("differentiable"));
}
