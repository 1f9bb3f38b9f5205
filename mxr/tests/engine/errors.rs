//! Errors travel along variables and stop at a wait.

use super::*;

fn text(result: Result<(), EngineError>) -> String {
    result.expect_err("an error was expected").message().to_owned()
}

#[test]
fn an_error_names_operation_label_place_and_cause() {
    both_engines(|engine| {
        let a = engine.new_var();
        let properties = Properties::new("dense").label("fc1");
        let line = line!() + 1;
        engine.push(&[], &[&a], properties, |_| Ok("x".parse::<u8>().map(drop)?));
        let error = engine.wait_for(&a).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed);
        assert_eq!((error.operation(), error.label()), ("dense", Some("fc1")));
        assert_eq!((error.pushed_at().file(), error.pushed_at().line()), (file!(), line));
        assert_eq!(error.message(), "invalid digit found in string");
        assert!(std::error::Error::source(&error).is_some());
        let place = error.pushed_at();
        let told =
            format!("operation `dense` of `fc1`, pushed at {place}, failed: invalid digit found in string");
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
        let error = engine.run_here(&[&a], &[&b], "bad", |_| Err::<(), _>(OpError::new("no"))).unwrap_err();
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
