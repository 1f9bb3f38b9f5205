//! Random graphs of all operators, as the source of a `network!` and as symbols.

use crate::elaborate;
use crate::errors::Faults;
use crate::expand::damage::Random;
use crate::expand::expanded;
use crate::replay::{lacks_kernels, runs};
use crate::{Found, Tally, emit, looking_at, parse};
use mxr::{Axis, BindOptions, DType, Error, Executor, Symbol};
use mxr_graph::dim::Dim;
use mxr_graph::graph::{Graph, ValueId};
use mxr_graph::ops::{OPS, Operator};
use mxr_graph::passes::Passes;
use mxr_graph::schema::{Arg, Default, OperandKind, OptionDef, OptionKind};
use mxr_graph::shape::Shape;
use proc_macro2::TokenStream;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::str::FromStr;

/// An extent of an input: a number, or the symbol `N`.
type Extents = Vec<Option<usize>>;

/// A random network.
struct Net {
    /// Element types and extents.
    inputs: Vec<(DType, Extents)>,
    calls: Vec<Call>,
    /// Values: inputs first, then the results of the calls.
    outputs: Vec<usize>,
}

/// An operator, applied to values.
struct Call {
    op: &'static dyn Operator,
    operands: Vec<usize>,
    options: Vec<(&'static str, Arg)>,
    /// The first of its results, and how many there are.
    results: (usize, usize),
}

impl Call {
    /// Whether its result is one tensor, which a name can be bound to.
    fn has_name(&self) -> bool {
        self.op.schema().visible == 1
    }
}

/// A random network: the macro and `Symbol` make the same programs of it, or refuse it with the same code.
pub(crate) fn case(random: &mut Random, tally: &mut Tally) -> Found {
    let net = Net::new(random);
    let order = net.order();
    let text = net.source(&order);
    looking_at(&text);
    tally.add("random graphs");
    let told = |what: String| Err(format!("{what}\n{text}"));

    let tokens = TokenStream::from_str(&text).expect("balanced");
    let mut faults = Faults::default();
    expanded(tokens.clone(), false, &mut faults);
    let codes: Vec<String> = faults.list().iter().map(|f| f.code.to_string()).collect();
    let messages: Vec<String> = faults.list().iter().map(|f| f.message()).collect();
    let theirs = Symbol::compile_group("Net", &net.symbols(&order));
    let theirs = match (theirs, codes.is_empty()) {
        (Ok(theirs), true) => theirs,
        (Err(e), false) if codes.iter().any(|c| e.to_string().contains(c.as_str())) => {
            tally.add("random graphs that both refuse");
            return Ok(());
        }
        // Weights that cannot be trained are a fault where a network is declared; a symbol may be built for predictions.
        (Ok(_), false) if codes.iter().all(|c| c.starts_with("MXR07")) => {
            tally.add("random graphs whose gradients are lost");
            return Ok(());
        }
        (Ok(_), false) => {
            return told(format!("`Symbol` accepts it, the macro says {}", messages.join("; ")));
        }
        (Err(e), true) => return told(format!("the macro accepts it, `Symbol` says {e}")),
        (Err(e), false) => {
            return told(format!("two messages: the macro says {}, `Symbol` says {e}", messages.join("; ")));
        }
    };
    tally.add("random graphs accepted");

    let source = parse::source(tokens, &mut faults);
    let network = elaborate::network(&source, &source.fns[0], &mut faults);
    let (train, predict) = emit::compile(&network.graph, &Passes::ALL, true);
    let (train, predict) = (train.expect("asked for").expect("accepted"), predict.expect("accepted"));
    for (mode, ours, theirs) in [
        ("prediction", Some(&predict), Some(&*theirs.predict)),
        ("training", Some(&train), theirs.train.as_deref()),
    ] {
        if ours != theirs {
            let text =
                |p: Option<&mxr_graph::program::Program>| p.map_or_else(String::new, ToString::to_string);
            return told(format!("two programs for {mode}:\n{}\n{}", text(ours), text(theirs)));
        }
    }
    let n = 1 + random.below(4);
    let symbols: &[(&str, usize)] =
        if predict.symbols.iter().any(|s| s.name == "N") { &[("N", n)] } else { &[] };
    let numbers: Vec<(&str, i64)> = symbols.iter().map(|(s, n)| (*s, *n as i64)).collect();
    let fits = predict.bind_symbols(&numbers).and_then(|_| train.bind_symbols(&numbers));
    match (Executor::bind_shared(theirs, symbols, BindOptions::new()), fits) {
        (Ok(mut net), Ok(_)) => {
            tally.add("random graphs bound and run");
            runs(&mut net, true, tally).map(drop).or_else(|e| told(format!("with N = {n}: {e}")))
        }
        (Err(_), Err(_)) => {
            tally.add("random graphs that do not fit the numbers");
            Ok(())
        }
        (Err(e), Ok(_)) if lacks_kernels(&e, tally) => Ok(()),
        (Err(e), Ok(_)) => told(format!("accepted, but does not bind with N = {n}: {e}")),
        (Ok(_), Err(e)) => told(format!("it binds with N = {n}, which does not fit: {e}")),
    }
}

impl Net {
    fn new(random: &mut Random) -> Net {
        // What is known of shapes, so that most calls fit.
        let mut graph = Graph::new("Net");
        let n = Dim::symbol(graph.symbols.named("N"));
        let inputs: Vec<(DType, Extents)> = (0..1 + random.below(3)).map(|i| input(random, i)).collect();
        let mut ids: Vec<ValueId> = Vec::new();
        for (i, (dtype, extents)) in inputs.iter().enumerate() {
            let dim = |e: &Option<usize>| e.map_or_else(|| n.clone(), Dim::from);
            ids.push(graph.input(&format!("x{i}"), Shape(extents.iter().map(dim).collect()), *dtype));
        }
        let mut net = Net { inputs, calls: Vec::new(), outputs: Vec::new() };
        let ops: Vec<&'static dyn Operator> = OPS.iter().copied().filter(|o| !o.schema().internal).collect();
        let wanted = 1 + random.below(12);
        for _ in 0..12 * wanted {
            if net.calls.len() == wanted {
                break;
            }
            let (op, mut trial) = (*random.pick(&ops), graph.clone());
            let (operands, options) = arguments(op, &ids, &mut trial, random);
            let inputs: Vec<ValueId> = operands.iter().map(|at| ids[*at]).collect();
            match trial.call(op, &options, &inputs, None) {
                Ok(made) => {
                    net.calls.push(Call { op, operands, options, results: (ids.len(), made.len()) });
                    (graph, ids) = (trial, [ids, made].concat());
                }
                // A fault ends the network now and then.
                Err(_) if random.one_in(40) => {
                    net.outputs = vec![ids.len()];
                    net.calls.push(Call { op, operands, options, results: (ids.len(), 1) });
                    return net;
                }
                Err(_) => {}
            }
        }
        net.outputs.push(ids.len() - 1);
        for _ in 0..random.below(3) {
            let at = random.below(ids.len());
            if !net.outputs.contains(&at) {
                net.outputs.push(at);
            }
        }
        net
    }

