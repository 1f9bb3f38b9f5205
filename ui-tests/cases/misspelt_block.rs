mxr::network!(
    fn residual(x: Tensor) {
        relu(x + conv2d(x, 3, kernel = 3, pad = 1))
    }

    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        residaul(data)
    }
);

fn main() {}
