mxr::network!(
    pub fn Net(data: Tensor<N, 784>, label: Tensor<N, 10, i64>) {
        let fc1 = dense(data, 128, biass = false);
        let fc2 = dense(relu(fc1), 10);
        let other = dense(data, 10);
        softmax_cross_entropy(fc2, label) + softmax_cross_entropy(other, label)
    }
);

fn main() {}
