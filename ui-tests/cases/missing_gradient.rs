mxr::network!(
    pub fn Net(data: Tensor<N, 784>, label: Tensor<N, i64>) {
        let fc1 = dense(data, 128);
        let hard = floor(fc1);
        softmax_cross_entropy(dense(hard, 10), label)
    }
);

fn main() {}
