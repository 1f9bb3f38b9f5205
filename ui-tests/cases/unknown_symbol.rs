mxr::network!(
    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        reshape(data, [M, _])
    }
);

fn main() {}
