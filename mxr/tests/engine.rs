//! The engine's contract, tested with closures alone: order, errors, priorities, limits, ends.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use mxr::engine::{Engine, EngineError, ErrorKind, Lane, OpError, Outcome, Properties, Var};

/// Runs a test body on a thread of its own and fails, instead of hanging, when it takes too long.
fn within_a_minute(body: impl FnOnce() + Send + 'static) {
    let (done, wait) = channel();
    let thread = thread::spawn(move || {
        body();
        done.send(()).ok();
    });
    match wait.recv_timeout(Duration::from_secs(60)) {
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("the engine hangs"),
        _ => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
    }
}

/// An operation that holds its variable until told to go on.
struct Gate {
    open: Sender<()>,
    started: Receiver<()>,
}

impl Gate {
    fn push(engine: &Engine, var: &Var) -> Gate {
        let (open, wait) = channel();
        let (start, started) = channel();
        engine.push(&[], &[var], "gate", move |_| {
            start.send(())?;
            Ok(wait.recv()?)
        });
        Gate { open, started }
    }

    fn wait_started(&self) {
        self.started.recv().unwrap();
    }

    fn open(&self) {
        self.open.send(()).unwrap();
    }
}

fn fail(text: &'static str) -> impl Fn(&mxr::engine::RunContext<'_>) -> Result<(), OpError> + Send + Sync {
    move |_| Err(OpError::new(text))
}

fn both_engines(test: impl Fn(&Engine)) {
    test(&Engine::serial());
    for (threads, workers) in [(1, 1), (2, 1), (2, 2), (4, 4)] {
        test(&Engine::builder().threads(threads).workers(workers).build().unwrap());
    }
}

mod order {
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
            let hash =
                step.reads.iter().chain(&writes).fold(id as u64, |h, &i| {
                    (h ^ get(i)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17)
                });
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
            both_engines(|engine| {
                assert_eq!(by_engine(engine, &steps, 1), expected, "seed {seed}, {engine:?}")
            });
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
                                let mut some =
                                    |n| (0..n).map(|_| &vars[random.below(12)]).collect::<Vec<_>>();
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
}

mod errors {
    use super::*;

    fn text(result: Result<(), EngineError>) -> String {
        result.expect_err("an error was expected").message().to_owned()
    }

