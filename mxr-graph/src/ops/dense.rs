//! `dense`: fully connected.

use super::reduce::SUM;
use super::{Lower, Lowered, MatMul, Operator, Reshape, Sample};
use crate::catalogue::Code;
use crate::dim::Dim;
use crate::dtype::DType;
use crate::error::{At, ShapeError};
use crate::grad::{Grad, NoGradient};
use crate::graph::{Graph, ValueId};
use crate::infer::Infer;
use crate::instr::{Epilogue, Instr};
use crate::schema::{Arg, Attr, Attrs, Default, Operand, OptionDef, OptionKind, Schema};
use crate::shape::Shape;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

/// See the schema.
pub struct Dense;

/// Of the layer, whatever follows it.
pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::positional("units", OptionKind::Dim, Default::Absent, "number of output features"),
    OptionDef::named("bias", OptionKind::Bool, Default::Bool(true), "add a bias per unit; true by default"),
    OptionDef::named(
        "inputs",
        OptionKind::Dim,
        Default::Absent,
        "number of input features, to hold the network to it; taken from `x` by default",
    ),
    OptionDef::named(
        "flatten",
        OptionKind::Bool,
        Default::Absent,
        "of an input of more than two axes: `true` to make features of all but the first, `false` to map the last one \
         alone; such an input is refused by default",
    ),
];

static SCHEMA: Schema = Schema {
    name: "dense",
    auto_name: "fullyconnected",
    doc: "Fully connected: `y[n, u] = bias[u] + Σ_f x[n, f] · weight[u, f]`, from `[n, f]` to `[n, units]`. An input of more axes is \
          refused unless `flatten` says what is meant, since libraries differ: `flatten = true` makes features of all axes \
          after the first (MXNet's default), `flatten = false` keeps all axes but the last, `[n, t, f]` to `[n, t, units]` \
          (Keras, PyTorch). 2·f·units floating-point operations per row. `units` may be left out where the weight is given. \
          Called FullyConnected in MXNet.",
    inputs: &[
        Operand::data("x", "`[n, f]`; with `flatten = false` `[.., f]`, with `flatten = true` `[n, ..]`"),
        Operand::param("weight", "`[units, f]`"),
        Operand::param("bias", "`[units]`, unless `bias = false`"),
    ],
    outputs: &["output"],
    visible: 1,
    options: OPTIONS,
    internal: false,
};

impl Operator for Dense {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    /// `flatten = true` on more than two axes is a reshape and itself.
    fn compose(
        &self,
        graph: &mut Graph,
        attrs: &Attrs,
        inputs: &[ValueId],
    ) -> Option<Result<Vec<ValueId>, ShapeError>> {
        let at = SCHEMA.option("flatten").expect("an option of the schema");
        let x = graph.shape(inputs[0]);
        if attrs[at] != Attr::Bool(true) || x.rank() < 3 {
            return None;
        }
        let features = Shape(x[1..].to_vec()).elements();
        let flat = Arg::List(alloc::vec![Arg::Dim(x[0].clone()), Arg::Dim(features)]);
        let flat = match graph.call(&Reshape, &[("shape", flat)], &inputs[..1], None) {
            Ok(flat) => flat[0],
            Err(e) => return Some(Err(e)),
        };
        let mut inputs = inputs.to_vec();
        inputs[0] = flat;
        let mut attrs = attrs.clone();
        attrs[at] = Attr::Absent;
        Some(graph.apply(&Dense, attrs, &inputs, None))
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let (y, dtype) = connected(cx)?;
        cx.output(y, dtype)
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let Some(dy) = cx.dy(0) else { return Ok(()) };
        let (x, w) = (cx.x(0), cx.x(1));
        // The gradient of x comes last: by then x itself may be dead.
        if cx.wants(1) {
            let (dy, x) = (matrix(cx, dy), matrix(cx, x));
            let dw = cx.call(&MatMul, &[("transpose_a", Arg::Bool(true))], &[dy, x])[0];
            cx.add(1, dw);
        }
        if cx.wants(2) {
            let rank = cx.graph().shape(dy).rank() as i64;
            let axes = Arg::List((0..rank - 1).map(Arg::Int).collect());
            let db = cx.call(&SUM, &[("axes", axes)], &[dy])[0];
            cx.add(2, db);
        }
        if cx.wants(0) {
            let dx = cx.call(&MatMul, &[], &[dy, w])[0];
            cx.add(0, dx);
        }
        Ok(())
    }

    fn lower(&self, _: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::MatMul { trans_a: false, trans_b: true, epilogue: Epilogue::NONE })
    }

    fn flops(&self, cx: Lower<'_>) -> Dim {
        cx.output(0).elements().mul(&cx.shape(1)[1].scale(2))
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![
            Sample::new(&[&[3, 5]]).with("units", 4),
            Sample::new(&[&[1, 7]]).with("units", 1).with("bias", false),
            Sample::new(&[&[2, 3, 4]]).with("units", 5).with("flatten", false),
            Sample::new(&[&[2, 3, 4]]).with("units", 5).with("flatten", true),
            Sample::new(&[&[2, 3, 2, 2]]).with("units", 3).with("flatten", true).with("bias", false),
        ]
    }
}

