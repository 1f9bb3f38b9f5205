//! An accepted network once more through `Symbol`, call by call, with numbers for its symbols; both bound and run.

use crate::expand::damage::Random;
use crate::{Found, Tally};
use mxr::init::Xavier;
use mxr::io::HostArray;
use mxr::{Axis, BindOptions, DType, Error, Executor, Mode, SharedPrograms, Symbol};
use mxr_graph::dim::{Dim, SymbolDef};
use mxr_graph::graph::{Graph, Layer, Source, ValueId};
use mxr_graph::program::Program;
use mxr_graph::schema::{Arg, Attr, OptionKind};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What the macro made of a network.
pub(crate) struct Accepted {
    /// As it is declared.
    pub(crate) graph: Graph,
    pub(crate) train: Option<Program>,
    pub(crate) predict: Program,
}

/// Networks with more operations, or more numbers, are bound, but not run.
const MAX_FLOPS: i64 = 50_000_000;
const MAX_ELEMENTS: i64 = 1_000_000;

/// Whether `Symbol` makes the same of it, and both run.
pub(crate) fn agrees(accepted: &Accepted, random: &mut Random, tally: &mut Tally) -> Found {
    let Accepted { graph, train, predict } = accepted;
    let named = graph.symbols.list().iter().filter(|s| s.def == SymbolDef::Named);
    let given: Vec<(String, usize)> = named.map(|s| (s.name.to_string(), 1 + random.below(4))).collect();
    let numbers: Vec<(&str, i64)> = given.iter().map(|(n, v)| (n.as_str(), *v as i64)).collect();
    let values = match predict.bind_symbols(&numbers) {
        Ok(values) => values,
        Err(_) => {
            tally.add("networks that do not fit the numbers");
            return Ok(());
        }
    };
    let training = train.as_ref().map(|t| t.bind_symbols(&numbers)).transpose();
    let training = training.map_err(|e| format!("it predicts with {given:?}, but does not train: {e}"))?;
    let large = |p: &Program, numbers: &[i64]| {
        let elements = p.values.iter().map(|v| elements(&v.shape, numbers)).max();
        p.flops.eval(numbers).is_none_or(|f| f > MAX_FLOPS) || elements > Some(MAX_ELEMENTS)
    };
    if large(predict, &values) || train.as_ref().zip(training).is_some_and(|(t, n)| large(t, &n)) {
        tally.add("networks too large to run");
        return Ok(());
    }
    let symbols = Symbols::new(graph, &values).replayed();
    let shared = |train: &Option<Program>| SharedPrograms {
        train: train.clone().map(Arc::new),
        predict: Arc::new(predict.clone()),
        operators: Arc::new([]),
    };
    let pairs: Vec<(&str, usize)> = given.iter().map(|(n, v)| (n.as_str(), *v)).collect();
    let ours = Executor::bind_shared(shared(train), &pairs, BindOptions::new());
    let mut ours = match ours {
        Ok(ours) => ours,
        Err(e) if lacks_kernels(&e, tally) => return Ok(()),
        Err(e) => return Err(format!("accepted, but does not bind with {given:?}: {e}")),
    };
    tally.add("networks bound");
    ours.init(&Xavier::default(), 1).map_err(|e| format!("weights cannot be made: {e}"))?;
    let Some((outputs, names)) = symbols.map_err(|e| format!("`Symbol` has no such call: {e}"))? else {
        tally.add("networks that `Symbol` cannot say");
        return runs(&mut ours, train.is_some(), tally).map(drop);
    };
    let theirs = match Symbol::compile_group(&graph.name, &outputs) {
        Ok(theirs) => theirs,
        // `#[predict]` accepts what has no gradient.
        Err(Error::Shape(_)) if train.is_none() => {
            tally.add("networks that only predict");
            return runs(&mut ours, false, tally).map(drop);
        }
        Err(e) => return Err(format!("accepted, but `Symbol` refuses it with {given:?}: {e}")),
    };
    let (mine, other) = (listed(predict, &values, &names), listed(&theirs.predict, &[], &HashMap::new()));
    if mine != other {
        return Err(format!("two networks with {given:?}:\n{mine}\n{other}"));
    }
    let mut theirs = Executor::bind_shared(theirs, &[], BindOptions::new())
        .map_err(|e| format!("bound, but not through `Symbol` with {given:?}: {e}"))?;
    tally.add("networks replayed through `Symbol`");
    let by_symbol = |name: &str| names.get(name).map_or(name.to_string(), String::clone);
    for (name, array) in ours.params() {
        let to = theirs.param(by_symbol(name).as_str());
        to.and_then(|a| a.assign(array)).map_err(|e| format!("weight `{name}`: {e}"))?;
    }
    for (name, array) in ours.states() {
        let to = theirs.state(&by_symbol(name));
        to.and_then(|a| a.assign(array)).map_err(|e| format!("state `{name}`: {e}"))?;
    }
    let drops = graph.layers.iter().any(|l| l.op.schema().name == "dropout");
    if !runs(&mut ours, train.is_some(), tally)? {
        return Ok(());
    }
    runs(&mut theirs, train.is_some(), tally)?;
    for (mode, same) in [(Mode::Predict, true), (Mode::Train, train.is_some() && !drops)] {
        if !same {
            continue;
        }
        let (ours, theirs) = (results(&mut ours, mode)?, results(&mut theirs, mode)?);
        close(&ours, &theirs).map_err(|e| format!("{mode:?} with {given:?}: {e}"))?;
    }
    tally.add("networks with the same results");
    Ok(())
}

