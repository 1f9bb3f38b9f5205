use mxr::tensor::{Tensor, shape};

fn features(_: &Tensor<f32, shape![BATCH, 3, 224, 224]>) {}

fn main() {}
