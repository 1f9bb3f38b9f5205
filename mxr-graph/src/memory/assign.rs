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
use super::neighbours::Neighbours;
use super::order::{self, count_less};
use alloc::vec::Vec;

/// Lives of up to this many steps are short.
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
        for order in order::orders(items) {
            if runs == 0 || best.bytes <= good {
                break;
            }
            best = improve(items, steps, order, &mut runs, best, good);
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
    let mut order = order::orders(items).next().expect("the first by size");
    let small = order.split_off(MOST);
    let mut placed = all_pairs(items, &order, steps);
    let rest: Vec<Item> = small.iter().map(|i| items[*i as usize]).collect();
    let above = skyline(&rest, steps);
    for (i, offset) in small.iter().zip(&above.offsets) {
        placed.offsets[*i as usize] = placed.bytes + offset;
    }
    placed.bytes += above.bytes;
    placed
}

/// Place in this order; then, while runs are left and it helps, place the buffer that ended highest earlier.
fn improve(
    items: &[Item],
    steps: usize,
    mut order: Vec<u32>,
    runs: &mut usize,
    mut best: Placed,
    good: u64,
) -> Placed {
    // Tries in a row that did not help; more of them seldom do.
    let mut idle = 0;
    while *runs > 0 && idle < 6 && best.bytes > good {
        *runs -= 1;
        let placed = all_pairs(items, &order, steps);

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

/// Every buffer in the smallest gap between all those placed before it that live at the same time.
fn all_pairs(items: &[Item], order: &[u32], steps: usize) -> Placed {
    let mut placed = Neighbours::new(steps);
    let (mut offsets, mut bytes) = (alloc::vec![0; items.len()], 0);
    for at in order {
        let item = items[*at as usize];
        let offset = placed.gap(item, 0);
        placed.insert(item, offset);
        offsets[*at as usize] = offset;
        bytes = bytes.max(offset + item.size);
    }
    Placed { offsets, bytes }
}

/// Long lives stacked by falling length, then short ones by falling size in the smallest gap above the stack.
fn skyline(items: &[Item], steps: usize) -> Placed {
    let (mut offsets, mut bytes) = (alloc::vec![0; items.len()], 0);
    let key = |i: &Item, falls: u64| order::pair(falls, (!i.first).into());
    let long = order::falling(items, |i| (i.life() > SHORT).then(|| key(i, i.life().into())));
    let short = order::falling(items, |i| (i.life() <= SHORT).then(|| key(i, i.size)));
    let mut sky = Skyline::new();
    for at in long {
        let item = items[at as usize];
        offsets[at as usize] = sky.stack(item.first, item.last, item.size);
        bytes = bytes.max(offsets[at as usize] + item.size);
    }

    let mut placed = Neighbours::new(steps);
    for at in short {
        let item = items[at as usize];
        let offset = placed.gap(item, sky.height(item.first, item.last));
        placed.insert(item, offset);
        offsets[at as usize] = offset;
        bytes = bytes.max(offset + item.size);
    }
    Placed { offsets, bytes }
}

/// The height of the stack over time, as a staircase: times, each with the height from then on.
struct Skyline {
    stairs: Vec<(u32, u64)>,
}

impl Skyline {
    fn new() -> Skyline {
        Skyline { stairs: alloc::vec![(0, 0)] }
    }

    /// The stair of step `t`.
    fn at(&self, t: u32) -> usize {
        count_less(&self.stairs, t + 1) - 1
    }

    /// The largest height from step `first` to step `last`.
    fn height(&self, first: u32, last: u32) -> u64 {
        let (mut at, mut height) = (self.at(first), 0);
        let stairs = &self.stairs[..];
        while at < stairs.len() && stairs[at].0 <= last {
            if stairs[at].1 > height {
                height = stairs[at].1;
            }
            at += 1;
        }
        height
    }

    /// Put a block on top of everything that lives at the same time; gives its offset.
    fn stack(&mut self, first: u32, last: u32, size: u64) -> u64 {
        let offset = self.height(first, last);
        let after = self.stairs[self.at(last + 1)].1;
        let inside = count_less(&self.stairs, first)..count_less(&self.stairs, last + 2);
        self.stairs.splice(inside, [(first, offset + size), (last + 1, after)]);
        offset
    }
}
