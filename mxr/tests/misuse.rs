//! Mistakes that a training run must survive: each is an error that says what to do, and what follows works.

use mxr::init::Xavier;
use mxr::io::HostArray;
use mxr::io::iter::ArrayIter;
use mxr::optimizer::{Sgd, Updater};
use mxr::train::Fit;
use mxr::{BindOptions, DType, Executor, GradReq, Mode, NDArray, Symbol, opts};

fn classifier(options: BindOptions) -> Executor {
    let (data, label) = (Symbol::input("data"), Symbol::input("label").dtype(DType::I64));
    let loss = data.dense_with(3, opts::Dense::new().name("fc")).softmax_cross_entropy(&label);
    let mut net = loss.bind(&[("data", &[4, 2]), ("label", &[4])], options).expect("the shapes fit");
    net.init(&Xavier::default(), 0).expect("initialised");
    net
}

fn batches(labels: HostArray) -> ArrayIter {
    let data = HostArray::from_vec((0..16).map(|i| i as f32 / 16.0).collect(), &[8, 2]).expect("8 rows");
    ArrayIter::new(data, labels, 4).expect("two batches")
}

fn labels(values: [i64; 8]) -> HostArray {
    HostArray::from_vec(values.to_vec(), &[8]).expect("8 labels")
}

#[test]
fn a_wrong_label_ends_one_training_and_not_the_next() {
    let mut net = classifier(BindOptions::new());
    let text = Fit::new(Sgd::new(0.1))
        .progress(false)
        .run(&mut net, &mut batches(labels([0, 1, 2, 0, 1, 7, 0, 1])))
        .expect_err("there are three classes")
        .to_string();
    assert!(text.contains("label 7"), "{text}");
    let history =
        Fit::new(Sgd::new(0.1)).progress(false).run(&mut net, &mut batches(labels([0, 1, 2, 0, 1, 2, 0, 1])));
    assert_eq!(history.expect("good labels").len(), 1);
}

#[test]
fn labels_that_are_no_integers_are_refused() {
    let mut net = classifier(BindOptions::new());
    let floats = |v: [f32; 8]| HostArray::from_vec(v.to_vec(), &[8]).expect("8 labels");
    let fit = || Fit::new(Sgd::new(0.1)).progress(false);
    let text = fit().run(&mut net, &mut batches(floats([0.0, 2.9, 1.0, 0.0, 1.0, 2.0, 0.0, 1.0])));
    assert!(text.expect_err("2.9 is no label").to_string().contains("element 1 is 2.9"));
    fit()
        .run(&mut net, &mut batches(floats([0.0, 2.0, 1.0, 0.0, 1.0, 2.0, 0.0, 1.0])))
        .expect("whole numbers");
}

#[test]
fn gradients_that_nobody_resets_are_refused() {
    let mut net = classifier(BindOptions::new().grads(GradReq::Add));
    let e = Fit::new(Sgd::new(0.1)).progress(false).run(&mut net, &mut batches(labels([0; 8])));
    assert!(e.expect_err("sums without end").to_string().contains("zero_grads"));
}

#[test]
fn nothing_to_train_is_an_error() {
    let net = classifier(BindOptions::new().grads(GradReq::Null));
    let e = Updater::new(&net, Sgd::new(0.1)).err().expect("no gradient at all");
    assert!(e.to_string().contains("nothing to update"), "{e}");
}

#[test]
fn a_network_without_a_step_gives_its_input() {
    let mut net = Symbol::input("x").bind(&[("x", &[2, 3])], BindOptions::new()).expect("the identity");
    let x = NDArray::arange(6).and_then(|a| a.reshape([2, 3])).expect("2 rows of 3");
    net.set_input("x", &x).expect("the input");
    net.forward(Mode::Predict).expect("a pass");
    assert_eq!(net.outputs()[0].to_vec::<f32>().expect("read"), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
}

#[test]
fn errors_of_operations_name_the_line_of_the_caller() {
    let here = || NDArray::from_slice(&[0.0f32, 1.0, 2.0, 3.0], &[2, 2]).expect("fits");
    let bad = NDArray::from_slice(&[0i64, 9], &[2]).expect("fits");
    let line = line!() + 1;
    let loss = here().softmax_cross_entropy(&bad).expect("the shapes fit");
    let text = loss.item::<f32>().expect_err("9 is no class").to_string();
    assert!(text.contains("label 9") && text.contains(&format!("misuse.rs:{line}")), "{text}");

    let line = line!() + 1;
    let mut net = classifier(BindOptions::new());
    net.set_input("label", &NDArray::from_slice(&[5i64; 4], &[4]).expect("fits")).expect("four labels");
    net.forward(Mode::Train).expect("pushed");
    let text = net.outputs()[0].wait().expect_err("5 is no class").to_string();
    assert!(text.contains("softmax_cross_entropy0") || text.contains("layer `"), "line {line}: {text}");
    assert!(text.contains("misuse.rs"), "{text}");
}
