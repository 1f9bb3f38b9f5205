//! mxr
pub mod engine;
pub mod io;
pub mod storage;
