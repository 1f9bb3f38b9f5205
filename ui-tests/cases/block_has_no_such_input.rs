mxr::network!(
    fn block(x: Tensor, filters: usize) {
        conv2d(x, filters, kernel = 3)
    }

    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        block(data, filter = 16)
    }
);

fn main() {}
