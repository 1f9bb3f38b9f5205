//! The operators' samples as bound networks, with the values that they ask for.

use mxr::graph::compile;
use mxr::graph::dtype::DType;
use mxr::graph::graph::{Graph, Source, ValueId};
use mxr::graph::ops::{Operator, Sample, SampleValues};
use mxr::graph::shape::Shape;
use mxr::io::HostArray;
use mxr::{BindOptions, Executor, GradReq, NDArray, Result, SharedPrograms};
use std::sync::Arc;

/// Reproducible random numbers (splitmix64).
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(crate) fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// What a sample asks for.
    pub(crate) fn fill(&mut self, count: usize, values: SampleValues) -> Vec<f64> {
        match values {
            SampleValues::Uniform(low, high) => (0..count).map(|_| self.uniform(low, high)).collect(),
            SampleValues::AwayFromZero(low, high) => (0..count)
                .map(|_| self.uniform(low, high) * if self.next() & 1 == 0 { 1.0 } else { -1.0 })
                .collect(),
            SampleValues::Distinct => {
                let mut list: Vec<f64> = (0..count).map(|i| 0.25 * i as f64 - 0.125 * count as f64).collect();
                for i in (1..count).rev() {
                    list.swap(i, self.below(i + 1));
                }
                list
            }
            SampleValues::Labels(classes) => {
                (0..count).map(|_| self.below(classes as usize) as f64).collect()
            }
        }
    }
}

/// An operand, a parameter or a state of a sample.
pub(crate) struct Leaf {
    pub(crate) name: String,
    pub(crate) values: Vec<f64>,
    source: Source,
    /// Numbers that a gradient may go to.
    pub(crate) float: bool,
}

/// A sample as a network.
pub(crate) struct Case {
    pub(crate) graph: Graph,
    pub(crate) leaves: Vec<Leaf>,
}

impl Case {
    /// The call, in a network of floats of this type. The values depend on the generator alone.
    pub(crate) fn new(
        op: &'static dyn Operator,
        sample: &Sample,
        float: DType,
        rng: &mut Rng,
    ) -> Result<Case> {
        let mut graph = Graph::new("sample");
        let mut operands = Vec::new();
        for (i, x) in sample.inputs.iter().enumerate() {
            let dtype = sample.dtype(i, float);
            operands.push(graph.input(&format!("x{i}"), Shape::of(&x.shape), dtype));
        }
        let outputs = graph.call(op, &sample.options, &operands, Some("it"))?;
        graph.outputs = outputs.into_iter().filter(|v| graph.value(*v).dtype.is_float()).collect();
        assert!(graph.settle().is_empty(), "a sample has no unknown shapes");
        let mut leaves = Vec::new();
        for (i, value) in graph.values.iter().enumerate() {
            let kind = match (value.source, operands.iter().position(|o| *o == ValueId(i as u32))) {
                (Source::Input, Some(n)) => sample.inputs[n].values,
                (Source::Aux, _) if value.name.ends_with("_var") => SampleValues::Uniform(0.5, 1.5),
                (Source::Param | Source::Aux, _) => SampleValues::Uniform(-1.0, 1.0),
                _ => continue,
            };
            let count = value.shape.iter().map(|d| d.as_const().expect("a number") as usize).product();
            leaves.push(Leaf {
                name: value.name.clone(),
                values: rng.fill(count, kind),
                source: value.source,
                float: value.dtype.is_float() && value.source != Source::Aux,
            });
        }
        Ok(Case { graph, leaves })
    }

    /// Bound with all gradients, every value at its place.
    pub(crate) fn bind(&self) -> Result<Executor> {
        let train = compile::train(self.graph.clone())?;
        let predict = compile::predict(self.graph.clone())?;
        let has = |l: &&Leaf| {
            l.float && train.grads.iter().any(|(of, _)| train.values[*of as usize].name == l.name)
        };
        let wanted = self.leaves.iter().filter(has);
        let options = wanted.fold(BindOptions::new(), |o, leaf| o.grad(&leaf.name, GradReq::Write));
        let programs = SharedPrograms {
            train: Some(Arc::new(train)),
            predict: Arc::new(predict),
            operators: Arc::new([]),
        };
        let net = Executor::bind_shared(programs, &[], options)?;
        for leaf in &self.leaves {
            leaf.put(&net, &leaf.values)?;
        }
        Ok(net)
    }
}

impl Leaf {
    /// Its array in a bound network.
    pub(crate) fn array<'n>(&self, net: &'n Executor) -> Result<&'n NDArray> {
        match self.source {
            Source::Input => net.input(&self.name),
            Source::Param => net.param(&self.name),
            _ => net.state(&self.name),
        }
    }

    /// Set its values, converted to its type.
    pub(crate) fn put(&self, net: &Executor, values: &[f64]) -> Result<()> {
        let array = self.array(net)?;
        array.copy_from_host(&HostArray::from_vec(values.to_vec(), array.shape())?)
    }
}

/// The elements in f64.
pub(crate) fn numbers(array: &NDArray) -> Result<Vec<f64>> {
    array.to_dtype(DType::F64)?.to_vec::<f64>()
}
