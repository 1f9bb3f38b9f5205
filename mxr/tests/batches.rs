//! What networks are fed and return as types: the same numbers as by name, symbols and fixed batches, several inputs and results.

use mxr::init::Xavier;
use mxr::optimizer::{Sgd, Updater};
use mxr::tensor::{InputId, Sym, Tensor, shape};
use mxr::{BindOptions, Error, Executor, Mode, NDArray, Network};

mxr::network!(
    pub fn Digits(data: Tensor<N, 1, 8, 8>, label: Tensor<N, i64>) {
        let conv1 = relu(conv2d(data, 4, kernel = 3));
        softmax_cross_entropy(dense(flatten(conv1), 10), label)
    }

    pub fn Fixed(data: Tensor<16, 64>, target: Tensor<16, 2>) {
        mse_loss(dense(data, 2), target)
    }

    /// Two results besides a loss, one of them over a symbol of several letters, one over a computed extent.
    pub fn Several(
        left: Tensor<Rows, 3>,
        right: Tensor<Rows, 3>,
        weights: Tensor<Rows, f64>,
        label: Tensor<Rows, i64>,
    ) {
        let both = concat(left, right, axis = 0);
        let scores = dense(left * right, 5);
        (softmax_cross_entropy(scores, label), both, weights + 1.0)
    }

    #[predict]
    pub fn Large(data: Tensor<2_000_000>, more: Tensor<25088>) {
        (relu(data), relu(more))
    }

    #[predict]
    pub fn Many(
        a: Tensor<N>,
        b: Tensor<N>,
        c: Tensor<N>,
        d: Tensor<N>,
        e: Tensor<N>,
        f: Tensor<N>,
        g: Tensor<N>,
        h: Tensor<N>,
        i: Tensor<N>,
    ) {
        (a + b, b + c, c + d, d + e, e + f, f + g, g + h, h + i, i + a)
    }

    #[predict]
    pub fn Axes(data: Tensor<1, 2, 1, 2, 1, 2, N, 3>, r#type: Tensor<N, bool>) {
        (relu(data), cast(r#type, i32))
    }
);

fn random<S: mxr::tensor::Shape>(shape: &[usize]) -> Result<Tensor<f32, S>, Error> {
    Tensor::try_from(NDArray::random_normal(shape, 0.0, 1.0)?)
}

#[test]
fn a_typed_step_is_the_step_by_names() -> Result<(), Error> {
    let x: Tensor<f32, shape![N, 1, 8, 8]> = random(&[6, 1, 8, 8])?;
    let y = Tensor::<i64, shape![6]>::from_slice(&[0, 1, 2, 3, 4, 9])?;
    let (mut typed, mut named) = (Digits::bind(6)?, Digits::bind(6)?);
    for net in [&mut typed, &mut named] {
        net.init(&Xavier::default(), 1)?;
    }
    let mut updaters = (Updater::new(&typed, Sgd::new(0.5))?, Updater::new(&named, Sgd::new(0.5))?);
    for _ in 0..3 {
        let loss: Tensor<f32, shape![]> = typed.train((&x, &y))?;
        named.set_input("data", x.array())?;
        named.set_input("label", y.array())?;
        named.forward(Mode::Train)?;
        named.backward()?;
        assert_eq!(loss.item()?, named.outputs()[0].item::<f32>()?);
        updaters.0.update();
        updaters.1.update();
    }
    for ((name, a), (_, b)) in typed.params().zip(named.params()) {
        assert!(a.to_vec::<f32>()? == b.to_vec::<f32>()?, "{name}");
    }
    let typed: Tensor<f32, shape![N, 10]> = typed.predict(&x)?;
    named.forward(Mode::Predict)?;
    assert_eq!(typed.to_vec()?, named.outputs()[0].to_vec::<f32>()?);
    Ok(())
}

#[test]
fn a_number_fits_a_symbol_and_is_looked_at() -> Result<(), Error> {
    let mut net = Digits::bind(4)?;
    net.predict(Tensor::<f32, shape![4, 1, 8, 8]>::zeros()?)?;
    let error = net.predict(&Tensor::<f32, shape![5, 1, 8, 8]>::zeros()?).expect_err("it was bound with 4");
    assert!(error.to_string().contains("[5, 1, 8, 8]"), "{error}");
    let any: Tensor<f32, shape![B, 1, 8, 8]> = random(&[3, 1, 8, 8])?;
    assert!(net.set(Digits::data, &any).is_err());
    let id: InputId<i64, (Sym<'N'>,)> = Digits::label;
    assert_eq!((id.name(), format!("{id:?}")), ("label", "label".to_string()));
    Ok(())
}

#[test]
fn a_fixed_batch_is_part_of_the_type() -> Result<(), Error> {
    let mut net = Fixed::bind()?;
    let loss = net.train((&random::<shape![16, 64]>(&[16, 64])?, &Tensor::<f32, shape![16, 2]>::zeros()?))?;
    assert_eq!(loss.item()?, 0.0, "weights are zeros");
    let y: Tensor<f32, shape![16, 2]> = net.predict(&random::<shape![16, 64]>(&[16, 64])?)?;
    assert_eq!(y.shape(), [16, 2]);
    Ok(())
}

#[test]
fn several_inputs_and_results_are_tuples() -> Result<(), Error> {
    let mut net = Several::bind(2)?;
    let (a, b) = (random::<shape![2, 3]>(&[2, 3])?, random::<shape![_, 3]>(&[2, 3])?);
    let w = Tensor::<f64, shape![N]>::from_slice(&[1.5, 2.0])?;
    let (loss, both, weights) = net.train((&a, &b, &w, Tensor::<i64, shape![2]>::zeros()?))?;
    let (loss, both): (Tensor<f32, shape![]>, Tensor<f32, shape![_, 3]>) = (loss, both);
    let weights: Tensor<f64, shape![_]> = weights;
    assert!((loss.item()? - 5f32.ln()).abs() < 1e-6);
    assert_eq!(both.to_vec()?, [a.to_vec()?, b.to_vec()?].concat());
    assert_eq!(weights.to_vec()?, [2.5, 3.0]);
    let (probabilities, ..) = net.predict((&a, &b, &w))?;
    assert_eq!(probabilities.shape(), [2, 5]);
    Ok(())
}

#[test]
fn what_tuples_and_types_do_not_reach_is_looked_at() -> Result<(), Error> {
    let (large, more): (Tensor<f32, shape![_]>, _) = Large::bind()?.predict((
        Tensor::<f32, shape![N]>::from_slice(&[0.0; 2_000_000])?,
        Tensor::<f32, shape![25088]>::zeros()?,
    ))?;
    assert_eq!((large.shape(), more.shape()), (&[2_000_000][..], &[25_088][..]));

    let nine: Vec<NDArray> = (0..9).map(|_| NDArray::ones(&[2])).collect::<Result<_, _>>()?;
    let mut many = Many::bind(2)?;
    assert_eq!(many.predict(&nine[..])?.len(), 9);
    let missing = many.predict(&nine[..8]).expect_err("eight of nine").to_string();
    assert!(missing.contains("there is no array for input"), "{missing}");
    assert!(many.predict(&[nine, vec![NDArray::ones(&[2])?]].concat()[..]).is_err());

    let mut axes = Axes::bind(5)?;
    let x = random::<shape![1, 2, 1, 2, 1, 2, N, 3]>(&[1, 2, 1, 2, 1, 2, 5, 3])?;
    let (same, flags) = axes.predict((&x, Tensor::<bool, shape![5]>::from_slice(&[true; 5])?))?;
    assert_eq!((same.shape(), flags.to_vec()?), (x.shape(), vec![1i32; 5]));
    assert_eq!(Axes::r#type.name(), "type");
    Ok(())
}

#[test]
fn misuse_is_told() -> Result<(), Error> {
    let x: Tensor<f32, shape![N, 1, 8, 8]> = random(&[2, 1, 8, 8])?;
    let mut part = Digits::bind_with(2, BindOptions::new().outputs([Digits::conv1]))?;
    let error = part.predict(&x).expect_err("its result is another one");
    assert!(error.to_string().contains("[2, 4, 6, 6]"), "{error}");
    let error = part.train((&x, &Tensor::<i64, shape![2]>::zeros()?)).expect_err("it is not bound to train");
    assert!(error.to_string().contains("label") || error.to_string().contains("prediction"), "{error}");
    // Code that is generic over networks.
    fn outputs<N: Network>(mut net: N) -> Executor {
        assert!(net.executor_mut().backward().is_err());
        Executor::bind(N::PROGRAMS, &[("N", 1)], BindOptions::new()).expect("binds")
    }
    assert_eq!(outputs(part).name(), "Digits");
    Ok(())
}
