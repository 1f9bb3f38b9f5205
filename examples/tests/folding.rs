//! The zoo's normalised networks, whose predictions have normalisations in the weights, against the same networks compiled
//! without that.

use mxr::{BindOptions, Executor, Mode, NDArray, Symbol};
use mxr_examples::zoo::{self, symbols};

/// Numbers between −1 and 1, others in each array.
fn noise(n: usize, seed: u64) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..n).map(|_| random.f32() * 2.0 - 1.0).collect()
}

/// Weights and statistics that keep the size of what goes through the layers, and a picture.
fn fill(net: &Executor) {
    for (at, (name, a)) in net.params().chain(net.states()).enumerate() {
        let inner: usize = a.shape()[1..].iter().product();
        let number = |x: &f32| match name {
            _ if name.ends_with("gamma") => 0.8 + 0.3 * x,
            _ if name.ends_with("moving_var") => 1.0 + 0.6 * x,
            _ if name.ends_with("weight") => x * (6.0 / inner as f32).sqrt(),
            _ => 0.2 * x,
        };
        let numbers: Vec<f32> = noise(a.len(), at as u64).iter().map(number).collect();
        a.copy_from_slice(&numbers).expect("as many as there are");
    }
    let data = net.input("data").expect("they have pictures");
    data.copy_from_slice(&noise(data.len(), 99)).expect("as many as there are");
}

fn predict(net: &mut Executor) -> Vec<f32> {
    net.forward(Mode::Predict).expect("always");
    net.outputs()[0].to_vec().expect("computed")
}

fn norm(x: impl Iterator<Item = f32>) -> f64 {
    x.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt()
}

fn agrees(name: &str, symbol: &Symbol) {
    let programs = zoo::find(name).expect("a network of the zoo").programs;
    let mut folded = Executor::bind(programs, &[("N", 1)], BindOptions::new()).expect("any batch fits");
    let shapes: [(&str, &[usize]); 1] = [("data", &[1, 3, 224, 224])];
    let mut plain = symbol.bind(&shapes, BindOptions::new().passes("-fold_norm")).expect("fits");
    fill(&folded);
    fill(&plain);
    let shapes = |net: &Executor| -> Vec<Vec<usize>> {
        net.params().chain(net.states()).map(|(_, a): (_, &NDArray)| a.shape().to_vec()).collect()
    };
    assert_eq!(shapes(&folded), shapes(&plain), "{name}: the same weights in the same order");
    let norms = |net: &Executor| {
        let steps = &net.program(Mode::Predict).expect("always").steps;
        steps.iter().filter(|s| format!("{:?}", s.instr).starts_with("BatchNorm")).count()
    };
    assert!(norms(&folded) == 0 && norms(&plain) > 50, "{name}");
    let (have, want) = (predict(&mut folded), predict(&mut plain));
    let far = norm(have.iter().zip(&want).map(|(a, b)| a - b)) / norm(want.iter().copied());
    println!("{name}: {far:.1e} of the norm");
    assert!(far <= 1e-5, "{name}: {far:e}");
    // What convolutions read in another form is kept in that form alone.
    let memory = folded.memory();
    assert!(memory.prepared > memory.parameters / 2, "{name}: {memory:?}");
    assert!(memory.kept < memory.parameters / 8, "{name}: {memory:?}");
}

#[test]
fn resnet50_predicts_as_with_normalisations() {
    agrees("resnet50", &symbols::resnet50());
}

#[test]
fn inception_bn_predicts_as_with_normalisations() {
    agrees("inception_bn_bench", &symbols::inception_bn());
}
