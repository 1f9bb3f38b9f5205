//! The table of a network: layers, shapes, parameters, floating-point operations, memory.

use crate::plan::{Planned, bind};
use mxr::graph::dim::SymbolDef;
use mxr::graph::memory::{Problem, Strategy, lower_bound, mxnet2015, plan};
use mxr::graph::program::{Program, Role};
use mxr::{BindOptions, Error, Executor, Mode, Programs};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt;

/// What a network consists of, for one batch size.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Its name.
    pub net: String,
    /// Samples in a batch.
    pub batch: usize,
    /// Trained numbers; running statistics are not counted.
    pub parameters: u64,
    /// Floating-point operations of one forward pass, 2 per multiply-add.
    pub flops: u64,
    /// The calls in order.
    pub layers: Vec<Layer>,
    /// Internal arrays of prediction.
    pub predict: Memory,
    /// Internal arrays of a training step; `None` for networks that only predict.
    pub train: Option<Memory>,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Its unique name.
    pub name: String,
    /// Its operator.
    pub op: String,
    /// Extents of its first result.
    pub shape: Vec<usize>,
    /// Trained numbers; those that several layers share count in the first.
    pub parameters: u64,
    /// Floating-point operations of the forward pass.
    pub flops: u64,
}

/// Bytes of the arrays between the layers, by how their memory is planned: without parameters, their gradients, inputs, the
/// results that outlive the pass (outputs and predictions) and workspaces of kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What the executor uses.
    pub planned: u64,
    /// The most that is alive at one time: no plan needs less.
    pub lower_bound: u64,
    /// The same arrays by the planner of MXNet 2015.
    pub bars: Bars,
    /// What MXNet 2015 took: its planner on the arrays that its operators made. `None` where it had no such operator.
    pub mxnet2015: Option<Bars>,
    /// What the arena takes besides for scratch memory of the kernels, on this machine.
    pub workspace: u64,
    /// What is kept outside of the arena from run to run because weights and states alone make it: in prediction, weights that have a
    /// normalisation in them, and weights as the kernels of this machine read them.
    pub kept: u64,
}

/// The bars of the memory figure in MXNet's paper, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bars {
    /// Every array by itself.
    pub naive: u64,
    /// Results over operands.
    pub inplace: u64,
    /// Blocks used again.
    pub coshare: u64,
    /// Both together.
    pub both: u64,
}

impl Bars {
    /// By the planner of MXNet 2015.
    pub fn of(problem: &Problem) -> Bars {
        let bytes = |s: Strategy| plan(problem, s).bytes;
        Bars {
            naive: bytes(Strategy::Naive),
            inplace: bytes(Strategy::InPlace),
            coshare: bytes(Strategy::CoShare),
            both: bytes(Strategy::Both),
        }
    }

    /// Naive, in-place, co-share, both.
    pub fn all(&self) -> [u64; 4] {
        [self.naive, self.inplace, self.coshare, self.both]
    }
}

impl Summary {
    /// Of a network for a batch of this size; further symbols do not occur in the zoo.
    ///
    /// # Errors
    ///
    /// When the batch size does not fit the network.
    pub fn new(name: &str, programs: &'static Programs, batch: usize) -> Result<Summary, Error> {
        let whole = programs.train().unwrap_or(programs.predict());
        let symbols = bind(whole, batch)?;
        let mut counted = BTreeSet::new();
        let layers: Vec<Layer> =
            whole.layers.iter().map(|l| layer(whole, l, &symbols, &mut counted)).collect();
        Ok(Summary {
            net: name.to_string(),
            batch,
            parameters: parameters(whole, &whole.params, &symbols),
            flops: layers.iter().map(|l| l.flops).sum(),
            layers,
            predict: Memory::new(programs, &Planned::predict(programs, batch)?, batch, Mode::Predict)?,
            train: Planned::train(programs, batch)?
                .map(|p| Memory::new(programs, &p, batch, Mode::Train))
                .transpose()?,
        })
    }

