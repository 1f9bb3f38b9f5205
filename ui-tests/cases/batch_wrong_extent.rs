use mxr::Network;
use mxr::tensor::{Tensor, shape};

mxr::network!(
    pub fn Digits(data: Tensor<N, 1, 28, 28>, label: Tensor<N, i64>) {
        softmax_cross_entropy(dense(flatten(data), 10), label)
    }
);

fn scores(net: &mut Digits, pictures: &Tensor<f32, shape![N, 1, 32, 32]>) -> Result<(), mxr::Error> {
    net.predict(pictures)?;
    Ok(())
}

fn main() {}
