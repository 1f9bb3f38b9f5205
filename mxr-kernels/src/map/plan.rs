//! Compiling an expression and its shapes into steps over tiles.

use mxr_graph::instr::{BinOp, MAX_RANK, Scalar, UnOp};

use crate::map::Function;

/// Bytes of stack that hold the registers of one tile. Half of it is what tiles aim for, so that inputs fit
/// into the first-level cache beside them.
pub(crate) const SCRATCH: usize = 64 * 1024;
const AIM: usize = 24 * 1024;
const LONGEST: usize = 1024;
/// From this inner extent on tiles follow rows, so that broadcast inputs need no expansion.
const ROW: usize = 128;

/// Where a step finds an operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Arg {
    Reg(u16),
    In(u16),
    Const(f64),
}

/// What a step computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Op {
    Copy(Arg),
    Un(UnOp, Arg),
    Bin(BinOp, Arg, Arg),
    Select(Arg, Arg, Arg),
}

/// One vector operation over a tile; the last step has no register: it writes the output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) op: Op,
    pub(crate) dst: Option<u16>,
}

/// How a tile reads an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Neighbours in the output are neighbours in the input: read where it is.
    Direct,
    /// One element for the whole tile.
    Scalar,
    /// Expanded into this register before the steps.
    Fill(u16),
}

/// One input as the output's collapsed dimensions see it.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) class: Class,
    pub(crate) stride: [usize; MAX_RANK],
    /// Elements of the array.
    pub(crate) len: usize,
    /// It has the output's shape, so it may share the output's buffer.
    pub(crate) whole: bool,
}

/// A compiled elementwise expression for fixed shapes; see [`Plan::new`].
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) steps: Vec<Step>,
    pub(crate) inputs: Vec<Input>,
    /// The output's shape without extents of 1, neighbours merged where every input allows it.
    pub(crate) dims: [usize; MAX_RANK],
    pub(crate) rank: usize,
    /// Tiles end where the innermost dimension does.
    pub(crate) rows: bool,
    pub(crate) len: usize,
    /// Registers of fills, which come first, and of steps, and one to spare for results that cannot be written over
    /// their operand.
    pub(crate) registers: usize,
    /// How many are of fills.
    pub(crate) fills: usize,
    /// Does what the steps do, in one loop.
    pub(crate) function: Option<Function>,
}

impl Plan {
    /// Compiles `expr` over inputs of these shapes, which broadcast to `out_shape` as in numpy: aligned at the last
    /// axis, extents of 1 repeat.
    ///
    /// # Errors
    /// When the expression is empty or refers to later lines or missing inputs, when a shape does not broadcast, or
    /// when more values are alive at once than the scratch memory holds (about a thousand).
    ///
    /// ```
    /// use mxr_graph::instr::{BinOp, Scalar};
    /// use mxr_kernels::map::{Plan, Src};
    ///
    /// // a + b with a row b under every row of a
    /// let expr = [Scalar::In(0), Scalar::In(1), Scalar::Bin(BinOp::Add, 0, 1)];
    /// let plan = Plan::new(&expr, &[&[2, 3], &[3]], &[2, 3]).unwrap();
    /// let mut y = [0f32; 6];
    /// plan.run(&[Src::Slice(&[1., 2., 3., 4., 5., 6.]), Src::Slice(&[10., 20., 30.])], &mut y);
    /// assert_eq!(y, [11., 22., 33., 14., 25., 36.]);
    /// ```
    pub fn new(expr: &[Scalar], in_shapes: &[&[usize]], out_shape: &[usize]) -> Result<Plan, String> {
        check(expr, in_shapes.len())?;
        let (dims, rank, strides) = collapse(in_shapes, out_shape)?;
        let inner = if rank == 0 { 1 } else { dims[rank - 1] };
        let rows = rank > 1 && inner >= ROW;
        let mut full = [0; MAX_RANK];
        let mut step = 1;
        for d in (0..rank).rev() {
            full[d] = step;
            step *= dims[d];
        }
        let (steps, of_steps) = schedule(expr);
        let mut fills = 0;
        let mut inputs = Vec::with_capacity(in_shapes.len());
        for (stride, shape) in strides.iter().zip(in_shapes) {
            let seen = if rows { &stride[rank - 1..rank] } else { &stride[..rank] };
            let class = if seen.iter().all(|&s| s == 0) {
                Class::Scalar
            } else if if rows { seen == [1] } else { stride[..rank] == full[..rank] } {
                Class::Direct
            } else {
                fills += 1;
                Class::Fill(fills as u16 - 1)
            };
            let len = shape.iter().product();
            inputs.push(Input { class, stride: *stride, len, whole: stride[..rank] == full[..rank] });
        }
        let registers = fills + of_steps + 1;
        if registers * 8 * 8 > SCRATCH {
            return Err(format!(
                "the expression keeps {registers} values alive at once, more than {}: split it",
                SCRATCH / 64
            ));
        }
        let len = out_shape.iter().product();
        Ok(Plan { steps, inputs, dims, rank, rows, len, registers, fills, function: None })
    }

    /// The plan with the expression compiled as a function, which is called where it is of the element type and reads
    /// as many inputs.
    pub fn with(mut self, function: Option<Function>) -> Plan {
        self.function = function.filter(|f| f.inputs() == self.inputs.len());
        self
    }

    /// Elements of the output.
    pub fn out_len(&self) -> usize {
        self.len
    }

    /// Elements of a tile for elements of `size` bytes where so many registers are used.
    pub(crate) fn tile(&self, registers: usize, size: usize) -> usize {
        let busy = registers.max(3) * size;
        let longest = LONGEST.min(SCRATCH / (registers * size)) & !7;
        ((AIM / busy) & !63).clamp(8.max(64.min(longest)), longest)
    }
}

