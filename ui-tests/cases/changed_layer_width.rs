mxr::network!(
    pub fn Net(data: Tensor<N, 1, 28, 28>) {
        let conv1 = conv2d(data, 20, kernel = 5);
        let pool1 = max_pool(conv1, kernel = 2);
        let fc1 = dense(flatten(pool1), 500, inputs = 800);
        dense(relu(fc1), 10)
    }
);

fn main() {}
