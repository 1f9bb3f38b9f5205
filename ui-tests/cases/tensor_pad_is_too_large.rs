use mxr::tensor::{Kernel, Pad, Stride, Tensor, shape};

fn pooled(x: &Tensor<f32, shape![N, 3, 32, 32]>) {
    let _ = x.avg_pool(Kernel::<2>, Stride::<2>, Pad::<2000>);
}

fn main() {}
