mxr::network!(
    pub fn Net(data: Tensor<N, 8>, label: Tensor<N, i64>) {
        #[frozen]
        let h = relu(data);
        softmax_cross_entropy(dense(h, 10), label)
    }
);

fn main() {}
