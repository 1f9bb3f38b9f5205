//! `max_pool`, `avg_pool`, `global_max_pool`, `global_avg_pool`, and their gradients.

use super::window::{Window, pair, quad, slide};
use super::{Lower, Lowered, Operator, Reshape, Sample, SampleValues};
use crate::catalogue::Code;
use crate::dim::Dim;
use crate::dtype::DType;
use crate::error::{At, ShapeError};
use crate::grad::{Grad, NoGradient};
use crate::graph::{Graph, Node, ValueId};
use crate::infer::Infer;
use crate::instr::{Instr, PoolAttrs, PoolKind};
use crate::schema::{Arg, Attr, Attrs, Default, Operand, OptionDef, OptionKind, Options, Schema};
use crate::shape::Shape;
use alloc::format;
use alloc::vec::Vec;

/// Pooling by windows; see the schemas.
pub struct Pool {
    kind: PoolKind,
    schema: &'static Schema,
    backward: &'static PoolBackward,
}

/// Pooling of whole images; see the schemas.
pub struct GlobalPool {
    kind: PoolKind,
    schema: &'static Schema,
    backward: &'static PoolBackward,
}

/// A maximum as the passes make it; see the schema.
pub struct WindowMax;

/// The gradient of a pooling; see the schemas.
pub struct PoolBackward {
    kind: PoolKind,
    schema: &'static Schema,
}

const KERNEL: OptionDef = OptionDef::positional(
    "kernel",
    OptionKind::Pair(1),
    Default::Required,
    "window, `n` or `(height, width)`",
);
const STRIDE: OptionDef = OptionDef::named(
    "stride",
    OptionKind::Pair(1),
    Default::Absent,
    "step of the window, `n` or `(height, width)`; the kernel by default",
);
const PAD: OptionDef = OptionDef::named(
    "pad",
    OptionKind::Pad,
    Default::Int(0),
    "padding: `n`, `(height, width)`, `(top, left, bottom, right)` or `same`, less than the kernel; 0 by default",
);
const ROUNDING: OptionDef = OptionDef::named(
    "rounding",
    OptionKind::Choice(&["floor", "ceil"]),
    Default::Word("floor"),
    "`floor` drops the rows and columns that no whole window covers, `ceil` covers them with a window that sticks out; \
     `floor` by default",
);
const KEEPDIMS: OptionDef = OptionDef::named(
    "keepdims",
    OptionKind::Bool,
    Default::Bool(false),
    "give `[n, c, 1, 1]` rather than `[n, c]`; false by default",
);

/// `max_pool`.
pub static MAX_POOL: Pool = Pool {
    kind: PoolKind::Max,
    schema: &Schema {
        name: "max_pool",
        auto_name: "pooling",
        doc: "The largest element of each window of `x [n, c, h, w]`: `[n, c, oh, ow]` with `oh = floor((h + top + bottom − kh) / s) + \
              1`, and `ow` likewise; padding never wins. `rounding = ceil` rounds up (MXNet's `full`, Caffe's default), without a \
              window that would start beyond the input and its leading padding. The gradient goes to the first largest element of \
              the window in row-major order. Called Pooling in MXNet, where the stride is 1 by default; here, as in PyTorch and \
              Keras, it is the kernel.",
        inputs: &[Operand::data("x", "`[n, c, h, w]`")],
        outputs: &["output"],
        visible: 1,
        options: &[KERNEL, STRIDE, PAD, ROUNDING],
        internal: false,
    },
    backward: &MAX_POOL_BACKWARD,
};

/// `avg_pool`.
pub static AVG_POOL: Pool = Pool {
    kind: PoolKind::Avg,
    schema: &Schema {
        name: "avg_pool",
        auto_name: "pooling",
        doc: "The mean of each window of `x [n, c, h, w]`: `[n, c, oh, ow]` with `oh = floor((h + top + bottom − kh) / s) + 1`, and \
              `ow` likewise. The divisor is the number of elements of the window that lie in the padded input (`count_pad`, as in \
              MXNet and PyTorch) or in the input alone; what sticks out beyond the padding (`rounding = ceil`) never counts. \
              Called Pooling in MXNet, where the stride is 1 by default; here, as in PyTorch and Keras, it is the kernel.",
        inputs: &[Operand::data("x", "`[n, c, h, w]`")],
        outputs: &["output"],
        visible: 1,
        options: &[
            KERNEL,
            STRIDE,
            PAD,
            ROUNDING,
            OptionDef::named(
                "count_pad",
                OptionKind::Bool,
                Default::Bool(true),
                "count zeros of the padding as elements of the window; true by default",
            ),
        ],
        internal: false,
    },
    backward: &AVG_POOL_BACKWARD,
};

