//! The operators: one file each, one line each in [`OPS`].
//!
//! An operator states its schema, its shape rule, its gradient and the instruction it becomes. Elementwise operators only
//! state their scalar expression: shape rule, gradient and instruction follow from it.

pub mod abs;
pub mod add;
pub mod batch_norm;
pub mod batch_norm_relu;
pub mod cast;
pub mod clip;
pub mod compare;
pub mod concat;
pub mod conv2d;
pub mod conv2d_relu;
pub mod dense;
pub mod div;
pub mod dropout;
pub mod erf;
pub mod exp;
pub mod expand;
pub mod expand_dims;
pub mod external;
pub mod fill;
pub mod flatten;
pub mod floor;
pub mod gelu;
pub mod leaky_relu;
pub mod log;
pub mod log1p;
pub mod logistic_loss;
mod loss;
pub mod lrn;
pub mod map;
pub mod map_reduce;
pub(crate) mod mask;
pub mod masked_gradient;
pub mod matmul;
pub mod maximum;
pub mod minimum;
pub mod mse_loss;
pub mod mul;
pub mod neg;
pub mod pool;
pub mod pow;
pub mod reciprocal;
pub mod reduce;
pub mod relu;
pub mod relu_mask;
pub mod reshape;
pub mod rsqrt;
pub mod select;
pub mod sigmoid;
pub mod sign;
pub mod slice;
pub mod slice_axis;
pub mod slice_backward;
pub mod softmax;
pub mod softmax_cross_entropy;
pub mod softplus;
pub mod softsign;
pub mod split;
pub mod sqrt;
pub mod square;
pub mod squeeze;
pub mod stop_gradient;
pub mod sub;
pub mod tanh;
#[cfg(test)]
pub(crate) mod testing;
pub mod transpose;
mod window;

pub use cast::Cast;
pub use expand::Expand;
pub use fill::Fill;
pub use map::Map;
pub use map_reduce::MapReduce;
pub use matmul::MatMul;
pub use reduce::Reduce;
pub use reshape::Reshape;
pub use slice::Slice;

use crate::dim::Dim;
use crate::dtype::DType;
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::grad::{Grad, NoGradient};
use crate::graph::{Graph, Node, ValueId};
use crate::infer::Infer;
use crate::instr::{Axes, Instr, ReduceKind};
use crate::schema::{Arg, Attrs, Options, Schema};
use crate::shape::Shape;
use alloc::vec::Vec;

/// Every operator. Whatever concerns all of them loops over this list: the grammar of `network!`, the methods of `Symbol` and
/// `NDArray`, the operator table in the docs, the gradient check, the comparison of devices, the micro-benches.
pub static OPS: &[&dyn Operator] = &[
    &map::Map,
    &map_reduce::MapReduce,
    &fill::Fill,
    &expand::Expand,
    &relu::Relu,
    &relu_mask::ReluMask,
    &reduce::SUM,
    &reduce::MEAN,
    &reduce::MAX,
    &reduce::MIN,
    &reshape::Reshape,
    &matmul::MatMul,
    &conv2d::Conv2d,
    &conv2d::Conv2dBackwardData,
    &conv2d::Conv2dBackwardWeight,
    &dense::Dense,
    &pool::MAX_POOL,
    &pool::AVG_POOL,
    &pool::GLOBAL_MAX_POOL,
    &pool::GLOBAL_AVG_POOL,
    &pool::WindowMax,
    &pool::MAX_POOL_BACKWARD,
    &pool::AVG_POOL_BACKWARD,
    &batch_norm::BatchNorm,
    &batch_norm::BatchNormInfer,
    &batch_norm::BatchNormBackward,
    &batch_norm::BatchNormInferBackward,
    &lrn::Lrn,
    &lrn::LrnBackward,
    &dropout::Dropout,
    &dropout::DropoutBackward,
    &stop_gradient::StopGradient,
    &softmax::SOFTMAX,
    &softmax::LOG_SOFTMAX,
    &softmax::SOFTMAX_BACKWARD,
    &softmax::LOG_SOFTMAX_BACKWARD,
    &softmax_cross_entropy::SoftmaxCrossEntropy,
    &softmax_cross_entropy::SoftmaxCrossEntropyBackward,
    &mse_loss::MseLoss,
    &logistic_loss::LogisticLoss,
    &logistic_loss::LogisticTerm,
    &add::Add,
    &sub::Sub,
    &mul::Mul,
    &div::Div,
    &pow::Pow,
    &neg::Neg,
    &maximum::Maximum,
    &minimum::Minimum,
    &abs::Abs,
    &sign::Sign,
    &floor::Floor,
    &square::Square,
    &sqrt::Sqrt,
    &rsqrt::Rsqrt,
    &reciprocal::Reciprocal,
    &exp::Exp,
    &log::Log,
    &log1p::Log1p,
    &erf::Erf,
    &sigmoid::Sigmoid,
    &tanh::Tanh,
    &softsign::Softsign,
    &softplus::Softplus,
    &leaky_relu::LeakyRelu,
    &gelu::Gelu,
    &clip::Clip,
    &compare::GREATER,
    &compare::GREATER_EQUAL,
    &compare::LESS,
    &compare::LESS_EQUAL,
    &compare::EQUAL,
    &select::Select,
    &flatten::Flatten,
    &squeeze::Squeeze,
    &expand_dims::ExpandDims,
    &transpose::Transpose,
    &concat::Concat,
    &split::Split,
    &slice::Slice,
    &slice_axis::SliceAxis,
    &slice_backward::SliceBackward,
    &cast::Cast,
];

