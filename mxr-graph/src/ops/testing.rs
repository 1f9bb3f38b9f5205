//! What the operators' tests share: calls written as text, tables of shapes, and one suite over the whole list.

use super::{Lower, Lowered, OPS, Operator, Sample, find};
use crate::compile;
use crate::dim::Dim;
use crate::dtype::DType;
use crate::error::ShapeError;
use crate::graph::{Graph, Source, ValueId};
use crate::instr::Instr;
use crate::schema::{Arg, OperandKind, Options};
use crate::shape::Shape;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// One call in a graph of its own.
pub(crate) struct Call {
    pub(crate) graph: Graph,
    pub(crate) inputs: Vec<ValueId>,
    pub(crate) outputs: Vec<ValueId>,
}

/// Apply the operator `op` to shapes written as `"N 3 8 8 | N:i64"`: operands are parted by `|`, capital letters are symbols, `_`
/// is a hole, `:i64` is an element type (f32 without). Options are written as `"filters=4 kernel=3,5 pad=same"`.
pub(crate) fn infer(op: &str, inputs: &str, options: &str) -> Result<Call, ShapeError> {
    let op = find(op).unwrap_or_else(|| panic!("no operator `{op}`"));
    let mut graph = Graph::new("test");
    let mut ids = Vec::new();
    for (i, text) in inputs.split('|').enumerate() {
        let (dims, dtype) = text.split_once(':').unwrap_or((text, "f32"));
        let shape = Shape(dims.split_whitespace().map(|d| dim(&mut graph, d)).collect());
        let dtype = DType::from_name(dtype.trim()).expect("an element type");
        let name = op.schema().inputs.get(i).map_or("x", |o| o.name);
        ids.push(graph.input(name, shape, dtype));
    }
    let options: Vec<(&str, Arg)> = options
        .split_whitespace()
        .map(|o| {
            let (name, value) = o.split_once('=').expect("name=value");
            (name, arg(&mut graph, value))
        })
        .collect();
    let outputs = graph.call(op, &options, &ids, None)?;
    Ok(Call { graph, inputs: ids, outputs })
}

fn dim(graph: &mut Graph, text: &str) -> Dim {
    match text.parse::<i64>() {
        Ok(n) => Dim::Const(n),
        Err(_) if text == "_" => graph.symbols.hole(),
        Err(_) => Dim::symbol(graph.symbols.named(text)),
    }
}

fn arg(graph: &mut Graph, text: &str) -> Arg {
    if text.contains(',') {
        return Arg::List(text.split(',').map(|t| arg(graph, t)).collect());
    }
    match text {
        "_" => Arg::Hole,
        "true" | "false" => Arg::Bool(text == "true"),
        _ if text.starts_with(|c: char| c.is_uppercase()) => Arg::Dim(dim(graph, text)),
        _ => match (text.parse(), text.parse()) {
            (Ok(n), _) => Arg::Int(n),
            (_, Ok(x)) => Arg::Float(x),
            _ => Arg::from(text),
        },
    }
}

impl Call {
    /// The shape of a value.
    pub(crate) fn text(&mut self, id: ValueId) -> String {
        self.graph.shape(id).display(&self.graph.symbols).to_string()
    }

    /// `[N, 20, 24, 24]; weight [20, 1, 5, 5], bias [20]`: visible results, then parameters and states.
    pub(crate) fn summary(&mut self) -> String {
        let list = |call: &mut Call, ids: &[ValueId], named: bool| {
            let mut texts = Vec::new();
            for id in ids {
                let (shape, name) = (call.text(*id), call.graph.value(*id).name.clone());
                let dtype = call.graph.value(*id).dtype;
                let dtype = if dtype == DType::F32 { String::new() } else { dtype.to_string() };
                let short = name.split_once('_').map_or(&name[..], |(_, short)| short);
                texts.push(if named { format!("{short} {dtype}{shape}") } else { format!("{dtype}{shape}") });
            }
            texts.join(", ")
        };
        let made: Vec<ValueId> = (0..self.graph.values.len())
            .map(|i| ValueId(i as u32))
            .filter(|v| matches!(self.graph.value(*v).source, Source::Param | Source::Aux))
            .collect();
        let results = list(self, &self.outputs.clone(), false);
        if made.is_empty() { results } else { format!("{results}; {}", list(self, &made, true)) }
    }

