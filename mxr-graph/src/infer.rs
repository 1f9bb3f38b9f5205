//! What a shape rule sees: operands, options, and the means to state facts about them.

use crate::catalogue::Code;
use crate::dim::Dim;
use crate::dim::MAX_DIM;
use crate::dtype::DType;
use crate::error::{At, ShapeError};
use crate::graph::{Check, Graph, LayerId, Source, ValueId};
use crate::instr::MAX_RANK;
use crate::ops::Operator;
use crate::schema::{Attr, Attrs, OperandKind, Options};
use crate::shape::Shape;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The context of [`Operator::infer`].
pub struct Infer<'a> {
    graph: &'a mut Graph,
    op: &'static dyn Operator,
    attrs: Attrs,
    inputs: Vec<ValueId>,
    layer: LayerId,
    results: Vec<(Shape, DType)>,
}

impl<'a> Infer<'a> {
    pub(crate) fn new(
        graph: &'a mut Graph,
        op: &'static dyn Operator,
        attrs: Attrs,
        inputs: &[ValueId],
        layer: LayerId,
    ) -> Infer<'a> {
        Infer { graph, op, attrs, inputs: inputs.to_vec(), layer, results: Vec::new() }
    }

    pub(crate) fn finish(self) -> (Attrs, Vec<ValueId>, Vec<(Shape, DType)>) {
        (self.attrs, self.inputs, self.results)
    }

    /// How many operands were given (parameters made so far included).
    pub fn inputs(&self) -> usize {
        self.inputs.len()
    }

    /// The shape of an operand, as far as it is known.
    pub fn shape(&mut self, input: usize) -> Shape {
        self.graph.shape(self.inputs[input])
    }

    /// The element type of an operand.
    pub fn dtype(&self, input: usize) -> DType {
        self.graph.value(self.inputs[input]).dtype
    }

    /// The shape of the operand called `name` (a parameter), when it was given rather than made.
    pub fn given(&mut self, name: &str) -> Option<Shape> {
        let at = self.op.schema().inputs.iter().position(|i| i.name == name)?;
        (at < self.inputs.len()).then(|| self.shape(at))
    }

    /// An option.
    pub fn attr(&self, name: &str) -> &Attr {
        attr(self.op, &self.attrs, name)
    }

    /// All options, to read by name.
    pub fn options(&self) -> Options<'_> {
        Options { schema: self.op.schema(), attrs: &self.attrs }
    }

    /// An axis of operand 0 given as an option: negative ones count from the end. The option becomes the number
    /// that counts from the front.
    pub fn axis(&mut self, name: &'static str) -> Result<usize, ShapeError> {
        let (axis, x) = (self.options().int(name), self.shape(0));
        let rank = x.rank() as i64;
        let from_front = if axis < 0 { axis + rank } else { axis };
        if (0..rank).contains(&from_front) {
            self.set_attr(name, Attr::Int(from_front));
            return Ok(from_front as usize);
        }
        let text = self.show(&x);
        let mut e = self.err(
            Code::AxisOutOfRange,
            At::Option(name),
            format!("axis {axis} is not one of the axes of {text}"),
        );
        e.help = (rank > 0).then(|| format!("axes go from {} to {}", -rank, rank - 1));
        Err(e)
    }

    /// A dimension option; a hole becomes an unknown to solve for.
    pub fn dim(&mut self, name: &str) -> Dim {
        match self.attr(name).clone() {
            Attr::Dim(d) => self.graph.symbols.resolve(&d),
            Attr::Int(n) => Dim::Const(n),
            _ => {
                let hole = self.graph.symbols.hole();
                let at = self.op.schema().option(name).expect("an option of the schema");
                self.attrs[at] = Attr::Dim(hole.clone());
                hole
            }
        }
    }

    /// The results that are stated of a call of an operator of the user's.
    pub(crate) fn stated(&self, call: usize) -> Vec<(Shape, DType)> {
        self.graph.externs[call].results.clone()
    }

    /// Replace an option (for what inference found out).
    pub fn set_attr(&mut self, name: &str, value: Attr) {
        let at = self.op.schema().option(name).expect("an option of the schema");
        self.attrs[at] = value;
    }

    /// Floor division of dimensions.
    pub fn floor_div(&mut self, num: &Dim, den: i64) -> Dim {
        self.graph.symbols.floor_div(num, den)
    }

    /// Ceiling division of dimensions.
    pub fn ceil_div(&mut self, num: &Dim, den: i64) -> Dim {
        self.graph.symbols.ceil_div(num, den)
    }

    /// What is known of a dimension by now.
    pub fn resolve(&mut self, dim: &Dim) -> Dim {
        self.graph.symbols.resolve(dim)
    }

    /// A new unknown to solve for.
    pub fn hole(&mut self) -> Dim {
        self.graph.symbols.hole()
    }

    /// Whether something in a dimension is still to be inferred.
    pub fn has_hole(&mut self, dim: &Dim) -> bool {
        self.graph.symbols.has_hole(dim)
    }

    /// The layer that the call belongs to.
    pub fn layer(&self) -> LayerId {
        self.layer
    }

    /// Make two dimensions equal, solving a hole if need be; `false` when they differ.
    pub fn unify(&mut self, a: &Dim, b: &Dim) -> bool {
        self.graph.symbols.unify(a, b)
    }

    /// Whether `dim >= 0` for all values of the symbols: nothing is left to [`Infer::require`].
    pub fn holds(&mut self, dim: &Dim) -> bool {
        self.resolve(dim).lower_bound().is_some_and(|b| b >= 0)
    }

    /// State that `dim >= 0`. A number that is negative is the error; what depends on symbols is looked at again when
    /// they are bound.
    pub fn require(&mut self, dim: &Dim, error: ShapeError) -> Result<(), ShapeError> {
        let dim = self.resolve(dim);
        if dim.upper_bound().is_some_and(|b| b < 0) {
            return Err(error);
        }
        if dim.lower_bound().is_none_or(|b| b < 0) {
            self.check(dim, false, error);
        }
        Ok(())
    }

    /// State that two dimensions are equal where polynomials cannot tell (a floor against a number): refuted is an
    /// error, undecided is looked at when symbols are bound.
    pub fn require_equal(&mut self, a: &Dim, b: &Dim, error: ShapeError) -> Result<(), ShapeError> {
        if self.unify(a, b) {
            return Ok(());
        }
        let diff = self.resolve(&a.sub(b));
        let apart = diff.lower_bound().is_some_and(|b| b > 0) || diff.upper_bound().is_some_and(|b| b < 0);
        let floors = diff.symbols().iter().any(|s| {
            matches!(self.graph.symbols.list()[usize::from(*s)].def, crate::dim::SymbolDef::Floor(..))
        });
        if apart || !floors {
            return Err(error);
        }
        self.check(diff, true, error);
        Ok(())
    }

    fn check(&mut self, dim: Dim, exact: bool, mut error: ShapeError) {
        if error.layer.is_empty() {
            error.layer = self.layer_name();
        }
        let check = Check { dim, exact, error };
        if !self.graph.checks.contains(&check) {
            self.graph.checks.push(check);
        }
    }

    /// The operand `input` must have this many axes.
    pub fn rank(&mut self, input: usize, rank: usize, help: &str) -> Result<Shape, ShapeError> {
        let shape = self.shape(input);
        if shape.rank() == rank {
            return Ok(shape);
        }
        let axes = if rank == 1 { "axis" } else { "axes" };
        let text = self.show(&shape);
        let mut e = self.err(
            Code::OperandRank,
            At::Input(input),
            format!(
                "`{}` must have {rank} {axes}, {text} has {}",
                self.op.schema().inputs[input].name,
                shape.rank()
            ),
        );
        e.help = (!help.is_empty()).then(|| help.to_string());
        Err(e)
    }

    /// All data operands must have the element type of the first; gives it.
    pub fn same_dtype(&self) -> Result<DType, ShapeError> {
        let first = self.dtype(0);
        for i in 1..self.inputs.len() {
            if self.dtype(i) != first {
                let mut e = self.err(
                    Code::MixedElementTypes,
                    At::Input(i),
                    format!("cannot mix {first} and {}", self.dtype(i)),
                );
                e.help = Some(format!("convert one of them with `cast`, to {first} say"));
                return Err(e);
            }
        }
        Ok(first)
    }

    /// The operand `input` must hold floating-point numbers.
    pub fn float(&self, input: usize) -> Result<DType, ShapeError> {
        let d = self.dtype(input);
        if d.is_float() {
            return Ok(d);
        }
        let mut e = self.err(
            Code::NeedsFloats,
            At::Input(input),
            format!("needs floating-point numbers, this is {d}"),
        );
        e.help = Some("convert it with `cast`".to_string());
        Err(e)
    }

    /// The parameter or state called `name` has this shape: a given one is held against it, a missing one is made.
    /// Must be called in the order of the schema.
    pub fn expect(&mut self, name: &'static str, shape: Shape, dtype: DType) -> Result<(), ShapeError> {
        let schema = self.op.schema();
        let at = schema.inputs.iter().position(|i| i.name == name).expect("an operand of the schema");
        if at >= self.inputs.len() {
            if too_large(&shape) {
                let text = self.show(&shape);
                return Err(self.err(
                    Code::TooLarge,
                    At::Call,
                    format!("`{name}` would be {text}: more than 2^48 elements"),
                ));
            }
            let source = if schema.inputs[at].kind == OperandKind::Aux { Source::Aux } else { Source::Param };
            let mut full = self.graph.owner.clone().unwrap_or_else(|| self.layer_name());
            full.push('_');
            full.push_str(name);
            if self.graph.has_name(&full) {
                let mut e = self.err(
                    Code::WeightNameTaken,
                    At::Call,
                    format!("its `{name}` would be called `{full}`, as another value is"),
                );
                e.help = Some("give the layer or the other value another name".to_string());
                return Err(e);
            }
            let id = self.graph.name_value(full, shape, dtype, source);
            self.inputs.push(id);
            return Ok(());
        }
        let have = self.shape(at);
        let fits =
            have.rank() == shape.rank() && have.iter().zip(shape.iter()).all(|(a, b)| self.unify(a, b));
        if !fits {
            let (have, want) = (self.show(&have), self.show(&shape));
            return Err(self.err(
                Code::WeightShape,
                At::Input(at),
                format!("`{name}` must be {want}, it is {have}"),
            ));
        }
        if self.dtype(at) != dtype {
            let have = self.dtype(at);
            let mut e = self.err(
                Code::WeightType,
                At::Input(at),
                format!("`{name}` must hold {dtype}, it holds {have}"),
            );
            e.help = Some("convert it with `cast`".to_string());
            return Err(e);
        }
        Ok(())
    }

    /// A result. Call once per result, in order.
    pub fn output(&mut self, shape: Shape, dtype: DType) -> Result<(), ShapeError> {
        if shape.rank() > MAX_RANK {
            let text = self.show(&shape);
            return Err(self.err(
                Code::TooManyAxes,
                At::Call,
                format!("the result {text} would have more than {MAX_RANK} axes"),
            ));
        }
        if too_large(&shape) {
            let text = self.show(&shape);
            return Err(self.err(
                Code::TooLarge,
                At::Call,
                format!("the result {text} is too large: more than 2^48 elements"),
            ));
        }
        self.results.push((shape, dtype));
        Ok(())
    }

    /// An error of this call, with the shapes of its data operands as notes.
    pub fn err(&self, code: Code, at: At, message: String) -> ShapeError {
        self.graph.error(self.op, &self.inputs, code, at, message)
    }

    /// The error of a call without the option `name`, where it is needed after all.
    pub fn missing(&self, name: &'static str) -> ShapeError {
        let schema = self.op.schema();
        let mut e = self.err(Code::MissingOption, At::Call, format!("needs `{name}`"));
        let option = schema.options.iter().find(|o| o.name == name).expect("an option of the schema");
        e.help = Some(format!("{name}: {}", option.doc));
        e
    }

    /// A shape as text.
    pub fn show(&self, shape: &Shape) -> String {
        shape.display(&self.graph.symbols).to_string()
    }

    /// A dimension as text.
    pub fn show_dim(&self, dim: &Dim) -> String {
        dim.display(&self.graph.symbols).to_string()
    }

    fn layer_name(&self) -> String {
        self.graph.layers[self.layer.index()].name.clone()
    }
}

/// Whether no machine could hold it: an extent or the number of elements is beyond [`MAX_DIM`].
pub(crate) fn too_large(shape: &Shape) -> bool {
    // A product of single terms is one term.
    let mut product = 1_i64;
    let mut single = true;
    for d in shape.iter() {
        match &d.terms()[..] {
            [] => product = 0,
            [t] if t.coef.unsigned_abs() > MAX_DIM.unsigned_abs() => return true,
            [t] => product = product.saturating_mul(t.coef),
            _ => single = false,
        }
    }
    let big = |d: &Dim| d.terms().iter().any(|t| t.coef > MAX_DIM || t.coef < -MAX_DIM);
    match single {
        true => product.unsigned_abs() > MAX_DIM.unsigned_abs(),
        false => shape.iter().any(big) || big(&shape.elements()),
    }
}

/// An option of an operator by name.
pub fn attr<'a>(op: &dyn Operator, attrs: &'a Attrs, name: &str) -> &'a Attr {
    &attrs[op.schema().option(name).expect("an option of the schema")]
}