    #[test]
    fn an_error_names_operation_label_place_and_cause() {
        both_engines(|engine| {
            let a = engine.new_var();
            let line = line!() + 1;
            engine.push(&[], &[&a], Properties::new("dense").label("fc1"), |_| {
                Ok("x".parse::<u8>().map(drop)?)
            });
            let error = engine.wait_for(&a).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Failed);
            assert_eq!((error.operation(), error.label()), ("dense", Some("fc1")));
            assert_eq!((error.pushed_at().file(), error.pushed_at().line()), (file!(), line));
            assert_eq!(error.message(), "invalid digit found in string");
            assert!(std::error::Error::source(&error).is_some());
            let place = error.pushed_at();
            let told = format!(
                "operation `dense` of `fc1`, pushed at {place}, failed: invalid digit found in string"
            );
            assert_eq!(error.to_string(), told);
        });
    }

    #[test]
    fn dependants_are_skipped_with_the_root_error_and_others_go_on() {
        both_engines(|engine| {
            let [a, b, c, d] = std::array::from_fn(|_| engine.new_var());
            let ran = Arc::new(AtomicUsize::new(0));
            let count = || {
                let ran = ran.clone();
                move |_: &mxr::engine::RunContext<'_>| {
                    ran.fetch_add(1, SeqCst);
                    Ok(())
                }
            };
            engine.push(&[], &[&a], "root", fail("root"));
            engine.push(&[&a], &[&b], "second", count());
            engine.push(&[&b], &[&c], "third", count());
            engine.push(&[], &[&d], "other", count());
            assert_eq!(engine.wait_for(&c).unwrap_err().operation(), "root");
            assert_eq!(engine.wait_for(&b).unwrap_err().operation(), "root");
            assert!(engine.wait_for(&d).is_ok());
            engine.wait_all().expect("the only failure has been told");
            assert_eq!(ran.load(SeqCst), 1);
        });
    }

    #[test]
    fn every_wait_tells_until_the_error_is_cleared() {
        both_engines(|engine| {
            let a = engine.new_var();
            engine.push(&[], &[&a], "f", fail("one"));
            assert_eq!(text(engine.wait_for(&a)), "one");
            assert_eq!(text(engine.wait_for(&a)), "one");
            engine.push(&[], &[&a], "later", |_| panic!("a write to a variable with an error is skipped"));
            assert_eq!(text(engine.wait_for(&a)), "one");
            let cleared = engine.clear_error(&a).unwrap().expect("it carried one");
            assert_eq!(cleared.message(), "one");
            engine.push(&[], &[&a], "works", |_| Ok(()));
            engine.wait_for(&a).unwrap();
            assert!(engine.clear_error(&a).unwrap().is_none());
        });
    }

    #[test]
    fn wait_all_tells_the_first_failure_once() {
        both_engines(|engine| {
            let [a, b, c] = std::array::from_fn(|_| engine.new_var());
            engine.push(&[], &[&a], Properties::new("f").priority(-9), fail("first"));
            engine.push(&[], &[&b], Properties::new("f").priority(9), fail("second"));
            assert_eq!(text(engine.wait_all()), "first");
            engine.wait_all().unwrap();
            assert_eq!(text(engine.wait_for(&b)), "second");
            engine.push(&[], &[&c], "f", fail("third"));
            assert_eq!(text(engine.wait_all()), "third");
        });
    }

    #[test]
    fn after_a_failure_the_other_output_tells_too_and_fresh_work_runs() {
        both_engines(|engine| {
            let [a, b, c] = std::array::from_fn(|_| engine.new_var());
            engine.push(&[], &[&a, &b], "two outputs", fail("both"));
            assert_eq!(text(engine.wait_for(&a)), "both");
            assert_eq!(text(engine.wait_for(&b)), "both");
            engine.push(&[], &[&c], "fresh", |_| Ok(()));
            engine.wait_for(&c).unwrap();
        });
    }

    #[test]
    fn of_several_errors_the_first_pushed_travels() {
        both_engines(|engine| {
            for _ in 0..20 {
                let [a, b, c] = std::array::from_fn(|_| engine.new_var());
                engine.push(&[], &[&b], "f", fail("first"));
                engine.push(&[], &[&a], "f", fail("second"));
                engine.push(&[&a, &b], &[&c], "sum", |_| Ok(()));
                assert_eq!(text(engine.wait_for(&c)), "first");
            }
        });
    }

    #[test]
    fn an_overwriting_operation_revives_its_variable() {
        both_engines(|engine| {
            let [a, b] = std::array::from_fn(|_| engine.new_var());
            let overwrite = || Properties::new("fill").overwrites(true);
            engine.push(&[], &[&a], "f", fail("old"));
            engine.push(&[], &[&a], overwrite(), |_| Ok(()));
            engine.wait_for(&a).unwrap();
            engine.push(&[], &[&a], "f", fail("old"));
            engine.push(&[], &[&a], overwrite(), fail("new"));
            assert_eq!(text(engine.wait_for(&a)), "new");
            engine.push(&[&a], &[&b], overwrite(), |_| Ok(()));
            assert_eq!(text(engine.wait_for(&b)), "new");
            let revive = engine.prepare(&[], &[&a, &b], overwrite(), |_| Ok(()));
            engine.push_prepared(&revive);
            engine.wait_for(&a).and(engine.wait_for(&b)).unwrap();
        });
    }

    #[test]
    fn panics_are_contained() {
        both_engines(|engine| {
            let [a, b] = std::array::from_fn(|_| engine.new_var());
            engine.push(&[], &[&a], "kernel", |_| panic!("index {} out of bounds", 7));
            let error = engine.wait_for(&a).unwrap_err();
            assert_eq!((error.kind(), error.message()), (ErrorKind::Panicked, "index 7 out of bounds"));
            engine.push(&[], &[&b], "kernel", |_| std::panic::panic_any(3));
            assert_eq!(text(engine.wait_for(&b)), "(a panic without a text)");
            let c = engine.new_var();
            engine.push(&[], &[&c], "helper", |_| {
                rayon::join(|| (), || panic!("in a helper"));
                Ok(())
            });
            assert_eq!(text(engine.wait_for(&c)), "in a helper");
        });
    }

    #[test]
    fn a_panic_while_dropping_does_not_stop_the_worker() {
        struct Bad;
        impl Drop for Bad {
            fn drop(&mut self) {
                panic!("in drop");
            }
        }
        both_engines(|engine| {
            let [a, b] = std::array::from_fn(|_| engine.new_var());
            let bad = Bad;
            engine.push(&[], &[&a], "consumes", move |_| {
                drop(bad);
                Ok(())
            });
            assert_eq!(text(engine.wait_for(&a)), "in drop");
            let bad = Bad;
            engine.push(&[&a], &[&b], "skipped", move |_| {
                drop(bad);
                Ok(())
            });
            assert_eq!(text(engine.wait_for(&b)), "in drop");
            engine.clear_error(&a).unwrap();
            engine.push(&[], &[&a], "throws what throws", |_| std::panic::panic_any(Bad));
            assert_eq!(text(engine.wait_for(&a)), "(a panic without a text)");
            engine.push(&[], &[&engine.new_var()], "still alive", |_| Ok(()));
            engine.wait_all().unwrap();
        });
    }

    #[test]
    fn prepared_operations_fail_and_work_again() {
        both_engines(|engine| {
            let a = engine.new_var();
            let healthy = Arc::new(AtomicBool::new(false));
            let h = healthy.clone();
            let line = line!() + 1;
            let op = engine.prepare(&[], &[&a], Properties::new("step").label("conv1"), move |_| {
                if h.load(SeqCst) { Ok(()) } else { Err(OpError::new("ill")) }
            });
            engine.push_prepared(&op);
            let error = engine.wait_for(&a).unwrap_err();
            assert_eq!((error.operation(), error.label()), ("step", Some("conv1")));
            assert_eq!(error.pushed_at().line(), line, "where it was prepared");
            healthy.store(true, SeqCst);
            engine.clear_error(&a).unwrap();
            engine.push_prepared(&op);
            engine.wait_for(&a).unwrap();
        });
    }

    #[test]
    fn a_closure_in_place_has_the_same_rules() {
        both_engines(|engine| {
            let [a, b] = std::array::from_fn(|_| engine.new_var());
            assert_eq!(engine.run_here(&[&a], &[&b], "seven", |_| Ok(7)).unwrap(), 7);
            let error =
                engine.run_here(&[&a], &[&b], "bad", |_| Err::<(), _>(OpError::new("no"))).unwrap_err();
            assert_eq!(error.message(), "no");
            assert_eq!(text(engine.wait_for(&b)), "no");
            let skipped = engine.run_here(&[&b], &[], "look", |_| -> Result<(), OpError> { unreachable!() });
            assert_eq!(skipped.unwrap_err().operation(), "bad");
            engine.wait_all().expect("all told");
        });
    }

    #[test]
    fn waiting_inside_an_operation_is_an_error_not_a_deadlock() {
        within_a_minute(|| {
            both_engines(|engine| {
                let [a, b] = std::array::from_fn(|_| engine.new_var());
                let found = Arc::new(Mutex::new(Vec::new()));
                let (inner, var, f) = (engine.clone(), a.clone(), found.clone());
                engine.push(&[], &[&a], "waits", move |_| {
                    let mut f = f.lock().unwrap();
                    f.extend(inner.wait_for(&var).err());
                    f.extend(inner.wait_all().err());
                    f.extend(inner.run_here(&[&var], &[], "x", |_| Ok(())).err());
                    f.extend(inner.clear_error(&var).err());
                    Ok(())
                });
                engine.wait_for(&a).unwrap();
                let kinds: Vec<_> = found.lock().unwrap().iter().map(EngineError::kind).collect();
                assert_eq!(kinds, [ErrorKind::WaitInsideOperation; 4]);
                let inner = engine.clone();
                engine.push(&[], &[&b], "passes it on", move |_| Ok(inner.wait_all()?));
                let told = engine.wait_for(&b).unwrap_err().to_string();
                assert!(told.contains("push an operation that reads the variable instead"), "{told}");
            });
        });
    }

    #[test]
    fn a_helper_thread_of_a_kernel_cannot_wait_either() {
        within_a_minute(|| {
            let engine = Engine::threaded(2);
            let a = engine.new_var();
            let (inner, var) = (engine.clone(), a.clone());
            engine.push(&[], &[&a], "kernel", move |_| {
                let wait = || inner.wait_for(&var).map_err(|e| e.kind());
                let kinds = rayon::join(wait, wait);
                assert_eq!(kinds, (Err(ErrorKind::WaitInsideOperation), Err(ErrorKind::WaitInsideOperation)));
                Ok(())
            });
            engine.wait_for(&a).unwrap();
        });
    }
}

