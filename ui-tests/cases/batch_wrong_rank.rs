use mxr::tensor::{Tensor, shape};

mxr::network!(
    pub fn Digits(data: Tensor<N, 1, 28, 28>, label: Tensor<N, i64>) {
        softmax_cross_entropy(dense(flatten(data), 10), label)
    }
);

fn fill(net: &Digits, rows: &Tensor<f32, shape![N, 784]>) -> Result<(), mxr::Error> {
    net.set(Digits::data, rows)
}

fn main() {}
