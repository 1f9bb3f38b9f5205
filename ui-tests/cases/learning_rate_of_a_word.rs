mxr::network!(
    pub fn Net(data: Tensor<N, 8>, label: Tensor<N, i64>) {
        #[lr("slow")]
        let h = relu(dense(data, 16));
        softmax_cross_entropy(dense(h, 10), label)
    }
);

fn main() {}
