mxr::network!(
    pub fn Net(data: Tensor<N, 8>, label: Tensor<N, i64>) {
        let loss = softmax_cross_entropy(dense(data, 3), label);
        return loss;
    }
);

fn main() {}
