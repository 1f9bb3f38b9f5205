//! Every construct of the language, as rustfmt leaves it.

/// A constant of the file.
const CHANNELS: usize = 3;

mxr::network!(
    /// The width of the first stage, of the file's constants as well.
    pub const WIDTH: usize = 16;
    #[same_as(CHANNELS)]
    const COLOURS: usize = 3;
    const SLOPE: f32 = 0.1;
    /// Widths and strides.
    pub const STAGES: [(usize, usize); 2] = [(WIDTH, 1), (2 * WIDTH, 2)];

    /// A convolution with batch norm; `#[allow]` and its like may stand on any item.
    #[allow(unused_variables)]
    #[no_decay]
    fn conv_bn(x: Tensor, filters: usize, stride: usize) {
        batch_norm(conv2d(x, filters, kernel = 3, stride = stride, pad = 1, bias = false))
    }

    // Extents of a block's input have names: these are the ones that come in.
    fn basic(x: Tensor<N, C, H, W>, filters: usize, stride: usize) {
        let a = leaky_relu(conv_bn(x, filters, stride), slope = SLOPE);
        let shortcut =
            if stride != 1 || filters != C { conv2d(x, filters, kernel = 1, stride = stride) } else { x };
        relu(conv_bn(a, filters, 1) + shortcut)
    }

    #[defaults(rounding = "ceil", window = 2)]
    fn pool(x: Tensor, window: usize, rounding: &str) {
        max_pool(x, kernel = window, rounding = rounding)
    }

    fn halves(x: Tensor) {
        let (left, right) = split(x, 2);
        (left, -right)
    }

    /// A residual network with two results.
    pub fn Residual(data: Tensor<N, COLOURS, 32, 32>, label: Tensor<N, i64>) {
        #[frozen]
        #[recompute]
        let stem = data.conv2d(WIDTH, kernel = (3, 5), pad = same).relu();
        let x = pool(stem, rounding = floor);
        for (filters, stride) in STAGES {
            #[lr(0.1)]
            x = basic(x, filters, stride = stride);
            for i in 1..=2 {
                let c = conv2d(x, filters, kernel = 3, pad = (1, 1, 1, 1));
                x = x + 0.5 * relu(c);
            }
        }
        for (p, (width, _)) in [(0.1, (4, 1)), (0.2, (8, 1))] {
            x += 0.1 * relu(conv2d(x, 2 * WIDTH, kernel = width / 4, pad = same));
            x = dropout(x, p);
        }
        x += 1.0;
        let (left, right) = halves(x);
        let joined = concat(left, right, left, axis = 1);
        let fc = joined.global_avg_pool().dense(10, bias = true);
        (softmax_cross_entropy(fc, label), mean(square(right), axes = [1, 2, 3]))
    }

    /// Symbols, arithmetic in extents, holes; never trained.
    #[predict]
    pub fn Sequence(words: Tensor<f32, N, T, { 4 * 8 }>, scale: Tensor![N * T, 5]) {
        let h: Tensor<_, 32> = reshape(words, [N * T, 32]);
        let projected = dense(h, _);
        let scores = projected * scale;
        let sizes = if 4 > 3 { 5 } else { 7 };
        reshape(scores, [N, T * sizes])
    }

    #[memory(batch = 64, max = "1 MiB")]
    pub(crate) fn Tiny(data: Tensor<N, 8>, label: Tensor<N, i64>) {
        let fc1 = dense(data, 8, bias = false);
        let back = matmul(tanh(fc1), fc1.weight);
        softmax_cross_entropy(dense(back, 3), label)
    }

    pub(crate) fn Small(data: Tensor<f64, 2, 8>) {
        let mut h = data;
        {
            h = tanh(h);
        }
        sum(h / 2.0 - 1.0)
    }
);

mxr::network!(
    use ui_tests::blocks::{residual, residual as unit};
    use ui_tests::nets::Backbone;

    fn embed(x: Tensor, width: usize) {
        dense(global_avg_pool(unit(x)), width)
    }

    /// Networks and blocks of elsewhere, one tower for two inputs, losses with weights.
    pub fn Siamese(left: Tensor<N, 3, 16, 16>, right: Tensor<N, 3, 16, 16>, label: Tensor<N, i64>) {
        #[lr(0.5)]
        #[no_decay]
        let tower = embed::new(width = 4);
        let a = tower(left);
        let b = tower(residual(right));
        let features = Backbone(left);
        let class = softmax_cross_entropy(dense(features, 3), label);
        class + 0.5 * mean(square(a - b))
    }
);

mxr::network!(
    use ui_tests::blocks::scaled as double;

    /// An operator of one's own.
    #[defaults(by = 0.5)]
    extern "Rust" fn rescaled(x: Tensor<N, C>, by: f32, twice: bool) -> Tensor<N, { C + 0 }> {
        let by = if twice { 2.0 * by } else { by };
        ui_tests::Scaled { by }
    }

    extern "Rust" fn parts(x: Tensor) -> (Tensor, Tensor![1], Tensor<1, i64>) {
        ui_tests::Scaled { by: 1.0 }
    }

    #[predict]
    pub(crate) fn Own(data: Tensor<N, 4>) {
        let low = double(data);
        let (all, _, _) = parts(low);
        concat(low.rescaled(twice = true), double(all, by = 3.0))
    }
);
