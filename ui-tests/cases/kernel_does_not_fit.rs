mxr::network!(
    pub fn Net(data: Tensor<N, 1, 5, 5>) {
        let conv1 = conv2d(data, 20, kernel = 7);
        relu(conv1)
    }
);

fn main() {}
