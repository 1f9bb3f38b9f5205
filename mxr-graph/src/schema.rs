//! What an operator looks like from outside: operands, options, defaults, docs. The macro's grammar, the methods
//! of `Symbol` and `NDArray` and the operator table in the docs are all made from it.

use crate::catalogue::Code;
use crate::dim::Dim;
use crate::error::{At, ShapeError, did_you_mean};
use crate::expr::Expr;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The face of an operator.
#[derive(Debug)]
pub struct Schema {
    /// Name in `network!`, in `Symbol` and in `NDArray`.
    pub name: &'static str,
    /// MXNet's name for automatic layer names (`convolution`, `fullyconnected`, …).
    pub auto_name: &'static str,
    /// Markdown: one sentence, then formula, shapes `[n, c, h, w]` and source.
    pub doc: &'static str,
    /// Operands in order: data first, then parameters, then states.
    pub inputs: &'static [Operand],
    /// Results in order; those of [`Schema::visible`] and after are for the backward pass only.
    pub outputs: &'static [&'static str],
    /// How many results the user sees; 0 for all of them, where an option says how many there are (`split`).
    pub visible: usize,
    /// Options in order; the positional ones first.
    pub options: &'static [OptionDef],
    /// Made by passes and gradients only; not in the language.
    pub internal: bool,
}

/// An operand.
#[derive(Debug)]
pub struct Operand {
    /// Name, also the suffix of a parameter (`conv1_weight`).
    pub name: &'static str,
    /// What it is.
    pub kind: OperandKind,
    /// One line.
    pub doc: &'static str,
}

/// What an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperandKind {
    /// A value that the caller names.
    Data,
    /// One or more values (`concat`); must be the only operand.
    Variadic,
    /// A trained weight, made by the network when not given. A parameter called `bias` exists only when the option
    /// `bias` is not `false`.
    Param,
    /// A state that the operator updates and nobody differentiates.
    Aux,
}

impl Operand {
    /// A value that the caller names.
    pub const fn data(name: &'static str, doc: &'static str) -> Operand {
        Operand { name, kind: OperandKind::Data, doc }
    }

    /// A trained weight.
    pub const fn param(name: &'static str, doc: &'static str) -> Operand {
        Operand { name, kind: OperandKind::Param, doc }
    }

    /// A state.
    pub const fn aux(name: &'static str, doc: &'static str) -> Operand {
        Operand { name, kind: OperandKind::Aux, doc }
    }
}

/// An option.
#[derive(Debug)]
pub struct OptionDef {
    /// Name: `kernel = 3`.
    pub name: &'static str,
    /// What it takes.
    pub kind: OptionKind,
    /// What it is when not given.
    pub default: Default,
    /// May be given by position, after the operands.
    pub positional: bool,
    /// One line with unit and default.
    pub doc: &'static str,
}

impl OptionDef {
    /// An option that is given by name.
    pub const fn named(
        name: &'static str,
        kind: OptionKind,
        default: Default,
        doc: &'static str,
    ) -> OptionDef {
        OptionDef { name, kind, default, positional: false, doc }
    }

    /// An option that may also be given by position.
    pub const fn positional(
        name: &'static str,
        kind: OptionKind,
        default: Default,
        doc: &'static str,
    ) -> OptionDef {
        OptionDef { name, kind, default, positional: true, doc }
    }
}

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OptionKind {
    /// A dimension: a number, a symbol, an expression, or `_`.
    Dim,
    /// An integer within bounds.
    Int(i64, i64),
    /// A number within bounds.
    Float(f64, f64),
    /// `true` or `false`.
    Bool,
    /// `n` or `(height, width)`, at least the bound.
    Pair(i64),
    /// `n`, `(height, width)`, `(top, left, bottom, right)` or `same`.
    Pad,
    /// One integer or a list of them.
    Ints,
    /// A list of dimensions, `-1` or `_` for one to be computed.
    Shape,
    /// Indices along axes: one integer, negative ones counting from the end, or a list of them; dimensions and `_` for "all the
    /// way" may stand among them.
    Indices,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A scalar expression; only in internal operators.
    Expr,
}

