//! From a graph to a program: operators become instructions.

use crate::dim::{Dim, SymbolDef};
use crate::expr::Expr;
use crate::graph::{Graph, Node, Source, ValueId};
use crate::instr::{Instr, Layout, Scalar};
use crate::ops::external::Extern;
use crate::ops::{Lower, Lowered};
use crate::program::{List, Operand, Program, ProgramCheck, ProgramLayer, ProgramValue, Role, Step, Text};
use crate::shape::Shape;
use crate::training::Training;
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// What is known of the declared network and must outlive the passes.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// Weights in MXNet's order.
    pub params: Vec<ValueId>,
    /// States in MXNet's order.
    pub aux: Vec<ValueId>,
    /// The shape of every layer's first result.
    pub shapes: Vec<Shape>,
    /// Floating-point operations of every layer, forward.
    pub flops: Vec<Dim>,
    /// What every layer reads besides weights and states.
    pub operands: Vec<Vec<Operand>>,
    /// Which layers the network needs in this mode.
    pub needed: Vec<bool>,
}

impl Declared {
    /// Values got new numbers.
    pub(crate) fn follow(&mut self, new: &[Option<ValueId>]) {
        for list in [&mut self.params, &mut self.aux] {
            *list = list.iter().filter_map(|v| new[v.index()]).collect();
        }
        for list in &mut self.operands {
            list.retain_mut(|o| match o {
                Operand::Layer(_) => true,
                Operand::Fed(v) => new[*v as usize].map(|n| *v = n.0).is_some(),
            });
        }
    }
}

/// The program of a graph, without a memory plan.
pub(crate) fn lower(graph: &Graph, declared: &Declared) -> Program {
    let mut b = Builder::new(graph);
    let backward = graph.nodes.iter().position(|n| n.backward).unwrap_or(graph.nodes.len());
    for n in &graph.nodes[..backward] {
        b.node(n);
    }
    let mut own = alloc::vec![false; graph.values.len()];
    let outputs: Vec<u32> = graph.outputs.iter().map(|v| b.own(*v, &mut own, false)).collect();
    let shared = |v: &ValueId| graph.outputs.iter().position(|o| o == v).map(|at| outputs[at]);
    let predictions =
        graph.predictions.iter().map(|v| shared(v).unwrap_or_else(|| b.own(*v, &mut own, false))).collect();
    let forward = b.steps.len() as u32;
    for n in &graph.nodes[backward..] {
        b.node(n);
    }
    let grads = graph.grads.iter().map(|(v, g)| (v.0, b.own(*g, &mut own, true))).collect();
    // One value may be returned several times; its head gradients come in the order of those outputs.
    let mut fed: Vec<ValueId> = Vec::new();
    let mut heads: Vec<(u32, u32)> = Vec::new();
    for (at, v) in graph.values.iter().enumerate() {
        let Source::HeadGrad(of) = v.source else { continue };
        let before = fed.iter().filter(|f| **f == of).count();
        let mut places = (0..outputs.len()).filter(|o| graph.outputs[*o] == of);
        if let Some(o) = places.nth(before) {
            heads.push((outputs[o], at as u32));
        }
        fed.push(of);
    }
    let inputs = (0..graph.values.len() as u32).filter(|v| graph.value(ValueId(*v)).source == Source::Input);
    let numbers = |list: &[ValueId]| list.iter().map(|v| v.0).collect::<Vec<u32>>();
    let (layers, places) = layers(graph, declared, &b.steps);
    for s in &mut b.steps {
        s.layer = places.get(s.layer as usize).copied().unwrap_or(0);
    }
    let checks = graph.checks.iter().map(|c| ProgramCheck {
        dim: c.dim.clone(),
        exact: c.exact,
        message: Cow::Owned(c.error.to_string()),
    });
    let mut program = Program {
        name: owned(&graph.name),
        symbols: Cow::Owned(graph.symbols.list().to_vec()),
        values: b.values.into(),
        steps: b.steps.into(),
        forward,
        exprs: b.exprs.into(),
        layers: layers.into(),
        inputs: inputs.collect(),
        params: numbers(&declared.params).into(),
        training: {
            let how = |v: &ValueId| (v.0, graph.value(*v).training);
            declared.params.iter().map(how).filter(|(_, how)| *how != Training::DEFAULT).collect()
        },
        aux: numbers(&declared.aux).into(),
        outputs: outputs.into(),
        predictions,
        heads: heads.into(),
        grads,
        flops: work(graph),
        checks: checks.collect(),
        plan: None,
    };
    let used = 1 + used_symbols(&program).iter().rposition(|u| *u).map_or(-1, |at| at as isize);
    program.symbols.to_mut().truncate(used as usize);
    program
}

