mxr::network!(
    pub fn Net(data: Tensor<N, 64, 56, 56>) {
        let left = conv2d(data, 64, kernel = 3, pad = 1);
        let right = conv2d(data, 128, kernel = 3, stride = 2, pad = 1);
        let sum = left + right;
        relu(sum)
    }
);

fn main() {}
