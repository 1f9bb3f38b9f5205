//! What the macro writes: per network a struct with its layers, its programs and the means to bind it.

mod constants;
mod docs;
mod external;
mod formulas;
mod halves;
mod instr;
mod memory;
mod printing;
mod program;
mod summary;
mod typed;

use crate::ast::{Fn, name_of};
use crate::elaborate::{Made, Network, Reads};
use crate::errors::Faults;
use mxr_graph::catalogue::Code;
use mxr_graph::compile::flops;
use mxr_graph::dim::{Dim, SymbolDef};
use mxr_graph::graph::{Graph, Source};
use mxr_graph::program::Program;
use mxr_graph::summary::Summary;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write;
use std::str::FromStr;

pub(crate) use constants::constants;
pub(crate) use docs::layer_with_cost;
pub(crate) use external::{for_others, maker, makers};
pub(crate) use halves::{Compiled, compile};

/// Names that the generated struct has already.
const TAKEN: [&str; 10] = [
    "bind",
    "bind_with",
    "bind_symbols",
    "PARAMETERS",
    "PROGRAMS",
    "SUMMARY",
    "from_executor",
    "executor",
    "executor_mut",
    "Self",
];

/// The Rust code of a network. After a fault everything that could be typed is still there. For an `editor` the tables are empty: it
/// would read a hundred thousand tokens of which it shows none.
pub(crate) fn network(item: &Fn, network: &Network, faults: &mut Faults, editor: bool) -> TokenStream {
    for site in &network.sites {
        if let Some(ident) = &site.ident
            && TAKEN.contains(&name_of(ident).as_str())
        {
            let text =
                format!("`{ident}` is a name that every network has already; choose another for the layer");
            faults.push(Code::NameTaken, ident.span(), text);
        }
    }
    let (mut train, mut predict) = (None, None);
    if network.sound {
        let passes = printing::passes(item.name.span(), faults);
        let (trains, predicts) = compile(&network.graph, &passes, item.marks.predict.is_none());
        train = trains.and_then(|t| compiled(t, network, faults));
        if let Some(train) = &train {
            network.gradients(train, faults);
        }
        predict = compiled(predicts, network, faults);
        if let Some(limit) = &item.marks.memory {
            memory::limit(limit, &network.graph, [&mut train, &mut predict], faults);
        }
    }
    let graph = &network.graph;

    let name = &item.name;
    // The user's span is used once: a second definition on it would be shown twice.
    let again = Ident::new(&item.name.to_string(), Span::call_site());
    let vis = &item.vis;
    let attrs = item.attrs.iter().map(|a| &a.tokens);
    let cfg: Vec<&TokenStream> = item.attrs.iter().filter(|a| a.name == "cfg").map(|a| &a.tokens).collect();
    let table = docs::table(graph, train.as_ref(), predict.as_ref());
    let table = format!("\n{table}");
    let layers = layers(network);
    let parameters = match train.as_ref().or(predict.as_ref()) {
        Some(p) => docs::total(p).as_const(),
        // Whoever asks for it need not be told about the fault.
        None => Some(0),
    };
    let parameters = parameters.map(|n| {
        let n = n.unsigned_abs();
        quote! {
            /// How many trained parameters the network has.
            pub const PARAMETERS: u64 = #n;
        }
    });
    let summary = predict.as_ref().map_or(Summary::UNKNOWN, |p| Summary::of(train.as_ref(), p));
    let summary = tokens(&self::summary::summary(&summary));
    let programs = match editor {
        true => tokens(&programs(None, None, &graph.name, &[])),
        false => tokens(&programs(train.as_ref(), predict.as_ref(), &graph.name, &network.operators)),
    };
    let bind = bind(graph);
    let types = tokens(&typed::types(graph, train.as_ref(), predict.as_ref()));
    quote! {
        #(#attrs)*
        #[doc = #table]
        #vis struct #name {
            executor: ::mxr::Executor,
        }

        #(#cfg)*
        // Layers are called as the user calls them, not all of them are asked for, and a number of the network is not an approximation
        // that its author wrote into code.
        #[allow(dead_code, non_upper_case_globals, clippy::approx_constant)]
        impl #again {
            #layers
            #parameters
            /// What is known before it runs: parameters, floating-point operations, bytes, for any batch size.
            pub const SUMMARY: ::mxr::graph::summary::Summary = #summary;
            /// The compiled network.
            pub const PROGRAMS: &'static ::mxr::Programs = #programs;
            #bind
        }

        #(#cfg)*
        impl ::core::ops::Deref for #again {
            type Target = ::mxr::Executor;
            fn deref(&self) -> &::mxr::Executor {
                &self.executor
            }
        }

        #(#cfg)*
        impl ::core::ops::DerefMut for #again {
            fn deref_mut(&mut self) -> &mut ::mxr::Executor {
                &mut self.executor
            }
        }

        #(#cfg)*
        impl ::mxr::Network for #again {
            const PROGRAMS: &'static ::mxr::Programs = Self::PROGRAMS;
            #types
            fn from_executor(executor: ::mxr::Executor) -> Self {
                Self { executor }
            }
            fn executor(&self) -> &::mxr::Executor {
                &self.executor
            }
            fn executor_mut(&mut self) -> &mut ::mxr::Executor {
                &mut self.executor
            }
        }
    }
}

