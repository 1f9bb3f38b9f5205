//! Arithmetic: of tensors, which makes layers, and of constants, which is done here and now.

use super::{CallSpans, Elab, Hint, value::Value};
use crate::ast::{Binary, Expr};
use crate::errors::Spans;
use mxr_graph::catalogue::Code;
use mxr_graph::dim::Dim;
use mxr_graph::graph::ValueId;
use mxr_graph::ops::{self, Fill};
use mxr_graph::shape::Shape;

impl Elab<'_> {
    pub(super) fn binary(&mut self, op: Binary, a: &Expr, b: &Expr, at: Spans, hint: Option<&Hint>) -> Value {
        let (x, y) = (self.expr(a), self.expr(b));
        if x.has_unknown() || y.has_unknown() {
            return Value::Unknown;
        }
        let spans = [a.at, b.at];
        let inputs = match (&x, &y) {
            (Value::Tensor(x), Value::Tensor(y)) => Some([*x, *y]),
            (Value::Tensor(t), number) => self.scalar(number, *t, spans[1]).map(|n| [*t, n]),
            (number, Value::Tensor(t)) => self.scalar(number, *t, spans[0]).map(|n| [n, *t]),
            _ => return self.constant(op, &x, &y, at, spans),
        };
        let Some(inputs) = inputs else { return Value::Unknown };
        let name = match op {
            Binary::Add => "add",
            Binary::Sub => "sub",
            Binary::Mul => "mul",
            Binary::Div => "div",
            Binary::Gt => "greater",
            Binary::Ge => "greater_equal",
            Binary::Lt => "less",
            Binary::Le => "less_equal",
            Binary::Eq => "equal",
            Binary::Ne => "not_equal",
            Binary::Or | Binary::And | Binary::Rem => "",
        };
        self.arithmetic(name, op.sign(), &inputs, at, hint)
    }

    pub(super) fn negate(&mut self, a: &Expr, at: Spans, hint: Option<&Hint>) -> Value {
        match self.expr(a) {
            Value::Tensor(id) => self.arithmetic("neg", "-", &[id], at, hint),
            Value::Int(n) => n.checked_neg().map_or_else(|| self.overflow(at), Value::Int),
            Value::Float(x) => Value::Float(-x),
            Value::Dim(d) => Value::of_dim(d.scale(-1)),
            Value::Unknown => Value::Unknown,
            other => {
                let what = other.describe(&mut self.graph);
                self.fault(
                    Code::CannotCombine,
                    a.at,
                    format!("`-` takes a tensor or a number, this is {what}"),
                )
            }
        }
    }

    /// Applies the operator of a sign. A fault concerns the whole expression: neither side is more wrong.
    fn arithmetic(
        &mut self,
        name: &str,
        sign: &str,
        inputs: &[ValueId],
        at: Spans,
        hint: Option<&Hint>,
    ) -> Value {
        let Some(op) = ops::find(name) else {
            return self.fault(Code::CannotCombine, at, format!("tensors have no `{sign}`"));
        };
        let spans = CallSpans { call: at, inputs: vec![at; inputs.len()], options: Vec::new(), name: at };
        let attrs = op.schema().defaults();
        self.apply(op, attrs, inputs, &spans, hint)
    }

    /// A number beside a tensor: a constant of the tensor's element type.
    fn scalar(&mut self, number: &Value, tensor: ValueId, at: Spans) -> Option<ValueId> {
        let dtype = self.graph.value(tensor).dtype;
        let x = match number {
            Value::Float(x) if dtype.is_float() => *x,
            Value::Float(x) => {
                let text = format!("the tensor holds {dtype}, {x:?} is not an integer");
                self.fault_help(Code::FractionBesideIntegers, at, text, "convert the tensor with `cast`");
                return None;
            }
            Value::Int(n) => *n as f64,
            other => {
                let what = other.describe(&mut self.graph);
                let help = "numbers and tensors can";
                let text = format!("{what} cannot be combined with a tensor");
                self.fault_help(Code::CannotCombine, at, text, help);
                return None;
            }
        };
        let made = self.graph.apply(&Fill, Fill::attrs(x, &Shape::default(), dtype), &[], None);
        let made = made.expect("a scalar always has a shape")[0];
        self.note_layers(at, None, true);
        Some(made)
    }

    /// Arithmetic of constants.
    fn constant(&mut self, op: Binary, x: &Value, y: &Value, at: Spans, spans: [Spans; 2]) -> Value {
        match (x, y) {
            (Value::Int(a), Value::Int(b)) => self.integers(op, *a, *b, at),
            (Value::Float(a), Value::Float(b)) => match op {
                Binary::Add => Value::Float(a + b),
                Binary::Sub => Value::Float(a - b),
                Binary::Mul => Value::Float(a * b),
                Binary::Div => Value::Float(a / b),
                Binary::Eq => Value::Bool(a == b),
                Binary::Ne => Value::Bool(a != b),
                Binary::Lt => Value::Bool(a < b),
                Binary::Le => Value::Bool(a <= b),
                Binary::Gt => Value::Bool(a > b),
                Binary::Ge => Value::Bool(a >= b),
                _ => self.fault(
                    Code::CannotCombine,
                    at,
                    format!("numbers with a point have no `{}`", op.sign()),
                ),
            },
            (Value::Int(n), Value::Float(_)) => self.mixed(*n, spans[0]),
            (Value::Float(_), Value::Int(n)) => self.mixed(*n, spans[1]),
            (Value::Bool(a), Value::Bool(b)) => match op {
                Binary::And => Value::Bool(*a && *b),
                Binary::Or => Value::Bool(*a || *b),
                Binary::Eq => Value::Bool(a == b),
                Binary::Ne => Value::Bool(a != b),
                _ => self.fault(Code::CannotCombine, at, format!("truth values have no `{}`", op.sign())),
            },
            (Value::List(a), Value::List(b)) if op == Binary::Add => Value::List([&a[..], b].concat()),
            (Value::Word(a), Value::Word(b)) if matches!(op, Binary::Eq | Binary::Ne) => {
                Value::Bool((a == b) == (op == Binary::Eq))
            }
            _ => match (x.as_dim(), y.as_dim()) {
                (Some(a), Some(b)) => self.dimensions(op, &a, &b, at),
                _ => {
                    let (x, y) = (x.describe(&mut self.graph), y.describe(&mut self.graph));
                    self.fault(Code::CannotCombine, at, format!("`{}` cannot combine {x} and {y}", op.sign()))
                }
            },
        }
    }

    fn mixed(&mut self, n: i64, integer: Spans) -> Value {
        self.fault_help(
            Code::MixedNumbers,
            integer,
            "an integer and a number with a point cannot be mixed",
            format!("write {n}.0"),
        )
    }

    fn overflow(&mut self, at: Spans) -> Value {
        self.fault(Code::Overflow, at, "the result is too large for an integer of 64 bits")
    }

    fn integers(&mut self, op: Binary, a: i64, b: i64, at: Spans) -> Value {
        let result = match op {
            Binary::Add => a.checked_add(b),
            Binary::Sub => a.checked_sub(b),
            Binary::Mul => a.checked_mul(b),
            Binary::Div | Binary::Rem if b == 0 => {
                return self.fault(Code::Overflow, at, "this divides by 0");
            }
            Binary::Div => a.checked_div(b),
            Binary::Rem => a.checked_rem(b),
            Binary::Eq => return Value::Bool(a == b),
            Binary::Ne => return Value::Bool(a != b),
            Binary::Lt => return Value::Bool(a < b),
            Binary::Le => return Value::Bool(a <= b),
            Binary::Gt => return Value::Bool(a > b),
            Binary::Ge => return Value::Bool(a >= b),
            Binary::And | Binary::Or => {
                return self.fault(Code::CannotCombine, at, format!("`{}` takes truth values", op.sign()));
            }
        };
        result.map_or_else(|| self.overflow(at), Value::Int)
    }

    /// Polynomials of symbols: sums and products stay what they are, a division that does not come out even rounds down,
    /// a comparison must hold whatever the symbols are.
    fn dimensions(&mut self, op: Binary, a: &Dim, b: &Dim, at: Spans) -> Value {
        let difference = self.graph.symbols.resolve(&a.sub(b));
        let (low, high) = (difference.lower_bound(), difference.upper_bound());
        let never_equal = low.is_some_and(|l| l > 0) || high.is_some_and(|h| h < 0);
        let equal = difference == Dim::ZERO;
        // Both are unknown when it depends on the symbols.
        let less =
            if high.is_some_and(|h| h < 0) { Some(true) } else { low.filter(|l| *l >= 0).map(|_| false) };
        let greater =
            if low.is_some_and(|l| l > 0) { Some(true) } else { high.filter(|h| *h <= 0).map(|_| false) };
        let decided = match op {
            Binary::Add => return Value::of_dim(a.add(b)),
            Binary::Sub => return Value::of_dim(a.sub(b)),
            Binary::Mul => return Value::of_dim(a.mul(b)),
            Binary::Div => {
                if let Some(q) = a.div_exact(b) {
                    return Value::of_dim(q);
                }
                return match b.as_const() {
                    Some(n) if n > 0 => Value::of_dim(self.graph.symbols.floor_div(a, n)),
                    _ => {
                        let (a, b) = (self.show(a), self.show(b));
                        self.fault(Code::SymbolDivided, at, format!("{a} cannot be divided by {b}"))
                    }
                };
            }
            Binary::Eq | Binary::Ne if equal || never_equal => Some(equal == (op == Binary::Eq)),
            Binary::Lt => less,
            Binary::Ge => less.map(|l| !l),
            Binary::Gt => greater,
            Binary::Le => greater.map(|g| !g),
            _ => None,
        };
        match decided {
            Some(b) => Value::Bool(b),
            None => {
                let (a, b) = (self.show(a), self.show(b));
                let text = format!("whether {a} {} {b} is known only when the network is bound", op.sign());
                self.fault_help(
                    Code::ConditionOnASymbol,
                    at,
                    text,
                    "`if` chooses while compiling: the condition is made of constants",
                )
            }
        }
    }

    fn show(&self, dim: &Dim) -> String {
        dim.display(&self.graph.symbols).to_string()
    }
}
