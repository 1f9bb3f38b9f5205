//! Which values to keep.
//!
//! Two families of choices are tried, and the best of them is made better:
//!
//! 1. *Segments.* The forward part is cut where little is alive, only what crosses a cut is kept, and a segment is as large as
//!    what the kept values before it leave of the budget: early segments run backwards last, when nothing else is kept, so
//!    they may be large. On a chain of `n` layers this needs memory like √n.
//! 2. *Prices.* Everything is kept whose second making costs more than a price per byte: cheap steps are made again.
//!
//! Then values that are made again are kept after all, the dearest first, as long as the budget holds.

use super::Effort;
use super::cost::{Cost, Sizes};
use super::rewrite::{NONE, Outline, Rewritten};
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell};

/// Parts of the free memory that a segment may fill.
const SHARES: [(u64, u64); 6] = [(1, 1), (4, 5), (13, 20), (1, 2), (2, 5), (3, 10)];
/// Budgets that are tried to find the least: each is this much of the one before, until this many in a row did not help.
const COARSE: (u64, u64) = (7, 10);
const IDLE: usize = 3;
/// Then these parts of the best of them, in percent.
const FINE: [u64; 6] = [92, 109, 84, 119, 77, 130];
/// However large the program, this many choices are looked at.
const FEWEST: usize = 80;

/// A choice and what it leads to.
#[derive(Clone)]
pub(super) struct Choice {
    pub(super) kept: Vec<bool>,
    pub(super) peak: u64,
    pub(super) cost: Cost,
}

/// A search in one program.
pub(super) struct Search<'a> {
    pub(super) outline: Outline<'a>,
    pub(super) sizes: Sizes,
    saved: Vec<bool>,
    /// What it costs to run each forward step once more.
    price: Vec<u64>,
    /// Bytes alive after each forward step because later ones read them, and the values.
    pub(super) crossing: Vec<u64>,
    last: Vec<u32>,
    /// How many choices may still be looked at.
    looks: Cell<usize>,
    least: OnceCell<Choice>,
}

