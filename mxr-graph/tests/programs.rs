//! Random networks compiled with every choice of passes and every memory plan: the same bits come out.

mod reference;

use mxr_graph::compile::{predict_with, train, train_with};
use mxr_graph::dim::Dim;
use mxr_graph::dtype::DType;
use mxr_graph::expr::Expr;
use mxr_graph::graph::{Graph, Source, ValueId};
use mxr_graph::instr::Instr;
use mxr_graph::memory::{InPlace, Plan, Strategy, plan, symbolic_places, verify};
use mxr_graph::ops::{Lowered, SampleValues, find};
use mxr_graph::passes::Passes;
use mxr_graph::program::{Operand, Place, Program};
use mxr_graph::schema::Arg;
use mxr_graph::shape::Shape;
use reference::random::grow;
use reference::{Rng, compute};
use std::collections::BTreeMap;

const STRATEGIES: [Strategy; 5] =
    [Strategy::Naive, Strategy::InPlace, Strategy::CoShare, Strategy::Both, Strategy::Best];

/// What a program gives: outputs in order, then gradients by the name of what they are of.
type Results = (Vec<Vec<f64>>, BTreeMap<String, Vec<f64>>);

/// Run a program in the memory of a plan: the arena holds numbers of f64, and bytes.
fn execute(p: &Program, plan: &Plan, symbols: &[i64], given: &BTreeMap<String, Vec<f64>>) -> Results {
    let mut arena = vec![0xff; plan.bytes as usize];
    let mut outside: Vec<Vec<f64>> = vec![Vec::new(); p.values.len()];
    let extents: Vec<Vec<usize>> = (0..p.values.len() as u32).map(|v| p.extents(v, symbols)).collect();
    let count = |v: usize| extents[v].iter().product::<usize>();
    for (v, value) in p.values.iter().enumerate() {
        outside[v] = match given.get(&*value.name) {
            Some(x) => x.clone(),
            None => vec![f64::NAN; count(v)],
        };
    }
    let byte = |v: u32| p.values[v as usize].dtype == DType::U8;
    let read = |arena: &[u8], outside: &[Vec<f64>], v: u32| match plan.places[v as usize] {
        Place::Fixed(at) if byte(v) => {
            arena[at as usize..][..count(v as usize)].iter().map(|b| f64::from(*b)).collect()
        }
        Place::Fixed(at) => {
            let words = arena[at as usize..][..count(v as usize) * 8].chunks(8);
            words.map(|w| f64::from_ne_bytes(w.try_into().expect("eight bytes"))).collect()
        }
        Place::Within(root, at) => outside[root as usize][at as usize / 8..][..count(v as usize)].to_vec(),
        Place::Outside => outside[v as usize].clone(),
        Place::Scaled(_) => unreachable!("a bound plan"),
    };
    for s in p.steps.iter() {
        let xs: Vec<Vec<f64>> = s.reads.iter().map(|r| read(&arena, &outside, *r)).collect();
        let shapes: Vec<Vec<usize>> = s.reads.iter().map(|r| extents[*r as usize].clone()).collect();
        let lowered = match s.instr {
            Instr::Map(e) => Lowered::Map(Expr { lines: p.exprs[e as usize].to_vec() }),
            Instr::MapReduce { expr, kind, axes } => {
                Lowered::MapReduce(Expr { lines: p.exprs[expr as usize].to_vec() }, kind, axes)
            }
            other => Lowered::Instr(other),
        };
        let xs: Vec<&[f64]> = xs.iter().map(|x| &x[..]).collect();
        let results = compute(&lowered, &xs, &shapes, &extents[s.writes[0] as usize]);
        for (w, y) in s.writes.iter().zip(results.expect("a known instruction")) {
            assert_eq!(y.len(), count(*w as usize), "{p}");
            match plan.places[*w as usize] {
                Place::Fixed(at) => {
                    let bytes: Vec<u8> = match byte(*w) {
                        true => y.iter().map(|y| *y as u8).collect(),
                        false => y.iter().flat_map(|y| y.to_ne_bytes()).collect(),
                    };
                    arena[at as usize..][..bytes.len()].copy_from_slice(&bytes);
                }
                Place::Within(root, at) => {
                    outside[root as usize][at as usize / 8..][..y.len()].copy_from_slice(&y)
                }
                Place::Outside => outside[*w as usize] = y,
                Place::Scaled(_) => unreachable!("a bound plan"),
            }
        }
    }
    let outputs = p.outputs.iter().map(|v| outside[*v as usize].clone()).collect();
    let grad = |(v, g): &(u32, u32)| (p.values[*v as usize].name.to_string(), outside[*g as usize].clone());
    (outputs, p.grads.iter().map(grad).collect())
}

