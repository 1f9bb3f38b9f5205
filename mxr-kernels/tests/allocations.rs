//! Matrix products and convolutions allocate nothing once every thread has worked.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use mxr_graph::instr::ConvAttrs;
use mxr_kernels::conv2d::{self, Conv2d, Direction};
use mxr_kernels::epilogue::Epilogue;
use mxr_kernels::gemm::{Gemm, gemm};

/// Counts what the threads of the test's pool allocate.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if COUNTED.try_with(Cell::get).unwrap_or(false) {
            ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: the caller's contract is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above; `at` came from `alloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A convolution with its operands: x, weight, y, workspace.
type Layer = (Conv2d, Vec<f32>, Vec<f32>, Vec<f32>, Vec<f32>);

fn layer(x: [usize; 4], filters: usize, stride: usize, groups: usize) -> Layer {
    let [n, c, size, _] = x;
    let (weight, out) = ([filters, c / groups, 3, 3], (size - 1) / stride + 1);
    let attrs =
        ConvAttrs { stride: [stride as u32; 2], pad: [1; 4], groups: groups as u32, ..ConvAttrs::default() };
    let conv = Conv2d::new(x, weight, [n, filters, out, out], attrs).unwrap();
    let directions = [Direction::Forward, Direction::BackwardData, Direction::BackwardWeight];
    let workspace =
        directions.map(|direction| conv2d::workspace_len::<f32>(&conv, direction)).into_iter().max();
    let ones = |shape: [usize; 4]| vec![1.0; shape.iter().product()];
    (conv, ones(x), ones(weight), ones([n, filters, out, out]), vec![0.0; workspace.unwrap()])
}

#[test]
fn a_step_allocates_nothing_once_every_thread_has_worked() {
    for threads in [1, 2, 3] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .start_handler(|_| COUNTED.set(true))
            .build()
            .unwrap();
        pool.install(|| {
            let mut layers = [
                layer([4, 32, 20, 20], 40, 1, 1),
                layer([4, 3, 20, 20], 40, 1, 1),
                layer([4, 32, 20, 20], 40, 2, 2),
                layer([4, 16, 20, 20], 16, 1, 16),
            ];
            let (a, b, mut c) = (vec![1.0f32; 150 * 150], vec![1.0; 150 * 150], vec![0.0; 150 * 150]);
            let mut step = || {
                for (conv, x, weight, y, workspace) in &mut layers {
                    conv2d::forward(conv, x, weight, Epilogue::NONE, y, workspace);
                    conv2d::backward_data(conv, y, weight, Epilogue::NONE, x, workspace);
                    conv2d::backward_weight(conv, x, y, weight, workspace);
                    x.fill(1.0);
                    weight.fill(1.0);
                }
                for m in [1, 8, 150] {
                    gemm(&Gemm::new(m, 150, 150).transposed(false, true), &a, &b, Epilogue::NONE, &mut c);
                }
            };
            // A thread allocates a few times in its life: when it first borrows a buffer, and when it first steals work, which is
            // up to chance. What every step allocated would show in every stretch.
            let mut stretch = || {
                let before = ALLOCATIONS.load(Ordering::Relaxed);
                (0..20).for_each(|_| step());
                ALLOCATIONS.load(Ordering::Relaxed) - before
            };
            let counts: Vec<usize> = (0..=2 * threads).map(|_| stretch()).collect();
            assert!(
                counts.contains(&0),
                "{threads} threads allocate {counts:?} times in stretches of 20 steps"
            );
            assert!(counts[1..].iter().sum::<usize>() <= threads, "{threads} threads: {counts:?}");
        });
    }
}
