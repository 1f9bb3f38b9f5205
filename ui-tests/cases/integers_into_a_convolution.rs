mxr::network!(
    pub fn Net(data: Tensor<u8, N, 3, 32, 32>) {
        conv2d(data, 20, kernel = 5)
    }
);

fn main() {}
