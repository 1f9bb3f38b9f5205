//! From the tree to the graph: blocks are expanded, loops unrolled, constants computed, operators applied, and every
//! fault is put on the token that is to blame.

mod arithmetic;
mod blocks;
mod calls;
mod constants;
mod exprs;
mod external;
mod gradients;
mod instances;
mod names;
mod seen;
mod signature;
mod stmts;
#[cfg(test)]
mod tests;
mod training;
mod value;

use crate::ast::{Block, Expr, Fn, Source, name_of};
use crate::errors::{Faults, Spans};
pub(crate) use constants::constants;
pub(crate) use external::Made;
use mxr_graph::catalogue::Code;
use mxr_graph::dim::Dim;
use mxr_graph::error::{At, ShapeError};
use mxr_graph::graph::Graph;
use names::Names;
use proc_macro2::{Ident, Span};
pub(crate) use seen::{Extent, Seen, Shown};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use value::{Named, Scope, Value};

/// A network laid out.
pub(crate) struct Network {
    /// As far as it could be typed.
    pub(crate) graph: Graph,
    /// For each layer of the graph, the user's call.
    pub(crate) sites: Vec<Site>,
    /// Layers that have an error: their names, with the user's token where it is one of the network's own.
    pub(crate) broken: Vec<(String, Option<Ident>)>,
    /// For each name that ought to be read, whether it is.
    pub(crate) reads: Reads,
    /// What makes the operators of the user's that it calls, by the numbers of their calls.
    pub(crate) operators: Vec<Made>,
    /// Whether it may be compiled: nothing was wrong with it.
    pub(crate) sound: bool,
    /// What things turn out to be, where an editor asks.
    pub(crate) seen: Seen,
}

/// Names by their place in the source, and whether any expansion reads them.
pub(crate) type Reads = BTreeMap<String, (Ident, bool)>;

/// The user's call that made a layer.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// The whole call.
    pub(crate) at: Spans,
    /// The name that the result is bound to, when it is one of the network's own.
    pub(crate) ident: Option<Ident>,
    /// The layer's name was made up.
    pub(crate) anonymous: bool,
    /// The calls of blocks that it was reached through, outermost first.
    through: Rc<[Rc<Frame>]>,
}

/// No network has more calls and rounds than this: a loop that is too long ends here.
const MAX_CALLS: usize = 10_000;

/// Lays out a network.
pub(crate) fn network(source: &Source, item: &Fn, faults: &mut Faults) -> Network {
    let before = faults.len();
    let mut elab = Elab::new(source, faults, &name_of(&item.name));
    elab.constants();
    elab.half = source.half || item.half || item.params.is_empty();
    elab.inputs(item);
    let result = elab.body(&item.body, None);
    elab.outputs(item, result);
    elab.holes(before);
    elab.scope.release(0);
    let Elab { mut graph, sites, broken, scope, lame, watched, operators, .. } = elab;
    let seen = watched.map(|w| w.seen(&mut graph)).unwrap_or_default();
    let sound = faults.len() == before && !lame;
    if source.half || item.half || source.fns.iter().any(|f| f.half && !f.is_network()) {
        faults.forgive(before, &CONSEQUENCES);
    }
    if item.lost {
        faults.forgive_if(before, |code| code.number() < 200);
    }
    Network { graph, sites, broken, reads: scope.reads, operators, sound, seen }
}

/// Looks for faults in a block that nobody calls.
pub(crate) fn block(source: &Source, item: &Fn, faults: &mut Faults) {
    let mut elab = Elab::new(source, faults, &name_of(&item.name));
    elab.constants();
    elab.half = source.half || item.half;
    let before = elab.faults.len();
    elab.calls = Rc::new([Rc::new(Frame { block: name_of(&item.name), item, args: Vec::new() })]);
    for p in &item.params {
        elab.scope.bind(name_of(&p.name), Value::Unknown, None);
        elab.unknown_symbols(&p.ty);
    }
    elab.body(&item.body, None);
    if elab.half {
        elab.faults.forgive(before, &CONSEQUENCES);
    }
}

