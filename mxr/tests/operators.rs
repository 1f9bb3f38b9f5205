//! Operators of the user's: on arrays, in symbols, in `network!`; alike everywhere.

mod own;

use mxr::op::{self, ArrayType, Backward, Forward, Misfit, Needs, OpError, Operator};
use mxr::{BindOptions, DType, Device, Executor, GradReq, Mode, NDArray, Symbol};
use own::{LayerNorm, Lookup, MinMax, Scale, Swish, bits, message, numbers, trained};
use std::sync::Arc;

/// Its gradient is twice what it should be.
struct Wrong;

impl Operator for Wrong {
    fn name(&self) -> &str {
        "wrong"
    }
    fn infer(&self, inputs: &[ArrayType]) -> Result<Vec<ArrayType>, Misfit> {
        Scale(1.0).infer(inputs)
    }
    fn forward(&self, cx: &mut Forward<'_>) -> Result<(), OpError> {
        Scale(1.0).forward(cx)
    }
    fn gradient(&self) -> Option<Needs> {
        Some(Needs::NOTHING)
    }
    fn backward(&self, cx: &mut Backward<'_>) -> Result<(), OpError> {
        Scale(2.0).backward(cx)
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    op::check_gradients(Swish { beta: 1.5 }, &[&numbers(&[3, 4], 1)]).unwrap();
    op::check_gradients(LayerNorm { eps: 1e-3 }, &[&numbers(&[3, 5], 2)]).unwrap();
    op::check_gradients(MinMax, &[&numbers(&[7], 3)]).unwrap();
    let ids = NDArray::try_from([2i64, 0, 2]).unwrap();
    op::check_gradients(Lookup, &[&numbers(&[4, 2], 4), &ids]).unwrap();
    op::check_gradients(Wrong, &[&numbers(&[4], 5)]).expect_err("twice the gradient");
}

/// Values and gradients of an operator applied to arrays.
fn eager(op: Arc<dyn Operator>, x: &NDArray, dy: &NDArray) -> (Vec<u32>, Vec<u32>) {
    let y = NDArray::custom(op.clone(), &[x]).unwrap().remove(0);
    let dx = op::gradients(op, &[x], &[dy]).unwrap().remove(0).unwrap();
    (bits(&y), bits(&dx))
}

/// The same of a bound network of one input and one output.
fn bound(mut net: Executor, x: &NDArray, dy: &NDArray) -> (Vec<u32>, Vec<u32>) {
    net.set_input("x", x).unwrap();
    net.forward(Mode::Predict).unwrap();
    let predicted = bits(&net.outputs()[0]);
    net.head_grad(0).unwrap().assign(dy).unwrap();
    net.forward(Mode::Train).unwrap();
    net.backward().unwrap();
    let y = bits(&net.outputs()[0]);
    assert_eq!(predicted, y);
    (y, bits(net.grad("x").unwrap()))
}

fn wanting() -> BindOptions {
    BindOptions::new().input_grad("x", GradReq::Write)
}

#[test]
fn arrays_and_symbols_have_the_same_bits_in_any_memory_and_with_any_threads() {
    let ops: [Arc<dyn Operator>; 2] = [Arc::new(Swish { beta: 0.7 }), Arc::new(LayerNorm { eps: 1e-5 })];
    for op in ops {
        for shape in [&[1usize, 1][..], &[5, 7], &[130, 33], &[2, 3, 4, 5]] {
            let (x, dy) = (numbers(shape, 1), numbers(shape, 2));
            let want = eager(op.clone(), &x, &dy);
            let y = || Symbol::custom(op.clone(), &[&Symbol::input("x")], Some("y")).remove(0);
            let shapes: &[(&str, &[usize])] = &[("x", shape)];
            assert_eq!(bound(y().bind(shapes, wanting()).unwrap(), &x, &dy), want);
            assert_eq!(bound(y().bind(shapes, wanting().naive_memory()).unwrap(), &x, &dy), want);
            for threads in [1, 2, 3] {
                let device = Device::cpu_with_threads(threads).unwrap();
                let (x, dy) = (x.copy_to(&device).unwrap(), dy.copy_to(&device).unwrap());
                assert_eq!(eager(op.clone(), &x, &dy), want);
                let net = y().bind(shapes, wanting().device(&device)).unwrap();
                assert_eq!(bound(net, &x, &dy), want);
            }
        }
    }
}

/// Some layers around an operator, and a loss.
fn network(op: impl Operator) -> Symbol {
    let h = Symbol::input("x").dense(6);
    let h = Symbol::custom(op, &[&h.tanh()], Some("own")).remove(0);
    (&h * &h).relu().dense(3).softmax_cross_entropy(&Symbol::input("label").dtype(DType::I64))
}

const SHAPES: &[(&str, &[usize])] = &[("x", &[4, 5]), ("label", &[4])];

#[test]
fn plans_and_recomputation_change_no_bits() {
    let net = || network(LayerNorm { eps: 1e-5 });
    let want = trained(&mut net().bind(SHAPES, BindOptions::new()).unwrap());
    assert_eq!(trained(&mut net().bind(SHAPES, BindOptions::new().naive_memory()).unwrap()), want);
    assert_eq!(trained(&mut net().bind(SHAPES, BindOptions::new().recompute("own")).unwrap()), want);
    let sums = trained(&mut net().bind(SHAPES, BindOptions::new().grads(GradReq::Add)).unwrap());
    assert_eq!(sums, want);
}

#[test]
fn what_a_gradient_does_not_need_is_not_kept() {
    let arena = |op: Arc<dyn Operator>| {
        let mut x = Symbol::input("x").dense(64);
        for i in 0..8 {
            x = Symbol::custom(op.clone(), &[&x], Some(&format!("own{i}"))).remove(0);
        }
        x.bind(&[("x", &[256, 8])], BindOptions::new()).unwrap().memory().arena
    };
    let one = 256 * 64 * 4;
    let (nothing, inputs) = (arena(Arc::new(Scale(2.0))), arena(Arc::new(Swish { beta: 1.0 })));
    assert!(nothing <= 3 * one, "{nothing}");
    assert!(inputs >= 8 * one, "{inputs}");
}

#[test]
fn several_results_of_which_some_are_used() {
    let both = Symbol::custom(MinMax, &[&Symbol::input("x")], Some("ends"));
    assert_eq!(both.len(), 2);
    let x = NDArray::try_from([3.0f32, -1.0, 5.0, 2.0]).unwrap();
    for (out, want, at) in [(0, -1.0, 1), (1, 5.0, 2)] {
        let mut net = both[out].sum().bind(&[("x", &[4])], wanting()).unwrap();
        net.set_input("x", &x).unwrap();
        net.forward(Mode::Train).unwrap();
        net.backward().unwrap();
        assert_eq!(net.outputs()[0].item::<f32>().unwrap(), want);
        let mut dx = [0.0f32; 4];
        dx[at] = 1.0;
        assert_eq!(net.grad("x").unwrap().to_vec::<f32>().unwrap(), dx);
    }
}

#[test]
fn integers_go_in_and_have_no_gradient() {
    let (table, ids) =
        (Symbol::param("table").shape([5.into(), 3.into()]), Symbol::input("ids").dtype(DType::I64));
    let rows = Symbol::custom(Lookup, &[&table, &ids], None).remove(0);
    let mut net = rows.sum().bind(&[("ids", &[4])], BindOptions::new()).unwrap();
    net.set_input("ids", &NDArray::try_from([1i64, 1, 4, 0]).unwrap()).unwrap();
    net.param("table").unwrap().fill_with(0.5).unwrap();
    net.forward(Mode::Train).unwrap();
    net.backward().unwrap();
    assert_eq!(net.outputs()[0].item::<f32>().unwrap(), 6.0);
    let g = net.grad("table").unwrap().to_vec::<f32>().unwrap();
    assert_eq!(g, [1., 1., 1., 2., 2., 2., 0., 0., 0., 0., 0., 0., 1., 1., 1.]);
    assert!(
        message(NDArray::custom(Lookup, &[&numbers(&[2, 2], 0), &numbers(&[2], 0)]).map(drop))
            .starts_with("lookup needs class indices of i64, these are f32 (MXR1001)")
    );
}

#[test]
fn arrays_of_no_elements() {
    for shape in [&[0usize, 3][..], &[2, 0]] {
        let x = NDArray::zeros(shape).unwrap();
        let y = NDArray::custom(LayerNorm { eps: 1e-5 }, &[&x]).unwrap();
        assert_eq!((y[0].shape(), y[0].to_vec::<f32>().unwrap().len()), (shape, 0));
        let dx = op::gradients(LayerNorm { eps: 1e-5 }, &[&x], &[&x]).unwrap();
        assert!(dx[0].as_ref().unwrap().to_vec::<f32>().unwrap().is_empty());
    }
}

#[test]
fn other_element_types() {
    let x = NDArray::from_slice(&[1.0f64, 2.0, 4.0], &[3]).unwrap();
    assert_eq!(NDArray::custom(Scale(2.0), &[&x]).unwrap()[0].to_vec::<f64>().unwrap(), [2.0, 4.0, 8.0]);
    op::check_gradients(Scale(3.0), &[&x]).unwrap();
}

/// Does one thing and nothing else.
struct Doing(fn(&mut Forward<'_>) -> Result<(), OpError>);

impl Operator for Doing {
    fn name(&self) -> &str {
        "doing"
    }
    fn infer(&self, inputs: &[ArrayType]) -> Result<Vec<ArrayType>, Misfit> {
        Ok(inputs.to_vec())
    }
    fn forward(&self, cx: &mut Forward<'_>) -> Result<(), OpError> {
        (self.0)(cx)
    }
}

#[test]
fn panics_and_errors_belong_to_the_step() {
    fn panics(_: &mut Forward<'_>) -> Result<(), OpError> {
        panic!("seven is not a number")
    }
    fn panics_in_a_thread(cx: &mut Forward<'_>) -> Result<(), OpError> {
        let y = cx.outputs.take::<f32>(0)?;
        op::parallel::for_each_mut(y, 1, |i, _| assert!(i < 1, "block {i} is one too many"));
        Ok(())
    }
    type Pass = fn(&mut Forward<'_>) -> Result<(), OpError>;
    let cases: [(Pass, &str); 6] = [
        (panics, "doing panicked: seven is not a number"),
        (panics_in_a_thread, "doing panicked: block 1 is one too many"),
        (|_| Err(OpError::new("out of luck")), "doing: out of luck"),
        (|cx| cx.inputs.get::<f64>(0).map(drop), "doing: input 0 holds f32, not f64"),
        (|cx| cx.inputs.get::<f32>(1).map(drop), "doing: there is no input 1, of 1 in all"),
        (
            |cx| cx.outputs.take::<f32>(0).and(cx.outputs.take::<f32>(0)).map(drop),
            "doing: output 0 is taken twice",
        ),
    ];
    for (run, text) in cases {
        let y = NDArray::custom(Doing(run), &[&numbers(&[2], 1)]).unwrap().remove(0);
        let told = message(y.to_vec::<f32>());
        assert!(told.contains("operation `doing`") && told.contains(text), "{told}");
        let y = Symbol::custom(Doing(run), &[&Symbol::input("x")], Some("mine")).remove(0);
        let y = Symbol::custom(Scale(1.0), &[&y], None).remove(0);
        let options = BindOptions::new().grads(GradReq::Null);
        let mut net = y.bind(&[("x", &[2])], options).unwrap();
        net.forward(Mode::Predict).unwrap();
        let told = message(net.wait());
        assert!(told.contains(&format!("layer `mine`: {text}")), "{told}");
        net.recover().unwrap().expect("told once more");
    }
}

#[test]
fn what_does_not_fit_is_told_with_layer_operator_and_shapes() {
    let x = Symbol::input("x");
    let norm = |name| Symbol::custom(LayerNorm { eps: 1e-5 }, &[&x], name).remove(0);
    let scalar = message(norm(Some("norm1")).bind(&[("x", &[])], BindOptions::new()));
    assert_eq!(
        scalar,
        "`norm1`: layer_norm needs at least one axis (MXR1001)\n  = help: normalise along the last axis of `[n, features]`\n  = note: input 0 is []"
    );
    let told = message(NDArray::custom(LayerNorm { eps: 1e-5 }, &[]).map(drop));
    assert_eq!(told, "layer_norm takes one input, 0 given (MXR1001)");
    let open = Symbol::input("x").shape(["N".into(), 4.into()]);
    let told = message(Symbol::custom(Swish { beta: 1.0 }, &[&open], Some("act"))[0].compile("net"));
    assert!(
        told.starts_with(
            "operator `swish`: its shape rule is one of numbers, and input 0 is [N, 4]
  = help: bind"
        ),
        "{told}"
    );
    let many = vec![&x; 33];
    let told = message(Symbol::custom(Scale(1.0), &many, None)[0].bind(&[("x", &[1])], BindOptions::new()));
    assert!(told.starts_with("scale has 33 operands, at most 32 are possible (MXR0208)"), "{told}");
}

#[test]
fn a_gradient_that_is_needed_and_not_there_is_refused_at_bind() {
    let same = |cx: &mut Forward<'_>| -> Result<(), OpError> {
        cx.outputs.take::<f32>(0)?.copy_from_slice(cx.inputs.get(0)?);
        Ok(())
    };
    let told = message(network(Doing(same)).bind(SHAPES, BindOptions::new()));
    assert!(
        told.starts_with(
            "`own`: doing has no gradient, but the loss depends on trained weights through it (MXR0702)\n  = help: implement `gradient`"
        ),
        "{told}"
    );
    let mut net = network(Doing(same)).bind(SHAPES, BindOptions::new().grads(GradReq::Null)).unwrap();
    net.forward(Mode::Predict).unwrap();
    net.wait().unwrap();
    let told = message(op::gradients(Doing(same), &[&numbers(&[2], 0)], &[&numbers(&[2], 0)]));
    assert!(told.starts_with("doing has no gradient (MXR0702)"), "{told}");
    let told = message(op::gradients(Swish { beta: 1.0 }, &[&numbers(&[2], 0)], &[&numbers(&[3], 0)]));
    assert!(told.contains("the gradients of its outputs are [3]") && told.contains("[2]"), "{told}");
}

#[test]
fn a_step_is_replayed_and_tables_name_the_operator() {
    let mut net = network(Swish { beta: 1.0 }).bind(SHAPES, BindOptions::new()).unwrap();
    let program = net.program(Mode::Train).unwrap();
    let layer = program.layers.iter().find(|l| l.name == "own").unwrap();
    assert_eq!(layer.op, "swish");
    for _ in 0..3 {
        net.forward(Mode::Train).unwrap();
        net.backward().unwrap();
    }
    net.wait().unwrap();
    let layered = network(Swish { beta: 1.0 }).layer("own").unwrap();
    let mut features = layered.bind(&[("x", &[4, 5])], BindOptions::new().grads(GradReq::Null)).unwrap();
    features.forward(Mode::Predict).unwrap();
    assert_eq!(features.outputs()[0].shape(), [4, 6]);
}
