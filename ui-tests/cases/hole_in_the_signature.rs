mxr::network!(
    pub fn Net(data: Tensor<N, _>) {
        let fc1 = dense(data, 10);
        sum(fc1)
    }
);

fn main() {}
