mxr::network!(
    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        let conv1 = conv2d(data, 20, kernel = 5);
        relu(conv)
    }
);

fn main() {}
