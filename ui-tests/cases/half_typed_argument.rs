mxr::network!(
    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        let a = conv2d(data, 20, kernel = );
        let b = relu(data);
        b
    }
);

fn main() {}
