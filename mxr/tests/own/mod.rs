//! Operators as a user would write them, for the tests.

use mxr::op::{ArrayType, Backward, Forward, Misfit, Needs, OpError, Operator, parallel};
use mxr::{DType, Error, Executor, Mode, NDArray};

pub(crate) fn numbers(shape: &[usize], seed: usize) -> NDArray {
    let n: usize = shape.iter().product();
    let all: Vec<f32> = (0..n).map(|i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 400.0 - 1.2).collect();
    NDArray::from_slice(&all, shape).unwrap()
}

pub(crate) fn bits(a: &NDArray) -> Vec<u32> {
    a.to_vec::<f32>().unwrap().iter().map(|x| x.to_bits()).collect()
}

pub(crate) fn message<T>(result: Result<T, Error>) -> String {
    result.err().expect("an error").to_string()
}

/// The loss and all gradients of a network of `x` `[4, 5]` and `label` after one step.
pub(crate) fn trained(net: &mut Executor) -> Vec<Vec<u32>> {
    for (i, (_, p)) in net.params().enumerate() {
        p.assign(&numbers(p.shape(), i)).unwrap();
    }
    net.set_input("x", &numbers(&[4, 5], 9)).unwrap();
    net.set_input("label", &NDArray::try_from([0i64, 2, 1, 2]).unwrap()).unwrap();
    net.forward(Mode::Train).unwrap();
    net.backward().unwrap();
    let mut all = vec![bits(&net.outputs()[0])];
    all.extend(net.grads().map(|(_, g)| bits(g)));
    all
}

