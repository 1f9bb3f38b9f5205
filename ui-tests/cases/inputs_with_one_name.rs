mxr::network!(
    pub fn Net(data: Tensor<N, 10>, data: Tensor<N, 5>) {
        relu(data)
    }
);

fn main() {}
