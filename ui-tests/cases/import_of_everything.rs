mxr::network!(
    use ui_tests::blocks::*;

    pub fn Net(data: Tensor<N, 3, 4, 4>) {
        residual(data)
    }
);

fn main() {}
