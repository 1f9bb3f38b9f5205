//! The zoo and the helpers that the example programs share.
