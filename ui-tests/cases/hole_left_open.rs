mxr::network!(
    pub fn Net(data: Tensor<N, 10>) {
        let fc1 = dense(data, _);
        sum(fc1)
    }
);

fn main() {}
