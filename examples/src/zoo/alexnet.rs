//! AlexNet in two forms, and OverFeat.

mxr::network!(
    fn conv(x: Tensor, filters: usize, kernel: usize, stride: usize, pad: usize) {
        relu(conv2d(x, filters, kernel = kernel, stride = stride, pad = pad))
    }

    /// AlexNet, the one-tower form of Krizhevsky, "One weird trick for parallelizing convolutional neural
    /// networks" (2014), as in the convnet benchmarks: no dropout, no normalisation, logits out.
    pub fn AlexNet(data: Tensor<N, 3, 224, 224>) {
        let conv1 = conv(data, 64, 11, 4, 2);
        let pool1 = max_pool(conv1, kernel = 3, stride = 2);
        let conv2 = conv(pool1, 192, 5, 1, 2);
        let pool2 = max_pool(conv2, kernel = 3, stride = 2);
        let conv3 = conv(pool2, 384, 3, 1, 1);
        let conv4 = conv(conv3, 256, 3, 1, 1);
        let conv5 = conv(conv4, 256, 3, 1, 1);
        let pool5 = max_pool(conv5, kernel = 3, stride = 2);
        let fc6 = dense(flatten(pool5), 4096);
        let fc7 = dense(relu(fc6), 4096);
        dense(relu(fc7), 1000)
    }

    /// AlexNet with local response normalisation and dropout, as MXNet's image-classification example had it in 2015:
    /// the network of the paper's memory figure.
    pub fn AlexNetLrn(data: Tensor<N, 3, 224, 224>, label: Tensor<N, i64>) {
        let conv1 = conv(data, 96, 11, 4, 0);
        let pool1 = max_pool(conv1, kernel = 3, stride = 2, rounding = ceil);
        let norm1 = lrn(pool1, size = 5, alpha = 0.0001, beta = 0.75, knorm = 1.0);
        let conv2 = conv(norm1, 256, 5, 1, 2);
        let pool2 = max_pool(conv2, kernel = 3, stride = 2, rounding = ceil);
        let norm2 = lrn(pool2, size = 5, alpha = 0.0001, beta = 0.75, knorm = 1.0);
        let conv3 = conv(norm2, 384, 3, 1, 1);
        let conv4 = conv(conv3, 384, 3, 1, 1);
        let conv5 = conv(conv4, 256, 3, 1, 1);
        let pool3 = max_pool(conv5, kernel = 3, stride = 2, rounding = ceil);
        let fc1 = dense(flatten(pool3), 4096);
        let drop1 = dropout(relu(fc1), 0.5);
        let fc2 = dense(drop1, 4096);
        let drop2 = dropout(relu(fc2), 0.5);
        let fc3 = dense(drop2, 1000);
        softmax_cross_entropy(fc3, label)
    }

    /// OverFeat, the fast model (Sermanet et al., 2013), as in the convnet benchmarks.
    pub fn OverFeat(data: Tensor<N, 3, 231, 231>) {
        let conv1 = conv(data, 96, 11, 4, 0);
        let pool1 = max_pool(conv1, kernel = 2, stride = 2);
        let conv2 = conv(pool1, 256, 5, 1, 0);
        let pool2 = max_pool(conv2, kernel = 2, stride = 2);
        let conv3 = conv(pool2, 512, 3, 1, 1);
        let conv4 = conv(conv3, 1024, 3, 1, 1);
        let conv5 = conv(conv4, 1024, 3, 1, 1);
        let pool5 = max_pool(conv5, kernel = 2, stride = 2);
        let fc6 = dense(flatten(pool5), 3072);
        let fc7 = dense(relu(fc6), 4096);
        dense(relu(fc7), 1000)
    }
);
