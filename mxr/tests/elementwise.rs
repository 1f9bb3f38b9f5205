//! Fused operations have the bits of what they are made of: the passes are left out one after the other.

use mxr::graph::instr::Instr;
use mxr::graph::schema::Arg;
use mxr::{BindOptions, Executor, GradReq, Mode, NDArray, Result, Symbol};

/// Numbers between −2 and 2 without a pattern.
fn data(shape: &[usize], salt: usize) -> NDArray {
    let one = |i: usize| ((i + salt * 7919).wrapping_mul(2_654_435_761) >> 7 & 0xffff) as f32 / 16384.0 - 2.0;
    let all: Vec<f32> = (0..shape.iter().product()).map(one).collect();
    NDArray::from_slice(&all, shape).expect("as many as the shape has")
}

fn axes(list: &[i64]) -> (&'static str, Arg) {
    ("axes", Arg::List(list.iter().map(|a| Arg::Int(*a)).collect()))
}

fn reduced(op: &'static str, x: &Symbol, list: &[i64]) -> Result<Symbol> {
    Ok(Symbol::apply(op, &[x], &[axes(list), ("keepdims", Arg::Bool(true))], None)?.remove(0))
}

/// Bits of outputs and gradients, and how many steps reduce an expression.
fn run(net: &Symbol, inputs: &[(&str, &[usize])], passes: &str) -> Result<(Vec<Vec<u32>>, usize)> {
    let mut options = BindOptions::new().passes(passes);
    for (name, _) in inputs {
        options = options.input_grad(name, GradReq::Write);
    }
    let mut net: Executor = net.bind(inputs, options)?;
    for (salt, (name, shape)) in inputs.iter().enumerate() {
        net.set_input(name, &data(shape, salt + 1))?;
    }
    net.forward(Mode::Train)?;
    net.backward()?;
    let mut all: Vec<NDArray> = net.outputs().to_vec();
    for (name, _) in inputs {
        all.push(net.grad(*name)?.clone());
    }
    let bits =
        |a: &NDArray| -> Result<Vec<u32>> { Ok(a.to_vec::<f32>()?.into_iter().map(f32::to_bits).collect()) };
    let steps = net.program(Mode::Train).expect("trains").steps.iter();
    let fused = steps.filter(|s| matches!(s.instr, Instr::MapReduce { .. })).count();
    Ok((all.iter().map(bits).collect::<Result<_>>()?, fused))
}

fn check(what: &str, net: &Symbol, inputs: &[(&str, &[usize])], least: usize) -> Result<()> {
    let (want, none) = run(net, inputs, "-fuse,-reduce")?;
    let (apart, _) = run(net, inputs, "-reduce")?;
    let (fused, count) = run(net, inputs, "")?;
    assert_eq!(none, 0, "{what}");
    assert!(count >= least, "{what}: {count} reductions are fused");
    assert!(want == apart && want == fused, "{what}: other bits");
    Ok(())
}

#[test]
fn the_loss_of_a_regression() -> Result<()> {
    let (x, y) = (Symbol::input("x"), Symbol::input("y"));
    let loss = (&x - &y).square().mean();
    check("mean of squares", &loss, &[("x", &[300, 70]), ("y", &[300, 70])], 1)
}

#[test]
fn the_gradient_of_a_bias_behind_an_activation() -> Result<()> {
    let (x, b) = (Symbol::input("x"), Symbol::input("b"));
    for (rows, columns) in [(200, 40), (64, 1000), (3, 70_000)] {
        let y = (&x + &b).gelu().sum();
        check("a row under a matrix", &y, &[("x", &[rows, columns]), ("b", &[columns])], 1)?;
    }
    let y = (&x + &b).tanh().square().sum();
    check("channels of images", &y, &[("x", &[6, 5, 9, 9]), ("b", &[5, 1, 1])], 1)
}

#[test]
fn the_statistics_of_a_layer() -> Result<()> {
    let x = Symbol::input("x");
    let centred = &x - reduced("mean", &x, &[-1])?;
    let variance = reduced("mean", &centred.square(), &[-1])?;
    let y = &centred / (variance + 1e-5).sqrt();
    let top = reduced("max", &(&y * 0.5).exp(), &[0])?;
    check("layer normalisation", &top.sum(), &[("x", &[50, 96])], 2)
}

mxr::network!(
    fn Gated(x: Tensor<N, 37>, y: Tensor<N, 37>, d: Tensor<N, 37, f64>) {
        let gate = sigmoid(x * 0.7) * tanh(y) + gelu(x - y) / (1.0 + square(y));
        let doubles = mean(square(exp(d * 0.5) - 1.0) * d);
        (mean(square(gate - y)), doubles)
    }
);

/// A release build compiles functions of the larger expressions; every build has the interpreter.
#[test]
fn functions_have_the_bits_of_the_interpreter() -> Result<()> {
    let run = |options: BindOptions| -> Result<Vec<Vec<u64>>> {
        let mut net =
            Gated::bind_with(60, options.input_grad("x", GradReq::Write).input_grad("d", GradReq::Write))?;
        net.set_input("x", &data(&[60, 37], 1))?;
        net.set_input("y", &data(&[60, 37], 2))?;
        net.set_input("d", &data(&[60, 37], 3))?;
        net.forward(Mode::Train)?;
        net.backward()?;
        let arrays = [
            net.outputs()[0].clone(),
            net.outputs()[1].clone(),
            net.grad("x")?.clone(),
            net.grad("d")?.clone(),
        ];
        let bits = |a: &NDArray| {
            Ok(a.to_dtype(mxr::DType::F64)?.to_vec::<f64>()?.into_iter().map(f64::to_bits).collect())
        };
        arrays.iter().map(bits).collect()
    };
    assert_eq!(run(BindOptions::new())?, run(BindOptions::new().interpreted())?);
    assert_eq!(Gated::PROGRAMS.functions().is_empty(), cfg!(debug_assertions));
    Ok(())
}
