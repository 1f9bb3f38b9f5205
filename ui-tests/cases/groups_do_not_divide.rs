mxr::network!(
    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        conv2d(data, 16, kernel = 3, groups = 2)
    }
);

fn main() {}
