//! Operators of the user's as kernels: their operands as typed arrays, their panics as errors.

use super::{ArrayType, Arrays, ArraysMut, Backward, Forward, Needs, Operator};
use crate::device::kernel::{Call, Kernel};
use crate::engine::{OpError, panic_text};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// `x… -> y…, saved…`.
pub(crate) fn forward(
    op: Arc<dyn Operator>,
    inputs: Vec<ArrayType>,
    outputs: Vec<ArrayType>,
    saved: Vec<ArrayType>,
) -> Kernel {
    let run = move |call: &mut Call<'_, '_, '_>| {
        let (made, kept) = call.writes.split_at_mut(outputs.len());
        let mut cx = Forward {
            inputs: Arrays::new("input", &inputs, Some(call.reads)),
            outputs: written("output", &outputs, made, u32::MAX),
            saved: written("saved array", &saved, kept, u32::MAX),
        };
        guarded(&*op, || op.forward(&mut cx))
    };
    Kernel { workspace: 0, form: None, run: Box::new(run) }
}

/// What a gradient is made of: `(x…,) (y…,) saved…, dy… -> dx…`.
pub(crate) struct Gradient {
    pub(crate) needs: Needs,
    /// The inputs whose gradients are made, one bit each.
    pub(crate) wants: u32,
    pub(crate) inputs: Vec<ArrayType>,
    pub(crate) outputs: Vec<ArrayType>,
    pub(crate) saved: Vec<ArrayType>,
}

pub(crate) fn backward(op: Arc<dyn Operator>, g: Gradient) -> Kernel {
    let run = move |call: &mut Call<'_, '_, '_>| {
        let there = |needed: bool, types: &[ArrayType]| if needed { types.len() } else { 0 };
        let (x, rest) = call.reads.split_at(there(g.needs.inputs, &g.inputs));
        let (y, rest) = rest.split_at(there(g.needs.outputs, &g.outputs));
        let (saved, dy) = rest.split_at(g.saved.len());
        let mut cx = Backward {
            inputs: Arrays::new("input", &g.inputs, g.needs.inputs.then_some(x)),
            outputs: Arrays::new("output", &g.outputs, g.needs.outputs.then_some(y)),
            saved: Arrays::new("saved array", &g.saved, Some(saved)),
            output_grads: Arrays::new("gradient of output", &g.outputs, Some(dy)),
            input_grads: written("gradient of input", &g.inputs, call.writes, g.wants),
        };
        guarded(&*op, || op.backward(&mut cx))
    };
    Kernel { workspace: 0, form: None, run: Box::new(run) }
}

fn written<'a>(
    what: &'static str,
    types: &'a [ArrayType],
    parts: &'a mut [&mut [u8]],
    wanted: u32,
) -> ArraysMut<'a> {
    ArraysMut::new(what, types, parts.iter_mut().map(|p| &mut **p), wanted)
}

/// A panic of the user's code, that which tells its name included, is an error of its step. What it has written by then counts as not
/// made, so no broken state is seen.
fn guarded(op: &dyn Operator, run: impl FnOnce() -> Result<(), OpError>) -> Result<(), OpError> {
    let name = || {
        let name = catch_unwind(AssertUnwindSafe(|| op.name().to_string()));
        name.unwrap_or_else(|_| "an operator whose `name` panics".to_string())
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(|e| OpError::new(format!("{}: {e}", name()))),
        Err(payload) => Err(OpError::new(format!("{} panicked: {}", name(), panic_text(payload)))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Misfit;
    use super::*;

    /// Nothing of it can be asked.
    struct Broken;

    impl Operator for Broken {
        fn name(&self) -> &str {
            panic!("no name")
        }

        fn infer(&self, _: &[ArrayType]) -> Result<Vec<ArrayType>, Misfit> {
            Err("takes nothing".into())
        }

        fn forward(&self, _: &mut Forward<'_>) -> Result<(), OpError> {
            Ok(())
        }
    }

    #[test]
    fn a_name_that_panics_is_an_error_of_the_step() {
        for run in [|| Err(OpError::new("it fails")), || panic!("it panics")] {
            let error = guarded(&Broken, run).expect_err("it goes wrong").to_string();
            assert!(error.contains("whose `name` panics") && error.contains("it "), "{error}");
        }
    }
}
