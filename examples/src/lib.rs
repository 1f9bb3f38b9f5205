//! The zoo and the helpers that the example programs share.

pub mod chart;
pub mod digits;
pub mod distort;
pub mod summary;
pub mod zoo;