/// `global_max_pool`.
pub static GLOBAL_MAX_POOL: GlobalPool = GlobalPool {
    kind: PoolKind::Max,
    schema: &Schema {
        name: "global_max_pool",
        auto_name: "pooling",
        doc: "The largest element of each channel of `x [n, c, h, w]`, as `[n, c]`: what `dense` takes. With `keepdims` the result is \
              `[n, c, 1, 1]`, as that of MXNet's Pooling with `global_pool`.",
        inputs: &[Operand::data("x", "`[n, c, h, w]`")],
        outputs: &["output"],
        visible: 1,
        options: &[KEEPDIMS],
        internal: false,
    },
    backward: &MAX_POOL_BACKWARD,
};

/// `global_avg_pool`.
pub static GLOBAL_AVG_POOL: GlobalPool = GlobalPool {
    kind: PoolKind::Avg,
    schema: &Schema {
        name: "global_avg_pool",
        auto_name: "pooling",
        doc: "The mean of each channel of `x [n, c, h, w]`, as `[n, c]`: what `dense` takes. With `keepdims` the result is `[n, c, 1, \
              1]`, as that of MXNet's Pooling with `global_pool`.",
        inputs: &[Operand::data("x", "`[n, c, h, w]`")],
        outputs: &["output"],
        visible: 1,
        options: &[KEEPDIMS],
        internal: false,
    },
    backward: &AVG_POOL_BACKWARD,
};

const SHAPE: OptionDef =
    OptionDef::named("shape", OptionKind::Shape, Default::Required, "the extents of the input");
const OF_KERNEL: OptionDef =
    OptionDef::named("kernel", OptionKind::Pair(1), Default::Int(1), "as of the pooling");
const OF_STRIDE: OptionDef =
    OptionDef::named("stride", OptionKind::Pair(1), Default::Int(1), "as of the pooling");
const OF_PAD: OptionDef = OptionDef::named("pad", OptionKind::Pad, Default::Int(0), "as of the pooling");
const GLOBAL: OptionDef =
    OptionDef::named("global", OptionKind::Bool, Default::Bool(false), "of whole images");
const RELU: OptionDef =
    OptionDef::named("relu", OptionKind::Bool, Default::Bool(false), "the maximum is rectified");

/// `max_pool_backward`.
pub static MAX_POOL_BACKWARD: PoolBackward = PoolBackward {
    kind: PoolKind::Max,
    schema: &Schema {
        name: "max_pool_backward",
        auto_name: "max_pool_backward",
        doc: "The gradient of `max_pool`, `global_max_pool` and `window_max`: of each window, `dy` goes to the first largest element.",
        inputs: &[
            Operand::data("x", "`[n, c, h, w]`, or the places `[n, c, oh, ow]` of type u8"),
            Operand::data("dy", "`[n, c, oh, ow]`"),
        ],
        outputs: &["output"],
        visible: 1,
        options: &[SHAPE, OF_KERNEL, OF_STRIDE, OF_PAD, ROUNDING, GLOBAL, RELU],
        internal: true,
    },
};

/// `avg_pool_backward`.
pub static AVG_POOL_BACKWARD: PoolBackward = PoolBackward {
    kind: PoolKind::Avg,
    schema: &Schema {
        name: "avg_pool_backward",
        auto_name: "avg_pool_backward",
        doc: "The gradient of `avg_pool` and `global_avg_pool`: `dy`, divided as the mean was, goes to every element of its window.",
        inputs: &[Operand::data("dy", "`[n, c, oh, ow]`")],
        outputs: &["output"],
        visible: 1,
        options: &[
            SHAPE,
            OF_KERNEL,
            OF_STRIDE,
            OF_PAD,
            ROUNDING,
            GLOBAL,
            OptionDef::named("count_pad", OptionKind::Bool, Default::Bool(true), "as of the pooling"),
        ],
        internal: true,
    },
};

