//! Operators of the user's in `network!`: what their declarations state is used while compiling and checked at bind, and they compute
//! what they compute elsewhere.

mod own;

use mxr::graph::catalogue::{Code, Entry, Scope};
use mxr::op::{self, ArrayType, Forward, Misfit, OpError, Operator};
use mxr::{BindOptions, DType, Executor, GradReq, Mode, NDArray, Network, Symbol};
use own::{LayerNorm, Lookup, MinMax, Scale, Swish, bits, message, numbers, trained};

/// Sums of neighbours along the last axis: half as many. It has no gradient.
struct Pairs {
    keep_first: bool,
    how: &'static str,
}

impl Operator for Pairs {
    fn name(&self) -> &str {
        "pairs"
    }
    fn infer(&self, inputs: &[ArrayType]) -> Result<Vec<ArrayType>, Misfit> {
        let [x] = inputs else { return Err("takes one input".into()) };
        let [n, c] = x.shape[..] else { return Err("needs [n, features]".into()) };
        Ok(vec![x.with_shape([n, c / 2])])
    }
    fn forward(&self, cx: &mut Forward<'_>) -> Result<(), OpError> {
        let (x, y) = (cx.inputs.get::<f32>(0)?, cx.outputs.take::<f32>(0)?);
        for (y, x) in y.iter_mut().zip(x.chunks_exact(2)) {
            *y = match (self.keep_first, self.how) {
                (true, _) => x[0],
                (false, "sum") => x[0] + x[1],
                (false, other) => return Err(OpError::new(format!("does not know `{other}`"))),
            };
        }
        Ok(())
    }
}

mod parts {
    mxr::network!(
        /// `x · σ(βx)`.
        #[defaults(beta = 1.0)]
        pub(crate) extern "Rust" fn swish(x: Tensor, beta: f32) -> Tensor {
            crate::own::Swish { beta }
        }

        pub(crate) fn active(x: Tensor, units: usize) {
            swish(dense(x, units), beta = 0.5)
        }
    );
}

mxr::network!(
    use parts::active;
    use parts::swish as silu;

    const WIDTH: usize = 8;

    extern "Rust" fn swish(x: Tensor, beta: f32) -> Tensor {
        Swish { beta }
    }

    extern "Rust" fn norm(x: Tensor<N, C>, eps: f32) -> Tensor<N, C> {
        let checked = eps.max(1e-9);
        LayerNorm { eps: checked }
    }

    extern "Rust" fn ends(x: Tensor<N>) -> (Tensor![], Tensor![]) {
        MinMax
    }

    extern "Rust" fn lookup(table: Tensor<V, D>, ids: Tensor<N, i64>) -> Tensor<N, D> {
        Lookup
    }

    #[defaults(how = sum)]
    extern "Rust" fn pairs(x: Tensor<N, C>, keep_first: bool, how: &str) -> Tensor<N, { C / 2 }> {
        Pairs { keep_first, how }
    }

    extern "Rust" fn half(x: Tensor<N, C>) -> Tensor<N, _> {
        Pairs { keep_first: false, how: "sum" }
    }

    extern "Rust" fn twice(x: Tensor) -> Tensor {
        Scale(2.0)
    }

    pub(crate) fn Swished(x: Tensor<A, B>) {
        let y = swish(x, 0.7);
        y
    }

    pub(crate) fn Normed(x: Tensor<A, B>) {
        x.norm(1e-5)
    }

    pub(crate) fn Classifier(x: Tensor<N, 5>, label: Tensor<N, i64>) {
        let h = tanh(dense(x, 6));
        let own = norm(h, eps = 1e-5);
        softmax_cross_entropy(dense(relu(own * own), 3), label)
    }

    pub(crate) fn Ends(x: Tensor<N>) {
        let (low, high) = ends(x);
        high - low
    }

    pub(crate) fn Rows(table: Tensor<5, 3>, ids: Tensor<N, i64>) {
        sum(lookup(table, ids))
    }

    #[predict]
    pub(crate) fn Halves(x: Tensor<N, WIDTH>) {
        let first = pairs(x, true);
        let open: Tensor<N, 4> = half(x);
        pairs(first, keep_first = false) + pairs(open, false)
    }

    pub(crate) fn Doubled(x: Tensor<N, f64>) {
        for i in 0..3 {
            x = twice(x);
        }
        x
    }

    pub(crate) fn Deep(x: Tensor<N, 4>) {
        #[recompute]
        let h = silu(active(x, 6));
        let cell = active::new(units = 6);
        sum(square(cell(cell(h))))
    }
);