/// What may follow from something that is half-typed: names that it was to introduce are not known, values are not what they will
/// be. Shapes and element types are what they are.
const CONSEQUENCES: [Code; 31] = [
    Code::MissingOption,
    Code::GivenTwice,
    Code::OptionKind,
    Code::TensorForOption,
    Code::TooManyArguments,
    Code::MissingOperand,
    Code::SkippedOperand,
    Code::NumberAmongTensors,
    Code::UnknownName,
    Code::UnknownOperator,
    Code::OperatorElsewhere,
    Code::NotCalled,
    Code::AssignedNotDeclared,
    Code::ConstantOutside,
    Code::UnknownParameter,
    Code::NotALayer,
    Code::NotATensor,
    Code::CannotCombine,
    Code::UnknownBlockInput,
    Code::TooManyBlockArguments,
    Code::MissingBlockArgument,
    Code::BlockWithoutResult,
    Code::NoResult,
    Code::ResultNotATensor,
    Code::ValueNotUsed,
    Code::NotATuple,
    Code::UnknownSymbol,
    Code::TupleLength,
    Code::NoExtents,
    Code::NoInputs,
    Code::UnknownElementType,
];

/// Says once what is wrong with the items themselves.
pub(crate) fn items(source: &Source, faults: &mut Faults) {
    let mut seen: BTreeMap<String, ()> = BTreeMap::new();
    let fns = source.fns.iter().map(|f| &f.name).chain(source.imports.iter().map(|i| &i.name));
    for name in fns.chain(source.consts.iter().map(|c| &c.name)) {
        if seen.insert(name_of(name), ()).is_some() {
            faults.push(
                Code::DuplicateItem,
                name.span(),
                format!("there are two items called `{name}` here"),
            );
        }
    }
    for import in &source.imports {
        let (name, at) = (name_of(&import.name), import.name.span());
        if mxr_graph::ops::find(&name).is_some_and(|op| !op.schema().internal) {
            let text = format!("`{name}` is the name of an operator; choose another with `as`");
            faults.push(Code::NameOfAnOperator, at, text);
        }
    }
    for f in &source.fns {
        let name = name_of(&f.name);
        if !f.half && mxr_graph::ops::find(&name).is_some_and(|op| !op.schema().internal) {
            faults.push(
                Code::NameOfAnOperator,
                f.name.span(),
                format!("`{name}` is the name of an operator; choose another for the block"),
            );
        }
        if let Some(at) = f.marks.predict.filter(|_| !f.is_network()) {
            faults.push(
                Code::MisplacedAttribute,
                at,
                format!("`#[predict]` belongs to a network, `{name}` is {}", article(f)),
            );
        }
        if let Some(limit) = f.marks.memory.as_ref().filter(|_| !f.is_network()) {
            faults.push(
                Code::MisplacedAttribute,
                limit.at,
                format!("`#[memory]` belongs to a network, `{name}` is {}", article(f)),
            );
        }
        // Those of a network are attributes of its struct; a block becomes nothing.
        for a in f.attrs.iter().filter(|a| !f.is_network() && f.vis.is_empty() && !a.is_silent()) {
            let text = format!("`#[{}]` says nothing about {}", a.name, article(f));
            faults.push(Code::UnknownAttribute, a.at, text);
        }
        for (mark, at) in f.marks.layer.named().filter(|_| f.external.is_some()) {
            let text = format!("`#[{mark}]` belongs to a block, `{name}` is an operator");
            faults.push_help(Code::MisplacedAttribute, at, text, "put it on the `let`s of its calls");
        }
        for (mark, at) in f.marks.layer.named().filter(|_| f.is_network()) {
            let help = match mark {
                "recompute" => {
                    "put it on the blocks that the network calls or on its `let`s, or give the network `#[memory(…)]`"
                }
                _ => "put it on the blocks that the network calls or on its `let`s",
            };
            let text = format!("`#[{mark}]` belongs to a block, `{name}` is a network");
            faults.push_help(Code::MisplacedAttribute, at, text, help);
        }
    }
}

