//! What runs after what.

use super::*;
use std::cell::UnsafeCell;

/// A small generator of random numbers (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

const VARS: usize = 100;
const OPS: usize = 10_000;

/// One random operation: `cells[write] = hash of all reads, and of itself`.
#[derive(Clone)]
struct Step {
    reads: Vec<usize>,
    writes: Vec<usize>,
}

fn program(seed: u64) -> Vec<Step> {
    let mut random = Random(seed);
    let mut pick = |most: usize| {
        let n = random.below(most + 1);
        (0..n).map(|_| random.below(VARS)).collect::<Vec<_>>()
    };
    // Duplicates within and between the lists are meant: the engine has to remove them.
    (0..OPS).map(|_| Step { reads: pick(20), writes: pick(3) }).collect()
}

/// Cells without any synchronisation of their own: what two operations do to one at once is what the engine must prevent.
struct Cells(Vec<UnsafeCell<u64>>, Vec<AtomicUsize>);

// SAFETY: the engine orders the access, which is what is tested; `busy` below would tell of a violation.
unsafe impl Sync for Cells {}

impl Cells {
    fn new() -> Cells {
        let cells = (0..VARS as u64).map(UnsafeCell::new).collect();
        Cells(cells, (0..VARS).map(|_| AtomicUsize::new(0)).collect())
    }

    const WRITER: usize = 1 << 32;

    fn run(&self, id: usize, step: &Step) {
        let written = |i: &usize| step.writes.contains(i);
        for i in step.reads.iter().filter(|i| !written(i)) {
            assert!(self.1[*i].fetch_add(1, SeqCst) < Self::WRITER, "read while written");
        }
        let mut writes = step.writes.clone();
        writes.sort_unstable();
        writes.dedup();
        for i in &writes {
            assert_eq!(self.1[*i].fetch_add(Self::WRITER, SeqCst), 0, "written while in use");
        }
        // SAFETY: the assertions above have just seen that nobody else is at these cells.
        let get = |i: usize| unsafe { *self.0[i].get() };
        let hash = step
            .reads
            .iter()
            .chain(&writes)
            .fold(id as u64, |h, &i| (h ^ get(i)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17));
        for i in &writes {
            // SAFETY: as above, and this operation is the only one that has announced to write them.
            unsafe { *self.0[*i].get() = hash.wrapping_add(*i as u64) };
        }
        for i in &writes {
            self.1[*i].fetch_sub(Self::WRITER, SeqCst);
        }
        for i in step.reads.iter().filter(|i| !written(i)) {
            self.1[*i].fetch_sub(1, SeqCst);
        }
    }

    fn values(self) -> Vec<u64> {
        self.0.into_iter().map(UnsafeCell::into_inner).collect()
    }
}

fn by_hand(steps: &[Step], times: usize) -> Vec<u64> {
    let cells = Cells::new();
    for _ in 0..times {
        steps.iter().enumerate().for_each(|(id, step)| cells.run(id, step));
    }
    cells.values()
}

/// The program on an engine, every third operation prepared, all of them pushed `times` times in order.
fn by_engine(engine: &Engine, steps: &[Step], times: usize) -> Vec<u64> {
    let cells = Arc::new(Cells::new());
    let vars: Vec<Var> = (0..VARS).map(|_| engine.new_var()).collect();
    let list = |indices: &[usize]| indices.iter().map(|&i| &vars[i]).collect::<Vec<_>>();
    let mut random = Random(7);
    let run = |id: usize, step: &Step| {
        let (cells, step) = (cells.clone(), step.clone());
        move |_: &mxr::engine::RunContext<'_>| {
            cells.run(id, &step);
            Ok(())
        }
    };
    let mut props = || {
        let lane = if random.below(4) == 0 { Lane::Io } else { Lane::Compute };
        Properties::new("step").priority(random.below(5) as i32 - 2).lane(lane)
    };
    let prepared: Vec<_> = steps
        .iter()
        .enumerate()
        .map(|(id, step)| {
            let (reads, writes) = (list(&step.reads), list(&step.writes));
            (id % 3 == 0).then(|| engine.prepare(&reads, &writes, props(), run(id, step)))
        })
        .collect();
    for _ in 0..times {
        for (id, (step, prepared)) in steps.iter().zip(&prepared).enumerate() {
            match prepared {
                Some(prepared) => engine.push_prepared(prepared),
                None => engine.push(&list(&step.reads), &list(&step.writes), props(), run(id, step)),
            }
        }
    }
    engine.wait_all().unwrap();
    drop(prepared);
    Arc::into_inner(cells).expect("an operation that has run holds nothing").values()
}

