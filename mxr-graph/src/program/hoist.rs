//! The prologue of a prediction: steps that depend on weights and states alone come first, and what the rest reads of them is
//! kept from run to run.

use super::{Program, Role, Step};
use crate::instr::Instr;
use alloc::vec::Vec;

impl Program {
    /// Put the steps that depend on weights and states alone in front, as [`Program::prologue`]; the results that the other
    /// steps read become [`Role::Kept`]. Those steps have to run only where a weight or a state has changed since.
    ///
    /// Results of the network itself are made in every run, as they belong to the user; a view or a part of a weight is no work.
    /// The memory plan is not made anew.
    pub fn hoist(&mut self) {
        let fixed = self.fixed();
        let mut maker: Vec<Option<u32>> = alloc::vec![None; self.values.len()];
        for (at, s) in self.steps.iter().enumerate() {
            s.writes.iter().for_each(|w| maker[*w as usize] = Some(at as u32));
        }
        let back = |mut v: u32, through: &dyn Fn(&Instr) -> bool| {
            while let Some(s) = maker[v as usize].map(|at| &self.steps[at as usize])
                && through(&s.instr)
            {
                v = s.reads[0];
            }
            v
        };
        // The value whose memory a view shows.
        let root = |v: u32| back(v, &|i| *i == Instr::View);
        // The value that cost something: a part may be where it is, too.
        let worth = |v: u32| back(v, &|i| matches!(i, Instr::View | Instr::Slice { .. }));
        let ahead = |v: u32| fixed.value[v as usize] == Fixed::ByWeights;
        let mut early = alloc::vec![false; self.steps.len()];
        for (_, s) in self.steps.iter().enumerate().filter(|(at, _)| !fixed.step[*at]) {
            for made in s.reads.iter().filter(|r| ahead(**r)).map(|r| worth(*r)) {
                if let Some(at) = maker[made as usize] {
                    early[at as usize] = true;
                }
            }
        }
        for at in (0..self.steps.len()).rev().filter(|at| early[*at]).collect::<Vec<_>>() {
            let mut open = alloc::vec![at];
            while let Some(at) = open.pop() {
                for m in self.steps[at].reads.iter().filter_map(|r| maker[*r as usize]) {
                    if !core::mem::replace(&mut early[m as usize], true) {
                        open.push(m as usize);
                    }
                }
            }
        }
        let made_early = |v: u32| maker[v as usize].is_some_and(|at| early[at as usize]);
        let late = self.steps.iter().zip(&early).filter(|(_, early)| !**early);
        let kept: Vec<u32> = late
            .flat_map(|(s, _)| s.reads.iter())
            .filter(|r| made_early(**r))
            .map(|r| root(*r))
            .filter(|v| made_early(*v))
            .collect();
        for v in kept {
            self.values.to_mut()[v as usize].role = Role::Kept;
        }
        let part = |first: bool| {
            let steps = self.steps.iter().zip(&early);
            steps.filter(move |(_, early)| **early == first).map(|(s, _)| s.clone())
        };
        self.steps = part(true).chain(part(false)).collect();
    }

    /// How many steps [`Program::hoist`] has put in front.
    pub fn prologue(&self) -> usize {
        let kept = |v: &u32| self.values[*v as usize].role == Role::Kept;
        self.steps.iter().rposition(|s| s.writes.iter().any(kept)).map_or(0, |at| at + 1)
    }

    /// What the inputs of a run have no influence on.
    fn fixed(&self) -> FixedParts {
        let mut value: Vec<Fixed> = self
            .values
            .iter()
            .map(|v| match v.role {
                Role::Param | Role::Aux => Fixed::ByWeights,
                _ => Fixed::Not,
            })
            .collect();
        let mut owned = alloc::vec![false; self.values.len()];
        for v in self.outputs.iter().chain(self.predictions.iter()).chain(self.grads.iter().map(|(_, g)| g)) {
            owned[*v as usize] = true;
        }
        for v in self.steps.iter().flat_map(|s| s.instr.mutates().iter().filter_map(|m| s.reads.get(*m))) {
            value[*v as usize] = Fixed::Not;
        }
        let step = |s: &Step| {
            let reads = s.reads.iter().map(|r| value[*r as usize]);
            let same = match s.instr {
                Instr::Dropout { .. } => Fixed::Not,
                _ => reads.fold(Fixed::Always, Fixed::min),
            };
            let same = if s.writes.iter().any(|w| owned[*w as usize]) { Fixed::Not } else { same };
            s.writes.iter().for_each(|w| value[*w as usize] = same);
            same != Fixed::Not
        };
        let step = self.steps.iter().map(step).collect();
        FixedParts { value, step }
    }
}