static WINDOW_MAX: Schema = Schema {
    name: "window_max",
    auto_name: "window_max",
    doc: "`max_pool` or `global_max_pool`, followed by `relu` where asked, and with the place of every maximum in its window where asked, \
          for the gradient: `ky · kw + kx`, and bit 7 where a rectified maximum is not above 0.",
    inputs: &[Operand::data("x", "`[n, c, h, w]`")],
    outputs: &["output", "places"],
    visible: 1,
    options: &[
        OF_KERNEL,
        OF_STRIDE,
        OF_PAD,
        ROUNDING,
        GLOBAL,
        RELU,
        OptionDef::named("places", OptionKind::Bool, Default::Bool(false), "give the places"),
    ],
    internal: true,
};

const IMAGES: &str = "images are [n, c, h, w]: `reshape` adds the axes that are missing";

impl Operator for Pool {
    fn schema(&self) -> &'static Schema {
        self.schema
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let dtype = cx.float(0)?;
        let x = cx.rank(0, 4, IMAGES)?;
        let window = window(cx.options());
        let kernel = window.kernel;
        cx.set_attr("stride", Attr::Ints(window.stride.to_vec()));
        if let Some(pad) = cx.options().ints("pad")
            && let Some(a) = (0..4).find(|a| pad[*a] >= kernel[a % 2])
        {
            let (p, k) = (pad[a], kernel[a % 2]);
            let text =
                format!("padding {p} is not less than the kernel {k}: a window would hold nothing else");
            let mut e = cx.err(Code::PaddingTooLarge, At::Option("pad"), text);
            e.help = Some(format!("a padding up to {} fits", k - 1));
            return Err(e);
        }
        let [oh, ow] = slide(cx, &x, &window)?;
        cx.output([x[0].clone(), x[1].clone(), oh, ow].into(), dtype)
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let option = |name| cx.options().get(name).clone();
        let last = if self.kind == PoolKind::Avg { option("count_pad") } else { Attr::Bool(false) };
        let window =
            [option("kernel"), option("stride"), option("pad"), option("rounding"), Attr::Bool(false), last];
        self.backward.apply(cx, window);
        Ok(())
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::Pool2d(attrs(self.kind, cx.options())))
    }

    fn samples(&self) -> Vec<Sample> {
        let pool = |shape: &[usize], kernel: [i64; 2]| {
            Sample::new(&[shape]).fill(0, SampleValues::Distinct).with_list("kernel", &kernel)
        };
        let mut list = alloc::vec![
            pool(&[2, 3, 4, 6], [2, 2]),
            pool(&[2, 2, 5, 7], [2, 3]),
            pool(&[1, 2, 6, 7], [3, 3]).with("stride", 2),
            pool(&[1, 2, 6, 8], [3, 3]).with("stride", 2).with("rounding", "ceil"),
            pool(&[1, 2, 5, 4], [3, 3]).with("stride", 1).with("pad", 1),
            pool(&[1, 2, 6, 7], [3, 3]).with("stride", 2).with("pad", 1).with("rounding", "ceil"),
            pool(&[1, 2, 6, 5], [3, 2]).with("stride", 1).with_list("pad", &[0, 1, 2, 0]),
            pool(&[1, 2, 7, 6], [3, 3]).with("stride", 2).with("pad", "same"),
            pool(&[1, 2, 5, 7], [1, 2]).with("stride", 3).with("rounding", "ceil"),
            pool(&[2, 2, 3, 4], [3, 4]),
        ];
        if self.kind == PoolKind::Avg {
            let outside: Vec<Sample> = list.iter().map(|s| s.clone().with("count_pad", false)).collect();
            list.extend(outside.into_iter().filter(|s| s.options.len() > 2));
        }
        list
    }
}

impl Operator for GlobalPool {
    fn schema(&self) -> &'static Schema {
        self.schema
    }

    /// Without `keepdims`: itself with it, then another shape.
    fn compose(
        &self,
        graph: &mut Graph,
        attrs: &Attrs,
        inputs: &[ValueId],
    ) -> Option<Result<Vec<ValueId>, ShapeError>> {
        if attrs[0] == Attr::Bool(true) {
            return None;
        }
        let kept = match graph.apply(self.itself(), alloc::vec![Attr::Bool(true)], inputs, None) {
            Ok(kept) => kept,
            Err(e) => return Some(Err(e)),
        };
        let dims = graph.shape(kept[0])[..2].iter().map(|d| Arg::Dim(d.clone())).collect();
        Some(graph.call(&Reshape, &[("shape", Arg::List(dims))], &kept, None))
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let dtype = cx.float(0)?;
        let x = cx.rank(0, 4, IMAGES)?;
        if x[2] == Dim::ZERO || x[3] == Dim::ZERO {
            let text = format!("{} has no elements to pool", cx.show(&x));
            return Err(cx.err(Code::NoElements, At::Input(0), text));
        }
        cx.output([x[0].clone(), x[1].clone(), Dim::ONE, Dim::ONE].into(), dtype)
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let [kernel, stride, pad, rounding] = whole();
        let last = Attr::Bool(self.kind == PoolKind::Avg);
        self.backward.apply(cx, [kernel, stride, pad, rounding, Attr::Bool(true), last]);
        Ok(())
    }

    fn lower(&self, _: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::Pool2d(global(self.kind)))
    }

    fn samples(&self) -> Vec<Sample> {
        let s = Sample::new(&[&[2, 3, 4, 5]]).fill(0, SampleValues::Distinct);
        alloc::vec![s.clone(), s.with("keepdims", true)]
    }
}

