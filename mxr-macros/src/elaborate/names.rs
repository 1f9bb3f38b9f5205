//! The names of layers, from which the names of their parameters follow.
//!
//! `let conv1 = conv2d(…)` names the outermost call of the expression `conv1`. Calls without a name are counted, as in
//! MXNet (`convolution0`). What a block contains has the name of the block's call in front: the name that its result is bound
//! to, else the block's own with a counter. Inside a loop the numbers of the rounds are put behind.

use std::collections::BTreeMap;

/// Where in the network we are, as far as names are concerned.
#[derive(Debug, Default)]
pub(super) struct Names {
    prefix: String,
    rounds: Vec<usize>,
    /// How often a name without a number was asked for.
    counters: BTreeMap<String, usize>,
}

/// What [`Names::enter`] hid.
pub(super) struct Outer {
    prefix: String,
    rounds: Vec<usize>,
    counters: Option<BTreeMap<String, usize>>,
}

impl Names {
    /// The name of a layer that is bound to `name`.
    pub(super) fn named(&self, name: &str) -> String {
        let mut full = format!("{}{name}", self.prefix);
        for round in &self.rounds {
            full.push_str(&format!("_{round}"));
        }
        full
    }

    /// The name of a layer without one; `None` leaves it to the graph.
    pub(super) fn anonymous(&mut self, auto: &str) -> Option<String> {
        (!self.prefix.is_empty()).then(|| self.counted(auto))
    }

    /// The name of a call of a block without one.
    pub(super) fn block(&mut self, block: &str) -> String {
        self.counted(block)
    }

    fn counted(&mut self, stem: &str) -> String {
        let stem = format!("{}{stem}", self.prefix);
        let count = self.counters.entry(stem.clone()).or_default();
        *count += 1;
        format!("{stem}{}", *count - 1)
    }

    /// Whether the network's own names, rather than those of a block or a round, are being given.
    pub(super) fn at_top(&self) -> bool {
        self.prefix.is_empty() && self.rounds.is_empty()
    }

    /// Into the block's call of this name.
    pub(super) fn enter(&mut self, call: &str) -> Outer {
        let prefix = std::mem::replace(&mut self.prefix, format!("{call}_"));
        Outer { prefix, rounds: std::mem::take(&mut self.rounds), counters: None }
    }

    /// The same where names must be those of any other call: counting begins anew.
    pub(super) fn enter_anew(&mut self, call: &str) -> Outer {
        let counters = Some(std::mem::take(&mut self.counters));
        Outer { counters, ..self.enter(call) }
    }

    pub(super) fn leave(&mut self, outer: Outer) {
        (self.prefix, self.rounds) = (outer.prefix, outer.rounds);
        if let Some(counters) = outer.counters {
            self.counters = counters;
        }
    }

    /// Into a loop.
    pub(super) fn push_round(&mut self) {
        self.rounds.push(0);
    }

    pub(super) fn set_round(&mut self, round: usize) {
        if let Some(last) = self.rounds.last_mut() {
            *last = round;
        }
    }

    pub(super) fn pop_round(&mut self) {
        self.rounds.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_blocks_and_rounds() {
        let mut names = Names::default();
        assert!(names.at_top());
        assert_eq!(names.anonymous("convolution"), None);
        let call = names.block("basic");
        let outer = names.enter(&call);
        assert_eq!(names.named("a"), "basic0_a");
        assert_eq!(names.anonymous("convolution").as_deref(), Some("basic0_convolution0"));
        assert_eq!(names.anonymous("convolution").as_deref(), Some("basic0_convolution1"));
        names.leave(outer);
        names.push_round();
        names.set_round(2);
        assert_eq!(names.named("c"), "c_2");
        assert_eq!(names.block("basic"), "basic1");
    }
}
