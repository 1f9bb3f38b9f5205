mxr::network!(
    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        let a = data.;
        let b = relu(data);
        b
    }
);

fn main() {}
