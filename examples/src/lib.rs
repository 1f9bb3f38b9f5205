//! The zoo and the helpers that the example programs share.

pub mod zoo;
