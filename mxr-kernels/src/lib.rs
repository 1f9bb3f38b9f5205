//! CPU kernels of mxr: plain descriptors and slices in, numbers out.
//!
//! A *family* is a folder: its descriptor and checked entries in `mod.rs`, a naive `reference`, then faster
//! candidates in an ordered list. The first candidate that accepts a problem wins, the reference is last and
//! accepts everything; one suite holds every candidate against the reference.
//!
//! What every kernel promises:
//! * **The same bits for any number of threads.** Work is cut into blocks by the shape alone ([`par`]), or where no
//!   sum crosses the cut; sums that cross blocks are added in block order.
//! * **No allocation** in a call on a thread of the pool, after the first call has set up its scratch memory.
//! * **The instruction set is found at run time** ([`isa::Isa::detect`]): a plain `cargo build --release` is fast on every
//!   machine, and `MXR_ISA=portable` shows what a smaller one would compute.
//! * Lengths are checked once per call. A wrong length is a bug of the caller (the runtime), so it panics and says
//!   which invariant broke.
#![deny(unsafe_op_in_unsafe_fn)]

pub mod batch_norm;
pub mod bits;
pub mod cast;
pub mod concat;
pub mod conv2d;
pub mod cross_entropy;
pub mod dropout;
pub mod element;
pub mod epilogue;
pub mod expand;
pub mod fill;
pub mod gemm;
pub mod isa;
mod level;
pub mod lrn;
pub mod map;
pub mod map_reduce;
pub mod optimizer;
pub mod par;
pub mod pool2d;
pub mod random;
pub mod reduce;
pub mod relu_mask;
mod scratch;
#[doc(inline)]
pub use scratch::scratch_bytes;
mod share;
pub mod simd;
pub mod slice;
pub mod softmax;
mod stream;
mod strided;
#[cfg(test)]
mod testing;
pub mod transpose;
