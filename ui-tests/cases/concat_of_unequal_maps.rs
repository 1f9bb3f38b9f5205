mxr::network!(
    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        let small = max_pool(data, kernel = 2);
        concat(data, small)
    }
);

fn main() {}
