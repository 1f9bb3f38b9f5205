mxr::network!(
    pub fn my_net(data: Tensor<N, 4>, label: Tensor<N, i64>) {
        let fc1 = dense(data, 3);
        softmax_cross_entropy(fc1, label)
    }
);

fn main() {
    let _ = my_net::bind(32).map(|net| net.param(my_net::fc1).is_ok());
}
