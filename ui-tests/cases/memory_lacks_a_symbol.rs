mxr::network!(
    #[memory(batch = 20, max = "2 GiB")]
    pub fn Net(data: Tensor<N, T, 32>) {
        relu(data)
    }
);

fn main() {}
