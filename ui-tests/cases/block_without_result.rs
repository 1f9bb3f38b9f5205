mxr::network!(
    fn block(x: Tensor) {
        let y = relu(x);
    }

    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        block(data)
    }
);

fn main() {}
