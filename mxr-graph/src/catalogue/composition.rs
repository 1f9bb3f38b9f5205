//! How layers are trained and where they come from: attributes of layers, defaults of blocks, functions of other networks.

use super::{Case, Code, Entry, Scope};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: Code::LayerAttribute,
        title: "An attribute of a layer that says nothing where it stands",
        rule: "`#[lr(0.1)]` is a factor on the learning rate, above 0; `#[frozen]` and `#[no_decay]` stand alone. They are about \
               the weights that the statement or the block makes.",
        cases: &[
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "#[frozen]
                        let a = relu(data);
                        dense(a, 4)",
                at: "frozen",
                says: "`#[frozen]` says nothing here: no weights are made\n\
                   \x20 = help: it belongs to the layer that makes them: `dense`, `conv2d`, `batch_norm`, or a block of these",
                right: "let a = relu(data);
                        #[frozen]
                        let scores = dense(a, 4);
                        scores",
                scope: Scope::Language,
            },
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "#[lr]
                        let fc1 = dense(data, 4);
                        fc1",
                at: "lr",
                says: "`lr` needs a factor on the learning rate\n\
                   \x20 = help: `#[lr(0.1)]`",
                right: "#[lr(0.1)]
                        let fc1 = dense(data, 4);
                        fc1",
                scope: Scope::Language,
            },
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "#[lr(0.0)]
                        let fc1 = dense(data, 4);
                        fc1",
                at: "0.0",
                says: "a learning rate of 0 computes gradients that change nothing\n\
                   \x20 = help: `#[frozen]` computes none",
                right: "#[frozen]
                        let fc1 = dense(data, 4);
                        fc1",
                scope: Scope::Language,
            },
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "#[lr(-0.1)]
                        let fc1 = dense(data, 4);
                        fc1",
                at: "-0.1",
                says: "a factor on the learning rate is above 0, this is -0.1\n\
                   \x20 = help: `#[lr(0.1)]`",
                right: "#[lr(0.1)]
                        let fc1 = dense(data, 4);
                        fc1",
                scope: Scope::Language,
            },
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "#[frozen]
                        #[lr(0.1)]
                        let fc1 = dense(data, 4);
                        fc1",
                at: "lr",
                says: "`#[lr]` says nothing about weights that are frozen",
                right: "#[frozen]
                        let fc1 = dense(data, 4);
                        fc1",
                scope: Scope::Language,
            },
        ],
        elsewhere: "PyTorch: `requires_grad = False` on a tensor that is no parameter, or a parameter left out of every group of the \
                    optimizer, is accepted in silence.",
    },
    Entry {
        code: Code::DeviceAttribute,
        title: "A layer on a device of its own",
        rule: "A network runs on one device, which is chosen when it is bound. `#[device(1)]` is reserved for layers of their own devices.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "#[device(1)]
                        let fc1 = dense(data, 4);
                        fc1",
            at: "device(1)",
            says: "layers cannot be put on devices one by one: a network runs on one device\n\
                   \x20 = help: leave it out; `BindOptions::device` says where the whole network runs",
            right: "let fc1 = dense(data, 4);
                        fc1",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch puts modules on devices, `self.fc1.to('cuda:1')`, and an operand that was left behind is told in the forward pass: `RuntimeError: Expected all tensors to be on the same device`. MXNet has `group2ctx` at bind.",
    },
    Entry {
        code: Code::DefaultValue,
        title: "A default value at a place where it cannot stand",
        rule: "Options of a block get defaults by `#[defaults(stride = 1)]` in front of it: rustfmt leaves a file alone in which a \
               parameter has one. Tensors have none.",
        cases: &[
            Case {
                inputs: "",
                wrong: "fn conv(x: Tensor, filters: usize, stride: usize = 1) {
                        relu(conv2d(x, filters, kernel = 3, stride = stride))
                        }
                        pub fn Net(data: Tensor<N, 3, 8, 8>) {
                        conv(data, 4)
                        }",
                at: "= 1",
                says: "a default stands in front of the block, where rustfmt understands it\n\
                   \x20 = help: `#[defaults(stride = 1)]`",
                right: "#[defaults(stride = 1)]
                        fn conv(x: Tensor, filters: usize, stride: usize) {
                        relu(conv2d(x, filters, kernel = 3, stride = stride))
                        }
                        pub fn Net(data: Tensor<N, 3, 8, 8>) {
                        conv(data, 4)
                        }",
                scope: Scope::Language,
            },
            Case {
                inputs: "",
                wrong: "#[defaults(1)]
                        fn conv(x: Tensor, filters: usize, stride: usize) {
                        relu(conv2d(x, filters, kernel = 3, stride = stride))
                        }
                        pub fn Net(data: Tensor<N, 3, 8, 8>) {
                        conv(data, 4, 2)
                        }",
                at: "1",
                says: "which option is this the default of?\n\
                   \x20 = help: `#[defaults(stride = 1)]`",
                right: "#[defaults(stride = 1)]
                        fn conv(x: Tensor, filters: usize, stride: usize) {
                        relu(conv2d(x, filters, kernel = 3, stride = stride))
                        }
                        pub fn Net(data: Tensor<N, 3, 8, 8>) {
                        conv(data, 4, 2)
                        }",
                scope: Scope::Language,
            },
        ],
        elsewhere: "Rust itself has no default arguments: \"default values are not supported for parameters\".",
    },
    Entry {
        code: Code::ImportPath,
        title: "A `use` that names no network or block",
        rule: "`use path::block;` brings in a `pub` network or block of another `network!` by its name there; `as` gives it another one.",
        cases: &[Case {
            inputs: "",
            wrong: "use crate::blocks::*;
                        pub fn Net(data: Tensor<N, 8>) {
                        relu(data)
                        }",
            at: "*",
            says: "a `use` names the blocks and networks one by one\n\
                   \x20 = help: `use blocks::residual;`, `use blocks::{residual, stem};` or `use blocks::stem as entry;`",
            right: "pub fn Net(data: Tensor<N, 8>) {
                        relu(data)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "Python: `from blocks import *` brings in everything, and a name that does not exist is `ImportError: cannot import name`, when the module is imported.",
    },
    Entry {
        code: Code::WeightsNotShared,
        title: "A later call of a block with weights of its own asks for others",
        rule: "The first call of what `block::new()` made makes the weights, the others use them: all have the same layers.",
        cases: &[Case {
            inputs: "",
            wrong: "fn embed(x: Tensor<N, C>) {
                        if C == 8 { relu(x) } else { dense(x, 8) }
                        }
                        pub fn Net(a: Tensor<N, 8>, b: Tensor<N, 4>) {
                        let tower = embed::new();
                        tower(a) + tower(b)
                        }",
            at: "dense(x, 8)",
            says: "this layer has weights that the first call of `tower` did not make\n\
                   \x20 = help: the calls of one block with its own weights have the same layers: what `if` chooses must not differ\n\
                   \x20 = note: in `embed(x = [N, 4])`",
            right: "fn embed(x: Tensor) {
                        dense(x, 8)
                        }
                        pub fn Net(a: Tensor<N, 8>, b: Tensor<N, 8>) {
                        let tower = embed::new();
                        tower(a) + tower(b)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: r#"PyTorch shares by using one module twice; what another shape needs is told in the forward pass: `RuntimeError: mat1 and mat2 shapes cannot be multiplied`. Keras, when the shared layer is called the second time: "expected axis -1 of input shape to have value 8"."#,
    },
    Entry {
        code: Code::InstanceOfOperator,
        title: "An operator with weights of its own",
        rule: "`new` belongs to blocks: `block::new()` is a block with one set of weights for all of its calls. A layer that is called many times \
               is a block of one line.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn Net(a: Tensor<N, 4>, b: Tensor<N, 4>) {
                        let score = dense::new(2);
                        score(a) + score(b)
                        }",
            at: "dense",
            says: "`dense` is an operator, only blocks have `new`\n\
                   \x20 = help: make a block of the layer, `fn layer(x: Tensor) { dense(x, …) }`, and `layer::new()`",
            right: "fn scores(x: Tensor) {
                        dense(x, 2)
                        }
                        pub fn Net(a: Tensor<N, 4>, b: Tensor<N, 4>) {
                        let score = scores::new();
                        score(a) + score(b)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "In Keras and PyTorch every layer is an object that can be called many times.",
    },
];
