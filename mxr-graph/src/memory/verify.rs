//! The proof of a plan: the steps are replayed on a map of the memory, every write must land on bytes that nobody needs
//! any more, and every read must find what was written.

use super::lifetime::last_uses;
use super::{ALIGN, InPlace, Plan, Problem};
use crate::program::Place;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The arena; outside value `v` is space `v + 1`.
const ARENA: u32 = 0;
/// The last use of what the user gives or keeps.
const FOREVER: u32 = u32::MAX;

/// What some bytes hold.
struct Held {
    end: u64,
    /// The value whose contents they are; views of it are the same contents.
    value: u32,
    /// The last step that reads any of them.
    last: u32,
}

/// Check that every write lands on free bytes, or on those of an operand that the step may overwrite, and that everything
/// is still there when it is read.
pub fn verify(problem: &Problem, plan: &Plan) -> Result<(), String> {
    let mut last = last_uses(problem);
    let mut contents: Vec<u32> = (0..problem.sizes.len() as u32).collect();
    let mut memory: BTreeMap<(u32, u64), Held> = BTreeMap::new();
    let place = |v: u32| match plan.places[v as usize] {
        Place::Fixed(offset) => Ok((ARENA, offset)),
        Place::Outside if problem.outside[v as usize] => Ok((v + 1, 0)),
        Place::Same(root) if problem.outside[root as usize] => Ok((root + 1, 0)),
        other => Err(format!("value {v} is used, but its place is {other:?}")),
    };
    let mut made = alloc::vec![false; problem.sizes.len()];
    for w in problem.steps.iter().flat_map(|s| &s.writes) {
        made[*w as usize] = true;
    }
    for v in (0..problem.sizes.len()).filter(|v| problem.outside[*v]) {
        last[v] = FOREVER;
        if !made[v] && problem.sizes[v] > 0 {
            let held = Held { end: problem.sizes[v], value: v as u32, last: FOREVER };
            memory.insert((v as u32 + 1, 0), held);
        }
    }

    for (t, step) in problem.steps.iter().enumerate() {
        let t = t as u32;
        for r in &step.reads {
            let at = place(*r)?;
            let there = memory.get(&at).map(|h| h.value) == Some(contents[*r as usize]);
            if !there && problem.sizes[*r as usize] > 0 {
                return Err(format!("step {t} reads value {r}, which is not at {at:?} any more"));
            }
        }
        let mut written: Vec<(u32, u64)> = Vec::new();
        for (i, w) in step.writes.iter().enumerate() {
            let (w, size) = (*w, problem.sizes[*w as usize]);
            let (space, offset) = place(w)?;
            if size == 0 {
                continue;
            }
            let end = offset + size;
            if space == ARENA && (end > plan.bytes || offset % ALIGN != 0) {
                return Err(format!("value {w} lies at {offset}..{end} of {} bytes", plan.bytes));
            }
            if step.inplace == InPlace::View && i == 0 {
                let source = contents[step.reads[0] as usize];
                if let Some(held) = memory.get_mut(&(space, offset))
                    && held.value == source
                {
                    held.last = held.last.max(last[w as usize]);
                    contents[w as usize] = source;
                    continue;
                }
            }
            // What overlaps must be dead, or die here and be overwritten by permission.
            loop {
                let below = memory.range((space, 0)..(space, end)).next_back();
                let Some((at, held)) = below.filter(|(_, h)| h.end > offset) else { break };
                let at = *at;
                let permitted = at.1 == offset
                    && held.end == end
                    && held.last == t
                    && !written.contains(&at)
                    && step
                        .reads
                        .iter()
                        .enumerate()
                        .all(|(r, v)| contents[*v as usize] != held.value || step.inplace.permits(r, i));
                if held.last >= t && !permitted {
                    return Err(format!(
                        "step {t} writes value {w} over value {}, which is needed until step {}",
                        held.value, held.last
                    ));
                }
                memory.remove(&at);
            }
            memory.insert((space, offset), Held { end, value: w, last: last[w as usize] });
            written.push((space, offset));
        }
    }
    Ok(())
}
