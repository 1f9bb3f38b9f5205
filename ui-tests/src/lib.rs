//! Compile-fail tests of `network!` live in `cases/`; what is here is for the tests of networks that use those of other crates.
#![deny(missing_docs)]

use mxr::op::{ArrayType, Forward, Misfit, OpError, Operator};

/// An operator outside of the library: `y = by · x`.
#[derive(Debug)]
pub struct Scaled {
    /// The factor.
    pub by: f32,
}

impl Operator for Scaled {
    fn name(&self) -> &str {
        "scaled"
    }

    fn infer(&self, inputs: &[ArrayType]) -> Result<Vec<ArrayType>, Misfit> {
        Ok(inputs.to_vec())
    }

    fn forward(&self, cx: &mut Forward<'_>) -> Result<(), OpError> {
        let (x, y) = (cx.inputs.get::<f32>(0)?, cx.outputs.take::<f32>(0)?);
        y.iter_mut().zip(x).for_each(|(y, x)| *y = self.by * x);
        Ok(())
    }
}

/// Blocks.
pub mod blocks {
    mxr::network!(
        /// The operator, for others.
        #[defaults(by = 2.0)]
        pub extern "Rust" fn scaled(x: Tensor, by: f32) -> Tensor {
            crate::Scaled { by }
        }

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
