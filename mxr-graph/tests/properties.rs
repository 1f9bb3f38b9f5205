//! Properties that hold whatever one does: dimensions against plain integers, random graphs against the verifier, words with a
//! slip of the pen against the list they come from.

mod reference;

use mxr_graph::dim::{Dim, Symbols};
use mxr_graph::error::did_you_mean;
use mxr_graph::grad::backward;
use mxr_graph::graph::{Graph, Source, ValueId};
use mxr_graph::ops::{OPS, SampleValues};
use mxr_graph::verify::verify;
use reference::random::random_graph;
use reference::{Rng, Values, numbers, run, sources};

/// The values of all symbols, floors included, from those of the named ones.
fn bind(symbols: &Symbols, named: &[i64]) -> Vec<i64> {
    use mxr_graph::dim::SymbolDef;
    let (mut out, mut named) = (Vec::new(), named.iter());
    for s in symbols.list() {
        out.push(match &s.def {
            SymbolDef::Named => *named.next().expect("a value for every name"),
            SymbolDef::Floor(num, den) => num.eval(&out).expect("small").div_euclid(*den),
            SymbolDef::Hole => panic!("no holes here"),
        });
    }
    out
}

#[test]
fn dimensions_compute_like_integers() {
    let mut rng = Rng(2);
    for round in 0..300 {
        let mut symbols = Symbols::default();
        let names = ["N", "T", "H"];
        let ids = names.map(|n| symbols.named(n));
        let samples: Vec<[i64; 3]> = (0..8).map(|_| [(); 3].map(|()| rng.range(1, 40))).collect();
        // Pairs of a dimension and what it must be at each sample, with the degree to stay within bounds.
        let mut pool: Vec<(Dim, Vec<i64>, usize)> =
            (0..3).map(|i| (Dim::symbol(ids[i]), samples.iter().map(|s| s[i]).collect(), 1)).collect();
        for _ in 0..12 {
            let (a, b) = (pool[rng.below(pool.len())].clone(), pool[rng.below(pool.len())].clone());
            let (k, den) = (rng.range(-4, 6), rng.range(1, 7));
            let both = |f: &dyn Fn(i64, i64) -> i64| -> Vec<i64> {
                a.1.iter().zip(&b.1).map(|(x, y)| f(*x, *y)).collect()
            };
            let most = a.2.max(b.2);
            let new = match rng.below(7) {
                0 => (a.0.add(&b.0), both(&|x, y| x + y), most),
                1 => (a.0.sub(&b.0), both(&|x, y| x - y), most),
                2 => (a.0.scale(k), both(&|x, _| x * k), a.2),
                3 => (a.0.add(&Dim::Const(k)), both(&|x, _| x + k), a.2),
                4 if a.2 + b.2 <= 4 => (a.0.mul(&b.0), both(&|x, y| x * y), a.2 + b.2),
                5 => (symbols.floor_div(&a.0, den), both(&|x, _| x.div_euclid(den)), a.2),
                _ => (symbols.ceil_div(&a.0, den), both(&|x, _| -(-x).div_euclid(den)), a.2),
            };
            pool.push(new);
        }
        for (s, at) in samples.iter().zip(0..) {
            let values = bind(&symbols, s);
            for (d, want, _) in &pool {
                let have = d.eval(&values);
                assert_eq!(have, Some(want[at]), "round {round}: {} at {s:?}", d.display(&symbols));
                // Floors may be 0 or negative, which the bounds of symbols exclude.
                if d.symbols().iter().all(|s| usize::from(*s) < 3) {
                    assert!(d.lower_bound().is_none_or(|b| b <= want[at]), "{}", d.display(&symbols));
                    assert!(d.upper_bound().is_none_or(|b| b >= want[at]), "{}", d.display(&symbols));
                }
            }
        }
        for _ in 0..20 {
            let (a, b) = (&pool[rng.below(pool.len())], &pool[rng.below(pool.len())]);
            // One normal form: equal at many points when equal as polynomials, and the other way round for a difference of 0.
            assert_eq!(a.0 == b.0, a.0.sub(&b.0) == Dim::ZERO);
            if a.0 == b.0 {
                assert_eq!(a.1, b.1);
            }
            if a.2 + b.2 <= 4 && b.0 != Dim::ZERO {
                let product = a.0.mul(&b.0);
                assert_eq!(product.div_exact(&b.0), Some(a.0.clone()), "{}", product.display(&symbols));
                assert_eq!(b.0.mul(&a.0), product);
            }
            let by = Dim::Const(samples[0][0]);
            let replaced = a.0.substitute(ids[0], &by);
            assert!(!replaced.symbols().contains(&ids[0]));
            assert_eq!(replaced.eval(&bind(&symbols, &samples[0])), Some(a.1[0]));
        }
    }
}

