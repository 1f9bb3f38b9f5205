mod settings {
    pub const CLASSES: usize = 12;
}

mxr::network!(
    #[same_as(settings::CLASSES)]
    const CLASSES: usize = 10;

    pub fn Net(data: Tensor<N, 8>) {
        dense(data, CLASSES)
    }
);

fn main() {}
