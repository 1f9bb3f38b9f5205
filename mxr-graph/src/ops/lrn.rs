//! `lrn`: local response normalisation, and its gradient.

use super::{Lower, Lowered, Operator, Sample};
use crate::catalogue::Code;
use crate::error::{At, ShapeError};
use crate::grad::{Grad, NoGradient};
use crate::infer::Infer;
use crate::instr::{Instr, LrnAttrs};
use crate::schema::{Default, Operand, OptionDef, OptionKind, Schema};
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

/// See the schema.
pub struct Lrn;

/// The gradient; see the schema.
pub struct LrnBackward;

const OPTIONS: &[OptionDef] = &[
    OptionDef::positional(
        "size",
        OptionKind::Int(1, 1 << 16),
        Default::Int(5),
        "number of channels in the sum, odd; 5 by default",
    ),
    OptionDef::named(
        "alpha",
        OptionKind::Float(0.0, f64::MAX),
        Default::Float(1e-4),
        "scale of the mean square; 1e-4 by default",
    ),
    OptionDef::named(
        "beta",
        OptionKind::Float(0.0, f64::MAX),
        Default::Float(0.75),
        "exponent; 0.75 by default",
    ),
    OptionDef::named(
        "knorm",
        OptionKind::Float(0.0, f64::MAX),
        Default::Float(2.0),
        "offset; 2 by default (PyTorch: 1)",
    ),
];

static SCHEMA: Schema = Schema {
    name: "lrn",
    auto_name: "lrn",
    doc: "Local response normalisation across channels: `y[n, c] = x[n, c] / (knorm + alpha / size · Σ x[n, c']²)^beta`, the sum over the \
          `size` channels around `c` that exist. `alpha` is divided by `size`, as in MXNet, Caffe and PyTorch; the AlexNet paper \
          does not divide. After Krizhevsky et al. 2012.",
    inputs: &[Operand::data("x", "`[n, c, ..]`")],
    outputs: &["output"],
    visible: 1,
    options: OPTIONS,
    internal: false,
};

static BACKWARD_SCHEMA: Schema = Schema {
    name: "lrn_backward",
    auto_name: "lrn_backward",
    doc: "The gradient of `lrn`: with `s = knorm + alpha / size · Σ x²`, \
          `dx[c] = dy[c] · s[c]^−beta − 2·alpha·beta / size · x[c] · Σ dy[c'] · y[c'] / s[c']`.",
    inputs: &[
        Operand::data("x", "`[n, c, ..]`"),
        Operand::data("y", "the shape of `x`"),
        Operand::data("dy", "the shape of `x`"),
    ],
    outputs: &["output"],
    visible: 1,
    options: OPTIONS,
    internal: true,
};

impl Operator for Lrn {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let dtype = cx.float(0)?;
        let x = cx.shape(0);
        if x.rank() < 2 {
            let text = cx.show(&x);
            let mut e = cx.err(
                Code::OperandRank,
                At::Input(0),
                format!("needs a batch and channels, this is {text}"),
            );
            e.help = Some("inputs are [n, c], [n, c, h, w] and the like".to_string());
            return Err(e);
        }
        let size = cx.options().int("size");
        if size % 2 == 0 {
            let mut e = cx.err(
                Code::OptionBounds,
                At::Option("size"),
                format!("`size` must be odd, {size} has no middle"),
            );
            e.help = Some(format!("{} or {} would do", size - 1, size + 1));
            return Err(e);
        }
        cx.output(x, dtype)
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let (Some(dy), x, y) = (cx.dy(0), cx.x(0), cx.y(0)) else { return Ok(()) };
        let dx = cx.apply(&LrnBackward, cx.attrs().clone(), &[x, y, dy])[0];
        cx.add(0, dx);
        Ok(())
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::Lrn(attrs(cx)))
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![
            Sample::new(&[&[2, 7, 3, 2]]).with("alpha", 0.5),
            Sample::new(&[&[2, 4, 3]])
                .with("size", 3)
                .with("alpha", 0.5)
                .with("beta", 0.5)
                .with("knorm", 1.0),
            Sample::new(&[&[2, 3, 2, 2]]).with("size", 7).with("alpha", 2.0),
            Sample::new(&[&[3, 4]]).with("size", 1).with("alpha", 1.0),
        ]
    }
}

impl Operator for LrnBackward {
    fn schema(&self) -> &'static Schema {
        &BACKWARD_SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let dtype = cx.same_dtype()?;
        let x = cx.shape(0);
        cx.output(x, dtype)
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::LrnBackward(attrs(cx)))
    }

    fn samples(&self) -> Vec<Sample> {
        // `y` must be a result of the forward call, whose samples run it.
        Vec::new()
    }
}

fn attrs(cx: Lower<'_>) -> LrnAttrs {
    let options = cx.options();
    LrnAttrs {
        size: u32::try_from(options.int("size")).expect("checked by the schema"),
        alpha: options.float("alpha") as f32,
        beta: options.float("beta") as f32,
        knorm: options.float("knorm") as f32,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{infer, refused, table};

    #[test]
    fn shapes() {
        table("lrn", &[("N 96 27 27", "size=5 knorm=1", "[N, 96, 27, 27]"), ("N C", "", "[N, C]")]);
        refused(
            "lrn",
            &[
                ("N", "", "needs a batch and channels, this is [N]", "[n, c]"),
                ("N 8", "size=4", "`size` must be odd, 4 has no middle", "3 or 5"),
                ("N 8:i8", "", "needs floating-point numbers, this is i8", "cast"),
            ],
        );
        assert_eq!(infer("lrn", "N 8", "").expect("fits").backward(), (1, 1));
    }
}
