//! The planner against brute force on random step lists.

use super::*;
use alloc::format;
use alloc::string::String;

/// A small generator (splitmix64).
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

const STRATEGIES: [Strategy; 5] =
    [Strategy::Naive, Strategy::InPlace, Strategy::CoShare, Strategy::Both, Strategy::Best];

/// A random list of steps in two passes: views, parts, concatenations, maps over several operands, in-place pairs, several
/// results, outside values at both ends, results that nobody reads, empty values.
fn random(rng: &mut Rng, steps: usize) -> Problem {
    let mut p = Problem::default();
    let sizes = [0, 4, 64, 100, 128, 256, 500, 512, 1000, 4096];
    let mut made: Vec<u32> = (0..1 + rng.below(3)).map(|_| p.value(sizes[rng.below(10)], true)).collect();
    for _ in 0..steps {
        let recent = |rng: &mut Rng, made: &[u32]| {
            let window = if rng.below(4) == 0 { made.len() } else { made.len().min(4) };
            made[made.len() - 1 - rng.below(window)]
        };
        let reads: Vec<u32> = (0..1 + rng.below(3)).map(|_| recent(rng, &made)).collect();
        let like = p.sizes[reads[0] as usize];
        let outside = rng.below(12) == 0;
        match rng.below(7) {
            5 => {
                let begin = 4 * rng.below(like as usize / 4 + 1) as u64;
                let len = 4 * rng.below((like - begin) as usize / 4 + 1) as u64;
                let w = p.value(len, outside);
                p.step(&reads[..1], &[w], InPlace::Part(begin));
                made.push(w);
            }
            6 if reads.iter().map(|r| p.sizes[*r as usize]).sum::<u64>() < 1 << 14 => {
                let w = p.value(reads.iter().map(|r| p.sizes[*r as usize]).sum(), outside);
                p.step(&reads, &[w], InPlace::Concat);
                made.push(w);
            }
            0 => {
                let w = p.value(like, outside);
                p.step(&reads[..1], &[w], InPlace::View);
                made.push(w);
            }
            1 | 2 => {
                let w = p.value(like, outside);
                p.step(&reads, &[w], InPlace::Any);
                made.push(w);
            }
            3 => {
                let (v, w) = (p.value(sizes[rng.below(10)], outside), p.value(like, rng.below(12) == 0));
                p.step(&reads, &[v, w], InPlace::Pairs(&[(0, 1), (1, 0), (0, 0)]));
                made.extend([v, w]);
            }
            _ => {
                let w = p.value(sizes[rng.below(10)], outside);
                p.step(&reads, &[w], InPlace::Never);
                if rng.below(2) == 0 {
                    p.workspace(p.steps.len() - 1, sizes[rng.below(10)]);
                }
                made.push(w);
            }
        }
    }
    p.boundary = rng.below(steps + 1) as u32;
    p
}

