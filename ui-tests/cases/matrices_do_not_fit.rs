mxr::network!(
    pub fn Net(a: Tensor<N, 64>, b: Tensor<32, 10>) {
        matmul(a, b)
    }
);

fn main() {}
