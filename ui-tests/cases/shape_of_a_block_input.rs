mxr::network!(
    fn squared(x: Tensor<N, C, H, H>) {
        reshape(x, [N, C * H * H])
    }

    pub fn Net(data: Tensor<N, 3, 32, 30>) {
        squared(data)
    }
);

fn main() {}
