//! Arguments and options.

use super::{Case, Code, Entry, Scope};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: Code::UnknownOption,
        title: "An option that the operator does not have",
        rule: "Options are given by name; each operator has its own.",
        cases: &[
            Case {
                inputs: "x: Tensor<N, 3, 32, 32>",
                wrong: "let conv1 = conv2d(x, 20, kernal = 5);
                        relu(conv1)",
                at: "kernal",
                says: "conv2d has no option `kernal`\n\
                   \x20 = help: did you mean `kernel`?",
                right: "let conv1 = conv2d(x, 20, kernel = 5);
                        relu(conv1)",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "x: Tensor<N, 10>",
                wrong: "let prob = softmax(x, dim = 1);
                        prob",
                at: "dim",
                says: "softmax has no option `dim`\n\
                   \x20 = help: it is called `axis` here",
                right: "let prob = softmax(x, axis = 1);
                        prob",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: "Keras, when the layer is constructed: `ValueError: Unrecognized keyword arguments passed to Conv2D: {…}` (`keras/src/layers/layer.py`).",
    },
    Entry {
        code: Code::MissingOption,
        title: "An option without a default is not given",
        rule: "What nothing else tells has to be written: the kernel of a convolution, the width of a dense layer.",
        cases: &[Case {
            inputs: "x: Tensor<N, 3, 32, 32>",
            wrong: "let conv1 = conv2d(x, 20);
                        relu(conv1)",
            at: "conv2d(x, 20)",
            says: "`conv1`: conv2d needs `kernel`\n\
                   \x20 = help: kernel: window, `n` or `(height, width)`\n\
                   \x20 = note: `x` is [N, 3, 32, 32]",
            right: "let conv1 = conv2d(x, 20, kernel = 3);
                        relu(conv1)",
            scope: Scope::Language,
        }],
        elsewhere: "Keras, when the layer is constructed: `TypeError: __init__() missing 1 required positional argument: 'kernel_size'` (fizyr/keras-retinanet#1278).",
    },
    Entry {
        code: Code::GivenTwice,
        title: "An option or an operand is given twice",
        rule: "Each argument has one value.",
        cases: &[
            Case {
                inputs: "x: Tensor<N, 3, 32, 32>",
                wrong: "conv2d(x, 20, kernel = 5, kernel = 3)",
                at: "kernel = 3",
                says: "`kernel` of conv2d is given twice",
                right: "conv2d(x, 20, kernel = 5)",
                scope: Scope::Language,
            },
            Case {
                inputs: "",
                wrong: "fn act(x: Tensor, slope: f32) {
                        leaky_relu(x, slope = slope)
                        }
                        pub fn Net(data: Tensor<N, 10>) {
                        act(data, 0.1, slope = 0.2)
                        }",
                at: "slope = 0.2",
                says: "`slope` of block `act` is given twice",
                right: "fn act(x: Tensor, slope: f32) {
                        leaky_relu(x, slope = slope)
                        }
                        pub fn Net(data: Tensor<N, 10>) {
                        act(data, 0.1)
                        }",
                scope: Scope::Language,
            },
        ],
        elsewhere: "Python, when the module is imported: `SyntaxError: keyword argument repeated: kernel_size`; by position and by name, when the layer is made: `TypeError: got multiple values for argument`. In burn a later `with_…` replaces the earlier one, silently.",
    },
    Entry {
        code: Code::OptionKind,
        title: "An option has a value of another kind",
        rule: "Sizes are integers or pairs of them, probabilities numbers, switches `true` or `false`.",
        cases: &[
            Case {
                inputs: "x: Tensor<N, 3, 32, 32>",
                wrong: "let conv1 = conv2d(x, 20, kernel = 2.5);
                        conv1",
                at: "2.5",
                says: "conv2d: `kernel` must be an integer of at least 1, or (height, width), not 2.5\n\
                   \x20 = help: window, `n` or `(height, width)`",
                right: "let conv1 = conv2d(x, 20, kernel = (2, 3));
                        conv1",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "x: Tensor<N, 3, 32, 32>",
                wrong: "let conv1 = conv2d(x, 20, kernel = (3, 3, 3));
                        conv1",
                at: "(3, 3, 3)",
                says: "conv2d: `kernel` must be an integer of at least 1, or (height, width), not (3, 3, 3)\n\
                   \x20 = help: window, `n` or `(height, width)`",
                right: "let conv1 = conv2d(x, 20, kernel = (3, 3));
                        conv1",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "x: Tensor<N, 10>",
                wrong: "let fc1 = dense(x, 10, bias = 0);
                        fc1",
                at: "0",
                says: "dense: `bias` must be `true` or `false`, not 0\n\
                   \x20 = help: add a bias per unit; true by default",
                right: "let fc1 = dense(x, 10, bias = false);
                        fc1",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: r#"PyTorch, when the layer is made: `TypeError: empty() received an invalid combination of arguments - got (tuple, …)`, without the name of the option. Keras, when the layer is made: "must be a positive integer" and the like. In burn rustc finds it: E0308."#,
    },
    Entry {
        code: Code::OptionBounds,
        title: "An option is out of bounds",
        rule: "The options of an operator say what they may be.",
        cases: &[
            Case {
                inputs: "x: Tensor<N, 10>",
                wrong: "let drop = dropout(x, p = 1.5);
                        drop",
                at: "1.5",
                says: "dropout: `p` must be a number from 0 to 1, not 1.5\n\
                   \x20 = help: probability of a zero, below 1; 0.5 by default",
                right: "let drop = dropout(x, p = 0.5);
                        drop",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "x: Tensor<N, 10>",
                wrong: "let drop = dropout(x, p = 1.0);
                        drop",
                at: "p = 1.0",
                says: "`drop`: dropout: `p` must be below 1: nothing would be left\n\
                   \x20 = help: p is the probability of a zero, not of keeping\n\
                   \x20 = note: `x` is [N, 10]",
                right: "let drop = dropout(x, p = 0.9);
                        drop",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "x: Tensor<N, 3, 32, 32>",
                wrong: "let conv1 = conv2d(x, 20, kernel = 3, stride = 0);
                        conv1",
                at: "0",
                says: "conv2d: `stride` must be an integer of at least 1, or (height, width), not 0\n\
                   \x20 = help: step of the window, `n` or `(height, width)`; 1 by default",
                right: "let conv1 = conv2d(x, 20, kernel = 3, stride = 1);
                        conv1",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "x: Tensor<N, 3, 32, 32>",
                wrong: "let conv1 = conv2d(x, 20, kernel = 3, pad = -1);
                        conv1",
                at: "-1",
                says: "conv2d: `pad` must be an integer, (height, width), (top, left, bottom, right) or `same`, not -1\n\
                   \x20 = help: zeros around the image: `n`, `(height, width)`, `(top, left, bottom, right)` or `same`; 0 by default",
                right: "let conv1 = conv2d(x, 20, kernel = 3, pad = 1);
                        conv1",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "x: Tensor<N, 8, 4, 4>",
                wrong: "let norm = lrn(x, size = 4);
                        norm",
                at: "size = 4",
                says: "`norm`: lrn: `size` must be odd, 4 has no middle\n\
                   \x20 = help: 3 or 5 would do\n\
                   \x20 = note: `x` is [N, 8, 4, 4]",
                right: "let norm = lrn(x, size = 5);
                        norm",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: r#"PyTorch, when the layer is constructed: `ValueError: dropout probability has to be between 0 and 1, but got 1.5` (`torch/nn/modules/dropout.py`); Keras and burn the same there. Keras: "The argument `strides` cannot contains 0." (`keras/src/layers/convolutional/base_conv.py`)."#,
    },
    Entry {
        code: Code::UnknownWord,
        title: "A word that the option does not know",
        rule: "An option that chooses takes one of a few words.",
        cases: &[
            Case {
                inputs: "x: Tensor<N, 8, 16, 16>",
                wrong: "let pool1 = max_pool(x, kernel = 3, rounding = ceel);
                        pool1",
                at: "ceel",
                says: "max_pool: `rounding` must be one of `floor`, `ceil`, not `ceel`\n\
                   \x20 = help: did you mean `ceil`?",
                right: "let pool1 = max_pool(x, kernel = 3, rounding = ceil);
                        pool1",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "pred: Tensor<N, 3>, target: Tensor<N, 3>",
                wrong: "let loss = mse_loss(pred, target, reduction = average);
                        loss",
                at: "average",
                says: "mse_loss: `reduction` must be one of `mean`, `sum`, `none`, not `average`\n\
                   \x20 = help: `mean` or `sum` for a number, `none` for one loss per sample; `mean` by default",
                right: "let loss = mse_loss(pred, target, reduction = mean);
                        loss",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: r#"PyTorch, when the layer is made: `ValueError: Invalid padding string 'smae', should be one of …`. Keras, when the layer is made: "The `padding` argument must be one of …". In burn words are variants of an `enum`: E0599."#,
    },
    Entry {
        code: Code::TensorForOption,
        title: "A tensor where an option stands",
        rule: "Options are known while the network is compiled; a tensor is not.",
        cases: &[Case {
            inputs: "data: Tensor<N, 3, 32, 32>",
            wrong: "conv2d(data, 20, kernel = data)",
            at: "data",
            says: "`kernel` of conv2d is an option, this is a tensor of [N, 3, 32, 32]\n\
                   \x20 = help: window, `n` or `(height, width)`",
            right: "conv2d(data, 20, kernel = 5)",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch, when the layer is made: `TypeError`, of whatever looks at the value first. In burn rustc finds it: E0308.",
    },
    Entry {
        code: Code::TooManyArguments,
        title: "More arguments than the operator takes",
        rule: "Operands come first, then the options that may stand without a name; all others are named.",
        cases: &[
            Case {
                inputs: "data: Tensor<N, 3, 32, 32>",
                wrong: "conv2d(data, 20, 5)",
                at: "5",
                says: "conv2d takes 2 arguments without a name: `x` and `filters`\n\
                   \x20 = help: name it: `kernel = 5`",
                right: "conv2d(data, 20, kernel = 5)",
                scope: Scope::Language,
            },
            Case {
                inputs: "data: Tensor<N, 3, 32, 32>, more: Tensor<N, 8>",
                wrong: "relu(data, more)",
                at: "more",
                says: "relu takes 1 argument without a name: `x`",
                right: "(relu(data), relu(more))",
                scope: Scope::Language,
            },
        ],
        elsewhere: "PyTorch takes the third argument of `nn.Conv2d` for the kernel and the fourth for the stride (`torch/nn/modules/conv.py`).",
    },
    Entry {
        code: Code::MissingOperand,
        title: "Fewer operands than the operator takes",
        rule: "Every tensor that an operator reads must be named.",
        cases: &[Case {
            inputs: "data: Tensor<N, 10>",
            wrong: "let loss = softmax_cross_entropy(data);
                        loss",
            at: "softmax_cross_entropy(data)",
            says: "`loss`: softmax_cross_entropy takes 2 inputs, 1 given\n\
                   \x20 = help: softmax_cross_entropy(logits, label, …)",
            right: "let prob = softmax(data);
                        prob",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch, in the forward pass: `TypeError: forward() missing 1 required positional argument: 'target'`. In burn rustc finds it: E0061.",
    },
    Entry {
        code: Code::SkippedOperand,
        title: "A later operand is given, an earlier one is not",
        rule: "Weights are handed over in order: a bias alone would be taken for the weight.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "let fc1 = dense(data, 8);
                        dense(fc1, 8, bias = fc1.bias)",
            at: "dense",
            says: "dense is given `bias`, but not `weight`",
            right: "let fc1 = dense(data, 8);
                        dense(fc1, 8, weight = fc1.weight, bias = fc1.bias)",
            scope: Scope::Language,
        }],
        elsewhere: r#"In PyTorch weights are assigned to modules one by one, so any of them may be shared; with `F.linear`, a missing one is `TypeError: linear() missing 1 required positional arguments: "weight"`, in the forward pass."#,
    },
    Entry {
        code: Code::ColonForOption,
        title: "A colon for an option",
        rule: "An argument gets its name with `=`, as rustfmt formats it; a colon belongs to structs.",
        cases: &[Case {
            inputs: "data: Tensor<N, 3, 32, 32>",
            wrong: "let conv1 = conv2d(data, 20, kernel: 3, pad = 1);
                        relu(conv1)",
            at: ":",
            says: "an argument gets its name with `=`\n\
                   \x20 = help: `kernel = 3`",
            right: "let conv1 = conv2d(data, 20, kernel = 3, pad = 1);
                        relu(conv1)",
            scope: Scope::Language,
        }],
        elsewhere: r#"Python, when the module is imported: `SyntaxError: invalid syntax`. rustc, for burn: "expected one of `)`, `,`"."#,
    },
    Entry {
        code: Code::ComparisonForOption,
        title: "A comparison for an option",
        rule: "An argument gets its name with `=`; `==` compares.",
        cases: &[Case {
            inputs: "data: Tensor<N, 3, 32, 32>",
            wrong: "conv2d(data, 20, kernel == 3)",
            at: "kernel == 3",
            says: "`==` compares, an argument gets its name with `=`\n\
                   \x20 = help: `kernel = 3`",
            right: "conv2d(data, 20, kernel = 3)",
            scope: Scope::Language,
        }],
        elsewhere: "Python, when the line runs: `NameError: name 'kernel_size' is not defined`; where there is such a name, `False` is the third argument, silently, and a `bool` is an integer. In burn rustc finds it: E0425.",
    },
    Entry {
        code: Code::NumberAmongTensors,
        title: "A number among tensors",
        rule: "An operator of any number of operands takes every argument without a name for one of them.",
        cases: &[Case {
            inputs: "left: Tensor<N, 8>, right: Tensor<N, 8>",
            wrong: "concat(left, right, 1)",
            at: "1",
            says: "concat takes tensors, this is the integer 1\n\
                   \x20 = help: name it if it is an option: `axis = 1`",
            right: "concat(left, right, axis = 1)",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch, in the forward pass: `TypeError: cat() received an invalid combination of arguments`. In burn rustc finds it: E0308.",
    },
    Entry {
        code: Code::BiasGivenAndRefused,
        title: "A bias is given, and there is to be none",
        rule: "`bias = false` says that there is no bias, `bias = tensor` which.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>, w: Tensor<4, 8>, b: Tensor<4>",
            wrong: "dense(data, 4, bias = false, weight = w, bias = b)",
            at: "b",
            says: "dense: a bias is given although `bias = false`\n\
                   \x20 = note: `data` is [N, 8]",
            right: "dense(data, 4, weight = w, bias = b)",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch's `nn.Linear` has no bias with `bias=False`, and one that is assigned afterwards is used: both say the same there. Keras ignores a `bias_initializer` beside `use_bias=False`, silently.",
    },
    Entry {
        code: Code::Contradiction,
        title: "Options that contradict each other",
        rule: "The options of a call must make sense together.",
        cases: &[
            Case {
                inputs: "x: Tensor<N, 8>",
                wrong: "let y = clip(x, min = 1.0, max = -1.0);
                        y",
                at: "max = -1.0",
                says: "`y`: clip: `max` is -1, below `min`, 1\n\
                   \x20 = help: exchange them\n\
                   \x20 = note: `x` is [N, 8]",
                right: "let y = clip(x, min = -1.0, max = 1.0);
                        y",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "logits: Tensor<N, 1>, label: Tensor<N, i64>",
                wrong: "let loss = softmax_cross_entropy(logits, label, smoothing = 0.1);
                        loss",
                at: "smoothing = 0.1",
                says: "`loss`: softmax_cross_entropy: there is no other class to move to\n\
                   \x20 = note: `logits` is [N, 1]\n\
                   \x20 = note: `label` is i64[N]",
                right: "let loss = softmax_cross_entropy(logits, label);
                        loss",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: "PyTorch's `torch.clamp` says nothing and sets all elements to the value of `max` (pytorch.org/docs/stable/generated/torch.clamp.html).",
    },
];
