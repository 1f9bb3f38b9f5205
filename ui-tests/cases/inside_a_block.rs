mxr::network!(
    fn conv(x: Tensor, kernel: usize) {
        relu(conv2d(x, 8, kernel = kernel))
    }

    pub fn Net(data: Tensor<N, 3, 8, 8>) {
        let a = conv(data, 3);
        conv(a, 7)
    }
);

fn main() {}
