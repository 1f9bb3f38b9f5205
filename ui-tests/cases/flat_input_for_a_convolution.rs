mxr::network!(
    pub fn Net(data: Tensor<N, 784>) {
        conv2d(data, 20, kernel = 5)
    }
);

fn main() {}
