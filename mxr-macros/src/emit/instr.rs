//! Instructions as Rust expressions.

use mxr_graph::instr::{
    Axes, BatchNormAttrs, BinOp, ConvAttrs, CrossEntropyAttrs, Epilogue, Instr, LrnAttrs, PoolAttrs,
    PoolKind, ReduceKind, Reduction, Scalar, UnOp,
};

/// `Instr::Conv2d(ConvAttrs { … })`.
pub(super) fn instr(i: &Instr) -> String {
    let body = match i {
        Instr::View => "View".to_string(),
        Instr::Map(n) => format!("Map({n})"),
        Instr::Reduce(kind, axes) => format!("Reduce(ReduceKind::{}, {})", reduce(*kind), set(*axes)),
        Instr::MapReduce { expr, kind, axes } => {
            format!("MapReduce {{ expr: {expr}, kind: ReduceKind::{}, axes: {} }}", reduce(*kind), set(*axes))
        }
        Instr::Expand { axes, mean } => format!("Expand {{ axes: {}, mean: {mean} }}", set(*axes)),
        Instr::MatMul { trans_a, trans_b, epilogue: e } => {
            format!("MatMul {{ trans_a: {trans_a}, trans_b: {trans_b}, epilogue: {} }}", epilogue(e))
        }
        Instr::Conv2d(a, e) => format!("Conv2d({}, {})", conv(a), epilogue(e)),
        Instr::Conv2dBackwardData(a, e) => format!("Conv2dBackwardData({}, {})", conv(a), epilogue(e)),
        Instr::Conv2dBackwardWeight(a) => format!("Conv2dBackwardWeight({})", conv(a)),
        Instr::Pool2d(a) => format!("Pool2d({})", pool(a)),
        Instr::Pool2dBackward(a) => format!("Pool2dBackward({})", pool(a)),
        Instr::Pool2dPlaces(a) => format!("Pool2dPlaces({})", pool(a)),
        Instr::Pool2dPlacesBackward(a) => format!("Pool2dPlacesBackward({})", pool(a)),
        Instr::BatchNormTrain(a, e) => format!("BatchNormTrain({}, {})", batch_norm(a), epilogue(e)),
        Instr::BatchNormApply(a, e) => format!("BatchNormApply({}, {})", batch_norm(a), epilogue(e)),
        Instr::BatchNormInfer(a, e) => format!("BatchNormInfer({}, {})", batch_norm(a), epilogue(e)),
        Instr::BatchNormBackward(a, e) => format!("BatchNormBackward({}, {})", batch_norm(a), epilogue(e)),
        Instr::BatchNormInferBackward(a) => format!("BatchNormInferBackward({})", batch_norm(a)),
        Instr::Lrn(a) => format!("Lrn({})", lrn(a)),
        Instr::LrnBackward(a) => format!("LrnBackward({})", lrn(a)),
        Instr::Softmax { axis, log } => format!("Softmax {{ axis: {axis}, log: {log} }}"),
        Instr::SoftmaxBackward { axis, log } => format!("SoftmaxBackward {{ axis: {axis}, log: {log} }}"),
        Instr::CrossEntropy(a) => format!("CrossEntropy({})", cross_entropy(a)),
        Instr::CrossEntropyBackward(a) => format!("CrossEntropyBackward({})", cross_entropy(a)),
        Instr::ReluMask => "ReluMask".to_string(),
        Instr::Dropout { p, stream } => format!("Dropout {{ p: {}, stream: {stream} }}", float32(*p)),
        Instr::DropoutBackward { p } => format!("DropoutBackward {{ p: {} }}", float32(*p)),
        Instr::Transpose { perm } => format!("Transpose {{ perm: {perm:?} }}"),
        Instr::Concat { axis } => format!("Concat {{ axis: {axis} }}"),
        Instr::Slice { begin, step } => format!("Slice {{ begin: {begin:?}, step: {step:?} }}"),
        Instr::SliceBackward { begin, step } => {
            format!("SliceBackward {{ begin: {begin:?}, step: {step:?} }}")
        }
        Instr::Cast => "Cast".to_string(),
        Instr::Fill(x) => format!("Fill({})", float64(*x)),
        Instr::Extern(call) => format!("Extern({call})"),
        Instr::ExternBackward { call, wants, inputs, outputs } => {
            format!("ExternBackward {{ call: {call}, wants: {wants}, inputs: {inputs}, outputs: {outputs} }}")
        }
    };
    format!("Instr::{body}")
}

/// One line of a scalar expression.
pub(super) fn scalar(s: &Scalar) -> String {
    let body = match s {
        Scalar::In(n) => format!("In({n})"),
        Scalar::Const(x) => format!("Const({})", float64(*x)),
        Scalar::Un(op, a) => format!("Un(UnOp::{}, {a})", unary(*op)),
        Scalar::Bin(op, a, b) => format!("Bin(BinOp::{}, {a}, {b})", binary(*op)),
        Scalar::Select(c, a, b) => format!("Select({c}, {a}, {b})"),
    };
    format!("Scalar::{body}")
}

