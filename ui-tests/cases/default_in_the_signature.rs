mxr::network!(
    fn conv(x: Tensor, filters: usize, stride: usize = 1) {
        relu(conv2d(x, filters, kernel = 3, stride = stride))
    }

    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        conv(data, 8)
    }
);

fn main() {}