/// "a block", "an operator".
fn article(f: &Fn) -> &'static str {
    if f.external.is_some() { "an operator" } else { "a block" }
}

/// The names of everything that the networks call, by way of their blocks, too.
pub(crate) fn reached(source: &Source) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    // Others may call what is visible to them.
    let seen = |f: &&Fn| f.is_network() || !f.vis.is_empty();
    let mut open: Vec<&Fn> = source.fns.iter().filter(seen).collect();
    while let Some(f) = open.pop() {
        f.body.calls(&mut |call| {
            // What is brought in is known by its name alone.
            if names.insert(name_of(&call.name)) {
                open.extend(source.fns.iter().find(|f| f.name == call.name));
            }
        });
    }
    names
}

/// A block's call.
#[derive(Debug)]
struct Frame {
    block: String,
    item: *const Fn,
    /// The arguments by name; none when the block is looked at by itself.
    args: Vec<(String, Value)>,
}

impl Frame {
    /// "in `basic(x = [N, 16, 32, 32], filters = 16)`", as a line of a message.
    fn note(&self, graph: &mut Graph) -> String {
        if self.args.is_empty() {
            return String::new();
        }
        let args: Vec<String> =
            self.args.iter().map(|(name, value)| format!("{name} = {}", value.short(graph))).collect();
        format!("\n  = note: in `{}({})`", self.block, args.join(", "))
    }
}

struct Elab<'a> {
    source: &'a Source,
    faults: &'a mut Faults,
    graph: Graph,
    sites: Vec<Site>,
    /// Names bound to what could not be laid out.
    broken: Vec<(String, Option<Ident>)>,
    /// Each `_` of the signature.
    open: Vec<(Dim, Spans)>,
    scope: Scope,
    names: Names,
    /// Extents by name: symbols of the network, or what a block's signature calls an extent.
    extents: Vec<Named>,
    /// Of the user's, by the numbers of their calls.
    operators: Vec<Made>,
    /// Blocks with weights of their own, and which of them are being expanded.
    instances: instances::Instances<'a>,
    /// The calls of blocks that are being expanded, outermost first.
    calls: Rc<[Rc<Frame>]>,
    budget: usize,
    /// Something that it calls has faults where it is written.
    lame: bool,
    /// Whether the statement that is laid out has made weights.
    made_weights: bool,
    /// Both branches of an `if` are laid out, since nothing says which it is.
    undecided: bool,
    /// Calls of `#[recompute]` blocks, and `let`s with it, so far.
    segments: u32,
    /// Inputs are missing, which has been said: a name that is not known may be one of them.
    half: bool,
    /// Names that are not known and like no other, each said once.
    missing: BTreeSet<String>,
    /// The calls of what there is not, each said once however often it is laid out.
    told: BTreeSet<*const crate::ast::Call>,
    /// What things turn out to be, where an editor asks.
    watched: Option<seen::Watched>,
}

