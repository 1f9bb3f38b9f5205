//! Inputs, and what is held against a type: element types, extents, symbols.

use super::Elab;
use super::value::{Named, Value};
use crate::ast::{Expr, ExprKind, Fn, Param, Type, TypeKind, name_of};
use crate::errors::join_names;
use mxr_graph::catalogue::Code;
use mxr_graph::dim::{Dim, MAX_DIM};
use mxr_graph::dtype::DType;
use mxr_graph::error::did_you_mean;
use mxr_graph::instr::MAX_RANK;
use mxr_graph::shape::Shape;
use proc_macro2::Ident;

impl Elab<'_> {
    /// The inputs of a network.
    pub(super) fn inputs(&mut self, item: &Fn) {
        if item.params.is_empty() {
            let help = "`data: Tensor<N, 3, 32, 32>`";
            self.fault_help(Code::NoInputs, item.name.span(), format!("`{}` has no inputs", item.name), help);
        }
        for p in &item.params {
            let value = self.input(p);
            self.watch(&p.name, &value);
            self.scope.bind(name_of(&p.name), value, Some(p.name.clone()));
        }
    }

    fn input(&mut self, p: &Param) -> Value {
        let name = name_of(&p.name);
        let list = match &p.ty.kind {
            TypeKind::Tensor(Some(list)) => list,
            TypeKind::Tensor(None) => {
                let text = format!("the extents of `{name}` are missing");
                let help = format!(
                    "`{name}: Tensor<N, 3, 32, 32>`; only a block (small letter first) takes any shape"
                );
                return self.fault_help(Code::NoExtents, p.ty.at, text, help);
            }
            TypeKind::Error => return Value::Unknown,
            _ => {
                let text = format!("the inputs of a network are tensors, `{name}` is not");
                return self.fault_help(
                    Code::InputNotATensor,
                    p.at,
                    text,
                    "a `const` beside the network holds a number",
                );
            }
        };
        let (dtype, extents) = self.dtype_of(list);
        let mut shape = Vec::with_capacity(extents.len());
        for e in extents {
            let value = match as_symbol(e) {
                Some(symbol) => self.symbol(&symbol),
                None if matches!(e.kind, ExprKind::Hole) => {
                    let hole = self.graph.symbols.hole();
                    self.open.push((hole.clone(), e.at));
                    self.watch(e, &Value::Dim(hole.clone()));
                    Value::Dim(hole)
                }
                None => {
                    self.declare(e);
                    self.expr(e)
                }
            };
            shape.push(self.extent(value, e));
        }
        let Some(shape) = shape.into_iter().collect::<Option<Vec<Dim>>>() else { return Value::Unknown };
        let shape = Shape(shape);
        if shape.rank() > MAX_RANK {
            return self.fault(
                Code::TooManyAxes,
                p.ty.at,
                format!("`{name}` has {} axes, at most {MAX_RANK} are possible", shape.rank()),
            );
        }
        if shape.elements().terms().iter().any(|t| t.coef > MAX_DIM) {
            return self.fault(
                Code::TooLarge,
                p.ty.at,
                format!("`{name}` is too large: more than 2^48 elements"),
            );
        }
        Value::Tensor(self.graph.input(&name, shape, dtype))
    }

    /// The element type among what stands in the brackets, first or last; and the rest.
    pub(super) fn dtype_of<'e>(&mut self, list: &'e [Expr]) -> (DType, Vec<&'e Expr>) {
        let mut found: Option<DType> = None;
        let mut extents = Vec::with_capacity(list.len());
        for e in list {
            let name = as_symbol(e);
            let mut dtype = name.as_deref().and_then(DType::from_name);
            if let Some(name) = name
                .filter(|n| dtype.is_none() && like_a_type(n) && !self.extents.iter().any(|e| e.name == *n))
            {
                let near = did_you_mean(&name, DType::ALL.iter().map(|d| d.name()));
                let help = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there are {}", join_names(DType::ALL.iter().map(|d| d.name()))),
                };
                self.fault_help(
                    Code::UnknownElementType,
                    e.at,
                    format!("there is no element type `{name}`"),
                    help,
                );
                dtype = Some(near.and_then(DType::from_name).unwrap_or_default());
            }
            match (dtype, found) {
                (Some(_), Some(_)) => {
                    self.fault(Code::TwoElementTypes, e.at, "a tensor has one element type");
                }
                (Some(d), None) => found = Some(d),
                (None, _) => extents.push(e),
            }
        }
        (found.unwrap_or_default(), extents)
    }

    /// A value as an extent.
    pub(super) fn extent(&mut self, value: Value, e: &Expr) -> Option<Dim> {
        match value.as_dim() {
            Some(Dim::Const(n)) if n > MAX_DIM => {
                self.fault(
                    Code::ExtentBounds,
                    e.at,
                    format!("this extent is too large: {n} is more than 2^48"),
                );
                None
            }
            Some(Dim::Const(n)) if n < 1 => {
                self.fault(Code::ExtentBounds, e.at, format!("an extent must be at least 1, this is {n}"));
                None
            }
            Some(d) => Some(d),
            None => {
                if !value.has_unknown() {
                    let what = value.describe(&mut self.graph);
                    self.fault(
                        Code::ExtentKind,
                        e.at,
                        format!("an extent is a number or a symbol, this is {what}"),
                    );
                }
                None
            }
        }
    }

    /// The symbol of this name, or the constant.
    fn symbol(&mut self, name: &str) -> Value {
        if let Some(extent) = self.extents.iter().find(|e| e.name == name) {
            return extent.value.clone();
        }
        let value = Value::Dim(Dim::symbol(self.graph.symbols.named(name)));
        self.extents.push(Named::new(name.to_string(), value.clone()));
        value
    }

    /// Makes every name in an extent a symbol: `{ 2 * N }`.
    fn declare(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Name(name) => {
                self.symbol(&name_of(name));
            }
            ExprKind::Unary(_, a) => self.declare(a),
            ExprKind::Binary(_, a, b) => {
                self.declare(a);
                self.declare(b);
            }
            ExprKind::Block(b) => b.tail.iter().for_each(|t| self.declare(t)),
            _ => {}
        }
    }

    /// What the signature of a block names is not known: nobody calls it, or with a wrong argument.
    pub(super) fn unknown_symbols(&mut self, ty: &Type) {
        let TypeKind::Tensor(Some(list)) = &ty.kind else { return };
        for name in list.iter().filter_map(as_symbol) {
            if !self.extents.iter().any(|e| e.name == name) {
                self.extents.push(Named::new(name, Value::Unknown));
            }
        }
    }

    /// Holds the argument of a block (`of` its parameter), or the value of a constant, against its type.
    pub(super) fn typed(
        &mut self,
        name: &str,
        ty: &Type,
        value: Value,
        at: crate::errors::Spans,
        of: Option<&Ident>,
    ) -> Value {
        let wants = match (&ty.kind, &value) {
            (_, Value::Unknown) | (TypeKind::Error, _) => return Value::Unknown,
            (TypeKind::Tensor(list), Value::Tensor(id)) => {
                let id = *id;
                if let Some(list) = list {
                    return self.shaped(name, list, id, at, of);
                }
                return value;
            }
            (TypeKind::Int, Value::Int(_) | Value::Dim(_) | Value::Hole)
            | (TypeKind::Float, Value::Float(_))
            | (TypeKind::Bool, Value::Bool(_))
            | (TypeKind::Word, Value::Word(_))
            | (TypeKind::List, Value::List(_)) => return value,
            (TypeKind::Tensor(_), _) => "a tensor",
            (TypeKind::Int, _) => "an integer",
            (TypeKind::Float, _) => "a number with a point",
            (TypeKind::Bool, _) => "`true` or `false`",
            (TypeKind::Word, _) => "a word",
            (TypeKind::List, _) => "a list",
        };
        let what = value.describe(&mut self.graph);
        let text = format!("`{name}` is {wants}, this is {what}");
        match value {
            Value::Int(n) if matches!(ty.kind, TypeKind::Float) => {
                self.fault_help(Code::ArgumentType, at, text, format!("write {n}.0"))
            }
            _ => self.fault(Code::ArgumentType, at, text),
        }
    }

    /// A tensor against extents: names that are new stand for what is there, others must agree. `of` the parameter that has them.
    pub(super) fn shaped(
        &mut self,
        name: &str,
        list: &[Expr],
        id: mxr_graph::graph::ValueId,
        at: crate::errors::Spans,
        of: Option<&Ident>,
    ) -> Value {
        let (dtype, extents) = self.dtype_of(list);
        let (have, have_type) = (self.graph.shape(id), self.graph.value(id).dtype);
        let written = list.iter().any(|e| as_symbol(e).is_some_and(|n| DType::from_name(&n).is_some()));
        if written && dtype != have_type {
            return self.fault(
                Code::ArgumentElementType,
                at,
                format!("`{name}` holds {dtype}, this is a tensor of {have_type}"),
            );
        }
        if have.rank() != extents.len() {
            let shown = have.display(&self.graph.symbols).to_string();
            let text = format!("`{name}` has {} axes, this is {shown} of {}", extents.len(), have.rank());
            return self.fault(Code::ArgumentShape, at, text);
        }
        for (axis, (e, have)) in extents.iter().zip(have.iter()).enumerate() {
            if matches!(e.kind, ExprKind::Hole) {
                self.watch(*e, &Value::of_dim(have.clone()));
                continue;
            }
            if let Some(symbol) = as_symbol(e)
                && !self.extents.iter().any(|e| e.name == symbol)
                && !self.scope.names().any(|n| n == symbol)
            {
                self.watch(*e, &Value::of_dim(have.clone()));
                let value = Value::of_dim(have.clone());
                self.extents.push(Named { name: symbol, value, of: of.cloned() });
                continue;
            }
            // That two inputs agree in it is no use of either.
            let named = as_symbol(e).and_then(|name| self.extents.iter().find(|n| n.name == name));
            let value = match named.map(|n| n.value.clone()) {
                Some(value) => value,
                None => self.expr(e),
            };
            self.watch(*e, &value);
            let Some(want) = self.extent(value, e) else { return Value::Unknown };
            if !self.graph.symbols.unify(&want, have) {
                let have = have.display(&self.graph.symbols).to_string();
                let want = want.display(&self.graph.symbols).to_string();
                return self.fault(
                    Code::ArgumentShape,
                    at,
                    format!("axis {axis} of `{name}` must be {want}, it is {have}"),
                );
            }
        }
        Value::Tensor(id)
    }

    /// The extents that are named, for a message.
    pub(super) fn extent_names(&self) -> String {
        join_names(self.extents.iter().map(|e| e.name.as_str()))
    }
}

/// `i63`, `f23`: meant for an element type, whether there is one or not.
fn like_a_type(name: &str) -> bool {
    let digits = name.trim_start_matches(|c: char| c.is_ascii_lowercase());
    let kind = &name[..name.len() - digits.len()];
    let number = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    number && ["i", "u", "f", "bf", "int", "uint", "float"].contains(&kind)
}

/// The name, if the expression is nothing but one (in braces perhaps).
fn as_symbol(e: &Expr) -> Option<String> {
    match &e.kind {
        ExprKind::Name(name) => Some(name_of(name)),
        ExprKind::Block(b) if b.stmts.is_empty() => b.tail.as_deref().and_then(as_symbol),
        _ => None,
    }
}
