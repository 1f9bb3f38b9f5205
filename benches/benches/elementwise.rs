//! Elementwise chains in four forms: each operation on its own, the fused chain by the tile interpreter, the fused chain as
//! the function that `network!` compiles of it, and reductions that evaluate what they combine. The bits are compared first.
//!
//! ```sh
//! cargo bench -p mxr-benches --bench elementwise
//! ```

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use mxr::{BindOptions, Executor, Mode, NDArray, Network, Result, Symbol};
use mxr_benches::numbers;
use std::time::Duration;

mxr::network!(
    #[predict]
    fn AddRelu(a: Tensor<N>, b: Tensor<N>) {
        relu(a + b)
    }

    #[predict]
    fn Blend(a: Tensor<N>, b: Tensor<N>) {
        a * 0.9 + b * 0.1
    }

    #[predict]
    fn GeluBackward(a: Tensor<N>, b: Tensor<N>) {
        b * (0.5 * (1.0 + erf(a * 0.7071067811865476)) + a * exp(square(a) * (-0.5)) * 0.3989)
    }

    #[predict]
    fn Adam(a: Tensor<N>, b: Tensor<N>, c: Tensor<N>) {
        let m = b * 0.9 + a * 0.1;
        let v = square(c) * 0.999 + square(a) * 0.001;
        m / (sqrt(v) + 0.00000001)
    }

    #[predict]
    fn LstmCell(a: Tensor<N>, b: Tensor<N>, c: Tensor<N>, d: Tensor<N>) {
        sigmoid(a) * b + sigmoid(c) * tanh(d)
    }

    #[predict]
    fn Squares(a: Tensor<N>, b: Tensor<N>) {
        mean(square(a - b))
    }

    #[predict]
    fn BiasGradient(a: Tensor<N, 64>, b: Tensor<N, 64>) {
        sum(b * (1.0 - square(tanh(a))), axes = 0)
    }
);

/// The same chains as symbols, which can be left unfused.
fn symbol(name: &str) -> Symbol {
    let [a, b, c, d] = ["a", "b", "c", "d"].map(Symbol::input);
    let number = Symbol::scalar;
    match name {
        "add, relu" => (&a + &b).relu(),
        "blend" => &a * 0.9 + &b * 0.1,
        "gelu backward" => {
            let phi = (number(1.0) + (&a * std::f64::consts::FRAC_1_SQRT_2).erf()) * 0.5;
            &b * (phi + &a * (a.square() * -0.5).exp() * 0.3989)
        }
        "adam" => {
            let m = &b * 0.9 + &a * 0.1;
            let v = c.square() * 0.999 + a.square() * 0.001;
            m / (v.sqrt() + 0.00000001)
        }
        "lstm cell" => a.sigmoid() * &b + c.sigmoid() * d.tanh(),
        "mean of squares" => (&a - &b).square().mean(),
        _ => {
            let rows = ("axes", mxr::graph::schema::Arg::Int(0));
            let slope = &b * (number(1.0) - a.tanh().square());
            Symbol::apply("sum", &[&slope], &[rows], None).expect("an operator").remove(0)
        }
    }
}

fn fill(net: &Executor) -> Result<()> {
    let names: Vec<String> = net.input_names().map(str::to_string).collect();
    for name in &names {
        // The forms list their inputs in orders of their own.
        let at = usize::from(name.as_bytes()[0] - b'a');
        let shape = net.input(name)?.shape().to_vec();
        let count = shape.iter().product::<usize>();
        let values = &numbers(count + at * 1000)[at * 1000..];
        net.set_input(name, &NDArray::from_slice(values, &shape)?)?;
    }
    Ok(())
}

fn chain<N: Network>(c: &mut Criterion, name: &str, inputs: usize, columns: Option<usize>) -> Result<()> {
    let mut group = c.benchmark_group(name);
    for size in [1 << 15, 1 << 20, 1 << 24] {
        let shape: Vec<usize> = columns.map_or(vec![size], |c| vec![size / c, c]);
        let shapes: Vec<(&str, &[usize])> =
            ["a", "b", "c", "d"].iter().take(inputs).map(|n| (*n, &shape[..])).collect();
        let mut apart = symbol(name).bind(&shapes, BindOptions::new().passes("-fuse,-reduce"))?;
        let mut fused = symbol(name).bind(&shapes, BindOptions::new().passes("-reduce"))?;
        let mut interpreted = N::bind_symbols(&[("N", shape[0])], BindOptions::new().interpreted())?;
        let mut function = N::bind_symbols(&[("N", shape[0])], BindOptions::new())?;
        let mut want: Option<Vec<f32>> = None;
        let reduces = columns.is_some() || name == "mean of squares";
        let mut all: Vec<(&str, &mut Executor)> = Vec::new();
        all.push(("unfused", &mut apart));
        if reduces {
            all.push(("map fused", &mut fused));
        }
        all.push(("interpreted", interpreted.executor_mut()));
        all.push(("function", function.executor_mut()));
        for (form, net) in all {
            fill(net)?;
            net.forward(Mode::Predict)?;
            let have = net.outputs()[0].to_vec::<f32>()?;
            let want = want.get_or_insert_with(|| have.clone());
            assert!(have.iter().zip(&*want).all(|(a, b)| a.to_bits() == b.to_bits()), "{name}: {form}");
            group.bench_function(BenchmarkId::new(form, size), |b| {
                b.iter(|| {
                    net.forward(Mode::Predict).expect("runs");
                    net.wait().expect("runs");
                });
            });
        }
    }
    group.finish();
    Ok(())
}

fn chains(c: &mut Criterion) {
    let mut all = || -> Result<()> {
        chain::<AddRelu>(c, "add, relu", 2, None)?;
        chain::<Blend>(c, "blend", 2, None)?;
        chain::<GeluBackward>(c, "gelu backward", 2, None)?;
        chain::<Adam>(c, "adam", 3, None)?;
        chain::<LstmCell>(c, "lstm cell", 4, None)?;
        chain::<Squares>(c, "mean of squares", 2, None)?;
        chain::<BiasGradient>(c, "bias gradient", 2, Some(64))
    };
    all().expect("networks of the bench run");
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300));
    targets = chains
}
criterion_main!(benches);
