use mxr::tensor::{Tensor, shape};

fn scores(x: &Tensor<f32, shape![N, 500]>, weight: &Tensor<f32, shape![512, 10]>) {
    let _ = x.matmul(weight);
}

fn main() {}
