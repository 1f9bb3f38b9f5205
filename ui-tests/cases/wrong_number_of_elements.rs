mxr::network!(
    pub fn Net(words: Tensor<N, T, 32>) {
        let h = reshape(words, [N, 32]);
        dense(h, 10)
    }
);

fn main() {}