impl GlobalPool {
    fn itself(&self) -> &'static GlobalPool {
        match self.kind {
            PoolKind::Avg => &GLOBAL_AVG_POOL,
            _ => &GLOBAL_MAX_POOL,
        }
    }
}

impl WindowMax {
    /// The options that make `node`, a max-pooling, this operator; `None` when it is none.
    pub(crate) fn attrs_of(node: &Node, relu: bool, places: bool) -> Option<Attrs> {
        let is = |op: &dyn Operator| core::ptr::eq(node.op.schema(), op.schema());
        let options = Options { schema: node.op.schema(), attrs: &node.attrs };
        let (window, global) = if is(&GLOBAL_MAX_POOL) {
            (whole(), true)
        } else if is(&MAX_POOL) {
            (["kernel", "stride", "pad", "rounding"].map(|n| options.get(n).clone()), false)
        } else if is(&WindowMax) {
            let window = ["kernel", "stride", "pad", "rounding"].map(|n| options.get(n).clone());
            (window, options.bool("global"))
        } else {
            return None;
        };
        let mut attrs = window.to_vec();
        attrs.extend([Attr::Bool(global), Attr::Bool(relu), Attr::Bool(places)]);
        Some(attrs)
    }

    /// How many places a window of these options has over images of this shape, if that is a number.
    pub(crate) fn window_places(attrs: &Attrs, x: &Shape) -> Option<i64> {
        let options = Options { schema: &WINDOW_MAX, attrs };
        if options.bool("global") {
            return x[2].as_const()?.checked_mul(x[3].as_const()?);
        }
        let [kh, kw] = options.pair("kernel")?;
        kh.checked_mul(kw)
    }
}

impl Operator for WindowMax {
    fn schema(&self) -> &'static Schema {
        &WINDOW_MAX
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let dtype = cx.float(0)?;
        let x = cx.rank(0, 4, IMAGES)?;
        let [oh, ow] = if cx.options().bool("global") {
            [Dim::ONE, Dim::ONE]
        } else {
            let window = window(cx.options());
            slide(cx, &x, &window)?
        };
        let y: Shape = [x[0].clone(), x[1].clone(), oh, ow].into();
        if cx.options().bool("places") {
            cx.output(y.clone(), dtype)?;
            return cx.output(y, DType::U8);
        }
        cx.output(y, dtype)
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        Err(cx.no_gradient())
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        let attrs = attrs(PoolKind::Max, cx.options());
        Lowered::Instr(if cx.options().bool("places") {
            Instr::Pool2dPlaces(attrs)
        } else {
            Instr::Pool2d(attrs)
        })
    }

    fn samples(&self) -> Vec<Sample> {
        // Passes make it of other calls, whose samples run it.
        Vec::new()
    }
}

impl PoolBackward {
    /// Add the gradient of a pooling; `window` holds the options after `shape`.
    fn apply(&'static self, cx: &mut Grad<'_>, window: [Attr; 6]) {
        let Some(dy) = cx.dy(0) else { return };
        let x = cx.x(0);
        let shape = cx.graph().shape(x).iter().map(|d| Some(d.clone())).collect();
        let mut attrs = alloc::vec![Attr::Dims(shape)];
        attrs.extend(window);
        let dx = match self.kind {
            PoolKind::Avg => cx.apply(self, attrs, &[dy])[0],
            _ => cx.apply(self, attrs, &[x, dy])[0],
        };
        cx.add(0, dx);
    }
}