impl<'a> Elab<'a> {
    fn new(source: &'a Source, faults: &'a mut Faults, name: &str) -> Elab<'a> {
        Elab {
            source,
            faults,
            graph: Graph::new(name),
            sites: Vec::new(),
            broken: Vec::new(),
            open: Vec::new(),
            scope: Scope::default(),
            names: Names::default(),
            extents: Vec::new(),
            operators: Vec::new(),
            instances: instances::Instances::default(),
            calls: Rc::new([]),
            budget: MAX_CALLS,
            lame: false,
            made_weights: false,
            undecided: false,
            segments: 0,
            half: false,
            missing: BTreeSet::new(),
            told: BTreeSet::new(),
            watched: source.watched.then(Default::default),
        }
    }

    /// Reports a fault, with the blocks that led to it.
    fn fault(&mut self, code: Code, at: impl Into<Spans>, text: impl Into<String>) -> Value {
        let mut text = text.into();
        for frame in self.calls.iter().rev() {
            text.push_str(&frame.note(&mut self.graph));
        }
        self.faults.push(code, at, text);
        Value::Unknown
    }

    fn fault_help(
        &mut self,
        code: Code,
        at: impl Into<Spans>,
        text: impl AsRef<str>,
        help: impl AsRef<str>,
    ) -> Value {
        self.fault(code, at, format!("{}\n  = help: {}", text.as_ref(), help.as_ref()))
    }

    /// One call or round more; `false` when there have been too many.
    fn spend(&mut self, at: impl Into<Spans>) -> bool {
        match self.budget {
            0 => return false,
            1 => {
                let text =
                    format!("the network has more than {MAX_CALLS} calls and rounds of loops up to here");
                self.fault(Code::TooManyCalls, at, text);
            }
            _ => {}
        }
        self.budget -= 1;
        self.budget > 0
    }

    /// The statements of a body and its result.
    fn body(&mut self, block: &Block, hint: Option<&Hint>) -> Value {
        let mark = self.scope.mark();
        for s in &block.stmts {
            self.statement(s);
        }
        let result = match &block.tail {
            Some(tail) => self.expr_hint(tail, hint),
            None => Value::Hole,
        };
        self.watch(block, &result);
        self.scope.release(mark);
        result
    }

    /// What the network returns.
    fn outputs(&mut self, item: &Fn, result: Value) {
        let Some(tail) = &item.body.tail else {
            let text = format!("`{}` has no result", item.name);
            let help = "end with an expression without `;`: the loss, the scores, or a tuple of them";
            let at = match item.body.stmts.last() {
                Some(crate::ast::Stmt::Expr(e)) => e.at,
                _ => item.body.end.into(),
            };
            self.fault_help(Code::NoResult, at, text, help);
            return;
        };
        let list = match result {
            Value::List(list) => list,
            other => vec![other],
        };
        if list.is_empty() {
            self.fault(Code::NoResult, tail.at, format!("`{}` returns nothing", item.name));
        }
        for (i, value) in list.iter().enumerate() {
            match value {
                Value::Tensor(id) => self.graph.outputs.push(*id),
                Value::Unknown => {}
                other => {
                    let at = match &tail.kind {
                        crate::ast::ExprKind::List(parts) => parts.get(i).map_or(tail.at, |p| p.at),
                        _ => tail.at,
                    };
                    let what = other.describe(&mut self.graph);
                    self.fault(
                        Code::ResultNotATensor,
                        at,
                        format!("a network returns tensors, this is {what}"),
                    );
                }
            }
        }
    }

    /// Everything that inference left open. After another fault of this network that may be its consequence.
    fn holes(&mut self, before: usize) {
        let open = self.graph.settle();
        if self.faults.len() > before || self.lame {
            return;
        }
        // What seemed possible while something was open, and is not.
        for error in self.graph.refuted().cloned().collect::<Vec<_>>() {
            let layer = self.graph.layers.iter().position(|l| l.name == error.layer);
            let site = layer.and_then(|at| self.sites.get(at)).cloned();
            let mut error = error;
            if site.as_ref().is_none_or(|s| s.anonymous) {
                error.layer.clear();
            }
            let text = self.shape_text(&error);
            self.fault(error.code, site.map_or_else(|| Span::call_site().into(), |s| s.at), text);
        }
        if self.faults.len() > before {
            return;
        }
        for (hole, at) in std::mem::take(&mut self.open) {
            if self.graph.symbols.has_hole(&hole) {
                self.fault_help(
                    Code::OpenInput,
                    at,
                    "nothing says what `_` is",
                    "write the number, or a name: a symbol",
                );
            }
        }
        if self.faults.len() > before {
            return;
        }
        let mut layers: Vec<usize> = Vec::new();
        for id in open {
            let made =
                self.graph.layers.iter().position(|l| l.outputs.contains(&id) || l.inputs.contains(&id));
            layers.extend(made);
        }
        layers.sort_unstable();
        if let Some(first) = layers.first()
            && let Some(site) = self.sites.get(*first).cloned()
        {
            let l = &self.graph.layers[*first];
            let name = if site.anonymous { String::new() } else { format!("`{}`: ", l.name) };
            let op = self.graph.op_name(l.op, &l.attrs);
            let text = format!("{name}{op}: nothing says what `_` is");
            self.fault_help(
                Code::OpenLayer,
                site.at,
                text,
                "write the number, or use the result where it is decided",
            );
        }
    }

    /// The fault of an operator on the tokens it is about.
    fn shape_fault(&mut self, mut error: ShapeError, call: &CallSpans, anonymous: bool) -> Value {
        if anonymous {
            error.layer.clear();
        }
        let at = call.find(error.at);
        let text = self.shape_text(&error);
        self.fault(error.code, at, text)
    }

    /// `` `conv1`: conv2d: kernel 7 does not fit … `` with help and notes in the user's words.
    fn shape_text(&self, error: &ShapeError) -> String {
        let text = format!("{}{}", error.headline(), error.details());
        let made_up = |name: &str| {
            let at = self.graph.layers.iter().position(|l| l.name == name)?;
            let anonymous = self.sites.get(at)?.anonymous;
            anonymous.then(|| {
                let l = &self.graph.layers[at];
                self.graph.op_name(l.op, &l.attrs)
            })
        };
        let mut out = String::new();
        for (i, line) in text.lines().enumerate() {
            if i > 0 {
                out.push('\n');
            }
            let note = line.strip_prefix("  = note: `").and_then(|rest| rest.split_once('`'));
            match note.and_then(|(name, rest)| Some((made_up(name)?, rest))) {
                Some((op, rest)) => out.push_str(&format!("  = note: the result of `{op}`{rest}")),
                None => out.push_str(line),
            }
        }
        out
    }
}

