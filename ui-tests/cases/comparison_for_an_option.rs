mxr::network!(
    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        let conv1 = conv2d(data, 20, kernel == (3, 5), pad = 1);
        relu(conv1)
    }
);

fn main() {
    let _ = Net::conv1;
}
