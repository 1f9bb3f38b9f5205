use mxr::op::{ArrayType, Forward, Misfit, OpError, Operator};

struct Roll {
    by: usize,
}

impl Operator for Roll {
    fn name(&self) -> &str {
        "roll"
    }

    fn infer(&self, inputs: &[ArrayType]) -> Result<Vec<ArrayType>, Misfit> {
        Ok(inputs.to_vec())
    }

    fn forward(&self, cx: &mut Forward<'_>) -> Result<(), OpError> {
        let (x, y) = (cx.inputs.get::<f32>(0)?, cx.outputs.take::<f32>(0)?);
        y.copy_from_slice(x);
        y.rotate_right(self.by);
        Ok(())
    }
}

mxr::network!(
    extern "Rust" fn roll(x: Tensor, by: usize) -> Tensor {
        Roll { by }
    }

    pub fn Net(data: Tensor<N, 8>) {
        let turned = roll(data, N);
        dense(turned, 4)
    }
);

fn main() {}