/// The value of an option that is not given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    /// There is none: the option must be given.
    Required,
    /// Absent, with the meaning that the option's doc names.
    Absent,
    /// A number (for pairs: both).
    Int(i64),
    /// A number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A word.
    Word(&'static str),
}

/// An option as the user wrote it, before it is held against the schema.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg {
    /// `5`.
    Int(i64),
    /// `0.5`.
    Float(f64),
    /// `true`.
    Bool(bool),
    /// `same`.
    Word(String),
    /// `N`, `2 * N`.
    Dim(Dim),
    /// `(3, 5)` or `[0, 1]`.
    List(Vec<Arg>),
    /// `_`.
    Hole,
}

impl Arg {
    /// As short as it can be said in a message; what contains symbols is not said here.
    fn short(&self) -> Option<String> {
        Some(match self {
            Arg::Int(n) => n.to_string(),
            Arg::Float(x) => format!("{x:?}"),
            Arg::Bool(b) => b.to_string(),
            Arg::Word(w) => format!("`{w}`"),
            Arg::Hole => "`_`".to_string(),
            Arg::Dim(d) => d.as_const()?.to_string(),
            Arg::List(list) => {
                let all = list.iter().map(Arg::short).collect::<Option<Vec<String>>>()?;
                format!("({})", all.join(", "))
            }
        })
    }
}

/// An option's checked value.
#[derive(Clone, Debug, PartialEq)]
pub enum Attr {
    /// Not given and without default.
    Absent,
    /// `_`: to be inferred.
    Hole,
    /// An integer.
    Int(i64),
    /// A number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A dimension.
    Dim(Dim),
    /// A pair, a padding, a list of axes.
    Ints(Vec<i64>),
    /// A list of dimensions or indices; `None` for the one to be computed, or for all the way.
    Dims(Vec<Option<Dim>>),
    /// A word of a choice.
    Word(&'static str),
    /// A scalar expression.
    Expr(Expr),
}

/// Checked options, one per option of the schema.
pub type Attrs = Vec<Attr>;

/// The operand of elementwise functions of one.
const X: &[Operand] = &[Operand { name: "x", kind: OperandKind::Data, doc: "any shape" }];
/// The operands of elementwise functions of two.
const A_B: &[Operand] = &[
    Operand { name: "a", kind: OperandKind::Data, doc: "any shape" },
    Operand { name: "b", kind: OperandKind::Data, doc: "a shape that broadcasts with that of `a`" },
];

impl Schema {
    /// An elementwise function of `x` without options.
    pub const fn unary(name: &'static str, doc: &'static str) -> Schema {
        let (inputs, outputs): (_, &[&str]) = (X, &["output"]);
        Schema { name, auto_name: name, doc, inputs, outputs, visible: 1, options: &[], internal: false }
    }

    /// An elementwise function of `a` and `b`, which broadcast, without options.
    pub const fn binary(name: &'static str, doc: &'static str) -> Schema {
        Schema { inputs: A_B, ..Schema::unary(name, doc) }
    }

    /// The place of an option.
    pub fn option(&self, name: &str) -> Option<usize> {
        self.options.iter().position(|o| o.name == name)
    }

    /// Every option at its default.
    pub fn defaults(&self) -> Attrs {
        self.options
            .iter()
            .map(|o| match o.default {
                Default::Required | Default::Absent => Attr::Absent,
                Default::Int(n) if matches!(o.kind, OptionKind::Pair(_)) => Attr::Ints(alloc::vec![n; 2]),
                Default::Int(n) if o.kind == OptionKind::Pad => Attr::Ints(alloc::vec![n; 4]),
                Default::Int(n) if o.kind == OptionKind::Ints => Attr::Ints(alloc::vec![n]),
                Default::Int(n) if o.kind == OptionKind::Dim => Attr::Dim(Dim::Const(n)),
                Default::Int(n) => Attr::Int(n),
                Default::Float(x) => Attr::Float(x),
                Default::Bool(b) => Attr::Bool(b),
                Default::Word(w) => Attr::Word(w),
            })
            .collect()
    }

