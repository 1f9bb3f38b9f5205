mxr::network!(
    fn block(x: Tensor, filters: usize, stride: usize) {
        conv2d(x, filters, kernel = 3, stride = stride)
    }

    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        block(data, 16)
    }
);

fn main() {}