/// The shape rule of a fully connected layer: its weights, and what it gives.
pub(super) fn connected(cx: &mut Infer<'_>) -> Result<(Shape, DType), ShapeError> {
    let dtype = cx.float(0)?;
    let x = cx.shape(0);
    let last_axis = cx.attr("flatten") == &Attr::Bool(false);
    if x.rank() < 2 || (x.rank() > 2 && !last_axis) {
        let text = cx.show(&x);
        let mut e = cx.err(
            Code::FlattenFirst,
            At::Input(0),
            format!("takes [n, features], this is {text} of rank {}", x.rank()),
        );
        e.help = Some(if x.rank() < 2 {
            "`reshape` adds the axis of the batch".to_string()
        } else {
            let flat = Shape(alloc::vec![x[0].clone(), Shape(x[1..].to_vec()).elements()]);
            format!("flatten(…) makes it {}; `flatten = false` maps the last axis alone", cx.show(&flat))
        });
        return Err(e);
    }
    let weight = if cx.given("weight").is_some() { Some(cx.rank(1, 2, "")?) } else { None };
    let units = match (cx.attr("units"), &weight) {
        (Attr::Absent, None) => return Err(cx.missing("units")),
        (Attr::Absent, Some(w)) => w[0].clone(),
        _ => cx.dim("units"),
    };
    cx.set_attr("units", Attr::Dim(units.clone()));

    let features = x[x.rank() - 1].clone();
    if cx.attr("inputs") != &Attr::Absent {
        let want = cx.dim("inputs");
        if !cx.unify(&want, &features) {
            let (want, x) = (cx.show_dim(&want), cx.show(&x));
            let mut e = cx.err(
                Code::InputFeatures,
                At::Option("inputs"),
                format!("needs {want} input features, but the input is {x}"),
            );
            e.help = Some(format!("`inputs = {}` or none would fit", cx.show_dim(&features)));
            return Err(e);
        }
    }
    cx.expect("weight", [units.clone(), features].into(), dtype)?;
    if cx.options().bool("bias") {
        cx.expect("bias", [units.clone()].into(), dtype)?;
    } else if cx.given("bias").is_some() {
        return Err(cx.err(
            Code::BiasGivenAndRefused,
            At::Input(2),
            "a bias is given although `bias = false`".to_string(),
        ));
    }
    let mut y = x;
    let last = y.rank() - 1;
    y.0[last] = units;
    Ok((y, dtype))
}

/// `[.., f]` as a matrix `[rows, f]`.
fn matrix(cx: &mut Grad<'_>, v: ValueId) -> ValueId {
    let shape = cx.graph().shape(v);
    if shape.rank() == 2 {
        return v;
    }
    let last = shape.rank() - 1;
    let rows = Shape(shape[..last].to_vec()).elements();
    let dims = alloc::vec![Arg::Dim(rows), Arg::Dim(shape[last].clone())];
    cx.call(&Reshape, &[("shape", Arg::List(dims))], &[v])[0]
}

#[cfg(test)]
mod tests {
    use super::super::testing::{infer, refused, table};

    #[test]
    fn shapes() {
        table(
            "dense",
            &[
                ("N 800", "units=500", "[N, 500]; weight [500, 800], bias [500]"),
                ("N 800", "units=K bias=false", "[N, K]; weight [K, 800]"),
                ("N T 650", "units=10 flatten=false", "[N, T, 10]; weight [10, 650], bias [10]"),
                ("N 3 4 4", "units=10 flatten=true", "[N, 10]; weight [10, 48], bias [10]"),
                ("N 48", "units=10 flatten=true inputs=48", "[N, 10]; weight [10, 48], bias [10]"),
                ("N 5 | 3 5", "bias=false", "[N, 3]"),
                ("N 5 | 3 5 | 3", "units=_", "[N, 3]"),
                ("N C H W", "units=10 flatten=true bias=false", "[N, 10]; weight [10, C*H*W]"),
            ],
        );
    }

    #[test]
    fn holes_are_solved_from_the_weight_and_from_inputs() {
        let mut call = infer("dense", "N _ | 3 5", "bias=false").expect("fits");
        assert_eq!(call.text(call.inputs[0]), "[N, 5]");
        let mut call = infer("dense", "N _", "units=3 inputs=7").expect("fits");
        assert_eq!(call.summary(), "[N, 3]; weight [3, 7], bias [3]");
    }

    #[test]
    fn refused_shapes() {
        refused(
            "dense",
            &[
                (
                    "N 3 8 8",
                    "units=10",
                    "takes [n, features], this is [N, 3, 8, 8] of rank 4",
                    "flatten(…) makes it [N, 192]",
                ),
                ("N", "units=10", "takes [n, features], this is [N] of rank 1", "axis of the batch"),
                ("N 5", "", "needs `units`", "number of output features"),
                (
                    "N 720",
                    "units=500 inputs=800",
                    "needs 800 input features, but the input is [N, 720]",
                    "`inputs = 720`",
                ),
                ("N 720 | 500 800", "bias=false", "`weight` must be [500, 720], it is [500, 800]", ""),
                ("N 5 | 3 5 | 4", "", "`bias` must be [3], it is [4]", ""),
                ("N 5 | 3 5 | 3", "bias=false", "a bias is given although `bias = false`", ""),
                ("N 5:i64", "units=3", "needs floating-point numbers, this is i64", "cast"),
            ],
        );
    }

    #[test]
    fn a_flattened_layer_owns_its_parameters() {
        let mut call = infer("dense", "N 3 4 4", "units=10 flatten=true").expect("fits");
        assert_eq!(call.graph.layers[0].inputs.len(), 3);
        assert_eq!(call.graph.value(call.outputs[0]).name, "fullyconnected0_output");
        assert_eq!(call.flops(), "960*N");
        assert_eq!(call.backward(), (3, 3));
    }
}