#[test]
fn random_programs_equal_running_them_in_order() {
    for seed in 1..=5 {
        let steps = program(seed);
        let expected = by_hand(&steps, 1);
        both_engines(|engine| assert_eq!(by_engine(engine, &steps, 1), expected, "seed {seed}, {engine:?}"));
    }
}

#[test]
fn prepared_programs_pushed_again_before_they_ran_keep_their_order() {
    let steps = program(11);
    let steps = &steps[..500];
    let expected = by_hand(steps, 20);
    both_engines(|engine| assert_eq!(by_engine(engine, steps, 20), expected, "{engine:?}"));
}

#[test]
fn several_threads_may_push_and_none_waits_for_ever() {
    // Lists that overlap in opposite orders, pushed at once: a queue per variable alone would tie them in a knot.
    within_a_minute(|| {
        both_engines(|engine| {
            let vars: Vec<Var> = (0..12).map(|_| engine.new_var()).collect();
            let ran = Arc::new(AtomicUsize::new(0));
            thread::scope(|scope| {
                for t in 0..4 {
                    let (vars, ran) = (&vars, &ran);
                    scope.spawn(move || {
                        let mut random = Random(t);
                        for _ in 0..2000 {
                            let mut some = |n| (0..n).map(|_| &vars[random.below(12)]).collect::<Vec<_>>();
                            let ran = ran.clone();
                            engine.push(&some(3), &some(9), "tangle", move |_| {
                                ran.fetch_add(1, SeqCst);
                                Ok(())
                            });
                        }
                    });
                }
            });
            engine.wait_all().unwrap();
            assert_eq!(ran.load(SeqCst), 8000);
        });
    });
}

#[test]
fn lists_may_be_very_long() {
    let engine = Engine::threaded(1);
    for n in [8, 9, 4096, 4097, 50_000] {
        let vars: Vec<Var> = (0..n).map(|_| engine.new_var()).collect();
        let all: Vec<&Var> = vars.iter().collect();
        let cell = Arc::new(AtomicUsize::new(0));
        for var in [&vars[0], &vars[n - 1]] {
            let cell = cell.clone();
            engine.push(&[], &[var], "before", move |_| {
                cell.fetch_add(1, SeqCst);
                Ok(())
            });
        }
        let seen = engine.run_here(&all, &all[n / 2..], "long", |ctx| {
            assert!(all.iter().all(|var| ctx.may_read(var)));
            assert!(!ctx.may_write(all[0]) && ctx.may_write(all[n - 1]));
            Ok(cell.load(SeqCst))
        });
        assert_eq!(seen.unwrap(), 2);
    }
}

#[test]
fn two_engines_may_share_variables() {
    within_a_minute(|| {
        let engines = [Engine::threaded(1), Engine::serial(), Engine::threaded(2)];
        let (var, log) = (Var::new(), Arc::new(Mutex::new(Vec::new())));
        for i in 0..3000 {
            let log = log.clone();
            engines[i % 3].push(&[], &[&var], "log", move |_| {
                log.lock().unwrap().push(i);
                Ok(())
            });
        }
        engines[1].wait_for(&var).unwrap();
        assert_eq!(*log.lock().unwrap(), (0..3000).collect::<Vec<_>>());
    });
}