    /// The options of the first node.
    pub(crate) fn options(&self) -> Options<'_> {
        let n = &self.graph.nodes[0];
        Options { schema: n.op.schema(), attrs: &n.attrs }
    }

    /// The operations of the whole call.
    pub(crate) fn flops(&mut self) -> String {
        self.graph.settle();
        let graph = &self.graph;
        let sum = graph.nodes.iter().fold(Dim::ZERO, |s, node| s.add(&node.op.flops(Lower { graph, node })));
        sum.display(&graph.symbols).to_string()
    }

    /// The operators of all nodes, in order.
    pub(crate) fn ops(&self) -> Vec<&'static str> {
        self.graph.nodes.iter().map(|n| n.op.schema().name).collect()
    }

    /// Append the backward pass of the sum of all results; every operand and parameter that holds floating-point numbers
    /// and gets a gradient gets one of its own shape. Gives how many do and how many could.
    pub(crate) fn backward(&mut self) -> (usize, usize) {
        for o in self.outputs.clone() {
            if self.graph.value(o).dtype.is_float() {
                let sum = self.graph.call(&super::reduce::SUM, &[], &[o], None).expect("anything has a sum");
                self.graph.outputs.push(sum[0]);
            }
        }
        let wrt: Vec<ValueId> = (0..self.graph.values.len())
            .map(|i| ValueId(i as u32))
            .filter(|v| {
                let v = self.graph.value(*v);
                v.dtype.is_float() && matches!(v.source, Source::Input | Source::Param)
            })
            .collect();
        crate::grad::backward(&mut self.graph, &wrt).expect("differentiable");
        for (x, dx) in self.graph.grads.clone() {
            let names = (self.graph.value(x).name.clone(), self.graph.value(dx).name.clone());
            assert_eq!(self.graph.shape(x), self.graph.shape(dx), "{names:?}\n{}", self.graph);
            assert_eq!(self.graph.value(x).dtype, self.graph.value(dx).dtype, "{names:?}\n{}", self.graph);
        }
        (self.graph.grads.len(), wrt.len())
    }
}

/// Calls that fit: inputs, options, and what [`Call::summary`] says.
pub(crate) fn table(op: &str, rows: &[(&str, &str, &str)]) {
    for (inputs, options, want) in rows {
        match infer(op, inputs, options) {
            Ok(mut call) => assert_eq!(&call.summary(), want, "{op}({inputs}; {options})"),
            Err(e) => panic!("{op}({inputs}; {options}): {e}"),
        }
    }
}

/// Calls that do not: inputs, options, the message, and a part of the help.
pub(crate) fn refused(op: &str, rows: &[(&str, &str, &str, &str)]) {
    for (inputs, options, message, help) in rows {
        match infer(op, inputs, options) {
            Ok(mut call) => panic!("{op}({inputs}; {options}) gives {}", call.summary()),
            Err(e) => {
                assert_eq!(&e.message, message, "{op}({inputs}; {options})");
                let have = e.help.unwrap_or_default();
                assert!(have.contains(help), "{op}({inputs}; {options}): help is {have:?}, not {help:?}");
            }
        }
    }
}

/// The call of a sample, operands of type f64.
pub(crate) fn sample(op: &'static dyn Operator, sample: &Sample) -> Call {
    let mut graph = Graph::new("sample");
    let inputs: Vec<ValueId> = sample
        .inputs
        .iter()
        .enumerate()
        .map(|(i, s)| graph.input(&format!("x{i}"), Shape::of(&s.shape), sample.dtype(i, DType::F64)))
        .collect();
    let outputs = graph
        .call(op, &sample.options, &inputs, None)
        .unwrap_or_else(|e| panic!("a sample of {} does not fit: {sample:?}\n{e}", op.schema().name));
    Call { graph, inputs, outputs }
}

