mxr::network!(
    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        y = relu(data);
        data
    }
);

fn main() {}
