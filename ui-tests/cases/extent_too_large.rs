mxr::network!(
    pub fn Net(data: Tensor<N, 9223372036854775807>) {
        relu(data)
    }
);

fn main() {}
