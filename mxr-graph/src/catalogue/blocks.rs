//! Blocks, loops, choices and results.

use super::{Case, Code, Entry, Scope};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: Code::UnknownBlockInput,
        title: "A block has no input of this name",
        rule: "The arguments of a block are those of its signature, by position or by name.",
        cases: &[Case {
            inputs: "",
            wrong: "fn block(x: Tensor, filters: usize, stride: usize) {
                        conv2d(x, filters, kernel = 3, stride = stride)
                        }
                        pub fn Net(data: Tensor<N, 3, 32, 32>) {
                        block(data, filter = 16, stride = 1)
                        }",
            at: "filter",
            says: "block `block` has no input `filter`\n\
                   \x20 = help: did you mean `filters`?",
            right: "fn block(x: Tensor, filters: usize, stride: usize) {
                        conv2d(x, filters, kernel = 3, stride = stride)
                        }
                        pub fn Net(data: Tensor<N, 3, 32, 32>) {
                        block(data, filters = 16, stride = 1)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch, where the module is called: `TypeError: forward() got an unexpected keyword argument 'strides'`, in the first forward pass. In burn a block is a function or a struct, and rustc finds it.",
    },
    Entry {
        code: Code::TooManyBlockArguments,
        title: "A block gets too many arguments",
        rule: "The signature of a block says how many it takes.",
        cases: &[Case {
            inputs: "",
            wrong: "fn block(x: Tensor, filters: usize, stride: usize) {
                        conv2d(x, filters, kernel = 3, stride = stride)
                        }
                        pub fn Net(data: Tensor<N, 3, 32, 32>) {
                        block(data, 16, 1, 1)
                        }",
            at: "1",
            says: "block `block` takes 3 arguments\n\
                   \x20 = help: it has `x`, `filters` and `stride`",
            right: "fn block(x: Tensor, filters: usize, stride: usize) {
                        conv2d(x, filters, kernel = 3, stride = stride)
                        }
                        pub fn Net(data: Tensor<N, 3, 32, 32>) {
                        block(data, 16, 1)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch, in the first forward pass: `TypeError: forward() takes 2 positional arguments but 3 were given`. In burn rustc finds it: E0061.",
    },
    Entry {
        code: Code::MissingBlockArgument,
        title: "A block lacks an argument",
        rule: "Blocks have no defaults: every input is given.",
        cases: &[Case {
            inputs: "",
            wrong: "fn block(x: Tensor, filters: usize, stride: usize) {
                        conv2d(x, filters, kernel = 3, stride = stride)
                        }
                        pub fn Net(data: Tensor<N, 3, 32, 32>) {
                        block(data, 16)
                        }",
            at: "block",
            says: "block `block` needs `stride`",
            right: "fn block(x: Tensor, filters: usize, stride: usize) {
                        conv2d(x, filters, kernel = 3, stride = stride)
                        }
                        pub fn Net(data: Tensor<N, 3, 32, 32>) {
                        block(data, 16, 1)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch, when the module is made or called: `TypeError: __init__() missing 1 required positional argument: 'stride'`. In burn rustc finds it: E0061.",
    },
    Entry {
        code: Code::Recursion,
        title: "A block calls itself",
        rule: "Blocks are expanded at each call. One that calls itself ends by an `if` on constants, such as a depth that it counts down, at \
               most 32 calls deep.",
        cases: &[
            Case {
                inputs: "",
                wrong: "fn left(x: Tensor) {
                        right(relu(x))
                        }
                        fn right(x: Tensor) {
                        left(tanh(x))
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        left(data)
                        }",
                at: "left",
                says: "block `left` calls itself: left → right → left\n\
                   \x20 = help: `for` repeats; a block that calls itself ends by an `if` on constants, at most 32 calls deep",
                right: "fn left(x: Tensor) {
                        right(relu(x))
                        }
                        fn right(x: Tensor) {
                        tanh(x)
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        left(data)
                        }",
                scope: Scope::Language,
            },
            Case {
                inputs: "",
                wrong: "fn nest(x: Tensor, depth: usize) {
                        relu(nest(dense(x, 8), depth - 1))
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        nest(data, 3)
                        }",
                at: "nest",
                says: "block `nest` calls itself: nest → nest\n\
                   \x20 = help: `for` repeats; a block that calls itself ends by an `if` on constants, at most 32 calls deep",
                right: "fn nest(x: Tensor, depth: usize) {
                        if depth == 0 { x } else { relu(nest(dense(x, 8), depth - 1)) }
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        nest(data, 3)
                        }",
                scope: Scope::Language,
            },
        ],
        elsewhere: "PyTorch, when the module is made or in the forward pass: `RecursionError: maximum recursion depth exceeded`. burn: the stack overflows when the program runs.",
    },
    Entry {
        code: Code::BlockWithoutResult,
        title: "A block without a result",
        rule: "The last expression, without a semicolon, is what a block gives.",
        cases: &[Case {
            inputs: "",
            wrong: "fn block(x: Tensor) {
                        let a = relu(x);
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        block(data)
                        }",
            at: "}",
            says: "block `block` has no result\n\
                   \x20 = help: end it with an expression without `;`\n\
                   \x20 = note: in `block(x = [N, 8])`",
            right: "fn block(x: Tensor) {
                        let a = relu(x);
                        a
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        block(data)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "In PyTorch such a `forward` returns `None`; the next layer fails in the forward pass, in words of its own: `TypeError: conv2d() received an invalid combination of arguments`. In burn rustc finds it: E0308, expected `Tensor`, found `()`.",
    },
    Entry {
        code: Code::SmallLetter,
        title: "A network with a small letter",
        rule: "A capital letter makes a function a network. What is `pub` and whose inputs are only tensors with all of their extents, numbers among them, is meant to be one; \
               others can call it all the same.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn my_net(data: Tensor<N, 8>) {
                        relu(data)
                        }",
            at: "my_net",
            says: "`my_net` is `pub` and has the inputs of a network, but the name of a block\n\
                   \x20 = help: a network is called `MyNet`, with a capital letter; networks may call it, too",
            right: "pub fn MyNet(data: Tensor<N, 8>) {
                        relu(data)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "Neither PyTorch nor Keras tells a block from a network. rustc warns of a struct with a small letter (`non_camel_case_types`), which a burn model is.",
    },
    Entry {
        code: Code::NoResult,
        title: "A network without a result",
        rule: "The last expression, without a semicolon, is what the network returns: the loss, the scores, or a tuple of them.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "let a = relu(data);",
            at: "}",
            says: "`Net` has no result\n\
                   \x20 = help: end with an expression without `;`: the loss, the scores, or a tuple of them",
            right: "let a = relu(data);
                        a",
            scope: Scope::Language,
        }],
        elsewhere: "In PyTorch `forward` returns `None`, and the training step fails: `AttributeError: 'NoneType' object has no attribute 'backward'`. In burn rustc finds it: E0308.",
    },
    Entry {
        code: Code::ResultNotATensor,
        title: "A network returns something that is no tensor",
        rule: "A network returns tensors; numbers are known without running it.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "(relu(data), 3)",
            at: "3",
            says: "a network returns tensors, this is the integer 3",
            right: "(relu(data), tanh(data))",
            scope: Scope::Language,
        }],
        elsewhere: r#"Keras, when the model is constructed: "All `outputs` values must be KerasTensors." (`keras/src/models/functional.py`)."#,
    },
    Entry {
        code: Code::ValueNotUsed,
        title: "A value that nobody uses",
        rule: "A layer whose result is dropped would be computed for nothing.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "let a = relu(data);
                        relu(a);",
            at: "relu(a)",
            says: "the value of this expression is not used\n\
                   \x20 = help: bind it with `let`, or leave the `;` out where it is the result",
            right: "let a = relu(data);
                        relu(a)",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch says nothing: the layer runs for nothing, and its weights get no gradient, of which only `DistributedDataParallel` complains, in the second step (`Expected to have finished reduction in the prior iteration`). rustc warns of unused results that are `#[must_use]`, which burn's tensors are not in general.",
    },
    Entry {
        code: Code::NoInputs,
        title: "A network without inputs",
        rule: "A network is fed.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn Net() {
                        relu(data)
                        }",
            at: "Net",
            says: "`Net` has no inputs\n\
                   \x20 = help: `data: Tensor<N, 3, 32, 32>`",
            right: "pub fn Net(data: Tensor<N, 8>) {
                        relu(data)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch: `forward(self)` is a legal module; what it needs is missing as a name when it runs, `NameError`. Keras refuses a functional `Model` without inputs when it is made.",
    },
    Entry {
        code: Code::LoopBound,
        title: "A loop with a bound that is no number",
        rule: "Loops are unrolled while the network is compiled: a symbol has no number yet.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "for i in 0..N {
                        data = relu(data);
                        }
                        data",
            at: "0..N",
            says: "a loop cannot run to the dimension N\n\
                   \x20 = help: loops are unrolled while compiling: the bounds are integers",
            right: "for i in 0..3 {
                        data = relu(data);
                        }
                        data",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch loops in Python over what a size is at run time, so this works there, and is traced for one size by `torch.jit.trace`, with a `TracerWarning`. burn: the same, without tracing.",
    },
    Entry {
        code: Code::NotAList,
        title: "A loop over something that is no list",
        rule: "A loop runs over a range or a list of constants.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "for w in 8 {
                        data = dense(data, w);
                        }
                        data",
            at: "8",
            says: "a loop runs over a range or a list, this is the integer 8\n\
                   \x20 = help: `0..3`, `[64, 128]` or `[(64, 1), (128, 2)]`",
            right: "for w in [8, 4] {
                        data = dense(data, w);
                        }
                        data",
            scope: Scope::Language,
        }],
        elsewhere: "Python, when the line runs: `TypeError: 'int' object is not iterable`. In burn rustc finds it: E0277, `{integer}` is not an iterator.",
    },
    Entry {
        code: Code::RangeOutsideLoop,
        title: "A range outside of a loop",
        rule: "A range says how often a loop runs; elsewhere it has no meaning.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "let part = slice(data, begin = 0..4);
                        part",
            at: "0..4",
            says: "a range stands after `for … in`\n\
                   \x20 = help: a list of numbers is `[0, 1, 2]`",
            right: "let part = slice_axis(data, axis = 1, begin = 0, end = 4);
                        part",
            scope: Scope::Language,
        }],
        elsewhere: "In Python `0:4` stands in brackets alone; anywhere else it is a `SyntaxError` when the module is imported. In burn `slice([0..4])` takes ranges.",
    },
    Entry {
        code: Code::ConditionKind,
        title: "A condition that is neither true nor false",
        rule: "`if` chooses while the network is compiled; what depends on data is `select`.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "if data {
                        relu(data)
                        } else {
                        data
                        }",
            at: "data",
            says: "a condition is `true` or `false`, this is a tensor of [N, 8]\n\
                   \x20 = help: `if` chooses while compiling: the condition is made of constants",
            right: "select(data, relu(data), data)",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch, in the forward pass: `RuntimeError: Boolean value of Tensor with more than one value is ambiguous`. In burn rustc finds it: E0308, expected `bool`.",
    },
    Entry {
        code: Code::ConditionOnASymbol,
        title: "A condition that depends on a symbol",
        rule: "Which branch it is must be known when the network is compiled, for every value of the symbols.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "if N == 1 {
                        relu(data)
                        } else {
                        data
                        }",
            at: "N == 1",
            says: "whether N == 1 is known only when the network is bound\n\
                   \x20 = help: `if` chooses while compiling: the condition is made of constants",
            right: "if N >= 1 {
                        relu(data)
                        } else {
                        data
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch decides it in each forward pass; `torch.export` decides it for one size and guards it, or fails when it is exported: `GuardOnDataDependentSymNode` where it cannot. `torch.jit.trace` keeps one branch, with a `TracerWarning`.",
    },
    Entry {
        code: Code::NoElse,
        title: "A choice without `else`",
        rule: "Where a value is wanted, both ways must give one.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "let a = if 8 > 9 {
                        relu(data)
                        };
                        a",
            at: "if 8 > 9 {
        relu(data)
    }",
            says: "without `else` there is no value when the condition is false",
            right: "let a = if 8 > 9 {
                        relu(data)
                        } else {
                        data
                        };
                        a",
            scope: Scope::Language,
        }],
        elsewhere: "Python, in the forward pass and only where the condition is false: `UnboundLocalError: cannot access local variable 'a'`. In burn rustc finds it: E0317.",
    },
    Entry {
        code: Code::TupleLength,
        title: "A tuple of another length",
        rule: "As many names as values.",
        cases: &[Case {
            inputs: "data: Tensor<N, 9>",
            wrong: "let (a, b) = split(data, 3);
                        a + b",
            at: "split(data, 3)",
            says: "this gives 3 values, 2 names are to be bound",
            right: "let (a, b, c) = split(data, 3);
                        a + b + c",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch, in the forward pass: `ValueError: too many values to unpack (expected 2)`. In burn `split` gives a `Vec`, whose length shows when the program runs.",
    },
    Entry {
        code: Code::NotATuple,
        title: "Something that is no tuple is taken apart",
        rule: "Only an operator of several results, or a tuple, can be bound to several names.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "let (a, b) = relu(data);
                        a + b",
            at: "relu(data)",
            says: "this is a tensor of [N, 8], not a tuple of 2",
            right: "let (a, b) = (relu(data), tanh(data));
                        a + b",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch unpacks a tensor along its first axis, silently where that has as many entries; otherwise, in the forward pass, `ValueError: too many values to unpack (expected 2)`. In burn rustc finds it: E0308.",
    },
    Entry {
        code: Code::TooManyCalls,
        title: "More calls than a network may have",
        rule: "A network has at most 10,000 calls and rounds of loops, so that a mistyped bound ends.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "for i in 0..1000000 {
                        data = relu(data);
                        }
                        data",
            at: "relu(data)",
            says: "the network has more than 10000 calls and rounds of loops up to here",
            right: "for i in 0..10 {
                        data = relu(data);
                        }
                        data",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch runs such a loop, and autograd keeps every step of it until memory ends (`torch.OutOfMemoryError`), at run time.",
    },
    Entry {
        code: Code::ForeignKeyword,
        title: "A keyword that the language does not have",
        rule: "`for` repeats and `if` chooses; both are decided while the network is compiled.",
        cases: &[
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "while true {
                        data = relu(data);
                        }
                        data",
                at: "while",
                says: "there is no `while` in a network\n\
                   \x20 = help: `for` repeats, `if` chooses; both are unrolled while compiling",
                right: "for i in 0..3 {
                        data = relu(data);
                        }
                        data",
                scope: Scope::Language,
            },
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "match data {
                        _ => relu(data),
                        }",
                at: "match",
                says: "there is no `match` in a network\n\
                   \x20 = help: `for` repeats, `if` chooses; both are unrolled while compiling",
                right: "relu(data)",
                scope: Scope::Language,
            },
        ],
        elsewhere: "PyTorch has all of Python in `forward`; `torch.jit.script` and `torch.export` refuse some of it when they compile: `UnsupportedNodeError` and the like. burn has all of Rust.",
    },
    Entry {
        code: Code::Return,
        title: "A `return`",
        rule: "The last expression, without a semicolon, is the result.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "let a = relu(data);
                        return a;",
            at: "return",
            says: "`return` is not needed\n\
                   \x20 = help: the last expression, without `;`, is the result",
            right: "let a = relu(data);
                        a",
            scope: Scope::Language,
        }],
        elsewhere: "In PyTorch and burn `return` is how a function ends.",
    },
    Entry {
        code: Code::Indexing,
        title: "An index",
        rule: "`slice` and `slice_axis` take a part of a tensor, `let (a, b) = …` takes a tuple apart.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "relu(data[0])",
            at: "[0]",
            says: "there is no indexing\n\
                   \x20 = help: `slice` takes a part of a tensor, `let (a, b) = …;` takes a tuple apart",
            right: "relu(slice_axis(data, axis = 1, begin = 0, end = 1))",
            scope: Scope::Language,
        }],
        elsewhere: "In PyTorch `data[0]` is the first sample, with one axis less; an index outside is told in the forward pass: `IndexError: index 5 is out of bounds for dimension 0 with size 3`. burn has `slice` and `select`; `tensor[0]` is E0608.",
    },
    Entry {
        code: Code::TupleField,
        title: "A field of a tuple",
        rule: "`let (a, b) = …` takes a tuple apart.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "let parts = split(data, 2);
                        relu(parts.0)",
            at: ".",
            says: "there are no fields; take a tuple apart with `let (a, b) = …;`",
            right: "let (left, right) = split(data, 2);
                        relu(left + right)",
            scope: Scope::Language,
        }],
        elsewhere: "In Python `parts.0` is a `SyntaxError` when the module is imported; `parts[0]` is how it is written. burn has fields of tuples, as Rust has.",
    },
    Entry {
        code: Code::QuestionMark,
        title: "A `?`",
        rule: "Nothing in a network fails when it runs: faults are found while it is compiled.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "let a = relu(data)?;
                        a",
            at: "?",
            says: "`?` is not needed: faults are found while compiling",
            right: "let a = relu(data);
                        a",
            scope: Scope::Language,
        }],
        elsewhere: "burn's layers return tensors, not results, and panic where something does not fit: `?` is E0277 there as well.",
    },
    Entry {
        code: Code::GenericParameters,
        title: "Generic parameters",
        rule: "Every name in a `Tensor<…>` of the parameters is a symbol by itself.",
        cases: &[Case {
            inputs: "",
            wrong: "pub fn Net<N>(data: Tensor<N, 8>) {
                        relu(data)
                        }",
            at: "<",
            says: "`Net` needs no generic parameters\n\
                   \x20 = help: every name in a `Tensor<…>` of its parameters is a symbol by itself",
            right: "pub fn Net(data: Tensor<N, 8>) {
                        relu(data)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "In burn a model is generic over its backend and tensors over their rank, `Tensor<B, 2>`; extents have no names in either burn or PyTorch.",
    },
    Entry {
        code: Code::ForeignItem,
        title: "An item that cannot stand inside the macro",
        rule: "Inside are networks, blocks and constants, and in front of them `use path::block;`; everything else stands beside the macro.",
        cases: &[Case {
            inputs: "",
            wrong: "struct Config;
                        pub fn Net(data: Tensor<N, 8>) {
                        relu(data)
                        }",
            at: "struct",
            says: "`struct` cannot stand inside `network!`\n\
                   \x20 = help: a network is `pub fn Name(data: Tensor<N, 3, 32, 32>) { … }`, a block has a small letter first",
            right: "pub fn Net(data: Tensor<N, 8>) {
                        relu(data)
                        }",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch and burn declare networks in ordinary modules, where anything may stand.",
    },
    Entry {
        code: Code::MisplacedAttribute,
        title: "An attribute at the wrong item",
        rule: "`#[predict]` and `#[memory]` belong to networks; `#[recompute]`, `#[frozen]`, `#[lr(…)]` and `#[no_decay]` to blocks, `let`s and assignments.",
        cases: &[
            Case {
                inputs: "",
                wrong: "#[recompute]
                        pub fn Net(data: Tensor<N, 8>) {
                        relu(data)
                        }",
                at: "recompute",
                says: "`#[recompute]` belongs to a block, `Net` is a network\n\
                   \x20 = help: put it on the blocks that the network calls or on its `let`s, or give the network `#[memory(…)]`",
                right: "#[recompute]
                        fn act(x: Tensor) {
                        relu(x)
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        act(data)
                        }",
                scope: Scope::Language,
            },
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "let y = relu(data);
                        #[recompute]
                        for i in 0..2 {
                        y = relu(dense(y, 4));
                        }
                        y",
                at: "recompute",
                says: "`#[recompute]` belongs to a block, a `let` or an assignment\n\
                   \x20 = help: `#[recompute] let y = relu(batch_norm(x));` makes again what is inside of `y`",
                right: "let y = relu(data);
                        for i in 0..2 {
                        #[recompute]
                        y = relu(dense(y, 4));
                        }
                        y",
                scope: Scope::Language,
            },
            Case {
                inputs: "",
                wrong: "#[predict]
                        fn act(x: Tensor) {
                        relu(x)
                        }
                        pub fn Net(data: Tensor<N, 8>) {
                        act(data)
                        }",
                at: "predict",
                says: "`#[predict]` belongs to a network, `act` is a block",
                right: "fn act(x: Tensor) {
                        relu(x)
                        }
                        #[predict]
                        pub fn Net(data: Tensor<N, 8>) {
                        act(data)
                        }",
                scope: Scope::Language,
            },
        ],
        elsewhere: "PyTorch, when the module is made: `torch.utils.checkpoint` around a whole network is accepted, and saves nothing then. Keras: `layer.trainable = False` on a model freezes all of it.",
    },
    Entry {
        code: Code::UnknownAttribute,
        title: "An attribute that the language does not have",
        rule: "Attributes of a network are handed on to the struct that it becomes; inputs and statements become nothing that could carry one, so one that is not understood there would be lost.",
        cases: &[
            Case {
                inputs: "data: Tensor<N, 8>",
                wrong: "#[trainable]
                        let fc1 = dense(data, 8);
                        relu(fc1)",
                at: "trainable",
                says: "`#[trainable]` says nothing about a statement",
                right: "let fc1 = dense(data, 8);
                        relu(fc1)",
                scope: Scope::Language,
            },
            Case {
                inputs: "",
                wrong: "pub fn Net(#[frozen] data: Tensor<N, 8>) {
                        relu(data)
                        }",
                at: "frozen",
                says: "`#[frozen]` says nothing about an input",
                right: "pub fn Net(data: Tensor<N, 8>) {
                        relu(data)
                        }",
                scope: Scope::Language,
            },
        ],
        elsewhere: "In Python an attribute that nobody reads, `layer.trainabel = False`, is made silently, and the layer trains on. In burn rustc finds an unknown attribute.",
    },
    Entry {
        code: Code::TooDeep,
        title: "Nesting without end",
        rule: "Expressions nest at most 128 deep; `let` gives a part a name.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "----------------------------------------------------------------------------------------------------------------------------------data",
            at: "-",
            says: "this is nested too deeply\n\
                   \x20 = help: give a part of it a name with `let`",
            right: "-data",
            scope: Scope::Language,
        }],
        elsewhere: "Python, when the module is imported: `SyntaxError: too many nested parentheses` (beyond 200). rustc ends at its `recursion_limit`.",
    },
    Entry {
        code: Code::RepeatedList,
        title: "A repeated list of something else than numbers",
        rule: "`[8; 3]` is `[8, 8, 8]`.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "for w in [N; 3] {
                        data = relu(data);
                        }
                        data",
            at: "[N; 3]",
            says: "only `[number; count]` with a small count can be repeated here",
            right: "for w in [8; 3] {
                        data = dense(data, w);
                        }
                        data",
            scope: Scope::Language,
        }],
        elsewhere: "In Python `[n] * 3` repeats anything, an array as well: the same one three times.",
    },
];
