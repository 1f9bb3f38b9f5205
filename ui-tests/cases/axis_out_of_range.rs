mxr::network!(
    pub fn Net(data: Tensor<N, 10>) {
        softmax(data, axis = 2)
    }
);

fn main() {}
