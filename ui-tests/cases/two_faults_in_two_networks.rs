mxr::network!(
    pub fn First(data: Tensor<N, 3, 5, 5>) {
        conv2d(data, 8, kernel = 7)
    }

    pub fn Second(data: Tensor<N, 784>) {
        let fc1 = dense(data, 128);
        relu(fc2)
    }
);

fn main() {}
