//! Types of tensors, numbers and arguments.

use super::{Case, Code, Entry, Scope};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: Code::UnknownType,
        title: "A type that does not exist",
        rule: "Parameters are tensors or constants: `Tensor`, `usize`, `f32`, `bool`, `&str`, or lists of them.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn Net(data: Tenser<N, 3, 32, 32>) {
                        relu(data)
                        }",
            at: "Tenser",
            says: "there is no type `Tenser` here\n\
                   \x20 = help: did you mean `Tensor`?",
            right: "pub fn Net(data: Tensor<N, 3, 32, 32>) {
                        relu(data)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "Python, when the function is defined: `NameError: name 'Tenser' is not defined`; of a quoted annotation nothing is said. In burn rustc finds it: E0412.",
    },
    Entry {
        code: Code::UnknownElementType,
        title: "An element type that does not exist",
        rule: "A tensor holds one of the element types, `f32` unless another is written.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn Net(data: Tensor<N, 8>, label: Tensor<N, i63>) {
                        softmax_cross_entropy(data, label)
                        }",
            at: "i63",
            says: "there is no element type `i63`\n\
                   \x20 = help: did you mean `i64`?",
            right: "pub fn Net(data: Tensor<N, 8>, label: Tensor<N, i64>) {
                        softmax_cross_entropy(data, label)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "Keras: `ValueError: Invalid dtype: i63` when the variable is made (`keras/src/backend/common/variables.py`).",
    },
    Entry {
        code: Code::TwoElementTypes,
        title: "Two element types for one tensor",
        rule: "All elements of a tensor have one type.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn Net(data: Tensor<f32, N, 8, f16>) {
                        relu(data)
                        }",
            at: "f16",
            says: "a tensor has one element type",
            right: "pub fn Net(data: Tensor<f32, N, 8>) {
                        relu(data)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch takes one `dtype`; two are `SyntaxError: keyword argument repeated: dtype`, when the module is imported. In burn the element type belongs to the backend.",
    },
    Entry {
        code: Code::MixedElementTypes,
        title: "Operands of different element types",
        rule: "Operators do not convert by themselves: `cast` says which of the two types is meant.",
        cases: &[Case {
            inputs: "a: Tensor<N, 10>, b: Tensor<f64, N, 10>",
            wrong: "let larger = maximum(a, b);
                        larger",
            at: "b",
            says: "`larger`: maximum cannot mix f32 and f64\n\
                   \x20 = help: convert one of them with `cast`, to f32 say\n\
                   \x20 = note: `a` is [N, 10]\n\
                   \x20 = note: `b` is f64[N, 10]",
            right: "let larger = maximum(a, cast(b, f32));
                        larger",
            scope: Scope::Everywhere,
        }],
        elsewhere: "PyTorch, in the forward pass: `RuntimeError: mat1 and mat2 must have the same dtype, but got Double and Float` (xianglin226/scMDC#8).",
    },
    Entry {
        code: Code::NeedsFloats,
        title: "Integers where floating-point numbers are needed",
        rule: "Weights are floating-point numbers, and so is what they meet.",
        cases: &[
            Case {
                inputs: "x: Tensor<u8, N, 3, 32, 32>",
                wrong: "let conv1 = conv2d(x, 20, kernel = 5);
                        conv1",
                at: "x",
                says: "`conv1`: conv2d needs floating-point numbers, this is u8\n\
                   \x20 = help: convert it with `cast`\n\
                   \x20 = note: `x` is u8[N, 3, 32, 32]",
                right: "let conv1 = conv2d(cast(x, f32), 20, kernel = 5);
                        conv1",
                scope: Scope::Everywhere,
            },
            Case {
                inputs: "pred: Tensor<N, i64>, target: Tensor<N, i64>",
                wrong: "let loss = mse_loss(pred, target);
                        loss",
                at: "pred",
                says: "`loss`: mse_loss needs floating-point numbers, this is i64\n\
                   \x20 = help: convert it with `cast`\n\
                   \x20 = note: `pred` is i64[N]\n\
                   \x20 = note: `target` is i64[N]",
                right: "let loss = mse_loss(cast(pred, f32), target);
                        loss",
                scope: Scope::Everywhere,
            },
        ],
        elsewhere: "PyTorch, in the forward pass: `RuntimeError: Input type (double) and bias type (float) should be the same` and the like (cabooster/SRDTrans#16).",
    },
    Entry {
        code: Code::NeedsNumbers,
        title: "Truth values where numbers are needed",
        rule: "One cannot calculate with `bool`; `cast` makes 0 and 1 of it.",
        cases: &[Case {
            inputs: "a: Tensor<bool, N, 8>, b: Tensor<bool, N, 8>",
            wrong: "let y = mul(a, b);
                        y",
            at: "a",
            says: "`y`: mul needs numbers, this is bool\n\
                   \x20 = help: convert it with `cast`\n\
                   \x20 = note: `a` is bool[N, 8]\n\
                   \x20 = note: `b` is bool[N, 8]",
            right: "let y = mul(cast(a, f32), cast(b, f32));
                        y",
            scope: Scope::Everywhere,
        }],
        elsewhere: r#"PyTorch multiplies truth values as "and"; a difference of them is told in the forward pass: `RuntimeError: Subtraction, the `-` operator, with two bool tensors is not supported`. In burn rustc finds it: a `Bool` tensor has no `mul`."#,
    },
    Entry {
        code: Code::NotATensor,
        title: "A number where a tensor belongs",
        rule: "Operands are tensors.",
        cases: &[
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "relu(3) + data",
                at: "3",
                says: "`x` of relu is a tensor, this is the integer 3",
                right: "relu(data) + 3.0",
                scope: Scope::Language,
            },
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "dense(8, data)",
                at: "8",
                says: "`x` of dense is a tensor, this is the integer 8\n\
                   \x20 = help: dense(x, units, …)",
                right: "dense(data, 8)",
                scope: Scope::Language,
            },
        ],
        elsewhere: "Keras, when the layer is called: `ValueError: Inputs to a layer should be tensors. Got '3' (of type <class 'int'>)` (`keras/src/layers/input_spec.py`).",
    },
    Entry {
        code: Code::FractionBesideIntegers,
        title: "A fraction beside a tensor of integers",
        rule: "The number takes the element type of the tensor, and no integer is 0.5.",
        cases: &[Case {
            inputs: "label: Tensor<N, i64>",
            wrong: "0.5 * label",
            at: "0.5",
            says: "the tensor holds i64, 0.5 is not an integer\n\
                   \x20 = help: convert the tensor with `cast`",
            right: "0.5 * cast(label, f32)",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch promotes: `0.5 * label` becomes `float32`, silently, and a loss that wants classes fails in the forward pass: `RuntimeError: expected scalar type Long but found Float`. In burn the number is converted to the integers of the tensor, where it is 0.",
    },
    Entry {
        code: Code::MixedNumbers,
        title: "An integer and a number with a point",
        rule: "Constants are not converted: a number with a point is written with one.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "(2 * 1.5) * data",
            at: "2",
            says: "an integer and a number with a point cannot be mixed\n\
                   \x20 = help: write 2.0",
            right: "(2.0 * 1.5) * data",
            scope: Scope::Language,
        }],
        elsewhere: "Python makes a `float` of it, silently. In burn rustc finds it: E0277, cannot multiply an integer by a float.",
    },
    Entry {
        code: Code::CannotCombine,
        title: "Values that an operation cannot combine",
        rule: "Arithmetic takes numbers and tensors, `&&` and `||` take truth values; tensors have no `%`.",
        cases: &[
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "data % 2",
                at: "data % 2",
                says: "tensors have no `%`",
                right: "data - floor(data)",
                scope: Scope::Language,
            },
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "if 1 && true {
                        relu(data)
                        } else {
                        data
                        }",
                at: "1 && true",
                says: "`&&` cannot combine the integer 1 and `true`",
                right: "if 1 == 1 && true {
                        relu(data)
                        } else {
                        data
                        }",
                scope: Scope::Language,
            },
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "data + true",
                at: "true",
                says: "`true` cannot be combined with a tensor\n\
                   \x20 = help: numbers and tensors can",
                right: "data + 1.0",
                scope: Scope::Language,
            },
        ],
        elsewhere: "In PyTorch `data % 2` is the remainder, elementwise; what cannot be combined is told in the forward pass: `TypeError: unsupported operand type(s)`. In burn rustc finds it: E0369.",
    },
    Entry {
        code: Code::ArgumentType,
        title: "An argument of a block, or a constant, of another type",
        rule: "The signature of a block says what it takes.",
        cases: &[
            Case {
                inputs: "",
                wrong: "fn scaled(x: Tensor, factor: f32) {
                        factor * x
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        scaled(data, 2)
                        }",
                at: "2",
                says: "`factor` is a number with a point, this is the integer 2\n\
                   \x20 = help: write 2.0",
                right: "fn scaled(x: Tensor, factor: f32) {
                        factor * x
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        scaled(data, 2.0)
                        }",
                scope: Scope::Language,
            },
            Case {
                inputs: "",
                wrong: "const RATE: f32 = 1;
                        pub fn Net(data: Tensor<N, 8>) {
                        RATE * data
                        }",
                at: "1",
                says: "`RATE` is a number with a point, this is the integer 1\n\
                   \x20 = help: write 1.0",
                right: "const RATE: f32 = 1.0;
                        pub fn Net(data: Tensor<N, 8>) {
                        RATE * data
                        }",
                scope: Scope::Language,
            },
        ],
        elsewhere: "Python does not look at types: a 2 serves as a 2.0, and what does not serve fails inside of the block, in the forward pass. In burn rustc finds it: E0308.",
    },
    Entry {
        code: Code::WeightType,
        title: "A given weight of another element type",
        rule: "A weight that is handed over has the element type that the layer would have given it.",
        cases: &[Case {
            inputs: "x: Tensor<N, 8>, weight: Tensor<f64, 4, 8>",
            wrong: "let fc1 = dense(x, 4, bias = false, weight = weight);
                        fc1",
            at: "weight",
            says: "`fc1`: dense: `weight` must hold f32, it holds f64\n\
                   \x20 = help: convert it with `cast`\n\
                   \x20 = note: `x` is [N, 8]",
            right: "let fc1 = dense(x, 4, bias = false, weight = cast(weight, f32));
                        fc1",
            scope: Scope::Everywhere,
        }],
        elsewhere: "PyTorch, in the forward pass: `RuntimeError: expected mat1 and mat2 to have the same dtype, but got: c10::Half != float` (Vaibhavs10/fast-whisper-finetuning#14).",
    },
    Entry {
        code: Code::NoType,
        title: "A parameter without a type",
        rule: "Parameters and constants have their type written, as in Rust.",
        cases: &[
            Case {
                inputs: "",
                wrong: "fn twice(x) {
                        x + x
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        twice(data)
                        }",
                at: "x",
                says: "`x` needs a type\n\
                   \x20 = help: `x: Tensor`, `x: usize`, `x: f32` or `x: bool`",
                right: "fn twice(x: Tensor) {
                        x + x
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        twice(data)
                        }",
                scope: Scope::Language,
            },
            Case {
                inputs: "",
                wrong: "const WIDTH = 8;
                        pub fn Net(data: Tensor<N, 8>) {
                        dense(data, 8)
                        }",
                at: "WIDTH",
                says: "`WIDTH` needs a type\n\
                   \x20 = help: `const WIDTH: usize = …;`",
                right: "const WIDTH: usize = 8;
                        pub fn Net(data: Tensor<N, 8>) {
                        dense(data, WIDTH)
                        }",
                scope: Scope::Language,
            },
        ],
        elsewhere: r#"Python needs no types. rustc, for burn: "expected one of `:`, `@`, or `|`"."#,
    },
    Entry {
        code: Code::ExtentKind,
        title: "An extent that is no number",
        rule: "An extent is a number, a symbol, or arithmetic of them.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn Net(data: Tensor<N, 2.5>) {
                        relu(data)
                        }",
            at: "2.5",
            says: "an extent is a number or a symbol, this is the number 2.5",
            right: "pub fn Net(data: Tensor<N, 2>) {
                        relu(data)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch has no extents in a signature; where a size is given to a layer, when it is made: `TypeError: empty(): argument 'size' must be tuple of ints`. Keras, when the input is made: the entries of `shape` are integers or `None`.",
    },
    Entry {
        code: Code::ExtentBounds,
        title: "An extent of 0, or one too large",
        rule: "An input has at least one element along every axis, and at most 2^48.",
        cases: &[
            Case {
                inputs: "",
                wrong: "pub fn Net(data: Tensor<N, 0>) {
                        relu(data)
                        }",
                at: "0",
                says: "an extent must be at least 1, this is 0",
                right: "pub fn Net(data: Tensor<N, 1>) {
                        relu(data)
                        }",
                scope: Scope::Language,
            },
            Case {
                inputs: "",
                wrong: "pub fn Net(data: Tensor<N, 9223372036854775807>) {
                        relu(data)
                        }",
                at: "9223372036854775807",
                says: "this extent is too large: 9223372036854775807 is more than 2^48",
                right: "pub fn Net(data: Tensor<N, 9>) {
                        relu(data)
                        }",
                scope: Scope::Language,
            },
        ],
        elsewhere: r#"PyTorch makes a layer of 0 features, with the warning `Initializing zero-element tensors is a no-op`, and trains nothing. Keras, when the layer is made: "Received an invalid value for `units`, expected a positive integer"."#,
    },
    Entry {
        code: Code::InputNotATensor,
        title: "An input that is no tensor",
        rule: "A network is fed with tensors; a number that shapes it is a constant.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn Net(data: Tensor<N, 10>, classes: usize) {
                        dense(data, classes)
                        }",
            at: "classes: usize",
            says: "the inputs of a network are tensors, `classes` is not\n\
                   \x20 = help: a `const` beside the network holds a number",
            right: "const CLASSES: usize = 10;
                        pub fn Net(data: Tensor<N, 10>) {
                        dense(data, CLASSES)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "In PyTorch `forward` takes anything; layers are made before, in `__init__`, with their numbers. Keras, when the model is called on a number: an error of the first layer.",
    },
    Entry {
        code: Code::NoExtents,
        title: "An input without extents",
        rule: "A network is compiled for the shapes of its inputs; only a block takes any shape.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn Net(data: Tensor) {
                        relu(data)
                        }",
            at: "Tensor",
            says: "the extents of `data` are missing\n\
                   \x20 = help: `data: Tensor<N, 3, 32, 32>`; only a block (small letter first) takes any shape",
            right: "pub fn Net(data: Tensor<N, 3, 32, 32>) {
                        relu(data)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "In PyTorch and burn no input has its extents in the signature: what does not fit is found in the forward pass. Keras's `Input` requires `shape`, when it is made.",
    },
    Entry {
        code: Code::NoConversion,
        title: "A conversion with `as`",
        rule: "Constants need no conversion, and `cast` converts a tensor.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "data as f64",
            at: "as",
            says: "`as` does not convert here\n\
                   \x20 = help: constants need no conversion; `cast` converts a tensor",
            right: "cast(data, f64)",
            scope: Scope::Language,
        }],
        elsewhere: "In PyTorch `data.double()` or `data.to(torch.float64)` converts; a weight of another type is told in the forward pass: `RuntimeError: mat1 and mat2 must have the same dtype`. In burn `as` on a tensor is E0605.",
    },
    Entry {
        code: Code::Overflow,
        title: "A number that 64 bits do not hold, or a division by 0",
        rule: "Constants are computed with 64 bits while the network is compiled.",
        cases: &[
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "dense(data, 8 / 0)",
                at: "8 / 0",
                says: "this divides by 0",
                right: "dense(data, 8 / 2)",
                scope: Scope::Language,
            },
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "dense(data, 99999999999999999999)",
                at: "99999999999999999999",
                says: "this number is too large",
                right: "dense(data, 99)",
                scope: Scope::Language,
            },
        ],
        elsewhere: r#"Python's integers have no end; a division by 0 is `ZeroDivisionError` when the line runs. In burn rustc finds it where both are constants, "this operation will panic at runtime"."#,
    },
    Entry {
        code: Code::ArgumentShape,
        title: "An argument of a block of another shape",
        rule: "Names in the signature of a block stand for the extents that come in; a name that stands twice, and a number, must agree.",
        cases: &[
            Case {
                inputs: "",
                wrong: "fn whole(x: Tensor<N, C, H, H>) {
                        conv2d(x, C, kernel = H)
                        }
                        pub fn Net(data: Tensor<N, 3, 8, 9>) {
                        whole(data)
                        }",
                at: "data",
                says: "axis 3 of `x` must be 8, it is 9",
                right: "fn whole(x: Tensor<N, C, H, H>) {
                        conv2d(x, C, kernel = H)
                        }
                        pub fn Net(data: Tensor<N, 3, 8, 8>) {
                        whole(data)
                        }",
                scope: Scope::Language,
            },
            Case {
                inputs: "",
                wrong: "fn image(x: Tensor<_, _, _, _>) {
                        relu(x)
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        image(data)
                        }",
                at: "data",
                says: "`x` has 4 axes, this is [N, 8] of 2",
                right: "fn image(x: Tensor<_, _>) {
                        relu(x)
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        image(data)
                        }",
                scope: Scope::Language,
            },
        ],
        elsewhere: "PyTorch and burn have no shapes in the signatures of functions: what does not fit fails in the first operator inside that minds, in the forward pass; `jaxtyping` with a run-time checker says it at the call, in the forward pass as well.",
    },
    Entry {
        code: Code::ArgumentElementType,
        title: "An argument of a block of another element type",
        rule: "A block whose signature names an element type takes no other.",
        cases: &[Case {
            inputs: "",
            wrong: "fn ints(x: Tensor<i64, N>) {
                        x + 1
                        }
                        pub fn Net(data: Tensor<N>) {
                        ints(data)
                        }",
            at: "data",
            says: "`x` holds i64, this is a tensor of f32",
            right: "fn ints(x: Tensor<i64, N>) {
                        x + 1
                        }
                        pub fn Net(data: Tensor<N, i64>) {
                        ints(data)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch has no element types in the signatures of functions: the first operator inside that minds says it in the forward pass, such as `RuntimeError: expected scalar type Long but found Float`. In burn integers are a kind of their own: E0308.",
    },
];
