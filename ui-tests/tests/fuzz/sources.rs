//! Damaged sources.

use crate::elaborate::{self, Network};
use crate::errors::Faults;
use crate::expand::damage::{LANGUAGE, Random, damage, leaves};
use crate::expand::{expand, expanded, tests, typing};
use crate::replay::{self, Accepted};
use crate::{Found, Tally, ast, emit, imports, looking_at, parse};
use mxr_graph::catalogue::Entry;
use mxr_graph::passes::Passes;
use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use std::str::FromStr;

/// What was written elsewhere comes like this.
const IMPORTED: &str = "
    @ residual unit {
        const K: usize = 3;
        #[defaults(kernel = K)]
        pub fn residual(x: Tensor<N, C, _, _>, kernel: usize) {
            let a = relu(conv2d(x, C, kernel = kernel, pad = same));
            x + conv2d(a, C, kernel = kernel, pad = same)
        }
    }
    fn tower(x: Tensor<N, 8>) { tanh(dense(x, 4)) }
    pub fn Net(data: Tensor<N, 3, 8, 8>, left: Tensor<N, 8>, right: Tensor<N, 8>, label: Tensor<N, i64>) {
        let same = tower::new();
        #[lr(0.1)]
        let (a, b) = (same(left), same(right));
        let x = unit(data, kernel = 5);
        #[frozen]
        let fc = dense(concat(global_avg_pool(x), a * b, axis = 1), 10);
        let hidden = dense(fc, 10, weight = fc.weight);
        (softmax_cross_entropy(hidden, label), 0.1 * mse_loss(a, b))
    }";

/// Sources to break.
pub(crate) struct Corpus {
    sources: Vec<TokenStream>,
    /// How many of the first ones are small.
    small: usize,
    donors: Vec<TokenTree>,
}

impl Corpus {
    pub(crate) fn new() -> Corpus {
        let mut texts = vec![LANGUAGE.to_string(), typing::SOURCE.to_string(), IMPORTED.to_string()];
        for case in Entry::all().flat_map(|e| e.cases) {
            texts.extend([case.wrong(), case.right()]);
        }
        let mut sources: Vec<TokenStream> =
            texts.iter().map(|t| TokenStream::from_str(t).expect("balanced")).collect();
        let mut donors = Vec::new();
        sources.iter().for_each(|s| leaves(s.clone(), &mut donors));
        let small = sources.len();
        let mut large = tests::zoo();
        let language = concat!(env!("CARGO_MANIFEST_DIR"), "/formatted/language.rs");
        let text = std::fs::read_to_string(language).expect("the file with every construct");
        tests::sources(TokenStream::from_str(&text).expect("Rust"), "language", &mut large);
        sources.extend(large.into_iter().map(|(_, source)| source));
        Corpus { sources, small, donors }
    }

    /// One of the sources, broken in a few places.
    pub(crate) fn case(&self, random: &mut Random, tally: &mut Tally) -> Found {
        let at = match random.below(16) {
            0 => random.below(self.sources.len()),
            1..8 => random.below(3),
            _ => random.below(self.small),
        };
        let mut source = self.sources[at].clone();
        for _ in 0..=random.below(3) {
            source = damage(source, random, &self.donors);
        }
        let text = source.to_string();
        looking_at(&text);
        tally.add("damaged sources");

        let out = expand(source.clone());
        if out.is_empty()
            && !source.is_empty()
            && parse::source(source.clone(), &mut Faults::default()).fns.iter().any(ast::Fn::is_network)
        {
            return Err(format!("a network becomes nothing\n{text}"));
        }
        let (mut editor, mut compiler) = (Faults::default(), Faults::default());
        expanded(source.clone(), true, &mut editor);
        let marked = marked(source.clone(), random);
        expanded(marked, true, &mut Faults::default());
        expanded(source.clone(), false, &mut compiler);
        // Of what is half-typed an editor compiles nothing.
        if (editor.len() == 0) != (compiler.len() == 0) || editor.len() > compiler.len() {
            return Err(format!(
                "{} faults for an editor, {} for the compiler\n{text}",
                editor.len(),
                compiler.len()
            ));
        }
        if tests::faults_in(&out) > 0 {
            tally.add("damaged sources refused");
            return Ok(());
        }
        tally.add("damaged sources accepted");
        let mut faults = Faults::default();
        // Of what comes from elsewhere the tokens are missing.
        if imports::bring(&source, &mut faults).is_some() {
            return Ok(());
        }
        let source = parse::source(source, &mut faults);
        for item in source.fns.iter().filter(|f| f.is_network()) {
            let network = elaborate::network(&source, item, &mut faults);
            if !network.operators.is_empty() {
                continue;
            }
            tally.add("networks accepted");
            replay::agrees(&accepted(item, network), random, tally).map_err(|e| format!("{e}\n{text}"))?;
        }
        Ok(())
    }
}

fn accepted(item: &ast::Fn, network: Network) -> Accepted {
    let trains = item.marks.predict.is_none();
    let (train, predict) = emit::compile(&network.graph, &Passes::ALL, trains);
    let train = train.map(|t| t.expect("accepted"));
    Accepted { graph: network.graph, train, predict: predict.expect("accepted") }
}

/// The source with a name that an editor is asked to complete.
fn marked(source: TokenStream, random: &mut Random) -> TokenStream {
    let mut tokens: Vec<TokenTree> = source.into_iter().collect();
    if tokens.is_empty() {
        return TokenStream::new();
    }
    let at = random.below(tokens.len());
    tokens[at] = match &tokens[at] {
        TokenTree::Group(g) => Group::new(g.delimiter(), marked(g.stream(), random)).into(),
        TokenTree::Ident(word) if !word.to_string().starts_with("r#") => {
            Ident::new(&format!("{word}raCompletionMarker"), word.span()).into()
        }
        _ => Ident::new("raCompletionMarker", tokens[at].span()).into(),
    };
    tokens.into_iter().collect()
}
