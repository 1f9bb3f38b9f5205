//! Operators of the user's.

use super::{Case, Code, Entry, Scope};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: Code::OperatorRefuses,
        title: "An operator of one's own does not take what it is given",
        rule: "What an operator of one's own takes is said by its shape rule, `Operator::infer`. It is a rule of numbers, so `network!` asks it when \
               the network is bound; `Symbol` and `NDArray` ask it for the call.",
        cases: &[Case {
            inputs: "",
            wrong: "extern \"Rust\" fn norm(x: Tensor) -> Tensor {
                        LayerNorm { eps: 1e-5 }
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        norm(sum(data))
                        }",
            at: "",
            says: "`norm0`: layer_norm needs at least one axis
  = help: normalise along the last axis of `[n, features]`
  = note: input 0 is []",
            right: "extern \"Rust\" fn norm(x: Tensor) -> Tensor {
                        LayerNorm { eps: 1e-5 }
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        norm(data)
                        }",
            scope: Scope::Operators(&[("N", 4)]),
        }],
        elsewhere: "A `torch.autograd.Function` is asked in the forward pass, and says what its author wrote; `torch.library.custom_op` checks its schema when it is called. Keras asks `compute_output_shape` or `build` when the layer is called.",
    },
    Entry {
        code: Code::StatedShape,
        title: "What is stated of an operator's result is not what its shape rule gives",
        rule: "`network!` goes on with the result that the declaration of an operator states. When the network is bound it is held against the \
               operator's own shape rule, `Operator::infer`.",
        cases: &[Case {
            inputs: "",
            wrong: "extern \"Rust\" fn norm(x: Tensor<N, C>) -> Tensor<N> {
                        LayerNorm { eps: 1e-5 }
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        norm(data)
                        }",
            at: "",
            says: "`norm0`: layer_norm gives [4, 8] by its shape rule, and [4] is stated
  = help: state what the rule gives
  = note: input 0 is [4, 8]",
            right: "extern \"Rust\" fn norm(x: Tensor<N, C>) -> Tensor<N, C> {
                        LayerNorm { eps: 1e-5 }
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        norm(data)
                        }",
            scope: Scope::Operators(&[("N", 4)]),
        }],
        elsewhere: "PyTorch's `torch.library.register_fake` states shapes for `torch.compile`; one that differs is found by `torch.library.opcheck`, where somebody runs it, otherwise by a crash or by wrong numbers. Keras trusts `compute_output_shape`.",
    },
    Entry {
        code: Code::OperatorResult,
        title: "A declaration of an operator that does not say what comes out",
        rule: "Shapes are inferred while the network is compiled, when an operator of one's own cannot be asked: its declaration says what comes out. \
               `Tensor` alone is an array of the shape of the first input.",
        cases: &[
            Case {
                inputs: "",
                wrong: "extern \"Rust\" fn swish(x: Tensor, beta: f32) {
                        Swish { beta }
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        swish(data, 1.0)
                        }",
                at: "swish",
                says: "nothing says what comes out of operator `swish`
  = help: `-> Tensor` is an array like its first input, `-> Tensor<N, 10>` any other",
                right: "extern \"Rust\" fn swish(x: Tensor, beta: f32) -> Tensor {
                        Swish { beta }
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        swish(data, 1.0)
                        }",
                scope: Scope::Language,
            },
            Case {
                inputs: "",
                wrong: "extern \"Rust\" fn swish(x: Tensor<N, C>, beta: f32) -> (Tensor<N, C>, f32) {
                        Swish { beta }
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        let (y, scale) = swish(data, 1.0);
                        y
                        }",
                at: "f32",
                says: "operator `swish` gives tensors, this is none",
                right: "extern \"Rust\" fn swish(x: Tensor<N, C>, beta: f32) -> (Tensor<N, C>, Tensor<N>) {
                        Swish { beta }
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        let (y, scale) = swish(data, 1.0);
                        y
                        }",
                scope: Scope::Language,
            },
        ],
        elsewhere: "PyTorch, when `torch.compile` meets an operator without `register_fake`: `UnsupportedOperatorException`. Keras, when the layer is called symbolically: `compute_output_shape` is to be implemented.",
    },
    Entry {
        code: Code::OperatorOption,
        title: "An option of an operator of one's own that is no constant",
        rule: "The options of an operator of one's own are numbers, `bool` and `&str` that are known when the network is compiled: the operator is \
               made of them once. What depends on shapes it finds in the shapes of its inputs.",
        cases: &[
            Case {
                inputs: "",
                wrong: "extern \"Rust\" fn roll(x: Tensor<N, C>, by: usize) -> Tensor<N, C> {
                        Roll { by }
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        roll(data, N)
                        }",
                at: "N",
                says: "`by` of operator `roll` is known when the network is compiled, this is the dimension N",
                right: "extern \"Rust\" fn roll(x: Tensor<N, C>, by: usize) -> Tensor<N, C> {
                        Roll { by }
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        roll(data, 3)
                        }",
                scope: Scope::Language,
            },
            Case {
                inputs: "",
                wrong: "extern \"Rust\" fn roll(x: Tensor<N, C>, by: (usize, usize)) -> Tensor<N, C> {
                        Roll { by }
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        roll(data, (0, 3))
                        }",
                at: "(usize, usize)",
                says: "`by` of operator `roll` is a list
  = help: its options are numbers, `bool` and `&str`: one for each number of the list",
                right:
                    "extern \"Rust\" fn roll(x: Tensor<N, C>, rows: usize, columns: usize) -> Tensor<N, C> {
                        Roll { by: (rows, columns) }
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        roll(data, 0, 3)
                        }",
                scope: Scope::Language,
            },
        ],
        elsewhere: "In PyTorch options of a custom operator are arguments of each call, of the types in its schema; another type is told when it is called. In MXNet they are text.",
    },
];
