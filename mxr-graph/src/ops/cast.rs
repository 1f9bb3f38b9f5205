//! `cast`: another element type.

use super::{Lower, Lowered, Operator, Sample};
use crate::dtype::DType;
use crate::error::ShapeError;
use crate::grad::{Grad, NoGradient};
use crate::infer::Infer;
use crate::instr::Instr;
use crate::schema::{Arg, Default, OptionDef, OptionKind, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Cast;

static SCHEMA: Schema = Schema {
    options: &[OptionDef {
        name: "dtype",
        kind: OptionKind::Choice(&["f32", "f64", "f16", "bf16", "i8", "u8", "i32", "i64", "bool"]),
        default: Default::Required,
        positional: true,
        doc: "the new element type",
    }],
    ..Schema::unary(
        "cast",
        "Another element type, elementwise. Wider to narrower floats round to nearest even; floats to integers truncate and \
         saturate, NaN becomes 0; to `bool` everything but 0 becomes 1. The gradient is cast back; none passes \
         through an integer.",
    )
};

impl Operator for Cast {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let word = cx.options().word("dtype").expect("a required word");
        let shape = cx.shape(0);
        cx.output(shape, DType::from_name(word).expect("a word of the choice"))
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let Some(dy) = cx.dy(0) else { return Ok(()) };
        let x = cx.x(0);
        let dtype = cx.graph().value(x).dtype;
        let dx = cx.call(&Cast, &[("dtype", Arg::from(dtype.name()))], &[dy])[0];
        cx.add(0, dx);
        Ok(())
    }

    fn lower(&self, _: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::Cast)
    }

    fn samples(&self) -> Vec<Sample> {
        // The type of the suites' own operands keeps differences finite; the others are exercised by the kernels.
        alloc::vec![Sample::new(&[&[2, 3, 5]]).with("dtype", "f64"), Sample::new(&[&[]]).with("dtype", "f64")]
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{infer, refused, table};

    #[test]
    fn element_types() {
        table(
            "cast",
            &[
                ("N 3", "dtype=bf16", "bf16[N, 3]"),
                ("N:i64", "dtype=f32", "[N]"),
                ("4:f16", "dtype=bool", "bool[4]"),
            ],
        );
        let e = infer("cast", "4", "dtype=f63").map(|_| ()).expect_err("no such type");
        assert_eq!(e.help.as_deref(), Some("did you mean `f64`?"));
        refused("cast", &[("4", "", "needs `dtype`", "the new element type")]);
    }

    #[test]
    fn gradients_come_back_in_the_type_of_the_operand_and_stop_at_integers() {
        let mut call = infer("cast", "4:f16", "dtype=f32").expect("a float");
        assert_eq!(call.backward(), (1, 1));
        let mut call = infer("cast", "4", "dtype=i32").expect("an integer");
        assert_eq!(call.backward(), (0, 1));
    }
}