/// A random network with constants in it, declared twice or thrice over so that there is something to find.
fn network(rng: &mut Rng, smooth: bool) -> Graph {
    let mut g = Graph::new("random");
    let mut pool = Vec::new();
    for (name, dims) in [("a", vec![2, 3]), ("b", vec![3]), ("c", vec![3, 3])] {
        pool.push(g.param(name, Shape::of(&dims), DType::F64));
    }
    pool.push(g.input("x", Shape::of(&[2, 3]), DType::F64));
    pool.push(g.input("y", Shape::of(&[2, 2, 3]), DType::F64));
    let given = pool.len();
    for value in [0.0, 1.0, 2.0, -1.0] {
        let options = [("value", Arg::Float(value)), ("dtype", "f64".into())];
        pool.push(g.call(find("fill").expect("listed"), &options, &[], None).expect("a constant")[0]);
    }
    for _ in 0..30 {
        // Now and then the same calls again.
        let state = rng.0;
        let old = pool.clone();
        grow(&mut g, &mut pool, rng, smooth);
        if rng.below(5) == 0 {
            let mut again = old;
            grow(&mut g, &mut again, &mut Rng(state), smooth);
            pool.extend(again.last());
        }
    }
    let last = pool[pool.len() - 1];
    g.outputs = vec![last];
    for back in 2..6 {
        g.outputs.push(pool[pool.len() - back]);
    }
    // Sometimes an input or one value twice.
    if rng.below(4) == 0 {
        g.outputs.push(pool[rng.below(given)]);
        g.outputs.push(last);
    }
    assert!(g.settle().is_empty());
    g
}

fn same(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || a.is_nan() && b.is_nan())
}

fn check(want: &Results, have: &Results, what: &dyn Fn() -> String) {
    assert_eq!(want.0.len(), have.0.len(), "{}", what());
    for (i, (w, h)) in want.0.iter().zip(&have.0).enumerate() {
        assert!(same(w, h), "output {i}: {w:?} became {h:?}; {}", what());
    }
    assert!(want.1.keys().eq(have.1.keys()), "{}", what());
    for (name, w) in &want.1 {
        assert!(same(w, &have.1[name]), "gradient of {name}: {w:?} became {:?}; {}", have.1[name], what());
    }
}