#[test]
fn readers_run_at_the_same_time() {
    within_a_minute(|| {
        let engine = Engine::builder().threads(2).workers(2).build().unwrap();
        let (a, both) = (engine.new_var(), Arc::new(std::sync::Barrier::new(2)));
        for _ in 0..2 {
            let both = both.clone();
            engine.push(&[&a], &[], "meet", move |_| {
                both.wait();
                Ok(())
            });
        }
        engine.wait_all().unwrap();
    });
}

#[test]
fn the_io_lane_overlaps_with_computing() {
    within_a_minute(|| {
        let engine = Engine::threaded(1);
        let (a, b) = (engine.new_var(), engine.new_var());
        let gate = Gate::push(&engine, &a);
        gate.wait_started();
        engine.push(&[], &[&b], Properties::new("load").lane(Lane::Io), |_| Ok(()));
        engine.wait_for(&b).unwrap();
        gate.open();
        engine.wait_all().unwrap();
    });
}

#[test]
fn the_higher_priority_starts_first_and_equals_in_push_order() {
    let engine = Engine::threaded(2);
    let gate_var = engine.new_var();
    let gate = Gate::push(&engine, &gate_var);
    gate.wait_started();
    let log = Arc::new(Mutex::new(Vec::new()));
    for (i, priority) in [0, -5, 3, 0, 3, i32::MAX, i32::MIN, -5].into_iter().enumerate() {
        let (log, var) = (log.clone(), engine.new_var());
        engine.push(&[], &[&var], Properties::new("log").priority(priority), move |_| {
            log.lock().unwrap().push((priority, i));
            Ok(())
        });
    }
    gate.open();
    engine.wait_all().unwrap();
    let expected = [(i32::MAX, 5), (3, 2), (3, 4), (0, 0), (0, 3), (-5, 1), (-5, 7), (i32::MIN, 6)];
    assert_eq!(*log.lock().unwrap(), expected);
}

#[test]
fn operations_may_push_operations() {
    within_a_minute(|| {
        both_engines(|engine| {
            let (var, log) = (engine.new_var(), Arc::new(Mutex::new(Vec::new())));
            let (inner, inner_var, inner_log) = (engine.clone(), var.clone(), log.clone());
            engine.push(&[], &[&var], "outer", move |_| {
                let log = inner_log.clone();
                inner.push(&[], &[&inner_var], "inner", move |_| {
                    log.lock().unwrap().push("inner");
                    Ok(())
                });
                inner_log.lock().unwrap().push("outer");
                Ok(())
            });
            engine.wait_all().unwrap();
            assert_eq!(*log.lock().unwrap(), ["outer", "inner"]);
        });
    });
}

#[test]
fn the_serial_engine_runs_in_the_caller_before_push_returns() {
    let engine = Engine::serial();
    let (var, me) = (engine.new_var(), thread::current().id());
    let ran = Arc::new(AtomicBool::new(false));
    let r = ran.clone();
    engine.push(&[], &[&var], "here", move |_| {
        r.store(thread::current().id() == me, SeqCst);
        Ok(())
    });
    assert!(ran.load(SeqCst));
}

#[test]
fn kernels_inside_operations_use_the_pool() {
    let engine = Engine::threaded(3);
    let var = engine.new_var();
    let counted =
        engine.run_here(&[], &[], "caller", |_| Ok(())).map(|()| Arc::new(AtomicUsize::new(0))).unwrap();
    let c = counted.clone();
    engine.push(&[], &[&var], "join", move |_| {
        let (a, b) = rayon::join(rayon::current_num_threads, rayon::current_num_threads);
        c.store(a * 10 + b, SeqCst);
        Ok(())
    });
    engine.wait_for(&var).unwrap();
    assert_eq!(counted.load(SeqCst), 33);
}
