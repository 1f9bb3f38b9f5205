//! Gradients against finite differences: every operator whose instructions the reference knows, and random graphs of them.

mod reference;

use mxr_graph::dtype::DType;
use mxr_graph::error::ShapeError;
use mxr_graph::grad::backward;
use mxr_graph::graph::{Graph, Source, ValueId};
use mxr_graph::ops::{OPS, Operator, Sample, SampleValues};
use mxr_graph::shape::Shape;
use mxr_graph::verify::verify;
use reference::{Rng, Values, numbers, operands, run};

/// Values with their elements.
type Given = Vec<(ValueId, Vec<f64>)>;

/// Compare every gradient of the graph with central differences of `Σ ⟨output, head gradient⟩`.
fn check(what: &str, graph: &Graph, given: &[(ValueId, Vec<f64>)], rng: &mut Rng) -> Result<usize, String> {
    let mut values: Values = vec![None; graph.values.len()];
    for (v, x) in given {
        values[v.index()] = Some(x.clone());
    }
    for (i, v) in graph.values.iter().enumerate() {
        if let Source::HeadGrad(_) = v.source {
            let count = numbers(&v.shape).iter().product();
            values[i] = Some(rng.fill(count, SampleValues::Uniform(0.5, 1.5)));
        }
    }
    let loss = |values: &Values| -> Result<f64, String> {
        let done = run(graph, values.clone())?;
        let mut sum = 0.0;
        for o in &graph.outputs {
            let y = done[o.index()].as_ref().expect("computed");
            let head = graph.values.iter().position(|v| v.source == Source::HeadGrad(*o));
            match head {
                Some(h) => {
                    sum += y.iter().zip(values[h].as_ref().expect("filled")).map(|(y, h)| y * h).sum::<f64>()
                }
                None if y.len() == 1 => sum += y[0],
                None => {}
            }
        }
        Ok(sum)
    };
    let done = run(graph, values.clone())?;
    let mut count = 0;
    for (v, x) in given {
        if !graph.value(*v).dtype.is_float() {
            continue;
        }
        let gradient = graph.grads.iter().find(|(of, _)| of == v).map(|(_, g)| *g);
        let zeros = vec![0.0; x.len()];
        let have = gradient.map_or(&zeros, |g| done[g.index()].as_ref().expect("computed"));
        for at in 0..x.len() {
            let h = 1e-5;
            let side = |by: f64| {
                let mut values = values.clone();
                values[v.index()].as_mut().expect("given")[at] += by;
                loss(&values)
            };
            let want = (side(h)? - side(-h)?) / (2.0 * h);
            let error = (have[at] - want).abs();
            let name = &graph.value(*v).name;
            let have = have[at];
            assert!(
                error <= 1e-6 * (1.0 + want.abs()),
                "{what}: the gradient of {name}[{at}] is {have}, differences say {want}\n{graph}"
            );
            count += 1;
        }
    }
    Ok(count)
}

/// A sample as a graph with its backward pass.
fn differentiated(
    op: &'static dyn Operator,
    sample: &Sample,
    rng: &mut Rng,
) -> Result<(Graph, Given), ShapeError> {
    let mut g = Graph::new("sample");
    let data = operands(sample, rng);
    let mut given = Vec::new();
    for (i, x) in data.into_iter().enumerate() {
        let shape = Shape::of(&sample.inputs[i].shape);
        given.push((g.input(&format!("x{i}"), shape, sample.dtype(i, DType::F64)), x));
    }
    let inputs: Vec<ValueId> = given.iter().map(|(v, _)| *v).collect();
    let outputs = g.call(op, &sample.options, &inputs, None)?;
    g.outputs = outputs.into_iter().filter(|o| g.value(*o).dtype.is_float()).collect();
    for v in (0..g.values.len() as u32).map(ValueId) {
        if g.value(v).source == Source::Param {
            let count = numbers(&g.value(v).shape).iter().product();
            given.push((v, rng.fill(count, SampleValues::Uniform(-1.0, 1.0))));
        }
    }
    let wrt: Vec<ValueId> = given.iter().map(|(v, _)| *v).collect();
    backward(&mut g, &wrt)?;
    g.settle();
    Ok((g, given))
}

#[test]
fn operators() {
    let (mut checked, mut elements, mut left) = (Vec::new(), 0, Vec::new());
    let mut rng = Rng(1);
    for op in OPS.iter().copied() {
        let name = op.schema().name;
        for (i, sample) in op.samples().iter().enumerate() {
            let (g, given) = differentiated(op, sample, &mut rng).unwrap_or_else(|e| panic!("{name}: {e}"));
            verify(&g).unwrap_or_else(|e| panic!("{name}, sample {i}: {e}\n{g}"));
            if name == "stop_gradient" {
                assert!(g.grads.is_empty(), "it is there to have none");
                continue;
            }
            match check(&format!("{name}, sample {i}"), &g, &given, &mut rng) {
                Ok(n) => {
                    elements += n;
                    checked.push(name);
                }
                Err(instr) => left.push(format!("{name} ({})", instr.split(['(', ' ']).next().unwrap_or(""))),
            }
        }
    }
    left.dedup();
    checked.dedup();
    println!("{} operators, {elements} elements; left to the kernels' suite: {left:?}", checked.len());
    for name in
        ["add", "pow", "gelu", "softplus", "clip", "matmul", "max", "concat", "split", "slice", "transpose"]
    {
        assert!(checked.contains(&name), "{name} was not checked");
    }
    assert!(checked.len() >= 48, "{checked:?}");
}

#[test]
fn powers_at_zero() {
    let pow = mxr_graph::ops::find("pow").expect("an operator");
    let mut g = Graph::new("t");
    let a = g.param("a", Shape::of(&[3]), DType::F64);
    let b = g.param("b", Shape::of(&[3]), DType::F64);
    g.outputs = g.call(pow, &[], &[a, b], None).expect("fits");
    backward(&mut g, &[a, b]).expect("differentiable");
    let head = g.values.iter().position(|v| matches!(v.source, Source::HeadGrad(_))).expect("not a scalar");
    let mut values: Values = vec![None; g.values.len()];
    values[a.index()] = Some(vec![0.0, 0.0, 3.0]);
    values[b.index()] = Some(vec![0.0, 2.0, 0.0]);
    values[head] = Some(vec![1.0; 3]);
    let done = run(&g, values).expect("known instructions");
    assert_eq!(done[g.grads[0].1.index()].as_deref(), Some(&[0.0, 0.0, 0.0][..]));
    assert_eq!(done[g.grads[1].1.index()].as_deref(), Some(&[0.0, 0.0, 3f64.ln()][..]));
}
