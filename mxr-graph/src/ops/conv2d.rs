//! `conv2d`: two-dimensional convolution, and the gradients of it.

use super::reduce::SUM;
use super::window::{Window, conv_attrs, slide};
use super::{Lower, Lowered, Operator, Sample};
use crate::catalogue::Code;
use crate::dim::Dim;
use crate::dtype::DType;
use crate::error::{At, ShapeError};
use crate::grad::{Grad, NoGradient};
use crate::graph::ValueId;
use crate::infer::Infer;
use crate::instr::{Epilogue, Instr};
use crate::schema::{Arg, Attr, Default, Operand, OptionDef, OptionKind, Schema};
use crate::shape::Shape;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// See the schema.
pub struct Conv2d;

/// The gradient with respect to the data; see the schema.
pub struct Conv2dBackwardData;

/// The gradient with respect to the weight; see the schema.
pub struct Conv2dBackwardWeight;

/// Of the convolution, whatever follows it.
pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::positional("filters", OptionKind::Dim, Default::Absent, "number of output channels"),
    OptionDef::named("kernel", OptionKind::Pair(1), Default::Absent, "window, `n` or `(height, width)`"),
    OptionDef::named(
        "stride",
        OptionKind::Pair(1),
        Default::Int(1),
        "step of the window, `n` or `(height, width)`; 1 by default",
    ),
    OptionDef::named(
        "pad",
        OptionKind::Pad,
        Default::Int(0),
        "zeros around the image: `n`, `(height, width)`, `(top, left, bottom, right)` or `same`; 0 by default",
    ),
    OptionDef::named(
        "dilation",
        OptionKind::Pair(1),
        Default::Int(1),
        "distance of neighbouring taps, `n` or `(height, width)`; 1 by default",
    ),
    OptionDef::named(
        "groups",
        OptionKind::Int(1, 1 << 20),
        Default::Int(1),
        "channel groups that do not see each other; 1 by default, as many as channels for a depthwise convolution",
    ),
    OptionDef::named("bias", OptionKind::Bool, Default::Bool(true), "add a bias per filter; true by default"),
];

static SCHEMA: Schema = Schema {
    name: "conv2d",
    auto_name: "convolution",
    doc: "Two-dimensional convolution (cross-correlation, as everywhere in deep learning) of `x [n, c, h, w]` with `weight \
          [filters, c / groups, kh, kw]`: `y[n, f, i, j] = bias[f] + Σ x[n, c, i·s + u·d − p, j·s + v·d − p] · weight[f, c, u, v]`, \
          the sum over the channels `c` of the filter's group and the taps `u, v`; outside of `x` there are zeros. The result is \
          `[n, filters, oh, ow]` with `oh = floor((h + top + bottom − d·(kh − 1) − 1) / s) + 1`, and `ow` likewise. `pad = same` makes \
          `oh = ceil(h / s)`; an odd zero goes to the bottom and the right, as in TensorFlow. 2·c/groups·kh·kw floating-point \
          operations per element of the result. `filters` and `kernel` may be left out where the weight is given. Called \
          Convolution in MXNet.",
    inputs: &[
        Operand::data("x", "`[n, c, h, w]`"),
        Operand::param("weight", "`[filters, c / groups, kh, kw]`"),
        Operand::param("bias", "`[filters]`, unless `bias = false`"),
    ],
    outputs: &["output"],
    visible: 1,
    options: OPTIONS,
    internal: false,
};

pub(super) static BACKWARD_OPTIONS: [OptionDef; 5] = [
    OptionDef::named("shape", OptionKind::Shape, Default::Required, "the extents of the result"),
    OptionDef::named("stride", OptionKind::Pair(1), Default::Int(1), "as of the convolution"),
    OptionDef::named("pad", OptionKind::Pad, Default::Int(0), "as of the convolution"),
    OptionDef::named("dilation", OptionKind::Pair(1), Default::Int(1), "as of the convolution"),
    OptionDef::named("groups", OptionKind::Int(1, 1 << 20), Default::Int(1), "as of the convolution"),
];

