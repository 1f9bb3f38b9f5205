//! What the machine can do: fused multiply-adds out of registers, and copies of memory.

use mxr_kernels::isa::Isa;
use mxr_kernels::par;
use mxr_kernels::simd::{Kernel, vectorize};
use std::hint::black_box;
use std::sync::OnceLock;
use std::time::Instant;

/// Floating-point operations a second of `f32` multiply-adds that touch no memory, on all threads; the best of several
/// tries, measured once per process.
pub fn fma_peak() -> f64 {
    static PEAK: OnceLock<f64> = OnceLock::new();
    *PEAK.get_or_init(|| {
        let lanes = match Isa::detect() {
            Isa::Avx512 => LANES,
            // Half of the wide set's registers hold half as many numbers.
            Isa::Avx2 => LANES / 2,
            Isa::Portable => LANES / 4,
        };
        best(9, || {
            let threads = par::threads();
            let flops = 2.0 * (threads * lanes * CHAINS * STEPS) as f64;
            let time = timed(|| par::for_blocks(threads, |i| spin(lanes, i)));
            flops / time
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
        best(9, || (2 * 4 * ELEMENTS) as f64 / timed(&mut copy))
    })
}

/// Numbers of one vector of the widest set.
const LANES: usize = 16;
/// Independent chains: latency times issue rate, with some to spare.
const CHAINS: usize = 12;
const STEPS: usize = 2_000_000;

fn spin(lanes: usize, start: usize) {
    let isa = Isa::detect();
    let x = black_box(1.0 + start as f32 * 1e-9);
    match lanes {
        LANES => black_box(vectorize(isa, Spin::<16>(x))),
        8 => black_box(vectorize(isa, Spin::<8>(x))),
        _ => black_box(vectorize(isa, Spin::<4>(x))),
    };
}

struct Spin<const L: usize>(f32);

impl<const L: usize> Kernel for Spin<L> {
    type Output = f32;

    #[inline(always)]
    fn run(self) -> f32 {
        let (a, b) = ([self.0 * 0.999_9; L], [self.0 * 1e-4; L]);
        let mut sums = [[self.0; L]; CHAINS];
        for _ in 0..STEPS {
            for sum in &mut sums {
                for l in 0..L {
                    // The portable set has no fused one, and the library's call is no yardstick.
                    sum[l] = if L > 4 { sum[l].mul_add(a[l], b[l]) } else { sum[l] * a[l] + b[l] };
                }
            }
        }
        sums.iter().flatten().sum()
    }
}

fn timed(f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_secs_f64()
}

fn best(tries: usize, mut rate: impl FnMut() -> f64) -> f64 {
    (0..tries).map(|_| rate()).fold(0.0, f64::max)
}
