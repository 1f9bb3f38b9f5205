mxr::network!(
    fn scaled(x: Tensor, factor: f32) {
        factor * x
    }

    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        scaled(data, 2)
    }
);

fn main() {}