/// One step, or a prediction; `false` where its labels are no classes.
pub(crate) fn runs(net: &mut Executor, trains: bool, tally: &mut Tally) -> Result<bool, String> {
    feed(net)?;
    let trains = trains && net.program(Mode::Train).is_some();
    let mut step = || {
        net.forward(Mode::Predict)?;
        net.wait()?;
        if trains {
            net.forward(Mode::Train)?;
            net.backward()?;
            net.wait()?;
        }
        Ok(())
    };
    match step() {
        Ok(()) => Ok(true),
        // Labels may be what another layer computes.
        Err(e) if ["is no class", ": labels of "].iter().any(|w| Error::to_string(&e).contains(w)) => {
            tally.add("networks whose labels are no classes");
            Ok(false)
        }
        Err(e) => Err(format!("it is bound, but does not run: {e}")),
    }
}

/// Shape rules know more element types than the CPU's kernels, which say so at bind.
pub(crate) fn lacks_kernels(e: &Error, tally: &mut Tally) -> bool {
    let lacks = e.to_string().contains("is not computed in");
    if lacks {
        tally.add("networks of element types without kernels");
    }
    lacks
}

/// Numbers between 0.1 and 1 for what has a point; the first class where labels may stand.
fn feed(net: &Executor) -> Found {
    for name in net.input_names() {
        let input = net.input(name).map_err(|e| e.to_string())?;
        let (shape, dtype) = (input.shape().to_vec(), input.dtype());
        let array = match dtype {
            DType::F32 => {
                let count = shape.iter().product::<usize>();
                let values: Vec<f32> = (0..count).map(|i| 0.1 + (i * 7 % 10) as f32 / 11.0).collect();
                HostArray::from_vec(values, &shape)
            }
            other => HostArray::zeros(other, &shape),
        };
        let array = array.map_err(|e| e.to_string())?;
        net.set_input_host(name, &array).map_err(|e| format!("`{name}` cannot be fed: {e}"))?;
    }
    Ok(())
}

fn results(net: &mut Executor, mode: Mode) -> Result<Vec<Vec<f64>>, String> {
    let told = |e: Error| format!("it ran once, but does not again: {e}");
    net.forward(mode).and_then(|()| net.wait()).map_err(told)?;
    let as_numbers = |a: &mxr::NDArray| a.cast("f64").and_then(|a| a.to_vec::<f64>()).map_err(told);
    net.outputs().iter().map(as_numbers).collect()
}

/// Both compute in another order, so they may differ a little, in relation to the largest.
fn close(a: &[Vec<f64>], b: &[Vec<f64>]) -> Found {
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        let scale = a.iter().filter(|x| x.is_finite()).fold(1e-3, |m: f64, x| m.max(x.abs()));
        // What overflows in one order may not in another.
        let same = |(x, y): (&f64, &f64)| !x.is_finite() || !y.is_finite() || (x - y).abs() <= 2e-2 * scale;
        if a.len() != b.len() || !a.iter().zip(b).all(same) {
            return Err(format!("result {i} is {a:.6?} by the macro, {b:.6?} by `Symbol`"));
        }
    }
    Ok(())
}

fn elements(shape: &[Dim], numbers: &[i64]) -> i64 {
    shape.iter().fold(1, |n: i64, d| n.saturating_mul(d.eval(numbers).unwrap_or(i64::MAX)))
}

/// What a program takes and gives, with numbers, names as `Symbol` has them.
fn listed(p: &Program, numbers: &[i64], names: &HashMap<String, String>) -> String {
    let mut lines = Vec::new();
    for (kind, list) in [("input", &p.inputs), ("weight", &p.params), ("state", &p.aux)] {
        for v in list.iter() {
            let value = &p.values[*v as usize];
            let shape: Vec<_> = value.shape.iter().map(|d| d.eval(numbers)).collect();
            let name = names.get(&*value.name).map_or(&*value.name, String::as_str);
            lines.push(format!("{kind} {name}: {}{shape:?}", value.dtype));
        }
    }
    lines.sort();
    for v in p.outputs.iter() {
        let value = &p.values[*v as usize];
        let shape: Vec<_> = value.shape.iter().map(|d| d.eval(numbers)).collect();
        lines.push(format!("output {}{shape:?}", value.dtype));
    }
    lines.push(format!("{:?} operations", p.flops.eval(numbers)));
    lines.join("\n")
}

