//! GoogLeNet (Szegedy et al., 2014) and its batch-normalised successor (Ioffe and Szegedy, 2015).

mxr::network!(
    fn conv(x: Tensor, filters: usize, kernel: usize, stride: usize, pad: usize) {
        relu(conv2d(x, filters, kernel = kernel, stride = stride, pad = pad))
    }

    fn pool(x: Tensor) {
        max_pool(x, kernel = 3, stride = 2, rounding = ceil)
    }

    fn inception(x: Tensor, c1: usize, r3: usize, c3: usize, r5: usize, c5: usize, project: usize) {
        let b1 = conv(x, c1, 1, 1, 0);
        let b3 = conv(conv(x, r3, 1, 1, 0), c3, 3, 1, 1);
        let b5 = conv(conv(x, r5, 1, 1, 0), c5, 5, 1, 2);
        let bp = conv(max_pool(x, kernel = 3, stride = 1, pad = 1), project, 1, 1, 0);
        concat(b1, b3, b5, bp)
    }

    fn features(x: Tensor) {
        let stem1 = pool(conv(x, 64, 7, 2, 3));
        let stem2 = pool(conv(conv(stem1, 64, 1, 1, 0), 192, 3, 1, 1));
        let in3a = inception(stem2, 64, 96, 128, 16, 32, 32);
        let in3b = inception(in3a, 128, 128, 192, 32, 96, 64);
        let in4a = inception(pool(in3b), 192, 96, 208, 16, 48, 64);
        let in4b = inception(in4a, 160, 112, 224, 24, 64, 64);
        let in4c = inception(in4b, 128, 128, 256, 24, 64, 64);
        let in4d = inception(in4c, 112, 144, 288, 32, 64, 64);
        let in4e = inception(in4d, 256, 160, 320, 32, 128, 128);
        let in5a = inception(pool(in4e), 256, 160, 320, 32, 128, 128);
        let in5b = inception(in5a, 384, 192, 384, 48, 128, 128);
        flatten(avg_pool(in5b, kernel = 7, stride = 1))
    }

    /// GoogLeNet without the auxiliary heads, as in the convnet benchmarks: logits out.
    pub fn GoogLeNet(data: Tensor<N, 3, 224, 224>) {
        let pooled = features(data);
        dense(pooled, 1000)
    }

    /// GoogLeNet with its loss: the network of the paper's memory figure.
    pub fn GoogLeNetLoss(data: Tensor<N, 3, 224, 224>, label: Tensor<N, i64>) {
        let pooled = features(data);
        let fc1 = dense(pooled, 1000);
        softmax_cross_entropy(fc1, label)
    }
);

/// The batch-normalised network has blocks of the same names.
pub mod bn {
    mxr::network!(
        fn conv(x: Tensor, filters: usize, kernel: usize, stride: usize, pad: usize) {
            relu(batch_norm(conv2d(x, filters, kernel = kernel, stride = stride, pad = pad)))
        }

        fn same(x: Tensor, c1: usize, r3: usize, c3: usize, rd: usize, cd: usize, max: bool, project: usize) {
            let b1 = conv(x, c1, 1, 1, 0);
            let b3 = conv(conv(x, r3, 1, 1, 0), c3, 3, 1, 1);
            let bd = conv(conv(conv(x, rd, 1, 1, 0), cd, 3, 1, 1), cd, 3, 1, 1);
            let pooled = if max {
                max_pool(x, kernel = 3, stride = 1, pad = 1)
            } else {
                avg_pool(x, kernel = 3, stride = 1, pad = 1)
            };
            concat(b1, b3, bd, conv(pooled, project, 1, 1, 0))
        }

        fn half(x: Tensor, r3: usize, c3: usize, rd: usize, cd: usize) {
            let b3 = conv(conv(x, r3, 1, 1, 0), c3, 3, 2, 1);
            let bd = conv(conv(conv(x, rd, 1, 1, 0), cd, 3, 1, 1), cd, 3, 2, 1);
            concat(b3, bd, max_pool(x, kernel = 3, stride = 2, rounding = ceil))
        }

        fn pool(x: Tensor) {
            max_pool(x, kernel = 3, stride = 2, rounding = ceil)
        }

        fn features(x: Tensor) {
            let stem1 = pool(conv(x, 64, 7, 2, 3));
            let stem2 = pool(conv(conv(stem1, 64, 1, 1, 0), 192, 3, 1, 1));
            let in3a = same(stem2, 64, 64, 64, 64, 96, false, 32);
            let in3b = same(in3a, 64, 64, 96, 64, 96, false, 64);
            let in3c = half(in3b, 128, 160, 64, 96);
            let in4a = same(in3c, 224, 64, 96, 96, 128, false, 128);
            let in4b = same(in4a, 192, 96, 128, 96, 128, false, 128);
            let in4c = same(in4b, 160, 128, 160, 128, 160, false, 128);
            let in4d = same(in4c, 96, 128, 192, 160, 192, false, 128);
            let in4e = half(in4d, 128, 192, 192, 256);
            let in5a = same(in4e, 352, 192, 320, 160, 224, false, 128);
            let in5b = same(in5a, 352, 192, 320, 192, 224, true, 128);
            flatten(avg_pool(in5b, kernel = 7, stride = 1))
        }

        /// Inception with batch normalisation, as MXNet's image-classification example had it in 2015.
        pub fn InceptionBn(data: Tensor<N, 3, 224, 224>, label: Tensor<N, i64>) {
            let pooled = features(data);
            let fc1 = dense(pooled, 1000);
            softmax_cross_entropy(fc1, label)
        }

        /// Inception with batch normalisation and without its loss, logits out.
        pub fn InceptionBnLogits(data: Tensor<N, 3, 224, 224>) {
            let pooled = features(data);
            dense(pooled, 1000)
        }
    );
}
