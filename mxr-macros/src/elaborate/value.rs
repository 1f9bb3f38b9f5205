//! What an expression is worth while the network is laid out, and the names that are bound to it.

use super::Reads;
use mxr_graph::dim::Dim;
use mxr_graph::graph::{Graph, ValueId};
use mxr_graph::schema::Arg;
use proc_macro2::Ident;

/// The value of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// An array of the network.
    Tensor(ValueId),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// `same`, `"same"`.
    Word(String),
    /// An expression of symbols that is not a number.
    Dim(Dim),
    /// A tuple or a list.
    List(Vec<Value>),
    /// A block with weights of its own, by its number.
    Instance(usize),
    /// `_`
    Hole,
    /// Something is wrong with it, which has been said: whatever depends on it is silent.
    Unknown,
}

impl Value {
    pub(super) fn of_dim(dim: Dim) -> Value {
        match dim.as_const() {
            Some(n) => Value::Int(n),
            None => Value::Dim(dim),
        }
    }

    pub(super) fn as_dim(&self) -> Option<Dim> {
        match self {
            Value::Int(n) => Some(Dim::Const(*n)),
            Value::Dim(d) => Some(d.clone()),
            _ => None,
        }
    }

    pub(super) fn has_unknown(&self) -> bool {
        match self {
            Value::Unknown => true,
            Value::List(list) => list.iter().any(Value::has_unknown),
            _ => false,
        }
    }

    /// As an option's value; a tensor is none.
    pub(super) fn arg(&self) -> Option<Arg> {
        Some(match self {
            Value::Int(n) => Arg::Int(*n),
            Value::Float(x) => Arg::Float(*x),
            Value::Bool(b) => Arg::Bool(*b),
            Value::Word(w) => Arg::Word(w.clone()),
            Value::Dim(d) => Arg::Dim(d.clone()),
            Value::List(list) => Arg::List(list.iter().map(Value::arg).collect::<Option<_>>()?),
            Value::Hole => Arg::Hole,
            Value::Tensor(_) | Value::Instance(_) | Value::Unknown => return None,
        })
    }

    /// "a tensor of [N, 10]", "the number 3".
    pub(super) fn describe(&self, graph: &mut Graph) -> String {
        match self {
            Value::Tensor(id) => {
                let shape = graph.shape(*id);
                format!("a tensor of {}", shape.display(&graph.symbols))
            }
            Value::Int(n) => format!("the integer {n}"),
            Value::Float(x) => format!("the number {x:?}"),
            Value::Bool(b) => format!("`{b}`"),
            Value::Word(w) => format!("the word `{w}`"),
            Value::Dim(d) => format!("the dimension {}", d.display(&graph.symbols)),
            Value::List(_) => "a list".to_string(),
            Value::Instance(_) => "a block that is still to be called".to_string(),
            Value::Hole => "`_`".to_string(),
            Value::Unknown => "unknown".to_string(),
        }
    }

    /// As short as it can be said: `[N, 16, 32, 32]`, `16`.
    pub(super) fn short(&self, graph: &mut Graph) -> String {
        match self {
            Value::Tensor(id) => graph.shape(*id).display(&graph.symbols).to_string(),
            Value::Int(n) => n.to_string(),
            Value::Float(x) => format!("{x:?}"),
            Value::Bool(b) => b.to_string(),
            Value::Word(w) => w.clone(),
            Value::Dim(d) => d.display(&graph.symbols).to_string(),
            Value::List(list) => {
                let all: Vec<String> = list.iter().map(|v| v.short(graph)).collect();
                format!("({})", all.join(", "))
            }
            Value::Instance(_) => "a block".to_string(),
            Value::Hole => "_".to_string(),
            Value::Unknown => "?".to_string(),
        }
    }
}

/// A name and what it stands for.
#[derive(Debug)]
struct Binding {
    name: String,
    value: Value,
    /// Where it was bound, when the user ought to be told that nobody reads it.
    watched: Option<Ident>,
    read: bool,
}

/// An extent with a name: a constant, a symbol, or what the signature of a block calls one.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) value: Value,
    /// The parameter of the block that it is an extent of: whoever reads it reads that.
    pub(super) of: Option<Ident>,
}

impl Named {
    /// Of nothing in particular.
    pub(super) fn new(name: String, value: Value) -> Named {
        Named { name, value, of: None }
    }
}

/// The names that are visible, innermost last.
#[derive(Debug, Default)]
pub(super) struct Scope {
    bindings: Vec<Binding>,
    /// The first binding that the block that is being expanded can see.
    floor: usize,
    /// Names of code that was written elsewhere are nobody's to read.
    pub(super) elsewhere: bool,
    /// What became of the names that are gone.
    pub(super) reads: Reads,
}

impl Scope {
    pub(super) fn bind(&mut self, name: String, value: Value, watched: Option<Ident>) {
        let watched = watched.filter(|_| !name.starts_with('_') && !self.elsewhere);
        self.bindings.push(Binding { name, value, watched, read: false });
    }

    /// The value of a name, which is read by that.
    pub(super) fn read(&mut self, name: &str) -> Option<Value> {
        let binding = self.find(name)?;
        binding.read = true;
        Some(binding.value.clone())
    }

    /// An extent is read, and with it the parameter that has it.
    pub(super) fn reads_extent(&mut self, extent: &Named) {
        if let Some(ident) = extent.of.as_ref().filter(|_| !self.elsewhere) {
            self.reads.entry(format!("{:?}", ident.span())).or_insert((ident.clone(), true)).1 = true;
        }
    }

    /// The number of the instance that a name stands for.
    pub(super) fn instance(&mut self, name: &str) -> Option<usize> {
        let binding = self.find(name)?;
        let Value::Instance(n) = binding.value else { return None };
        binding.read = true;
        Some(n)
    }

    pub(super) fn assign(&mut self, name: &str, value: Value) -> bool {
        let found = self.find(name);
        found.map(|binding| binding.value = value).is_some()
    }

    fn find(&mut self, name: &str) -> Option<&mut Binding> {
        self.bindings[self.floor..].iter_mut().rev().find(|b| b.name == name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.bindings[self.floor..].iter().map(|b| b.name.as_str())
    }

    pub(super) fn mark(&self) -> usize {
        self.bindings.len()
    }

    /// Names bound since the mark go.
    pub(super) fn release(&mut self, mark: usize) {
        for binding in self.bindings.drain(mark..) {
            if let Some(ident) = binding.watched {
                let entry = self.reads.entry(format!("{:?}", ident.span()));
                entry.or_insert((ident, false)).1 |= binding.read;
            }
        }
    }

    /// Hides every name until [`Scope::leave`].
    pub(super) fn enter(&mut self) -> usize {
        std::mem::replace(&mut self.floor, self.bindings.len())
    }

    pub(super) fn leave(&mut self, floor: usize) {
        self.floor = floor;
    }
}
