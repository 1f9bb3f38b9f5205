//! A graph computed in f64, one element at a time, by the definitions in `instr`. For tests only: kernels have references of
//! their own; this one says whether the operators and their gradients mean what they should.
#![allow(dead_code, unreachable_pub)] // every test crate takes its share

mod kept;
pub mod random;

use mxr_graph::expr::Expr;
use mxr_graph::graph::{Graph, Node, Source, ValueId};
use mxr_graph::instr::{BinOp, Instr, ReduceKind, Scalar, UnOp};
use mxr_graph::ops::{Lower, Lowered, Sample, SampleValues};
use mxr_graph::shape::Shape;

/// Random numbers: splitmix64.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn range(&mut self, lo: i64, hi: i64) -> i64 {
        lo + self.below((hi - lo + 1) as usize) as i64
    }

    pub fn uniform(&mut self, lo: f64, hi: f64) -> f64 {
        lo + (hi - lo) * (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    pub fn fill(&mut self, count: usize, values: SampleValues) -> Vec<f64> {
        match values {
            SampleValues::Uniform(lo, hi) => (0..count).map(|_| self.uniform(lo, hi)).collect(),
            SampleValues::AwayFromZero(lo, hi) => {
                (0..count).map(|_| self.uniform(lo, hi) * self.pick(&[1.0, -1.0])).collect()
            }
            SampleValues::Distinct => {
                let mut list: Vec<f64> = (0..count).map(|i| i as f64 * 0.1 - count as f64 * 0.05).collect();
                for i in (1..count).rev() {
                    list.swap(i, self.below(i + 1));
                }
                list
            }
            SampleValues::Labels(n) => (0..count).map(|_| self.below(n as usize) as f64).collect(),
        }
    }
}

/// The operands of a sample.
pub fn operands(sample: &Sample, rng: &mut Rng) -> Vec<Vec<f64>> {
    sample.inputs.iter().map(|i| rng.fill(i.shape.iter().product(), i.values)).collect()
}

/// The elements of every value.
pub type Values = Vec<Option<Vec<f64>>>;

/// Compute every value from those that are given; an instruction that is not known here comes back as text.
pub fn run(graph: &Graph, mut values: Values) -> Result<Values, String> {
    values.resize(graph.values.len(), None);
    for node in &graph.nodes {
        for (o, y) in node.outputs.iter().zip(eval(graph, node, &values)?) {
            values[o.index()] = Some(y);
        }
    }
    Ok(values)
}

/// Values of all kinds but results.
pub fn sources(graph: &Graph) -> impl Iterator<Item = ValueId> {
    (0..graph.values.len())
        .map(|i| ValueId(i as u32))
        .filter(|v| !matches!(graph.value(*v).source, Source::Node { .. }))
}

pub fn numbers(shape: &Shape) -> Vec<usize> {
    shape.iter().map(|d| d.as_const().expect("shapes of numbers") as usize).collect()
}

/// Every index of a shape in row-major order.
fn indices(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> + '_ {
    (0..shape.iter().product::<usize>()).map(move |mut at| {
        let mut index = vec![0; shape.len()];
        for (i, n) in index.iter_mut().zip(shape).rev() {
            (*i, at) = (at % n, at / n);
        }
        index
    })
}

fn offset(shape: &[usize], index: &[usize]) -> usize {
    shape.iter().zip(index).fold(0, |at, (n, i)| at * n + i)
}

/// The offset of `index` in an array that broadcasts to the shape of the index.
fn broadcast(shape: &[usize], index: &[usize]) -> usize {
    let tail = &index[index.len() - shape.len()..];
    shape.iter().zip(tail).fold(0, |at, (n, i)| at * n + if *n == 1 { 0 } else { *i })
}

fn eval(graph: &Graph, node: &Node, values: &Values) -> Result<Vec<Vec<f64>>, String> {
    // Of statistics only the first result is computed here; the instruction that reads another is not known either.
    let xs: Vec<&[f64]> =
        node.inputs.iter().map(|i| values[i.index()].as_deref().unwrap_or_default()).collect();
    let shapes: Vec<Vec<usize>> = node.inputs.iter().map(|i| numbers(&graph.value(*i).shape)).collect();
    let to = &graph.value(node.outputs[0]);
    if matches!(node.op.lower(Lower { graph, node }), Lowered::Instr(Instr::Cast)) && !to.dtype.is_float() {
        return Err(format!("a cast to {}", to.dtype));
    }
    compute(&node.op.lower(Lower { graph, node }), &xs, &shapes, &numbers(&to.shape))
}

/// The results of an instruction, the first of shape `to`; an instruction that is not known here comes back as text.
pub fn compute(
    lowered: &Lowered,
    xs: &[&[f64]],
    shapes: &[Vec<usize>],
    to: &[usize],
) -> Result<Vec<Vec<f64>>, String> {
    if let Lowered::Instr(instr) = lowered
        && let Some(results) = kept::compute(instr, xs, shapes, to)
    {
        return Ok(results);
    }
    single(lowered, xs, shapes, to).map(|y| vec![y])
}

fn single(lowered: &Lowered, xs: &[&[f64]], shapes: &[Vec<usize>], to: &[usize]) -> Result<Vec<f64>, String> {
    let x = |i: usize| xs[i];
    let shape = |i: usize| shapes[i].clone();
    let count: usize = to.iter().product();
    let instr = match lowered {
        Lowered::Map(e) => {
            let at = |index: &[usize]| -> Vec<f64> {
                (0..xs.len()).map(|i| x(i)[broadcast(&shape(i), index)]).collect()
            };
            return Ok(indices(to).map(|i| scalar(e, &at(&i))).collect());
        }
        Lowered::MapReduce(e, kind, axes) => {
            let rank = shapes.iter().map(Vec::len).max().unwrap_or(0);
            let mut common = vec![1; rank];
            for s in shapes {
                for (c, n) in common[rank - s.len()..].iter_mut().zip(s).filter(|(_, n)| **n != 1) {
                    *c = *n;
                }
            }
            let mapped = single(&Lowered::Map(e.clone()), xs, shapes, &common)?;
            return single(&Lowered::Instr(Instr::Reduce(*kind, *axes)), &[&mapped], &[common], to);
        }
        Lowered::Instr(instr) => *instr,
    };
    let mut y = vec![0.0; count];
    match instr {
        Instr::View => y.copy_from_slice(x(0)),
        Instr::Cast => y.copy_from_slice(x(0)),
        Instr::Fill(value) => y.fill(value),
        Instr::Reduce(kind, axes) => {
            let from = shape(0);
            let start = match kind {
                ReduceKind::Max => f64::NEG_INFINITY,
                ReduceKind::Min => f64::INFINITY,
                ReduceKind::Sum | ReduceKind::Mean => 0.0,
            };
            y.fill(start);
            let kept: Vec<usize> = (0..from.len()).map(|a| if axes.has(a) { 1 } else { from[a] }).collect();
            let repeats = x(0).len() / count;
            for i in indices(&from) {
                let (v, at) = (x(0)[offset(&from, &i)], broadcast(&kept, &i));
                match kind {
                    ReduceKind::Sum => y[at] += v,
                    ReduceKind::Mean => y[at] += v / repeats as f64,
                    ReduceKind::Max => y[at] = y[at].max(v),
                    ReduceKind::Min => y[at] = y[at].min(v),
                }
            }
        }
        Instr::Expand { axes, mean } => {
            let kept: Vec<usize> = (0..to.len()).map(|a| if axes.has(a) { 1 } else { to[a] }).collect();
            let divisor = if mean { count as f64 / x(0).len() as f64 } else { 1.0 };
            for i in indices(to) {
                y[offset(to, &i)] = x(0)[broadcast(&kept, &i)] / divisor;
            }
        }
        Instr::MatMul { trans_a, trans_b, epilogue } => {
            let (a, b) = (shape(0), shape(1));
            let k = a[a.len() - if trans_a { 2 } else { 1 }];
            let bias_at = 2 + usize::from(epilogue.residual);
            for i in indices(to) {
                let (lead, last) = i.split_at(to.len() - 2);
                let stack = |s: &[usize], row: usize, column: usize, turned: bool| {
                    let (r, c) = if turned { (column, row) } else { (row, column) };
                    let (outer, [rows, columns]) = (&s[..s.len() - 2], [s[s.len() - 2], s[s.len() - 1]]);
                    (broadcast(outer, lead) * rows + r) * columns + c
                };
                let at = offset(to, &i);
                let bias = if xs.len() == bias_at + 1 + usize::from(epilogue.mask) {
                    x(bias_at)[last[1]]
                } else {
                    0.0
                };
                y[at] = bias
                    + (0..k)
                        .map(|l| x(0)[stack(&a, last[0], l, trans_a)] * x(1)[stack(&b, l, last[1], trans_b)])
                        .sum::<f64>();
                if epilogue.residual {
                    y[at] += x(2)[at];
                }
                if epilogue.relu {
                    y[at] = y[at].max(0.0);
                }
                if epilogue.mask && x(xs.len() - 1)[at] <= 0.0 {
                    y[at] = 0.0;
                }
            }
        }
        Instr::Transpose { perm } => {
            let from = shape(0);
            for i in indices(to) {
                let mut at = vec![0; from.len()];
                for (i, p) in i.iter().zip(perm) {
                    at[usize::from(p)] = *i;
                }
                y[offset(to, &i)] = x(0)[offset(&from, &at)];
            }
        }
        Instr::Concat { axis } => {
            let axis = usize::from(axis);
            for mut i in indices(to) {
                let at = offset(to, &i);
                let mut input = 0;
                while i[axis] >= shape(input)[axis] {
                    i[axis] -= shape(input)[axis];
                    input += 1;
                }
                y[at] = x(input)[offset(&shape(input), &i)];
            }
        }
        Instr::Slice { begin, step } => {
            let from = shape(0);
            for i in indices(to) {
                y[offset(to, &i)] = x(0)[offset(&from, &moved(&i, &begin, &step))];
            }
        }
        Instr::SliceBackward { begin, step } => {
            for i in indices(&shape(0)) {
                y[offset(to, &moved(&i, &begin, &step))] = x(0)[offset(&shape(0), &i)];
            }
        }
        other => return Err(format!("{other:?}")),
    }
    Ok(y)
}

fn moved(index: &[usize], begin: &[i64], step: &[i64]) -> Vec<usize> {
    index.iter().zip(begin).zip(step).map(|((i, b), s)| (b + *i as i64 * s) as usize).collect()
}

/// The value of a scalar expression.
pub fn scalar(expr: &Expr, inputs: &[f64]) -> f64 {
    let mut lines: Vec<f64> = Vec::with_capacity(expr.lines.len());
    for line in &expr.lines {
        let at = |l: u16| lines[usize::from(l)];
        let value = match *line {
            Scalar::In(i) => inputs[usize::from(i)],
            Scalar::Const(x) => x,
            Scalar::Un(op, x) => unary(op, at(x)),
            Scalar::Bin(op, a, b) => binary(op, at(a), at(b)),
            Scalar::Select(c, a, b) => {
                if at(c) != 0.0 {
                    at(a)
                } else {
                    at(b)
                }
            }
        };
        lines.push(value);
    }
    *lines.last().expect("an expression has a line")
}

fn unary(op: UnOp, x: f64) -> f64 {
    match op {
        UnOp::Neg => -x,
        UnOp::Abs => x.abs(),
        UnOp::Sign => {
            if x == 0.0 {
                0.0
            } else {
                x.signum()
            }
        }
        UnOp::Exp => x.exp(),
        UnOp::Log => x.ln(),
        UnOp::Log1p => x.ln_1p(),
        UnOp::Sqrt => x.sqrt(),
        UnOp::Recip => 1.0 / x,
        UnOp::Tanh => x.tanh(),
        UnOp::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        UnOp::Erf => erf(x),
        UnOp::Floor => x.floor(),
    }
}

fn binary(op: BinOp, a: f64, b: f64) -> f64 {
    match op {
        BinOp::Add => a + b,
        BinOp::Sub => a - b,
        BinOp::Mul => a * b,
        BinOp::Div => a / b,
        BinOp::Pow => a.powf(b),
        BinOp::Max => {
            if a > b || a.is_nan() {
                a
            } else {
                b
            }
        }
        BinOp::Min => {
            if a < b || a.is_nan() {
                a
            } else {
                b
            }
        }
        BinOp::Gt => f64::from(a > b),
        BinOp::Ge => f64::from(a >= b),
        BinOp::Eq => f64::from(a == b),
    }
}

/// The error function by its series `2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (2n+1)!!`, whose terms are all of one sign.
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > 1e-17 * sum.abs() {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}
