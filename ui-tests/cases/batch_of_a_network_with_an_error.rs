use mxr::Network;
use mxr::tensor::{Tensor, shape};

mxr::network!(
    pub fn Digits(data: Tensor<N, 1, 28, 28>, label: Tensor<N, i64>) {
        let conv1 = conv2d(data, 8, kernel = 29);
        softmax_cross_entropy(dense(flatten(conv1), 10), label)
    }
);

fn loss(
    net: &mut Digits,
    pictures: &Tensor<f32, shape![N, 1, 28, 28]>,
    labels: &Tensor<i64, shape![N]>,
) -> Result<Vec<f32>, mxr::Error> {
    net.set(Digits::data, pictures)?;
    net.train((pictures, labels))?;
    net.predict(pictures)?.to_vec()
}

fn main() {}
