mxr::network!(
    fn left(x: Tensor) {
        right(relu(x))
    }
    fn right(x: Tensor) {
        left(tanh(x))
    }

    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        left(data)
    }
);

fn main() {}