/// The operator of this name.
pub fn find(name: &str) -> Option<&'static dyn Operator> {
    OPS.iter().copied().find(|op| op.schema().name == name)
}

/// An operator.
pub trait Operator: Sync {
    /// Operands, options, docs.
    fn schema(&self) -> &'static Schema;

    /// The scalar function of an elementwise operator: input `i` of the expression is operand `i`.
    fn expr(&self, options: Options<'_>) -> Option<Expr> {
        let _ = options;
        None
    }

    /// The shape rule: look at the operands, [`Infer::expect`] the parameters, [`Infer::output`] the results.
    ///
    /// Elementwise operators broadcast their operands by default.
    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_broadcast(cx)
    }

    /// An operator that is made of others gives its results here and needs no more than a schema.
    fn compose(
        &self,
        graph: &mut Graph,
        attrs: &Attrs,
        inputs: &[ValueId],
    ) -> Option<Result<Vec<ValueId>, ShapeError>> {
        let _ = (graph, attrs, inputs);
        None
    }

    /// The gradient, in terms of operators: for every operand that [`Grad::wants`] one, [`Grad::add`] its share.
    ///
    /// Elementwise operators differentiate their expression by default; others have no gradient by default.
    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        map::grad_of_expr(self.expr(cx.options()), cx)
    }

    /// The instruction that computes it. Composed operators are never asked.
    fn lower(&self, cx: Lower<'_>) -> Lowered {
        match self.expr(cx.options()) {
            Some(e) => Lowered::Map(e),
            None => panic!("{} states neither an expression nor an instruction", self.schema().name),
        }
    }

    /// Floating-point operations of one forward call: 2 per multiply-add of convolutions and matrix products, 0 for the
    /// rest (the usual count of published tables).
    fn flops(&self, cx: Lower<'_>) -> Dim {
        let _ = cx;
        Dim::ZERO
    }

    /// In prediction: what replaces this operator (dropout is its input, batch normalisation uses its running
    /// statistics). `None` keeps it.
    fn predict(
        &self,
        graph: &mut Graph,
        attrs: &Attrs,
        inputs: &[ValueId],
    ) -> Option<Result<Vec<ValueId>, ShapeError>> {
        let _ = (graph, attrs, inputs);
        None
    }

    /// Losses: what the network predicts, computed from the loss's operands (softmax of the logits). In a training graph
    /// `outputs` are the loss's own results, hidden ones included, to take it from where it is already there.
    fn prediction(
        &self,
        graph: &mut Graph,
        attrs: &Attrs,
        inputs: &[ValueId],
        outputs: Option<&[ValueId]>,
    ) -> Option<Result<ValueId, ShapeError>> {
        let _ = (graph, attrs, inputs, outputs);
        None
    }

    /// Operands that the operator updates in place (running statistics), by position.
    fn mutates(&self) -> &'static [usize] {
        &[]
    }

    /// Calls for the suites: gradient check, devices against the reference, micro-benches, docs.
    fn samples(&self) -> Vec<Sample>;
}

