mxr::network!(
    #[memory(batch = 64, max = "1 MiB")]
    pub fn Net(data: Tensor<N, 3, 32, 32>, label: Tensor<N, i64>) {
        let h = data;
        for _ in 0..8 {
            h = relu(conv2d(h, 16, kernel = 3, pad = 1));
        }
        softmax_cross_entropy(dense(flatten(h), 10), label)
    }
);

fn main() {}
