//! Gradients and memory.

use super::{Case, Code, Entry, Scope};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: Code::NoGradient,
        title: "A derivative of 0 everywhere before a weight",
        rule: "Behind `floor`, a comparison or a cast to integers no weight gets a gradient: training would leave it as it is.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>, label: Tensor<N, i64>",
            wrong: "let fc1 = dense(data, 8);
                        let hard = floor(fc1);
                        softmax_cross_entropy(hard, label)",
            at: "floor(fc1)",
            says: "`hard`: floor has no gradient: its derivative is 0 everywhere, so `fc1_weight` and 1 more could not be trained\n\
                   \x20 = help: `stop_gradient` around its input says that this is meant, `#[predict]` that nothing is trained",
            right: "let fc1 = dense(data, 8);
                        let soft = tanh(fc1);
                        softmax_cross_entropy(soft, label)",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch says nothing: the gradient of `floor` is zeros (`tools/autograd/derivatives.yaml`), and the weights stay what they were.",
    },
    Entry {
        code: Code::GradientNotKnown,
        title: "An operator that has no gradient for this call",
        rule: "Some gradients need to know at which number a part begins.",
        cases: &[Case {
            inputs: "left: Tensor<N, 4>, right: Tensor<M, 4>",
            wrong: "sum(concat(dense(left, 2), dense(right, 2), axis = 0))",
            at: "concat(dense(left, 2), dense(right, 2), axis = 0)",
            says: "concat has no gradient for input 1, which begins at N along axis 0: not at a number\n\
                   \x20 = help: join arrays of one extent, or along an axis of known extents",
            right: "(sum(dense(left, 2)), sum(dense(right, 2)))",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch, in the backward pass: `NotImplementedError: derivative for … is not implemented`, or `RuntimeError: element 0 of tensors does not require grad`. Keras leaves out gradients that are `None`, with a warning in the training step.",
    },
    Entry {
        code: Code::MemoryExceeded,
        title: "A network that does not fit its memory",
        rule: "`#[memory]` makes values again in the backward pass until the arrays between the layers fit; less than that is not possible.",
        cases: &[Case {
            inputs: "",
            wrong: r#"#[memory(batch = 64, max = "1 MiB")]
                        pub fn Net(data: Tensor<N, 3, 32, 32>, label: Tensor<N, i64>) {
                        let conv1 = relu(conv2d(data, 16, kernel = 3));
                        softmax_cross_entropy(dense(flatten(conv1), 10), label)
                        }"#,
            at: r#"memory(batch = 64, max = "1 MiB")"#,
            says: "training does not fit 1 MiB: the arrays between the layers take 7.1 MiB\n\
                   \x20 = help: there is nothing to make again; a smaller batch needs less",
            right: r#"#[memory(batch = 64, max = "64 MiB")]
                        pub fn Net(data: Tensor<N, 3, 32, 32>, label: Tensor<N, i64>) {
                        let conv1 = relu(conv2d(data, 16, kernel = 3));
                        softmax_cross_entropy(dense(flatten(conv1), 10), label)
                        }"#,
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch, in the step that needs too much: `torch.OutOfMemoryError: CUDA out of memory`, maybe after hours, where a batch is longer than others. There is no way to say before what may be used; `torch.utils.checkpoint` is placed by hand.",
    },
    Entry {
        code: Code::MemoryAttribute,
        title: "`#[memory]` that is not complete",
        rule: "It takes a number for the batch, one for every other symbol, and `max`.",
        cases: &[
            Case {
                inputs: "",
                wrong: "#[memory(batch = 64)]
                        pub fn Net(data: Tensor<N, 3, 32, 32>, label: Tensor<N, i64>) {
                        let conv1 = relu(conv2d(data, 16, kernel = 3));
                        softmax_cross_entropy(dense(flatten(conv1), 10), label)
                        }",
                at: "memory",
                says: "`memory` needs a limit, `max`\n\
                   \x20 = help: `#[memory(batch = 64, max = \"2 GiB\")]`",
                right: r#"#[memory(batch = 64, max = "64 MiB")]
                        pub fn Net(data: Tensor<N, 3, 32, 32>, label: Tensor<N, i64>) {
                        let conv1 = relu(conv2d(data, 16, kernel = 3));
                        softmax_cross_entropy(dense(flatten(conv1), 10), label)
                        }"#,
                scope: Scope::Language,
            },
            Case {
                inputs: "",
                wrong: "#[memory]
                        pub fn Net(data: Tensor<N, 3, 32, 32>, label: Tensor<N, i64>) {
                        let conv1 = relu(conv2d(data, 16, kernel = 3));
                        softmax_cross_entropy(dense(flatten(conv1), 10), label)
                        }",
                at: "memory",
                says: "`memory` needs a batch and a limit\n\
                   \x20 = help: `#[memory(batch = 64, max = \"2 GiB\")]`",
                right: r#"#[memory(batch = 64, max = "64 MiB")]
                        pub fn Net(data: Tensor<N, 3, 32, 32>, label: Tensor<N, i64>) {
                        let conv1 = relu(conv2d(data, 16, kernel = 3));
                        softmax_cross_entropy(dense(flatten(conv1), 10), label)
                        }"#,
                scope: Scope::Language,
            },
            Case {
                inputs: "",
                wrong: r#"#[memory(batch = 0, max = "64 MiB")]
                        pub fn Net(data: Tensor<N, 3, 32, 32>, label: Tensor<N, i64>) {
                        let conv1 = relu(conv2d(data, 16, kernel = 3));
                        softmax_cross_entropy(dense(flatten(conv1), 10), label)
                        }"#,
                at: "0",
                says: "`batch` must be a number above 0, not 0\n\
                   \x20 = help: `#[memory(batch = 64, max = \"2 GiB\")]`",
                right: r#"#[memory(batch = 64, max = "64 MiB")]
                        pub fn Net(data: Tensor<N, 3, 32, 32>, label: Tensor<N, i64>) {
                        let conv1 = relu(conv2d(data, 16, kernel = 3));
                        softmax_cross_entropy(dense(flatten(conv1), 10), label)
                        }"#,
                scope: Scope::Language,
            },
        ],
        elsewhere: "PyTorch's nearest is `torch.cuda.set_per_process_memory_fraction`, which ends a step that needs more, and plans nothing. Keras and burn have nothing like it.",
    },
    Entry {
        code: Code::MemoryUnit,
        title: "An amount of memory in another unit",
        rule: "Amounts are counted in `B`, `KiB`, `MiB`, `GiB` and `TiB`.",
        cases: &[Case {
            inputs: "",
            wrong: r#"#[memory(batch = 64, max = "2 GB")]
                        pub fn Net(data: Tensor<N, 3, 32, 32>, label: Tensor<N, i64>) {
                        let conv1 = relu(conv2d(data, 16, kernel = 3));
                        softmax_cross_entropy(dense(flatten(conv1), 10), label)
                        }"#,
            at: r#""2 GB""#,
            says: "\"2 GB\" is no amount of memory\n\
                   \x20 = help: did you mean \"2 GiB\"?",
            right: r#"#[memory(batch = 64, max = "2 GiB")]
                        pub fn Net(data: Tensor<N, 3, 32, 32>, label: Tensor<N, i64>) {
                        let conv1 = relu(conv2d(data, 16, kernel = 3));
                        softmax_cross_entropy(dense(flatten(conv1), 10), label)
                        }"#,
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch counts bytes or fractions, as numbers without a unit.",
    },
    Entry {
        code: Code::MemoryUnknownSymbol,
        title: "`#[memory]` with a symbol that does not exist",
        rule: "`batch` is the first extent of the first input; other symbols go by their names.",
        cases: &[Case {
            inputs: "",
            wrong: r#"#[memory(bacth = 64, max = "64 MiB")]
                        pub fn Net(data: Tensor<N, 3, 32, 32>, label: Tensor<N, i64>) {
                        let conv1 = relu(conv2d(data, 16, kernel = 3));
                        softmax_cross_entropy(dense(flatten(conv1), 10), label)
                        }"#,
            at: "bacth",
            says: "`bacth` is no symbol of the network\n\
                   \x20 = help: did you mean `batch`?",
            right: r#"#[memory(batch = 64, max = "64 MiB")]
                        pub fn Net(data: Tensor<N, 3, 32, 32>, label: Tensor<N, i64>) {
                        let conv1 = relu(conv2d(data, 16, kernel = 3));
                        softmax_cross_entropy(dense(flatten(conv1), 10), label)
                        }"#,
            scope: Scope::Language,
        }],
        elsewhere: "Nothing in PyTorch, Keras or burn plans memory for sizes that are given by name; `torch.export` refuses a `Dim` that is not in the signature when it is exported.",
    },
    Entry {
        code: Code::MemoryMissingSymbol,
        title: "`#[memory]` without a number for a symbol",
        rule: "Memory is planned for one size of everything that has a name.",
        cases: &[Case {
            inputs: "",
            wrong: r#"#[memory(batch = 20, max = "64 MiB")]
                        pub fn Net(data: Tensor<N, T, 8>) {
                        relu(data)
                        }"#,
            at: r#"memory(batch = 20, max = "64 MiB")"#,
            says: "`memory` needs a number for `T`\n\
                   \x20 = help: memory is planned for one size of the batch, and of whatever else has a name",
            right: r#"#[memory(batch = 20, T = 35, max = "64 MiB")]
                        pub fn Net(data: Tensor<N, T, 8>) {
                        relu(data)
                        }"#,
            scope: Scope::Language,
        }],
        elsewhere: "Nothing in PyTorch, Keras or burn plans memory before a step: it takes what the sizes that are fed need, when they are fed.",
    },
    Entry {
        code: Code::PrintVariable,
        title: "`MXR_PRINT` that is not understood",
        rule: "The environment variable names the passes after which the graph is printed while it is compiled.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "relu(data)",
            at: "Net",
            says: "in the environment variable MXR_PRINT: there is no pass `gradients`; there are simplify, cse, sink, fold_norm, transpose, fuse_norm, saved, fuse_conv, fuse_grad, fuse, reduce, grad, predict, dce",
            right: "relu(data)",
            scope: Scope::Environment("MXR_PRINT", "gradients"),
        }],
        elsewhere: "PyTorch, when it is imported: `TORCH_LOGS` with an unknown name is `ValueError: Invalid log settings`, with the list of names. XLA ends the process at an unknown flag in `XLA_FLAGS`.",
    },
];
