//! Symbols that get their numbers at run time.

use super::{Case, Code, Entry, Scope};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: Code::BoundUnknown,
        title: "A symbol that the network does not have",
        rule: "Numbers are given for the symbols of the network, by name.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn Net(data: Tensor<N, 3, H, H>) {
                        let conv1 = conv2d(data, 8, kernel = 5);
                        relu(conv1)
                        }",
            at: "",
            says: "`Net` has no symbol `h`; did you mean `H`?",
            right: "pub fn Net(data: Tensor<N, 3, H, H>) {
                        let conv1 = conv2d(data, 8, kernel = 5);
                        relu(conv1)
                        }",
            scope: Scope::Bind(&[("N", 4), ("h", 32)]),
        }],
        elsewhere: "PyTorch has no names for extents: a layer takes what is fed. `torch.export` with a `Dim` that no input has fails when it is exported. MXNet, when it is bound: `Keyword argument name … not found`.",
    },
    Entry {
        code: Code::BoundMissing,
        title: "A symbol without a number",
        rule: "Every symbol of the network gets a number when it is bound.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn Net(data: Tensor<N, 3, H, H>) {
                        let conv1 = conv2d(data, 8, kernel = 5);
                        relu(conv1)
                        }",
            at: "",
            says: "`Net` needs a number for its symbol `H`",
            right: "pub fn Net(data: Tensor<N, 3, H, H>) {
                        let conv1 = conv2d(data, 8, kernel = 5);
                        relu(conv1)
                        }",
            scope: Scope::Bind(&[("N", 4)]),
        }],
        elsewhere: "PyTorch and burn find extents in what is fed, so none can be missing. MXNet, when it is bound: `simple_bind` fails because the shape of an input cannot be inferred.",
    },
    Entry {
        code: Code::BoundInvalid,
        title: "A number that no symbol can have",
        rule: "An extent is at least 1 and at most 2^48.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn Net(data: Tensor<N, 3, H, H>) {
                        let conv1 = conv2d(data, 8, kernel = 5);
                        relu(conv1)
                        }",
            at: "",
            says: "`N` must be at least 1 and at most 2^48, not 0",
            right: "pub fn Net(data: Tensor<N, 3, H, H>) {
                        let conv1 = conv2d(data, 8, kernel = 5);
                        relu(conv1)
                        }",
            scope: Scope::Bind(&[("N", 0), ("H", 32)]),
        }],
        elsewhere: "PyTorch accepts a batch of 0, and most layers run on it; the loss is `nan` then (the mean over nothing), which nothing reports. Keras `Input(shape=…)` leaves the batch open.",
    },
    Entry {
        code: Code::BoundTwice,
        title: "A symbol with two numbers",
        rule: "Each symbol has one number.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn Net(data: Tensor<N, 3, H, H>) {
                        let conv1 = conv2d(data, 8, kernel = 5);
                        relu(conv1)
                        }",
            at: "",
            says: "`N` is given twice",
            right: "pub fn Net(data: Tensor<N, 3, H, H>) {
                        let conv1 = conv2d(data, 8, kernel = 5);
                        relu(conv1)
                        }",
            scope: Scope::Bind(&[("N", 4), ("N", 5), ("H", 32)]),
        }],
        elsewhere: "In Python the same name twice among keyword arguments is `SyntaxError: keyword argument repeated`, when the module is imported; of a list of pairs the last one counts silently.",
    },
    Entry {
        code: Code::BoundTooLarge,
        title: "An array that no machine holds for these numbers",
        rule: "An array has at most 2^48 elements.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn Net(data: Tensor<N, 3, H, H>) {
                        let conv1 = conv2d(data, 8, kernel = 5);
                        relu(conv1)
                        }",
            at: "",
            says: "with N = 1073741824, H = 1048576: `data` has more than 2^48 elements",
            right: "pub fn Net(data: Tensor<N, 3, H, H>) {
                        let conv1 = conv2d(data, 8, kernel = 5);
                        relu(conv1)
                        }",
            scope: Scope::Bind(&[("N", 1073741824), ("H", 1048576)]),
        }],
        elsewhere: "PyTorch, in the forward pass: `RuntimeError: [enforce fail at alloc_cpu.cpp] … DefaultCPUAllocator: can't allocate memory`, or on a GPU `torch.OutOfMemoryError`; without the name of the array.",
    },
];
