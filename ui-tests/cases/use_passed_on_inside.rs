mxr::network!(
    pub use ui_tests::blocks::residual;

    pub fn Net(data: Tensor<N, 3, 4, 4>) {
        global_avg_pool(residual(data))
    }
);

fn main() {}