/// The program, or the fault on the call that is to blame.
fn compiled(result: Compiled, network: &Network, faults: &mut Faults) -> Option<Program> {
    result
        .map_err(|error| {
            let (at, text) = network.fault(&error);
            faults.push(error.code, at, text);
        })
        .ok()
}

/// The tokens that name a constant of the network: of its layers, and of those that have an error.
pub(crate) fn own_layers(network: &Network) -> impl Iterator<Item = &Ident> {
    let mut taken: HashSet<String> = TAKEN.iter().map(|t| (*t).to_string()).collect();
    let calls = network.graph.layers.iter().zip(&network.sites).filter(|(l, _)| !l.op.schema().internal);
    let own = calls.filter_map(|(l, site)| site.ident.as_ref().filter(|ident| name_of(ident) == l.name));
    let broken = network.broken.iter().filter_map(|(_, ident)| ident.as_ref());
    own.chain(broken).filter(move |ident| taken.insert(name_of(ident)))
}

/// One constant per layer and per input. Those that the user named carry the user's token, once.
fn layers(network: &Network) -> TokenStream {
    let graph = &network.graph;
    let mut taken: HashSet<String> = TAKEN.iter().map(|t| (*t).to_string()).collect();
    let named: HashSet<String> = network.sites.iter().filter_map(|s| s.ident.as_ref().map(name_of)).collect();
    let mut out = TokenStream::new();
    let mut text = String::new();
    // What the macro itself makes, constants of arithmetic, is nobody's call.
    let costs = flops(graph);
    let calls = graph.layers.iter().zip(&costs).zip(&network.sites);
    for (i, ((l, cost), site)) in calls.filter(|((l, _), _)| !l.op.schema().internal).enumerate() {
        let name = &l.name;
        let own = site.ident.as_ref().filter(|ident| name_of(ident) == *name && !taken.contains(name));
        if let Some(ident) = own {
            taken.insert(name.clone());
            let doc = layer_with_cost(graph, l, cost);
            let number = proc_macro2::Literal::usize_unsuffixed(i);
            out.extend(quote! {
                #[doc = #doc]
                pub const #ident: ::mxr::LayerId = ::mxr::LayerId::new(#number, #name);
            });
        } else if !named.contains(name) && taken.insert(name.clone()) {
            let (doc, raw) = (docs::layer(graph, l), if is_keyword(name) { "r#" } else { "" });
            let _ = write!(
                text,
                "#[doc = {doc:?}] pub const {raw}{name}: ::mxr::LayerId = ::mxr::LayerId::new({i}, {name:?}); "
            );
        }
    }
    // Whoever asks for a layer that has an error has been told about the error.
    for (name, ident) in &network.broken {
        if taken.insert(name.clone()) {
            let doc = format!("`{name}`: has an error");
            let ident = ident.clone().unwrap_or_else(|| word(name));
            out.extend(quote! {
                #[doc = #doc]
                pub const #ident: ::mxr::LayerId = ::mxr::LayerId::new(0, #name);
            });
        }
    }
    // An input that is called like one of the struct's own functions has no constant.
    for input in graph.values.iter().filter(|v| v.source == Source::Input) {
        if taken.insert(input.name.clone()) {
            text.push_str(&typed::input(graph, input));
        }
    }
    out.extend(tokens(&text));
    out
}

/// The text of the constant `Programs`.
pub(crate) fn programs(
    train: Option<&Program>,
    predict: Option<&Program>,
    name: &str,
    operators: &[Made],
) -> String {
    // Only a network with a fault has no prediction, and it is never run.
    let written = || predict.map_or_else(|| program::program(&empty(name)), program::program);
    let (trains, predicts) = halves::side_by_side(|| train.map(program::program), written);
    let mut text = String::from("{ use ::mxr::__private::*; ");
    let part = match trains {
        Some(p) => {
            let _ = write!(text, "static TRAIN: LazyLock<Program> = LazyLock::new(|| {p}); ");
            "Some(&TRAIN)"
        }
        None => "None",
    };
    let _ = write!(text, "static PREDICT: LazyLock<Program> = LazyLock::new(|| {predicts}); ");
    let all: Vec<&Program> = train.into_iter().chain(predict).collect();
    text.push_str(&formulas::functions(&all));
    let operators = external::list(operators);
    let _ = write!(text, "&::mxr::Programs::new({part}, &PREDICT, FUNCTIONS, {operators}) }}");
    text
}