    /// One object, for programs.
    pub fn json(&self) -> Value {
        let layers: Vec<Value> = self
            .layers
            .iter()
            .map(|l| {
                json!({
                    "name": l.name,
                    "op": l.op,
                    "shape": l.shape,
                    "parameters": l.parameters,
                    "flops": l.flops,
                })
            })
            .collect();
        json!({
            "net": self.net,
            "batch": self.batch,
            "parameters": self.parameters,
            "flops": self.flops,
            "layers": layers,
            "predict": self.predict.json(),
            "train": self.train.map(|m| m.json()),
        })
    }
}

impl Memory {
    fn new(programs: &'static Programs, p: &Planned, batch: usize, mode: Mode) -> Result<Memory, Error> {
        // The declared network with its loss is in the program that trains it.
        let declared = programs.train().unwrap_or(programs.predict());
        let then = mxnet2015(declared, &bind(declared, batch)?, mode == Mode::Train);
        let named = p.program.symbols.iter().filter(|s| s.def == SymbolDef::Named);
        let symbols: Vec<(&str, usize)> = named.map(|s| (&*s.name, batch)).collect();
        let bound = Executor::planned(programs, &symbols, &BindOptions::new(), mode)?;
        Ok(Memory {
            planned: p.plan.bytes,
            lower_bound: lower_bound(&p.problem),
            bars: Bars::of(&p.problem),
            mxnet2015: then.ok().map(|problem| Bars::of(&problem)),
            workspace: bound.map_or(0, |m| m.workspace as u64),
            kept: bound.map_or(0, |m| (m.kept + m.prepared) as u64),
        })
    }

    fn json(&self) -> Value {
        let mut all = self.bars.json();
        all["planned_bytes"] = self.planned.into();
        all["lower_bound_bytes"] = self.lower_bound.into();
        all["workspace_bytes"] = self.workspace.into();
        all["kept_bytes"] = self.kept.into();
        all["mxnet2015"] = self.mxnet2015.map_or(Value::Null, |b| b.json());
        all
    }
}

impl Bars {
    fn json(&self) -> Value {
        json!({
            "naive_bytes": self.naive,
            "inplace_bytes": self.inplace,
            "coshare_bytes": self.coshare,
            "both_bytes": self.both,
        })
    }
}

fn layer(
    program: &Program,
    l: &mxr::graph::program::ProgramLayer,
    symbols: &[i64],
    counted: &mut BTreeSet<u32>,
) -> Layer {
    let own: Vec<u32> = l.params.iter().copied().filter(|v| counted.insert(*v)).collect();
    // Bound symbols give every extent a value; FLOPs beyond an i64 are more than any machine does.
    let number =
        |d: &mxr::graph::dim::Dim| d.eval(symbols).and_then(|n| u64::try_from(n).ok()).unwrap_or(u64::MAX);
    Layer {
        name: l.name.to_string(),
        op: l.op.to_string(),
        shape: l.shape.iter().map(|d| number(d) as usize).collect(),
        parameters: parameters(program, &own, symbols),
        flops: number(&l.flops),
    }
}

