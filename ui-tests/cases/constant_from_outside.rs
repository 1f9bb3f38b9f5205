const CLASSES: usize = 10;

mxr::network!(
    pub fn Net(data: Tensor<N, 8>) {
        dense(data, CLASSES)
    }
);

fn main() {
    let _ = CLASSES;
}
