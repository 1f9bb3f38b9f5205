//! The best rate of `f32` products of square matrices, one line per size: `SIZE GFLOP/s`, and `peak GFLOP/s` for multiply-adds
//! out of registers. `benches/peers/gemm.py` runs it beside other systems.
//!
//! ```sh
//! RAYON_NUM_THREADS=1 cargo run --release -p mxr-benches --example gemm
//! ```

use mxr_benches::{numbers, yardstick};
use mxr_kernels::epilogue::Epilogue;
use mxr_kernels::gemm::{Gemm, gemm};
use std::time::Instant;

fn main() {
    println!("peak {:.1}", yardstick::fma_peak() / 1e9);
    for size in [256, 512, 1024, 2048] {
        let (a, b) = (numbers(size * size), numbers(size * size));
        let mut c = vec![0f32; size * size];
        let desc = Gemm::new(size, size, size);
        let flops = 2.0 * (size as f64).powi(3);
        let mut best = f64::INFINITY;
        let start = Instant::now();
        while start.elapsed().as_secs_f64() < 0.7 {
            let one = Instant::now();
            gemm(&desc, &a, &b, Epilogue::NONE, &mut c);
            best = best.min(one.elapsed().as_secs_f64());
        }
        println!("{size} {:.1}", flops / best / 1e9);
    }
}
