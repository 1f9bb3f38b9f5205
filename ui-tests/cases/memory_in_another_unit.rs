mxr::network!(
    #[memory(batch = 64, max = "2 GB")]
    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        relu(data)
    }
);

fn main() {}
