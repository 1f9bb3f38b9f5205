//! What names, expressions and holes turn out to be, kept while a network is laid out for an editor. The compiler asks for none of
//! it.
//!
//! A thing is known by its place in the tree: a block that is called several times is several things at one place, in order.

use super::{Elab, value::Value};
use crate::ast::{Call, ExprKind, name_of};
use crate::emit;
use mxr_graph::compile::flops;
use mxr_graph::dim::{Dim, Symbols};
use mxr_graph::dtype::DType;
use mxr_graph::graph::Graph;
use mxr_graph::schema::{Attr, OperandKind, OptionKind, Schema};
use proc_macro2::Ident;
use std::collections::HashMap;

/// Different values at one place beyond this many are not kept.
const MOST: usize = 8;

/// A place in the tree: an address, with the type that lies there, as a thing and its first field share theirs.
type Place = (usize, &'static str);

fn place<T>(of: &T) -> Place {
    (std::ptr::from_ref(of).addr(), std::any::type_name::<T>())
}

/// What is kept of each place, all different values in order.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    places: HashMap<Place, Vec<Shown>>,
    last: HashMap<Place, Shown>,
}

/// A value as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shown {
    /// An array, with the line of its layer, or of its shape.
    Tensor(Vec<Extent>, DType, String),
    Extent(Extent),
    Float(f64),
    Bool(bool),
    Word(String),
    List(Vec<Shown>),
    /// A block with weights of its own.
    Block,
    Unknown,
}

/// An extent as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Extent {
    Number(i64),
    /// A symbol, or what is computed of several.
    Text(String),
}

impl Seen {
    /// The values at a place, in order.
    pub(crate) fn all<T>(&self, of: &T) -> &[Shown] {
        self.places.get(&place(of)).map_or(&[], Vec::as_slice)
    }

    /// The first value at a place.
    pub(crate) fn first<T>(&self, of: &T) -> &Shown {
        self.all(of).first().unwrap_or(&Shown::Unknown)
    }

    /// The last value at a place.
    pub(crate) fn last<T>(&self, of: &T) -> &Shown {
        self.last.get(&place(of)).unwrap_or(&Shown::Unknown)
    }

    /// And what another network of the same source says.
    pub(crate) fn merge(&mut self, other: Seen) {
        for (place, values) in other.places {
            let list = self.places.entry(place).or_default();
            for value in values {
                if list.len() < MOST && !list.contains(&value) {
                    list.push(value);
                }
            }
        }
        for (place, value) in other.last {
            self.last.entry(place).or_insert(value);
        }
    }
}

/// Values by their places, until everything is inferred.
#[derive(Debug, Default)]
pub(super) struct Watched {
    places: HashMap<Place, Vec<Value>>,
    last: HashMap<Place, Value>,
}

impl Watched {
    /// What they turn out to be.
    pub(super) fn seen(self, graph: &mut Graph) -> Seen {
        let mut layers = HashMap::new();
        for (at, l) in graph.layers.iter().enumerate().filter(|(_, l)| !l.op.schema().internal) {
            layers.extend(l.outputs.iter().map(|v| (v.index(), at)));
        }
        let layers = (layers, flops(graph));
        // Of an expression the shape is all that is shown.
        let mut show = |of: &Place, v: &Value| {
            shown(v, graph, if of.1 == place_of_name() { Some(&layers) } else { None })
        };
        let all = |(p, list): (Place, Vec<Value>)| (p, list.iter().map(|v| show(&p, v)).collect());
        let places = self.places.into_iter().map(all).collect();
        Seen { places, last: self.last.into_iter().map(|(p, v)| (p, shown(&v, graph, None))).collect() }
    }
}

fn place_of_name() -> &'static str {
    std::any::type_name::<Ident>()
}