/// The calls of a graph as symbols.
struct Symbols<'a> {
    graph: &'a Graph,
    numbers: &'a [i64],
    values: BTreeMap<ValueId, Symbol>,
    /// Weights and states with the layer that makes them, and what it calls them.
    made: BTreeMap<ValueId, (Symbol, &'static str)>,
    /// What the weights of the macro are called by `Symbol`.
    names: HashMap<String, String>,
}

/// Results, and the names of weights; nothing where `Symbol` cannot say it.
type Replayed = Result<Option<(Vec<Symbol>, HashMap<String, String>)>, Error>;

impl<'a> Symbols<'a> {
    fn new(graph: &'a Graph, numbers: &'a [i64]) -> Symbols<'a> {
        Symbols { graph, numbers, values: BTreeMap::new(), made: BTreeMap::new(), names: HashMap::new() }
    }

    fn replayed(mut self) -> Replayed {
        for (i, v) in self.graph.values.iter().enumerate().filter(|(_, v)| v.source == Source::Input) {
            let extents: Option<Vec<Axis>> = v.shape.iter().map(|d| self.number(d).map(Axis::from)).collect();
            let Some(extents) = extents else { return Ok(None) };
            let symbol = Symbol::input(&v.name).dtype(v.dtype).shape(extents);
            self.values.insert(ValueId(i as u32), symbol);
        }
        for layer in &self.graph.layers {
            if self.call(layer)?.is_none() {
                return Ok(None);
            }
        }
        let outputs = self.graph.outputs.iter().map(|o| self.values.get(o).cloned()).collect::<Option<_>>();
        Ok(outputs.map(|outputs| (outputs, self.names)))
    }

    fn number(&self, d: &Dim) -> Option<usize> {
        usize::try_from(d.eval(self.numbers)?).ok()
    }

    /// A call; nothing where `Symbol` cannot say it.
    fn call(&mut self, layer: &Layer) -> Result<Option<()>, Error> {
        let schema = layer.op.schema();
        if schema.name == "fill" {
            let Some(Attr::Float(value)) = layer.attrs.first() else { return Ok(None) };
            self.values.insert(layer.outputs[0], Symbol::scalar(*value));
            return Ok(Some(()));
        }
        if schema.internal {
            return Ok(None);
        }
        let (mut operands, mut own) = (Vec::new(), Vec::new());
        for (at, v) in layer.inputs.iter().enumerate() {
            let kept = matches!(self.graph.value(*v).source, Source::Param | Source::Aux);
            let name = schema.inputs.get(at).map_or("", |i| i.name);
            match (self.values.get(v), self.made.get(v)) {
                (Some(symbol), _) => operands.push(symbol.clone()),
                (None, Some((of, name))) => operands.push(of.parameter(name)),
                (None, None) if kept => {
                    own.push((*v, name));
                    continue;
                }
                (None, None) => return Ok(None),
            }
            // One that is given stands behind one that is made.
            if !own.is_empty() {
                return Ok(None);
            }
        }
        let mut options = Vec::new();
        for (o, attr) in schema.options.iter().zip(&layer.attrs) {
            // A number that is out of bounds was made up: that of a random stream.
            let made_up = matches!((o.kind, attr), (OptionKind::Int(low, high), Attr::Int(n)) if !(low..=high).contains(n));
            match self.option(attr) {
                _ if made_up => {}
                Some(Some(arg)) => options.push((o.name, arg)),
                Some(None) => {}
                None => return Ok(None),
            }
        }
        let operands: Vec<&Symbol> = operands.iter().collect();
        let results = Symbol::apply(schema.name, &operands, &options, Some(&layer.name))?;
        for (v, name) in own {
            self.names.insert(self.graph.value(v).name.clone(), format!("{}_{name}", layer.name));
            self.made.insert(v, (results[0].clone(), name));
        }
        self.values.extend(layer.outputs.iter().copied().zip(results));
        Ok(Some(()))
    }

    /// An option as written; the inner `None` where it was not given.
    fn option(&self, attr: &Attr) -> Option<Option<Arg>> {
        let dim = |d: &Dim| d.eval(self.numbers).map(Arg::Int);
        Some(Some(match attr {
            Attr::Absent => return Some(None),
            Attr::Hole => Arg::Hole,
            Attr::Int(n) => Arg::Int(*n),
            Attr::Float(x) => Arg::Float(*x),
            Attr::Bool(b) => Arg::Bool(*b),
            Attr::Dim(d) => dim(d)?,
            Attr::Ints(list) => Arg::List(list.iter().map(|n| Arg::Int(*n)).collect()),
            Attr::Dims(list) => {
                let one = |d: &Option<Dim>| d.as_ref().map_or(Some(Arg::Hole), dim);
                Arg::List(list.iter().map(one).collect::<Option<_>>()?)
            }
            Attr::Word(w) => Arg::Word((*w).to_string()),
            Attr::Expr(_) => return None,
        }))
    }
}
