mxr::network!(
    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        let a = relu(data);
        relu(a);
    }
);

fn main() {}
