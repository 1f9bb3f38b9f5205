//! Compile-fail tests of `network!` live in `cases/`; this crate has no code of its own.
