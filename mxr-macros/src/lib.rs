//! The `network!` macro: see the documentation of the crate `mxr`.
#![forbid(unsafe_code)]
