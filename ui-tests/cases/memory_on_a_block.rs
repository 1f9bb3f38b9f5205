mxr::network!(
    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        act(data)
    }

    #[memory(batch = 64, max = "2 GiB")]
    fn act(x: Tensor) {
        relu(x)
    }
);

fn main() {}
