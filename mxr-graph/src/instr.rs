//! The instruction set: about twenty kernel families with plain descriptors.
//!
//! An operator lowers to one instruction. Shapes are not part of an instruction: they belong to the values it
//! reads and writes, so the same instruction serves every batch size. Everything here is `Copy` or borrowed
//! from constants, so a program can be a `static`.

/// The largest rank of an array.
pub const MAX_RANK: usize = 8;

/// A set of axes, one bit per axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Axes(pub u8);

impl Axes {
    /// Whether `axis` is in the set.
    pub const fn has(self, axis: usize) -> bool {
        self.0 >> axis & 1 == 1
    }
}

/// How a batch of images lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Layout {
    /// `[n, c, h, w]`, image after image: what users give and get.
    #[default]
    Nchw,
    /// `[c, n, h, w]`, channel after channel: between the steps of a bound network
    /// ([`Program::channels_outermost`](crate::program::Program::channels_outermost)).
    Cnhw,
}

/// Attributes of a two-dimensional convolution; `[height, width]` each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvAttrs {
    /// Step of the window.
    pub stride: [u32; 2],
    /// Zeros added before and after: `[top, left, bottom, right]`.
    pub pad: [u32; 4],
    /// Distance of neighbouring taps.
    pub dilation: [u32; 2],
    /// Number of channel groups.
    pub groups: u32,
    /// How the data (and its gradient) lies.
    pub x: Layout,
    /// How the result (and its gradient, and a residual) lies.
    pub y: Layout,
}

impl Default for ConvAttrs {
    /// Stride 1, no padding, no dilation, one group.
    fn default() -> ConvAttrs {
        let (x, y) = (Layout::Nchw, Layout::Nchw);
        ConvAttrs { stride: [1; 2], pad: [0; 4], dilation: [1; 2], groups: 1, x, y }
    }
}

/// What a pooling window computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PoolKind {
    /// The largest element; the gradient goes to the first largest one in row-major order.
    Max,
    /// The largest element or 0, whichever is larger: the maximum, rectified. The gradient goes to the first largest element
    /// if that is above 0.
    ReluMax,
    /// The mean of the window.
    Avg,
}

/// Attributes of a two-dimensional pooling; the output size belongs to the output value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PoolAttrs {
    /// Maximum or average.
    pub kind: PoolKind,
    /// Window `[height, width]`.
    pub kernel: [u32; 2],
    /// Step of the window.
    pub stride: [u32; 2],
    /// Padding `[top, left, bottom, right]`.
    pub pad: [u32; 4],
    /// Average pooling: whether the divisor counts padding (the window clipped to the *padded* input) or not
    /// (the window clipped to the input). What sticks out beyond the padding (ceil rounding) never counts.
    pub count_pad: bool,
    /// The window is the whole image; kernel, stride and pad are ignored.
    pub global: bool,
}

/// How elements of an axis group are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReduceKind {
    /// Σ x.
    Sum,
    /// Σ x / count.
    Mean,
    /// The largest element; NaN wins.
    Max,
    /// The smallest element; NaN wins.
    Min,
}

/// How a loss over samples becomes one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Divided by the number of samples that are not ignored.
    Mean,
    /// Added up.
    Sum,
    /// One loss per sample (per position).
    None,
}

/// Attributes of softmax cross entropy with integer labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossEntropyAttrs {
    /// The axis of the classes in the logits.
    pub axis: u8,
    /// Samples with this label count for nothing.
    pub ignore: Option<i64>,
    /// Label smoothing: this much of the probability moves from the true class, evenly to the others.
    pub smoothing: f32,
    /// How the losses are combined.
    pub reduction: Reduction,
}

/// Local response normalisation across channels: `y = x / (knorm + alpha / size · Σ x²)^beta`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LrnAttrs {
    /// Number of channels in the sum, odd.
    pub size: u32,
    /// Scale.
    pub alpha: f32,
    /// Exponent.
    pub beta: f32,
    /// Offset.
    pub knorm: f32,
}

/// Batch normalisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNormAttrs {
    /// The axis of the channels.
    pub axis: u8,
    /// Added to the variance.
    pub eps: f32,
    /// `running = running · momentum + batch · (1 − momentum)`.
    pub momentum: f32,
    /// gamma counts as 1 and its gradient is 0.
    pub fix_gamma: bool,
}

/// What happens to the elements of a result before they are stored: `max(y + residual, 0)`, or a part of it; to those of a gradient,
/// `y + residual` where a mask is positive, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Epilogue {
    /// An operand has the shape of the result and is added to it: the last one of a normalisation, the third one of a product or a
    /// convolution.
    pub residual: bool,
    /// Then, what is negative becomes 0.
    pub relu: bool,
    /// An operand has the shape of the result, the last one of a product or of the gradient of a convolution's data; where it is not above 0,
    /// the element becomes 0.
    pub mask: bool,
}