    /// The calls in the order in which symbols are replayed: operands first, depth first.
    fn order(&self) -> Vec<usize> {
        let (mut order, mut done) = (Vec::new(), BTreeSet::new());
        for out in &self.outputs {
            self.visit(*out, &mut order, &mut done);
        }
        order
    }

    fn visit(&self, value: usize, order: &mut Vec<usize>, done: &mut BTreeSet<usize>) {
        let Some(at) = self.call_of(value) else { return };
        if done.contains(&at) {
            return;
        }
        for v in &self.calls[at].operands {
            self.visit(*v, order, done);
        }
        if done.insert(at) {
            order.push(at);
        }
    }

    /// The call that makes a value.
    fn call_of(&self, value: usize) -> Option<usize> {
        self.calls.iter().position(|c| (c.results.0..c.results.0 + c.results.1).contains(&value))
    }

    /// The inputs that are read, in the order in which symbols are walked: those closer to the outputs first.
    fn read(&self) -> Vec<usize> {
        let (mut read, mut seen) = (Vec::new(), BTreeSet::new());
        let mut stack: Vec<usize> = self.outputs.iter().rev().copied().collect();
        while let Some(v) = stack.pop() {
            match self.call_of(v) {
                Some(at) if seen.insert(at) => stack.extend(self.calls[at].operands.iter().rev()),
                None if !read.contains(&v) => read.push(v),
                _ => {}
            }
        }
        read
    }