mod limits {
    use super::*;

    #[test]
    fn pushing_blocks_at_the_limit_and_goes_on() {
        within_a_minute(|| {
            let engine = Engine::builder().threads(1).max_pending(10).build().unwrap();
            let a = engine.new_var();
            let gate = Gate::push(&engine, &a);
            let pushed = Arc::new(AtomicUsize::new(1));
            thread::scope(|scope| {
                let pusher = scope.spawn(|| {
                    for _ in 0..100 {
                        engine.push(&[], &[&a], "op", |_| Ok(()));
                        pushed.fetch_add(1, SeqCst);
                        assert!(engine.pending() <= 10);
                    }
                });
                while pushed.load(SeqCst) < 10 {
                    thread::yield_now();
                }
                thread::sleep(Duration::from_millis(50));
                assert_eq!((pushed.load(SeqCst), engine.pending()), (10, 10), "the eleventh must wait");
                gate.open();
                pusher.join().unwrap();
            });
            engine.wait_all().unwrap();
            assert_eq!(engine.pending(), 0);
        });
    }

    #[test]
    fn pushing_from_inside_never_blocks() {
        within_a_minute(|| {
            both_engines(|engine| {
                let a = engine.new_var();
                let ran = Arc::new(AtomicUsize::new(0));
                let (inner, var, r) = (engine.clone(), a.clone(), ran.clone());
                let again = engine.prepare(&[], &[&a], Properties::new("again").run_ahead(1), {
                    let ran = ran.clone();
                    move |_| {
                        ran.fetch_add(1, SeqCst);
                        Ok(())
                    }
                });
                engine.push(&[], &[&a], "outer", move |_| {
                    for _ in 0..5000 {
                        let r = r.clone();
                        inner.push(&[], &[&var], "inner", move |_| {
                            r.fetch_add(1, SeqCst);
                            Ok(())
                        });
                        inner.push_prepared(&again);
                    }
                    Ok(())
                });
                engine.wait_all().unwrap();
                assert_eq!(ran.load(SeqCst), 10_000);
            });
        });
    }