impl<'a> Search<'a> {
    pub(super) fn new(outline: Outline<'a>, sizes: Sizes, effort: Effort) -> Search<'a> {
        let program = outline.program;
        let looks = (effort.0 / program.steps.len().max(1)).max(FEWEST);
        let forward = &program.steps[..program.forward as usize];
        let mut last = alloc::vec![NONE; program.values.len()];
        for (at, s) in forward.iter().enumerate() {
            s.reads.iter().for_each(|r| last[outline.root[*r as usize] as usize] = at as u32);
        }
        let mut change = alloc::vec![0i64; forward.len() + 1];
        for (v, at) in last.iter().enumerate().filter(|(v, at)| **at != NONE && outline.free[*v]) {
            change[outline.maker[v] as usize] += sizes.bytes[v] as i64;
            change[*at as usize] -= sizes.bytes[v] as i64;
        }
        let mut now = 0;
        let crossing = change[..forward.len()].iter().map(|c| {
            now += c;
            now as u64
        });
        let price = forward.iter().map(|s| sizes.cost(s, |v| v).work()).collect();
        Search {
            saved: outline.saved(),
            price,
            crossing: crossing.collect(),
            last,
            looks: Cell::new(looks),
            least: OnceCell::new(),
            outline,
            sizes,
        }
    }

    /// The program as it is.
    pub(super) fn whole(&self) -> Choice {
        self.look(self.saved.clone()).0
    }

    fn look(&self, kept: Vec<bool>) -> (Choice, Rewritten) {
        self.looks.set(self.looks.get().saturating_sub(1));
        let rewritten = self.outline.rewrite(&kept);
        let peak = rewritten.peak(&self.outline, &self.sizes);
        let cost = rewritten.cost(self.outline.program, &self.sizes);
        (Choice { kept, peak, cost }, rewritten)
    }

    /// The cheapest choice found that needs no more than these bytes.
    pub(super) fn within(&self, budget: u64) -> Option<Choice> {
        let mut best: Option<Choice> = None;
        let mut see = |c: Choice| {
            if c.peak <= budget && best.as_ref().is_none_or(|b| c.cost.work() < b.cost.work()) {
                best = Some(c);
            }
        };
        see(self.whole());
        for share in SHARES {
            see(self.segments(budget, share));
        }
        for price in self.prices() {
            see(self.cheap(price));
        }
        if best.is_none() {
            let least = self.least();
            best = (least.peak <= budget).then(|| least.clone());
        }
        best.map(|b| self.keep_more(b, budget))
    }

    /// The choice with the least memory found.
    pub(super) fn least(&self) -> &Choice {
        self.least.get_or_init(|| self.find_least())
    }

    fn find_least(&self) -> Choice {
        let mut best = self.whole();
        let (mut budget, mut at, mut idle) = (best.peak, best.peak, 0);
        let round = |budget: u64, best: &mut Choice| {
            let before = best.peak;
            for share in SHARES {
                let c = self.segments(budget, share);
                if c.peak < best.peak {
                    *best = c;
                }
            }
            best.peak < before
        };
        while budget > 0 && idle < IDLE && self.looks.get() > 0 {
            if round(budget, &mut best) {
                (at, idle) = (budget, 0);
            } else {
                idle += 1;
            }
            budget = budget / COARSE.1 * COARSE.0;
        }
        for percent in FINE {
            if self.looks.get() > 0 {
                round(at / 100 * percent, &mut best);
            }
        }
        for price in self.prices() {
            let c = self.cheap(price);
            if c.peak < best.peak {
                best = c;
            }
        }
        best
    }

    /// Only what crosses the cuts is kept.
    fn segments(&self, budget: u64, (num, den): (u64, u64)) -> Choice {
        let steps = self.crossing.len();
        let mut kept = alloc::vec![false; self.saved.len()];
        let mut held = 0u64;
        let mut made = alloc::vec![0u64; steps];
        for (v, saved) in self.saved.iter().enumerate() {
            if *saved && self.outline.free[v] {
                made[self.outline.maker[v] as usize] += self.sizes.bytes[v];
            }
        }
        let mut from = 0;
        while from < steps {
            let room = budget.saturating_sub(held) / den * num;
            // The segment ends where least crosses, in the second half of what it may hold.
            let (mut inside, mut cut) = (0u64, None);
            let mut at = from;
            while at < steps && (inside + made[at] <= room || at == from) {
                inside += made[at];
                // The first step is a cut only as long as nothing fills half.
                let better = cut.is_none_or(|c: usize| c == from || self.crossing[at] <= self.crossing[c]);
                if (inside >= room / 2 || at == from) && better {
                    cut = Some(at);
                }
                at += 1;
            }
            let Some(end) = cut.filter(|_| at < steps) else { break };
            for (v, kept) in kept.iter_mut().enumerate().filter(|(v, _)| self.outline.free[*v]) {
                let (maker, last) = (self.outline.maker[v], self.last[v]);
                let crosses = maker as usize <= end && last != NONE && last as usize > end;
                if crosses && !core::mem::replace(kept, true) {
                    held += self.sizes.bytes[v];
                }
            }
            from = end + 1;
        }
        self.look(kept).0
    }

    /// What cost a byte of each saved value is worth, each a limit for [`Search::cheap`].
    fn prices(&self) -> Vec<f64> {
        let list = (0..self.saved.len()).filter(|v| self.saved[*v] && self.outline.free[*v]);
        let mut list: Vec<f64> = list.map(|v| self.density(v)).collect();
        list.sort_unstable_by(f64::total_cmp);
        // Prices that are nearly the same are one.
        let mut distinct: Vec<f64> = Vec::new();
        for p in list {
            match distinct.last_mut() {
                Some(last) if p <= *last * 1.5 => *last = p,
                _ => distinct.push(p),
            }
        }
        distinct
    }

    fn cheap(&self, price: f64) -> Choice {
        let free = &self.outline.free;
        let keep = |v: usize| self.saved[v] && (!free[v] || self.density(v) > price);
        self.look((0..self.saved.len()).map(keep).collect()).0
    }

    /// What it costs to make a value again, per byte.
    fn density(&self, v: usize) -> f64 {
        let maker = self.outline.maker[v] as usize;
        self.price[maker] as f64 / self.sizes.bytes[v].max(1) as f64
    }

    /// Keep values after all, the dearest first and of those the last, while the budget holds.
    fn keep_more(&self, mut best: Choice, budget: u64) -> Choice {
        let mut copied = self.outline.rewrite(&best.kept).copies;
        copied.retain(|v| self.outline.free[*v as usize] && self.outline.root[*v as usize] == *v);
        copied.sort_by(|a, b| {
            let (x, y) = (self.density(*a as usize), self.density(*b as usize));
            y.total_cmp(&x).then(self.outline.maker[*b as usize].cmp(&self.outline.maker[*a as usize]))
        });
        let (mut at, mut group) = (0, 1);
        while at < copied.len() && self.looks.get() > 0 {
            let end = (at + group).min(copied.len());
            let mut kept = best.kept.clone();
            copied[at..end].iter().for_each(|v| kept[*v as usize] = true);
            let (c, _) = self.look(kept);
            if c.peak <= budget && c.cost.work() <= best.cost.work() {
                best = c;
                at = end;
                group *= 2;
            } else if end - at > 1 {
                group = (end - at).div_ceil(2);
            } else {
                at += 1;
            }
        }
        best
    }
}
