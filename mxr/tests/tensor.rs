//! Typed tensors: rules of shapes beside what the arrays say, conversions, errors.

use mxr::tensor::{D, K, Kernel, Pad, Shape, Stride, Sym, Tensor, shape};
use mxr::{Error, NDArray};

fn random<S: Shape>(shape: &[usize]) -> Result<Tensor<f32, S>, Error> {
    Tensor::try_from(NDArray::random_normal(shape, 0.0, 1.0)?)
}

/// The array has the shape that its type says.
fn is<S: Shape>(t: &Tensor<f32, S>, shape: &[usize]) {
    assert_eq!(t.shape(), shape);
    let fits = S::EXTENTS.iter().zip(shape).all(|(e, s)| e.is_none_or(|e| e == *s));
    assert!(fits && S::EXTENTS.len() == shape.len(), "{:?} for {shape:?}", S::EXTENTS);
}

#[test]
fn shapes_are_tuples_of_numbers_and_symbols() {
    fn same<S>(_: Option<S>, _: Option<S>) {}
    same(None::<shape![]>, None::<()>);
    same(None::<shape![N, 1024]>, None::<(Sym<'N'>, D<1024>)>);
    same(None::<shape![1025, 25_088]>, None::<(K<D<1>, D<25>>, K<D<25>, D<88>>)>);
    assert_eq!(<shape![N, 3, 1_024_999]>::EXTENTS, [None, Some(3), Some(1_024_999)]);
}

#[test]
fn a_network_is_written_with_types_alone() -> Result<(), Error> {
    let x: Tensor<f32, shape![N, 3, 224, 224]> = random(&[2, 3, 224, 224])?;
    let stem: Tensor<f32, shape![64, 3, 7, 7]> = random(&[64, 3, 7, 7])?;
    let maps = x.conv2d(&stem, Stride::<2>, Pad::<3>)?.relu()?;
    is::<shape![N, 64, 112, 112]>(&maps, &[2, 64, 112, 112]);
    let pooled: Tensor<f32, shape![N, 64, 56, 56]> = maps.max_pool(Kernel::<3>, Stride::<2>, Pad::<1>)?;
    let means: Tensor<f32, shape![N, 64, 8, 8]> = pooled.avg_pool(Kernel::<7>, Stride::<7>, Pad::<0>)?;
    let rows: Tensor<f32, shape![N, 4096]> = means.flatten()?;
    let weight: Tensor<f32, shape![10, 4096]> = random(&[10, 4096])?;
    let logits: Tensor<f32, shape![N, 10]> = rows.dense(&weight, &Tensor::zeros()?)?;
    // The same with arrays.
    let alone = x.array().clone();
    let options = [
        ("kernel", mxr::graph::schema::Arg::Int(7)),
        ("stride", mxr::graph::schema::Arg::Int(2)),
        ("pad", mxr::graph::schema::Arg::Int(3)),
        ("bias", mxr::graph::schema::Arg::Bool(false)),
    ];
    let maps = NDArray::apply("conv2d", &[&alone, stem.array()], &options)?[0].relu()?;
    let pooled = maps.max_pool_with(3, mxr::opts::MaxPool::new().stride(2).pad(1))?;
    let means = pooled.avg_pool_with(7, mxr::opts::AvgPool::new().stride(7))?.flatten()?;
    let same = means.matmul(&weight.transpose()?.into_array())?;
    for (a, b) in logits.to_vec()?.iter().zip(same.to_vec::<f32>()?) {
        assert!((a - b).abs() <= 1e-4 * b.abs().max(1.0), "{a} and {b}");
    }
    is(&logits.softmax()?, &[2, 10]);
    let sum = logits.softmax()?.sum()?.array().item::<f32>()?;
    assert!((sum - 2.0).abs() < 1e-5, "{sum}");
    Ok(())
}

#[test]
fn extents_are_computed_across_thousands() -> Result<(), Error> {
    let a: Tensor<f32, shape![1, 512, 7, 7]> = Tensor::zeros()?;
    let flat: Tensor<f32, shape![1, 25088]> = a.flatten()?;
    let both: Tensor<f32, shape![1, 50176]> = flat.concat(&flat)?;
    is(&both, &[1, 50_176]);
    let joined: Tensor<f32, shape![1, 1024, 7, 7]> = a.concat(&a)?;
    let more: Tensor<f32, shape![1, 1536, 7, 7]> = joined.concat(&a)?;
    is(&more, &[1, 1536, 7, 7]);
    let wide: Tensor<f32, shape![1, 1, 2000, 3]> = Tensor::zeros()?;
    let pooled: Tensor<f32, shape![1, 1, 999, 1]> = wide.max_pool(Kernel::<3>, Stride::<2>, Pad::<0>)?;
    is(&pooled, &[1, 1, 999, 1]);
    is(&more.global_avg_pool()?, &[1, 1536]);
    let ones: Tensor<f32, shape![1, 1, 2, 2]> = Tensor::from_slice(&[1.0; 4])?;
    let means: Tensor<f32, shape![1, 1, 3, 3]> = ones.avg_pool(Kernel::<2>, Stride::<1>, Pad::<1>)?;
    assert_eq!(means.to_vec()?, [1.0; 9], "the padding does not count");
    Ok(())
}

