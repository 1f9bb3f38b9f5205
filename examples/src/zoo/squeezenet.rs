//! SqueezeNet (Iandola et al., 2016).

mxr::network!(
    /// A fire module: few channels go in front of the 3x3 convolutions.
    pub fn fire(x: Tensor, squeeze: usize, expand: usize) {
        let squeezed = relu(conv2d(x, squeeze, kernel = 1));
        let one = relu(conv2d(squeezed, expand, kernel = 1));
        let three = relu(conv2d(squeezed, expand, kernel = 3, pad = 1));
        concat(one, three)
    }

    /// SqueezeNet 1.0 as in table 1 of the paper, for any size of the picture: scores.
    pub fn squeezenet(image: Tensor, classes: usize) {
        // The table's 111 pixels come from 227, or from 224 and this much padding.
        let conv1 = relu(conv2d(image, 96, kernel = 7, stride = 2, pad = 2));
        let x = conv1;
        for fires in
            [[(16, 64), (16, 64), (32, 128)], [(32, 128), (48, 192), (48, 192), (64, 256)], [(64, 256)]]
        {
            x = max_pool(x, kernel = 3, stride = 2);
            for (squeeze, expand) in fires {
                x = fire(x, squeeze, expand);
            }
        }
        let conv10 = relu(conv2d(dropout(x, 0.5), classes, kernel = 1));
        global_avg_pool(conv10)
    }

    /// SqueezeNet 1.0 for ImageNet.
    pub fn SqueezeNet(image: Tensor<N, 3, 224, 224>, label: Tensor<N, i64>) {
        let scores = squeezenet(image, 1000);
        softmax_cross_entropy(scores, label)
    }
);