/// A random network of images: rectifiers, poolings, joins, dropout, and what may or may not keep their operands.
fn images(rng: &mut Rng) -> Graph {
    let mut g = Graph::new("images");
    let w = g.param("w", Shape::of(&[3, 1, 1]), DType::F64);
    let x = g.input("x", Shape::of(&[2, 3, 5, 6]), DType::F64);
    let call = |g: &mut Graph, op: &str, options: &[(&str, Arg)], inputs: &[ValueId]| {
        g.call(find(op).expect("listed"), options, inputs, None).ok().map(|y| y[0])
    };
    let mut pool = vec![x];
    for _ in 0..10 {
        let x = pool[pool.len() - 1 - rng.below(pool.len().min(4))];
        let small = reference::numbers(&g.shape(x)).iter().product::<usize>() < 300;
        let made = match rng.below(11) {
            0..=2 => call(&mut g, "relu", &[], &[x]),
            3 => call(&mut g, rng.pick(&["leaky_relu", "clip", "square", "tanh"]), &[], &[x]).or_else(|| {
                let bounds = [("min", Arg::Float(-0.4)), ("max", Arg::Float(0.5))];
                call(&mut g, "clip", &bounds, &[x])
            }),
            4 | 5 => {
                let window = [
                    ("kernel", Arg::Int(rng.range(2, 3))),
                    ("stride", Arg::Int(rng.range(1, 2))),
                    ("pad", Arg::Int(rng.range(0, 1))),
                    ("rounding", rng.pick(&["floor", "ceil"]).into()),
                ];
                call(&mut g, "max_pool", &window, &[x])
            }
            6 | 7 if small => {
                let y = pool[pool.len() - 1 - rng.below(pool.len().min(3))];
                let (a, b) = (call(&mut g, "relu", &[], &[x]), call(&mut g, "relu", &[], &[y]));
                let ends = [a.unwrap_or(x), if rng.below(4) == 0 { y } else { b.unwrap_or(y) }];
                call(&mut g, "concat", &[("axis", Arg::Int(rng.range(0, 1)))], &ends)
            }
            7 | 8 => call(&mut g, "dropout", &[("p", Arg::Float(0.4))], &[x]),
            9 => call(&mut g, "mul", &[], &[x, w]),
            _ => call(&mut g, "add", &[], &[x, pool[rng.below(pool.len())]]),
        };
        pool.extend(made);
    }
    let last = pool[pool.len() - 1];
    let ended = match rng.below(3) {
        0 => call(&mut g, "global_max_pool", &[], &[last]),
        1 => call(&mut g, "mean", &[], &[last]),
        _ => None,
    };
    g.outputs = vec![ended.unwrap_or(last)];
    if rng.below(3) == 0 {
        g.outputs.push(pool[rng.below(pool.len())]);
    }
    assert!(g.settle().is_empty());
    g
}

/// What random networks are fed.
fn operands(g: &Graph, rng: &mut Rng, rough: bool) -> BTreeMap<String, Vec<f64>> {
    let mut given = BTreeMap::new();
    for v in &g.values {
        if !matches!(v.source, Source::Node { .. }) {
            let count = reference::numbers(&v.shape).iter().product();
            let mut values = rng.fill(count, SampleValues::AwayFromZero(0.1, 0.9));
            if rough {
                // So that elements are equal, and 0.
                values.iter_mut().for_each(|v| *v = (*v * 4.0).round() / 4.0);
            }
            given.insert(v.name.clone(), values);
        }
    }
    given
}

/// No pass, all of them, each alone, all but one.
fn choices() -> Vec<(String, Passes)> {
    let text = Passes::NAMES.iter().flat_map(|n| [format!("none,{n}"), format!("-{n}")]);
    let all = ["none".to_string(), "all".to_string()].into_iter().chain(text);
    all.map(|t| {
        let passes = Passes::ALL.switched(&t).expect("names of the list");
        (t, Passes { verify: true, ..passes })
    })
    .collect()
}

#[test]
fn passes_and_plans_change_no_bit() {
    let choices = choices();
    let (mut rng, mut steps) = (Rng(21), vec![0; choices.len()]);
    for round in 0..120 {
        let g = network(&mut rng, round % 3 != 0);
        let given = operands(&g, &mut rng, false);
        same_results(&g, given, &mut rng, &choices, &mut steps);
    }
    let of = |name: &str| steps[choices.iter().position(|(n, _)| n == name).expect("a choice")];
    for ((name, _), s) in choices.iter().zip(&steps) {
        println!("{name}: {s} steps");
    }
    assert!(["simplify", "cse", "fuse", "reduce"].iter().all(|n| of(&format!("none,{n}")) < of("none")));
    assert!(of("all") < of("-fuse") && of("all") < of("-reduce"));
}

#[test]
fn passes_change_no_bit_of_poolings_joins_and_masks() {
    let choices: Vec<(String, Passes)> = ["none", "none,sink", "none,saved", "none,sink,saved", "all"]
        .into_iter()
        .map(|t| (t.to_string(), Passes { verify: true, ..Passes::ALL.switched(t).expect("names") }))
        .collect();
    let (mut rng, mut steps) = (Rng(7), vec![0; choices.len()]);
    for _ in 0..100 {
        let g = images(&mut rng);
        let given = operands(&g, &mut rng, true);
        same_results(&g, given, &mut rng, &choices, &mut steps);
    }
    assert!(steps[2] < steps[0] && steps[3] < steps[2], "{steps:?}");
}

