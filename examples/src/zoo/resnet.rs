//! Residual networks (He et al., 2015).

mxr::network!(
    fn conv_bn(x: Tensor, filters: usize, kernel: usize, stride: usize, pad: usize) {
        batch_norm(conv2d(x, filters, kernel = kernel, stride = stride, pad = pad, bias = false))
    }

    fn basic(x: Tensor, filters: usize, stride: usize, project: bool) {
        let a = relu(conv_bn(x, filters, 3, stride, 1));
        let b = conv_bn(a, filters, 3, 1, 1);
        let shortcut = if project { conv_bn(x, filters, 1, stride, 0) } else { x };
        relu(b + shortcut)
    }

    fn bottleneck(x: Tensor, filters: usize, stride: usize, project: bool) {
        let a = relu(conv_bn(x, filters, 1, 1, 0));
        let b = relu(conv_bn(a, filters, 3, stride, 1));
        let c = conv_bn(b, filters * 4, 1, 1, 0);
        let shortcut = if project { conv_bn(x, filters * 4, 1, stride, 0) } else { x };
        relu(c + shortcut)
    }

    /// ResNet-20 for 32x32 images, with projections where the shape changes.
    pub fn ResNet20(data: Tensor<N, 3, 32, 32>, label: Tensor<N, i64>) {
        let x = relu(conv_bn(data, 16, 3, 1, 1));
        for i in 0..3 {
            x = basic(x, 16, 1, false);
        }
        for filters in [32, 64] {
            x = basic(x, filters, 2, true);
            for i in 1..3 {
                x = basic(x, filters, 1, false);
            }
        }
        let logits = dense(global_avg_pool(x), 10);
        softmax_cross_entropy(logits, label)
    }

    /// ResNet-50 v1.5 (the stride on the 3x3 convolution), logits out.
    pub fn ResNet50(data: Tensor<N, 3, 224, 224>) {
        let stem = relu(conv_bn(data, 64, 7, 2, 3));
        let x = max_pool(stem, kernel = 3, stride = 2, pad = 1);
        for (blocks, filters, stride) in [(3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2)] {
            x = bottleneck(x, filters, stride, true);
            for i in 1..blocks {
                x = bottleneck(x, filters, 1, false);
            }
        }
        dense(global_avg_pool(x), 1000)
    }
);