    #[test]
    fn a_prepared_operation_runs_ahead_as_far_as_allowed() {
        within_a_minute(|| {
            let engine = Engine::threaded(1);
            let a = engine.new_var();
            let op = engine.prepare(&[], &[&a], Properties::new("op").run_ahead(3), |_| Ok(()));
            let gate = Gate::push(&engine, &a);
            let pushed = AtomicUsize::new(0);
            thread::scope(|scope| {
                let pusher = scope.spawn(|| {
                    for _ in 0..20 {
                        engine.push_prepared(&op);
                        pushed.fetch_add(1, SeqCst);
                    }
                });
                while pushed.load(SeqCst) < 3 {
                    thread::yield_now();
                }
                thread::sleep(Duration::from_millis(50));
                assert_eq!(pushed.load(SeqCst), 3);
                gate.open();
                pusher.join().unwrap();
            });
            engine.wait_for(&a).unwrap();
        });
    }
}

mod ends {
    use super::*;

    #[test]
    fn dropping_the_engine_runs_what_is_pending() {
        within_a_minute(|| {
            for round in 0..50 {
                let engine = Engine::builder().threads(2).workers(1 + round % 2).build().unwrap();
                let ran = Arc::new(AtomicUsize::new(0));
                let vars: Vec<Var> = (0..3).map(|_| engine.new_var()).collect();
                for i in 0..200 {
                    let ran = ran.clone();
                    engine.push(&[&vars[i % 3]], &[&vars[(i + 1) % 3]], "op", move |_| {
                        ran.fetch_add(1, SeqCst);
                        Ok(())
                    });
                }
                drop(vars);
                drop(engine);
                assert_eq!(ran.load(SeqCst), 200);
            }
        });
    }

