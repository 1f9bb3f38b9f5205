//! Elementwise expressions as Rust functions, which rustc makes one vectorised loop each.

use super::instr::{float64, scalar};
use mxr_graph::dtype::DType;
use mxr_graph::instr::{BinOp, Scalar, UnOp};
use mxr_graph::program::Program;
use std::fmt::Write;

/// Expressions with fewer operations are left to the interpreter: between one or two loops over a tile in the first-level
/// cache and one there is next to no difference, and every function is compiled for three instruction sets.
const LEAST: usize = 3;

/// The text of the constant `FUNCTIONS`: one function for each expression of the programs, whatever its number. Builds
/// without optimisation have none, the interpreter is quicker there.
pub(super) fn functions(programs: &[&Program]) -> String {
    let mut list: Vec<(&[Scalar], DType)> = Vec::new();
    for p in programs {
        for step in p.steps.iter() {
            let Some(number) = step.instr.expr() else { continue };
            let (expr, dtype) = (&*p.exprs[number as usize], p.values[step.writes[0] as usize].dtype);
            let known = list.iter().any(|(e, d)| *d == dtype && *e == expr);
            if !known && matches!(dtype, DType::F32 | DType::F64) && operations(expr) >= LEAST {
                list.push((expr, dtype));
            }
        }
    }
    if list.is_empty() {
        return "const FUNCTIONS: &[Compiled] = &[]; ".to_string();
    }
    let mut text = String::from(
        "#[cfg(debug_assertions)] const FUNCTIONS: &[Compiled] = &[]; \
         #[cfg(not(debug_assertions))] const FUNCTIONS: &[Compiled] = { use formula::*; ",
    );
    for (n, (expr, dtype)) in list.iter().enumerate() {
        let (ty, inputs) = (dtype.name(), inputs(expr));
        let _ = write!(
            text,
            "struct E{n}; impl Formula<{ty}, {inputs}> for E{n} {{ #[inline(always)] fn at<L: Level>(x: [{ty}; {inputs}]) -> \
             {ty} {{ {} }} }} ",
            body(expr, ty)
        );
    }
    text.push_str("&[");
    for (n, (expr, dtype)) in list.iter().enumerate() {
        let lines: Vec<String> = expr.iter().map(scalar).collect();
        let (ty, inputs) = (dtype.name(), inputs(expr));
        let _ = write!(text, "Compiled::new(&[{}], Function::{ty}::<E{n}, {inputs}>()), ", lines.join(", "));
    }
    text.push_str("] }; ");
    text
}

fn operations(expr: &[Scalar]) -> usize {
    expr.iter().filter(|l| !matches!(l, Scalar::In(_) | Scalar::Const(_))).count()
}

fn inputs(expr: &[Scalar]) -> usize {
    let input = |l: &Scalar| if let Scalar::In(n) = l { usize::from(*n) + 1 } else { 0 };
    expr.iter().map(input).max().unwrap_or(0)
}

/// One binding per line; the last is the value.
fn body(expr: &[Scalar], ty: &str) -> String {
    let mut text = String::new();
    for (at, line) in expr.iter().enumerate() {
        let value = match *line {
            Scalar::In(n) => format!("x[{n}]"),
            Scalar::Const(x) => format!("constant::<{ty}>({})", float64(x)),
            Scalar::Un(op, a) => format!("Ops::{}::<L>(l{a})", unary(op)),
            Scalar::Bin(op, a, b) => format!("Ops::{}::<L>(l{a}, l{b})", binary(op)),
            Scalar::Select(c, a, b) => format!("select(l{c}, l{a}, l{b})"),
        };
        let _ = write!(text, "let l{at} = {value}; ");
    }
    let _ = write!(text, "l{}", expr.len() - 1);
    text
}

fn unary(op: UnOp) -> &'static str {
    match op {
        UnOp::Neg => "neg",
        UnOp::Abs => "abs",
        UnOp::Sign => "sign",
        UnOp::Exp => "exp",
        UnOp::Log => "log",
        UnOp::Log1p => "log1p",
        UnOp::Sqrt => "sqrt",
        UnOp::Recip => "recip",
        UnOp::Tanh => "tanh",
        UnOp::Sigmoid => "sigmoid",
        UnOp::Erf => "erf",
        UnOp::Floor => "floor",
    }
}

fn binary(op: BinOp) -> &'static str {
    match op {
        BinOp::Add => "add",
        BinOp::Sub => "sub",
        BinOp::Mul => "mul",
        BinOp::Div => "div",
        BinOp::Pow => "pow",
        BinOp::Max => "max",
        BinOp::Min => "min",
        BinOp::Gt => "above",
        BinOp::Ge => "not_below",
        BinOp::Eq => "equal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_bindings() {
        let expr = [
            Scalar::In(1),
            Scalar::Const(0.5),
            Scalar::Bin(BinOp::Ge, 0, 1),
            Scalar::Un(UnOp::Exp, 0),
            Scalar::Select(2, 3, 1),
        ];
        assert_eq!(
            body(&expr, "f32"),
            "let l0 = x[1]; let l1 = constant::<f32>(0.5); let l2 = Ops::not_below::<L>(l0, l1); let l3 = Ops::exp::<L>(l0); \
             let l4 = select(l2, l3, l1); l4"
        );
        assert_eq!((operations(&expr), inputs(&expr)), (3, 2));
    }
}
