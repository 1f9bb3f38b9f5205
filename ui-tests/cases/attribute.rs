#[mxr::network_fn]
pub fn Net(data: Tensor<N, 3, 32, 32>) {
    let conv1 = conv2d(data, 20, kernel = 50);
    relu(conv1)
}

fn main() {}
