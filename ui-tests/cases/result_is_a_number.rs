mxr::network!(
    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        (relu(data), 3)
    }
);

fn main() {}
