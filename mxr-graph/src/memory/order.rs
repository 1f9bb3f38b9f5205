//! Sorting for the planner, which runs in macros, where nothing is optimised: the standard library's sort and search cost
//! up to twenty times as much there as these plain loops.

use super::lifetime::Item;
use alloc::vec::Vec;

/// By size, by size times life, by life; ties by what comes first.
pub(super) fn orders(items: &[Item]) -> impl Iterator<Item = Vec<u32>> {
    (0..3).map(move |by| {
        falling(items, |i| {
            let life = u64::from(i.life());
            Some(match by {
                0 => pair(i.size, life),
                1 => pair(i.size.saturating_mul(life), i.size),
                _ => pair(life, i.size),
            })
        })
    })
}

/// A key of two parts, the first of which counts more.
pub(super) fn pair(first: u64, second: u64) -> u128 {
    u128::from(first) << 64 | u128::from(second)
}

/// The items that have a key, largest key first; ties by what comes first.
pub(super) fn falling(items: &[Item], key: impl Fn(&Item) -> Option<u128>) -> Vec<u32> {
    let mut keyed = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        if let Some(key) = key(item) {
            keyed.push((key, at as u32));
        }
    }
    merge_sort(&mut keyed);
    keyed.iter().map(|(_, at)| *at).collect()
}

/// Largest first, equal ones in the order in which they are.
fn merge_sort(list: &mut Vec<(u128, u32)>) {
    let mut merged = list.clone();
    let mut run = 1;
    while run < list.len() {
        let (from, into) = (&list[..], &mut merged[..]);
        let mut end = 0;
        while end < from.len() {
            let (mut at, mut a, mut b) = (end, end, usize::min(end + run, from.len()));
            let middle = b;
            end = usize::min(middle + run, from.len());
            while at < end {
                if b == end || a < middle && from[a].0 >= from[b].0 {
                    into[at] = from[a];
                    a += 1;
                } else {
                    into[at] = from[b];
                    b += 1;
                }
                at += 1;
            }
        }
        core::mem::swap(list, &mut merged);
        run *= 2;
    }
}

/// How many entries of a list that rises by key have a key less than this one.
pub(super) fn count_less<K: Copy + Ord, V>(list: &[(K, V)], key: K) -> usize {
    let (mut less, mut end) = (0, list.len());
    while less < end {
        let middle = (less + end) / 2;
        if list[middle].0 < key {
            less = middle + 1;
        } else {
            end = middle;
        }
    }
    less
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_as_the_standard_library_does() {
        for n in [0, 1, 2, 3, 7, 64, 65, 1000] {
            let mut list: Vec<(u128, u32)> = (0..n).map(|i| (u128::from(i * 7919 % 101), i)).collect();
            let mut sorted = list.clone();
            sorted.sort_by_key(|(key, _)| core::cmp::Reverse(*key));
            merge_sort(&mut list);
            assert_eq!(list, sorted);
        }
    }

    #[test]
    fn counts_as_the_standard_library_does() {
        for n in [0_u32, 1, 2, 9, 50] {
            let list: Vec<(u32, ())> = (0..n).map(|i| (i / 3 * 2, ())).collect();
            for key in 0..n + 2 {
                assert_eq!(count_less(&list, key), list.partition_point(|(k, ())| *k < key), "{key} in {n}");
            }
        }
    }
}