/// How many operands and results an instruction has, at least and at most.
fn operands(instr: &Instr) -> ((usize, usize), usize) {
    let exactly = |n| (n, n);
    match instr {
        Instr::Map(_) | Instr::MapReduce { .. } | Instr::Concat { .. } => ((1, usize::MAX), 1),
        Instr::Fill(_) => (exactly(0), 1),
        Instr::View
        | Instr::Reduce(..)
        | Instr::Expand { .. }
        | Instr::Pool2d(_)
        | Instr::Lrn(_)
        | Instr::Softmax { .. }
        | Instr::Transpose { .. }
        | Instr::Slice { .. }
        | Instr::SliceBackward { .. }
        | Instr::Cast => (exactly(1), 1),
        Instr::MatMul { epilogue, .. } | Instr::Conv2d(_, epilogue) => {
            let least = 2 + usize::from(epilogue.residual) + usize::from(epilogue.mask);
            ((least, least + 1), 1)
        }
        Instr::Conv2dBackwardData(_, e) => (exactly(2 + usize::from(e.residual) + usize::from(e.mask)), 1),
        Instr::Conv2dBackwardWeight(_) => (exactly(2), 1),
        Instr::Pool2dBackward(p) if p.kind == crate::instr::PoolKind::Avg => (exactly(1), 1),
        Instr::Pool2dBackward(_) | Instr::Pool2dPlacesBackward(_) => (exactly(2), 1),
        Instr::BatchNormTrain(_, e) => (exactly(5 + usize::from(e.residual)), 3),
        Instr::BatchNormApply(_, e) | Instr::BatchNormInfer(_, e) => {
            (exactly(5 + usize::from(e.residual)), 1)
        }
        Instr::BatchNormBackward(_, e) => (exactly(5 + usize::from(e.relu)), 3),
        Instr::BatchNormInferBackward(_) => (exactly(5), 3),
        Instr::LrnBackward(_) | Instr::CrossEntropyBackward(_) => (exactly(3), 1),
        Instr::SoftmaxBackward { .. } | Instr::DropoutBackward { .. } => (exactly(2), 1),
        Instr::CrossEntropy(_) => (exactly(2), 2),
        Instr::Dropout { .. } | Instr::ReluMask | Instr::Pool2dPlaces(_) => (exactly(1), 2),
        Instr::Extern(_) | Instr::ExternBackward { .. } => {
            panic!("no operator of the list becomes {instr:?}")
        }
    }
}

mod suite {
    use super::*;

    #[test]
    fn schemas_are_sane() {
        let mut names = BTreeSet::new();
        for op in OPS {
            let s = op.schema();
            assert!(names.insert(s.name), "two operators are called {}", s.name);
            let word = |t: &str| t.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            assert!(word(s.name) && word(s.auto_name) && !s.auto_name.is_empty(), "{}", s.name);
            assert!(s.doc.len() > 20 && s.doc.trim_end().ends_with('.'), "{} has no doc", s.name);
            assert!(s.visible <= s.outputs.len() && !s.outputs.is_empty(), "{}", s.name);
            let mut inner = BTreeSet::new();
            for i in s.inputs {
                assert!(inner.insert(i.name) && !i.doc.is_empty(), "{}: operand {}", s.name, i.name);
            }
            let order: Vec<u8> = s
                .inputs
                .iter()
                .map(|i| match i.kind {
                    OperandKind::Data | OperandKind::Variadic => 0,
                    OperandKind::Param => 1,
                    OperandKind::Aux => 2,
                })
                .collect();
            assert!(order.is_sorted(), "{}: data, then parameters, then states", s.name);
            let variadic = s.inputs.iter().any(|i| i.kind == OperandKind::Variadic);
            assert!(!variadic || s.inputs.len() == 1, "{}: a variadic operand stands alone", s.name);
            let mut options = BTreeSet::new();
            for o in s.options {
                assert!(options.insert(o.name) && !o.doc.is_empty(), "{}: option {}", s.name, o.name);
            }
            let named = s.options.iter().skip_while(|o| o.positional);
            assert!(named.clone().all(|o| !o.positional), "{}: positional options come first", s.name);
            assert!(s.attrs([]).is_ok(), "{}: defaults", s.name);
        }
    }