fn empty(name: &str) -> Program {
    Program {
        name: Cow::Owned(name.to_string()),
        symbols: Cow::Borrowed(&[]),
        values: Cow::Borrowed(&[]),
        steps: Cow::Borrowed(&[]),
        forward: 0,
        exprs: Cow::Borrowed(&[]),
        layers: Cow::Borrowed(&[]),
        inputs: Cow::Borrowed(&[]),
        params: Cow::Borrowed(&[]),
        training: Cow::Borrowed(&[]),
        aux: Cow::Borrowed(&[]),
        outputs: Cow::Borrowed(&[]),
        predictions: Cow::Borrowed(&[]),
        heads: Cow::Borrowed(&[]),
        grads: Cow::Borrowed(&[]),
        flops: Dim::ZERO,
        checks: Cow::Borrowed(&[]),
        plan: None,
    }
}

/// `bind` and `bind_with`, with one parameter per symbol.
fn bind(graph: &Graph) -> TokenStream {
    let named = graph.symbols.list().iter().filter(|s| s.def == SymbolDef::Named);
    let symbols: Vec<&str> = named.map(|s| &*s.name).collect();
    let mut parameters: Vec<Ident> = Vec::with_capacity(symbols.len());
    for s in &symbols {
        let mut name = s.to_lowercase();
        while parameters.iter().any(|p| *p == name.as_str()) || name == "options" {
            name.push('_');
        }
        parameters.push(word(&name));
    }
    let listed: Vec<String> =
        parameters.iter().zip(&symbols).map(|(p, s)| format!("`{p}` is its `{s}`")).collect();
    let what = match listed.is_empty() {
        true => "The network with memory for its arrays.".to_string(),
        false => format!(
            "The network with numbers for its symbols and memory for its arrays: {}.",
            listed.join(", ")
        ),
    };
    let errors = "# Errors\n\nWhen a number is 0 or breaks a rule of a layer, or there is not enough memory.";
    let short = format!("{what}\n\n{errors}");
    let long = format!("[`Self::bind`] with options: device, gradients wanted, seed.\n\n{errors}");
    quote! {
        #[doc = #short]
        #[track_caller]
        pub fn bind(#(#parameters: usize),*) -> ::core::result::Result<Self, ::mxr::Error> {
            Self::bind_with(#(#parameters,)* ::mxr::BindOptions::default())
        }
        #[doc = #long]
        #[track_caller]
        pub fn bind_with(
            #(#parameters: usize,)*
            options: ::mxr::BindOptions,
        ) -> ::core::result::Result<Self, ::mxr::Error> {
            let executor = ::mxr::Executor::bind(Self::PROGRAMS, &[#((#symbols, #parameters)),*], options)?;
            ::core::result::Result::Ok(Self { executor })
        }
    }
}

/// Names that nobody reads and blocks that nobody calls, restated so that the compiler's own lints find them.
pub(crate) fn unused(names: &Reads, blocks: &[&Ident]) -> TokenStream {
    let names: Vec<&Ident> = names.values().filter(|(_, read)| !read).map(|(ident, _)| ident).collect();
    if names.is_empty() && blocks.is_empty() {
        return TokenStream::new();
    }
    // All of it at the user's place: the lint passes over functions that a macro made.
    let blocks = blocks.iter().map(|name| quote_spanned!(name.span()=> fn #name() {}));
    quote! {
        const _: fn() = || {
            #(let #names = ();)*
            #(#blocks)*
        };
    }
}

/// A name of the macro's own, whatever Rust uses the word for.
fn word(name: &str) -> Ident {
    match is_keyword(name) {
        true => Ident::new_raw(name, Span::call_site()),
        false => Ident::new(name, Span::call_site()),
    }
}

fn is_keyword(name: &str) -> bool {
    const KEYWORDS: [&str; 50] = [
        "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
        "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop",
        "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static",
        "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where",
        "while", "yield", "union", "auto",
    ];
    KEYWORDS.contains(&name)
}

/// Text that was put together here.
fn tokens(text: &str) -> TokenStream {
    TokenStream::from_str(text).unwrap_or_else(|e| panic!("generated text does not lex ({e}): {text}"))
}
