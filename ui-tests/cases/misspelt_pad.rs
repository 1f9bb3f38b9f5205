mxr::network!(
    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        conv2d(data, 20, kernel = 3, pad = smae)
    }
);

fn main() {}
