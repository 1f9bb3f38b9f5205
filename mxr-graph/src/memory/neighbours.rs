//! Placed buffers in order of their offsets, found by when they live.

use super::lifetime::Item;
use super::order::count_less;
use alloc::vec::Vec;

/// Steps from the start of a window of time to that of the next. A window is twice as long, so a life that is no longer than
/// this lies within one window.
const STRIDE: u32 = 64;

/// What has a place already, each list in order of offsets, so that most lives, which are short, are not held against
/// all others.
pub(super) struct Neighbours {
    all: Vec<(u64, Item)>,
    /// What lives in each window.
    windows: Vec<Vec<(u64, Item)>>,
}

impl Neighbours {
    /// For lives within this many steps.
    pub(super) fn new(steps: usize) -> Neighbours {
        Neighbours { all: Vec::new(), windows: alloc::vec![Vec::new(); steps / STRIDE as usize + 1] }
    }

    /// The smallest gap above `floor` that holds `item` between those that live at the same time, or the end of the highest of
    /// them.
    ///
    /// The loop is plain, as it runs in macros, which are compiled without optimisation.
    pub(super) fn gap(&self, item: Item, floor: u64) -> u64 {
        let Item { size, first, last, .. } = item;
        let list = match item.life() {
            0..=STRIDE => &self.windows[(first / STRIDE) as usize][..],
            _ => &self.all[..],
        };
        let (mut end, mut gap, mut best) = (floor, u64::MAX, 0);
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
        if gap == u64::MAX { end } else { best }
    }

    /// `item` lies at `offset` from now on.
    pub(super) fn insert(&mut self, item: Item, offset: u64) {
        let insert = |list: &mut Vec<(u64, Item)>| list.insert(count_less(list, offset), (offset, item));
        insert(&mut self.all);
        // The window that begins before the life reaches into it, too.
        let from = (item.first / STRIDE).saturating_sub(1) as usize;
        let to = (item.last / STRIDE) as usize;
        self.windows[from..=to].iter_mut().for_each(insert);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_hold_whoever_lives_at_the_same_time() {
        const STEPS: u32 = 500;
        let lives = [1, 2, 12, 63, 64, 65, 66, 130, 300];
        let item = |i: u32| {
            let first = i * 37 % STEPS;
            let last = (first + lives[i as usize % lives.len()] - 1).min(STEPS - 1);
            Item { buffer: i, size: 8, first, last }
        };
        let mut placed = Neighbours::new(STEPS as usize);
        for i in 0..400 {
            let new = item(i);
            // One that fits into no gap goes above all of them.
            let ends = (0..i).filter(|o| item(*o).first <= new.last && new.first <= item(*o).last);
            assert_eq!(
                placed.gap(Item { size: 1 << 20, ..new }, 0),
                ends.max().map_or(0, |o| u64::from(o + 1) * 8),
                "{new:?}"
            );
            placed.insert(new, u64::from(i) * 8);
        }
    }

    #[test]
    fn smallest_gap_above_the_floor() {
        let mut placed = Neighbours::new(10);
        let item = |size| Item { buffer: 0, size, first: 3, last: 5 };
        for (offset, size) in [(64, 64), (256, 64), (448, 1), (384, 64)] {
            placed.insert(item(size), offset);
        }
        placed.insert(Item { first: 6, last: 9, ..item(512) }, 0);
        assert_eq!([64, 65, 128, 129].map(|size| placed.gap(item(size), 0)), [0, 128, 128, 449]);
        assert_eq!(placed.gap(item(64), 1), 320);
        assert_eq!(placed.gap(item(1), 1000), 1000);
    }
}
