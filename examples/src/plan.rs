//! A program with numbers for its symbols: what its values take, where they live, how much is alive at each step.

use mxr::Programs;
use mxr::graph::dim::SymbolDef;
use mxr::graph::memory::{Plan, Problem, Strategy, alive, plan};
use mxr::graph::program::{BindError, Place, Program, Role};

/// A program for one batch size.
#[derive(Debug)]
pub struct Planned {
    /// The program.
    pub program: Program,
    /// The values of its symbols.
    pub symbols: Vec<i64>,
    /// What has to be placed.
    pub problem: Problem,
    /// Where it is placed.
    pub plan: Plan,
}

impl Planned {
    /// The program that predicts.
    ///
    /// # Errors
    ///
    /// When the batch size does not fit the network.
    pub fn predict(programs: &Programs, batch: usize) -> Result<Planned, BindError> {
        Planned::new(programs.predict().clone(), batch)
    }

    /// The program that trains, with gradients of the weights alone, as an executor runs it; `None` for a network that only
    /// predicts.
    ///
    /// # Errors
    ///
    /// When the batch size does not fit the network.
    pub fn train(programs: &Programs, batch: usize) -> Result<Option<Planned>, BindError> {
        let Some(p) = programs.train() else { return Ok(None) };
        let trained = |v: &u32| p.values[*v as usize].role == Role::Param;
        let grads: Vec<u32> = p.grads.iter().map(|(of, _)| *of).filter(trained).collect();
        let program = match grads.len() == p.grads.len() {
            true => p.clone(),
            false => p.select(&[&p.outputs[..], &p.predictions[..]].concat(), &grads),
        };
        Planned::new(program, batch).map(Some)
    }

    fn new(program: Program, batch: usize) -> Result<Planned, BindError> {
        let symbols = bind(&program, batch)?;
        let problem = program.problem(&symbols);
        let plan = plan(&problem, Strategy::Best);
        Ok(Planned { program, symbols, problem, plan })
    }

    /// The bytes of the arena that value `v` occupies; `None` where it lives outside or nowhere.
    pub fn range(&self, v: u32) -> Option<(u64, u64)> {
        match self.plan.places[v as usize] {
            Place::Fixed(at) => Some((at, at + self.problem.sizes[v as usize])),
            _ => None,
        }
    }

    /// Bytes that are needed while each step runs.
    pub fn live(&self) -> Vec<u64> {
        alive(&self.problem)
    }
}

/// The values of the symbols when every named one is the batch: further symbols do not occur in the zoo.
pub(crate) fn bind(program: &Program, batch: usize) -> Result<Vec<i64>, BindError> {
    let batch = i64::try_from(batch).unwrap_or(i64::MAX);
    let named = program.symbols.iter().filter(|s| s.def == SymbolDef::Named);
    let given: Vec<(&str, i64)> = named.map(|s| (&*s.name, batch)).collect();
    program.bind_symbols(&given)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoo;
    use mxr::graph::memory::lower_bound;

    #[test]
    fn what_is_alive_peaks_within_the_arena() {
        for name in ["lenet", "googlenet", "resnet20"] {
            let entry = zoo::find(name).expect("a network of the zoo");
            let train = Planned::train(entry.programs, 4).expect("any batch fits").expect("trains");
            for p in [train, Planned::predict(entry.programs, 4).expect("any batch fits")] {
                let live = p.live();
                assert_eq!(live.len(), p.program.steps.len());
                let peak = live.iter().copied().max().unwrap_or(0);
                assert!(peak == lower_bound(&p.problem) && peak <= p.plan.bytes, "{name}: {peak}");
            }
        }
    }
}