    /// What stands in `network!( … )`.
    fn source(&self, order: &[usize]) -> String {
        let extent = |e: &Option<usize>| e.map_or_else(|| "N".to_string(), |n| n.to_string());
        let input = |at: &usize| {
            let (dtype, extents) = &self.inputs[*at];
            let extents: Vec<String> = extents.iter().map(extent).collect();
            format!("x{at}: Tensor<{dtype}, {}>", extents.join(", "))
        };
        let inputs: Vec<String> = self.read().iter().map(input).collect();
        let mut text = format!("pub fn Net({}) {{\n", inputs.join(", "));
        for call in order.iter().map(|at| &self.calls[*at]) {
            let (first, count) = call.results;
            let names: Vec<String> = (first..first + count).map(|v| format!("x{v}")).collect();
            let name = if call.has_name() { names[0].clone() } else { format!("({},)", names.join(", ")) };
            let mut arguments: Vec<String> = call.operands.iter().map(|v| format!("x{v}")).collect();
            arguments.extend(call.options.iter().map(|(name, arg)| format!("{name} = {}", written(arg))));
            let _ = writeln!(text, "    let {name} = {}({});", call.op.schema().name, arguments.join(", "));
        }
        let outputs: Vec<String> = self.outputs.iter().map(|v| format!("x{v}")).collect();
        match &outputs[..] {
            [one] => text + &format!("    {one}\n}}\n"),
            _ => text + &format!("    ({})\n}}\n", outputs.join(", ")),
        }
    }

