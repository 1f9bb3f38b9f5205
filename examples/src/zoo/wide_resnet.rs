//! Wide residual networks (Zagoruyko and Komodakis, 2016).

mxr::network!(
    /// Two convolutions, each behind its normalisation, with a shortcut around them.
    #[defaults(stride = 1)]
    fn block(x: Tensor<N, C, H, W>, filters: usize, drop: f32, stride: usize) {
        let active = relu(batch_norm(x));
        let a = conv2d(active, filters, kernel = 3, stride = stride, pad = 1, bias = false);
        let b = relu(batch_norm(a));
        if drop > 0.0 {
            b = dropout(b, drop);
        }
        let shortcut = if C == filters && stride == 1 {
            x
        } else {
            conv2d(active, filters, kernel = 1, stride = stride, bias = false)
        };
        conv2d(b, filters, kernel = 3, pad = 1, bias = false) + shortcut
    }

    /// WRN-depth-width as in table 1 of the paper, for any size of the picture: scores.
    #[defaults(drop = 0.0)]
    pub fn wide_resnet(image: Tensor, depth: usize, width: usize, classes: usize, drop: f32) {
        let x = conv2d(image, 16, kernel = 3, pad = 1, bias = false);
        for (filters, stride) in [(16 * width, 1), (32 * width, 2), (64 * width, 2)] {
            x = block(x, filters, drop, stride = stride);
            for i in 1..(depth - 4) / 6 {
                x = block(x, filters, drop);
            }
        }
        dense(global_avg_pool(relu(batch_norm(x))), classes)
    }

    /// WRN-28-10 for CIFAR-10.
    pub fn WideResNet(image: Tensor<N, 3, 32, 32>, label: Tensor<N, i64>) {
        let scores = wide_resnet(image, 28, 10, 10);
        softmax_cross_entropy(scores, label)
    }
);
