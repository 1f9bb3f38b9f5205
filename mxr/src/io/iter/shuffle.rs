//! The order of samples in an epoch: a permutation that depends on seed, epoch and number of samples only.
//!
//! The generator is SplitMix64 (Steele, Lea, Flood 2014) started at `mix(mix(seed) + epoch)`, where `mix` is its own
//! output function. The permutation is Fisher and Yates' from the last place down, with the number below `n` taken
//! as the high half of a 64 by 64 bit product. Only integers: the same on every machine, now and later.

/// Fills `order` with the permutation of `0..order.len()` for this epoch.
pub(super) fn permute(order: &mut [usize], seed: u64, epoch: u64) {
    identity(order);
    let mut random = SplitMix64 { state: mix(mix(seed).wrapping_add(epoch)) };
    for last in (1..order.len()).rev() {
        order.swap(last, random.below(last as u64 + 1) as usize);
    }
}

/// Fills `order` with `0, 1, 2, …`.
pub(super) fn identity(order: &mut [usize]) {
    order.iter_mut().enumerate().for_each(|(i, slot)| *slot = i);
}

struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.state)
    }

    /// A number below `n`; the bias is below `n / 2^64`.
    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // The outputs of the authors' splitmix64.c for this state.
        let mut random = SplitMix64 { state: 1234567 };
        let first: Vec<u64> = (0..5).map(|_| random.next()).collect();
        assert_eq!(
            first,
            [
                6457827717110365317,
                3203168211198807973,
                9817491932198370423,
                4593380528125082431,
                16408922859458223821
            ]
        );
    }

    #[test]
    fn every_place_is_equally_likely() {
        let mut counts = [[0u32; 5]; 5];
        for epoch in 0..10_000 {
            let mut order = [0; 5];
            permute(&mut order, 7, epoch);
            order.iter().enumerate().for_each(|(place, &sample)| counts[place][sample] += 1);
        }
        // 2000 expected, standard deviation 40.
        assert!(counts.iter().flatten().all(|&n| (1800..2200).contains(&n)), "{counts:?}");
    }
}
