//! Compile-fail tests of `network!` live in `cases/`; what is here is for the tests of networks that use those of other crates.
#![deny(missing_docs)]

/// Blocks.
pub mod blocks {
    mxr::network!(
        const SLOPE: f32 = 0.1;

        fn act(x: Tensor) {
            leaky_relu(x, slope = SLOPE)
        }

        /// Two convolutions with a shortcut around them.
        #[defaults(kernel = 3)]
        pub fn residual(x: Tensor<N, C, H, W>, kernel: usize) {
            let a = act(batch_norm(conv2d(x, C, kernel = kernel, pad = kernel / 2)));
            act(conv2d(a, C, kernel = kernel, pad = kernel / 2) + x)
        }
    );
}

/// A network.
pub mod nets {
    mxr::network!(
        use crate::blocks::residual;

        /// Features.
        pub fn Backbone(data: Tensor<N, 3, S, S>) {
            let stem = conv2d(data, 8, kernel = 3, stride = 2, pad = 1);
            let top = residual(stem);
            global_avg_pool(top)
        }
    );
}
