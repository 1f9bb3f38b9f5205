mxr::network!(
    pub fn Net(data: Tensor<N, 784>, label: Tensor<N, 10, i64>) {
        let fc1 = dense(data, 10);
        softmax_cross_entropy(fc1, label)
    }
);

fn main() {}
