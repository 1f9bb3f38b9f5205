//! Grammar, which is what half-typed code offends.

use super::{Case, Code, Entry, Scope};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: Code::NoSemicolon,
        title: "A semicolon is missing",
        rule: "Statements end with `;`, as in Rust. The statements around it keep their meaning.",
        cases: &[Case {
            inputs: "data: Tensor<N, 3, 32, 32>",
            wrong: "let a = relu(data)
                        let b = tanh(a);
                        b",
            at: ")",
            says: "expected `;` after this",
            right: "let a = relu(data);
                        let b = tanh(a);
                        b",
            scope: Scope::Language,
        }],
        elsewhere: r#"In Python a line ends a statement; two on one line are `SyntaxError: invalid syntax`, when the module is imported. rustc, for burn: "expected `;`"."#,
    },
    Entry {
        code: Code::NoExpression,
        title: "An expression is missing",
        rule: "Something is being typed here. Layers that depend on it are silent until it is there.",
        cases: &[
            Case {
                inputs: "data: Tensor<N, 3, 32, 32>",
                wrong: "let a = conv2d(data, 20, kernel = );
                        a",
                at: "=",
                says: "expected an expression after this",
                right: "let a = conv2d(data, 20, kernel = 3);
                        a",
                scope: Scope::Language,
            },
            Case {
                inputs: "data: Tensor<N, 3, 32, 32>",
                wrong: "let a = ;
                        let b = relu(data);
                        b",
                at: "=",
                says: "expected an expression after this",
                right: "let a = tanh(data);
                        let b = relu(a);
                        b",
                scope: Scope::Language,
            },
            Case {
                inputs: "data: Tensor<N, 3, 32, 32>",
                wrong: "let a = relu(data) + ;
                        a",
                at: "+",
                says: "expected an expression after this",
                right: "let a = relu(data) + data;
                        a",
                scope: Scope::Language,
            },
        ],
        elsewhere: r#"Python, when the module is imported: `SyntaxError: expected argument value expression`. rustc, for burn: "expected expression"."#,
    },
    Entry {
        code: Code::Unclosed,
        title: "A parenthesis is not closed",
        rule: "The arguments end at the next `;`, `let` or `for`; what follows are statements again.",
        cases: &[Case {
            inputs: "data: Tensor<N, 3, 32, 32>",
            wrong: "let a = conv2d(data, 20, kernel = 3;
                        let b = relu(a);
                        b)",
            at: "3",
            says: "expected `)` after this",
            right: "let a = conv2d(data, 20, kernel = 3);
                        let b = relu(a);
                        b",
            scope: Scope::Language,
        }],
        elsewhere: r#"Python, when the module is imported: `SyntaxError: '(' was never closed`. rustc, for burn: "this file contains an unclosed delimiter", and nothing else of the file is looked at."#,
    },
    Entry {
        code: Code::NoName,
        title: "A name is missing",
        rule: "`let` and `for` bind names, `fn` and `const` have one.",
        cases: &[
            Case {
                inputs: "data: Tensor<N, 3, 32, 32>",
                wrong: "let = relu(data);
                        data",
                at: "let",
                says: "expected a name after this",
                right: "let a = relu(data);
                        a",
                scope: Scope::Language,
            },
            Case {
                inputs: "",
                wrong: "fn (x: Tensor) {
                        relu(x)
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        relu(data)
                        }",
                at: "fn",
                says: "expected a name after `fn`",
                right: "fn act(x: Tensor) {
                        relu(x)
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        act(data)
                        }",
                scope: Scope::Language,
            },
        ],
        elsewhere: r#"Python, when the module is imported: `SyntaxError: invalid syntax`. rustc, for burn: "expected pattern"."#,
    },
    Entry {
        code: Code::NoValue,
        title: "A `let` without a value",
        rule: "A name stands for a layer from the start.",
        cases: &[Case {
            inputs: "data: Tensor<N, 3, 32, 32>",
            wrong: "let a;
                        data",
            at: "a",
            says: "expected `=` and a layer after this",
            right: "let a = relu(data);
                        a",
            scope: Scope::Language,
        }],
        elsewhere: "Python has no such form: a name without a value does not exist, `NameError` when the line runs. rustc, for burn: E0381, used before it is initialised.",
    },
    Entry {
        code: Code::NoMethod,
        title: "A dot without a method",
        rule: "Operators are methods of what they are applied to: `data.relu()` is `relu(data)`.",
        cases: &[Case {
            inputs: "data: Tensor<N, 3, 32, 32>",
            wrong: "let a = data.;
                        data",
            at: ".",
            says: "expected the name of an operator after `.`",
            right: "let a = data.relu();
                        a",
            scope: Scope::Language,
        }],
        elsewhere: r#"Python, when the module is imported: `SyntaxError: invalid syntax`. rustc, for burn: "unexpected token"."#,
    },
    Entry {
        code: Code::NoParentheses,
        title: "A method without its parentheses",
        rule: "An operator is called, with or without arguments.",
        cases: &[Case {
            inputs: "data: Tensor<N, 3, 32, 32>",
            wrong: "let a = data.relu;
                        a",
            at: "relu",
            says: "expected `(` after this\n\
                   \x20 = help: `.relu()` calls the operator `relu`",
            right: "let a = data.relu();
                        a",
            scope: Scope::Language,
        }],
        elsewhere: "In Python `data.relu` is the method itself; the next layer fails in the forward pass: `TypeError: conv2d(): argument 'input' must be Tensor, not builtin_function_or_method`. rustc, for burn: E0615.",
    },
    Entry {
        code: Code::EmptyArgument,
        title: "An argument between two commas is missing",
        rule: "Arguments are parted by single commas.",
        cases: &[Case {
            inputs: "data: Tensor<N, 3, 32, 32>",
            wrong: "conv2d(data, , 20)",
            at: ",",
            says: "expected an argument before this",
            right: "conv2d(data, 20, kernel = 3)",
            scope: Scope::Language,
        }],
        elsewhere: r#"Python, when the module is imported: `SyntaxError: invalid syntax`. rustc, for burn: "expected expression, found `,`"."#,
    },
    Entry {
        code: Code::NoComma,
        title: "A comma is missing",
        rule: "Arguments, inputs and the parts of a list are parted by commas.",
        cases: &[
            Case {
                inputs: "data: Tensor<N, 3, 32, 32>",
                wrong: "conv2d(data, 20 kernel = 3)",
                at: "kernel",
                says: "expected `,` or `)`",
                right: "conv2d(data, 20, kernel = 3)",
                scope: Scope::Language,
            },
            Case {
                inputs: "",
                wrong: "pub fn Net(data: Tensor<N, 8> label: Tensor<N, i64>) {
                        relu(data)
                        }",
                at: "label",
                says: "expected `,` and the next input",
                right: "pub fn Net(data: Tensor<N, 8>, label: Tensor<N, i64>) {
                        softmax_cross_entropy(data, label)
                        }",
                scope: Scope::Language,
            },
        ],
        elsewhere: r#"Python, when the module is imported: `SyntaxError: invalid syntax. Perhaps you forgot a comma?`. rustc, for burn: "expected one of `,`, `)`"."#,
    },
    Entry {
        code: Code::NoIn,
        title: "A `for` without `in`",
        rule: "A loop is `for i in 0..3 { … }`.",
        cases: &[Case {
            inputs: "data: Tensor<N, 3, 32, 32>",
            wrong: "for i 0..3 {
                        data = relu(data);
                        }
                        data",
            at: "i",
            says: "expected `in` after this\n\
                   \x20 = help: `for i in 0..3 { … }`",
            right: "for i in 0..3 {
                        data = relu(data);
                        }
                        data",
            scope: Scope::Language,
        }],
        elsewhere: r#"Python, when the module is imported: `SyntaxError: invalid syntax`. rustc, for burn: "missing `in` in `for` loop"."#,
    },
    Entry {
        code: Code::NoBody,
        title: "A body is missing",
        rule: "Loops, choices and functions have a body in braces.",
        cases: &[
            Case {
                inputs: "data: Tensor<N, 3, 32, 32>",
                wrong: "for i in 0..3;
                        data",
                at: "3",
                says: "expected `{` and what is repeated after this",
                right: "for i in 0..3 {
                        data = relu(data);
                        }
                        data",
                scope: Scope::Language,
            },
            Case {
                inputs: "",
                wrong: "pub fn Net(data: Tensor<N, 8>)",
                at: ")",
                says: "expected `{` and the layers of `Net`",
                right: "pub fn Net(data: Tensor<N, 8>) {
                        relu(data)
                        }",
                scope: Scope::Language,
            },
        ],
        elsewhere: r#"Python, when the module is imported: `IndentationError: expected an indented block after 'for' statement`. rustc, for burn: "expected `{`"."#,
    },
    Entry {
        code: Code::NotAnItem,
        title: "Something that is no item",
        rule: "Inside `network!` are functions and constants.",
        cases: &[Case {
            inputs: "",
            wrong: "let a = 5;
                        pub fn Net(data: Tensor<N, 8>) {
                        relu(data)
                        }",
            at: "let",
            says: "expected `fn` or `const`, found `let`\n\
                   \x20 = help: a network is `pub fn Name(data: Tensor<N, 3, 32, 32>) { … }`, a block has a small letter first",
            right: "const A: usize = 5;
                        pub fn Net(data: Tensor<N, 8>) {
                        dense(data, A)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "In Python any statement may stand in a module. rustc, for burn: `let` cannot be used for global variables.",
    },
    Entry {
        code: Code::NoTypeAfterColon,
        title: "A type is missing",
        rule: "Something is being typed here.",
        cases: &[Case {
            inputs: "",
            wrong: "fn act(x: ) {
                        relu(x)
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        act(data)
                        }",
            at: ")",
            says: "expected a type, found nothing\n\
                   \x20 = help: `Tensor<N, 3, 32, 32>`, `usize`, `f32`, `bool` or `&str`",
            right: "fn act(x: Tensor) {
                        relu(x)
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        act(data)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: r#"Python, when the module is imported: `SyntaxError: invalid syntax`. rustc, for burn: "expected type"."#,
    },
    Entry {
        code: Code::AssignedToNoName,
        title: "An assignment to something that is no name",
        rule: "What stands left of `=` is a name or a tuple of names.",
        cases: &[
            Case {
                inputs: "data: Tensor<N, 3, 32, 32>",
                wrong: "3 = relu(data);
                        data",
                at: "3",
                says: "the left side of `=` must be a name, or a tuple of names",
                right: "let a = relu(data);
                        a",
                scope: Scope::Language,
            },
            Case {
                inputs: "data: Tensor<N, 3, 32, 32>",
                wrong: "relu(data) += data;
                        data",
                at: "relu(data)",
                says: "the left side of `+=` must be a name",
                right: "data += relu(data);
                        data",
                scope: Scope::Language,
            },
        ],
        elsewhere: "Python, when the module is imported: `SyntaxError: cannot assign to literal`. rustc, for burn: E0070.",
    },
    Entry {
        code: Code::NoParameters,
        title: "The inputs of a function are missing",
        rule: "A function has its inputs in parentheses.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn Net {
                        relu(data)
                        }",
            at: "Net",
            says: "expected `(` and the inputs of `Net`",
            right: "pub fn Net(data: Tensor<N, 8>) {
                        relu(data)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: r#"Python, when the module is imported: `SyntaxError: expected '('`. rustc, for burn: "missing parameters for function definition"."#,
    },
    Entry {
        code: Code::ForeignLiteral,
        title: "A literal that has no meaning here",
        rule: "Constants are numbers, `true` and `false`, and words.",
        cases: &[Case {
            inputs: "data: Tensor<N, 3, 32, 32>",
            wrong: "conv2d(data, 'a', kernel = 3)",
            at: "'a'",
            says: "expected a number, `true`, `false` or a word",
            right: "conv2d(data, 8, kernel = 3)",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch, when the layer is made: `TypeError: empty() received an invalid combination of arguments`, deep inside of `nn.Conv2d`. In burn rustc finds it: E0308.",
    },
    Entry {
        code: Code::ForeignSign,
        title: "A sign of another language",
        rule: "The signs are `+ - * /`, those of comparisons, and `&& || !` of constants; everything else has a name.",
        cases: &[
            Case {
                inputs: "data: Tensor<N, 3, 32, 32>",
                wrong: "let a = relu(data) @ data;
                        a",
                at: "@",
                says: "there is no `@` in a network\n\
                   \x20 = help: `matmul(a, b)` is the matrix product",
                right: "let a = relu(data) * data;
                        a",
                scope: Scope::Language,
            },
            Case {
                inputs: "data: Tensor<N, 3, 32, 32>",
                wrong: "let a = data ** 2;
                        a",
                at: "**",
                says: "there is no `**` in a network\n\
                   \x20 = help: `pow(a, b)` is the power",
                right: "let a = square(data);
                        a",
                scope: Scope::Language,
            },
        ],
        elsewhere: "In Python `@` is the matrix product, and `**` the power, of tensors as well; sizes that do not fit are told in the forward pass. burn has methods, as here.",
    },
];