    #[test]
    fn samples_infer_lower_and_differentiate() {
        let mut count = 0;
        for op in OPS.iter().copied() {
            let (name, samples) = (op.schema().name, op.samples());
            assert!(!samples.is_empty() || op.schema().internal, "{name} has no samples");
            for s in &samples {
                let mut call = sample(op, s);
                let visible = op.schema().visible;
                assert!(visible == 0 || call.outputs.len() == visible, "{name}");
                call.backward();
                let open = call.graph.settle();
                assert!(open.is_empty(), "{name}: unknown shapes\n{}", call.graph);
                for node in &call.graph.nodes {
                    let (reads, writes) = match node.op.lower(Lower { graph: &call.graph, node }) {
                        Lowered::Map(e) | Lowered::MapReduce(e, ..) => ((e.inputs(), usize::MAX), 1),
                        Lowered::Instr(i) => operands(&i),
                    };
                    let (n, m) = (node.inputs.len(), node.outputs.len());
                    let fits = (reads.0..=reads.1).contains(&n) && m == writes;
                    assert!(fits, "{name}: {} has {n} operands and {m} results", node.op.schema().name);
                }
                count += 1;
            }
        }
        assert!(count > OPS.len(), "{count} samples");
    }

    #[test]
    fn samples_compile_for_training_and_prediction() {
        for op in OPS.iter().copied() {
            for s in op.samples() {
                let call = sample(op, &s);
                let mut graph = call.graph;
                graph.outputs = call.outputs;
                graph.settle();
                let name = op.schema().name;
                let trained = compile::train(graph.clone()).unwrap_or_else(|e| panic!("{name}: {e}"));
                let predicted = compile::predict(graph).unwrap_or_else(|e| panic!("{name}: {e}"));
                assert!(!trained.outputs.is_empty() && !predicted.outputs.is_empty(), "{name}");
                for p in [&trained, &predicted] {
                    p.bind_symbols(&[]).unwrap_or_else(|e| panic!("{name}: {e:?}"));
                }
            }
        }
    }

    /// MXNet's LeNet: 20·25 + 20, 50·20·25 + 50, 500·800 + 500, 10·500 + 10 parameters.
    #[test]
    fn lenet() {
        let mut g = Graph::new("LeNet");
        let n = Dim::symbol(g.symbols.named("N"));
        let image = Shape(alloc::vec![n.clone(), Dim::ONE, Dim::Const(28), Dim::Const(28)]);
        let (mut x, label) =
            (g.input("data", image, DType::F32), g.input("label", Shape(alloc::vec![n]), DType::I64));
        let steps: [(&str, &[(&str, Arg)]); 11] = [
            ("conv2d", &[("filters", Arg::Int(20)), ("kernel", Arg::Int(5))]),
            ("tanh", &[]),
            ("max_pool", &[("kernel", Arg::Int(2))]),
            ("conv2d", &[("filters", Arg::Int(50)), ("kernel", Arg::Int(5))]),
            ("tanh", &[]),
            ("max_pool", &[("kernel", Arg::Int(2))]),
            ("flatten", &[]),
            ("dense", &[("units", Arg::Int(500))]),
            ("tanh", &[]),
            ("dropout", &[]),
            ("dense", &[("units", Arg::Int(10))]),
        ];
        for (op, options) in steps {
            x = g.call(find(op).expect("listed"), options, &[x], None).unwrap_or_else(|e| panic!("{e}"))[0];
        }
        let loss = find("softmax_cross_entropy").expect("listed");
        g.outputs = g.call(loss, &[], &[x, label], None).unwrap_or_else(|e| panic!("{e}"));
        assert!(g.settle().is_empty());
        assert!(g.checks.is_empty(), "everything is proven");

        let trained = compile::train(g.clone()).expect("differentiable");
        let size = |p: &u32| {
            trained.values[*p as usize].shape.iter().map(|d| d.as_const().unwrap()).product::<i64>()
        };
        assert_eq!(trained.params.iter().map(size).sum::<i64>(), 431_080);
        assert_eq!(trained.grads.len(), 9, "eight parameters and the data");
        assert_eq!(trained.predictions.len(), 1);
        // 2 · (20·24·24·25 + 50·8·8·500 + 500·800 + 10·500) per image.
        let flops = trained.layers.iter().fold(Dim::ZERO, |s, l| s.add(&l.flops));
        assert_eq!(flops.eval(&[1]), Some(4_586_000));

        let predicted = compile::predict(g).expect("no gradient is asked for");
        assert_eq!(predicted.inputs.len(), 1, "the label is gone");
        assert!(!predicted.steps.iter().any(|s| matches!(s.instr, Instr::Dropout { .. })));
        assert!(matches!(
            predicted.steps.last().expect("steps").instr,
            Instr::Softmax { axis: 1, log: false }
        ));
    }
}
