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

/// Where bytes are.
type At = (u32, u64);

/// Bytes of a value, from this one of it on.
#[derive(Clone, Copy, PartialEq)]
struct Piece {
    value: u32,
    from: u64,
    len: u64,
}

/// Check that every write lands on free bytes, or on those of an operand that the step may overwrite, and that everything
/// is still there when it is read.
pub fn verify(problem: &Problem, plan: &Plan) -> Result<(), String> {
    Replay::new(problem, plan)?.run()
}

struct Replay<'a> {
    problem: &'a Problem,
    plan: &'a Plan,
    last: Vec<u32>,
    /// What was written into memory, by where it begins.
    memory: BTreeMap<At, Piece>,
    /// The contents of views and of other values that are no copies, in terms of values that were written.
    contents: Vec<Option<Vec<Piece>>>,
    /// For every value that was written: who else needs bytes of it (that value, and which bytes).
    needed: Vec<Vec<(u32, u64, u64)>>,
}

impl<'a> Replay<'a> {
    fn new(problem: &'a Problem, plan: &'a Plan) -> Result<Replay<'a>, String> {
        let count = problem.sizes.len();
        let mut r = Replay {
            problem,
            plan,
            last: last_uses(problem),
            memory: BTreeMap::new(),
            contents: alloc::vec![None; count],
            needed: alloc::vec![Vec::new(); count],
        };
        let mut made = alloc::vec![false; count];
        for w in problem.steps.iter().flat_map(|s| &s.writes) {
            made[*w as usize] = true;
        }
        for v in (0..count).filter(|v| problem.outside[*v]) {
            r.last[v] = FOREVER;
            if !made[v] {
                r.put(v as u32, (v as u32 + 1, 0));
            }
        }
        Ok(r)
    }

    fn run(mut self) -> Result<(), String> {
        let problem = self.problem;
        for (t, step) in problem.steps.iter().enumerate() {
            for r in &step.reads {
                if let Some(at) = self.missing(*r)? {
                    return Err(format!("step {t} reads value {r}, which is not at {at:?} any more"));
                }
            }
            let mut written: Vec<At> = Vec::new();
            for (i, w) in step.writes.iter().enumerate() {
                let at = self.place(*w)?;
                let end = at.1 + self.size(*w);
                let aligned = at.1 % ALIGN == 0 || self.within(*w);
                if at.0 == ARENA && self.size(*w) > 0 && (end > self.plan.bytes || !aligned) {
                    return Err(format!("value {w} lies at {}..{end} of {} bytes", at.1, self.plan.bytes));
                }
                if i == 0 && self.is_there(step.inplace, &step.reads, *w)? {
                    continue;
                }
                if self.size(*w) > 0 {
                    self.write(t as u32, i, *w, at, &written)?;
                    written.push(at);
                }
            }
        }
        Ok(())
    }

    fn size(&self, v: u32) -> u64 {
        self.problem.sizes[v as usize]
    }

    fn place(&self, v: u32) -> Result<At, String> {
        match self.plan.places[v as usize] {
            Place::Fixed(offset) => Ok((ARENA, offset)),
            Place::Outside if self.problem.outside[v as usize] => Ok((v + 1, 0)),
            Place::Within(root, at) if self.problem.outside[root as usize] => {
                match at + self.size(v) <= self.size(root) {
                    true => Ok((root + 1, at)),
                    false => Err(format!("value {v} reaches beyond value {root}, in which it lies")),
                }
            }
            other => Err(format!("value {v} is used, but its place is {other:?}")),
        }
    }

    /// Whether a value may begin anywhere: it is made to be a part of another.
    fn within(&self, v: u32) -> bool {
        let parts = |s: &&super::Access| matches!(s.inplace, InPlace::Concat | InPlace::Part(_));
        let mut steps = self.problem.steps.iter().filter(parts);
        steps.any(|s| s.reads.contains(&v) || s.writes.first() == Some(&v)) || {
            // Or it was written over one that is.
            let place = self.plan.places[v as usize];
            let mut steps = self.problem.steps.iter().filter(parts);
            steps.any(|s| s.reads.iter().chain(&s.writes).any(|o| self.plan.places[*o as usize] == place))
        }
    }

    /// What a value's bytes are made of.
    fn pieces(&self, v: u32) -> Vec<Piece> {
        let own = || alloc::vec![Piece { value: v, from: 0, len: self.size(v) }];
        self.contents[v as usize].clone().unwrap_or_else(own)
    }

    /// Where a value should be, if it is not all there.
    fn missing(&self, v: u32) -> Result<Option<At>, String> {
        let at = self.place(v)?;
        let own = [Piece { value: v, from: 0, len: self.size(v) }];
        let mut next = at.1;
        for p in self.contents[v as usize].as_deref().unwrap_or(&own).iter().filter(|p| p.len > 0) {
            let there = match self.memory.get(&(at.0, next)) {
                Some(held) => Some((next, held)),
                None => self.memory.range(..(at.0, next)).next_back().map(|(k, h)| (k.1, h)),
            };
            let found = there.is_some_and(|(begin, held)| {
                held.value == p.value
                    && begin + held.len >= next + p.len
                    && held.from + (next - begin) == p.from
            });
            if !found {
                return Ok(Some((at.0, next)));
            }
            next += p.len;
        }
        Ok(None)
    }

    /// Whether result `w` lies where it is a view, a part or the whole of its operands, and so is there already.
    fn is_there(&mut self, inplace: InPlace, reads: &[u32], w: u32) -> Result<bool, String> {
        let at = self.place(w)?;
        let place = |r: u32| self.place(r);
        let pieces: Vec<Piece> = match inplace {
            InPlace::View if place(reads[0])? == at => self.pieces(reads[0]),
            InPlace::Part(begin) if place(reads[0])? == (at.0, at.1.wrapping_sub(begin)) => {
                cut(&self.pieces(reads[0]), begin, self.size(w))
            }
            InPlace::Concat => {
                let mut next = at.1;
                for r in reads {
                    if place(*r)? != (at.0, next) {
                        return Ok(false);
                    }
                    next += self.size(*r);
                }
                reads.iter().flat_map(|r| self.pieces(*r)).collect()
            }
            _ => return Ok(false),
        };
        for p in &pieces {
            self.needed[p.value as usize].push((w, p.from, p.len));
        }
        self.contents[w as usize] = Some(pieces);
        Ok(true)
    }

    /// Result `i` of step `t` is written: what it overlaps must be dead, or die here and be overwritten by permission.
    fn write(&mut self, t: u32, i: usize, w: u32, at: At, written: &[At]) -> Result<(), String> {
        let (begin, end) = (at.1, at.1 + self.size(w));
        loop {
            let below = self.memory.range((at.0, 0)..(at.0, end)).next_back();
            let Some(((space, from), held)) = below.filter(|((_, b), h)| b + h.len > begin) else { break };
            let (key, held) = ((*space, *from), *held);
            let (low, high) = (key.1.max(begin), (key.1 + held.len).min(end));
            let bytes = (held.from + (low - key.1), high - low);
            for user in self.users(held.value, bytes) {
                let last = self.last[user as usize];
                let step = &self.problem.steps[t as usize];
                let exactly = self.place(user)? == at && self.size(user) == self.size(w);
                let permitted = last == t
                    && exactly
                    && !written.contains(&at)
                    && step.reads.iter().enumerate().all(|(r, v)| *v != user || step.inplace.permits(r, i));
                // What this step reads is needed as a whole, and what it wrote is.
                if last != u32::MAX && last < t || permitted {
                    continue;
                }
                return Err(format!(
                    "step {t} writes value {w} over value {user}, which is needed until step {last}"
                ));
            }
            self.memory.remove(&key);
            if key.1 < begin {
                self.memory.insert(key, Piece { len: begin - key.1, ..held });
            }
            if key.1 + held.len > end {
                let skipped = end - key.1;
                let rest = Piece { from: held.from + skipped, len: held.len - skipped, ..held };
                self.memory.insert((key.0, end), rest);
            }
        }
        self.put(w, at);
        Ok(())
    }

    /// The values that need any of these bytes of a value that was written, itself among them.
    fn users(&self, value: u32, (from, len): (u64, u64)) -> impl Iterator<Item = u32> {
        let shared =
            self.needed[value as usize].iter().filter(move |(_, f, l)| *f < from + len && from < f + l);
        core::iter::once(value).chain(shared.map(|(v, ..)| *v))
    }

    fn put(&mut self, v: u32, at: At) {
        if self.size(v) > 0 {
            self.memory.insert(at, Piece { value: v, from: 0, len: self.size(v) });
        }
    }
}

/// The bytes from `begin` on, `len` of them.
fn cut(pieces: &[Piece], begin: u64, len: u64) -> Vec<Piece> {
    let (mut out, mut at) = (Vec::new(), 0);
    for p in pieces {
        let (low, high) = (at.max(begin), (at + p.len).min(begin + len));
        if low < high {
            out.push(Piece { value: p.value, from: p.from + (low - at), len: high - low });
        }
        at += p.len;
    }
    out
}