/// Values and gradients of `x` where `dy` flows into the output.
fn both(net: &mut Executor, x: &NDArray, dy: &NDArray) -> (Vec<u32>, Vec<u32>) {
    net.set_input("x", x).unwrap();
    net.head_grad(0).unwrap().assign(dy).unwrap();
    net.forward(Mode::Train).unwrap();
    net.backward().unwrap();
    (bits(&net.outputs()[0]), bits(net.grad("x").unwrap()))
}

fn wanting() -> BindOptions {
    BindOptions::new().input_grad("x", GradReq::Write)
}

#[test]
fn networks_symbols_and_arrays_have_the_same_bits() {
    fn eager(op: std::sync::Arc<dyn Operator>, x: &NDArray, dy: &NDArray) -> (Vec<u32>, Vec<u32>) {
        let y = NDArray::custom(op.clone(), &[x]).unwrap().remove(0);
        (bits(&y), bits(op::gradients(op, &[x], &[dy]).unwrap()[0].as_ref().unwrap()))
    }
    for (n, c) in [(1, 1), (5, 7), (130, 33)] {
        let (x, dy) = (numbers(&[n, c], 1), numbers(&[n, c], 2));
        let want = eager(std::sync::Arc::new(Swish { beta: 0.7 }), &x, &dy);
        assert_eq!(both(&mut Swished::bind_with(n, c, wanting()).unwrap(), &x, &dy), want);
        let mut naive = Swished::bind_with(n, c, wanting().naive_memory()).unwrap();
        assert_eq!(both(&mut naive, &x, &dy), want);
        let want = eager(std::sync::Arc::new(LayerNorm { eps: 1e-5 }), &x, &dy);
        assert_eq!(both(&mut Normed::bind_with(n, c, wanting()).unwrap(), &x, &dy), want);
        let symbol = Symbol::custom(LayerNorm { eps: 1e-5 }, &[&Symbol::input("x")], None).remove(0);
        assert_eq!(both(&mut symbol.bind(&[("x", &[n, c])], wanting()).unwrap(), &x, &dy), want);
    }
}

#[test]
fn a_network_trains_through_it_as_a_symbol_does() {
    let h = Symbol::input("x").dense(6);
    let own = Symbol::custom(LayerNorm { eps: 1e-5 }, &[&h.tanh()], Some("own")).remove(0);
    let label = Symbol::input("label").dtype(DType::I64);
    let loss = (&own * &own).relu().dense(3).softmax_cross_entropy(&label);
    let want = trained(&mut loss.bind(&[("x", &[4, 5]), ("label", &[4])], BindOptions::new()).unwrap());
    assert_eq!(trained(&mut Classifier::bind(4).unwrap()), want);
    assert_eq!(trained(&mut Classifier::bind_with(4, BindOptions::new().naive_memory()).unwrap()), want);
    assert_eq!(Classifier::own.name(), "own");
    let layer = Classifier::PROGRAMS.predict().layers.iter().find(|l| l.name == "own").unwrap();
    assert_eq!(layer.op, "norm");
}

#[test]
fn gradients_in_a_network_are_those_of_finite_differences() {
    let (n, c) = (3, 4);
    let mut net = Swished::bind_with(n, c, wanting()).unwrap();
    let (x, dy) = (numbers(&[n, c], 3), numbers(&[n, c], 4));
    both(&mut net, &x, &dy);
    let dx = net.grad("x").unwrap().to_vec::<f32>().unwrap();
    let (at, dy) = (x.to_vec::<f32>().unwrap(), dy.to_vec::<f32>().unwrap());
    for i in 0..at.len() {
        let mut loss = |by: f32| {
            let mut all = at.clone();
            all[i] += by;
            net.set_input("x", &NDArray::from_slice(&all, &[n, c]).unwrap()).unwrap();
            net.forward(Mode::Predict).unwrap();
            let y = net.outputs()[0].to_vec::<f32>().unwrap();
            y.iter().zip(&dy).map(|(y, dy)| f64::from(y * dy)).sum::<f64>()
        };
        let numeric = (loss(1e-2) - loss(-1e-2)) / 2e-2;
        assert!((numeric - f64::from(dx[i])).abs() < 1e-2, "{i}: {} against {numeric}", dx[i]);
    }
}