impl Network {
    /// An error of a later pass, on the call of its layer.
    pub(crate) fn fault(&self, error: &ShapeError) -> (Spans, String) {
        let layer = self.graph.layers.iter().position(|l| l.name == error.layer);
        let site = layer.and_then(|at| self.sites.get(at));
        let mut error = error.clone();
        if site.is_none_or(|s| s.anonymous) {
            error.layer.clear();
        }
        let mut text = format!("{}{}", error.headline(), error.details());
        let mut graph = self.graph.clone();
        for frame in site.iter().flat_map(|s| s.through.iter().rev()) {
            text.push_str(&frame.note(&mut graph));
        }
        (site.map_or_else(|| Span::call_site().into(), |s| s.at), text)
    }
}
/// The name that the value of an expression gets.
#[derive(Clone)]
struct Hint {
    /// The full name of the layer.
    layer: String,
    /// The user's token, when it is one of the network's own.
    ident: Option<Ident>,
}

/// Where the parts of a call are.
struct CallSpans {
    /// The whole call.
    call: Spans,
    inputs: Vec<Spans>,
    options: Vec<(&'static str, Spans)>,
    /// The operator's name, or the whole of an arithmetic expression.
    name: Spans,
}

impl CallSpans {
    fn find(&self, at: At) -> Spans {
        match at {
            At::Call => self.call,
            At::Input(i) => self.inputs.get(i).copied().unwrap_or(self.call),
            At::Option(name) => {
                let given = self.options.iter().find(|(n, _)| *n == name);
                given.map_or(self.name, |(_, at)| *at)
            }
        }
    }
}

/// The name of an expression, if it is one.
fn as_name(expr: &Expr) -> Option<&Ident> {
    match &expr.kind {
        crate::ast::ExprKind::Name(name) => Some(name),
        _ => None,
    }
}