impl Operator for PoolBackward {
    fn schema(&self) -> &'static Schema {
        self.schema
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let dtype = cx.dtype(cx.inputs() - 1);
        let Attr::Dims(dims) = cx.attr("shape").clone() else { unreachable!("a required shape") };
        let shape = Shape(dims.into_iter().flatten().collect());
        let dy = cx.rank(cx.inputs() - 1, 4, "")?;
        let [oh, ow] = if cx.options().bool("global") {
            [Dim::ONE, Dim::ONE]
        } else {
            let window = window(cx.options());
            slide(cx, &shape, &window)?
        };
        let want = [shape[0].clone(), shape[1].clone(), oh, ow];
        if !want.iter().zip(dy.iter()).all(|(a, b)| cx.unify(a, b)) {
            let text = format!("{} is not pooled from {}", cx.show(&dy), cx.show(&shape));
            return Err(cx.err(Code::WeightShape, At::Call, text));
        }
        cx.output(shape, dtype)
    }

    /// The mean is linear: the gradient of its gradient is the mean. Of the maximum there is none here.
    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        if self.kind != PoolKind::Avg {
            return Err(cx.no_gradient());
        }
        let Some(ddx) = cx.dy(0) else { return Ok(()) };
        let options = cx.options();
        let ddy = if options.bool("global") {
            cx.apply(&GLOBAL_AVG_POOL, alloc::vec![Attr::Bool(true)], &[ddx])[0]
        } else {
            let names = ["kernel", "stride", "pad", "rounding", "count_pad"];
            cx.apply(&AVG_POOL, names.map(|n| options.get(n).clone()).to_vec(), &[ddx])[0]
        };
        cx.add(0, ddy);
        Ok(())
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        let attrs = attrs(self.kind, cx.options());
        Lowered::Instr(match cx.graph.value(cx.node.inputs[0]).dtype {
            DType::U8 => Instr::Pool2dPlacesBackward(attrs),
            _ => Instr::Pool2dBackward(attrs),
        })
    }

    fn samples(&self) -> Vec<Sample> {
        match self.kind {
            // It has no gradient itself: the samples of the pooling run it.
            PoolKind::Max | PoolKind::ReluMax => Vec::new(),
            PoolKind::Avg => alloc::vec![
                Sample::new(&[&[2, 3, 3, 3]])
                    .with_list("shape", &[2, 3, 6, 5])
                    .with_list("kernel", &[3, 3])
                    .with_list("stride", &[2, 2])
                    .with("pad", 1)
                    .with("count_pad", false),
                Sample::new(&[&[2, 3, 1, 1]]).with_list("shape", &[2, 3, 4, 5]).with("global", true),
            ],
        }
    }
}

/// The window of a pooling or of its gradient, of checked options.
fn window(options: Options<'_>) -> Window {
    let kernel = options.pair("kernel").expect("a required option");
    Window {
        kernel,
        stride: options.pair("stride").unwrap_or(kernel),
        dilation: [1, 1],
        ceil: options.word("rounding") == Some("ceil"),
    }
}

/// What the schema does not have is not asked for.
fn attrs(kind: PoolKind, options: Options<'_>) -> PoolAttrs {
    let flag = |name| options.schema.option(name).is_some() && options.bool(name);
    let kind = if flag("relu") { PoolKind::ReluMax } else { kind };
    if flag("global") {
        return global(kind);
    }
    PoolAttrs {
        kind,
        kernel: pair(options, "kernel"),
        stride: pair(options, "stride"),
        pad: quad(options, "pad"),
        count_pad: kind != PoolKind::Avg || options.bool("count_pad"),
        global: false,
    }
}

fn global(kind: PoolKind) -> PoolAttrs {
    PoolAttrs { kind, kernel: [1; 2], stride: [1; 2], pad: [0; 4], count_pad: true, global: true }
}

/// Kernel, stride, pad and rounding where the window is the whole image.
fn whole() -> [Attr; 4] {
    let one = Attr::Ints(alloc::vec![1, 1]);
    [one.clone(), one, Attr::Ints(alloc::vec![0; 4]), Attr::Word("floor")]
}

#[cfg(test)]
mod tests {
    use super::super::testing::{infer, refused, table};

