//! Names.

use super::{Case, Code, Entry, Scope};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: Code::UnknownName,
        title: "A layer or an input that does not exist",
        rule: "A name stands for an input, or for a layer that a `let` has bound before.",
        cases: &[
            Case {
                inputs: "data: Tensor<N, 3, 32, 32>",
                wrong: "let conv1 = conv2d(data, 20, kernel = 5);
                        relu(conv)",
                at: "conv",
                says: "there is no layer or input `conv` here\n\
                   \x20 = help: did you mean `conv1`?",
                right: "let conv1 = conv2d(data, 20, kernel = 5);
                        relu(conv1)",
                scope: Scope::Language,
            },
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "relu(image)",
                at: "image",
                says: "there is no layer or input `image` here\n\
                   \x20 = help: there is `data`",
                right: "relu(data)",
                scope: Scope::Language,
            },
        ],
        elsewhere: "Python looks a name up when the line runs: `NameError` in the first forward pass that reaches it.",
    },
    Entry {
        code: Code::UnknownOperator,
        title: "An operator or block that does not exist",
        rule: "What is called is an operator of the list, or a block of the same `network!`.",
        cases: &[
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "data.rellu()",
                at: "rellu",
                says: "there is no operator or block `rellu`\n\
                   \x20 = help: did you mean `relu`?",
                right: "data.relu()",
                scope: Scope::Language,
            },
            Case {
                inputs: "",
                wrong: "fn residual(x: Tensor) {
                        x + relu(x)
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        residaul(data)
                        }",
                at: "residaul",
                says: "there is no operator or block `residaul`\n\
                   \x20 = help: did you mean `residual`?",
                right: "fn residual(x: Tensor) {
                        x + relu(x)
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        residual(data)
                        }",
                scope: Scope::Language,
            },
        ],
        elsewhere: r#"Python looks an attribute up when the line runs: `AttributeError` there. Keras: "Could not interpret activation function identifier: rellu" when the layer is constructed (`keras/src/activations/__init__.py`)."#,
    },
    Entry {
        code: Code::OperatorElsewhere,
        title: "An operator under the name that another library gives it",
        rule: "Names are MXNet's, in small letters with underscores.",
        cases: &[
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "Linear(data, 10)",
                at: "Linear",
                says: "there is no operator or block `Linear`\n\
                   \x20 = help: it is called `dense` here",
                right: "dense(data, 10)",
                scope: Scope::Language,
            },
            Case {
                inputs: "left: Tensor<N, 8>, right: Tensor<N, 8>",
                wrong: "cat(left, right)",
                at: "cat",
                says: "there is no operator or block `cat`\n\
                   \x20 = help: it is called `concat` here",
                right: "concat(left, right)",
                scope: Scope::Language,
            },
        ],
        elsewhere: "PyTorch, in the forward pass: `AttributeError: module 'torch.nn.functional' has no attribute 'dense'`. In burn rustc finds it: E0425.",
    },
    Entry {
        code: Code::NotCalled,
        title: "An operator without its parentheses",
        rule: "An operator is no value: it is called.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "relu",
            at: "relu",
            says: "`relu` is not called\n\
                   \x20 = help: `relu(…)`",
            right: "relu(data)",
            scope: Scope::Language,
        }],
        elsewhere: "In PyTorch a module that is not called is an object; what reads it fails in the forward pass: `TypeError: conv2d() received an invalid combination of arguments - got (ReLU, …)`. In burn rustc finds it: E0308.",
    },
    Entry {
        code: Code::AssignedNotDeclared,
        title: "An assignment to a name that does not exist",
        rule: "`let` introduces a name, an assignment changes what it stands for.",
        cases: &[
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "y = relu(data);
                        y",
                at: "y",
                says: "there is no `y` here to assign to\n\
                   \x20 = help: a new name begins with `let y = …`",
                right: "let y = relu(data);
                        y",
                scope: Scope::Language,
            },
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "let hidden = dense(data, 8);
                        hiden = relu(hidden);
                        hidden",
                at: "hiden",
                says: "there is no `hiden` here to assign to\n\
                   \x20 = help: did you mean `hidden`? A new name begins with `let hiden = …`",
                right: "let hidden = dense(data, 8);
                        hidden = relu(hidden);
                        hidden",
                scope: Scope::Language,
            },
        ],
        elsewhere: "Python makes a new name, silently: a misspelt one leaves the old value where it is, and the network is another one. In burn rustc finds it: E0425.",
    },
    Entry {
        code: Code::ConstantOutside,
        title: "A constant of the file around the macro",
        rule: "A macro sees its own tokens only. A `const` inside `network!` is visible to all of its networks, and as `pub const` outside as well. \
               A constant that is declared elsewhere is declared here once more, with its value: `#[same_as(path)]` has the compiler \
               check that it is the same.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "dense(data, CLASSES)",
            at: "CLASSES",
            says: "there is no layer or input `CLASSES` here\n\
                   \x20 = help: the macro sees only its own constants: `#[same_as(CLASSES)] const CLASSES: usize = …;` inside `network!`, with its value",
            right: "dense(data, 10)",
            scope: Scope::Language,
        }],
        elsewhere: "In PyTorch and burn a layer reads constants like any other code.",
    },
    Entry {
        code: Code::NameTaken,
        title: "A layer with the name of a method",
        rule: "Layers become constants of the network, beside `bind`, `PROGRAMS` and the like.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "let bind = dense(data, 8);
                        relu(bind)",
            at: "bind",
            says: "`bind` is a name that every network has already; choose another for the layer",
            right: "let hidden = dense(data, 8);
                        relu(hidden)",
            scope: Scope::Language,
        }],
        elsewhere: r#"PyTorch, when the module is made: `self.forward = nn.Linear(8, 8)` is registered silently, and `self.forward` stays the method; `add_module` says `KeyError: "attribute 'forward' already exists"`. In burn a field and a method may share a name."#,
    },
    Entry {
        code: Code::DuplicateItem,
        title: "Two items of one name",
        rule: "Networks, blocks and constants of one `network!` have names of their own.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn Net(data: Tensor<N, 4>) {
                        relu(data)
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        relu(data)
                        }",
            at: "Net",
            says: "there are two items called `Net` here",
            right: "pub fn Net(data: Tensor<N, 4>) {
                        relu(data)
                        }
                        pub fn Wide(data: Tensor<N, 8>) {
                        relu(data)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "In Python the second class replaces the first, silently. In burn rustc finds it: E0428.",
    },
    Entry {
        code: Code::DuplicateInput,
        title: "Two inputs of one name",
        rule: "Inputs are fed by their names.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn Net(data: Tensor<N, 10>, data: Tensor<N, 5>) {
                        relu(data)
                        }",
            at: "data",
            says: "`Net` has two inputs called `data`",
            right: "pub fn Net(data: Tensor<N, 10>, more: Tensor<N, 5>) {
                        (relu(data), relu(more))
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "Python, when the module is imported: `SyntaxError: duplicate argument 'data' in function definition`. Keras refuses two inputs of one name when the functional model is made. In burn rustc finds it: E0415.",
    },
    Entry {
        code: Code::NameOfAnOperator,
        title: "A block with the name of an operator",
        rule: "A call could mean either.",
        cases: &[Case {
            inputs: "",
            wrong: "fn relu(x: Tensor) {
                        clip(x, min = 0.0, max = 6.0)
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        relu(data)
                        }",
            at: "relu",
            says: "`relu` is the name of an operator; choose another for the block",
            right: "fn relu6(x: Tensor) {
                        clip(x, min = 0.0, max = 6.0)
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        relu6(data)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "In Python a function `relu` of the module hides the imported one, silently. Rust does the same with glob imports.",
    },
    Entry {
        code: Code::UnknownParameter,
        title: "A parameter that the layer does not have",
        rule: "`layer.weight` is a parameter of the outermost call that is bound to the name.",
        cases: &[
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "let fc = dense(data, 8);
                        dense(fc, 8, weight = fc.wieght)",
                at: "wieght",
                says: "`fc` is the result of dense, which has no `wieght`\n\
                   \x20 = help: did you mean `weight`?",
                right: "let fc = dense(data, 8);
                        dense(fc, 8, weight = fc.weight)",
                scope: Scope::Language,
            },
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "let fc = relu(dense(data, 8));
                        matmul(fc, fc.weight)",
                at: "weight",
                says: "`fc` is the result of relu, which has no `weight`\n\
                   \x20 = help: a name stands for the outermost call that is bound to it; bind the layer that has the parameter by itself: `let fc = dense(…);`",
                right: "let fc = dense(data, 8);
                        matmul(relu(fc), fc.weight)",
                scope: Scope::Language,
            },
        ],
        elsewhere: "PyTorch: `AttributeError` when the line runs.",
    },
    Entry {
        code: Code::NotALayer,
        title: "A parameter of what is no layer",
        rule: "Only layers have parameters; inputs and numbers have none.",
        cases: &[
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "dense(data, 8, weight = data.weight)",
                at: "weight",
                says: "`data` is no layer, it has no `weight`\n\
                   \x20 = help: the parameters of a layer are `layer.weight`, `layer.bias` and so on",
                right: "dense(data, 8)",
                scope: Scope::Language,
            },
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "let n = 8;
                        dense(data, n.weight)",
                at: "weight",
                says: "only a layer has parameters, this is the integer 8",
                right: "let n = 8;
                        dense(data, n)",
                scope: Scope::Language,
            },
        ],
        elsewhere: "PyTorch, in the forward pass: `AttributeError: 'Tensor' object has no attribute 'weight'`. In burn rustc finds it: E0609.",
    },
    Entry {
        code: Code::PathForAName,
        title: "A path where a name belongs",
        rule: "Operators and blocks are called by their name alone.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "let a = mxr::relu(data);
                        a",
            at: "mxr::relu",
            says: "names have no path in a network\n\
                   \x20 = help: operators and blocks are called by their name alone; `use path::block;` in front brings one in",
            right: "let a = relu(data);
                        a",
            scope: Scope::Language,
        }],
        elsewhere: "In PyTorch `torch.relu` and `torch.nn.functional.relu` are two paths to much the same; a wrong one is `AttributeError`, in the forward pass.",
    },
    Entry {
        code: Code::MacroCall,
        title: "A macro call",
        rule: "A network is made of operators and blocks; another macro would hide what it becomes.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "let widths = vec!(8, 16);
                        data",
            at: "vec!",
            says: "`vec!` cannot be called in a network",
            right: "let widths = [8, 16];
                        for w in widths {
                        data = dense(data, w);
                        }
                        data",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch has no macros; in burn any may stand, since a model is ordinary Rust.",
    },
    Entry {
        code: Code::WeightNameTaken,
        title: "A weight would get the name of another value",
        rule: "The weight of the layer `fc` is called `fc_weight`; an input of that name makes checkpoints ambiguous.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>, fc_weight: Tensor<N, 8>",
            wrong: "let fc = dense(data, 8);
                        fc + fc_weight",
            at: "dense(data, 8)",
            says: "`fc`: dense: its `weight` would be called `fc_weight`, as another value is\n\
                   \x20 = help: give the layer or the other value another name\n\
                   \x20 = note: `data` is [N, 8]",
            right: "let fc1 = dense(data, 8);
                        fc1 + fc_weight",
            scope: Scope::Language,
        }],
        elsewhere: r#"PyTorch, when the module is made: `register_parameter` says `KeyError: "attribute 'fc_weight' already exists"` where both are registered; of two that are assigned, the second replaces the first. MXNet, when it is bound: two arguments of one name are an error."#,
    },
    Entry {
        code: Code::ConstantDiffers,
        title: "A constant that is not what the one outside is",
        rule: "`#[same_as(path)]` on a constant of `network!` holds it against the one of that path, which the macro cannot see: the \
               compiler does when it evaluates constants, in `cargo check` as well.",
        cases: &[Case {
            inputs: "",
            wrong: "#[same_as(usize::BITS)]
                        const WIDTH: u32 = 10;
                        pub fn Net(data: Tensor<N, 8>) {
                        dense(data, WIDTH)
                        }",
            at: "BITS",
            says: "`WIDTH` is 10 in the network, and `usize::BITS` is 64
  = help: write 64 here, too",
            right: "#[same_as(usize::BITS)]
                        const WIDTH: u32 = 64;
                        pub fn Net(data: Tensor<N, 8>) {
                        dense(data, WIDTH)
                        }",
            scope: Scope::Constants,
        }],
        elsewhere: "In Python a layer reads the constant when it is made, so it cannot differ; that it does not fit a checkpoint or the labels is found \
                    when these are used.",
    },
];
