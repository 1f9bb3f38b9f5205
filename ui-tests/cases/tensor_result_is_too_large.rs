use mxr::tensor::{Tensor, shape};

fn rows(maps: &Tensor<f32, shape![N, 1000, 2000, 3]>) {
    let _ = maps.flatten();
}

fn main() {}
