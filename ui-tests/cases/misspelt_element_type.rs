mxr::network!(
    pub fn Net(data: Tensor<N, 8>, label: Tensor<N, i63>) {
        let fc1 = dense(data, 3);
        softmax_cross_entropy(fc1, label)
    }
);

fn main() {
    let _ = Net::bind(1);
}