#[test]
fn holes_are_solved_to_what_they_were() {
    let mut rng = Rng(3);
    for _ in 0..500 {
        let mut symbols = Symbols::default();
        let n = Dim::symbol(symbols.named("N"));
        let secret = n.scale(rng.range(0, 3)).add(&Dim::Const(rng.range(1, 9)));
        let hole = symbols.hole();
        let (k, c) = (rng.range(1, 5), rng.range(-5, 5));
        let (seen, real) = (hole.scale(k).add(&Dim::Const(c)), secret.scale(k).add(&Dim::Const(c)));
        let half = symbols.floor_div(&seen, 2);
        assert!(symbols.unify(&seen, &real));
        assert_eq!(symbols.resolve(&hole), secret);
        let want = symbols.floor_div(&real, 2);
        assert_eq!(symbols.resolve(&half), want);
        assert!(!symbols.unify(&hole, &secret.add(&Dim::ONE)));
    }
}

#[test]
fn a_slip_of_the_pen_is_understood() {
    let known: Vec<&str> = OPS.iter().map(|op| op.schema().name).filter(|n| n.len() >= 5).collect();
    let mut rng = Rng(4);
    for word in &known {
        assert_eq!(did_you_mean(word, known.iter().copied()), Some(*word));
        for _ in 0..20 {
            let mut letters: Vec<char> = word.chars().collect();
            let (at, letter) = (rng.below(letters.len() - 1), char::from(b'a' + rng.below(26) as u8));
            match rng.below(4) {
                0 => letters[at] = letter,
                1 => letters.insert(at, letter),
                2 => letters.swap(at, at + 1),
                _ => drop(letters.remove(at)),
            }
            let slip: String = letters.iter().collect();
            let near = did_you_mean(&slip, known.iter().copied());
            // Another name may be as near, but one is always found, and alone the word is.
            assert!(near.is_some_and(|n| known.contains(&n)), "{slip}");
            assert_eq!(did_you_mean(&slip, [*word]), Some(*word), "{slip}");
        }
    }
    assert_eq!(did_you_mean("xylophone", known), None);
}

#[test]
fn random_graphs_keep_every_invariant() {
    let (mut rng, mut nodes, mut refused) = (Rng(5), 0, 0);
    for round in 0..400 {
        let symbolic = round % 2 == 0;
        let lead = |g: &mut Graph| if symbolic { Dim::symbol(g.symbols.named("N")) } else { Dim::Const(4) };
        let (mut g, wrt) = random_graph(&mut rng, lead, false);
        verify(&g).unwrap_or_else(|e| panic!("round {round}: {e}\n{g}"));
        let forward = g.nodes.len();
        match backward(&mut g, &wrt) {
            Ok(()) => nodes += g.nodes.len() - forward,
            Err(e) => {
                // Only a concatenation whose parts do not begin at numbers has no gradient here.
                assert!(e.op == "concat" && symbolic, "round {round}: {e}\n{g}");
                refused += 1;
                continue;
            }
        }
        assert!(g.settle().is_empty(), "round {round}: {g}");
        verify(&g).unwrap_or_else(|e| panic!("round {round}, with gradients: {e}\n{g}"));
    }
    assert!(nodes > 1500 && refused < 40, "{nodes} backward nodes, {refused} refused");
}

#[test]
fn random_graphs_have_the_gradients_of_their_differences() {
    let (mut rng, mut checked) = (Rng(6), 0);
    for round in 0..120 {
        let (mut g, wrt) = random_graph(&mut rng, |_| Dim::Const(2), true);
        backward(&mut g, &wrt).unwrap_or_else(|e| panic!("round {round}: {e}\n{g}"));
        g.settle();
        let mut values: Values = vec![None; g.values.len()];
        for v in sources(&g) {
            let head = matches!(g.value(v).source, Source::HeadGrad(_));
            let spread =
                if head { SampleValues::Uniform(0.5, 1.5) } else { SampleValues::AwayFromZero(0.1, 0.9) };
            values[v.index()] = Some(rng.fill(numbers(&g.value(v).shape).iter().product(), spread));
        }
        let loss = |values: &Values| -> f64 {
            let done = run(&g, values.clone()).expect("known instructions");
            let of = |o: &ValueId| {
                let y = done[o.index()].clone().expect("computed");
                match g.values.iter().position(|v| v.source == Source::HeadGrad(*o)) {
                    Some(h) => y.iter().zip(values[h].as_ref().expect("given")).map(|(y, h)| y * h).sum(),
                    None => y[0],
                }
            };
            g.outputs.iter().map(of).sum()
        };
        let done = run(&g, values.clone()).expect("known instructions");
        for (v, d) in &g.grads {
            let have = done[d.index()].as_ref().expect("computed");
            let at = rng.below(have.len());
            let h = 1e-5;
            let side = |by: f64| {
                let mut values = values.clone();
                values[v.index()].as_mut().expect("given")[at] += by;
                loss(&values)
            };
            let (up, down) = (side(h), side(-h));
            let want = (up - down) / (2.0 * h);
            // What differences lose: digits of the loss, and the third derivative of what grew large.
            let slack = 1e-5 * (1.0 + want.abs()) + 1e-9 * (up.abs() + down.abs());
            assert!(
                (have[at] - want).abs() <= slack || want.abs() > 1e6,
                "round {round}: the gradient of {}[{at}] is {}, differences say {want}\n{g}",
                g.value(*v).name,
                have[at]
            );
            checked += 1;
        }
    }
    assert!(checked > 150, "{checked} gradients");
}
