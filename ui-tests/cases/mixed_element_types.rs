mxr::network!(
    pub fn Net(a: Tensor<f32, N, 10>, b: Tensor<f64, N, 10>) {
        a + b
    }
);

fn main() {}
