//! The planner of MXNet 2015 (nnvm's rules), to hold ours against: reference counts, in-place pairs, and free blocks that
//! serve later requests within a factor of 16 of their size.

use super::lifetime::NONE;
use super::{InPlace, Plan, Problem, aligned};
use crate::program::Place;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// Free blocks serve requests within this factor of their size.
const MATCH_RANGE: u64 = 16;

/// Plan with in-place results or not, and with free blocks used again or not.
pub(super) fn greedy(problem: &Problem, inplace: bool, share: bool) -> Plan {
    let count = problem.sizes.len();
    let mut uses = alloc::vec![0u32; count];
    for v in problem.steps.iter().flat_map(|s| &s.reads) {
        uses[*v as usize] += 1;
    }
    let mut g =
        Greedy { of: alloc::vec![NONE; count], refs: Vec::new(), blocks: Vec::new(), free: BTreeSet::new() };
    let mut outside: Vec<Option<u32>> = alloc::vec![None; count];
    for step in &problem.steps {
        if inplace && step.inplace == InPlace::View && !problem.outside[step.writes[0] as usize] {
            let (from, to) = (step.reads[0] as usize, step.writes[0] as usize);
            g.of[to] = g.of[from];
            if g.of[from] == NONE {
                outside[to] = outside[from].or(Some(from as u32));
            }
        }
        for (r, w) in step.inplace.pairs(step.reads.len()) {
            let (Some(w), r) = (step.writes.get(w), step.reads[r] as usize) else { continue };
            let (w, b) = (*w as usize, g.of[r]);
            let taken = step.writes.iter().any(|o| g.of[*o as usize] == b);
            let free = inplace && b != NONE && g.of[w] == NONE && !problem.outside[w] && !taken;
            // The count includes every operand of this step that lies in the block; only one may.
            if free && g.refs[b as usize] == 1 && problem.sizes[r] == problem.sizes[w] {
                g.of[w] = b;
            }
        }
        for w in &step.writes {
            let w = *w as usize;
            if problem.outside[w] || outside[w].is_some() {
                continue;
            }
            if g.of[w] == NONE {
                g.of[w] = g.request(aligned(problem.sizes[w]), share);
            }
            g.refs[g.of[w] as usize] += uses[w];
        }
        for v in step.reads.iter().chain(step.writes.iter().filter(|w| uses[**w as usize] == 0)) {
            let b = g.of[*v as usize];
            if b == NONE {
                continue;
            }
            let refs = &mut g.refs[b as usize];
            *refs = refs.saturating_sub(u32::from(uses[*v as usize] > 0));
            if *refs == 0 && share {
                g.free.insert((g.blocks[b as usize], b));
            }
        }
    }
    let mut at = 0;
    let offsets: Vec<u64> = g
        .blocks
        .iter()
        .map(|size| {
            at += size;
            at - size
        })
        .collect();
    let place = |v: usize| match (g.of[v], outside[v]) {
        (NONE, Some(root)) => Place::Within(root, 0),
        (NONE, None) => Place::Outside,
        (b, _) => Place::Fixed(offsets[b as usize]),
    };
    Plan { bytes: at, places: (0..count).map(place).collect() }
}

struct Greedy {
    /// Value to block.
    of: Vec<u32>,
    /// Reads to come, per block.
    refs: Vec<u32>,
    /// Sizes of the blocks.
    blocks: Vec<u64>,
    /// `(size, block)`.
    free: BTreeSet<(u64, u32)>,
}

impl Greedy {
    fn request(&mut self, bytes: u64, share: bool) -> u32 {
        let found = if share { self.find(bytes) } else { None };
        match found {
            Some((size, b)) => {
                self.free.remove(&(size, b));
                self.blocks[b as usize] = size.max(bytes);
                b
            }
            None => {
                self.blocks.push(bytes);
                self.refs.push(0);
                (self.blocks.len() - 1) as u32
            }
        }
    }

    /// The smallest free block that is large enough, or else the largest that is too small (it grows).
    fn find(&self, bytes: u64) -> Option<(u64, u32)> {
        let above =
            self.free.range((bytes, 0)..).next().filter(|(s, _)| *s <= bytes.saturating_mul(MATCH_RANGE));
        let below = || {
            let least = bytes.div_ceil(MATCH_RANGE);
            self.free.range((least, 0)..(bytes, 0)).next_back()
        };
        above.or_else(below).copied()
    }
}
