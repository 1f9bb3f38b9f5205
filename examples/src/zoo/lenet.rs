//! LeNet and a multi-layer perceptron for 28x28 digits.

mxr::network!(
    fn logits(x: Tensor, rectified: bool) {
        let conv1 = conv2d(x, 20, kernel = 5);
        let act1 = if rectified { relu(conv1) } else { tanh(conv1) };
        let conv2 = conv2d(max_pool(act1, kernel = 2, stride = 2), 50, kernel = 5);
        let act2 = if rectified { relu(conv2) } else { tanh(conv2) };
        let fc1 = dense(flatten(max_pool(act2, kernel = 2, stride = 2)), 500);
        let act3 = if rectified { relu(fc1) } else { tanh(fc1) };
        dense(act3, 10)
    }

    /// LeNet-5 as MXNet's examples have it (LeCun et al., 1998, with tanh).
    pub fn LeNet(data: Tensor<N, 1, 28, 28>, label: Tensor<N, i64>) {
        let conv1 = conv2d(data, 20, kernel = 5);
        let pool1 = max_pool(tanh(conv1), kernel = 2, stride = 2);
        let conv2 = conv2d(pool1, 50, kernel = 5);
        let pool2 = max_pool(tanh(conv2), kernel = 2, stride = 2);
        let fc1 = dense(flatten(pool2), 500);
        let fc2 = dense(tanh(fc1), 10);
        softmax_cross_entropy(fc2, label)
    }

    /// LeNet with rectifiers.
    pub fn LeNetRelu(data: Tensor<N, 1, 28, 28>, label: Tensor<N, i64>) {
        let conv1 = conv2d(data, 20, kernel = 5);
        let pool1 = max_pool(relu(conv1), kernel = 2, stride = 2);
        let conv2 = conv2d(pool1, 50, kernel = 5);
        let pool2 = max_pool(relu(conv2), kernel = 2, stride = 2);
        let fc1 = dense(flatten(pool2), 500);
        let fc2 = dense(relu(fc1), 10);
        softmax_cross_entropy(fc2, label)
    }

    /// LeNet without its loss, logits out.
    pub fn LeNetLogits(data: Tensor<N, 1, 28, 28>) {
        logits(data, false)
    }

    /// LeNet with rectifiers and without its loss, logits out.
    pub fn LeNetReluLogits(data: Tensor<N, 1, 28, 28>) {
        logits(data, true)
    }

    /// Two hidden layers of 512 rectified units, logits out.
    pub fn MlpLogits(data: Tensor<N, 784>) {
        let fc1 = dense(data, 512);
        let fc2 = dense(relu(fc1), 512);
        dense(relu(fc2), 10)
    }

    /// Two hidden layers of 512 rectified units.
    pub fn Mlp(data: Tensor<N, 784>, label: Tensor<N, i64>) {
        let fc1 = dense(data, 512);
        let fc2 = dense(relu(fc1), 512);
        let fc3 = dense(relu(fc2), 10);
        softmax_cross_entropy(fc3, label)
    }
);
