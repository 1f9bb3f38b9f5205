use mxr::op::{ArrayType, Forward, Misfit, OpError, Operator};

struct Swish {
    beta: f32,
}

impl Operator for Swish {
    fn name(&self) -> &str {
        "swish"
    }

    fn infer(&self, inputs: &[ArrayType]) -> Result<Vec<ArrayType>, Misfit> {
        Ok(inputs.to_vec())
    }

    fn forward(&self, cx: &mut Forward<'_>) -> Result<(), OpError> {
        let (x, y) = (cx.inputs.get::<f32>(0)?, cx.outputs.take::<f32>(0)?);
        y.iter_mut().zip(x).for_each(|(y, x)| *y = x / (1.0 + (-self.beta * x).exp()));
        Ok(())
    }
}

mxr::network!(
    extern "Rust" fn swish(x: Tensor, beta: f32) {
        Swish { beta }
    }

    pub fn Net(data: Tensor<N, 8>) {
        dense(swish(data, 1.0), 4)
    }
);

fn main() {}
