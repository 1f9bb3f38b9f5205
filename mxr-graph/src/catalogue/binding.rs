//! Symbols that get their numbers at run time, and what is fed to the network that is bound.

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
    Entry {
        code: Code::FedUnknown,
        title: "An input that the network does not have",
        rule: "Inputs are called as the network declares them. `net.set(Net::data, &x)` names one by a constant, which is checked while compiling.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn Net(data: Tensor<N, 3, 8, 8>, label: Tensor<N, i64>) {
                        let fc1 = dense(flatten(data), 10);
                        softmax_cross_entropy(fc1, label)
                        }",
            at: "",
            says: "date: the network has no input of this name\n  = help: did you mean `data`?",
            right: "pub fn Net(data: Tensor<N, 3, 8, 8>, label: Tensor<N, i64>) {
                        let fc1 = dense(flatten(data), 10);
                        softmax_cross_entropy(fc1, label)
                        }",
            scope: Scope::Run(
                r#"net.set_input("date", &NDArray::zeros(&[4, 3, 8, 8])?)"#,
                r#"net.set_input("data", &NDArray::zeros(&[4, 3, 8, 8])?)"#,
            ),
        }],
        elsewhere: "PyTorch, in the forward pass: `TypeError: forward() got an unexpected keyword argument 'pictures'`. ONNX Runtime, when it runs: `ValueError: Required inputs (['data']) are missing from input feed (['pictures'])`.",
    },
    Entry {
        code: Code::FedShape,
        title: "An array of another shape than the input's",
        rule: "An input takes the shape that the network declares, with the numbers that its symbols were bound with. Typed tensors (`mxr::tensor`) are held against the network while compiling.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn Net(data: Tensor<N, 3, 8, 8>, label: Tensor<N, i64>) {
                        let fc1 = dense(flatten(data), 10);
                        softmax_cross_entropy(fc1, label)
                        }",
            at: "",
            says: "`Net`: its input `data` takes [4, 3, 8, 8], this is an array of [5, 3, 8, 8]\n  = help: it is bound with N = 4; bind it with the extents that it is fed with",
            right: "pub fn Net(data: Tensor<N, 3, 8, 8>, label: Tensor<N, i64>) {
                        let fc1 = dense(flatten(data), 10);
                        softmax_cross_entropy(fc1, label)
                        }",
            scope: Scope::Run(
                r#"net.set_input("data", &NDArray::zeros(&[5, 3, 8, 8])?)"#,
                r#"net.set_input("data", &NDArray::zeros(&[4, 3, 8, 8])?)"#,
            ),
        }],
        elsewhere: "PyTorch, in the first layer that cannot work with the shape: `RuntimeError: mat1 and mat2 shapes cannot be multiplied`. MXNet fails in the engine when the array is copied. ONNX Runtime, when it runs: `INVALID_ARGUMENT : Got invalid dimensions for input`.",
    },
    Entry {
        code: Code::NoParameter,
        title: "A parameter, gradient or state that the network does not have",
        rule: "Parameters are called after their layer, `fc1_weight`. A layer's constant names its first one, `net.param(Net::fc1)`, and is checked while compiling.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn Net(data: Tensor<N, 3, 8, 8>, label: Tensor<N, i64>) {
                        let fc1 = dense(flatten(data), 10);
                        softmax_cross_entropy(fc1, label)
                        }",
            at: "",
            says: "fc1_weigth: the network has no parameter of this name\n  = help: did you mean `fc1_weight`?",
            right: "pub fn Net(data: Tensor<N, 3, 8, 8>, label: Tensor<N, i64>) {
                        let fc1 = dense(flatten(data), 10);
                        softmax_cross_entropy(fc1, label)
                        }",
            scope: Scope::Run(r#"net.param("fc1_weigth")"#, r#"net.param("fc1_weight")"#),
        }],
        elsewhere: "PyTorch, when the line runs: `AttributeError: 'Net' object has no attribute 'fc3'`; `load_state_dict` lists what it did not expect. MXNet's `arg_dict['fc3_weight']` is Python's `KeyError`.",
    },
    Entry {
        code: Code::NothingToGoBack,
        title: "A backward pass without a forward pass before it",
        rule: "Each backward pass uses up the values of a forward pass for training, the call before it.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn Net(data: Tensor<N, 3, 8, 8>, label: Tensor<N, i64>) {
                        let fc1 = dense(flatten(data), 10);
                        softmax_cross_entropy(fc1, label)
                        }",
            at: "",
            says: "Net.backward: it needs the values of a forward pass for training, and such a pass was not the call before it\n  = help: call `forward(Mode::Train)` before each `backward`",
            right: "pub fn Net(data: Tensor<N, 3, 8, 8>, label: Tensor<N, i64>) {
                        let fc1 = dense(flatten(data), 10);
                        softmax_cross_entropy(fc1, label)
                        }",
            scope: Scope::Run("net.backward()", "net.forward(Mode::Train).and_then(|_| net.backward())"),
        }],
        elsewhere: "PyTorch, in the second call of `backward()`: `RuntimeError: Trying to backward through the graph a second time`. MXNet runs the backward pass on whatever the arrays hold.",
    },
    Entry {
        code: Code::OnlyPredicts,
        title: "Training of a network that only predicts",
        rule: "A network of `#[predict]`, or one that is bound for the results of some layers, has no gradients.",
        cases: &[Case {
            inputs: "",
            wrong: "#[predict]
                    pub fn Net(data: Tensor<N, 3, 8, 8>) {
                        let fc1 = dense(flatten(data), 10);
                        softmax(fc1)
                        }",
            at: "",
            says: "Net.forward: the network was declared for prediction only, or bound up to some of its layers\n  = help: declare it without `#[predict]`, and bind it without `outputs`, to train it",
            right: "#[predict]
                    pub fn Net(data: Tensor<N, 3, 8, 8>) {
                        let fc1 = dense(flatten(data), 10);
                        softmax(fc1)
                        }",
            scope: Scope::Run("net.forward(Mode::Train)", "net.forward(Mode::Predict)"),
        }],
        elsewhere: "PyTorch, in `backward()`: `RuntimeError: element 0 of tensors does not require grad and does not have a grad_fn`. MXNet, when `backward` is called on an executor that was bound with `grad_req='null'`, returns without a word.",
    },
];
