//! Shapes and axes.

use super::{Case, Code, Entry, Scope};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: Code::OperandRank,
        title: "An operand has another number of axes than the operator takes",
        rule: "Images are `[n, c, h, w]`, matrices `[m, k]`; an operator that takes them takes nothing of another rank.",
        cases: &[
            Case {
                inputs: "x: Tensor<N, 784>",
                wrong: "let conv1 = conv2d(x, 20, kernel = 5);
                        relu(conv1)",
                at: "x",
                says: "`conv1`: conv2d: `x` must have 4 axes, [N, 784] has 2\n\
                   \x20 = help: images are [n, c, h, w]: `reshape` adds the axes that are missing\n\
                   \x20 = note: `x` is [N, 784]",
                right: "let image = reshape(x, [N, 1, 28, 28]);
                        let conv1 = conv2d(image, 20, kernel = 5);
                        relu(conv1)",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "x: Tensor<N>",
                wrong: "let norm = batch_norm(x);
                        relu(norm)",
                at: "x",
                says: "`norm`: batch_norm needs a batch and channels, this is [N]\n\
                   \x20 = help: inputs are [n, c], [n, c, h, w] and the like\n\
                   \x20 = note: `x` is [N]",
                right: "let norm = batch_norm(expand_dims(x, axis = 1));
                        relu(norm)",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "a: Tensor<N>, b: Tensor<N, 10>",
                wrong: "let y = matmul(a, b);
                        y",
                at: "a",
                says: "`y`: matmul: `a` must be a matrix or a stack of them, it is [N]\n\
                   \x20 = help: `expand_dims` makes a row (axis = 0) or a column (axis = 1)\n\
                   \x20 = note: `a` is [N]\n\
                   \x20 = note: `b` is [N, 10]",
                right: "let y = matmul(expand_dims(a, axis = 0), b);
                        y",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: r#"PyTorch: nothing before the forward pass runs; `nn.SyncBatchNorm`, for one, raises `ValueError: expected at least 3D input (got 2D input)` there (`torch/nn/modules/batchnorm.py`). Keras (`keras/src/layers/input_spec.py`), when the layer is called: "expected ndim=4, found ndim=2". In burn the rank is part of the tensor's type."#,
    },
    Entry {
        code: Code::Broadcast,
        title: "Shapes do not broadcast",
        rule: "Elementwise operators align shapes at their ends; two extents must be equal, or one of them 1.",
        cases: &[
            Case {
                inputs: "a: Tensor<N, 64, 56, 56>, b: Tensor<N, 128, 28, 28>",
                wrong: "let sum = a + b;
                        relu(sum)",
                at: "a + b",
                says: "`sum`: add: the shapes [N, 64, 56, 56] and [N, 128, 28, 28] do not fit together\n\
                   \x20 = help: axis 1: 64 against 128, axis 2: 56 against 28, axis 3: 56 against 28; extents must be equal, or 1\n\
                   \x20 = note: `a` is [N, 64, 56, 56]\n\
                   \x20 = note: `b` is [N, 128, 28, 28]",
                right: "let small = conv2d(a, 128, kernel = 1, stride = 2);
                        let sum = small + b;
                        relu(sum)",
                scope: Scope::Language,
            },
            Case {
                inputs: "a: Tensor<N, 64, 8, 8>, b: Tensor<64>",
                wrong: "let scaled = mul(a, b);
                        scaled",
                at: "b",
                says: "`scaled`: mul: the shapes [N, 64, 8, 8] and [64] do not fit together\n\
                   \x20 = help: axis 3: 8 against 64; reshaped to [64, 1, 1] the smaller would fit\n\
                   \x20 = note: `a` is [N, 64, 8, 8]\n\
                   \x20 = note: `b` is [64]",
                right: "let scaled = mul(a, reshape(b, [64, 1, 1]));
                        scaled",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "a: Tensor<N, 64>, b: Tensor<N, 32>",
                wrong: "let larger = maximum(a, b);
                        larger",
                at: "b",
                says: "`larger`: maximum: the shapes [N, 64] and [N, 32] do not fit together\n\
                   \x20 = help: axis 1: 64 against 32; extents must be equal, or 1\n\
                   \x20 = note: `a` is [N, 64]\n\
                   \x20 = note: `b` is [N, 32]",
                right: "let larger = maximum(dense(a, 32), b);
                        larger",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: r#"PyTorch, in the forward pass: `RuntimeError: The size of tensor a (56) must match the size of tensor b (28) at non-singleton dimension 3` (`aten/src/ATen/ExpandUtils.cpp`). burn, a panic in the forward pass: "The provided tensors have incompatible shapes." (`burn-tensor/src/tensor/api/check.rs`)."#,
    },
    Entry {
        code: Code::KernelDoesNotFit,
        title: "A window is larger than what it slides over",
        rule: "A window of `k` taps at dilation `d` spans `d * (k - 1) + 1` elements and must fit into the extent with its padding.",
        cases: &[
            Case {
                inputs: "x: Tensor<N, 1, 5, 5>",
                wrong: "let conv1 = conv2d(x, 20, kernel = 7);
                        relu(conv1)",
                at: "kernel = 7",
                says: "`conv1`: conv2d: kernel 7 does not fit: the input's height is 5, of [N, 1, 5, 5]\n\
                   \x20 = help: a kernel up to 5 fits, pad = 1 makes room, pad = 3 keeps the height\n\
                   \x20 = note: `x` is [N, 1, 5, 5]",
                right: "let conv1 = conv2d(x, 20, kernel = 7, pad = 3);
                        relu(conv1)",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "x: Tensor<N, 8, 1, 7>",
                wrong: "let pool1 = max_pool(x, kernel = 2, stride = 2);
                        pool1",
                at: "kernel = 2",
                says: "`pool1`: max_pool: kernel 2 does not fit: the input's height is 1, of [N, 8, 1, 7]\n\
                   \x20 = help: a kernel up to 1 fits, or pad = 1 makes room\n\
                   \x20 = note: `x` is [N, 8, 1, 7]",
                right: "let pool1 = max_pool(x, kernel = (1, 2), stride = 2);
                        pool1",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "x: Tensor<N, 8, 9, 9>",
                wrong: "let conv1 = conv2d(x, 8, kernel = 3, dilation = 5);
                        conv1",
                at: "kernel = 3",
                says: "`conv1`: conv2d: kernel 3 with dilation 5 spans 11 and does not fit: the input's height is 9, of [N, 8, 9, 9]\n\
                   \x20 = help: a kernel up to 2 fits, pad = 1 makes room, pad = 5 keeps the height\n\
                   \x20 = note: `x` is [N, 8, 9, 9]",
                right: "let conv1 = conv2d(x, 8, kernel = 3, dilation = 4);
                        conv1",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: r#"PyTorch, in the forward pass: `RuntimeError: Calculated padded input size per channel: (5 x 5). Kernel size: (7 x 7). Kernel size can't be greater than actual input size`. Keras, when the layer is called: "Computed output size would be zero or negative." (`keras/src/ops/operation_utils.py`)."#,
    },
    Entry {
        code: Code::FlattenFirst,
        title: "A dense layer over something that is not flat",
        rule: "`dense` takes `[n, features]`. `flatten` makes that of images; `flatten = false` maps the last axis and leaves the others alone.",
        cases: &[
            Case {
                inputs: "x: Tensor<N>",
                wrong: "let fc1 = dense(x, 10);
                        relu(fc1)",
                at: "x",
                says: "`fc1`: dense takes [n, features], this is [N] of rank 1\n\
                   \x20 = help: `reshape` adds the axis of the batch\n\
                   \x20 = note: `x` is [N]",
                right: "let fc1 = dense(reshape(x, [N, 1]), 10);
                        relu(fc1)",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: "PyTorch's `nn.Linear` maps the last axis of whatever it gets; where that has another size, the forward pass fails: `RuntimeError: mat1 and mat2 shapes cannot be multiplied` (pytorch/pytorch#139037). Keras's `Dense` wants `min_ndim=2` (`keras/src/layers/core/dense.py`).",
    },
    Entry {
        code: Code::InputFeatures,
        title: "A dense layer with its input width stated wrongly",
        rule: "`inputs` is only a statement: the width is known anyway. It must be the width that comes in.",
        cases: &[
            Case {
                inputs: "x: Tensor<N, 720>",
                wrong: "let fc1 = dense(x, 500, inputs = 800);
                        relu(fc1)",
                at: "inputs = 800",
                says: "`fc1`: dense needs 800 input features, but the input is [N, 720]\n\
                   \x20 = help: `inputs = 720` or none would fit\n\
                   \x20 = note: `x` is [N, 720]",
                right: "let fc1 = dense(x, 500);
                        relu(fc1)",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: r#"PyTorch has to be told the width; a wrong one fails in the forward pass: `RuntimeError: mat1 and mat2 shapes cannot be multiplied (32x720 and 800x500)` (as in pytorch/pytorch#139037). Keras (`keras/src/layers/input_spec.py`), when the layer is called: "expected axis -1 of input shape to have value 800, but received input with shape …"."#,
    },
    Entry {
        code: Code::InnerExtents,
        title: "The inner extents of a matrix product differ",
        rule: "`[.., m, k]` times `[.., k, n]`: the last axis of the first operand must be as long as the last but one of the second.",
        cases: &[
            Case {
                inputs: "a: Tensor<N, 64>, b: Tensor<10, 64>",
                wrong: "let y = matmul(a, b);
                        y",
                at: "b",
                says: "`y`: matmul: the inner extents differ: axis 1 of [N, 64] is 64, axis 0 of [10, 64] is 10\n\
                   \x20 = help: with `transpose_b` they would be equal: axis 1 of [10, 64] is 64\n\
                   \x20 = note: `a` is [N, 64]\n\
                   \x20 = note: `b` is [10, 64]",
                right: "let y = matmul(a, b, transpose_b = true);
                        y",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "a: Tensor<N, 64>, b: Tensor<32, 10>",
                wrong: "let y = matmul(a, b);
                        y",
                at: "b",
                says: "`y`: matmul: the inner extents differ: axis 1 of [N, 64] is 64, axis 0 of [32, 10] is 32\n\
                   \x20 = note: `a` is [N, 64]\n\
                   \x20 = note: `b` is [32, 10]",
                right: "let y = matmul(dense(a, 32), b);
                        y",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: r#"PyTorch, in the forward pass: `RuntimeError: mat1 and mat2 shapes cannot be multiplied` (pytorch/pytorch#139037). burn, a panic in the forward pass: "The inner dimension of matmul should be the same" (`burn-tensor/src/tensor/api/check.rs`)."#,
    },
    Entry {
        code: Code::StackedMatrices,
        title: "Stacks of matrices do not fit together",
        rule: "The axes before the last two are aligned at their ends and broadcast: equal, or 1.",
        cases: &[
            Case {
                inputs: "a: Tensor<8, 5, 4>, b: Tensor<6, 4, 3>",
                wrong: "let y = matmul(a, b);
                        y",
                at: "b",
                says: "`y`: matmul: the leading axes do not fit together: axis 0 of [8, 5, 4] is 8, axis 0 of [6, 4, 3] is 6\n\
                   \x20 = help: leading extents must be equal, or 1\n\
                   \x20 = note: `a` is [8, 5, 4]\n\
                   \x20 = note: `b` is [6, 4, 3]",
                right: "let y = matmul(expand_dims(a, axis = 1), b);
                        y",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: "PyTorch, in the forward pass: `RuntimeError: Expected size for first two dimensions of batch2 tensor to be: [2, 5] but got: [3, 5]` by `bmm`, or the error of broadcasting by `matmul`. burn, a panic in the forward pass.",
    },
    Entry {
        code: Code::ConcatExtents,
        title: "Joined arrays differ in more than one axis",
        rule: "`concat` joins along one axis, 1 unless `axis` says another; all other extents must be equal.",
        cases: &[
            Case {
                inputs: "input0: Tensor<N, 3, 32, 32>, input1: Tensor<N, 3, 16, 16>",
                wrong: "let both = concat(input0, input1);
                        both",
                at: "input1",
                says: "`both`: concat: the inputs differ from the first, [N, 3, 32, 32], in more than axis 1\n\
                   \x20 = help: axis 2 of input 1, [N, 3, 16, 16], is 16, not 32; axis 3 of input 1, [N, 3, 16, 16], is 16, not 32\n\
                   \x20 = note: `input0` is [N, 3, 32, 32]\n\
                   \x20 = note: `input1` is [N, 3, 16, 16]",
                right: "let both = concat(max_pool(input0, kernel = 2, stride = 2), input1);
                        both",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "input0: Tensor<N, 8, 4>, input1: Tensor<N, 8, 6>",
                wrong: "let both = concat(input0, input1);
                        both",
                at: "input1",
                says: "`both`: concat: the inputs differ from the first, [N, 8, 4], in more than axis 1\n\
                   \x20 = help: axis 2 of input 1, [N, 8, 6], is 6, not 4; along `axis = 2` they would fit\n\
                   \x20 = note: `input0` is [N, 8, 4]\n\
                   \x20 = note: `input1` is [N, 8, 6]",
                right: "let both = concat(input0, input1, axis = 2);
                        both",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: r#"PyTorch, in the forward pass: `RuntimeError: Sizes of tensors must match except in dimension 1. Expected size 32 but got size 16 for tensor number 1 in the list.` Keras, when the layer is built: "A `Concatenate` layer requires inputs with matching shapes except for the concatenation axis." (`keras/src/layers/merging/concatenate.py`). burn, a panic: "Can't concatenate tensors with different shapes, except for the provided dimension"."#,
    },
    Entry {
        code: Code::ReshapeElements,
        title: "A reshape to another number of elements",
        rule: "A shape may be replaced by another of as many elements, for every value of the symbols.",
        cases: &[
            Case {
                inputs: "x: Tensor<8, 720>",
                wrong: "let flat = reshape(x, [8, 500]);
                        flat",
                at: "[8, 500]",
                says: "`flat`: reshape: [8, 720] has 5760 elements, [8, 500] has 4000\n\
                   \x20 = help: [8, 720] would fit\n\
                   \x20 = note: `x` is [8, 720]",
                right: "let flat = reshape(x, [8, 720]);
                        flat",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "x: Tensor<N, T, 32>",
                wrong: "let rows = reshape(x, [N, 32]);
                        rows",
                at: "[N, 32]",
                says: "`rows`: reshape: [N, T, 32] has 32*N*T elements, [N, 32] has 32*N\n\
                   \x20 = help: [N, 32*T] would fit, or a further axis of T\n\
                   \x20 = note: `x` is [N, T, 32]",
                right: "let rows = reshape(x, [N * T, 32]);
                        rows",
                scope: Scope::Language,
            },
        ],
        elsewhere: r#"PyTorch, in the forward pass: `RuntimeError: shape '[8, 500]' is invalid for input of size 5760` (`aten/src/ATen/InferSize.h`). Keras: "The total size of the tensor must be unchanged." (`keras/src/ops/operation_utils.py`)."#,
    },
    Entry {
        code: Code::ReshapeDoesNotDivide,
        title: "A reshape whose remainder does not come out even",
        rule: "`_` (or -1) is what is left when the elements are divided by the other extents: twelve heads of 512 features have no equal share.",
        cases: &[
            Case {
                inputs: "x: Tensor<8, 35, 512>",
                wrong: "let heads = reshape(x, [8, 35, 12, -1]);
                        heads",
                at: "[8, 35, 12, -1]",
                says: "`heads`: reshape: [8, 35, 512] has 143360 elements, which 3360 does not divide\n\
                   \x20 = help: 12 does not divide 512: 8 or 16 would\n\
                   \x20 = note: `x` is [8, 35, 512]",
                right: "let heads = reshape(x, [8, 35, 8, -1]);
                        heads",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: r#"PyTorch: `shape '[8, 35, 12, -1]' is invalid for input of size 143360` in the forward pass (`aten/src/ATen/InferSize.h`). Keras: "The total size of the tensor must be unchanged, however, the input size cannot by divided by the specified dimensions" (`keras/src/ops/operation_utils.py`)."#,
    },
    Entry {
        code: Code::ReshapeTwoUnknowns,
        title: "A reshape with two extents to be computed",
        rule: "One extent follows from the others; two do not.",
        cases: &[
            Case {
                inputs: "x: Tensor<N, 3, 32, 32>",
                wrong: "let rows = reshape(x, [-1, -1, 32]);
                        rows",
                at: "[-1, -1, 32]",
                says: "`rows`: reshape: only one extent can be computed\n\
                   \x20 = note: `x` is [N, 3, 32, 32]",
                right: "let rows = reshape(x, [-1, 96, 32]);
                        rows",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: "PyTorch, in the forward pass: `RuntimeError: only one dimension can be inferred` (`aten/src/ATen/InferSize.h`).",
    },
    Entry {
        code: Code::AxisOutOfRange,
        title: "An axis that the tensor does not have",
        rule: "A tensor of `r` axes has the axes 0 to `r - 1`; negative ones count from the end.",
        cases: &[
            Case {
                inputs: "x: Tensor<N, 10>",
                wrong: "let prob = softmax(x, axis = 2);
                        prob",
                at: "axis = 2",
                says: "`prob`: softmax: axis 2 is not one of the axes of [N, 10]\n\
                   \x20 = help: axes go from -2 to 1\n\
                   \x20 = note: `x` is [N, 10]",
                right: "let prob = softmax(x, axis = 1);
                        prob",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "x: Tensor<N, 8, 4>",
                wrong: "let means = mean(x, axes = [1, 3]);
                        means",
                at: "axes = [1, 3]",
                says: "`means`: mean: axis 3 is not one of the axes of [N, 8, 4], or is given twice\n\
                   \x20 = help: axes go from -3 to 2\n\
                   \x20 = note: `x` is [N, 8, 4]",
                right: "let means = mean(x, axes = [1, 2]);
                        means",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "x: Tensor<N, 10>",
                wrong: "let (a, b) = split(x, 2, axis = 2);
                        a + b",
                at: "axis = 2",
                says: "split: axis 2 is not one of the axes of [N, 10]\n\
                   \x20 = help: axes go from -2 to 1\n\
                   \x20 = note: `x` is [N, 10]",
                right: "let (a, b) = split(x, 2, axis = 1);
                        a + b",
                scope: Scope::Language,
            },
        ],
        elsewhere: "PyTorch, in the forward pass: `IndexError: Dimension out of range (expected to be in range of [-2, 1], but got 2)` (`c10/core/WrapDimMinimal.cpp`).",
    },
    Entry {
        code: Code::LabelShape,
        title: "A label of another shape than the scores ask for",
        rule: "Labels are class numbers: the shape of the scores without the axis of the classes. They are not one-hot rows, and have no axis of extent 1.",
        cases: &[
            Case {
                inputs: "logits: Tensor<N, 10>, label: Tensor<N, 10>",
                wrong: "let loss = softmax_cross_entropy(logits, label);
                        loss",
                at: "label",
                says: "`loss`: softmax_cross_entropy: the label must be [N] for scores [N, 10], it is [N, 10]\n\
                   \x20 = help: labels are class numbers, not one-hot rows\n\
                   \x20 = note: `logits` is [N, 10]\n\
                   \x20 = note: `label` is [N, 10]",
                right: "let loss = mse_loss(softmax(logits), label);
                        loss",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "logits: Tensor<N, 10>, label: Tensor<N, 1, i64>",
                wrong: "let loss = softmax_cross_entropy(logits, label);
                        loss",
                at: "label",
                says: "`loss`: softmax_cross_entropy: the label must be [N] for scores [N, 10], it is [N, 1]\n\
                   \x20 = help: `squeeze` drops the axis of extent 1\n\
                   \x20 = note: `logits` is [N, 10]\n\
                   \x20 = note: `label` is i64[N, 1]",
                right: "let loss = softmax_cross_entropy(logits, squeeze(label, axes = 1));
                        loss",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: r#"PyTorch, when the loss is computed: "0D or 1D target tensor expected, multi-target not supported", or `size mismatch (got input: [32, 10], target: [31])` (`aten/src/ATen/native/LossNLL.cpp`). burn asserts that "Shape of targets should correspond to outer shape of logits" there (`burn-nn/src/loss/cross_entropy.rs`)."#,
    },
    Entry {
        code: Code::TargetShape,
        title: "A target of another shape than the prediction",
        rule: "A loss per element compares element by element. `[n, 1]` against `[n]` would broadcast to `[n, n]` and compare all with all.",
        cases: &[
            Case {
                inputs: "pred: Tensor<N, 1>, target: Tensor<N>",
                wrong: "let loss = mse_loss(pred, target);
                        loss",
                at: "target",
                says: "`loss`: mse_loss: `target` must be [N, 1] as `pred` is, it is [N]\n\
                   \x20 = help: reshape(target, [N, 1]) would fit\n\
                   \x20 = note: `pred` is [N, 1]\n\
                   \x20 = note: `target` is [N]",
                right: "let loss = mse_loss(pred, reshape(target, [N, 1]));
                        loss",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: r#"PyTorch only warns, and trains on: "Using a target size (torch.Size([32])) that is different to the input size (torch.Size([32, 1])). This will likely lead to incorrect results due to broadcasting." (deepset-ai/FARM#229 has one)."#,
    },
    Entry {
        code: Code::WeightShape,
        title: "A given weight has the wrong shape",
        rule: "A weight that is handed over, to be shared or by hand, must have the shape that the layer would have given it.",
        cases: &[
            Case {
                inputs: "x: Tensor<N, 3, 8, 8>, weight: Tensor<16, 4, 3, 3>",
                wrong: "let conv1 = conv2d(x, 16, kernel = 3, bias = false, weight = weight);
                        conv1",
                at: "weight",
                says: "`conv1`: conv2d: `weight` must be [16, 3, 3, 3], it is [16, 4, 3, 3]\n\
                   \x20 = note: `x` is [N, 3, 8, 8]",
                right: "let conv1 = conv2d(concat(x, mean(x, axes = 1, keepdims = true)), 16, kernel = 3, bias = false, weight = weight);
                        conv1",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "let fc1 = dense(data, 4);
                        let fc2 = dense(fc1, 4, weight = fc1.weight);
                        fc2",
                at: "fc1.weight",
                says: "`fc2`: dense: `weight` must be [4, 4], it is [4, 8]\n\
                   \x20 = note: `fc1` is [N, 4]",
                right: "let fc1 = dense(data, 8);
                        let fc2 = dense(fc1, 8, weight = fc1.weight);
                        fc2",
                scope: Scope::Language,
            },
        ],
        elsewhere: r#"PyTorch, in the forward pass: `RuntimeError: Given groups=1, weight of size [256, 384, 1, 1], expected input[20, 512, 32, 32] to have 384 channels, but got 512 channels instead` (keras-team/autokeras#351). burn, a panic: "Number of channels in input tensor and input channels of convolution must be equal." (`burn-tensor/src/tensor/api/check.rs`)."#,
    },
    Entry {
        code: Code::GroupsDoNotDivide,
        title: "Channels that do not divide into groups",
        rule: "The number of groups must divide the input channels and the filters.",
        cases: &[
            Case {
                inputs: "x: Tensor<N, 6, 8, 8>",
                wrong: "let conv1 = conv2d(x, 16, kernel = 3, groups = 4);
                        conv1",
                at: "groups = 4",
                says: "`conv1`: conv2d: 6 input channels do not divide into 4 groups\n\
                   \x20 = help: numbers that divide channels and filters: 1, 2\n\
                   \x20 = note: `x` is [N, 6, 8, 8]",
                right: "let conv1 = conv2d(x, 16, kernel = 3, groups = 2);
                        conv1",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: r#"PyTorch, when the layer is constructed: `ValueError: in_channels must be divisible by groups` (`torch/nn/modules/conv.py`). Keras checks the filters when the layer is constructed and the channels when it is built (`keras/src/layers/convolutional/base_conv.py`). burn, a panic: "Both channels must be divisible by the number of groups." (`burn-nn/src/modules/conv/checks.rs`)."#,
    },
    Entry {
        code: Code::SplitDoesNotDivide,
        title: "An extent that does not divide into parts",
        rule: "`split` makes equal parts.",
        cases: &[
            Case {
                inputs: "x: Tensor<N, 10>",
                wrong: "let (a, b, c) = split(x, 3);
                        a + b + c",
                at: "3",
                says: "split: axis 1 of [N, 10] is 10, which is not a multiple of 3\n\
                   \x20 = help: 2 or 5 parts would fit\n\
                   \x20 = note: `x` is [N, 10]",
                right: "let (a, b) = split(x, 2);
                        a + b",
                scope: Scope::Language,
            },
        ],
        elsewhere: "PyTorch's `torch.chunk` says nothing: the last chunk is smaller, or there are fewer chunks than were asked for (pytorch.org/docs/stable/generated/torch.chunk).",
    },
    Entry {
        code: Code::SliceOutside,
        title: "A slice that reaches outside",
        rule: "`begin` and `end` lie within the extent. A slice that is cut short without a word would change every shape behind it.",
        cases: &[
            Case {
                inputs: "x: Tensor<N, 8>",
                wrong: "let part = slice_axis(x, axis = 1, begin = 2, end = 12);
                        part",
                at: "end = 12",
                says: "`part`: slice_axis: end 12 is outside axis 1 of [N, 8], whose extent is 8\n\
                   \x20 = help: `end` goes up to 8\n\
                   \x20 = note: `x` is [N, 8]",
                right: "let part = slice_axis(x, axis = 1, begin = 2, end = 8);
                        part",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "x: Tensor<N, 8>",
                wrong: "let part = slice_axis(x, axis = 1, begin = 9);
                        part",
                at: "begin = 9",
                says: "`part`: slice_axis: index 9 is outside axis 1 of [N, 8], whose extent is 8\n\
                   \x20 = help: indices go from 0 to 7\n\
                   \x20 = note: `x` is [N, 8]",
                right: "let part = slice_axis(x, axis = 1, begin = 7);
                        part",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: r#"burn, a panic in the forward pass: "The provided slice has a range that exceeds the current tensor size." (`burn-tensor/src/tensor/api/check.rs`)."#,
    },
    Entry {
        code: Code::SliceEmpty,
        title: "A slice of nothing",
        rule: "At least one element must be left along every axis.",
        cases: &[
            Case {
                inputs: "x: Tensor<N, 8>",
                wrong: "let part = slice_axis(x, axis = 1, begin = 4, end = 4);
                        part",
                at: "end = 4",
                says: "`part`: slice_axis: nothing is left of axis 1 of [N, 8]: from 4 to 4 in steps of 1\n\
                   \x20 = note: `x` is [N, 8]",
                right: "let part = slice_axis(x, axis = 1, begin = 4, end = 5);
                        part",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: r#"burn, for `narrow`, a panic in the forward pass: "Can't narrow at dimension 1, length must be greater than 0" (`burn-tensor/src/tensor/api/check.rs`)."#,
    },
    Entry {
        code: Code::SqueezeExtent,
        title: "An axis is squeezed that is not 1",
        rule: "`squeeze` drops axes of extent 1; others hold data.",
        cases: &[
            Case {
                inputs: "x: Tensor<N, 8, 4, 4>",
                wrong: "let flat = squeeze(x, axes = [2, 3]);
                        flat",
                at: "axes = [2, 3]",
                says: "`flat`: squeeze: axis 2 of [N, 8, 4, 4] has extent 4, not 1\n\
                   \x20 = help: `slice_axis` takes one element of it, `reshape` merges it with another axis\n\
                   \x20 = note: `x` is [N, 8, 4, 4]",
                right: "let flat = global_avg_pool(x);
                        flat",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: r#"PyTorch's `torch.squeeze` says nothing and leaves the axis (pytorch.org/docs/stable/generated/torch.squeeze). burn, a panic: "Can't squeeze dimension 2 because its size is not 1" (`burn-tensor/src/tensor/api/check.rs`)."#,
    },
    Entry {
        code: Code::NotAPermutation,
        title: "A transpose that does not name every axis once",
        rule: "`axes` is the new order of all axes.",
        cases: &[
            Case {
                inputs: "x: Tensor<N, 8, 4>",
                wrong: "let turned = transpose(x, axes = [0, 2]);
                        turned",
                at: "axes = [0, 2]",
                says: "`turned`: transpose: [0, 2] does not name every axis of [N, 8, 4] exactly once\n\
                   \x20 = help: [N, 8, 4] has axes 0 to 2\n\
                   \x20 = note: `x` is [N, 8, 4]",
                right: "let turned = transpose(x, axes = [0, 2, 1]);
                        turned",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: r#"PyTorch, in the forward pass: `RuntimeError: permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired ordering of dimensions i.e. input.dim() = 3 is not equal to len(dims) = 2`. burn, a panic: "The axes must be unique." (`burn-tensor/src/tensor/api/check.rs`)."#,
    },
    Entry {
        code: Code::TooManyAxes,
        title: "More axes than there can be",
        rule: "Kernels know up to eight axes.",
        cases: &[
            Case {
                inputs: "x: Tensor<2, 2, 2, 2, 2, 2, 2, 2>",
                wrong: "let more = expand_dims(x, axis = 0);
                        more",
                at: "expand_dims(x, axis = 0)",
                says: "`more`: expand_dims: the result [1, 2, 2, 2, 2, 2, 2, 2, 2] would have more than 8 axes\n\
                   \x20 = note: `x` is [2, 2, 2, 2, 2, 2, 2, 2]",
                right: "let more = expand_dims(reshape(x, [4, 2, 2, 2, 2, 2, 2]), axis = 0);
                        more",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "",
                wrong: "pub fn Net(x: Tensor<N, 1, 1, 1, 1, 1, 1, 1, 8>) {
                        relu(x)
                        }",
                at: "Tensor<N, 1, 1, 1, 1, 1, 1, 1, 8>",
                says: "`x` has 9 axes, at most 8 are possible",
                right: "pub fn Net(x: Tensor<N, 1, 8>) {
                        relu(x)
                        }",
                scope: Scope::Language,
            },
        ],
        elsewhere: "PyTorch has up to 64 axes in most operators; beyond, in the forward pass: `RuntimeError: … only supports up to 64 dims`. NumPy: `maximum supported dimension for an ndarray is 64`. In burn the rank is part of the type.",
    },
    Entry {
        code: Code::TooLarge,
        title: "More elements than any machine holds",
        rule: "An array has at most 2^48 elements.",
        cases: &[
            Case {
                inputs: "",
                wrong: "pub fn Net(x: Tensor<N, 16777216, 33554432>) {
                        relu(x)
                        }",
                at: "Tensor<N, 16777216, 33554432>",
                says: "`x` is too large: more than 2^48 elements",
                right: "pub fn Net(x: Tensor<N, 16777216>) {
                        relu(x)
                        }",
                scope: Scope::Language,
            },
            Case {
                inputs: "x: Tensor<N, 8, 64, 64>",
                wrong: "let conv1 = conv2d(x, 8, kernel = 1048576, dilation = 1048576, pad = 1048576);
                        conv1",
                at: "dilation = 1048576",
                says: "`conv1`: conv2d: a window that spans 1099510579201 is too large\n\
                   \x20 = note: `x` is [N, 8, 64, 64]",
                right: "let conv1 = conv2d(x, 8, kernel = 3, dilation = 2);
                        conv1",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: "PyTorch, when it is allocated: `RuntimeError: … DefaultCPUAllocator: can't allocate memory: you tried to allocate 2251799813685248 bytes`.",
    },
    Entry {
        code: Code::NoElements,
        title: "The mean or the maximum of nothing",
        rule: "A mean needs at least one element, and so does a maximum.",
        cases: &[
            Case {
                inputs: "x: Tensor<2, 0, 4>",
                wrong: "let average = mean(x, axes = 1);
                        average",
                at: "x",
                says: "`average`: mean: there is no mean of no elements\n\
                   \x20 = note: `x` is [2, 0, 4]",
                right: "let total = sum(x, axes = 1);
                        total",
                scope: Scope::RunTime,
            },
        ],
        elsewhere: "PyTorch's loss of no samples is NaN (`aten/src/ATen/native/LossNLL.cpp`).",
    },
    Entry {
        code: Code::PaddingTooLarge,
        title: "A pooling window that would lie in the padding alone",
        rule: "The padding is smaller than the window, so that every window holds an element of the input.",
        cases: &[
            Case {
                inputs: "x: Tensor<N, 8, 16, 16>",
                wrong: "let pool1 = max_pool(x, kernel = 2, pad = 2);
                        pool1",
                at: "pad = 2",
                says: "`pool1`: max_pool: padding 2 is not less than the kernel 2: a window would hold nothing else\n\
                   \x20 = help: a padding up to 1 fits\n\
                   \x20 = note: `x` is [N, 8, 16, 16]",
                right: "let pool1 = max_pool(x, kernel = 2, pad = 1);
                        pool1",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: "PyTorch, in the forward pass: `RuntimeError: pad should be at most half of effective kernel size, but got pad=2, kernel_size=2 and dilation=1`.",
    },
];
