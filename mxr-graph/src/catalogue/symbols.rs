//! Symbols and holes.

use super::{Case, Code, Entry, Scope};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: Code::UnknownSymbol,
        title: "A symbol that no input declares",
        rule: "A name among the extents of an input declares a symbol; it can be used wherever a number can.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "reshape(data, [M, 8])",
            at: "M",
            says: "there is no symbol `M` here\n\
                   \x20 = help: the signature declares `N`",
            right: "reshape(data, [N, 8])",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch and burn have no symbols: sizes are read from tensors, `x.size(0)`, and a name that does not exist is `NameError` in the forward pass, or rustc's E0425.",
    },
    Entry {
        code: Code::OpenInput,
        title: "A hole in the signature that nothing decides",
        rule: "`_` is an extent that follows from how the input is used.",
        cases: &[Case {
            inputs: "data: Tensor<N, _>",
            wrong: "relu(data)",
            at: "_",
            says: "nothing says what `_` is\n\
                   \x20 = help: write the number, or a name: a symbol",
            right: "dense(data, 8, inputs = 4)",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch's `nn.LazyLinear` leaves its width open until the first forward pass; before, `ValueError: Attempted to use an uninitialized parameter`. Keras builds at the first call in the same way.",
    },
    Entry {
        code: Code::OpenLayer,
        title: "A hole in a layer that nothing decides",
        rule: "`_` for the width of a layer is solved where its result meets something of known shape.",
        cases: &[Case {
            inputs: "data: Tensor<N, 8>",
            wrong: "let fc1 = dense(data, _);
                        sum(relu(fc1))",
            at: "dense(data, _)",
            says: "`fc1`: dense: nothing says what `_` is\n\
                   \x20 = help: write the number, or use the result where it is decided",
            right: "let fc1 = dense(data, _);
                        sum(fc1 + data)",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch has lazy inputs, but no lazy outputs: the number of units is a required argument, whose lack is a `TypeError` when the layer is made. So it is in Keras and in burn.",
    },
    Entry {
        code: Code::SameDependsOnASymbol,
        title: "`same` where the padding would depend on a symbol",
        rule: "With a stride, how much padding `same` is depends on the extent, which is not known before the network is bound.",
        cases: &[Case {
            inputs: "x: Tensor<N, 3, H, 32>",
            wrong: "let conv1 = conv2d(x, 8, kernel = 3, stride = 2, pad = same);
                        conv1",
            at: "pad = same",
            says: "`conv1`: conv2d: `same` with stride 2 depends on the height, which is H: not known yet\n\
                   \x20 = help: give the padding as a number, such as pad = 1\n\
                   \x20 = note: `x` is [N, 3, H, 32]",
            right: "let conv1 = conv2d(x, 8, kernel = 3, stride = 2, pad = 1);
                        conv1",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch, when the layer is made: `ValueError: padding='same' is not supported for strided convolutions`, whatever the size. Keras computes it at each call from the size that is there.",
    },
    Entry {
        code: Code::SliceBeginsAtASymbol,
        title: "A slice that begins at a symbol",
        rule: "A slice begins at a number; its end may be a symbol.",
        cases: &[Case {
            inputs: "x: Tensor<T, 8>",
            wrong: "let rest = slice_axis(x, axis = 0, begin = -2);
                        rest",
            at: "begin = -2",
            says: "`rest`: slice_axis: the first index along axis 0 of [T, 8] is not known: it depends on the extent T\n\
                   \x20 = help: give `begin` as a number from the front\n\
                   \x20 = note: `x` is [T, 8]",
            right: "let rest = slice_axis(x, axis = 0, begin = 2);
                        rest",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch slices at run time from any index; `torch.export` guards it. burn: a range that does not fit panics when it runs.",
    },
    Entry {
        code: Code::SymbolDivided,
        title: "A symbol divided by a symbol",
        rule: "Extents are sums of products; a division by a number rounds down.",
        cases: &[Case {
            inputs: "data: Tensor<N, T>",
            wrong: "dense(data, N / T)",
            at: "N / T",
            says: "N cannot be divided by T",
            right: "dense(data, 2)",
            scope: Scope::Language,
        }],
        elsewhere: "PyTorch computes sizes in Python at run time, and `/` gives a `float`, which is told where it is used: `TypeError: 'float' object cannot be interpreted as an integer`, in the forward pass.",
    },
];
