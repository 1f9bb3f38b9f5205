mxr::network!(
    use ui_tests::blocks::residual;

    pub fn Net(data: Tensor<N, 3, 4, 4>) {
        let a = residual(data);
        let b = residual(a, kernel = 2);
        global_avg_pool(b)
    }
);

fn main() {}
