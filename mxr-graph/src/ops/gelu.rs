//! `gelu`: x · Φ(x).

use super::{Operator, Sample, SampleValues, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::{BinOp, UnOp};
use crate::schema::{Default, OptionDef, OptionKind, Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Gelu;

/// √(2/π).
const SQRT_2_OVER_PI: f64 = core::f64::consts::FRAC_2_SQRT_PI * core::f64::consts::FRAC_1_SQRT_2;

static SCHEMA: Schema = Schema {
    auto_name: "activation",
    options: &[OptionDef {
        name: "approximate",
        kind: OptionKind::Choice(&["none", "tanh"]),
        default: Default::Word("none"),
        positional: false,
        doc: "`none` (the default) is exact, `tanh` is the approximation of the GPT-2 and BERT code",
    }],
    ..Schema::unary(
        "gelu",
        "Gaussian error linear unit, elementwise: `y = x · Φ(x) = x / 2 · (1 + erf(x / √2))`. With `approximate = tanh` it is \
     `x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))`. Hendrycks and Gimpel, 2016 (arXiv 1606.08415).",
    )
};

impl Operator for Gelu {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_floats(cx)
    }

    fn expr(&self, options: Options<'_>) -> Option<Expr> {
        let tanh = options.word("approximate") == Some("tanh");
        Some(Expr::build(|e| {
            let (x, one, half) = (e.input(0), e.constant(1.0), e.constant(0.5));
            let inner = if tanh {
                let square = e.bin(BinOp::Mul, x, x);
                let third = e.constant(0.044715);
                let factor = e.bin(BinOp::Mul, third, square);
                let factor = e.bin(BinOp::Add, one, factor);
                let bent = e.bin(BinOp::Mul, x, factor);
                let scale = e.constant(SQRT_2_OVER_PI);
                let scaled = e.bin(BinOp::Mul, scale, bent);
                e.un(UnOp::Tanh, scaled)
            } else {
                let scale = e.constant(core::f64::consts::FRAC_1_SQRT_2);
                let scaled = e.bin(BinOp::Mul, x, scale);
                e.un(UnOp::Erf, scaled)
            };
            let (above, halved) = (e.bin(BinOp::Add, one, inner), e.bin(BinOp::Mul, half, x));
            e.bin(BinOp::Mul, halved, above)
        }))
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![
            Sample::new(&[&[2, 3, 5]]).fill(0, SampleValues::Uniform(-3.0, 3.0)),
            Sample::new(&[&[2, 3, 5]]).fill(0, SampleValues::Uniform(-3.0, 3.0)).with("approximate", "tanh")
        ]
    }
}