struct Builder<'a> {
    graph: &'a Graph,
    values: Vec<ProgramValue>,
    steps: Vec<Step>,
    exprs: Vec<List<Scalar>>,
}

impl<'a> Builder<'a> {
    fn new(graph: &'a Graph) -> Builder<'a> {
        let role = |s: &Source| match s {
            Source::Input => Role::Input,
            Source::HeadGrad(_) => Role::HeadGrad,
            Source::Param => Role::Param,
            Source::Aux => Role::Aux,
            Source::Node { .. } => Role::Internal,
        };
        let values = graph.values.iter().map(|v| ProgramValue {
            name: owned(&v.name),
            dtype: v.dtype,
            shape: Cow::Owned(v.shape.0.clone()),
            role: role(&v.source),
            layout: Layout::Nchw,
        });
        Builder {
            graph,
            values: values.collect(),
            steps: Vec::with_capacity(graph.nodes.len() + 4),
            exprs: Vec::new(),
        }
    }

    fn node(&mut self, node: &'a Node) {
        let writes: Vec<u32> = node.outputs.iter().map(|o| o.0).collect();
        let mut reads: Vec<u32> = node.inputs.iter().map(|i| i.0).collect();
        let instr = match node.op.lower(Lower { graph: self.graph, node }) {
            Lowered::Instr(i) => i,
            Lowered::MapReduce(e, kind, axes) => Instr::MapReduce { expr: self.expr(e), kind, axes },
            Lowered::Map(e) => {
                let (e, used) = e.compact();
                reads = used.iter().map(|u| reads[*u]).collect();
                match (&e.lines[..], &reads[..]) {
                    ([Scalar::In(0)], [x]) if self.same_shape(*x, writes[0]) => Instr::View,
                    ([Scalar::Const(c)], []) => Instr::Fill(*c),
                    _ => Instr::Map(self.expr(e)),
                }
            }
        };
        self.steps.push(Step { instr, reads: reads.into(), writes: writes.into(), layer: node.layer.0 });
    }

    fn same_shape(&self, a: u32, b: u32) -> bool {
        let (a, b) = (&self.values[a as usize], &self.values[b as usize]);
        a.shape == b.shape && a.dtype == b.dtype
    }

    /// The number of an expression in the table.
    fn expr(&mut self, e: Expr) -> u32 {
        let known = self.exprs.iter().position(|k| **k == *e.lines);
        let at = known.unwrap_or_else(|| {
            self.exprs.push(e.lines.into());
            self.exprs.len() - 1
        });
        at as u32
    }

    /// A result that the user keeps is a value of its own, made by a step: one that is fed, trained, or kept in
    /// another role already is copied.
    fn own(&mut self, value: ValueId, taken: &mut [bool], grad: bool) -> u32 {
        let v = self.graph.value(value);
        let Source::Node { node, .. } = v.source else { return self.copy(value, 0, grad) };
        if core::mem::replace(&mut taken[value.index()], true) {
            return self.copy(value, self.graph.nodes[node as usize].layer.0, grad);
        }
        value.0
    }

    fn copy(&mut self, value: ValueId, layer: u32, grad: bool) -> u32 {
        let new = self.values.len() as u32;
        let mut v = self.values[value.index()].clone();
        v.name = Cow::Owned(format!("{}_{}{new}", v.name, if grad { "grad" } else { "copy" }));
        v.role = Role::Internal;
        self.values.push(v);
        let (reads, writes) = (alloc::vec![value.0].into(), alloc::vec![new].into());
        self.steps.push(Step { instr: Instr::View, reads, writes, layer });
        new
    }
}

/// The layers that are still there, and from the graph's numbers to theirs.
fn layers(graph: &Graph, declared: &Declared, steps: &[Step]) -> (Vec<ProgramLayer>, Vec<u32>) {
    let mut busy = alloc::vec![false; graph.layers.len()];
    for s in steps {
        // A network may return an input without any layer.
        if let Some(b) = busy.get_mut(s.layer as usize) {
            *b = true;
        }
    }
    let kept = |at: usize| {
        let l = &graph.layers[at];
        let needed = declared.needed.get(at).is_some_and(|n| *n);
        busy[at] || !l.outputs.is_empty() || needed && !l.op.schema().internal
    };
    let mut places: Vec<u32> = Vec::with_capacity(busy.len());
    let mut count = 0;
    for at in 0..busy.len() {
        places.push(count);
        count += u32::from(kept(at));
    }
    let mut list = Vec::with_capacity(count as usize);
    for (at, l) in graph.layers.iter().enumerate().filter(|(at, _)| kept(*at)) {
        let own = |v: &&ValueId| matches!(graph.value(**v).source, Source::Param | Source::Aux);
        list.push(ProgramLayer {
            name: owned(&l.name),
            op: match Extern::number(l.op, &l.attrs) {
                Some(call) => owned(&graph.externs[call].name),
                None => Cow::Borrowed(l.op.schema().name),
            },
            output: l.outputs.first().map(|o| o.0),
            shape: Cow::Owned(declared.shapes[at].0.clone()),
            params: l.inputs.iter().filter(own).map(|v| v.0).collect(),
            operands: declared.operands[at]
                .iter()
                .filter_map(|o| match *o {
                    Operand::Layer(from) => {
                        let from = from as usize;
                        kept(from).then(|| Operand::Layer(places[from]).number())
                    }
                    fed => Some(fed.number()),
                })
                .collect(),
            flops: declared.flops[at].clone(),
        });
    }
    (list, places)
}

/// Floating-point operations of what the results and the gradients of weights need.
fn work(graph: &Graph) -> Dim {
    let mut needed = alloc::vec![false; graph.values.len()];
    let trained =
        graph.grads.iter().filter(|(of, _)| graph.value(*of).source == Source::Param).map(|(_, g)| g);
    for v in graph.outputs.iter().chain(&graph.predictions).chain(trained) {
        needed[v.index()] = true;
    }
    let mut sum = Dim::ZERO;
    for node in graph.nodes.iter().rev().filter(|n| !n.outputs.is_empty()) {
        if node.outputs.iter().any(|o| needed[o.index()]) {
            node.inputs.iter().for_each(|i| needed[i.index()] = true);
            sum = sum.add(&node.op.flops(Lower { graph, node }));
        }
    }
    sum
}

/// The symbols that sizes, facts and counts of the program are made of.
fn used_symbols(p: &Program) -> Vec<bool> {
    let mut used = alloc::vec![false; p.symbols.len()];
    let mut mark = |d: &Dim| {
        if let Dim::Poly(terms) = d {
            for s in terms.iter().flat_map(|t| t.mono.symbols()) {
                used[usize::from(s)] = true;
            }
        }
    };
    p.values.iter().flat_map(|v| v.shape.iter()).for_each(&mut mark);
    p.checks.iter().map(|c| &c.dim).for_each(&mut mark);
    mark(&p.flops);
    p.layers.iter().for_each(|l| {
        mark(&l.flops);
        l.shape.iter().for_each(&mut mark);
    });
    for (at, s) in p.symbols.iter().enumerate().rev() {
        match &s.def {
            SymbolDef::Floor(num, _) if used[at] => {
                num.symbols().iter().for_each(|s| used[usize::from(*s)] = true);
            }
            // The user gives a number for each that has a name.
            SymbolDef::Named => used[at] = true,
            _ => {}
        }
    }
    used
}

fn owned(text: &str) -> Text {
    Cow::Owned(String::from(text))
}