#[test]
fn shapes_broadcast_as_arrays_do() -> Result<(), Error> {
    let x: Tensor<f32, shape![N, 3, 4]> = random(&[2, 3, 4])?;
    let row: Tensor<f32, shape![4]> = random(&[4])?;
    let column: Tensor<f32, shape![3, 1]> = random(&[3, 1])?;
    let scalar: Tensor<f32, shape![]> = random(&[])?;
    let y: Tensor<f32, shape![N, 3, 4]> = &(&(&x + &row) * &column) - &scalar;
    let z: Tensor<f32, shape![3, 4]> = &column / &row;
    let w: Tensor<f32, shape![N, 3, 4]> = &column + &x;
    is(&y, &[2, 3, 4]);
    is(&z, &[3, 4]);
    let (a, b, c, d) = (x.to_vec()?, row.to_vec()?, column.to_vec()?, scalar.to_vec()?[0]);
    for (i, y) in y.to_vec()?.iter().enumerate() {
        let (j, k) = (i / 4 % 3, i % 4);
        assert_eq!(*y, (a[i] + b[k]) * c[j] - d);
        assert_eq!(z.to_vec()?[i % 12], c[j] / b[k]);
        assert_eq!(w.to_vec()?[i], c[j] + a[i]);
    }
    assert_eq!((&x * 2.0).to_vec()?, (&x + &x).to_vec()?);
    let wide: Tensor<f32, shape![N, 2048]> = random(&[2, 2048])?;
    let one: Tensor<f32, shape![1]> = random(&[1])?;
    is(&(&wide * &one), &[2, 2048]);
    is(&(&one * &wide), &[2, 2048]);
    Ok(())
}

#[test]
fn conversions_look_once() -> Result<(), Error> {
    let array = NDArray::ones(&[4, 3])?;
    let t = Tensor::<f32, shape![N, 3]>::try_from(array.clone())?;
    assert!(t.array().shares_memory_with(&array));
    let says = |e: Error| e.to_string();
    let e = says(Tensor::<f32, shape![N, 5]>::try_from(array.clone()).expect_err("another extent"));
    assert!(e.contains("[4, 3]") && e.contains("[_, 5]"), "{e}");
    let e = says(Tensor::<f32, shape![3]>::try_from(array.clone()).expect_err("another rank"));
    assert!(e.contains("[4, 3]") && e.contains("[3]"), "{e}");
    let e = says(Tensor::<i64, shape![N, 3]>::try_from(array).expect_err("another type"));
    assert!(e.contains("f32") && e.contains("i64"), "{e}");
    let faulty = &NDArray::ones(&[2])? + &NDArray::ones(&[3])?;
    assert!(Tensor::<f32, shape![N]>::try_from(faulty).is_err());
    let e = says(Tensor::<f32, shape![N, 3]>::from_slice(&[1.0; 4]).expect_err("no multiple"));
    assert!(e.contains("multiple of 3"), "{e}");
    let e = says(Tensor::<f32, shape![N, M]>::from_slice(&[1.0; 4]).expect_err("two symbols"));
    assert!(e.contains("more than one"), "{e}");
    let e = says(Tensor::<f32, shape![N, 0]>::from_slice(&[]).expect_err("any N"));
    assert!(e.contains("elements"), "{e}");
    assert_eq!(Tensor::<i64, shape![N]>::from_slice(&[1, 2])?.to_vec()?, [1, 2]);
    Ok(())
}

#[test]
fn symbols_that_do_not_agree_are_errors_of_the_operator() -> Result<(), Error> {
    let (a, b) = (random::<shape![N, 2]>(&[3, 2])?, random::<shape![N, 2]>(&[4, 2])?);
    assert!((&a + &b).to_vec().is_err());
    let (one, two) =
        (random::<shape![K, 3, 3, 3]>(&[2, 3, 3, 3])?, random::<shape![K, 3, 3, 3]>(&[4, 3, 3, 3])?);
    let x: Tensor<f32, shape![1, 3, 5, 5]> = Tensor::zeros()?;
    assert!(x.conv2d(&(&one + &two), Stride::<1>, Pad::<1>).is_err(), "the fault of the sum");
    let e = a.transpose()?.matmul(&b).expect_err("3 and 4").to_string();
    assert!(e.contains('3') && e.contains('4'), "{e}");
    Ok(())
}

#[test]
fn five_and_six_axes_are_taken() -> Result<(), Error> {
    let x: Tensor<f32, shape![N, 2, 3, 4, 5, 6]> = random(&[2, 2, 3, 4, 5, 6])?;
    is::<shape![N, 720]>(&x.flatten()?, &[2, 720]);
    is::<shape![N, 4, 3, 4, 5, 6]>(&x.concat(&x)?, &[2, 4, 3, 4, 5, 6]);
    let five: Tensor<f32, shape![1, 3, 1, 5, 6]> = random(&[1, 3, 1, 5, 6])?;
    is::<shape![1, 90]>(&five.flatten()?, &[1, 90]);
    let sums = (&x + &five, &five + &x);
    is::<shape![N, 2, 3, 4, 5, 6]>(&sums.0, &[2, 2, 3, 4, 5, 6]);
    assert_eq!(sums.0.to_vec()?, sums.1.to_vec()?);
    assert_eq!(sums.0.to_vec()?, (x.array() + five.array()).to_vec::<f32>()?);
    Ok(())
}
