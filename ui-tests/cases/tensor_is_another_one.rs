use mxr::tensor::{Tensor, shape};

fn rows(maps: &Tensor<f32, shape![N, 512, 7, 7]>) -> Result<Tensor<f32, shape![N, 25089]>, mxr::Error> {
    maps.flatten()
}

fn main() {}