static DATA_SCHEMA: Schema = Schema {
    name: "conv2d_backward_data",
    auto_name: "conv2d_backward_data",
    doc: "The gradient of `conv2d` with respect to its data: every element of `dy` adds its filter, scaled, to the window it \
          came from. `shape` is the shape of the data.",
    inputs: &[
        Operand::data("dy", "`[n, filters, oh, ow]`"),
        Operand::data("weight", "`[filters, c / groups, kh, kw]`"),
    ],
    outputs: &["output"],
    visible: 1,
    options: &BACKWARD_OPTIONS,
    internal: true,
};

static WEIGHT_SCHEMA: Schema = Schema {
    name: "conv2d_backward_weight",
    auto_name: "conv2d_backward_weight",
    doc: "The gradient of `conv2d` with respect to its weight: every tap of every filter is the sum of `dy` times what the tap \
          saw. `shape` is the shape of the weight.",
    inputs: &[Operand::data("x", "`[n, c, h, w]`"), Operand::data("dy", "`[n, filters, oh, ow]`")],
    outputs: &["output"],
    visible: 1,
    options: &BACKWARD_OPTIONS,
    internal: true,
};

impl Operator for Conv2d {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let (y, dtype) = convolved(cx)?;
        cx.output(y, dtype)
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let Some(dy) = cx.dy(0) else { return Ok(()) };
        let (x, w) = (cx.x(0), cx.x(1));
        // The gradient of x comes last: by then x itself may be dead.
        if cx.wants(1) {
            let attrs = backward_attrs(cx, w);
            let dw = cx.apply(&Conv2dBackwardWeight, attrs, &[x, dy])[0];
            cx.add(1, dw);
        }
        if cx.wants(2) {
            let axes = Arg::List(alloc::vec![Arg::Int(0), Arg::Int(2), Arg::Int(3)]);
            let db = cx.call(&SUM, &[("axes", axes)], &[dy])[0];
            cx.add(2, db);
        }
        if cx.wants(0) {
            let attrs = backward_attrs(cx, x);
            let dx = cx.apply(&Conv2dBackwardData, attrs, &[dy, w])[0];
            cx.add(0, dx);
        }
        Ok(())
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::Conv2d(conv_attrs(cx.options()), Epilogue::NONE))
    }

    fn flops(&self, cx: Lower<'_>) -> Dim {
        let taps = cx.shape(1)[1..].iter().fold(Dim::Const(2), |p, d| p.mul(d));
        cx.output(0).elements().mul(&taps)
    }

    fn samples(&self) -> Vec<Sample> {
        let conv = |shape: &[usize], filters: i64, kernel: [i64; 2]| {
            Sample::new(&[shape]).with("filters", filters).with_list("kernel", &kernel)
        };
        alloc::vec![
            conv(&[2, 3, 5, 6], 4, [3, 3]),
            conv(&[2, 3, 5, 4], 4, [1, 1]),
            conv(&[1, 3, 6, 7], 2, [3, 2]).with("stride", 2).with("bias", false),
            conv(&[2, 2, 7, 6], 3, [3, 3]).with_list("stride", &[2, 1]).with("pad", 1),
            conv(&[1, 2, 5, 5], 3, [3, 3]).with_list("pad", &[0, 1, 2, 1]),
            conv(&[1, 2, 5, 6], 3, [4, 3]).with("pad", "same"),
            conv(&[1, 2, 6, 7], 3, [3, 3]).with("pad", "same").with("stride", 2),
            conv(&[1, 2, 7, 8], 2, [3, 2]).with_list("dilation", &[2, 3]).with("pad", 1),
            conv(&[2, 4, 5, 5], 6, [3, 3]).with("groups", 2).with("pad", 1),
            conv(&[2, 4, 5, 4], 4, [3, 3]).with("groups", 4).with("pad", 1),
            conv(&[1, 3, 6, 5], 6, [3, 3])
                .with("groups", 3)
                .with("stride", 2)
                .with("dilation", 2)
                .with("pad", 2),
            conv(&[1, 2, 3, 3], 2, [5, 5]).with("pad", 3),
            conv(&[2, 3, 4, 5], 5, [4, 5]),
            conv(&[1, 2, 7, 5], 2, [1, 2]).with("stride", 3),
        ]
    }
}

