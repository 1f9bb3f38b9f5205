//! Elementwise expressions one element at a time.

use mxr_graph::instr::{BinOp, Scalar, UnOp};

use crate::level::Separate;
use crate::map::MapElement;

/// `y = expr(inputs)`, every input broadcast to `out_shape`; shapes must be those that `Plan::new` accepts.
pub fn map<T: MapElement>(expr: &[Scalar], inputs: &[(&[T], &[usize])], out_shape: &[usize], y: &mut [T]) {
    type L = Separate;
    let mut lines = vec![T::ZERO; expr.len()];
    for (at, y) in y.iter_mut().enumerate() {
        for (i, line) in expr.iter().enumerate() {
            let v = |n: u16| lines[usize::from(n)];
            lines[i] = match *line {
                Scalar::In(n) => {
                    let (data, shape) = inputs[usize::from(n)];
                    data[offset(at, shape, out_shape)]
                }
                Scalar::Const(c) => T::from_f64(c),
                Scalar::Un(op, a) => {
                    let a = v(a);
                    match op {
                        UnOp::Neg => T::neg::<L>(a),
                        UnOp::Abs => T::abs::<L>(a),
                        UnOp::Sign => T::sign::<L>(a),
                        UnOp::Exp => T::exp::<L>(a),
                        UnOp::Log => T::log::<L>(a),
                        UnOp::Log1p => T::log1p::<L>(a),
                        UnOp::Sqrt => T::sqrt::<L>(a),
                        UnOp::Recip => T::recip::<L>(a),
                        UnOp::Tanh => T::tanh::<L>(a),
                        UnOp::Sigmoid => T::sigmoid::<L>(a),
                        UnOp::Erf => T::erf::<L>(a),
                        UnOp::Floor => T::floor::<L>(a),
                    }
                }
                Scalar::Bin(op, a, b) => {
                    let (a, b) = (v(a), v(b));
                    match op {
                        BinOp::Add => T::add::<L>(a, b),
                        BinOp::Sub => T::sub::<L>(a, b),
                        BinOp::Mul => T::mul::<L>(a, b),
                        BinOp::Div => T::div::<L>(a, b),
                        BinOp::Pow => T::pow::<L>(a, b),
                        BinOp::Max => T::max::<L>(a, b),
                        BinOp::Min => T::min::<L>(a, b),
                        BinOp::Gt => T::above::<L>(a, b),
                        BinOp::Ge => T::not_below::<L>(a, b),
                        BinOp::Eq => T::equal::<L>(a, b),
                    }
                }
                Scalar::Select(c, a, b) => {
                    if v(c) != T::ZERO {
                        v(a)
                    } else {
                        v(b)
                    }
                }
            };
        }
        *y = lines[expr.len() - 1];
    }
}

/// Where the element that broadcasts to place `at` of the output lies.
fn offset(at: usize, shape: &[usize], out: &[usize]) -> usize {
    let (mut rest, mut offset, mut step) = (at, 0, 1);
    for (d, &extent) in out.iter().enumerate().rev() {
        let i = rest % extent;
        rest /= extent;
        if let Some(own) = (d + shape.len()).checked_sub(out.len()).map(|d| shape[d]) {
            offset += if own == 1 { 0 } else { i * step };
            step *= own;
        }
    }
    offset
}
