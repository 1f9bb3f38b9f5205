//! Pushing and running prepared operations allocates nothing after the first time. A binary of its own, for its allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use mxr::engine::{Engine, Properties};
use mxr::storage::{Buffer, Operands, VarLists};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether this thread's allocations count: those of the pushing thread and of the pools do, those of the test harness do
    /// not (it sets itself up at a time of its own).
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if COUNTED.get() {
            ALLOCATIONS.fetch_add(1, SeqCst);
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn replay_allocates_nothing() {
    COUNTED.set(true);
    let before = ALLOCATIONS.load(SeqCst);
    drop(Box::new(5));
    assert!(ALLOCATIONS.load(SeqCst) > before, "the counter counts");

    // All of them stay until the end: threads that leave allocate (in the memory reclamation of rayon's queues).
    let engines = [Engine::serial(), Engine::threaded(1), Engine::threaded(2)];
    for engine in &engines {
        // Outside a pool `rayon::join` goes through rayon's global one, whose queues allocate; the engine has no part in it.
        let parallel = !engine.is_serial();
        let (arena, weights) = (Buffer::zeroed(4096).unwrap(), Buffer::from_slice(&[1u8; 1024]).unwrap());
        let first = Operands::builder().read(&weights, 0..1024).write(&arena, 0..1024).build().unwrap();
        let second = Operands::builder().read(&arena, 0..1024).write(&arena, 2048..3072).build().unwrap();
        let vars = VarLists::of([&first, &second]);
        let loss = engine.new_var();
        let sum = Arc::new(AtomicUsize::new(0));
        let forward = engine.prepare(&vars.reads(), &vars.writes(), Properties::new("forward"), move |ctx| {
            let copy = |reads: &[&[u8]], writes: &mut [&mut [u8]]| {
                let mid = reads[0].len() / 2;
                let ((a, b), (x, y)) = (reads[0].split_at(mid), writes[0].split_at_mut(mid));
                let mut halves = (|| x.copy_from_slice(a), || y.copy_from_slice(b));
                if parallel {
                    rayon::join(halves.0, halves.1);
                } else {
                    halves.0();
                    halves.1();
                }
            };
            ctx.with(&first, copy)?;
            Ok(ctx.with(&second, copy)?)
        });
        let (out, total) = (arena.clone(), sum.clone());
        let measure =
            engine.prepare(&[arena.var()], &[&loss], Properties::new("loss").priority(1), move |ctx| {
                let bytes = ctx.read(&out)?;
                total.fetch_add(bytes.iter().map(|&b| usize::from(b)).sum(), SeqCst);
                Ok(())
            });
        let step = || {
            engine.push_prepared(&forward);
            engine.push_prepared(&measure);
        };
        // Every thread of the pool answers here, so all of them have started before the count.
        let pool = engine.new_var();
        engine.push(&[], &[&pool], "count the pool", move |_| {
            if parallel {
                rayon::broadcast(|_| COUNTED.set(true));
            }
            Ok(())
        });
        // Warm: run ahead as far as allowed, wait both ways.
        for _ in 0..100 {
            step();
        }
        engine.wait_for(&loss).unwrap();
        engine.wait_all().unwrap();

        let before = ALLOCATIONS.load(SeqCst);
        for round in 0..1000 {
            step();
            if round % 10 == 0 {
                engine.wait_for(&loss).unwrap();
            }
        }
        engine.wait_all().unwrap();
        assert_eq!(ALLOCATIONS.load(SeqCst) - before, 0, "{engine:?}");
        assert_eq!(sum.load(SeqCst), 1100 * 2048);
    }
}
