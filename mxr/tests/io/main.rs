//! File formats and data iterators: against files that other systems wrote, against hand-made bytes, and against
//! damaged input.

mod alloc;
#[path = "../common/mod.rs"]
mod common;
mod csv;
mod files;
mod hostile;
mod idx;
mod iter;
mod numpy;
mod params;
mod safetensors;
mod samples;
mod strategies;