    #[test]
    fn the_last_handle_may_go_inside_an_operation() {
        within_a_minute(|| {
            for engine in [Engine::threaded(1), Engine::threaded(2), Engine::serial()] {
                let a = engine.new_var();
                let (send, receive) = channel();
                let inner = engine.clone();
                let var = a.clone();
                let (go, wait) = channel::<()>();
                let serial = engine.is_serial();
                engine.push(&[], &[&a], "last", move |_| {
                    if !serial {
                        wait.recv()?;
                    }
                    let last = send.clone();
                    inner.push(&[], &[&var], "after", move |_| Ok(last.send("after")?));
                    drop(inner);
                    Ok(send.send("last")?)
                });
                drop(engine);
                go.send(()).ok();
                assert_eq!(receive.iter().collect::<Vec<_>>(), ["last", "after"]);
            }
        });
    }

    #[test]
    fn a_prepared_operation_keeps_its_engine_and_may_go_while_pending() {
        within_a_minute(|| {
            let engine = Engine::threaded(1);
            let a = engine.new_var();
            let ran = Arc::new(AtomicUsize::new(0));
            let r = ran.clone();
            let op = engine.prepare(&[], &[&a], "op", move |_| {
                thread::sleep(Duration::from_millis(5));
                r.fetch_add(1, SeqCst);
                Ok(())
            });
            engine.push_prepared(&op);
            engine.push_prepared(&op);
            let other = Engine::serial();
            drop(engine);
            other.push_prepared(&op);
            drop(op);
            assert_eq!(ran.load(SeqCst), 3, "dropping the last handle waited");
        });
    }

    #[test]
    fn idle_engines_end_and_leave_no_thread_behind() {
        within_a_minute(|| {
            let threads = || std::fs::read_dir("/proc/self/task").map_or(0, |dir| dir.count());
            for _ in 0..50 {
                drop(Engine::builder().threads(8).workers(4).build().unwrap());
            }
            let patience = Instant::now();
            // Other tests of this process run engines as well, but never 500 threads.
            while threads() > 200 {
                assert!(patience.elapsed() < Duration::from_secs(20), "{} threads are left", threads());
                thread::sleep(Duration::from_millis(10));
            }
        });
    }

    #[test]
    fn variables_go_when_nothing_uses_them() {
        let engine = Engine::threaded(1);
        let captured = Arc::new(());
        {
            let a = engine.new_var();
            let captured = captured.clone();
            engine.push(&[], &[&a], "op", move |_| {
                let _keep = &captured;
                Ok(())
            });
        }
        engine.wait_all().unwrap();
        assert_eq!(Arc::strong_count(&captured), 1);
    }
}

