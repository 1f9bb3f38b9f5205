//! The threaded engine: pools of threads with worker loops that never leave them.

use std::sync::{Arc, Barrier, Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::context::Inside;
use super::core::Core;
use super::error::StartError;
use super::op::Op;
use super::profile;
use super::properties::Lane;
use super::ready::ReadyQueue;

/// Ready queues and pools, one of each per lane.
///
/// A worker loop is a task *of* the pool: kernels called in it use `rayon::join` directly, with no hand-over between pools
/// and no allocation. The other threads of the pool help these kernels.
pub(super) struct Threads {
    lanes: [ReadyQueue; 2],
    /// Held for their drop: a pool's threads leave when the engine does.
    pools: Mutex<Vec<ThreadPool>>,
}

/// Threads and worker loops of one lane.
pub(super) struct LaneSize {
    pub(super) threads: usize,
    pub(super) workers: usize,
}

impl Threads {
    pub(super) fn new(max_pending: usize, spins: u32) -> Threads {
        // A little more than can be pending from outside, so that the heap never grows in ordinary use.
        let queue = || ReadyQueue::new(max_pending.min(1 << 16) + 64, spins);
        Threads { lanes: [queue(), queue()], pools: Mutex::new(Vec::new()) }
    }

    /// Starts the worker loops; returns when all of them run.
    pub(super) fn start(&self, core: &Arc<Core>, sizes: [LaneSize; 2]) -> Result<(), StartError> {
        let mut pools = Vec::new();
        for (lane, size) in Lane::ALL.into_iter().zip(&sizes) {
            let pool = ThreadPoolBuilder::new()
                .num_threads(size.threads)
                .thread_name(move |i| format!("mxr-{}-{i}", lane.name()))
                .start_handler(move |i| {
                    // Helpers of a kernel count as inside an operation too: they must not wait either.
                    std::mem::forget(Inside::enter());
                    profile::name_thread(lane, i);
                })
                .build()
                .map_err(|e| StartError::Threads { threads: size.threads, reason: e.to_string() })?;
            pools.push(pool);
        }
        for ((lane, size), pool) in Lane::ALL.into_iter().zip(&sizes).zip(&pools) {
            // The barrier is load-bearing: a loop that had not started could be picked up inside a kernel's `join` and
            // never give that kernel its thread back.
            let started = Arc::new(Barrier::new(size.workers + 1));
            for _ in 0..size.workers {
                let (core, started) = (Arc::clone(core), Arc::clone(&started));
                pool.spawn(move || {
                    started.wait();
                    work(&core, lane);
                });
            }
            started.wait();
        }
        *self.pools.lock().unwrap_or_else(PoisonError::into_inner) = pools;
        Ok(())
    }

    pub(super) fn enqueue(&self, op: Box<Op>) {
        let lane = op.props().lane;
        self.lane(lane).push(op);
    }

    pub(super) fn call_all(&self) {
        self.lanes.iter().for_each(ReadyQueue::call_all);
    }

    fn lane(&self, lane: Lane) -> &ReadyQueue {
        &self.lanes[lane as usize]
    }
}

fn work(core: &Arc<Core>, lane: Lane) {
    let super::core::Runner::Threads(threads) = &core.runner else { return };
    while let Some(op) = threads.lane(lane).next(|| core.finished()) {
        core.execute(op);
    }
}