impl Operator for Conv2dBackwardData {
    fn schema(&self) -> &'static Schema {
        &DATA_SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let (x, dtype) = returned(cx)?;
        cx.output(x, dtype)
    }

    /// Linear in both operands: a convolution of the incoming gradient, and the weight's gradient of that convolution.
    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let Some(ddx) = cx.dy(0) else { return Ok(()) };
        let (dy, w) = (cx.x(0), cx.x(1));
        if cx.wants(0) {
            let g = convolve(cx, ddx, w);
            cx.add(0, g);
        }
        if cx.wants(1) {
            let attrs = backward_attrs(cx, w);
            let g = cx.apply(&Conv2dBackwardWeight, attrs, &[ddx, dy])[0];
            cx.add(1, g);
        }
        Ok(())
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::Conv2dBackwardData(conv_attrs(cx.options()), Epilogue::NONE))
    }

    fn flops(&self, cx: Lower<'_>) -> Dim {
        let taps = cx.shape(1)[1..].iter().fold(Dim::Const(2), |p, d| p.mul(d));
        cx.shape(0).elements().mul(&taps)
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![
            Sample::new(&[&[2, 4, 3, 3], &[4, 2, 3, 3]])
                .with_list("shape", &[2, 4, 6, 5])
                .with_list("stride", &[2, 2])
                .with("pad", 1)
                .with("groups", 2),
        ]
    }
}

impl Operator for Conv2dBackwardWeight {
    fn schema(&self) -> &'static Schema {
        &WEIGHT_SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let dtype = cx.same_dtype()?;
        let w = target(cx);
        let (x, dy) = (cx.rank(0, 4, "")?, cx.rank(1, 4, "")?);
        consistent(cx, &x, &w, &dy)?;
        cx.output(w, dtype)
    }

    /// Linear in both operands: the data's gradient of a convolution with the incoming gradient, and that convolution.
    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let Some(ddw) = cx.dy(0) else { return Ok(()) };
        let (x, dy) = (cx.x(0), cx.x(1));
        if cx.wants(0) {
            let attrs = backward_attrs(cx, x);
            let g = cx.apply(&Conv2dBackwardData, attrs, &[dy, ddw])[0];
            cx.add(0, g);
        }
        if cx.wants(1) {
            let g = convolve(cx, x, ddw);
            cx.add(1, g);
        }
        Ok(())
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::Conv2dBackwardWeight(conv_attrs(cx.options())))
    }

    fn flops(&self, cx: Lower<'_>) -> Dim {
        let taps = cx.output(0)[1..].iter().fold(Dim::Const(2), |p, d| p.mul(d));
        cx.shape(1).elements().mul(&taps)
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![
            Sample::new(&[&[2, 2, 6, 5], &[2, 3, 4, 4]])
                .with_list("shape", &[3, 2, 3, 2])
                .with_list("pad", &[1, 0, 1, 1])
                .with_list("dilation", &[2, 2]),
        ]
    }
}

