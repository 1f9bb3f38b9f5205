mxr::network!(
    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        max_pool(data, kernel = 3, round = ceil)
    }
);

fn main() {}
