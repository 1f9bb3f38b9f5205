//! Offsets in one arena for buffers with known lives: dynamic storage allocation, offline.
//!
//! No method is best for every graph, so quick ones come first and the work stops as soon as a result is as good as
//! the bound allows:
//!
//! 1. *Long lives as a skyline, short lives in the gaps.* What training keeps for its backward pass dies in reverse
//!    order, so these lives nest; stacked from the longest to the shortest they reach the bound. The short ones are placed
//!    above the stack, largest first, each in the smallest gap that holds it.
//! 2. *Best fit over all pairs*, in order of size, of size times life and of life; the buffer that ends highest is then
//!    placed earlier and all is done again, as long as that helps and the graph's size allows it.

use super::lifetime::Item;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// Lives of more steps than this are stacked.
const SHORT: u32 = 12;
/// Plans that exceed the bound by less than one part in this many are good enough.
const GOOD: u64 = 200;
/// Pairs of buffers that the second method may look at in all its runs; the first always runs.
const VISITS: usize = 400_000;
/// But for graphs with more buffers than this, of which it places the largest only.
const MOST: usize = 1700;

/// The offsets of `buffers` buffers, 0 for those that are not among the items, and the bytes of the arena.
pub(super) fn assign(items: &[Item], buffers: usize, steps: usize) -> (Vec<u64>, u64) {
    let bound = most_alive(items, steps);
    let good = bound + bound / GOOD;
    let mut best = skyline(items, steps);
    if best.bytes > good {
        let visits = (items.len() * items.len() / 2).max(1);
        let mut runs = (VISITS / visits).max(usize::from(items.len() <= MOST));
        for order in orders(items) {
            if runs == 0 || best.bytes <= good {
                break;
            }
            best = improve(items, order, &mut runs, best, good);
        }
        if items.len() > MOST {
            let split = largest_apart(items, steps);
            best = if split.bytes < best.bytes { split } else { best };
        }
    }
    let mut offsets = alloc::vec![0; buffers];
    for (i, o) in items.iter().zip(&best.offsets) {
        offsets[i.buffer as usize] = *o;
    }
    (offsets, best.bytes)
}

/// The largest buffers by the second method, the many small ones above them by the first.
fn largest_apart(items: &[Item], steps: usize) -> Placed {
    let mut order = orders(items).next().expect("the first by size");
    let small = order.split_off(MOST);
    let mut placed = all_pairs(items, &order);
    let rest: Vec<Item> = small.iter().map(|i| items[*i as usize]).collect();
    let above = skyline(&rest, steps);
    for (i, offset) in small.iter().zip(&above.offsets) {
        placed.offsets[*i as usize] = placed.bytes + offset;
    }
    placed.bytes += above.bytes;
    placed
}

/// By size, by size times life, by life; ties by what comes first.
fn orders(items: &[Item]) -> impl Iterator<Item = Vec<u32>> {
    let life = |i: &Item| u64::from(i.last - i.first + 1);
    (0..3).map(move |by| {
        let key = |i: &Item| match by {
            0 => (i.size, life(i)),
            1 => (i.size.saturating_mul(life(i)), i.size),
            _ => (life(i), i.size),
        };
        let mut order: Vec<_> = items.iter().zip(0u32..).map(|(i, at)| (Reverse(key(i)), at)).collect();
        order.sort_unstable();
        order.into_iter().map(|(_, at)| at).collect()
    })
}

/// Place in this order; then, while runs are left and it helps, place the buffer that ended highest earlier.
fn improve(items: &[Item], mut order: Vec<u32>, runs: &mut usize, mut best: Placed, good: u64) -> Placed {
    // Tries in a row that did not help; more of them seldom do.
    let mut idle = 0;
    while *runs > 0 && idle < 6 && best.bytes > good {
        *runs -= 1;
        let placed = all_pairs(items, &order);

        let top =
            order.iter().position(|i| placed.offsets[*i as usize] + items[*i as usize].size == placed.bytes);
        idle = if placed.bytes < best.bytes { 0 } else { idle + 1 };
        if placed.bytes < best.bytes {
            best = placed;
        }
        match top {
            Some(at) if at > 0 => {
                let i = order.remove(at);
                order.insert(at / 2, i);
            }
            _ => break,
        }
    }
    best
}

/// The largest sum of sizes alive at one step.
pub(super) fn most_alive(items: &[Item], steps: usize) -> u64 {
    alive(items, steps).into_iter().max().unwrap_or(0)
}

/// The sum of sizes alive at each step.
pub(super) fn alive(items: &[Item], steps: usize) -> Vec<u64> {
    let mut change = alloc::vec![(0u64, 0u64); steps + 1];
    for i in items {
        change[i.first as usize].0 += i.size;
        change[i.last as usize + 1].1 += i.size;
    }
    let mut now = 0;
    let at = |(born, dead): &(u64, u64)| {
        now = now - dead + born;
        now
    };
    change[..steps].iter().map(at).collect()
}

struct Placed {
    /// One per item.
    offsets: Vec<u64>,
    bytes: u64,
}

