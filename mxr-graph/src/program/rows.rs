//! Programs from rows of plain constants, for generated code: a row of numbers and names costs the compiler a fraction
//! of a call of a constructor, and a large network has thousands of them.

use super::{ProgramLayer, ProgramValue, Role, Step};
use crate::dim::{Dim, Mono, Term};
use crate::dtype::DType;
use crate::instr::Instr;
use core::mem;

/// Name, element type, number of the shape, owner.
pub type ValueRow = (&'static str, DType, u16, Role);

/// Number of the instruction, how many operands and results, the layer; operands and results themselves stand one
/// after the other in a list of their own.
pub type StepRow = (u16, u16, u16, u16);

/// Name, operator, first result plus one (0 for none), number of the shape, how many parameters, how many operands, number of
/// the FLOPs; parameters and operands themselves stand one after the other in a list of their own.
pub type LayerRow = (&'static str, &'static str, u32, u16, u16, u16, u16);

/// The dimension of these terms, in normal form.
pub const fn dim(terms: &'static [Term]) -> Dim {
    match terms {
        [] => Dim::Const(0),
        [Term { mono: Mono([0, 0, 0, 0]), coef }] => Dim::Const(*coef),
        _ => Dim::terms_static(terms),
    }
}

/// Values from rows.
pub const fn values<const N: usize>(shapes: &[&'static [Dim]], rows: &[ValueRow; N]) -> [ProgramValue; N] {
    let mut all = [const { ProgramValue::new("", DType::F32, &[], Role::Internal) }; N];
    let mut i = 0;
    while i < N {
        let (name, dtype, shape, role) = rows[i];
        let value = ProgramValue::new(name, dtype, shapes[shape as usize], role);
        mem::forget(mem::replace(&mut all[i], value));
        i += 1;
    }
    all
}

/// Steps from rows and the numbers of the values that they read and write.
pub const fn steps<const N: usize>(
    instrs: &[Instr],
    mut operands: &'static [u32],
    rows: &[StepRow; N],
) -> [Step; N] {
    let mut all = [const { Step::new(Instr::View, &[], &[], 0) }; N];
    let mut i = 0;
    while i < N {
        let (instr, reads, writes, layer) = rows[i];
        let (these, rest) = operands.split_at(reads as usize);
        let (results, rest) = rest.split_at(writes as usize);
        operands = rest;
        let step = Step::new(instrs[instr as usize], these, results, layer as u32);
        mem::forget(mem::replace(&mut all[i], step));
        i += 1;
    }
    all
}

/// Layers from rows and the numbers of their parameters and operands.
pub const fn layers<const N: usize>(
    shapes: &[&'static [Dim]],
    flops: &[&'static [Term]],
    mut params: &'static [u32],
    rows: &[LayerRow; N],
) -> [ProgramLayer; N] {
    let mut all = [const { ProgramLayer::new("", "", None, &[], &[], &[], Dim::ZERO) }; N];
    let mut i = 0;
    while i < N {
        let (name, op, output, shape, count, reads, work) = rows[i];
        let (own, rest) = params.split_at(count as usize);
        let (operands, rest) = rest.split_at(reads as usize);
        params = rest;
        let output = if output == 0 { None } else { Some(output - 1) };
        let (shape, work) = (shapes[shape as usize], flops[work as usize]);
        let layer = ProgramLayer::new(name, op, output, shape, own, operands, dim(work));
        mem::forget(mem::replace(&mut all[i], layer));
        i += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::text;

    static SHAPES: &[&[Dim]] = &[&[], &[Dim::Const(2), Dim::terms_static(&[Term::linear(3, 0)])]];

    #[test]
    fn rows_become_what_constructors_make() {
        static VALUES: [ProgramValue; 2] =
            values(SHAPES, &[("a", DType::F32, 1, Role::Input), ("b", DType::I64, 0, Role::Internal)]);
        assert_eq!(VALUES[0], ProgramValue::new("a", DType::F32, SHAPES[1], Role::Input));
        assert_eq!(VALUES[1].name, text("b"));
        static STEPS: [Step; 2] =
            steps(&[Instr::View, Instr::Cast], &[0, 1, 1, 0, 2], &[(1, 1, 1, 7), (0, 2, 1, 8)]);
        assert_eq!(STEPS[0], Step::new(Instr::Cast, &[0], &[1], 7));
        assert_eq!(STEPS[1], Step::new(Instr::View, &[1, 0], &[2], 8));
        static LAYERS: [ProgramLayer; 2] = layers(
            SHAPES,
            &[&[], &[Term::constant(9)]],
            &[1, 4, 5, 0],
            &[("l", "op", 0, 0, 0, 1, 0), ("m", "op", 3, 1, 2, 1, 1)],
        );
        assert_eq!(LAYERS[0], ProgramLayer::new("l", "op", None, &[], &[], &[1], Dim::ZERO));
        assert_eq!(LAYERS[1], ProgramLayer::new("m", "op", Some(2), SHAPES[1], &[4, 5], &[0], Dim::Const(9)));
    }

    #[test]
    fn terms_are_in_normal_form() {
        assert_eq!(dim(&[]), Dim::ZERO);
        static FOUR: [Term; 1] = [Term::constant(4)];
        static LINEAR: [Term; 1] = [Term::linear(4, 1)];
        assert_eq!(dim(&FOUR), Dim::Const(4));
        assert_eq!(dim(&LINEAR), Dim::symbol(1).scale(4));
    }
}
