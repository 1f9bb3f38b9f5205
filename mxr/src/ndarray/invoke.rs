//! An operator applied to arrays: the shape rule, the instruction, a kernel, a push.

use super::NDArray;
use crate::device::cpu;
use crate::device::kernel::{Call, Key, Request, Spec};
use crate::engine::Properties;
use crate::error::{Error, Result};
use mxr_graph::graph::{Graph, Source, ValueId};
use mxr_graph::instr::{Instr, Scalar};
use mxr_graph::ops::{self, Lower, Lowered};
use mxr_graph::schema::{Arg, OperandKind};
use mxr_graph::shape::Shape;

impl NDArray {
    /// An operator by its name, for code that reads networks or drives all operators alike; elsewhere the operators'
    /// own methods are better. Operands are in the order of the operator's schema: data, then parameters, then states. An
    /// option that the parameters tell (`filters`, `units`) may be left out.
    ///
    /// # Errors
    ///
    /// An unknown operator or option, and everything that the operator's own method refuses.
    ///
    /// ```
    /// use mxr::{NDArray, graph::schema::Arg};
    /// let x = NDArray::arange(6)?.reshape([2, 3])?;
    /// let y = NDArray::apply("sum", &[&x], &[("axes", Arg::Int(1))])?;
    /// assert_eq!(y[0].to_vec::<f32>()?, [3.0, 12.0]);
    /// # Ok::<(), mxr::Error>(())
    /// ```
    #[track_caller]
    pub fn apply(op: &str, operands: &[&NDArray], options: &[(&str, Arg)]) -> Result<Vec<NDArray>> {
        let operator = crate::opts::operator(op)?;
        invoke(operator.schema().name, operands, &crate::opts::known(operator, options)?)
    }
}