#[test]
fn several_results_integers_sizes_words_and_loops() {
    let mut net = Ends::bind_with(4, wanting()).unwrap();
    net.set_input("x", &NDArray::try_from([3.0f32, -1.0, 5.0, 2.0]).unwrap()).unwrap();
    net.forward(Mode::Train).unwrap();
    net.backward().unwrap();
    assert_eq!(net.outputs()[0].item::<f32>().unwrap(), 6.0);
    assert_eq!(net.grad("x").unwrap().to_vec::<f32>().unwrap(), [0.0, -1.0, 1.0, 0.0]);

    let mut net = Rows::bind_with(2, BindOptions::new().input_grad("table", GradReq::Write)).unwrap();
    net.input("table").unwrap().fill_with(0.5).unwrap();
    net.set_input("ids", &NDArray::try_from([4i64, 4]).unwrap()).unwrap();
    net.forward(Mode::Train).unwrap();
    net.backward().unwrap();
    assert_eq!(net.outputs()[0].item::<f32>().unwrap(), 3.0);
    assert_eq!(net.grad("table").unwrap().to_vec::<f32>().unwrap()[12..], [2.0; 3]);

    let mut net = Halves::bind(1).unwrap();
    net.set_input("x", &NDArray::arange(8).unwrap().reshape([1, 8]).unwrap()).unwrap();
    net.forward(Mode::Predict).unwrap();
    // first: 0 2 4 6 -> 2 10; half: 1 5 9 13 -> 6 22
    assert_eq!(net.outputs()[0].to_vec::<f32>().unwrap(), [8.0, 32.0]);

    let mut net = Doubled::bind(2).unwrap();
    net.set_input("x", &NDArray::from_slice(&[1.0f64, 3.0], &[2]).unwrap()).unwrap();
    net.forward(Mode::Predict).unwrap();
    assert_eq!(net.outputs()[0].to_vec::<f64>().unwrap(), [8.0, 24.0]);
}

#[test]
fn operators_of_other_modules_and_in_blocks() {
    let mut net = Deep::bind(3).unwrap();
    for (i, (_, p)) in net.params().enumerate() {
        p.assign(&numbers(p.shape(), i)).unwrap();
    }
    net.set_input("x", &numbers(&[3, 4], 5)).unwrap();
    net.forward(Mode::Train).unwrap();
    net.backward().unwrap();
    assert!(net.outputs()[0].item::<f32>().unwrap().is_finite());
    assert!(net.grads().all(|(_, g)| g.to_vec::<f32>().unwrap().iter().all(|g| g.is_finite())));
    let operators: Vec<&str> = Deep::PROGRAMS.predict().layers.iter().map(|l| &*l.op).collect();
    assert_eq!(operators.iter().filter(|op| **op == "swish").count(), 4);
}

mod wrong {
    use super::{LayerNorm, Pairs};

    mxr::network!(
        extern "Rust" fn same(x: Tensor) -> Tensor {
            LayerNorm { eps: 1e-5 }
        }

        extern "Rust" fn rows(x: Tensor<N, C>) -> Tensor<N> {
            LayerNorm { eps: 1e-5 }
        }

        extern "Rust" fn pairs(x: Tensor<N, C>) -> Tensor<N, { C / 2 }> {
            Pairs { keep_first: true, how: "" }
        }

        pub(crate) fn Refused(data: Tensor<N, 8>) {
            let norm0 = same(sum(data));
            norm0
        }

        pub(crate) fn Differs(data: Tensor<N, 8>) {
            let norm0 = rows(data);
            norm0
        }

        pub(crate) fn Trained(data: Tensor<N, 8>) {
            let h = pairs(dense(data, 6));
            sum(h)
        }
    );
}

#[test]
fn what_operators_refuse_is_told_when_a_network_is_bound() {
    let says = |code: Code| {
        let case = &Entry::of(code).cases[0];
        let Scope::Operators([("N", n)]) = case.scope else { panic!("{code} is told at bind") };
        let (first, rest) = case.says.split_once('\n').unwrap();
        (*n as usize, format!("{first} ({code})\n{rest}"))
    };
    let (n, text) = says(Code::OperatorRefuses);
    assert_eq!(message(wrong::Refused::bind(n)), text);
    let (n, text) = says(Code::StatedShape);
    assert_eq!(message(wrong::Differs::bind(n)), text);
    let told = message(wrong::Trained::bind(2));
    assert!(
        told.starts_with("`h`: pairs has no gradient, but the loss depends on trained weights"),
        "{told}"
    );
    let mut net = wrong::Trained::bind_with(2, BindOptions::new().grads(GradReq::Null)).unwrap();
    net.forward(Mode::Predict).unwrap();
    net.executor_mut().wait().unwrap();
}