fn set(axes: Axes) -> String {
    format!("Axes({:#b})", axes.0)
}

fn conv(a: &ConvAttrs) -> String {
    let ConvAttrs { stride, pad, dilation, groups, x, y } = a;
    format!(
        "ConvAttrs {{ stride: {stride:?}, pad: {pad:?}, dilation: {dilation:?}, groups: {groups}, x: Layout::{x:?}, \
             y: Layout::{y:?} }}"
    )
}

fn pool(a: &PoolAttrs) -> String {
    let PoolAttrs { kind, kernel, stride, pad, count_pad, global } = a;
    let kind = match kind {
        PoolKind::Max => "Max",
        PoolKind::ReluMax => "ReluMax",
        PoolKind::Avg => "Avg",
    };
    format!(
        "PoolAttrs {{ kind: PoolKind::{kind}, kernel: {kernel:?}, stride: {stride:?}, pad: {pad:?}, count_pad: \
         {count_pad}, global: {global} }}"
    )
}

fn batch_norm(a: &BatchNormAttrs) -> String {
    let BatchNormAttrs { axis, eps, momentum, fix_gamma } = a;
    let (eps, momentum) = (float32(*eps), float32(*momentum));
    format!("BatchNormAttrs {{ axis: {axis}, eps: {eps}, momentum: {momentum}, fix_gamma: {fix_gamma} }}")
}

fn epilogue(e: &Epilogue) -> String {
    let Epilogue { residual, relu, mask } = e;
    format!("Epilogue {{ residual: {residual}, relu: {relu}, mask: {mask} }}")
}

fn lrn(a: &LrnAttrs) -> String {
    let LrnAttrs { size, alpha, beta, knorm } = a;
    let (alpha, beta, knorm) = (float32(*alpha), float32(*beta), float32(*knorm));
    format!("LrnAttrs {{ size: {size}, alpha: {alpha}, beta: {beta}, knorm: {knorm} }}")
}

fn cross_entropy(a: &CrossEntropyAttrs) -> String {
    let CrossEntropyAttrs { axis, ignore, smoothing, reduction } = a;
    let ignore = match ignore {
        Some(n) => format!("Some({n})"),
        None => "None".to_string(),
    };
    let reduction = match reduction {
        Reduction::Mean => "Mean",
        Reduction::Sum => "Sum",
        Reduction::None => "None",
    };
    let smoothing = float32(*smoothing);
    format!(
        "CrossEntropyAttrs {{ axis: {axis}, ignore: {ignore}, smoothing: {smoothing}, reduction: Reduction::{reduction} }}"
    )
}

fn reduce(kind: ReduceKind) -> &'static str {
    match kind {
        ReduceKind::Sum => "Sum",
        ReduceKind::Mean => "Mean",
        ReduceKind::Max => "Max",
        ReduceKind::Min => "Min",
    }
}

fn unary(op: UnOp) -> &'static str {
    match op {
        UnOp::Neg => "Neg",
        UnOp::Abs => "Abs",
        UnOp::Sign => "Sign",
        UnOp::Exp => "Exp",
        UnOp::Log => "Log",
        UnOp::Log1p => "Log1p",
        UnOp::Sqrt => "Sqrt",
        UnOp::Recip => "Recip",
        UnOp::Tanh => "Tanh",
        UnOp::Sigmoid => "Sigmoid",
        UnOp::Erf => "Erf",
        UnOp::Floor => "Floor",
    }
}

fn binary(op: BinOp) -> &'static str {
    match op {
        BinOp::Add => "Add",
        BinOp::Sub => "Sub",
        BinOp::Mul => "Mul",
        BinOp::Div => "Div",
        BinOp::Pow => "Pow",
        BinOp::Max => "Max",
        BinOp::Min => "Min",
        BinOp::Gt => "Gt",
        BinOp::Ge => "Ge",
        BinOp::Eq => "Eq",
    }
}

/// The shortest text that reads back as the same number.
pub(super) fn float64(x: f64) -> String {
    if x.is_finite() { format!("{x:?}") } else { format!("f64::from_bits({:#x})", x.to_bits()) }
}

fn float32(x: f32) -> String {
    if x.is_finite() { format!("{x:?}") } else { format!("f32::from_bits({:#x})", x.to_bits()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_as_they_were() {
        assert_eq!(float64(0.1), "0.1");
        assert_eq!(float64(-2.0), "-2.0");
        assert_eq!(float64(1e300), "1e300");
        assert_eq!(float32(f32::INFINITY), "f32::from_bits(0x7f800000)");
        assert_eq!(scalar(&Scalar::Const(1e-5)), "Scalar::Const(1e-5)");
    }
}