/// A node that reads a value as several operands is one reader of it.
#[test]
fn passes_change_no_bit_of_what_is_read_twice_by_one_node() {
    let mut rng = Rng(3);
    for (before, twice, after) in [
        ("relu", "concat", "square"),
        ("relu", "concat", "mean"),
        ("relu", "mul", "mean"),
        ("max_pool", "concat", "relu"),
        ("max_pool", "add", "relu"),
        ("dropout", "concat", "relu"),
    ] {
        let mut g = Graph::new("twice");
        let call = |g: &mut Graph, op: &str, x: &[ValueId]| {
            let kernel = [("kernel", Arg::Int(2))];
            let options: &[(&str, Arg)] = if op == "max_pool" { &kernel } else { &[] };
            g.call(find(op).expect("listed"), options, x, None).expect("fits")[0]
        };
        let w = g.param("w", Shape::of(&[3, 1, 1]), DType::F64);
        let x = g.input("x", Shape::of(&[2, 3, 5, 6]), DType::F64);
        let x = call(&mut g, "mul", &[x, w]);
        let y = call(&mut g, before, &[x]);
        let z = call(&mut g, twice, &[y, y]);
        let z = call(&mut g, after, &[z]);
        g.outputs = vec![z];
        assert!(g.settle().is_empty());
        let given = operands(&g, &mut rng, true);
        let choices = choices();
        same_results(&g, given, &mut rng, &choices, &mut vec![0; choices.len()]);
    }
}

/// One network with several choices of passes and all memory plans; the steps of the training programs are counted.
fn same_results(
    g: &Graph,
    mut given: BTreeMap<String, Vec<f64>>,
    rng: &mut Rng,
    choices: &[(String, Passes)],
    steps: &mut [usize],
) {
    let mut want: [Option<Results>; 2] = [None, None];
    for ((name, passes), count) in choices.iter().zip(steps) {
        for (mode, program) in
            [train_with(g.clone(), passes), predict_with(g.clone(), passes)].into_iter().enumerate()
        {
            let p = program.unwrap_or_else(|e| panic!("{e}\n{g}"));
            let symbols = p.bind_symbols(&[]).expect("shapes of numbers");
            let problem = p.problem(&symbols);
            for (_, head) in p.heads.iter() {
                let name = p.values[*head as usize].name.to_string();
                let count = p.extents(*head, &symbols).iter().product();
                given.entry(name).or_insert_with(|| rng.fill(count, SampleValues::Uniform(0.5, 1.5)));
            }
            for s in STRATEGIES {
                let plan = plan(&problem, s);
                verify(&problem, &plan).unwrap_or_else(|e| panic!("{s:?}: {e}\n{p}"));
                let have = execute(&p, &plan, &symbols, &given);
                match &want[mode] {
                    None => want[mode] = Some(have),
                    Some(w) => check(w, &have, &|| format!("passes {name}, {s:?}\n{g}\n{p}")),
                }
            }
            if mode == 0 {
                *count += p.steps.len();
                check_selection(&p, &symbols, &given, want[mode].as_ref().expect("set above"));
                let (general, places) = symbolic_places(&p).expect("shapes of numbers");
                assert_eq!(p.plan, Some(general));
                // Where parts of arrays begin is known with the symbols.
                if !p.accesses(None).iter().any(|a| matches!(a.inplace, InPlace::Part(_) | InPlace::Concat)) {
                    let have = execute(&p, &general.at(&places, 1), &symbols, &given);
                    check(want[mode].as_ref().expect("set above"), &have, &|| format!("{p}"));
                }
            }
        }
    }
}