impl Elab<'_> {
    /// Keeps what is at a place, if an editor asks.
    pub(super) fn watch<T>(&mut self, of: &T, value: &Value) {
        let Some(watched) = &mut self.watched else { return };
        if matches!(value, Value::Unknown | Value::Hole) {
            return;
        }
        let list = watched.places.entry(place(of)).or_default();
        if list.len() < MOST && !list.contains(value) {
            list.push(value.clone());
        }
        watched.last.insert(place(of), value.clone());
    }
}

impl Elab<'_> {
    /// What the holes among the options of the last call stand for.
    pub(super) fn watch_holes(&mut self, schema: &Schema, call: &Call) {
        let data = schema.inputs.iter().filter(|i| i.kind == OperandKind::Data).count();
        let named = |name: &str| call.args.iter().any(|a| a.name.as_ref().is_some_and(|n| n == name));
        let mut open = (0..schema.options.len())
            .filter(|o| schema.options[*o].positional && !named(schema.options[*o].name));
        let unnamed = call.args.iter().filter(|a| a.name.is_none()).skip(data);
        let by_place: Vec<_> = unnamed.filter_map(|a| Some((open.next()?, &a.value))).collect();
        let by_name =
            call.args.iter().filter_map(|a| Some((schema.option(&name_of(a.name.as_ref()?))?, &a.value)));
        for (at, value) in by_place.into_iter().chain(by_name) {
            let Some(l) = self.graph.layers.last() else { return };
            match (&value.kind, l.attrs[at].clone()) {
                (ExprKind::Hole, Attr::Dim(d)) => self.watch(value, &Value::of_dim(d)),
                (ExprKind::List(parts), Attr::Dims(dims)) => {
                    let result = l.outputs[0];
                    let shape = self.graph.shape(result);
                    let whole = schema.options[at].kind == OptionKind::Shape && shape.rank() == dims.len();
                    for (axis, (part, dim)) in parts.iter().zip(dims).enumerate() {
                        let dim = dim.or_else(|| whole.then(|| shape[axis].clone()));
                        if let (ExprKind::Hole, Some(d)) = (&part.kind, dim) {
                            self.watch(part, &Value::of_dim(d));
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// `layers`: which of them makes a value, and what each costs.
fn shown(value: &Value, graph: &mut Graph, layers: Option<&(HashMap<usize, usize>, Vec<Dim>)>) -> Shown {
    match value {
        Value::Tensor(id) => {
            let (shape, dtype) = (graph.shape(*id), graph.value(*id).dtype);
            let made = layers.and_then(|(by, costs)| Some((*by.get(&id.index())?, costs)));
            let doc = match made {
                Some((at, costs)) => emit::layer_with_cost(graph, &graph.layers[at], &costs[at]),
                None => {
                    let holds = if dtype == DType::F32 { String::new() } else { format!(" of {dtype}") };
                    format!("`{}`{holds}", shape.display(&graph.symbols))
                }
            };
            Shown::Tensor(shape.iter().map(|d| extent(d, &graph.symbols)).collect(), dtype, doc)
        }
        Value::Int(n) => Shown::Extent(Extent::Number(*n)),
        // Not inferred, and nobody's symbol.
        Value::Dim(d) if graph.symbols.has_hole(d) => Shown::Unknown,
        Value::Dim(d) => {
            let d = graph.symbols.resolve(d);
            Shown::Extent(extent(&d, &graph.symbols))
        }
        Value::Float(x) => Shown::Float(*x),
        Value::Bool(b) => Shown::Bool(*b),
        Value::Word(w) => Shown::Word(w.clone()),
        Value::List(list) => Shown::List(list.iter().map(|v| shown(v, graph, layers)).collect()),
        Value::Instance(_) => Shown::Block,
        Value::Hole | Value::Unknown => Shown::Unknown,
    }
}

fn extent(d: &Dim, symbols: &Symbols) -> Extent {
    match d.as_const() {
        Some(n) => Extent::Number(n),
        None => Extent::Text(d.display(symbols).to_string()),
    }
}
