mxr::network!(
    fn relu(x: Tensor) {
        tanh(x)
    }

    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        relu(data)
    }
);

fn main() {}