/// The shape rule of a convolution: its weights, and what it gives.
pub(super) fn convolved(cx: &mut Infer<'_>) -> Result<(Shape, DType), ShapeError> {
    let dtype = cx.float(0)?;
    let x = cx.rank(0, 4, "images are [n, c, h, w]: `reshape` adds the axes that are missing")?;
    let given = cx.given("weight").is_some();
    let weight = if given { Some(cx.rank(1, 4, "")?) } else { None };
    let filters = match (cx.attr("filters"), &weight) {
        (Attr::Absent, None) => return Err(cx.missing("filters")),
        (Attr::Absent, Some(w)) => w[0].clone(),
        _ => cx.dim("filters"),
    };
    let from_weight = weight.as_ref().and_then(|w| Some([w[2].as_const()?, w[3].as_const()?]));
    let kernel = cx.options().pair("kernel").or(from_weight).ok_or_else(|| cx.missing("kernel"))?;
    cx.set_attr("filters", Attr::Dim(filters.clone()));
    cx.set_attr("kernel", Attr::Ints(kernel.to_vec()));

    let pair = |cx: &Infer<'_>, name| cx.options().pair(name).expect("has a default");
    let (stride, dilation) = (pair(cx, "stride"), pair(cx, "dilation"));
    let [oh, ow] = slide(cx, &x, &Window { kernel, stride, dilation, ceil: false })?;

    let per_group = per_group(cx, &x[1], &filters)?;
    let [kh, kw] = kernel.map(Dim::Const);
    cx.expect("weight", [filters.clone(), per_group, kh, kw].into(), dtype)?;
    if cx.options().bool("bias") {
        cx.expect("bias", [filters.clone()].into(), dtype)?;
    } else if cx.given("bias").is_some() {
        return Err(cx.err(
            Code::BiasGivenAndRefused,
            At::Input(2),
            "a bias is given although `bias = false`".to_string(),
        ));
    }
    Ok(([x[0].clone(), filters, oh, ow].into(), dtype))
}

/// The shape rule of the gradient of a convolution's data.
pub(super) fn returned(cx: &mut Infer<'_>) -> Result<(Shape, DType), ShapeError> {
    let dtype = cx.same_dtype()?;
    let x = target(cx);
    let (dy, w) = (cx.rank(0, 4, "")?, cx.rank(1, 4, "")?);
    consistent(cx, &x, &w, &dy)?;
    Ok((x, dtype))
}

/// The channels that one filter sees, `c / groups`; groups must divide the filters too.
fn per_group(cx: &mut Infer<'_>, channels: &Dim, filters: &Dim) -> Result<Dim, ShapeError> {
    let groups = cx.options().int("groups");
    if groups == 1 {
        return Ok(channels.clone());
    }
    let error = |cx: &Infer<'_>, what: &str, total: &Dim| {
        let total = cx.show_dim(total);
        let mut e = cx.err(
            Code::GroupsDoNotDivide,
            At::Option("groups"),
            format!("{total} {what} do not divide into {groups} groups"),
        );
        e.help =
            divisors(&[channels, filters]).map(|d| format!("numbers that divide channels and filters: {d}"));
        e
    };
    share(cx, filters, groups, |cx| error(cx, "filters", filters))?;
    share(cx, channels, groups, |cx| error(cx, "input channels", channels))
}