/// A part of the program gives the same as the whole.
fn check_selection(p: &Program, symbols: &[i64], given: &BTreeMap<String, Vec<f64>>, want: &Results) {
    let Some((of, _)) = p.grads.first() else { return };
    let part = p.select(&p.outputs[..1], &[*of]);
    assert!(part.steps.len() <= p.steps.len() && part.forward <= p.forward);
    let plan = plan(&part.problem(symbols), Strategy::Best);
    let have = execute(&part, &plan, symbols, given);
    assert!(same(&have.0[0], &want.0[0]));
    let name = &*p.values[*of as usize].name;
    assert!(have.1.len() == 1 && same(&have.1[name], &want.1[name]), "{p}\n{part}");
}

#[test]
fn results_of_nodes_keep_their_names_in_the_order_of_the_graph() {
    let mut g = Graph::new("net");
    let x = g.input("x", Shape::of(&[3]), DType::F64);
    let call = |g: &mut Graph, op: &str, name: &str, x: ValueId| {
        g.call(find(op).expect("listed"), &[], &[x], Some(name)).expect("fits")[0]
    };
    let a = call(&mut g, "tanh", "a", x);
    let b = call(&mut g, "exp", "b", a);
    g.outputs = vec![b];
    g.settle();
    let p = predict_with(g, &Passes::ALL).expect("has a form for prediction");
    let layers: Vec<(&str, Option<u32>)> = p.layers.iter().map(|l| (&*l.name, l.output)).collect();
    assert_eq!(layers, [("a", None), ("b", Some(p.outputs[0]))], "the first is part of the second");
    let operands: Vec<Vec<Operand>> = p.layers.iter().map(|l| l.operands().collect()).collect();
    assert_eq!(operands, [[Operand::Fed(p.inputs[0])], [Operand::Layer(0)]], "as declared");
}

/// A fixed batch and a symbolic height that loses rows: sizes `a·H − c`, which are negative for small heights.
#[test]
fn heights_that_shrink_are_planned() {
    let mut g = Graph::new("rows");
    let h = Dim::symbol(g.symbols.named("H"));
    let x = g.input("x", Shape(vec![Dim::Const(1), Dim::Const(1), h, Dim::Const(8)]), DType::F32);
    let mut v = x;
    for name in ["a", "b", "c"] {
        let conv = find("conv2d").expect("in the list");
        v = g
            .call(conv, &[("filters", Arg::Int(2)), ("kernel", Arg::Int(3))], &[v], Some(name))
            .expect("fits")[0];
    }
    let loss = g.call(find("mean").expect("in the list"), &[], &[v], Some("loss")).expect("fits")[0];
    g.outputs = vec![loss];
    assert!(g.settle().is_empty());
    let program = train(g).expect("everything has a gradient");
    assert!(program.bind_symbols(&[("H", 7)]).is_ok());
    assert!(program.bind_symbols(&[("H", 6)]).is_err(), "three kernels of 3 need 7 rows");
}

/// A weight that no machine holds is refused where it is made, not where its gradient is.
#[test]
fn weights_beyond_all_memory_are_refused() {
    let mut g = Graph::new("wide");
    let x = g.input("x", Shape::of(&[1, 4_000_000_000]), DType::F32);
    let dense = find("dense").expect("in the list");
    let e =
        g.call(dense, &[("units", Arg::Int(4_000_000_000))], &[x], Some("fc")).expect_err("1.6e19 weights");
    assert!(e.message.contains("2^48"), "{e}");
    let x = g.input("y", Shape::of(&[1 << 30, 1 << 30]), DType::F32);
    if let Ok(y) = g.call(find("sum").expect("in the list"), &[], &[x], Some("s")) {
        g.outputs = y;
        g.settle();
        assert!(train(g).is_err());
    }
}

#[test]
fn a_weight_does_not_change_its_name_because_of_an_input() {
    let mut g = Graph::new("names");
    let x = g.input("fc_weight", Shape::of(&[2, 3]), DType::F32);
    let e = g.call(find("dense").expect("in the list"), &[("units", Arg::Int(4))], &[x], Some("fc"));
    assert!(e.expect_err("the name is taken").message.contains("`fc_weight`"));
}
