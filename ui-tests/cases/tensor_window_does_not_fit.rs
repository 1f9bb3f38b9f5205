use mxr::tensor::{Pad, Stride, Tensor, shape};

fn maps(x: &Tensor<f32, shape![N, 3, 5, 5]>, weight: &Tensor<f32, shape![8, 3, 7, 7]>) {
    let _ = x.conv2d(weight, Stride::<1>, Pad::<0>);
}

fn main() {}
