//! VGG (Simonyan and Zisserman, 2014), models A and D.

mxr::network!(
    fn conv(x: Tensor, filters: usize) {
        relu(conv2d(x, filters, kernel = 3, pad = 1))
    }

    fn pool(x: Tensor) {
        max_pool(x, kernel = 2, stride = 2, rounding = ceil)
    }

    fn features_a(x: Tensor) {
        let stage1 = pool(conv(x, 64));
        let stage2 = pool(conv(stage1, 128));
        let stage3 = pool(conv(conv(stage2, 256), 256));
        let stage4 = pool(conv(conv(stage3, 512), 512));
        flatten(pool(conv(conv(stage4, 512), 512)))
    }

    /// VGG model A (11 weight layers), as in the convnet benchmarks: no dropout, logits out.
    pub fn VggA(data: Tensor<N, 3, 224, 224>) {
        let features = features_a(data);
        let fc6 = dense(features, 4096);
        let fc7 = dense(relu(fc6), 4096);
        dense(relu(fc7), 1000)
    }

    /// VGG model A with dropout and loss: the network of the paper's memory figure.
    pub fn VggALoss(data: Tensor<N, 3, 224, 224>, label: Tensor<N, i64>) {
        let features = features_a(data);
        let fc6 = dense(features, 4096);
        let drop6 = dropout(relu(fc6), 0.5);
        let fc7 = dense(drop6, 4096);
        let drop7 = dropout(relu(fc7), 0.5);
        let fc8 = dense(drop7, 1000);
        softmax_cross_entropy(fc8, label)
    }

    /// VGG model D (16 weight layers).
    pub fn Vgg16(data: Tensor<N, 3, 224, 224>) {
        let stage1 = pool(conv(conv(data, 64), 64));
        let stage2 = pool(conv(conv(stage1, 128), 128));
        let stage3 = pool(conv(conv(conv(stage2, 256), 256), 256));
        let stage4 = pool(conv(conv(conv(stage3, 512), 512), 512));
        let stage5 = pool(conv(conv(conv(stage4, 512), 512), 512));
        let fc6 = dense(flatten(stage5), 4096);
        let fc7 = dense(relu(fc6), 4096);
        dense(relu(fc7), 1000)
    }
);
