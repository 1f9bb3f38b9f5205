//! What the user keeps is memory of its own, also where the network only passes it on.

use mxr::{BindOptions, Executor, Mode, NDArray, Symbol};

fn run(naive: bool) -> Vec<Vec<f32>> {
    let x = Symbol::input("x").shape([2.into(), 3.into()]);
    let w = Symbol::param("w").shape([2.into(), 3.into()]);
    let sum = &x + &w;
    let flat = sum.clone().reshape([6]);
    let programs = Symbol::compile_group("net", &[x, sum.clone(), sum, flat]).expect("fits");
    let options = BindOptions::new().input_grad("x", mxr::GradReq::Write);
    let options = if naive { options.naive_memory() } else { options };
    let mut net = Executor::bind_shared(programs, &[], options).expect("binds");
    let data = NDArray::from_slice(&[1f32, 2., 3., 4., 5., 6.], &[2, 3]).expect("fits");
    net.set_input("x", &data).expect("an input");
    net.param("w").expect("a parameter").assign(&(&data * 10.0)).expect("fits");
    net.forward(Mode::Train).expect("can train");
    net.backward().expect("follows a training pass");
    let vec = |a: &NDArray| a.to_vec::<f32>().expect("f32");
    let mut all: Vec<Vec<f32>> = net.outputs().iter().map(vec).collect();
    all.extend(["w", "x"].map(|n| vec(net.grad(n).expect("a gradient"))));
    net.forward(Mode::Predict).expect("can predict");
    all.extend(net.outputs().iter().map(vec));
    all
}

#[test]
fn inputs_and_views_can_be_returned() {
    let x = vec![1f32, 2., 3., 4., 5., 6.];
    let sum: Vec<f32> = x.iter().map(|x| x * 11.0).collect();
    // Four outputs: x gets a head gradient of its own and one through each of the other three.
    let (dw, dx) = (vec![3f32; 6], vec![4f32; 6]);
    let outputs = [x, sum.clone(), sum.clone(), sum];
    let want: Vec<Vec<f32>> =
        outputs.iter().cloned().chain([dw, dx]).chain(outputs.iter().cloned()).collect();
    assert_eq!(run(true), want);
    assert_eq!(run(false), want);
}