#[test]
fn the_profiler_records_runs_and_writes_a_chrome_trace() {
    both_engines(|engine| {
        let [a, b] = std::array::from_fn(|_| engine.new_var());
        engine.push(&[], &[&a], "unseen", |_| Ok(()));
        engine.wait_all().unwrap();
        engine.profile_start();
        engine.push(&[], &[&a], Properties::new("conv\"2d\"").label("conv1\n"), |_| Ok(()));
        engine.push(&[], &[&b], Properties::new("load").lane(Lane::Io), fail("no file"));
        engine.push(&[&b], &[&a], "dense", |_| Ok(()));
        engine.wait_all().unwrap_err();
        let trace = engine.profile_stop();
        engine.push(&[], &[&engine.new_var()], "unseen", |_| Ok(()));
        engine.wait_all().unwrap();
        assert!(engine.profile_stop().spans().is_empty());

        let mut seen: Vec<_> = trace.spans().iter().map(|s| (&*s.name, s.outcome)).collect();
        seen.sort_unstable_by_key(|s| s.0);
        let expected =
            [("conv\"2d\"", Outcome::Done), ("dense", Outcome::Skipped), ("load", Outcome::Failed)];
        assert_eq!(seen, expected);
        assert!(trace.spans().iter().all(|s| s.start <= s.end));
        if !engine.is_serial() {
            let load = trace.spans().iter().find(|s| s.name == "load").unwrap();
            assert_eq!(load.lane, Some(Lane::Io));
        }
        let mut json = Vec::new();
        trace.write_json(&mut json).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let events = json["traceEvents"].as_array().unwrap();
        let conv = events.iter().find(|e| e["name"] == "conv\"2d\"").expect("the event is there");
        assert_eq!((&conv["ph"], &conv["args"]["label"]), (&"X".into(), &"conv1\n".into()));
        assert!(trace.to_string().contains("dense"));
    });
}

/// A version names contents: readers between two writers see one number, and every writer makes a new one, whatever became of it.
#[test]
fn versions_count_writes_of_every_kind() {
    for engine in [Engine::serial(), Engine::threaded(3)] {
        let (a, b, other) = (Var::new(), Var::new(), Var::new());
        let version = |var: &Var| {
            let seen = engine.run_here(&[var], &[], "look", |ctx| {
                assert_eq!(ctx.version(&other), None);
                Ok(ctx.version(var))
            });
            seen.expect("sound").expect("listed")
        };
        let mut last = version(&a);
        let mut changed = |what: &str, yes: bool| {
            let now = version(&a);
            assert_eq!(now != last, yes, "{what}");
            last = now;
        };
        changed("nothing", false);
        engine.push(&[&a], &[&b], "read", |_| Ok(()));
        changed("a reader", false);
        engine.push(&[], &[&a], "write", |_| Ok(()));
        changed("a writer", true);
        let prepared = engine.prepare(&[], &[&a], "prepared", |_| Ok(()));
        for _ in 0..3 {
            engine.push_prepared(&prepared);
            changed("a prepared writer", true);
        }
        engine.run_here(&[], &[&a], "here", |_| Ok(())).expect("sound");
        changed("a writer in the caller's thread", true);
        engine.push(&[], &[&a], "fails", |_| Err(OpError::new("no")));
        engine.clear_error(&a).expect("outside").expect("an error");
        changed("a writer that failed", true);
    }
    // Many writers and one reader at a time: the number never goes back, and the sum of all writes is the last.
    let engine = Engine::threaded(4);
    let var = Var::new();
    let cell = Arc::new(Mutex::new(0u64));
    std::thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                for _ in 0..200 {
                    let written = cell.clone();
                    engine.push(&[], &[&var], "add", move |_| {
                        *written.lock().expect("sound") += 1;
                        Ok(())
                    });
                    engine
                        .run_here(&[&var], &[], "look", |ctx| {
                            assert_eq!(ctx.version(&var), Some(*cell.lock().expect("sound")));
                            Ok(())
                        })
                        .expect("sound");
                }
            });
        }
    });
    assert_eq!(engine.run_here(&[&var], &[], "look", |ctx| Ok(ctx.version(&var))).expect("sound"), Some(600));
}
