//! U-Net (Ronneberger et al., 2015).

mxr::network!(
    /// Two convolutions without padding: 4 pixels less.
    fn double(x: Tensor, filters: usize) {
        let a = relu(conv2d(x, filters, kernel = 3));
        relu(conv2d(a, filters, kernel = 3))
    }

    /// An up-convolution of 2x2 with stride 2: of each pixel four, which is a 1x1 convolution and a rearrangement. Its bias would
    /// only add to that of the convolution behind it, and is left out.
    fn up(x: Tensor<N, C, H, W>, filters: usize) {
        let four = conv2d(x, 4 * filters, kernel = 1, bias = false);
        let apart = reshape(four, [N, filters, 2, 2, H, W]);
        let woven = transpose(apart, [0, 1, 4, 2, 5, 3]);
        reshape(woven, [N, filters, 2 * H, 2 * W])
    }

    /// The middle of `x`, as large as the other.
    fn crop(x: Tensor<N, C, H, W>, like: Tensor<N, D, P, Q>) {
        slice(x, [_, _, (H - P) / 2, (W - Q) / 2], [_, _, (H + P) / 2, (W + Q) / 2])
    }

    /// One side of the U down, everything below, and up again.
    pub fn level(x: Tensor, filters: usize, depth: usize) {
        let down = double(x, filters);
        if depth == 0 {
            dropout(down)
        } else {
            let below = level(max_pool(down, kernel = 2, stride = 2), 2 * filters, depth - 1);
            let raised = up(below, filters);
            double(concat(crop(down, raised), raised), filters)
        }
    }

    /// U-Net as in figure 1 of the paper: the middle 388x388 pixels of 572x572 get one of two classes.
    pub fn UNet(image: Tensor<N, 1, 572, 572>, label: Tensor<N, 388, 388, i64>) {
        let top = level(image, 64, 4);
        let scores = conv2d(top, 2, kernel = 1);
        softmax_cross_entropy(scores, label)
    }
);