/// What the generated methods call: all visible results.
#[track_caller]
pub(crate) fn invoke(
    op: &'static str,
    inputs: &[&NDArray],
    options: &[(&'static str, Arg)],
) -> Result<Vec<NDArray>> {
    let operator = ops::find(op).expect("generated from the list");
    for i in inputs {
        i.sound()?;
    }
    same_device(op, inputs)?;
    let mut graph = Graph::new("");
    let operands: Vec<ValueId> = inputs
        .iter()
        .enumerate()
        .map(|(i, a)| {
            let name = match operator.schema().inputs.get(i) {
                Some(o) if o.kind != OperandKind::Variadic => o.name.to_string(),
                _ => format!("input{i}"),
            };
            graph.add_value(&name, Shape::of(&a.shape), a.dtype, Source::Input)
        })
        .collect();
    let results = graph.call(operator, options, &operands, Some("")).map_err(|mut e| {
        e.layer.clear();
        e
    })?;
    if let Some(made) = graph.values.iter().find(|v| matches!(v.source, Source::Param | Source::Aux)) {
        let what = made.name.trim_start_matches('_');
        return Err(Error::invalid(
            op,
            format!("its operand `{what}` is missing"),
            match what {
                "bias" => "give it after the weight, or set the option `bias` to false",
                _ => "an operator on arrays makes no parameters by itself: give all of them",
            },
        ));
    }
    let open = graph.settle();
    debug_assert!(open.is_empty(), "shapes of arrays are known");
    for check in &graph.checks {
        let value = check.dim.as_const().unwrap_or(0);
        if value < 0 || (check.exact && value != 0) {
            return Err(check.error.clone().into());
        }
    }
    run(op, &graph, &operands, inputs, &results)
}

/// Run the nodes of a small graph, which is one for most operators.
#[track_caller]
fn run(
    op: &'static str,
    graph: &Graph,
    operands: &[ValueId],
    inputs: &[&NDArray],
    results: &[ValueId],
) -> Result<Vec<NDArray>> {
    let device = match inputs.first() {
        Some(a) => a.device.clone(),
        None => crate::device::Device::cpu(),
    };
    let mut arrays: Vec<Option<NDArray>> = vec![None; graph.values.len()];
    for (v, a) in operands.iter().zip(inputs) {
        arrays[v.index()] = Some((*a).clone());
    }
    for node in &graph.nodes {
        let lowered = node.op.lower(Lower { graph, node });
        let reads: Vec<NDArray> =
            node.inputs.iter().map(|v| arrays[v.index()].clone().expect("topological order")).collect();
        if lowered == Lowered::Instr(Instr::View) {
            let shape = extents(&graph.value(node.outputs[0]).shape);
            arrays[node.outputs[0].index()] = Some(reads[0].view(&shape));
            continue;
        }
        let mut writes = Vec::with_capacity(node.outputs.len());
        for v in &node.outputs {
            let value = graph.value(*v);
            writes.push(NDArray::uninit(&device, &extents(&value.shape), value.dtype)?);
        }
        let (instr, expr) = match lowered {
            Lowered::Instr(i) => (i, Vec::new()),
            Lowered::Map(e) => (Instr::Map(0), e.lines),
            Lowered::MapReduce(e, kind, axes) => (Instr::MapReduce { expr: 0, kind, axes }, e.lines),
        };
        push(op, &instr, &expr, &reads, &writes, &vec![None; reads.len()])?;
        for (v, a) in node.outputs.iter().zip(writes) {
            arrays[v.index()] = Some(a);
        }
    }
    Ok(results.iter().map(|v| arrays[v.index()].clone().expect("made by a node")).collect())
}

fn extents(shape: &Shape) -> Vec<usize> {
    shape.iter().map(|d| usize::try_from(d.as_const().unwrap_or(0)).unwrap_or(0)).collect()
}

/// Push one instruction. `in_place[i]` is the result whose memory read `i` is.
#[track_caller]
pub(super) fn push(
    name: &'static str,
    instr: &Instr,
    expr: &[Scalar],
    reads: &[NDArray],
    writes: &[NDArray],
    in_place: &[Option<usize>],
) -> Result<()> {
    let read_specs: Vec<Spec<'_>> = reads.iter().map(NDArray::spec).collect();
    let write_specs: Vec<Spec<'_>> = writes.iter().map(NDArray::spec).collect();
    let request = Request {
        instr,
        expr,
        function: None,
        reads: &read_specs,
        writes: &write_specs,
        in_place,
        fixed_weight: false,
    };
    // The device speaks of its instruction; the caller knows the operator.
    let kernel = cpu::prepare(&request).map_err(|e| match e {
        Error::Invalid { problem, help, .. } => Error::invalid(name, problem, help),
        other => other,
    })?;
    let device = match writes.first() {
        Some(a) => a.device.clone(),
        None => return Ok(()),
    };
    let workspace = match kernel.workspace {
        0 => None,
        bytes => Some(NDArray::uninit(&device, &[bytes], mxr_graph::dtype::DType::U8)?.part()),
    };
    let read_parts: Vec<_> = reads.iter().map(NDArray::part).collect();
    let write_parts: Vec<_> = writes.iter().map(NDArray::part).collect();
    let operands = request.operands(&read_parts, &write_parts, workspace)?;
    let key = match instr {
        Instr::Dropout { .. } => device.next_key(),
        _ => Key::default(),
    };
    let vars = operands.vars();
    let whole = writes.iter().all(|w| w.start == 0 && w.bytes().len() == w.buffer.len())
        && in_place.iter().all(Option::is_none)
        && instr.mutates().is_empty();
    let props = Properties::new(name).overwrites(whole);
    device.engine().push(&vars.reads(), &vars.writes(), props, move |ctx| {
        ctx.with(&operands, |reads, writes| (kernel.run)(&mut Call { reads, writes, key }))?
    });
    Ok(())
}

/// `target = source`, converted.
#[track_caller]
pub(super) fn assign(target: &NDArray, source: &NDArray) -> Result<()> {
    same_device("assign", &[target, source])?;
    if target.shares_memory_with(source) {
        if target.start == source.start && target.dtype == source.dtype {
            return Ok(());
        }
        // Parts of one buffer may overlap; by way of new memory they cannot.
        let fresh = NDArray::uninit(&source.device, &source.shape, source.dtype)?;
        push("copy", &Instr::Cast, &[], std::slice::from_ref(source), std::slice::from_ref(&fresh), &[None])?;
        return assign(target, &fresh);
    }
    push("assign", &Instr::Cast, &[], std::slice::from_ref(source), std::slice::from_ref(target), &[None])
}

/// `target = value`.
#[track_caller]
pub(super) fn fill(target: &NDArray, value: f64) -> Result<()> {
    push("fill", &Instr::Fill(value), &[], &[], std::slice::from_ref(target), &[])
}

pub(super) fn same_device(op: &str, arrays: &[&NDArray]) -> Result<()> {
    match arrays.windows(2).all(|w| w[0].device.same(&w[1].device)) {
        true => Ok(()),
        false => Err(Error::invalid(
            op,
            "its arrays are on different devices",
            "bring them to one device with `copy_to`",
        )),
    }
}
