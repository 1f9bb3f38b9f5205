//! A language model of characters (Karpathy et al., 2015): two LSTM layers, unrolled.

/// Characters of the text: those of tinyshakespeare.
pub const VOCABULARY: usize = 65;
/// Units of a layer.
pub const HIDDEN: usize = 128;
/// Characters that gradients reach back.
pub const STEPS: usize = 25;

mxr::network!(
    const VOCABULARY: usize = 65;
    const HIDDEN: usize = 128;
    const STEPS: usize = 25;

    /// One step of an LSTM layer (Hochreiter and Schmidhuber, 1997; with forget gates): the new state and the new memory.
    pub fn lstm(x: Tensor, h: Tensor<N, H>, c: Tensor) {
        let gates = dense(x, 4 * H) + dense(h, 4 * H);
        let (input, forget, output, new) = split(gates, 4);
        let memory = sigmoid(forget) * c + sigmoid(input) * tanh(new);
        (sigmoid(output) * tanh(memory), memory)
    }

    /// The next character at each of `steps` places, as scores `[steps · n, vocabulary]`, and the states behind the last one.
    pub fn char_lstm(text: Tensor<T, N, V>, h1: Tensor, c1: Tensor, h2: Tensor, c2: Tensor) {
        let first = lstm::new();
        let second = lstm::new();
        let all = [];
        for t in 0..T {
            let letter = reshape(slice_axis(text, 0, t, t + 1), [N, V]);
            (h1, c1) = first(letter, h1, c1);
            (h2, c2) = second(h1, h2, c2);
            all += [h2];
        }
        let scores = dense(concat(all, axis = 0), V);
        (scores, stop_gradient(h1), stop_gradient(c1), stop_gradient(h2), stop_gradient(c2))
    }

    /// char-rnn's default: 65 characters, two layers of 128 units. `text` has a 1 for each character, `next` the number of the
    /// one behind it; the states are those that the step before returned.
    pub fn CharLstm(
        text: Tensor<STEPS, N, VOCABULARY>,
        next: Tensor<STEPS, N, i64>,
        h1: Tensor<N, HIDDEN>,
        c1: Tensor<N, HIDDEN>,
        h2: Tensor<N, HIDDEN>,
        c2: Tensor<N, HIDDEN>,
    ) {
        let (scores, h1, c1, h2, c2) = char_lstm(text, h1, c1, h2, c2);
        (softmax_cross_entropy(scores, reshape(next, [STEPS * N])), h1, c1, h2, c2)
    }

    /// The same, a character at a time, with the weights of the other: what it predicts is drawn from.
    #[predict]
    pub fn CharStep(
        text: Tensor<1, N, VOCABULARY>,
        h1: Tensor<N, HIDDEN>,
        c1: Tensor<N, HIDDEN>,
        h2: Tensor<N, HIDDEN>,
        c2: Tensor<N, HIDDEN>,
    ) {
        char_lstm(text, h1, c1, h2, c2)
    }
);