/// `total / groups`, which must come out even.
fn share(
    cx: &mut Infer<'_>,
    total: &Dim,
    groups: i64,
    error: impl FnOnce(&Infer<'_>) -> ShapeError,
) -> Result<Dim, ShapeError> {
    if let Some(part) = total.div_exact(&Dim::Const(groups)) {
        return Ok(part);
    }
    if cx.has_hole(total) {
        let part = cx.hole();
        if cx.unify(total, &part.scale(groups)) {
            return Ok(part);
        }
    }
    let part = cx.floor_div(total, groups);
    let error = error(cx);
    cx.require_equal(total, &part.scale(groups), error)?;
    Ok(part)
}

/// The common divisors of numbers, as text; `None` when one is not a number.
fn divisors(dims: &[&Dim]) -> Option<String> {
    let numbers: Option<Vec<i64>> = dims.iter().map(|d| d.as_const()).collect();
    let numbers = numbers?;
    let smallest = *numbers.iter().min()?;
    let all: Vec<String> = (1..=smallest.min(4096))
        .filter(|d| numbers.iter().all(|n| n % d == 0))
        .take(12)
        .map(|d| d.to_string())
        .collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// The options of a backward operator whose result has the shape of `like`.
fn backward_attrs(cx: &mut Grad<'_>, like: ValueId) -> Vec<Attr> {
    let shape = cx.graph().shape(like).iter().map(|d| Some(d.clone())).collect();
    let option = |name| cx.options().get(name).clone();
    alloc::vec![Attr::Dims(shape), option("stride"), option("pad"), option("dilation"), option("groups")]
}

/// `conv2d` with the geometry of a backward operator, without a bias.
fn convolve(cx: &mut Grad<'_>, x: ValueId, w: ValueId) -> ValueId {
    let option = |name| cx.options().get(name).clone();
    let attrs = alloc::vec![
        Attr::Absent,
        Attr::Absent,
        option("stride"),
        option("pad"),
        option("dilation"),
        option("groups"),
        Attr::Bool(false),
    ];
    cx.apply(&Conv2d, attrs, &[x, w])[0]
}

fn target(cx: &Infer<'_>) -> Shape {
    match cx.attr("shape") {
        Attr::Dims(dims) => Shape(dims.iter().flatten().cloned().collect()),
        other => panic!("a backward convolution of shape {other:?}"),
    }
}

/// Whether `dy` is what a convolution of `x` with `w` gives.
fn consistent(cx: &mut Infer<'_>, x: &Shape, w: &Shape, dy: &Shape) -> Result<(), ShapeError> {
    let attrs = conv_attrs(cx.options());
    let mut want = alloc::vec![x[0].clone(), w[0].clone()];
    for a in 0..2 {
        let pad = i64::from(attrs.pad[a]) + i64::from(attrs.pad[2 + a]);
        let span = w[2 + a].sub(&Dim::ONE).scale(i64::from(attrs.dilation[a])).add(&Dim::ONE);
        let room = x[2 + a].add(&Dim::Const(pad)).sub(&span);
        want.push(cx.floor_div(&room, i64::from(attrs.stride[a])).add(&Dim::ONE));
    }
    let channels = cx.unify(&x[1], &w[1].scale(i64::from(attrs.groups)));
    if channels && want.iter().zip(dy.iter()).all(|(a, b)| cx.unify(a, b)) {
        return Ok(());
    }
    let (x, w, dy) = (cx.show(x), cx.show(w), cx.show(dy));
    Err(cx.err(Code::WeightShape, At::Call, format!("data {x} and weight {w} do not give {dy}")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{infer, refused, table};

    #[test]
    fn shapes() {
        table(
            "conv2d",
            &[
                ("N 1 28 28", "filters=20 kernel=5", "[N, 20, 24, 24]; weight [20, 1, 5, 5], bias [20]"),
                ("2 3 5 6", "filters=4 kernel=1,3 bias=false", "[2, 4, 5, 4]; weight [4, 3, 1, 3]"),
                (
                    "N 3 224 224",
                    "filters=64 kernel=11 stride=4 pad=2",
                    "[N, 64, 55, 55]; weight [64, 3, 11, 11], bias [64]",
                ),
                (
                    "N 64 56 56",
                    "filters=64 kernel=3 stride=2 pad=0,0,1,1 bias=false",
                    "[N, 64, 28, 28]; weight [64, 64, 3, 3]",
                ),
                (
                    "1 2 7 8",
                    "filters=2 kernel=3,2 dilation=2,3 bias=false",
                    "[1, 2, 3, 5]; weight [2, 2, 3, 2]",
                ),
                ("N 8 9 9", "filters=8 kernel=3 groups=8 bias=false", "[N, 8, 7, 7]; weight [8, 1, 3, 3]"),
                ("N 8 9 9", "filters=6 kernel=3 groups=2 bias=false", "[N, 6, 7, 7]; weight [6, 4, 3, 3]"),
                ("N 3 H W", "filters=K kernel=3 pad=1 bias=false", "[N, K, H, W]; weight [K, 3, 3, 3]"),
                ("N 3 H W", "filters=4 kernel=3 bias=false", "[N, 4, H - 2, W - 2]; weight [4, 3, 3, 3]"),
                (
                    "N 3 H 8",
                    "filters=4 kernel=3 stride=2 pad=1 bias=false",
                    "[N, 4, floor((H + 1) / 2), 4]; weight [4, 3, 3, 3]",
                ),
                (
                    "N C 8 8",
                    "filters=4 kernel=1 groups=2 bias=false",
                    "[N, 4, 8, 8]; weight [4, floor((C) / 2), 1, 1]",
                ),
                ("N 3 7 10", "filters=1 kernel=4 pad=same bias=false", "[N, 1, 7, 10]; weight [1, 3, 4, 4]"),
                (
                    "N 3 7 10",
                    "filters=1 kernel=3 pad=same stride=2 bias=false",
                    "[N, 1, 4, 5]; weight [1, 3, 3, 3]",
                ),
                ("N 3 H W", "filters=1 kernel=4 pad=same bias=false", "[N, 1, H, W]; weight [1, 3, 4, 4]"),
                ("N 3 6 5 | 4 3 3 2", "bias=false", "[N, 4, 4, 4]"),
                ("N 3 6 5 | 4 3 3 2 | 4", "", "[N, 4, 4, 4]"),
                ("N _ 6 5 | 4 3 3 2", "kernel=_ filters=_ bias=false", "[N, 4, 4, 4]"),
            ],
        );
    }

    #[test]
    fn same_puts_the_odd_zero_at_the_end() {
        let net = infer("conv2d", "1 1 7 10", "filters=1 kernel=4,3 stride=1,2 pad=same").expect("fits");
        assert_eq!(net.graph.nodes[0].op.schema().name, "conv2d");
        assert_eq!(net.options().ints("pad"), Some(&[1, 0, 2, 1][..]));
    }

    #[test]
    fn holes_are_solved_from_the_weight() {
        let mut net = infer("conv2d", "N _ 9 9 | 8 2 3 3", "groups=4 bias=false").expect("fits");
        let x = net.inputs[0];
        assert_eq!(net.text(x), "[N, 8, 9, 9]");
        let mut net = infer("conv2d", "N _ 9 9 | 8 _ 3 3", "groups=4 bias=false").expect("fits");
        let x = net.inputs[0];
        let eight = crate::dim::Dim::Const(8);
        let c = net.graph.shape(x)[1].clone();
        assert!(net.graph.symbols.unify(&c, &eight));
        let w = net.inputs[1];
        assert_eq!(net.text(w), "[8, 2, 3, 3]");
    }

    #[test]
    fn holes_are_solved_from_the_result() {
        let mut net = infer("conv2d", "N 6 _ 9", "filters=_ kernel=3 groups=3").expect("may fit");
        let y = net.graph.shape(net.outputs[0]);
        let symbols = &mut net.graph.symbols;
        assert!(symbols.unify(&y[1], &crate::dim::Dim::Const(12)));
        assert!(symbols.unify(&y[2], &crate::dim::Dim::Const(5)));
        assert_eq!(net.summary(), "[N, 12, 5, 7]; weight [12, 2, 3, 3], bias [12]");
        assert_eq!(net.text(net.inputs[0]), "[N, 6, 7, 9]");
    }

    #[test]
    fn refused_shapes() {
        refused(
            "conv2d",
            &[
                (
                    "N 1 5 5",
                    "filters=20 kernel=7",
                    "kernel 7 does not fit: the input's height is 5, of [N, 1, 5, 5]",
                    "a kernel up to 5 fits, pad = 1 makes room, pad = 3 keeps the height",
                ),
                (
                    "N 1 9 5",
                    "filters=20 kernel=3 dilation=4 stride=2",
                    "kernel 3 with dilation 4 spans 9 and does not fit: the input's width is 5, of [N, 1, 9, 5]",
                    "a kernel up to 2 fits, or pad = 2 makes room",
                ),
                (
                    "N 1 9 5",
                    "filters=20 kernel=1,8 pad=0,1",
                    "kernel 8 does not fit: the input's width is 5 (7 with its padding), of [N, 1, 9, 5]",
                    "a kernel up to 7 fits, or pad = 2 makes room",
                ),
                (
                    "N 6 9 9",
                    "filters=8 kernel=3 groups=4",
                    "6 input channels do not divide into 4 groups",
                    "1, 2",
                ),
                ("N 8 9 9", "filters=6 kernel=3 groups=4", "6 filters do not divide into 4 groups", "1, 2"),
                ("N 3 9", "filters=6 kernel=3", "`x` must have 4 axes, [N, 3, 9] has 3", "[n, c, h, w]"),
                ("N 3 9 9", "kernel=3", "needs `filters`", "number of output channels"),
                ("N 3 9 9", "filters=4", "needs `kernel`", "(height, width)"),
                ("N 3 9 9 | 4 2 3 3", "bias=false", "`weight` must be [4, 3, 3, 3], it is [4, 2, 3, 3]", ""),
                ("N 3 9 9 | 4 3 3 3 | 5", "", "`bias` must be [4], it is [5]", ""),
                ("N 3 9 9 | 4 3 3 3 | 4", "bias=false", "a bias is given although `bias = false`", ""),
                ("N 3 9 9:u8", "filters=4 kernel=3", "needs floating-point numbers, this is u8", "cast"),
                ("N 3 9 9 | 4 3 3 3:f64", "bias=false", "`weight` must hold f32, it holds f64", "cast"),
                (
                    "N 3 H 9",
                    "filters=4 kernel=3 stride=2 pad=same",
                    "`same` with stride 2 depends on the height, which is H: not known yet",
                    "such as pad = 1",
                ),
                (
                    "1 1 8 8",
                    "filters=1 kernel=1048576 dilation=1048576",
                    "a window that spans 1099510579201 is too large",
                    "",
                ),
            ],
        );
    }

    #[test]
    fn what_depends_on_symbols_is_checked_later() {
        let net = infer("conv2d", "N C H W", "filters=4 kernel=5 groups=2").expect("may fit");
        let texts: alloc::vec::Vec<_> = net.graph.checks.iter().map(|c| c.error.message.clone()).collect();
        assert_eq!(texts.len(), 3, "{texts:?}");
        assert!(texts[0].contains("the input's height is H, of [N, C, H, W]"), "{texts:?}");
        assert!(texts[2].contains("C input channels do not divide into 2 groups"), "{texts:?}");
        assert!(net.graph.checks[0].error.layer == "convolution0");
    }

    #[test]
    fn what_was_unknown_is_decided_when_settled() {
        for (height, refuted) in [(4, 1), (5, 0)] {
            let mut net = infer("conv2d", "N 3 _ 9", "filters=4 kernel=5").expect("may fit");
            let h = net.graph.shape(net.inputs[0])[2].clone();
            assert!(net.graph.symbols.unify(&h, &crate::dim::Dim::Const(height)));
            net.graph.settle();
            assert_eq!(net.graph.refuted().count(), refuted);
            assert_eq!(net.graph.checks.len(), refuted);
        }
    }

    #[test]
    fn flops_are_two_per_multiply_add() {
        let mut net = infer("conv2d", "N 4 9 9", "filters=6 kernel=3 groups=2").expect("fits");
        assert_eq!(net.flops(), "10584*N"); // 2 · (6·7·7) outputs · (2·3·3) taps
    }
}