    /// The options of a call: defaults, overridden by `(name, value)` pairs.
    pub fn attrs<'a>(&self, given: impl IntoIterator<Item = (&'a str, Arg)>) -> Result<Attrs, ShapeError> {
        let mut attrs = self.defaults();
        for (name, arg) in given {
            let at = self.option(name).ok_or_else(|| self.no_such_option(name))?;
            attrs[at] = self.check(at, arg)?;
        }
        Ok(attrs)
    }

    /// "conv2d has no option `kernal`; did you mean `kernel`?"
    pub fn no_such_option(&self, name: &str) -> ShapeError {
        let near = did_you_mean(name, self.options.iter().map(|o| o.name));
        let ours = elsewhere(name).iter().find(|n| self.option(n).is_some());
        let mut e = self.error(Code::UnknownOption, At::Call, format!("has no option `{name}`"));
        e.help = match (ours, near) {
            (Some(n), _) => Some(format!("it is called `{n}` here")),
            (None, Some(n)) => Some(format!("did you mean `{n}`?")),
            (None, None) if self.options.is_empty() => Some(format!("{} takes no options", self.name)),
            (None, None) => {
                let all: Vec<String> = self.options.iter().map(|o| format!("`{}`", o.name)).collect();
                Some(format!("its options are {}", all.join(", ")))
            }
        };
        e
    }

    /// Hold one given option against the schema.
    pub fn check(&self, option: usize, arg: Arg) -> Result<Attr, ShapeError> {
        let def = &self.options[option];
        let bad = |code: Code, want: &str| {
            let given = arg.short().map(|g| format!(", not {g}")).unwrap_or_default();
            let mut e =
                self.error(code, At::Option(def.name), format!("`{}` must be {want}{given}", def.name));
            e.help = Some(def.doc.to_string());
            e
        };
        let kind = |want: &str| bad(Code::OptionKind, want);
        let bounds = |want: &str| bad(Code::OptionBounds, want);
        let number = matches!(arg, Arg::Int(_) | Arg::Float(_));
        match (def.kind, &arg) {
            (OptionKind::Dim, Arg::Int(n)) if *n >= 1 => Ok(Attr::Dim(Dim::Const(*n))),
            (OptionKind::Dim, Arg::Dim(d)) => match d.upper_bound() {
                Some(b) if b < 1 => Err(bounds("at least 1")),
                _ => Ok(Attr::Dim(d.clone())),
            },
            (OptionKind::Dim, Arg::Hole) => Ok(Attr::Hole),
            (OptionKind::Dim, Arg::Int(_)) => Err(bounds("at least 1")),
            (OptionKind::Dim, _) => Err(kind("a dimension: a number, a symbol or `_`")),
            (OptionKind::Int(lo, hi), Arg::Int(n)) if (lo..=hi).contains(n) => Ok(Attr::Int(*n)),
            (OptionKind::Int(lo, hi), arg) => {
                let code = if let Arg::Int(_) = arg { Code::OptionBounds } else { Code::OptionKind };
                Err(match hi {
                    i64::MAX => bad(code, &format!("an integer of at least {lo}")),
                    _ => bad(code, &format!("an integer from {lo} to {hi}")),
                })
            }
            (OptionKind::Float(lo, hi), Arg::Float(x)) if (lo..=hi).contains(x) => Ok(Attr::Float(*x)),
            (OptionKind::Float(lo, hi), Arg::Int(n)) if (lo..=hi).contains(&(*n as f64)) => {
                Ok(Attr::Float(*n as f64))
            }
            (OptionKind::Float(lo, hi), _) => {
                let code = if number { Code::OptionBounds } else { Code::OptionKind };
                Err(match (lo, hi) {
                    (f64::MIN, f64::MAX) => bad(code, "a number"),
                    (_, f64::MAX) => bad(code, &format!("a number of at least {lo}")),
                    _ => bad(code, &format!("a number from {lo} to {hi}")),
                })
            }
            (OptionKind::Bool, Arg::Bool(b)) => Ok(Attr::Bool(*b)),
            (OptionKind::Bool, _) => Err(kind("`true` or `false`")),
            (OptionKind::Pair(_), Arg::Hole) if def.default == Default::Absent => Ok(Attr::Absent),
            (OptionKind::Pair(lo), arg) => {
                let fits = |n: &i64| (lo..=PAIR_MAX).contains(n);
                let want = || format!("an integer of at least {lo}, or (height, width)");
                match ints(arg).as_deref() {
                    Some([n]) if fits(n) => Ok(Attr::Ints(alloc::vec![*n, *n])),
                    Some([h, w]) if fits(h) && fits(w) => Ok(Attr::Ints(alloc::vec![*h, *w])),
                    Some([_] | [_, _]) => Err(bounds(&want())),
                    _ => Err(kind(&want())),
                }
            }
            (OptionKind::Pad, Arg::Word(w)) if w == "same" => Ok(Attr::Word("same")),
            (OptionKind::Pad, arg) => {
                let want = "an integer, (height, width), (top, left, bottom, right) or `same`";
                match ints(arg).as_deref() {
                    Some(list) if list.iter().any(|n| !(0..=PAIR_MAX).contains(n)) => Err(bounds(want)),
                    Some([n]) => Ok(Attr::Ints(alloc::vec![*n; 4])),
                    Some([h, w]) => Ok(Attr::Ints(alloc::vec![*h, *w, *h, *w])),
                    Some([t, l, b, r]) => Ok(Attr::Ints(alloc::vec![*t, *l, *b, *r])),
                    _ => Err(kind(want)),
                }
            }
            (OptionKind::Ints, arg) => {
                ints(arg).map(Attr::Ints).ok_or_else(|| kind("an integer or a list of them"))
            }
            (OptionKind::Shape, Arg::List(list)) => {
                let mut dims = Vec::with_capacity(list.len());
                for a in list {
                    dims.push(match a {
                        Arg::Int(n) if *n >= 0 => Some(Dim::Const(*n)),
                        Arg::Dim(d) => Some(d.clone()),
                        Arg::Int(-1) | Arg::Hole => None,
                        _ => return Err(kind("a list of dimensions; `_` (or -1) for one to be computed")),
                    });
                }
                Ok(Attr::Dims(dims))
            }
            (OptionKind::Shape, _) => Err(kind("a list of dimensions, such as [N, 720]")),
            (OptionKind::Indices, arg) => {
                let list = if let Arg::List(list) = arg { &list[..] } else { core::slice::from_ref(arg) };
                let index = |a: &Arg| match a {
                    Arg::Int(n) => Ok(Some(Dim::Const(*n))),
                    Arg::Dim(d) => Ok(Some(d.clone())),
                    Arg::Hole => Ok(None),
                    _ => Err(kind("an integer or a list of them; `_` for all the way")),
                };
                list.iter().map(index).collect::<Result<_, _>>().map(Attr::Dims)
            }
            (OptionKind::Choice(words), Arg::Word(w)) => match words.iter().find(|k| *k == w) {
                Some(k) => Ok(Attr::Word(k)),
                None => {
                    let mut e = bad(Code::UnknownWord, &one_of(words));
                    if let Some(near) = did_you_mean(w, words.iter().copied()) {
                        e.help = Some(format!("did you mean `{near}`?"));
                    }
                    Err(e)
                }
            },
            (OptionKind::Choice(words), _) => Err(kind(&one_of(words))),
            (OptionKind::Expr, _) => Err(kind("a scalar expression")),
        }
    }

    /// An error of this operator.
    pub fn error(&self, code: Code, at: At, message: String) -> ShapeError {
        ShapeError {
            code,
            op: self.name.into(),
            layer: String::new(),
            at,
            message,
            help: None,
            notes: Vec::new(),
        }
    }
}