/// Gaps between placed neighbours: feed them in order of offsets.
struct Gaps {
    size: u64,
    end: u64,
    best: Option<(u64, u64)>,
}

impl Gaps {
    fn above(floor: u64, size: u64) -> Gaps {
        Gaps { size, end: floor, best: None }
    }

    fn next(&mut self, offset: u64, size: u64) {
        if offset >= self.end + self.size {
            let gap = offset - self.end;
            if self.best.is_none_or(|(g, _)| gap < g) {
                self.best = Some((gap, self.end));
            }
        }
        self.end = self.end.max(offset + size);
    }

    fn offset(&self) -> u64 {
        self.best.map_or(self.end, |(_, o)| o)
    }
}

/// Every buffer in the smallest gap between all those placed before it that live at the same time.
///
/// The inner loop is plain, as it runs in macros, which are compiled without optimisation.
fn all_pairs(items: &[Item], order: &[u32]) -> Placed {
    // In order of their offsets.
    let mut placed: Vec<(u64, Item)> = Vec::with_capacity(items.len());
    let (mut offsets, mut bytes) = (alloc::vec![0; items.len()], 0);
    for at in order {
        let at = *at as usize;
        let Item { size, first, last, .. } = items[at];
        let (mut end, mut gap, mut best) = (0, u64::MAX, 0);
        let list = &placed[..];
        let mut i = 0;
        while i < list.len() {
            let (offset, other) = &list[i];
            i += 1;
            if other.first > last || first > other.last {
                continue;
            }
            let (offset, top) = (*offset, *offset + other.size);
            if offset >= end + size && offset - end < gap {
                gap = offset - end;
                best = end;
            }
            if top > end {
                end = top;
            }
        }
        let offset = if gap == u64::MAX { end } else { best };
        let place = placed.partition_point(|p| p.0 < offset);
        placed.insert(place, (offset, items[at]));
        offsets[at] = offset;
        bytes = bytes.max(offset + size);
    }
    Placed { offsets, bytes }
}

/// Long lives stacked by falling length, then short ones by falling size in the smallest gap above the stack.
fn skyline(items: &[Item], steps: usize) -> Placed {
    let (mut offsets, mut bytes) = (alloc::vec![0; items.len()], 0);
    let (mut long, mut short): (Vec<u32>, Vec<u32>) =
        (0..items.len() as u32).partition(|i| items[*i as usize].last - items[*i as usize].first >= SHORT);
    long.sort_unstable_by_key(|i| {
        let item = &items[*i as usize];
        (Reverse(item.last - item.first), item.first, item.buffer)
    });
    let mut sky = Skyline::new();
    for at in long {
        let item = items[at as usize];
        offsets[at as usize] = sky.stack(item.first, item.last, item.size);
        bytes = bytes.max(offsets[at as usize] + item.size);
    }

    short.sort_unstable_by_key(|i| {
        let item = &items[*i as usize];
        (Reverse(item.size), item.first, item.buffer)
    });
    // Per step, the short ones that live in it: (offset, size).
    let mut alive: Vec<Vec<(u64, u64)>> = alloc::vec![Vec::new(); steps];
    let mut near: Vec<(u64, u64)> = Vec::new();
    for at in short {
        let item = items[at as usize];
        let lives = item.first as usize..item.last as usize + 1;
        near.clear();
        for t in lives.clone() {
            near.extend_from_slice(&alive[t]);
        }
        near.sort_unstable();
        let mut gaps = Gaps::above(sky.height(item.first, item.last), item.size);
        for (offset, size) in &near {
            gaps.next(*offset, *size);
        }
        let offset = gaps.offset();
        for t in lives {
            alive[t].push((offset, item.size));
        }
        offsets[at as usize] = offset;
        bytes = bytes.max(offset + item.size);
    }
    Placed { offsets, bytes }
}

/// The height of the stack over time, as steps of a staircase: from a time to the height from then on.
struct Skyline {
    stairs: BTreeMap<u32, u64>,
}

impl Skyline {
    fn new() -> Skyline {
        Skyline { stairs: BTreeMap::from([(0, 0)]) }
    }

    /// The largest height from step `first` to step `last`.
    fn height(&self, first: u32, last: u32) -> u64 {
        let before = self.stairs.range(..=first).next_back().map_or(0, |(_, h)| *h);
        self.stairs.range(first..=last).map(|(_, h)| *h).fold(before, u64::max)
    }

    /// Put a block on top of everything that lives at the same time; gives its offset.
    fn stack(&mut self, first: u32, last: u32, size: u64) -> u64 {
        let offset = self.height(first, last);
        let after = self.stairs.range(..=last + 1).next_back().map_or(0, |(_, h)| *h);
        let inside: Vec<u32> = self.stairs.range(first..=last).map(|(t, _)| *t).collect();
        for t in inside {
            self.stairs.remove(&t);
        }
        self.stairs.insert(first, offset + size);
        self.stairs.entry(last + 1).or_insert(after);
        offset
    }
}
