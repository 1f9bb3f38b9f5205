//! FNV-1a, for numbers that have to be the same on every machine and in every run.

/// Of nothing.
pub const START: u64 = 0xcbf2_9ce4_8422_2325;

/// With one number more; the algorithm's own numbers are bytes.
///
/// ```
/// use mxr_graph::fnv;
/// assert_eq!(fnv::mix(fnv::START, u64::from(b'a')), 0xaf63_dc4c_8601_ec8c);
/// ```
pub fn mix(hash: u64, x: u64) -> u64 {
    (hash ^ x).wrapping_mul(0x0100_0000_01b3)
}

/// Of a text.
pub fn text(text: &str) -> u64 {
    text.bytes().fold(START, |h, b| mix(h, u64::from(b)))
}
