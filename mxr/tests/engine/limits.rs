//! How far the engine runs ahead.

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
