//! Text for networks that read characters.

use crate::zoo::char_lstm::VOCABULARY;
use mxr::io::{FormatError, HostArray};
use std::collections::BTreeMap;

/// What is read where no other text is at hand: the project's own words.
pub const README: &str = include_str!("../../README.md");

/// What stands for all characters that are too rare to have a number.
const OTHER: char = '¤';

/// A text as numbers.
#[derive(Clone, Debug)]
pub struct Text {
    /// The characters by number, in order of the alphabet; [`OTHER`] is the last where some have none.
    alphabet: Vec<char>,
    numbers: Vec<usize>,
}

impl Text {
    /// A text whose [`VOCABULARY`] most frequent characters are told apart.
    pub fn new(text: &str) -> Text {
        let mut counts: BTreeMap<char, usize> = BTreeMap::new();
        for c in text.chars() {
            *counts.entry(c).or_default() += 1;
        }
        let mut frequent: Vec<(char, usize)> = counts.into_iter().collect();
        let crowded = frequent.len() > VOCABULARY;
        if crowded {
            frequent.sort_by_key(|(c, count)| (std::cmp::Reverse(*count), *c));
            frequent.truncate(VOCABULARY - 1);
        }
        let mut alphabet: Vec<char> = frequent.into_iter().map(|(c, _)| c).collect();
        alphabet.sort_unstable();
        let numbers = text.chars().map(|c| alphabet.binary_search(&c).unwrap_or(alphabet.len())).collect();
        if crowded {
            alphabet.push(OTHER);
        }
        Text { alphabet, numbers }
    }

    /// How many characters it has.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// How many characters are told apart.
    pub fn letters(&self) -> usize {
        self.alphabet.len()
    }

    /// The character of a number.
    pub fn letter(&self, number: usize) -> char {
        self.alphabet.get(number).copied().unwrap_or(OTHER)
    }

    /// One batch of `n` streams, each `steps` characters further than the batch before: f32 `[steps, n, vocabulary]`, 1 at each
    /// character, and i64 `[steps, n]`, the characters behind them.
    ///
    /// # Errors
    ///
    /// None that the arrays do not have.
    pub fn batch(&self, at: usize, steps: usize, n: usize) -> Result<(HostArray, HostArray), FormatError> {
        let mut hot = vec![0.0f32; steps * n * VOCABULARY];
        let mut next = Vec::with_capacity(steps * n);
        for t in 0..steps {
            for stream in 0..n {
                let here = (stream * self.len() / n + at * steps + t) % self.len();
                hot[(t * n + stream) * VOCABULARY + self.numbers[here]] = 1.0;
                next.push(self.numbers[(here + 1) % self.len()] as i64);
            }
        }
        Ok((HostArray::from_vec(hot, &[steps, n, VOCABULARY])?, HostArray::from_vec(next, &[steps, n])?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_goes_on_where_the_one_before_ended() {
        let text = Text::new("abcabcabc");
        assert_eq!(text.letters(), 3);
        let (hot, next) = text.batch(1, 2, 2).expect("a batch");
        assert_eq!(hot.shape(), [2, 2, VOCABULARY]);
        // The streams begin at `a` and, in the middle, at `b`; two characters further are `c` and `a`.
        assert_eq!(next.as_slice::<i64>().expect("i64"), [0, 1, 1, 2]);
        let ones: Vec<usize> = hot
            .as_slice::<f32>()
            .expect("f32")
            .iter()
            .enumerate()
            .filter(|(_, x)| **x == 1.0)
            .map(|(i, _)| i % VOCABULARY)
            .collect();
        assert_eq!(ones, [2, 0, 0, 1]);
    }

    #[test]
    fn rare_characters_share_the_last_number() {
        let text = Text::new(README);
        assert!(text.letters() <= VOCABULARY && text.numbers.iter().all(|n| *n < VOCABULARY));
        assert_eq!(text.letter(VOCABULARY), OTHER);
    }
}
