//! Joining one run at a time.

use crate::concat::Concat;

/// `y` holds for every outer index the runs of all inputs one after the other.
pub fn concat<T: Copy>(d: &Concat, inputs: &[&[T]], y: &mut [T]) {
    let mut at = 0;
    for o in 0..d.outer {
        for x in inputs {
            let run = x.len() / d.outer;
            for i in 0..run {
                y[at] = x[o * run + i];
                at += 1;
            }
        }
    }
}
