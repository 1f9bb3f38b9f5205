mxr::network!(
    pub fn Net(data: Tensor<N, 4>) {
        dense(data, 3)
    }

    pub fn Net(data: Tensor<N, 8>) {
        dense(data, 3)
    }
);

fn main() {
    let _ = Net::bind(1);
}
