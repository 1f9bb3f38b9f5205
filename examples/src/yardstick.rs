//! What the machine can do, for speeds to be held against: fused multiply-adds out of registers, and copies of memory; and
//! numbers to measure with.

use mxr_kernels::isa::Isa;
use mxr_kernels::par;
use mxr_kernels::simd::{Kernel, vectorize};
use std::hint::black_box;
use std::sync::OnceLock;
use std::time::Instant;

/// [`measured_fma_peak`] on all threads, measured once per process.
pub fn fma_peak() -> f64 {
    static PEAK: OnceLock<f64> = OnceLock::new();
    *PEAK.get_or_init(measured_fma_peak)
}

/// Floating-point operations a second of `f32` multiply-adds on numbers that stay in registers for many of them, on the threads
/// that loops started here may use; the best of several tries.
pub fn measured_fma_peak() -> f64 {
    let threads = par::threads();
    let flops = 2.0 * (threads * NUMBERS * CHAIN * STEPS) as f64;
    let fused = Isa::detect() > Isa::Portable;
    best(300, || {
        flops
            / timed(|| {
                par::for_blocks(threads, |_| {
                    let mut x = black_box([1f32; NUMBERS]);
                    match fused {
                        true => vectorize(Isa::detect(), Spin::<true>(&mut x)),
                        false => vectorize(Isa::detect(), Spin::<false>(&mut x)),
                    }
                    black_box(x);
                });
            })
    })
}

/// Bytes a second that `copy_from_slice` reads and writes together, on all threads, in arrays far larger than the caches.
pub fn copy_bandwidth() -> f64 {
    static BANDWIDTH: OnceLock<f64> = OnceLock::new();
    *BANDWIDTH.get_or_init(|| {
        const ELEMENTS: usize = 1 << 24;
        const BLOCK: usize = 1 << 18;
        let from = vec![1f32; ELEMENTS];
        let mut to = vec![0f32; ELEMENTS];
        let mut copy = || {
            par::for_each_mut(&mut to, BLOCK, |i, to| to.copy_from_slice(&from[i * BLOCK..][..to.len()]));
            black_box(&mut to);
        };
        copy();
        best(40, || (2 * 4 * ELEMENTS) as f64 / timed(&mut copy))
    })
}

/// Numbers in −½ to ½ without a pattern that a cache or a branch predictor could learn; the same in every run.
pub fn numbers(n: usize) -> Vec<f32> {
    (0..n as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32 - 0.5).collect()
}

/// Far more independent chains than a processor has in flight, in far less than a first-level cache.
const NUMBERS: usize = 1024;
/// Multiply-adds between a load and a store.
const CHAIN: usize = 16;
const STEPS: usize = 2000;

/// `FUSED`: multiply-add is one instruction; otherwise the library's call would be no yardstick.
struct Spin<'a, const FUSED: bool>(&'a mut [f32; NUMBERS]);

impl<const FUSED: bool> Kernel for Spin<'_, FUSED> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (a, b) = (black_box(0.999_9f32), black_box(1e-4f32));
        for _ in 0..STEPS {
            for x in self.0.iter_mut() {
                for _ in 0..CHAIN {
                    *x = if FUSED { x.mul_add(a, b) } else { *x * a + b };
                }
            }
        }
    }
}

fn timed(f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_secs_f64()
}

/// The best of so many tries, or of those that fit into a second: a build without optimisation is far from any peak.
fn best(tries: usize, mut rate: impl FnMut() -> f64) -> f64 {
    let start = Instant::now();
    let mut best = rate();
    for _ in 1..tries {
        if start.elapsed().as_secs() >= 1 {
            break;
        }
        best = best.max(rate());
    }
    best
}
