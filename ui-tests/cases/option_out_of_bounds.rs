mxr::network!(
    pub fn Net(data: Tensor<N, 784>) {
        dropout(dense(data, 10), 1.5)
    }
);

fn main() {}
