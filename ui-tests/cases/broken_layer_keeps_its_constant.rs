mxr::network!(
    pub fn Net(data: Tensor<N, 1, 28, 28>) {
        let conv1 = conv2d(data, 4, kernl = 3);
        let conv2 = conv2d(conv1, 8, kernel = 3);
        relu(conv2)
    }
);

fn main() {
    // Neither the layer with the error nor the one after it is missing.
    let layers = [Net::conv1, Net::conv2];
    let net = Net::bind(32);
    let _ = net.map(|net| net.param(layers[0]).map(|w| w.shape().to_vec()));
}