impl Epilogue {
    /// Nothing.
    pub const NONE: Epilogue = Epilogue { residual: false, relu: false, mask: false };
}

/// One kernel call. Operands are listed as `reads -> writes`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Instr {
    /// `x -> y`: the same elements under another shape. No kernel: `y` is the buffer of `x`; where the memory plan gives
    /// both memory of their own (an output that is a view of an input), the bytes are copied.
    View,
    /// `x… -> y`: `y = expr(x…)` elementwise; every input broadcasts to the shape of `y`. The number is the
    /// expression's place in the table of the graph or program.
    Map(u32),
    /// `x -> y`: combine over axes (whether they stay with extent 1 only matters to the shape of `y`).
    Reduce(ReduceKind, Axes),
    /// `x… -> y`: [`Instr::Reduce`] of what [`Instr::Map`] of `x…` would be, which is never written. The operands broadcast to
    /// the shape that is reduced.
    MapReduce {
        /// The expression's place in the table of the graph or program.
        expr: u32,
        /// How elements are combined.
        kind: ReduceKind,
        /// The axes that are combined.
        axes: Axes,
    },
    /// `x -> y`: repeat `x` along these axes of `y` (the axes may be absent from `x` or have extent 1 there);
    /// `mean` divides by the number of repetitions: the gradient of a mean.
    Expand {
        /// Axes of `y` that are new.
        axes: Axes,
        /// Divide by the number of repetitions.
        mean: bool,
    },
    /// `a [.., m, k], b [.., k, n] (, residual) (, bias [n]) (, mask) -> y [.., m, n]`; leading axes broadcast; a flag says that the last two
    /// axes of the operand are stored exchanged. The bias is added before the residual.
    MatMul {
        /// `a` is stored `[.., k, m]`.
        trans_a: bool,
        /// `b` is stored `[.., n, k]`.
        trans_b: bool,
        /// What happens to the elements before they are stored.
        epilogue: Epilogue,
    },
    /// `x [n, c, h, w], w [k, c/g, kh, kw] (, residual) (, bias [k]) -> y [n, k, oh, ow]`, cross-correlation. The bias is added before
    /// the residual.
    Conv2d(ConvAttrs, Epilogue),
    /// `dy, w (, residual) (, mask) -> dx`.
    Conv2dBackwardData(ConvAttrs, Epilogue),
    /// `x, dy -> dw`.
    Conv2dBackwardWeight(ConvAttrs),
    /// `x [n, c, h, w] -> y [n, c, oh, ow]`.
    Pool2d(PoolAttrs),
    /// Maximum: `x, dy -> dx`; average: `dy -> dx`.
    Pool2dBackward(PoolAttrs),
    /// A maximum that remembers where it was found: `x -> y, place`, where `place` is `u8` of the shape of `y` and holds
    /// `ky · kw + kx` of the window (`kw` is the width of the image where the window is all of it). [`PoolKind::ReluMax`]
    /// sets bit 7 where `y` is not above 0.
    Pool2dPlaces(PoolAttrs),
    /// `place, dy -> dx`.
    Pool2dPlacesBackward(PoolAttrs),
    /// Training: `x, gamma, beta, moving_mean, moving_var (, residual) -> y, mean, inv_std`; reads 3 and 4 are updated
    /// in place: statistics are of the batch, the variance is biased.
    BatchNormTrain(BatchNormAttrs, Epilogue),
    /// `x, gamma, beta, mean, inv_std (, residual) -> y`: the `y` of [`Instr::BatchNormTrain`] once more, bit by bit, from the statistics
    /// that it wrote. No operator becomes this: recomputation does.
    BatchNormApply(BatchNormAttrs, Epilogue),
    /// Inference: `x, gamma, beta, moving_mean, moving_var (, residual) -> y`.
    BatchNormInfer(BatchNormAttrs, Epilogue),
    /// `x, gamma, mean, inv_std, dy -> dx, dgamma, dbeta`; of a forward call with relu, whose signs are computed once more,
    /// `x, gamma, mean, inv_std, dy, beta -> dx, dgamma, dbeta`. There is none for a residual: the residual needs `dy` where the relu lets it
    /// through, so whoever makes `dy` masks it.
    BatchNormBackward(BatchNormAttrs, Epilogue),
    /// The gradient of inference-mode normalisation (statistics are constants):
    /// `x, gamma, moving_mean, moving_var, dy -> dx, dgamma, dbeta`.
    BatchNormInferBackward(BatchNormAttrs),
    /// `x [n, c, ..] -> y`.
    Lrn(LrnAttrs),
    /// `x, y, dy -> dx`.
    LrnBackward(LrnAttrs),
    /// `x -> y`: softmax, or its logarithm, along an axis.
    Softmax {
        /// The axis.
        axis: u8,
        /// Log-softmax.
        log: bool,
    },
    /// `y, dy -> dx`.
    SoftmaxBackward {
        /// The axis.
        axis: u8,
        /// Log-softmax.
        log: bool,
    },
    /// `logits, label -> loss, prob`: labels are class indices of any type; `prob` has the shape of the logits.
    CrossEntropy(CrossEntropyAttrs),
    /// `prob, label, dloss -> dlogits`.
    CrossEntropyBackward(CrossEntropyAttrs),
    /// `x -> y, mask`: `y = max(x, 0)`, and a mask as that of [`Instr::Dropout`]: 1 where `x > 0`.
    ReluMask,
    /// `x -> y, mask`: `y = x · mask / (1 − p)`. The mask is `u8` with one bit per element, the lowest first. Its last axis counts
    /// the bytes of a row; the axes before are the first ones of `x`, and a row begins with a byte of its own. Random bits are a function of the run's seed, its step
    /// number, `stream` and the element's index alone.
    Dropout {
        /// Probability of a zero.
        p: f32,
        /// Tells the dropout layers of one network apart.
        stream: u32,
    },
    /// `dy, mask -> dx`, `dx = dy · mask / (1 − p)`.
    DropoutBackward {
        /// Probability of a zero.
        p: f32,
    },
    /// `x -> y`: axis `i` of `y` is axis `perm[i]` of `x`.
    Transpose {
        /// The permutation; entries past the rank are 0.
        perm: [u8; MAX_RANK],
    },
    /// `x… -> y`.
    Concat {
        /// The axis along which inputs are joined.
        axis: u8,
    },
    /// `x -> y`: `y[i…] = x[begin + i · step…]`; steps may be negative.
    Slice {
        /// First index per axis.
        begin: [i64; MAX_RANK],
        /// Step per axis.
        step: [i64; MAX_RANK],
    },
    /// `dy -> dx`: zeros, with `dx[begin + i · step…] = dy[i…]`.
    SliceBackward {
        /// First index per axis.
        begin: [i64; MAX_RANK],
        /// Step per axis.
        step: [i64; MAX_RANK],
    },
    /// `x -> y`: conversion to the element type of `y`; floats to integers truncate and saturate.
    Cast,
    /// `-> y`: a constant.
    Fill(f64),
    /// `x… -> y…`: an operator of the user's. The number is that of the call; whoever binds the program has the operators by it. For the
    /// backward pass it may make further results, behind the others.
    Extern(u32),
    /// `(x…,) (y…,) (further results…,) dy… -> dx…`, the gradient of [`Instr::Extern`] of this number, which comes before it in the
    /// program. Every result has its `dy`.
    ExternBackward {
        /// The number of the call.
        call: u32,
        /// The operands whose gradients are made, one bit each.
        wants: u32,
        /// The operands are among the reads.
        inputs: bool,
        /// The results are among the reads.
        outputs: bool,
    },
}

