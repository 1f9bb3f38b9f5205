//! Feature maps that lie channel after channel give what image after image gives.

mod numbers;

use mxr::graph::instr::Instr;
use mxr::graph::program::Program;
use mxr::init::Xavier;
use mxr::{BindOptions, Executor, GradReq, Mode, NDArray, Network, Programs};

mxr::network!(
    /// Branches and what reads their concatenation, in every form that knows images.
    pub fn Maps(data: Tensor<N, 3, 12, 10>, label: Tensor<N, i64>) {
        let stem = relu(batch_norm(conv2d(data, 8, kernel = 3, pad = 1, bias = false)));
        let left = relu(conv2d(stem, 6, kernel = 1));
        let right = conv2d(stem, 5, kernel = 3, pad = 1, bias = false);
        let pooled = conv2d(max_pool(stem, kernel = 3, stride = 1, pad = 1), 5, kernel = 1);
        let joined = lrn(concat(left, right, pooled));
        let smaller = max_pool(joined, kernel = 2, stride = 2);
        let squeezed = sigmoid(conv2d(mean(smaller, axes = [2, 3], keepdims = true), 16, kernel = 1));
        let scaled = dropout(smaller * squeezed, 0.3);
        let first = slice(scaled, [_, 2], [_, 12]);
        let grouped = conv2d(first, 10, kernel = 3, pad = 1, groups = 5);
        let apart =
            conv2d(grouped, 10, kernel = (5, 1), stride = (2, 1), pad = (2, 0), groups = 10, bias = false);
        let added = relu(
            batch_norm(apart) + batch_norm(conv2d(first, 10, kernel = 1, stride = (2, 1), bias = false)),
        );
        let shares = softmax(added, axis = 1);
        let centred = shares - mean(shares, axes = [2, 3], keepdims = true);
        let spread = mean(square(centred), axes = [2, 3]);
        let columns = transpose(added, [0, 2, 3, 1]);
        let last = concat(flatten(columns), spread);
        softmax_cross_entropy(dense(last, 4), label)
    }

    /// A class for each pixel.
    pub fn Pixels(data: Tensor<N, 2, 6, 7>, label: Tensor<N, 6, 7, i64>) {
        let a = tanh(conv2d(data, 7, kernel = 3, pad = 1));
        let b = avg_pool(a, kernel = 3, stride = 1, pad = 1) * 2.0 - a;
        softmax_cross_entropy(conv2d(b, 4, kernel = 1), label, axis = 1)
    }

    /// What convolves nothing.
    pub fn Plain(data: Tensor<N, 2, 6, 7>, label: Tensor<N, i64>) {
        softmax_cross_entropy(dense(flatten(max_pool(data, kernel = 2)), 3), label)
    }
);

fn bound(programs: &'static Programs, n: usize, options: BindOptions) -> Executor {
    let options = options.seed(5).input_grad("data", GradReq::Write);
    Executor::bind(programs, &[("N", n)], options).expect("fits")
}

fn values((name, array): (&str, &NDArray)) -> (String, Vec<f32>) {
    (name.to_string(), array.to_vec().expect("f32"))
}

/// Outputs, predictions, gradients and states of two passes, and a prediction.
fn run(mut net: Executor) -> Vec<(String, Vec<f32>)> {
    net.init(&Xavier::default(), 3).expect("initialises");
    let mut all = Vec::new();
    for pass in 0..2 {
        let data = net.input("data").expect("declared").shape().to_vec();
        net.set_input_host("data", &numbers::noise(pass, &data)).expect("fits");
        let label = net.input("label").expect("declared");
        let labels = numbers::labels(pass, label.len(), 3);
        label.copy_from_slice(labels.as_slice::<i64>().expect("i64")).expect("fits");
        net.forward(Mode::Train).expect("can train");
        net.backward().expect("follows");
        let results = net.outputs().iter().chain(net.predictions()).map(|a| ("result", a));
        all.extend(results.chain(net.grads()).map(values));
    }
    all.extend(net.states().map(values));
    net.forward(Mode::Predict).expect("always");
    all.extend(net.outputs().iter().map(|a| values(("prediction", a))));
    all
}