struct FixedParts {
    value: Vec<Fixed>,
    step: Vec<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fixed {
    /// It may be another one in each run.
    Not,
    /// The same as long as weights and states are.
    ByWeights,
    /// The same in all runs: numbers written in the program.
    Always,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::{predict, train};
    use crate::dtype::DType;
    use crate::graph::{Graph, ValueId};
    use crate::memory::{Strategy, plan, verify};
    use crate::ops::find;
    use crate::schema::Arg;
    use crate::shape::Shape;
    use alloc::string::String;

    fn call(g: &mut Graph, op: &str, inputs: &[ValueId], options: &[(&str, Arg)], name: &str) -> ValueId {
        g.call(find(op).expect("listed"), options, inputs, Some(name)).expect("fits")[0]
    }

    /// A dense layer whose weight is normalised, and one whose weight is a weight in another shape.
    fn network() -> Graph {
        let mut g = Graph::new("net");
        let x = g.input("x", Shape::of(&[4, 6]), DType::F32);
        let v = g.param("v", Shape::of(&[6, 6]), DType::F32);
        let u = g.param("u", Shape::of(&[36]), DType::F32);
        let norm = call(&mut g, "softmax", &[v], &[], "norm");
        let bent = call(&mut g, "tanh", &[norm], &[], "bent");
        let a = call(&mut g, "matmul", &[x, bent], &[], "a");
        let flat =
            call(&mut g, "reshape", &[u], &[("shape", Arg::List(alloc::vec![6.into(), 6.into()]))], "flat");
        let b = call(&mut g, "matmul", &[a, flat], &[], "b");
        g.outputs = alloc::vec![b];
        g.settle();
        g
    }

    fn kept(p: &Program) -> Vec<String> {
        p.values.iter().filter(|v| v.role == Role::Kept).map(|v| v.name.clone().into_owned()).collect()
    }

    #[test]
    fn what_depends_on_weights_alone_comes_first_and_its_results_are_kept() {
        let p = predict(network()).expect("compiles");
        assert_eq!(kept(&p).len(), 1, "{p}");
        assert!(p.prologue() > 0 && p.prologue() < p.steps.len(), "{p}");
        let weights = |v: &u32| matches!(p.values[*v as usize].role, Role::Param | Role::Kept);
        let (first, rest) = p.steps.split_at(p.prologue());
        let made: Vec<u32> = first.iter().flat_map(|s| s.writes.iter().copied()).collect();
        assert!(first.iter().flat_map(|s| s.reads.iter()).all(|r| weights(r) || made.contains(r)), "{p}");
        for r in rest.iter().flat_map(|s| s.reads.iter()).filter(|r| made.contains(r)) {
            assert!(p.values[*r as usize].role == Role::Kept, "{p}");
        }
        // The weight in another shape is a view all the same.
        assert_eq!(rest.iter().filter(|s| s.instr == Instr::View).count(), 1, "{p}");
        assert!(p.outside().iter().zip(p.values.iter()).all(|(out, v)| *out || v.role != Role::Kept));
        let problem = p.problem(&[]);
        verify(&problem, &plan(&problem, Strategy::Best)).expect("sound");
    }

    #[test]
    fn training_keeps_nothing() {
        let p = train(network()).expect("compiles");
        assert_eq!((p.prologue(), kept(&p).len()), (0, 0), "{p}");
    }

    #[test]
    fn results_and_plain_weights_stay_where_they_are() {
        let mut g = Graph::new("net");
        let x = g.input("x", Shape::of(&[4]), DType::F32);
        let w = g.param("w", Shape::of(&[4]), DType::F32);
        let square = call(&mut g, "square", &[w], &[], "square");
        let y = call(&mut g, "add", &[x, w], &[], "y");
        g.outputs = alloc::vec![square, y];
        g.settle();
        let p = predict(g).expect("compiles");
        assert_eq!((p.prologue(), kept(&p).len()), (0, 0), "{p}");
    }

    #[test]
    fn a_part_of_a_program_has_its_prologue() {
        let p = predict(network()).expect("compiles");
        let layer =
            |name: &str| p.layers.iter().find(|l| l.name == name).and_then(|l| l.output).expect("made");
        let a = p.select(&[layer("a")], &[]);
        assert_eq!(a.prologue(), p.prologue(), "{a}");
        let bent = p.select(&[layer("bent")], &[]);
        // It is a copy of what is kept, as the user may change it.
        assert_eq!((bent.prologue(), bent.steps.len()), (p.prologue(), p.prologue() + 1), "{bent}");
        assert!(bent.outputs.iter().all(|o| p.values.get(*o as usize).is_none()));
    }
}
