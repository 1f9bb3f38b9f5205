mxr::network!(
    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        let bind = relu(data);
        tanh(bind)
    }
);

fn main() {}
