//! Where a step's time goes, layer by layer: a monitor notes when each value was made.

use super::Times;
use super::step::Step;
use mxr::Error;
use mxr::graph::instr::Instr;
use mxr::graph::program::Program;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// The layers that take time, in order of declaration. What a pass merged into another layer is part of that one.
#[derive(Clone, Debug)]
pub struct Layers {
    /// A row each.
    pub rows: Vec<LayerTime>,
}

/// What a layer takes.
#[derive(Clone, Debug)]
pub struct LayerTime {
    /// Its name.
    pub name: String,
    /// Its operator.
    pub op: String,
    /// Extents of its result.
    pub shape: Vec<i64>,
    /// The forward pass.
    pub forward: Part,
    /// The backward pass; nothing in prediction.
    pub backward: Part,
}

/// The time of a layer in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Part {
    /// The median over the steps.
    pub seconds: f64,
    /// Floating-point operations, as they are counted for the step.
    pub flops: f64,
}

impl Layers {
    /// Run steps under a monitor.
    pub(super) fn measure(step: &mut Step, runs: usize) -> Result<Layers, Error> {
        // When a layer's value was made; the values of one step of the program come at once.
        let made: Arc<Mutex<Vec<(String, Instant)>>> = Arc::default();
        let list = made.clone();
        step.net.set_monitor(Some(Box::new(move |o| {
            list.lock().unwrap_or_else(|e| e.into_inner()).push((o.layer.to_string(), Instant::now()));
        })))?;
        let drain = || std::mem::take(&mut *made.lock().unwrap_or_else(|e| e.into_inner()));
        let mut seconds: [HashMap<String, Vec<f64>>; 2] = Default::default();
        for run in 0..runs {
            for (direction, seconds) in seconds.iter_mut().enumerate() {
                let mut last = Instant::now();
                if direction == 0 {
                    step.forward()?
                } else {
                    step.backward()?
                }
                step.net.device().wait_all()?;
                for (layer, at) in drain() {
                    let runs = seconds.entry(layer).or_default();
                    runs.resize(run + 1, 0.0);
                    runs[run] += at.duration_since(last).as_secs_f64();
                    last = at;
                }
            }
        }
        step.net.set_monitor(None)?;
        let rows = step.program().map_or(Vec::new(), |(p, symbols)| rows(p, &symbols, &seconds));
        Ok(Layers { rows })
    }

    /// Seconds and operations of all layers: forward, backward.
    pub fn totals(&self) -> [Part; 2] {
        let sum = |part: fn(&LayerTime) -> Part| {
            self.rows.iter().map(part).fold(Part::default(), |a, b| Part {
                seconds: a.seconds + b.seconds,
                flops: a.flops + b.flops,
            })
        };
        [sum(|r| r.forward), sum(|r| r.backward)]
    }
}

fn rows(p: &Program, symbols: &[i64], seconds: &[HashMap<String, Vec<f64>>; 2]) -> Vec<LayerTime> {
    let mut rows = Vec::new();
    for (number, layer) in p.layers.iter().enumerate() {
        let once = layer.flops.eval(symbols).unwrap_or(0) as f64;
        let steps = [&p.steps[..p.forward as usize], &p.steps[p.forward as usize..]];
        let [forward, backward] = std::array::from_fn(|direction| {
            let products =
                steps[direction].iter().filter(|s| s.layer as usize == number && is_product(&s.instr));
            Part {
                seconds: seconds[direction].get(&*layer.name).map_or(0.0, |t| Times::new(t.clone()).median()),
                flops: once * products.count() as f64,
            }
        });
        if forward.seconds + backward.seconds > 0.0 {
            rows.push(LayerTime {
                name: layer.name.to_string(),
                op: layer.op.to_string(),
                shape: layer.shape.iter().map(|d| d.eval(symbols).unwrap_or(0)).collect(),
                forward,
                backward,
            });
        }
    }
    rows
}

/// Whether a step does as many multiply-adds as the layer's forward pass: a product, or the gradient of one of its operands.
fn is_product(instr: &Instr) -> bool {
    matches!(
        instr,
        Instr::Conv2d(..)
            | Instr::Conv2dBackwardData(..)
            | Instr::Conv2dBackwardWeight(..)
            | Instr::MatMul { .. }
    )
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [forward, backward] = self.totals();
        let whole = forward.seconds + backward.seconds;
        let total =
            LayerTime { name: "total".to_string(), op: String::new(), shape: Vec::new(), forward, backward };
        let head =
            ["layer", "operator", "output", "forward ms", "GFLOP/s", "backward ms", "GFLOP/s", "share"];
        let mut table = vec![head.map(String::from)];
        table.extend(self.rows.iter().chain([&total]).map(|r| r.cells(whole)));
        let width: [usize; 8] =
            std::array::from_fn(|c| table.iter().map(|r| r[c].chars().count()).max().unwrap_or(0));
        let line = width.map(|w| "-".repeat(w)).join("  ");
        for (at, row) in table.iter().enumerate() {
            if at == 1 || at + 1 == table.len() {
                writeln!(f, "{line}")?;
            }
            let cells: [String; 8] = std::array::from_fn(|c| match c {
                0..3 => format!("{:1$}", row[c], width[c]),
                _ => format!("{:>1$}", row[c], width[c]),
            });
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        write!(f, "medians under a monitor, each layer's by itself; the step above was timed without one")
    }
}

impl LayerTime {
    fn cells(&self, whole: f64) -> [String; 8] {
        let ms = |p: Part| if p.seconds > 0.0 { format!("{:.3}", p.seconds * 1e3) } else { String::new() };
        let rate = |p: Part| match p.flops > 0.0 && p.seconds > 0.0 {
            true => format!("{:.1}", p.flops / p.seconds / 1e9),
            false => String::new(),
        };
        let share = 100.0 * (self.forward.seconds + self.backward.seconds) / whole;
        let shape = if self.shape.is_empty() { String::new() } else { format!("{:?}", self.shape) };
        [
            self.name.clone(),
            self.op.clone(),
            shape,
            ms(self.forward),
            rate(self.forward),
            ms(self.backward),
            rate(self.backward),
            format!("{share:.1} %"),
        ]
    }
}