/// What [`Operator::lower`] sees.
#[derive(Clone, Copy)]
pub struct Lower<'a> {
    /// The graph, settled.
    pub graph: &'a Graph,
    /// The node.
    pub node: &'a Node,
}

impl<'a> Lower<'a> {
    /// The options.
    pub fn options(&self) -> Options<'a> {
        Options { schema: self.node.op.schema(), attrs: &self.node.attrs }
    }

    /// The shape of an operand.
    pub fn shape(&self, input: usize) -> &'a Shape {
        &self.graph.value(self.node.inputs[input]).shape
    }

    /// The shape of a result.
    pub fn output(&self, output: usize) -> &'a Shape {
        &self.graph.value(self.node.outputs[output]).shape
    }

    /// The axis given as an option: negative ones count from the end of operand 0.
    pub fn axis(&self, name: &str) -> u8 {
        let rank = self.shape(0).rank() as i64;
        let axis = self.options().int(name);
        u8::try_from(if axis < 0 { axis + rank } else { axis }).expect("checked by the shape rule")
    }
}

/// What an operator becomes.
#[derive(Clone, Debug, PartialEq)]
pub enum Lowered {
    /// An instruction.
    Instr(Instr),
    /// [`Instr::Map`] of this expression.
    Map(Expr),
    /// [`Instr::MapReduce`] of this expression, which reads every operand.
    MapReduce(Expr, ReduceKind, Axes),
}

/// A call for the suites.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Options as written.
    pub options: Vec<(&'static str, Arg)>,
    /// Data operands: extents and what to fill them with. Parameters are made by inference.
    pub inputs: Vec<SampleInput>,
}

/// An operand of a sample.
#[derive(Clone, Debug)]
pub struct SampleInput {
    /// Extents.
    pub shape: Vec<usize>,
    /// Values.
    pub values: SampleValues,
}

/// What a sample's operand is filled with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SampleValues {
    /// Uniform random numbers.
    Uniform(f64, f64),
    /// Uniform in magnitude from the bounds, with random signs: keeps away from a kink at 0.
    AwayFromZero(f64, f64),
    /// A shuffled arithmetic sequence: no two elements are near each other (for maxima).
    Distinct,
    /// Class indices below this, of type i64.
    Labels(i64),
}

impl Sample {
    /// Operands of these extents, uniform in [-1, 1].
    pub fn new(shapes: &[&[usize]]) -> Sample {
        let input =
            |s: &&[usize]| SampleInput { shape: s.to_vec(), values: SampleValues::Uniform(-1.0, 1.0) };
        Sample { options: Vec::new(), inputs: shapes.iter().map(input).collect() }
    }

    /// With an option.
    pub fn with(mut self, name: &'static str, value: impl Into<Arg>) -> Sample {
        self.options.push((name, value.into()));
        self
    }

    /// With a list as option.
    pub fn with_list(self, name: &'static str, values: &[i64]) -> Sample {
        let list = values.iter().map(|v| Arg::Int(*v)).collect();
        self.with(name, Arg::List(list))
    }

    /// With other values in operand `input`.
    pub fn fill(mut self, input: usize, values: SampleValues) -> Sample {
        self.inputs[input].values = values;
        self
    }

    /// The element type of an operand in a network of floats of type `float`.
    pub fn dtype(&self, input: usize, float: DType) -> DType {
        match self.inputs[input].values {
            SampleValues::Labels(_) => DType::I64,
            _ => float,
        }
    }
}
