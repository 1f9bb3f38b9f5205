mxr::network!(
    pub fn Net(data: Tensor<N, 10>, classes: usize) {
        dense(data, classes)
    }
);

fn main() {}