/// What an option that other libraries have may be called here.
fn elsewhere(name: &str) -> &'static [&'static str] {
    match name {
        "dim" => &["axis", "axes"],
        "kernel_size" | "pool_size" => &["kernel"],
        "padding" => &["pad"],
        "strides" => &["stride"],
        "dilation_rate" | "dilate" => &["dilation"],
        "out_channels" | "num_filter" => &["filters"],
        "out_features" | "num_hidden" => &["units"],
        "in_features" | "in_channels" | "in_units" => &["inputs"],
        "use_bias" => &["bias"],
        "num_group" => &["groups"],
        "rate" | "prob" => &["p"],
        "epsilon" => &["eps"],
        "negative_slope" => &["slope"],
        "label_smoothing" => &["smoothing"],
        "ceil_mode" => &["rounding"],
        "count_include_pad" => &["count_pad"],
        "keepdim" => &["keepdims"],
        "num_outputs" | "chunks" => &["parts"],
        _ => &[],
    }
}

/// No window, step or padding is larger.
const PAIR_MAX: i64 = 1 << 20;

fn one_of(words: &[&str]) -> String {
    let all: Vec<String> = words.iter().map(|w| format!("`{w}`")).collect();
    format!("one of {}", all.join(", "))
}

fn ints(arg: &Arg) -> Option<Vec<i64>> {
    match arg {
        Arg::Int(n) => Some(alloc::vec![*n]),
        Arg::Dim(d) => d.as_const().map(|n| alloc::vec![n]),
        Arg::List(list) => list
            .iter()
            .map(|a| match a {
                Arg::Int(n) => Some(*n),
                Arg::Dim(d) => d.as_const(),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

impl From<&str> for Arg {
    fn from(w: &str) -> Arg {
        Arg::Word(w.to_owned())
    }
}
impl From<i64> for Arg {
    fn from(n: i64) -> Arg {
        Arg::Int(n)
    }
}
impl From<f64> for Arg {
    fn from(x: f64) -> Arg {
        Arg::Float(x)
    }
}
impl From<bool> for Arg {
    fn from(b: bool) -> Arg {
        Arg::Bool(b)
    }
}

/// The checked options of one call, read by name.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Whose options they are.
    pub schema: &'static Schema,
    /// Their values.
    pub attrs: &'a Attrs,
}

impl<'a> Options<'a> {
    /// The option's value.
    pub fn get(&self, name: &str) -> &'a Attr {
        let at =
            self.schema.option(name).unwrap_or_else(|| panic!("{} has no option `{name}`", self.schema.name));
        &self.attrs[at]
    }

    /// An integer.
    pub fn int(&self, name: &str) -> i64 {
        match self.get(name) {
            Attr::Int(n) => *n,
            Attr::Dim(Dim::Const(n)) => *n,
            other => panic!("{}.{name} is {other:?}, not an integer", self.schema.name),
        }
    }

    /// A number.
    pub fn float(&self, name: &str) -> f64 {
        match self.get(name) {
            Attr::Float(x) => *x,
            other => panic!("{}.{name} is {other:?}, not a number", self.schema.name),
        }
    }

    /// A truth value.
    pub fn bool(&self, name: &str) -> bool {
        match self.get(name) {
            Attr::Bool(b) => *b,
            other => panic!("{}.{name} is {other:?}, not a truth value", self.schema.name),
        }
    }

    /// A list of integers; `None` when absent.
    pub fn ints(&self, name: &str) -> Option<&'a [i64]> {
        match self.get(name) {
            Attr::Ints(v) => Some(v),
            _ => None,
        }
    }

    /// `(height, width)`; `None` when absent.
    pub fn pair(&self, name: &str) -> Option<[i64; 2]> {
        self.ints(name).and_then(|v| <[i64; 2]>::try_from(v).ok())
    }

    /// A word; `None` when absent.
    pub fn word(&self, name: &str) -> Option<&'static str> {
        match self.get(name) {
            Attr::Word(w) => Some(w),
            _ => None,
        }
    }
}
