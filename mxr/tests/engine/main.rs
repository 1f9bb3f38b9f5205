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

mod order;

mod errors;

mod limits;

mod ends;

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