    #[test]
    fn shapes() {
        table(
            "max_pool",
            &[
                ("N 20 24 24", "kernel=2", "[N, 20, 12, 12]"),
                ("N 20 25 24", "kernel=2", "[N, 20, 12, 12]"),
                ("N 20 25 24", "kernel=2 rounding=ceil", "[N, 20, 13, 12]"),
                ("N 64 55 55", "kernel=3 stride=2", "[N, 64, 27, 27]"),
                ("N 64 112 112", "kernel=3 stride=2 rounding=ceil", "[N, 64, 56, 56]"),
                ("N 64 112 112", "kernel=3 stride=2 pad=1", "[N, 64, 56, 56]"),
                ("N 8 28 28", "kernel=3 stride=1 pad=1", "[N, 8, 28, 28]"),
                ("2 4 10 13", "kernel=3 stride=2 rounding=ceil", "[2, 4, 5, 6]"),
                ("3 1 6 8", "kernel=4,3 stride=3 rounding=ceil", "[3, 1, 2, 3]"),
                ("3 2 7 8", "kernel=3,4 stride=3,1 pad=0,2", "[3, 2, 2, 9]"),
                ("N C H W", "kernel=2", "[N, C, floor((H) / 2), floor((W) / 2)]"),
                ("N C H W", "kernel=3 stride=1", "[N, C, H - 2, W - 2]"),
                ("1 1 7 10", "kernel=3 stride=2 pad=same", "[1, 1, 4, 5]"),
            ],
        );
        table("avg_pool", &[("N 1024 7 7", "kernel=7", "[N, 1024, 1, 1]")]);
        for op in ["global_avg_pool", "global_max_pool"] {
            table(op, &[("N 64 8 8", "", "[N, 64]"), ("N 64 H W", "keepdims=true", "[N, 64, 1, 1]")]);
        }
    }

    /// Rounding up never adds a window that holds nothing: 5 places of stride 3 start at 0, 3, 6.
    #[test]
    fn the_last_window_starts_inside() {
        table(
            "max_pool",
            &[
                ("1 1 5 5", "kernel=1 stride=3 rounding=ceil", "[1, 1, 2, 2]"),
                ("1 1 4 4", "kernel=2 stride=3 pad=1 rounding=ceil", "[1, 1, 2, 2]"),
                ("1 1 4 4", "kernel=2 stride=3 rounding=ceil", "[1, 1, 2, 2]"),
            ],
        );
        for x in 1..20i64 {
            for (k, s, p) in
                [(1, 1, 0), (1, 3, 0), (2, 2, 1), (2, 3, 1), (3, 2, 1), (3, 5, 2), (4, 3, 0), (3, 7, 1)]
            {
                if x + 2 * p < k {
                    continue;
                }
                let mut places = 1 + (x + 2 * p - k + s - 1) / s;
                while (places - 1) * s >= x + p {
                    places -= 1;
                }
                let options = alloc::format!("kernel={k} stride={s} pad={p} rounding=ceil");
                let mut call = infer("avg_pool", &alloc::format!("1 1 {x} {x}"), &options).expect("fits");
                assert_eq!(call.summary(), alloc::format!("[1, 1, {places}, {places}]"), "{x}: {options}");
            }
        }
    }

    #[test]
    fn refused_shapes() {
        refused(
            "max_pool",
            &[
                (
                    "N 1 5 5",
                    "kernel=7",
                    "kernel 7 does not fit: the input's height is 5, of [N, 1, 5, 5]",
                    "a kernel up to 5 fits, or pad = 1 makes room",
                ),
                (
                    "N 1 5 5",
                    "kernel=2 pad=2",
                    "padding 2 is not less than the kernel 2: a window would hold nothing else",
                    "a padding up to 1 fits",
                ),
                ("N 1 5", "kernel=2", "`x` must have 4 axes, [N, 1, 5] has 3", "[n, c, h, w]"),
                ("N 1 5 5", "", "needs `kernel`", "window"),
                (
                    "N 1 5 5",
                    "kernel=2 rounding=cell",
                    "`rounding` must be one of `floor`, `ceil`, not `cell`",
                    "`ceil`?",
                ),
                ("N 1 5 5", "kernel=2 count_pad=true", "has no option `count_pad`", "kernel"),
            ],
        );
        refused("global_avg_pool", &[("N 10", "", "`x` must have 4 axes, [N, 10] has 2", "[n, c, h, w]")]);
    }

    #[test]
    fn global_results_are_called_like_the_layer() {
        let call = infer("global_avg_pool", "N 64 8 8", "").expect("fits");
        assert_eq!(call.ops(), ["global_avg_pool", "reshape"]);
        assert_eq!(call.graph.value(call.outputs[0]).name, "pooling0_output");
    }
}