    /// The same as symbols.
    fn symbols(&self, order: &[usize]) -> Vec<Symbol> {
        let count = self.calls.last().map_or(self.inputs.len(), |c| c.results.0 + c.results.1);
        let mut values: Vec<Option<Symbol>> = vec![None; count];
        for (i, (dtype, extents)) in self.inputs.iter().enumerate() {
            let axis = |e: &Option<usize>| e.map_or_else(|| Axis::from("N"), Axis::from);
            let symbol = Symbol::input(&format!("x{i}")).dtype(*dtype);
            values[i] = Some(symbol.shape(extents.iter().map(axis)));
        }
        for call in order.iter().map(|at| &self.calls[*at]) {
            let operands: Vec<&Symbol> =
                call.operands.iter().map(|v| values[*v].as_ref().expect("earlier")).collect();
            let (first, count) = call.results;
            let name = call.has_name().then(|| format!("x{first}"));
            let made = apply(call, &operands, name.as_deref()).expect("a known operator and known options");
            for (v, symbol) in (first..).zip(made.into_iter().take(count)) {
                values[v] = Some(symbol);
            }
        }
        self.outputs.iter().map(|v| values[*v].clone().expect("reached")).collect()
    }
}

fn apply(call: &Call, operands: &[&Symbol], name: Option<&str>) -> Result<Vec<Symbol>, Error> {
    Symbol::apply(call.op.schema().name, operands, &call.options, name)
}

fn input(random: &mut Random, number: usize) -> (DType, Extents) {
    const EXTENTS: [usize; 8] = [1, 2, 3, 4, 5, 6, 8, 9];
    let rank = *random.pick(&[1, 2, 2, 3, 4, 4, 4]);
    let mut extents: Extents = (0..rank).map(|_| Some(*random.pick(&EXTENTS))).collect();
    if !random.one_in(4) {
        extents[0] = None;
    }
    match random.below(8) {
        0 if number > 0 => {
            (*random.pick(&[DType::I32, DType::U8, DType::Bool, DType::F64, DType::F16]), extents)
        }
        1 | 2 if number > 0 => (DType::I64, vec![extents[0]]),
        _ => (DType::F32, extents),
    }
}

/// Operands and options for a call, most of which fit.
fn arguments(
    op: &'static dyn Operator,
    ids: &[ValueId],
    graph: &mut Graph,
    random: &mut Random,
) -> (Vec<usize>, Vec<(&'static str, Arg)>) {
    let schema = op.schema();
    let variadic = schema.inputs.iter().any(|i| i.kind == OperandKind::Variadic);
    let data = schema.inputs.iter().filter(|i| i.kind == OperandKind::Data).count();
    let count = if variadic { 1 + random.below(3) } else { data };
    // What was made last is read most.
    let late = |random: &mut Random| match random.below(3) {
        0 => random.below(ids.len()),
        _ => ids.len() - 1 - random.below(ids.len().min(3)),
    };
    let operands: Vec<usize> = (0..count).map(|_| late(random)).collect();
    let shape = operands.first().map(|v| graph.shape(ids[*v])).unwrap_or_default();
    let given = |o: &&OptionDef, random: &mut Random| o.default == Default::Required || random.one_in(3);
    let mut options = Vec::new();
    for o in schema.options {
        if given(&o, random) {
            options.push((o.name, value(o, &shape, random)));
        }
    }
    (operands, options)
}

fn value(option: &OptionDef, shape: &Shape, random: &mut Random) -> Arg {
    let rank = shape.rank() as i64;
    let below = |random: &mut Random, n: i64| random.below(n.max(1) as usize) as i64;
    let list = |random: &mut Random, n: usize, low: i64, high: i64| {
        Arg::List((0..n).map(|_| Arg::Int(low + random.below((high - low) as usize) as i64)).collect())
    };
    match option.kind {
        OptionKind::Dim => Arg::Int(*random.pick(&[1, 2, 3, 4, 6, 8, 10])),
        OptionKind::Int(low, high) => {
            let (low, high) = (low.max(-rank - 1), high.min(rank + 2));
            Arg::Int(low + below(random, high - low + 1))
        }
        OptionKind::Float(low, high) => {
            let (low, high) = (low.max(-2.0), high.min(2.0));
            Arg::Float(low + (high - low) * random.below(9) as f64 / 8.0)
        }
        OptionKind::Bool => Arg::Bool(random.one_in(2)),
        OptionKind::Pair(low) => match random.one_in(3) {
            true => list(random, 2, low, low + 4),
            false => Arg::Int(low + below(random, 4)),
        },
        OptionKind::Pad => match random.below(4) {
            0 => Arg::from("same"),
            1 => list(random, 2, 0, 3),
            2 => list(random, 4, 0, 3),
            _ => Arg::Int(below(random, 3)),
        },
        OptionKind::Ints => match random.one_in(2) {
            true => Arg::Int(below(random, 2 * rank + 2) - rank - 1),
            false => {
                let mut axes: Vec<i64> = (0..rank).collect();
                for i in 0..axes.len() {
                    let other = random.below(axes.len());
                    axes.swap(i, other);
                }
                axes.truncate(if random.one_in(2) { axes.len() } else { 1 + random.below(axes.len()) });
                Arg::List(axes.into_iter().map(Arg::Int).collect())
            }
        },
        OptionKind::Shape => new_shape(shape, random),
        OptionKind::Indices => {
            let index = |random: &mut Random| match random.below(4) {
                0 => Arg::Hole,
                1 => Arg::Int(-1 - below(random, 2)),
                _ => Arg::Int(below(random, 4)),
            };
            match random.one_in(2) {
                true => index(random),
                false => Arg::List((0..1 + random.below(shape.rank())).map(|_| index(random)).collect()),
            }
        }
        OptionKind::Choice(words) => Arg::from(*random.pick(words)),
        OptionKind::Expr => Arg::Hole,
    }
}

/// The same elements, or nearly, with other extents.
fn new_shape(shape: &Shape, random: &mut Random) -> Arg {
    let mut list: Vec<Arg> = shape.iter().map(|d| d.as_const().map_or(Arg::Hole, Arg::Int)).collect();
    match random.below(6) {
        0 => list.reverse(),
        1 => list = vec![Arg::Hole],
        2 => list = vec![list.first().cloned().unwrap_or(Arg::Hole), Arg::Hole],
        3 => list.push(Arg::Int(1)),
        4 if !list.is_empty() => drop(list.remove(random.below(list.len()))),
        _ => {
            let at = random.below(list.len());
            if let Some(Arg::Int(n)) = list.get(at).cloned().filter(|_| shape.rank() < 5) {
                let by = [2, 3, 5].into_iter().find(|p| n % p == 0).unwrap_or(1);
                list.splice(at..=at, [Arg::Int(by), Arg::Int(n / by)]);
            }
        }
    }
    Arg::List(list)
}

/// An option as it stands in a source.
fn written(arg: &Arg) -> String {
    match arg {
        Arg::Int(n) => n.to_string(),
        Arg::Float(x) => format!("{x:?}"),
        Arg::Bool(b) => b.to_string(),
        Arg::Word(w) => w.clone(),
        Arg::Hole | Arg::Dim(_) => "_".to_string(),
        Arg::List(list) => format!("[{}]", list.iter().map(written).collect::<Vec<_>>().join(", ")),
    }
}
