mxr::network!(
    pub fn Net(data: Tensor<N, 3, 32, 32>, label: Tensor<N, i64>) {
        let fc1 = dense(flatten(data), 10);
        softmax_cross_entropy(fc1)
    }
);

fn main() {}