/// Runs the steps on real bytes: every value gets contents that nobody else has, and every operand must still have them when
/// it is read. Knows nothing of lives or buffers.
fn replay(p: &Problem, plan: &Plan) -> Result<(), String> {
    let words = |v: u32| (p.sizes[v as usize] as usize).div_ceil(4);
    let unique = |v: u32| -> Vec<u32> { (0..words(v) as u32).map(|i| v << 16 | i).collect() };
    let mut contents: Vec<Vec<u32>> = (0..p.sizes.len() as u32).map(unique).collect();
    let mut arena = alloc::vec![u32::MAX; plan.bytes as usize / 4 + 1];
    let mut outside: Vec<Vec<u32>> = contents.clone();
    for (t, s) in p.steps.iter().enumerate() {
        let read = |arena: &[u32], outside: &[Vec<u32>], v: u32| -> Result<Vec<u32>, String> {
            let (from, at) = match plan.places[v as usize] {
                Place::Fixed(o) => (arena, o),
                Place::Outside if p.outside[v as usize] => (&outside[v as usize][..], 0),
                Place::Within(r, at) if p.outside[r as usize] => (&outside[r as usize][..], at),
                other => return Err(format!("value {v} is nowhere: {other:?}")),
            };
            let found = from.get(at as usize / 4..).and_then(|f| f.get(..words(v)));
            found.map(<[u32]>::to_vec).ok_or(format!("value {v} is beyond the end"))
        };
        for r in &s.reads {
            let got = read(&arena, &outside, *r)?;
            if got != contents[*r as usize] {
                return Err(format!("step {t} reads {r} and finds {got:?}"));
            }
        }
        for (i, w) in s.writes.iter().enumerate() {
            let of = |r: usize| contents[s.reads[r] as usize].clone();
            match s.inplace {
                InPlace::View if i == 0 => contents[*w as usize] = of(0),
                InPlace::Part(begin) if i == 0 => {
                    contents[*w as usize] = of(0)[begin as usize / 4..][..words(*w)].to_vec();
                }
                InPlace::Concat if i == 0 => {
                    contents[*w as usize] = (0..s.reads.len()).flat_map(of).collect();
                }
                _ => {}
            }
            let fill = &contents[*w as usize];
            let before: Vec<Vec<u32>> =
                s.reads.iter().map(|r| read(&arena, &outside, *r)).collect::<Result<_, _>>()?;
            let (into, at) = match plan.places[*w as usize] {
                Place::Fixed(o) => (&mut arena, o),
                Place::Outside => (&mut outside[*w as usize], 0),
                Place::Within(r, at) => (&mut outside[r as usize], at),
                Place::Scaled(_) => return Err("scaled".into()),
            };
            let into = into.get_mut(at as usize / 4..).and_then(|i| i.get_mut(..fill.len()));
            into.ok_or("beyond the end")?.copy_from_slice(fill);
            // A kernel needs an operand until its last result is written, unless it may write this result over it.
            for (at, r) in s.reads.iter().enumerate() {
                let permitted = s.inplace.pairs(s.reads.len()).any(|pair| pair == (at, i));
                if !permitted && read(&arena, &outside, *r)? != before[at] {
                    return Err(format!("step {t} writes value {w} over its operand {r}"));
                }
            }
        }
        for w in &s.writes {
            if read(&arena, &outside, *w)? != contents[*w as usize] {
                return Err(format!("step {t} writes one result over another"));
            }
        }
    }
    for v in (0..p.sizes.len()).filter(|v| p.outside[*v]) {
        if outside[v] != contents[v] {
            return Err(format!("outside value {v} does not hold its contents at the end"));
        }
    }
    Ok(())
}

#[test]
fn random_plans_keep_every_value() {
    let mut rng = Rng(7);
    for round in 0..2000 {
        let steps = 1 + rng.below(if round % 50 == 0 { 80 } else { 16 });
        let p = random(&mut rng, steps);
        for s in STRATEGIES {
            let plan = plan(&p, s);
            verify(&p, &plan).unwrap_or_else(|e| panic!("round {round}, {s:?}: {e}\n{p:?}\n{plan:?}"));
            replay(&p, &plan).unwrap_or_else(|e| panic!("round {round}, {s:?}: {e}\n{p:?}\n{plan:?}"));
        }
        assert!(plan(&p, Strategy::Best).bytes >= lower_bound(&p));
        assert!(plan(&p, Strategy::Best).bytes <= plan(&p, Strategy::Naive).bytes);
    }
}

#[test]
fn the_verifier_finds_what_the_replay_finds() {
    let mut rng = Rng(11);
    let (mut broken, mut agree) = (0, 0);
    for _ in 0..2000 {
        let steps = 3 + rng.below(12);
        let p = random(&mut rng, steps);
        let mut plan = plan(&p, Strategy::Best);
        let v = rng.below(plan.places.len());
        let Place::Fixed(at) = plan.places[v] else { continue };
        plan.places[v] = Place::Fixed(at.saturating_sub(64 * rng.below(4) as u64));
        let (replayed, verified) = (replay(&p, &plan), verify(&p, &plan));
        // The verifier may be stricter (alignment of partial overlaps), never more lenient.
        assert!(replayed.is_ok() || verified.is_err(), "{replayed:?}\n{p:?}\n{plan:?}");
        broken += usize::from(replayed.is_err());
        agree += usize::from(replayed.is_ok() == verified.is_ok());
    }
    assert!(broken > 200, "only {broken} plans were broken");
    assert!(agree > 1000, "{agree}");
}

/// How far the plan is above the bound, in percent.
fn excess(p: &Problem) -> f64 {
    let (bytes, bound) = (plan(p, Strategy::Best).bytes, lower_bound(p));
    if bound == 0 { 0.0 } else { (bytes as f64 / bound as f64 - 1.0) * 100.0 }
}

