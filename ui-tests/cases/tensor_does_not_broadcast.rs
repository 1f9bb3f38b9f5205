use mxr::tensor::{Tensor, shape};

fn shifted(x: &Tensor<f32, shape![3, 5]>, bias: &Tensor<f32, shape![4]>) {
    let _ = x + bias;
}

fn main() {}
