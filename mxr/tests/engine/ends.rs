//! Engines, variables and operations that go while others run.

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