/// The most operands, and the most results, of an operator of the user's.
pub const MAX_EXTERN: usize = 32;

/// Functions of one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnOp {
    /// −x.
    Neg,
    /// |x|.
    Abs,
    /// −1, 0 or 1; NaN stays.
    Sign,
    /// eˣ.
    Exp,
    /// ln x.
    Log,
    /// ln (1 + x).
    Log1p,
    /// √x.
    Sqrt,
    /// 1/x.
    Recip,
    /// The hyperbolic tangent.
    Tanh,
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
    /// The error function.
    Erf,
    /// The largest integer that is not above x.
    Floor,
}

/// Functions of two arguments. Comparisons give 1 or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinOp {
    /// a + b.
    Add,
    /// a − b.
    Sub,
    /// a · b.
    Mul,
    /// a / b.
    Div,
    /// aᵇ.
    Pow,
    /// The larger; NaN wins.
    Max,
    /// The smaller; NaN wins.
    Min,
    /// a > b.
    Gt,
    /// a ≥ b.
    Ge,
    /// a = b.
    Eq,
}

/// One line of a scalar expression in static single assignment: operands are numbers of earlier lines, the last
/// line is the result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// The element of input number n.
    In(u16),
    /// A constant.
    Const(f64),
    /// A function of one earlier line.
    Un(UnOp, u16),
    /// A function of two earlier lines.
    Bin(BinOp, u16, u16),
    /// `if line0 != 0 { line1 } else { line2 }`, without evaluating to NaN for the branch not taken.
    Select(u16, u16, u16),
}