/// The distance of two arrays, as a share of the second one's norm.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let apart = norm(&mut a.iter().zip(b).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    apart / norm(&mut b.iter().map(|b| f64::from(*b))).max(1e-6)
}

fn agrees<N: Network>() {
    for n in [1, 2, 5] {
        let outermost = run(bound(N::PROGRAMS, n, BindOptions::new()));
        let images = run(bound(N::PROGRAMS, n, BindOptions::new().nchw()));
        assert_eq!(outermost.len(), images.len());
        let far = outermost.iter().zip(&images).map(|((name, a), (_, b))| (name, distance(a, b)));
        let far: Vec<_> = far.filter(|(_, far)| *far > 2e-5).collect();
        assert!(far.is_empty(), "batch {n}: {far:?}");
        let naive = run(bound(N::PROGRAMS, n, BindOptions::new().naive_memory()));
        assert!(outermost == naive, "planned memory costs no bit, batch {n}");
    }
}

#[test]
fn results_agree() {
    agrees::<Maps>();
    agrees::<Pixels>();
    agrees::<Plain>();
}

fn count(program: &Program, what: impl Fn(&Instr) -> bool) -> usize {
    program.steps.iter().filter(|s| what(&s.instr)).count()
}

#[test]
fn no_map_is_copied_between_steps_that_know_both_orders() {
    let transposes = |net: &Executor| {
        let program = net.program(Mode::Train).expect("trains");
        count(program, |i| matches!(i, Instr::Transpose { .. }))
    };
    // One channel image has the order of the other.
    assert_eq!(transposes(&bound(Pixels::PROGRAMS, 1, BindOptions::new())), 0);
    assert_eq!(
        transposes(&bound(Pixels::PROGRAMS, 5, BindOptions::new())),
        0,
        "convolutions stand at both borders: {}",
        bound(Pixels::PROGRAMS, 5, BindOptions::new()).program(Mode::Train).expect("trains")
    );
    assert_eq!(transposes(&bound(Plain::PROGRAMS, 5, BindOptions::new())), 0);
    let maps = bound(Maps::PROGRAMS, 5, BindOptions::new());
    let apart = bound(Maps::PROGRAMS, 5, BindOptions::new().nchw());
    // In front of dropout and its gradient, and behind that; the mean of all pixels, and its gradient.
    assert_eq!(transposes(&maps) - transposes(&apart), 5, "{}", maps.program(Mode::Train).expect("trains"));
    assert!(maps.memory().arena <= apart.memory().arena);
}

/// Name, extents and elements of a value.
type Seen = (String, Vec<usize>, Vec<f32>);

#[test]
fn monitors_see_images() {
    use std::sync::{Arc, Mutex};
    let seen = |options: BindOptions| {
        let mut net = bound(Pixels::PROGRAMS, 3, options);
        let list: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let to = list.clone();
        net.set_monitor(Some(Box::new(move |o| {
            if let Some(x) = o.as_f32() {
                to.lock().expect("nobody panics").push((o.value.to_string(), o.shape.to_vec(), x.to_vec()));
            }
        })))
        .expect("no pass is under way");
        run(net);
        std::mem::take(&mut *list.lock().expect("nobody panics"))
    };
    let (outermost, images) = (seen(BindOptions::new()), seen(BindOptions::new().nchw()));
    // Besides, the probabilities of the prediction are shown as they are made, and as they are returned.
    let outermost = outermost.iter().filter(|(name, ..)| !name.ends_with("_cnhw")).collect::<Vec<_>>();
    assert_eq!(outermost.len(), images.len());
    for ((name, shape, x), (same, extents, y)) in outermost.into_iter().zip(&images) {
        assert_eq!((name, shape), (same, extents));
        assert!(distance(x, y) < 2e-5, "{name}");
    }
}
