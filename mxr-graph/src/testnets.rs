//! Networks for the tests of compiler and planner.

use crate::dim::Dim;
use crate::dtype::DType;
use crate::graph::{Graph, ValueId};
use crate::ops::find;
use crate::schema::Arg;
use crate::shape::Shape;

type Constructor = fn() -> Graph;

/// Name and constructor of every network here.
pub(crate) const ALL: [(&str, Constructor); 4] =
    [("lenet", lenet), ("resnet20", resnet20), ("resnet50", resnet50), ("inception", inception)];

/// A graph that is being declared.
pub(crate) struct Net {
    pub(crate) graph: Graph,
}

impl Net {
    pub(crate) fn new(name: &str) -> Net {
        Net { graph: Graph::new(name) }
    }

    /// `[N, dims…]`.
    pub(crate) fn batch(&mut self, name: &str, dims: &[usize], dtype: DType) -> ValueId {
        let n = Dim::symbol(self.graph.symbols.named("N"));
        let shape = core::iter::once(n).chain(dims.iter().map(|d| Dim::from(*d))).collect();
        self.graph.input(name, Shape(shape), dtype)
    }

    pub(crate) fn call(&mut self, op: &str, options: &[(&str, Arg)], inputs: &[ValueId]) -> ValueId {
        let op = find(op).unwrap_or_else(|| panic!("no operator {op}"));
        self.graph.call(op, options, inputs, None).unwrap_or_else(|e| panic!("{e}"))[0]
    }

    pub(crate) fn conv(
        &mut self,
        x: ValueId,
        filters: i64,
        k: i64,
        stride: i64,
        pad: i64,
        bias: bool,
    ) -> ValueId {
        let options = [
            ("filters", filters.into()),
            ("kernel", k.into()),
            ("stride", stride.into()),
            ("pad", pad.into()),
            ("bias", bias.into()),
        ];
        self.call("conv2d", &options, &[x])
    }

    pub(crate) fn dense(&mut self, x: ValueId, units: i64) -> ValueId {
        self.call("dense", &[("units", units.into())], &[x])
    }

    pub(crate) fn relu(&mut self, x: ValueId) -> ValueId {
        self.call("relu", &[], &[x])
    }

    fn conv_bn(&mut self, x: ValueId, filters: i64, k: i64, stride: i64, pad: i64) -> ValueId {
        let y = self.conv(x, filters, k, stride, pad, false);
        self.call("batch_norm", &[], &[y])
    }

    /// The loss, and the graph with nothing left open.
    pub(crate) fn classify(mut self, logits: ValueId) -> Graph {
        let label = self.batch("label", &[], DType::I64);
        let loss = self.call("softmax_cross_entropy", &[], &[logits, label]);
        self.finish(&[loss])
    }

    pub(crate) fn finish(mut self, outputs: &[ValueId]) -> Graph {
        self.graph.outputs = outputs.to_vec();
        assert_eq!(self.graph.settle(), []);
        self.graph
    }
}

pub(crate) fn lenet() -> Graph {
    let mut n = Net::new("LeNet");
    let x = n.batch("data", &[1, 28, 28], DType::F32);
    let c = n.conv(x, 20, 5, 1, 0, true);
    let t = n.call("tanh", &[], &[c]);
    let p = n.call("max_pool", &[("kernel", 2.into()), ("stride", 2.into())], &[t]);
    let c = n.conv(p, 50, 5, 1, 0, true);
    let t = n.call("tanh", &[], &[c]);
    let p = n.call("max_pool", &[("kernel", 2.into()), ("stride", 2.into())], &[t]);
    let f = n.call("flatten", &[], &[p]);
    let d = n.dense(f, 500);
    let t = n.call("tanh", &[], &[d]);
    let logits = n.dense(t, 10);
    n.classify(logits)
}

pub(crate) fn resnet20() -> Graph {
    let mut n = Net::new("ResNet20");
    let data = n.batch("data", &[3, 32, 32], DType::F32);
    let y = n.conv_bn(data, 16, 3, 1, 1);
    let mut x = n.relu(y);
    for (i, filters) in [16, 16, 16, 32, 32, 32, 64, 64, 64].into_iter().enumerate() {
        let stride = if i == 3 || i == 6 { 2 } else { 1 };
        let a = n.conv_bn(x, filters, 3, stride, 1);
        let a = n.relu(a);
        let b = n.conv_bn(a, filters, 3, 1, 1);
        let s = if stride == 2 { n.conv_bn(x, filters, 1, 2, 0) } else { x };
        let y = n.call("add", &[], &[b, s]);
        x = n.relu(y);
    }
    let p = n.call("global_avg_pool", &[], &[x]);
    let logits = n.dense(p, 10);
    n.classify(logits)
}

pub(crate) fn resnet50() -> Graph {
    let mut n = Net::new("ResNet50");
    let data = n.batch("data", &[3, 224, 224], DType::F32);
    let y = n.conv_bn(data, 64, 7, 2, 3);
    let y = n.relu(y);
    let mut x = n.call("max_pool", &[("kernel", 3.into()), ("stride", 2.into()), ("pad", 1.into())], &[y]);
    for (blocks, filters, first) in [(3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2)] {
        for i in 0..blocks {
            let stride = if i == 0 { first } else { 1 };
            let a = n.conv_bn(x, filters, 1, 1, 0);
            let a = n.relu(a);
            let b = n.conv_bn(a, filters, 3, stride, 1);
            let b = n.relu(b);
            let c = n.conv_bn(b, filters * 4, 1, 1, 0);
            let s = if i == 0 { n.conv_bn(x, filters * 4, 1, stride, 0) } else { x };
            let y = n.call("add", &[], &[c, s]);
            x = n.relu(y);
        }
    }
    let p = n.call("global_avg_pool", &[], &[x]);
    let logits = n.dense(p, 1000);
    n.classify(logits)
}

/// Branches that are joined, and two losses.
pub(crate) fn inception() -> Graph {
    let mut n = Net::new("Inception");
    let data = n.batch("data", &[3, 64, 64], DType::F32);
    let c = n.conv(data, 32, 3, 2, 1, true);
    let mut x = n.relu(c);
    let mut heads = alloc::vec::Vec::new();
    for round in 0..6 {
        let a = n.conv(x, 16, 1, 1, 0, true);
        let a = n.relu(a);
        let b = n.conv(x, 16, 1, 1, 0, true);
        let b = n.relu(b);
        let b = n.conv(b, 24, 3, 1, 1, true);
        let b = n.relu(b);
        let p = n.call("max_pool", &[("kernel", 3.into()), ("stride", 1.into()), ("pad", 1.into())], &[x]);
        let p = n.conv(p, 8, 1, 1, 0, true);
        let p = n.relu(p);
        x = n.call("concat", &[], &[a, b, p]);
        if round == 2 || round == 5 {
            let g = n.call("global_avg_pool", &[], &[x]);
            let d = n.call("dropout", &[("p", 0.4.into())], &[g]);
            heads.push(n.dense(d, 10));
        }
    }
    let label = n.batch("label", &[], DType::I64);
    let a = n.call("softmax_cross_entropy", &[], &[heads[0], label]);
    let b = n.call("softmax_cross_entropy", &[], &[heads[1], label]);
    let weight = n.graph.call(find("fill").expect("an operator"), &[("value", 0.3.into())], &[], None);
    let weight = weight.expect("a constant")[0];
    let a = n.call("mul", &[], &[a, weight]);
    let loss = n.call("add", &[], &[b, a]);
    n.finish(&[loss])
}
