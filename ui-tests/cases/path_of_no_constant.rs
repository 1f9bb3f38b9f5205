mxr::network!(
    #[same_as(10)]
    const CLASSES: usize = 10;

    pub fn Net(data: Tensor<N, 8>) {
        dense(data, CLASSES)
    }
);

fn main() {}