fn one(inputs: &[ArrayType]) -> Result<&ArrayType, Misfit> {
    match inputs {
        [x] => Ok(x),
        _ => Err(format!("takes one input, {} given", inputs.len()).into()),
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// `y = x · σ(βx)`: its gradient needs the input.
pub(crate) struct Swish {
    pub(crate) beta: f32,
}

impl Operator for Swish {
    fn name(&self) -> &str {
        "swish"
    }
    fn infer(&self, inputs: &[ArrayType]) -> Result<Vec<ArrayType>, Misfit> {
        one(inputs).map(|x| vec![x.clone()])
    }
    fn forward(&self, cx: &mut Forward<'_>) -> Result<(), OpError> {
        let (x, y) = (cx.inputs.get::<f32>(0)?, cx.outputs.take::<f32>(0)?);
        parallel::for_each_mut(y, 64, |block, y| {
            y.iter_mut().zip(&x[64 * block..]).for_each(|(y, x)| *y = x * sigmoid(self.beta * x));
        });
        Ok(())
    }
    fn gradient(&self) -> Option<Needs> {
        Some(Needs::INPUTS)
    }
    fn backward(&self, cx: &mut Backward<'_>) -> Result<(), OpError> {
        let (x, dy) = (cx.inputs.get::<f32>(0)?, cx.output_grads.get::<f32>(0)?);
        let dx = cx.input_grads.take::<f32>(0)?;
        parallel::for_each_mut(dx, 64, |block, dx| {
            for ((dx, x), dy) in dx.iter_mut().zip(&x[64 * block..]).zip(&dy[64 * block..]) {
                let s = sigmoid(self.beta * x);
                *dx = dy * (s + self.beta * x * s * (1.0 - s));
            }
        });
        assert!(cx.outputs.get::<f32>(0).is_err(), "outputs are not kept");
        Ok(())
    }
}

/// `y = (x − mean) / √(variance + ε)` along the last axis: its gradient needs the output and what it saves.
pub(crate) struct LayerNorm {
    pub(crate) eps: f32,
}

impl Operator for LayerNorm {
    fn name(&self) -> &str {
        "layer_norm"
    }
    fn infer(&self, inputs: &[ArrayType]) -> Result<Vec<ArrayType>, Misfit> {
        match one(inputs)? {
            x if x.shape.is_empty() => Err(Misfit::new("needs at least one axis")
                .help("normalise along the last axis of `[n, features]`")),
            x => Ok(vec![x.clone()]),
        }
    }
    fn forward(&self, cx: &mut Forward<'_>) -> Result<(), OpError> {
        let (x, y) = (cx.inputs.get::<f32>(0)?, cx.outputs.take::<f32>(0)?);
        let width = cx.inputs.shape(0).last().copied().unwrap_or(1);
        if x.is_empty() {
            return Ok(());
        }
        let row = |x: &[f32], y: &mut [f32]| {
            let mean = x.iter().sum::<f32>() / width as f32;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / width as f32;
            let scale = 1.0 / (variance + self.eps).sqrt();
            y.iter_mut().zip(x).for_each(|(y, x)| *y = (x - mean) * scale);
            scale
        };
        // Nothing is saved where no backward pass follows.
        if cx.saved.is_empty() {
            parallel::for_each_mut(y, width, |i, y| {
                row(&x[i * width..][..width], y);
            });
        } else {
            let scales = cx.saved.take::<f32>(0)?;
            parallel::for_each_mut2(y, width, scales, 1, |i, y, s| s[0] = row(&x[i * width..][..width], y));
        }
        Ok(())
    }
    fn gradient(&self) -> Option<Needs> {
        Some(Needs::OUTPUTS)
    }
    fn saved(&self, inputs: &[ArrayType]) -> Vec<ArrayType> {
        let rows = &inputs[0].shape[..inputs[0].shape.len() - 1];
        vec![inputs[0].with_shape(rows)]
    }
    fn backward(&self, cx: &mut Backward<'_>) -> Result<(), OpError> {
        let (y, dy) = (cx.outputs.get::<f32>(0)?, cx.output_grads.get::<f32>(0)?);
        let (scales, dx) = (cx.saved.get::<f32>(0)?, cx.input_grads.take::<f32>(0)?);
        let width = cx.inputs.shape(0).last().copied().unwrap_or(1);
        if y.is_empty() {
            return Ok(());
        }
        parallel::for_each_mut(dx, width, |i, dx| {
            let (y, dy) = (&y[i * width..][..width], &dy[i * width..][..width]);
            let mean = dy.iter().sum::<f32>() / width as f32;
            let along = y.iter().zip(dy).map(|(y, dy)| y * dy).sum::<f32>() / width as f32;
            for ((dx, y), dy) in dx.iter_mut().zip(y).zip(dy) {
                *dx = scales[i] * (dy - mean - y * along);
            }
        });
        Ok(())
    }
}

/// The smallest and the largest element: two scalars.
pub(crate) struct MinMax;

impl MinMax {
    fn ends(x: &[f32]) -> [usize; 2] {
        let by =
            |less: fn(f32, f32) -> bool| (0..x.len()).fold(0, |at, i| if less(x[i], x[at]) { i } else { at });
        [by(|a, b| a < b), by(|a, b| a > b)]
    }
}

impl Operator for MinMax {
    fn name(&self) -> &str {
        "min_max"
    }
    fn results(&self) -> usize {
        2
    }
    fn infer(&self, inputs: &[ArrayType]) -> Result<Vec<ArrayType>, Misfit> {
        let x = one(inputs)?;
        match x.is_empty() {
            true => Err("needs at least one element".into()),
            false => Ok(vec![x.with_shape([]); 2]),
        }
    }
    fn forward(&self, cx: &mut Forward<'_>) -> Result<(), OpError> {
        let x = cx.inputs.get::<f32>(0)?;
        let (low, high) = (cx.outputs.take::<f32>(0)?, cx.outputs.take::<f32>(1)?);
        let [min, max] = MinMax::ends(x);
        (low[0], high[0]) = (x[min], x[max]);
        Ok(())
    }
    fn gradient(&self) -> Option<Needs> {
        Some(Needs::INPUTS)
    }
    fn backward(&self, cx: &mut Backward<'_>) -> Result<(), OpError> {
        let ends = MinMax::ends(cx.inputs.get(0)?);
        let dx = cx.input_grads.take::<f32>(0)?;
        dx.fill(0.0);
        for (i, at) in ends.into_iter().enumerate() {
            dx[at] += cx.output_grads.get::<f32>(i)?[0];
        }
        Ok(())
    }
}

/// Rows of a table: `table [v, d], ids i64[n] -> [n, d]`.
pub(crate) struct Lookup;

impl Operator for Lookup {
    fn name(&self) -> &str {
        "lookup"
    }
    fn infer(&self, inputs: &[ArrayType]) -> Result<Vec<ArrayType>, Misfit> {
        let [table, ids] = inputs else { return Err("takes a table and class indices".into()) };
        if ids.dtype != DType::I64 {
            return Err(format!("needs class indices of i64, these are {}", ids.dtype).into());
        }
        match (&table.shape[..], &ids.shape[..]) {
            (&[_, d], &[n]) => Ok(vec![table.with_shape([n, d])]),
            _ => Err("needs a table [classes, features] and indices [n]".into()),
        }
    }
    fn forward(&self, cx: &mut Forward<'_>) -> Result<(), OpError> {
        let (table, ids) = (cx.inputs.get::<f32>(0)?, cx.inputs.get::<i64>(1)?);
        let d = cx.inputs.shape(0)[1];
        for (y, id) in cx.outputs.take::<f32>(0)?.chunks_exact_mut(d).zip(ids) {
            y.copy_from_slice(&table[*id as usize * d..][..d]);
        }
        Ok(())
    }
    fn gradient(&self) -> Option<Needs> {
        Some(Needs::INPUTS)
    }
    fn backward(&self, cx: &mut Backward<'_>) -> Result<(), OpError> {
        assert!(!cx.input_grads.is_wanted(1), "integers have no gradient");
        let (ids, dy) = (cx.inputs.get::<i64>(1)?, cx.output_grads.get::<f32>(0)?);
        let d = cx.inputs.shape(0)[1];
        if let Some(dx) = cx.input_grads.take_wanted::<f32>(0)? {
            dx.fill(0.0);
            for (dy, id) in dy.chunks_exact(d).zip(ids) {
                dx[*id as usize * d..][..d].iter_mut().zip(dy).for_each(|(dx, dy)| *dx += dy);
            }
        }
        Ok(())
    }
}

/// `y = a · x` in f32 and f64: its gradient needs nothing.
pub(crate) struct Scale(pub(crate) f64);

impl Operator for Scale {
    fn name(&self) -> &str {
        "scale"
    }
    fn infer(&self, inputs: &[ArrayType]) -> Result<Vec<ArrayType>, Misfit> {
        one(inputs).map(|x| vec![x.clone()])
    }
    fn forward(&self, cx: &mut Forward<'_>) -> Result<(), OpError> {
        if cx.inputs.ty(0).dtype == DType::F64 {
            let (x, y) = (cx.inputs.get::<f64>(0)?, cx.outputs.take::<f64>(0)?);
            y.iter_mut().zip(x).for_each(|(y, x)| *y = self.0 * x);
        } else {
            let (x, y) = (cx.inputs.get::<f32>(0)?, cx.outputs.take::<f32>(0)?);
            y.iter_mut().zip(x).for_each(|(y, x)| *y = self.0 as f32 * x);
        }
        Ok(())
    }
    fn gradient(&self) -> Option<Needs> {
        Some(Needs::NOTHING)
    }
    fn backward(&self, cx: &mut Backward<'_>) -> Result<(), OpError> {
        if cx.inputs.ty(0).dtype == DType::F64 {
            let (dy, dx) = (cx.output_grads.get::<f64>(0)?, cx.input_grads.take::<f64>(0)?);
            dx.iter_mut().zip(dy).for_each(|(dx, dy)| *dx = self.0 * dy);
        } else {
            let (dy, dx) = (cx.output_grads.get::<f32>(0)?, cx.input_grads.take::<f32>(0)?);
            dx.iter_mut().zip(dy).for_each(|(dx, dy)| *dx = self.0 as f32 * dy);
        }
        Ok(())
    }
}