fn parameters(program: &Program, values: &[u32], symbols: &[i64]) -> u64 {
    let trained = values.iter().filter(|v| program.values[**v as usize].role == Role::Param);
    trained.map(|v| program.extents(*v, symbols).iter().product::<usize>() as u64).sum()
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 5]> = self
            .layers
            .iter()
            .map(|l| {
                let count = |n: u64| if n == 0 { String::new() } else { grouped(n) };
                [l.name.clone(), l.op.clone(), format!("{:?}", l.shape), count(l.parameters), count(l.flops)]
            })
            .collect();
        let head = ["layer", "operator", "output", "parameters", "FLOPs"].map(String::from);
        let last = [
            "total".to_string(),
            String::new(),
            String::new(),
            grouped(self.parameters),
            grouped(self.flops),
        ];
        let every = || rows.iter().chain([&head, &last]);
        let width: [usize; 5] =
            std::array::from_fn(|c| every().map(|r| r[c].chars().count()).max().unwrap_or(0));
        let line = width.map(|w| "-".repeat(w)).join("  ");
        writeln!(f, "{}, batch {}", self.net, self.batch)?;
        for r in [&head].into_iter().chain(&rows).chain([&last]) {
            if std::ptr::eq(r, &last) {
                writeln!(f, "{line}")?;
            }
            let [w0, w1, w2, w3, w4] = width;
            let text = format!("{:w0$}  {:w1$}  {:w2$}  {:>w3$}  {:>w4$}", r[0], r[1], r[2], r[3], r[4]);
            writeln!(f, "{}", text.trim_end())?;
            if std::ptr::eq(r, &head) {
                writeln!(f, "{line}")?;
            }
        }
        writeln!(
            f,
            "\nmemory of the arrays between the layers, in MiB; the bars of MXNet's paper: every array by itself, results over"
        )?;
        writeln!(
            f,
            "operands, blocks used again, both; on mxr's arrays and on those that MXNet 2015 made of the same network"
        )?;
        let row = |cells: [String; 7]| {
            let [name, numbers @ ..] = cells;
            let numbers: Vec<String> = numbers.iter().map(|n| format!("{n:>12}")).collect();
            format!("{name:22}{}", numbers.concat())
        };
        let heads = ["", "naive", "in-place", "co-share", "both", "planned", "lower bound"];
        write!(f, "{}", row(heads.map(String::from)))?;
        let memories = [("prediction", Some(self.predict)), ("training", self.train)];
        let memories = memories.iter().filter_map(|(n, m)| m.map(|m| (n, m)));
        for (name, m) in memories.clone() {
            let [a, b, c, d] = m.bars.all().map(mib);
            write!(f, "\n{}", row([name.to_string(), a, b, c, d, mib(m.planned), mib(m.lower_bound)]))?;
            if let Some(then) = m.mxnet2015 {
                let [a, b, c, d] = then.all().map(mib);
                let name = format!("{name}, MXNet 2015");
                write!(f, "\n{}", row([name, a, b, c, d, String::new(), String::new()]).trim_end())?;
            }
        }
        let workspaces: Vec<String> =
            memories.clone().map(|(n, m)| format!("{n} {}", mib(m.workspace))).collect();
        write!(f, "\nfor workspaces of kernels besides: {}", workspaces.join(", "))?;
        for (name, m) in memories.filter(|(_, m)| m.kept > 0) {
            write!(f, "\nkept between runs of {name}, made of weights alone: {}", mib(m.kept))?;
        }
        Ok(())
    }
}

/// `1,234,567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|g| str::from_utf8(g).ok()).collect();
    groups.join(",")
}

fn mib(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoo;

    #[test]
    fn numbers_are_grouped() {
        let texts = [0, 999, 1000, 61_100_840].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "61,100,840"]);
    }

    #[test]
    fn lenet_by_hand() {
        let entry = zoo::find("lenet").expect("a network of the zoo");
        let s = Summary::new("lenet", entry.programs, 2).expect("any batch fits");
        let conv1 = s.layers.iter().find(|l| l.name == "conv1").expect("a layer");
        assert_eq!(conv1.shape, [2, 20, 24, 24]);
        assert_eq!(conv1.parameters, 520);
        // 2 · 2 images · 20 filters · 24² places · 5² products.
        assert_eq!(conv1.flops, 2 * 2 * 20 * 576 * 25);
        assert_eq!(s.parameters, s.layers.iter().map(|l| l.parameters).sum::<u64>());
        let m = s.predict;
        assert!(m.lower_bound <= m.planned && m.planned <= m.bars.naive);
        assert!(Summary::new("lenet", entry.programs, 0).is_err());
    }
}
