use mxr::Network;
use mxr::tensor::{Tensor, shape};

mxr::network!(
    pub fn Digits(data: Tensor<64, 1, 28, 28>, label: Tensor<64, i64>) {
        softmax_cross_entropy(dense(flatten(data), 10), label)
    }
);

fn loss(
    net: &mut Digits,
    pictures: &Tensor<f32, shape![64, 1, 28, 28]>,
    labels: &Tensor<f32, shape![64]>,
) -> Result<f32, mxr::Error> {
    net.train((pictures, labels))?.item()
}

fn main() {}