/// A convnet-like chain: activations kept for the backward pass, which runs in reverse.
fn chain(rng: &mut Rng, layers: usize, keep: usize) -> Problem {
    let mut p = Problem::default();
    let data = p.value(1 << 16, true);
    let mut acts = alloc::vec![data];
    let mut size = 1 << 20;
    for l in 0..layers {
        let from = acts[l];
        if rng.below(5) == 0 {
            size = (size / 2).max(4096);
        }
        let conv = p.value(size, false);
        p.step(&[from], &[conv], InPlace::Never);
        let relu = p.value(size, false);
        p.step(&[conv], &[relu], InPlace::Any);
        acts.push(relu);
    }
    let mut dy = p.value(64, true);
    for l in (0..layers).rev() {
        let (x, y) = (acts[l], acts[l + 1]);
        let dconv = p.value(p.sizes[y as usize], false);
        let reads = if l % keep == 0 { alloc::vec![dy, y] } else { alloc::vec![dy] };
        p.step(&reads, &[dconv], InPlace::Any);
        let dw = p.value(4096, true);
        p.step(&[x, dconv], &[dw], InPlace::Never);
        let dx = p.value(p.sizes[x as usize], l == 0);
        p.step(&[dconv], &[dx], InPlace::Never);
        dy = dx;
    }
    p
}

/// Blocks with shortcuts.
fn diamonds(rng: &mut Rng, blocks: usize) -> Problem {
    let mut p = Problem::default();
    let mut x = p.value(1 << 16, true);
    let mut size = 1 << 20;
    for _ in 0..blocks {
        if rng.below(4) == 0 {
            size = (size * 5 / 8).max(4096);
        }
        let (a, b, c, y) =
            (p.value(size, false), p.value(size / 4, false), p.value(size, false), p.value(size, false));
        p.step(&[x], &[a], InPlace::Never);
        p.step(&[x], &[b], InPlace::Never);
        p.step(&[b], &[c], InPlace::Never);
        p.step(&[a, c], &[y], InPlace::Any);
        x = y;
    }
    p
}

#[test]
fn plans_are_near_the_bound() {
    let mut rng = Rng(3);
    for _ in 0..40 {
        let n = 2 + rng.below(60);
        for (name, p) in [
            ("chain", chain(&mut rng, n, 1)),
            ("chain with less kept", chain(&mut rng, n, 3)),
            ("diamonds", diamonds(&mut rng, n)),
        ] {
            assert!(excess(&p) <= 1.0, "{name} of {n}: {} % above the bound", excess(&p));
        }
    }
    let all: Vec<f64> = (0..200)
        .map(|_| {
            let steps = 20 + rng.below(100);
            excess(&random(&mut rng, steps))
        })
        .collect();
    let (mean, worst) = (all.iter().sum::<f64>() / 200.0, all.iter().copied().fold(0.0, f64::max));
    assert!(
        mean < 0.5 && worst < 8.0,
        "random graphs: {mean} % above the bound on average, {worst} % at worst"
    );
}

/// Not a bound but a number to look at: `cargo test planning_time -- --nocapture`.
#[test]
fn planning_time() {
    extern crate std;
    let mut rng = Rng(5);
    for (name, p) in [
        ("training chain", chain(&mut rng, 400, 1)),
        ("diamonds", diamonds(&mut rng, 500)),
        ("random", random(&mut rng, 2000)),
        ("large random", random(&mut rng, 5000)),
    ] {
        // The least of several: other work on the machine only adds.
        let timed = || {
            let start = std::time::Instant::now();
            let plan = best(&p);
            (start.elapsed(), plan)
        };
        let (time, plan) = (0..5).map(|_| timed()).min_by_key(|(time, _)| *time).expect("several");
        let start = std::time::Instant::now();
        assert_eq!(verify(&p, &plan), Ok(()));
        assert!(excess(&p) < 15.0, "{name}: {} % above the bound", excess(&p));
        std::println!(
            "{name} of {} steps: planned in {time:?}, verified in {:?}, {:.2} % above the bound",
            p.steps.len(),
            start.elapsed(),
            excess(&p)
        );
    }
}

#[test]
fn the_rules_of_2015_reuse_as_they_did() {
    // A chain of equal sizes: one block per value, or one in place, or two in turn.
    let mut p = Problem::default();
    let mut x = p.value(4096, true);
    for i in 0..10 {
        let y = p.value(4096, false);
        p.step(&[x], &[y], if i % 2 == 0 { InPlace::Never } else { InPlace::Any });
        x = y;
    }
    let blocks = STRATEGIES.map(|s| plan(&p, s).bytes / 4096);
    assert_eq!(blocks, [10, 5, 2, 2, 2]);
    // A free block grows for a request of up to 16 times its size.
    let mut p = Problem::default();
    let (a, b, c, d) =
        (p.value(640, false), p.value(64, false), p.value(6400, false), p.value(64 * 6400, false));
    p.step(&[], &[a], InPlace::Never);
    p.step(&[a], &[b], InPlace::Never);
    p.step(&[b], &[c], InPlace::Never);
    p.step(&[c], &[d], InPlace::Never);
    assert_eq!(plan(&p, Strategy::CoShare).bytes, 6400 + 64 + 64 * 6400);
}
