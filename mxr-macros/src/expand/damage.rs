//! Damaged sources: what stands in a `network!` after a key press, a wrong paste, a bad merge. The tests of this crate break a few, the
//! program `ui-tests/tests/fuzz` as many as there is time for.

use proc_macro2::{Group, Ident, Literal, TokenStream, TokenTree};

/// A source with most constructs.
pub(crate) const LANGUAGE: &str = "
    const WIDTH: usize = 16;
    fn conv_bn(x: Tensor<N, C, _, _>, filters: usize, stride: usize) {
        batch_norm(conv2d(x, filters, kernel = (3, 3), stride = stride, pad = same, bias = false))
    }
    fn basic(x: Tensor, filters: usize, stride: usize) {
        let a = relu(conv_bn(x, filters, stride));
        let b = if stride != 1 || filters % 2 == 1 { conv2d(x, filters, kernel = 1, stride = stride) } else { x };
        relu(a + 0.5 * b)
    }
    /// Docs.
    pub fn Net(data: Tensor<f32, N, 3, { 2 * 16 }, 32>, label: Tensor<N, i64>) {
        let x = conv_bn(data, WIDTH, 1);
        for (filters, stride) in [(WIDTH, 1), (2 * WIDTH, 2)] {
            x = basic(x, filters, stride = stride);
            for i in 0..2 { let c = conv2d(x, filters, kernel = 3, pad = 1); x += -c; }
        }
        let (left, right) = split(x, 2);
        let fc = left.global_avg_pool().dense(10);
        (softmax_cross_entropy(fc, label), reshape(right, [N, _]))
    }
    #[predict]
    fn Mlp(data: Tensor![N, T * 4]) { dense(reshape(data, [N * T, 4]).dropout(0.5), 3) }";

/// A small generator of random numbers: the same damage at every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        // Neighbouring seeds have nothing in common, and no state is 0.
        let mut state = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Random((state ^ (state >> 31)) | 1)
    }

    /// Below `n`; 0 where nothing is.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % n.max(1) as u64) as usize
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// Deletes, doubles, swaps or half-types a token somewhere in the tree, or replaces it by another one.
pub(crate) fn damage(stream: TokenStream, random: &mut Random, donors: &[TokenTree]) -> TokenStream {
    let mut tokens: Vec<TokenTree> = stream.into_iter().collect();
    if tokens.is_empty() {
        return TokenStream::new();
    }
    let at = random.below(tokens.len());
    if let TokenTree::Group(g) = &tokens[at]
        && !random.one_in(8)
    {
        let mut inner = Group::new(g.delimiter(), damage(g.stream(), random, donors));
        inner.set_span(g.span());
        tokens[at] = inner.into();
        return tokens.into_iter().collect();
    }
    let other = random.below(tokens.len());
    match random.below(8) {
        0 => drop(tokens.remove(at)),
        1 => tokens.insert(at, tokens[at].clone()),
        2 => tokens.swap(at, other),
        3 => tokens[at] = random.pick(donors).clone(),
        4 => tokens.insert(at, random.pick(donors).clone()),
        // The rest of the line is still to be typed.
        5 => {
            let stops = |t: &TokenTree| matches!(t, TokenTree::Punct(p) if p.as_char() == ';');
            let end = tokens[at..].iter().position(stops).map_or(tokens.len(), |n| at + n);
            drop(tokens.drain(at..end));
        }
        _ => match tokens[at].clone() {
            // A delimiter that is missing gives everything inside to what is around.
            TokenTree::Group(g) => drop(tokens.splice(at..=at, g.stream())),
            TokenTree::Ident(word) => tokens[at] = half(&word).into(),
            TokenTree::Literal(_) => tokens[at] = another_number(random).into(),
            TokenTree::Punct(_) => drop(tokens.remove(at)),
        },
    }
    tokens.into_iter().collect()
}

/// The first half of a word.
fn half(word: &Ident) -> Ident {
    let text = word.to_string();
    let letters: Vec<char> = text.trim_start_matches("r#").chars().collect();
    let half: String = letters[..letters.len().div_ceil(2)].iter().collect();
    Ident::new(&half, word.span())
}

/// One at an edge, or what any network could have.
fn another_number(random: &mut Random) -> Literal {
    const EDGES: [i64; 8] = [0, 1, 255, 65_536, 1 << 31, 1 << 47, 1 << 48, i64::MAX];
    match random.below(8) {
        0 => Literal::i64_unsuffixed(*random.pick(&EDGES)),
        1 => Literal::f64_unsuffixed(0.5),
        _ => Literal::usize_unsuffixed(random.below(9)),
    }
}

/// Every token that is no group.
pub(crate) fn leaves(stream: TokenStream, out: &mut Vec<TokenTree>) {
    for token in stream {
        match token {
            TokenTree::Group(g) => leaves(g.stream(), out),
            leaf => out.push(leaf),
        }
    }
}