fn check(expr: &[Scalar], inputs: usize) -> Result<(), String> {
    if expr.is_empty() {
        return Err("an expression needs at least one line".into());
    }
    for (i, line) in expr.iter().enumerate() {
        let operands: [Option<u16>; 3] = match *line {
            Scalar::In(n) if usize::from(n) >= inputs => {
                return Err(format!("line {i} reads input {n}, but there are {inputs} inputs"));
            }
            Scalar::In(_) | Scalar::Const(_) => [None; 3],
            Scalar::Un(_, a) => [Some(a), None, None],
            Scalar::Bin(_, a, b) => [Some(a), Some(b), None],
            Scalar::Select(c, a, b) => [Some(c), Some(a), Some(b)],
        };
        if let Some(late) = operands.into_iter().flatten().find(|&o| usize::from(o) >= i) {
            return Err(format!("line {i} reads line {late}, which does not come before it"));
        }
    }
    Ok(())
}

type Collapsed = ([usize; MAX_RANK], usize, Vec<[usize; MAX_RANK]>);

/// Strides of every input over the output's dimensions, with extents of 1 dropped and neighbours merged.
fn collapse(in_shapes: &[&[usize]], out: &[usize]) -> Result<Collapsed, String> {
    if out.len() > MAX_RANK {
        return Err(format!("the output has {} axes, the most is {MAX_RANK}", out.len()));
    }
    let mut all = Vec::with_capacity(in_shapes.len());
    for (n, shape) in in_shapes.iter().enumerate() {
        let mismatch = || format!("input {n} of shape {shape:?} does not broadcast to {out:?}");
        let skip = out.len().checked_sub(shape.len()).ok_or_else(mismatch)?;
        let mut stride = [0; MAX_RANK];
        let mut step = 1;
        for (d, &extent) in shape.iter().enumerate().rev() {
            if extent != 1 {
                if extent != out[skip + d] {
                    return Err(mismatch());
                }
                stride[skip + d] = step;
            }
            step *= extent;
        }
        all.push(stride);
    }
    let mut dims = [0; MAX_RANK];
    let mut strides = vec![[0; MAX_RANK]; all.len()];
    let mut rank = 0;
    for (d, &extent) in out.iter().enumerate() {
        if extent == 1 {
            continue;
        }
        let merges =
            rank > 0 && all.iter().zip(&strides).all(|(s, t)| t[rank - 1] == s[d].wrapping_mul(extent));
        if merges {
            dims[rank - 1] *= extent;
        } else {
            dims[rank] = extent;
            rank += 1;
        }
        for (s, t) in all.iter().zip(&mut strides) {
            t[rank - 1] = s[d];
        }
    }
    Ok((dims, rank, strides))
}

/// Steps with registers by liveness. A result never takes the register of its own operands: loops then read and
/// write different memory.
fn schedule(expr: &[Scalar]) -> (Vec<Step>, usize) {
    let last = expr.len() - 1;
    let needed = used(expr);
    let mut last_use = vec![0; expr.len()];
    for (i, line) in expr.iter().enumerate() {
        if needed[i] {
            for_operands(line, |o| last_use[o] = i);
        }
    }
    let mut arg = vec![Arg::Const(0.0); expr.len()];
    let mut free: Vec<u16> = Vec::new();
    let mut registers = 0u16;
    let mut steps = Vec::new();
    for (i, line) in expr.iter().enumerate() {
        if !needed[i] {
            continue;
        }
        let at = |n: u16| arg[usize::from(n)];
        let op = match *line {
            Scalar::In(n) => Op::Copy(Arg::In(n)),
            Scalar::Const(c) => Op::Copy(Arg::Const(c)),
            Scalar::Un(f, a) => Op::Un(f, at(a)),
            Scalar::Bin(f, a, b) => Op::Bin(f, at(a), at(b)),
            Scalar::Select(c, a, b) => Op::Select(at(c), at(a), at(b)),
        };
        if i == last {
            steps.push(Step { op, dst: None });
            break;
        }
        if let Op::Copy(a) = op {
            arg[i] = a;
            continue;
        }
        let dst = free.pop().unwrap_or_else(|| {
            registers += 1;
            registers - 1
        });
        arg[i] = Arg::Reg(dst);
        steps.push(Step { op, dst: Some(dst) });
        let mut ended = [usize::MAX; 3];
        let mut count = 0;
        for_operands(line, |o| {
            if last_use[o] == i && !ended[..count].contains(&o) {
                ended[count] = o;
                count += 1;
            }
        });
        for &o in &ended[..count] {
            if let Arg::Reg(r) = arg[o] {
                free.push(r);
            }
        }
    }
    (steps, usize::from(registers))
}

fn used(expr: &[Scalar]) -> Vec<bool> {
    let mut needed = vec![false; expr.len()];
    needed[expr.len() - 1] = true;
    for i in (0..expr.len()).rev() {
        if needed[i] {
            for_operands(&expr[i], |o| needed[o] = true);
        }
    }
    needed
}

fn for_operands(line: &Scalar, mut f: impl FnMut(usize)) {
    match *line {
        Scalar::In(_) | Scalar::Const(_) => {}
        Scalar::Un(_, a) => f(usize::from(a)),
        Scalar::Bin(_, a, b) => {
            f(usize::from(a));
            f(usize::from(b));
        }
        Scalar::Select(c, a, b) => {
            f(usize::from(c));
            f(usize::from(a));
            f(usize::from(b));
        }
    }
}
