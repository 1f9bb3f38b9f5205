mxr::network!(
    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        let (a, b) = split(data, 3);
        a + b
    }
);

fn main() {}
