mxr::network!(
    pub fn Net(data: Tensor<N, 784>) {
        let fc1 = dense(data, 128);
        let fc2 = dense(relu(fc1), unit = 10);
        softmax(fc2)
    }
);

fn main() {
    // The one message is about `unit`: bind, the layer and the executor's methods are known all the same.
    let net = Net::bind(32);
    let _ = net.map(|net| net.param(Net::fc1).map(|w| w.shape().to_vec()));
}
