//! Siamese networks: two pictures go through one tower, and are compared.

mxr::network!(
    /// The tower of Koch et al. 2015, figure 4.
    fn tower(image: Tensor) {
        let a = max_pool(relu(conv2d(image, 64, kernel = 10)), kernel = 2, stride = 2);
        let b = max_pool(relu(conv2d(a, 128, kernel = 7)), kernel = 2, stride = 2);
        let c = max_pool(relu(conv2d(b, 128, kernel = 4)), kernel = 2, stride = 2);
        let d = relu(conv2d(c, 256, kernel = 4));
        sigmoid(dense(flatten(d), 4096))
    }

    /// One-shot recognition (Koch et al., 2015): whether two drawings show one character, from the weighted distance of what the
    /// tower sees in them.
    pub fn Koch(left: Tensor<N, 1, 105, 105>, right: Tensor<N, 1, 105, 105>, same: Tensor<N, 1>) {
        let twin = tower::new();
        let score = dense(abs(twin(left) - twin(right)), 1);
        logistic_loss(score, same)
    }

    /// The contrastive loss (Hadsell et al., 2006) of pairs of points, and their distances: what is the same attracts, what is not
    /// repels up to the margin.
    pub fn contrastive(a: Tensor<N, C>, b: Tensor<N, C>, same: Tensor<N>, margin: f32) {
        let square_distance = sum(square(a - b), axes = 1);
        // The root has no slope at 0.
        let distance = sqrt(square_distance + 0.000001);
        let apart = square(relu(margin - distance));
        (mean(same * square_distance + (1.0 - same) * apart), stop_gradient(distance))
    }

    fn small_tower(image: Tensor) {
        let a = max_pool(relu(conv2d(image, 32, kernel = 3, pad = 1)), kernel = 2, stride = 2);
        let b = relu(conv2d(a, 64, kernel = 3, pad = 1));
        let c = relu(dense(flatten(b), 128));
        dense(c, 16)
    }

    /// A network of this kind for digits of 8x8 pixels: the loss, and the distance of each pair.
    pub fn DigitPairs(left: Tensor<N, 1, 8, 8>, right: Tensor<N, 1, 8, 8>, same: Tensor<N>) {
        let twin = small_tower::new();
        contrastive(twin(left), twin(right), same, margin = 1.0)
    }
);
