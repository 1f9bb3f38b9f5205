mxr::network!(
    #[memory(bacth = 64, max = "2 GiB")]
    pub fn Net(data: Tensor<N, 3, 32, 32>) {
        relu(data)
    }
);

fn main() {}
