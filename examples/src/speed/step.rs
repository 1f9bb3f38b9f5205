//! One step of a network, bound and ready, and how steps are timed.

use super::{Measured, Options};
use crate::plan::bind;
use crate::yardstick::{measured_fma_peak, numbers};
use mxr::engine::OpError;
use mxr::graph::program::Program;
use mxr::init::Xavier;
use mxr::optimizer::{Sgd, Updater};
use mxr::{BindOptions, Device, Error, Executor, Mode, Programs};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Forward, or forward and backward, and perhaps an update.
pub(super) struct Step {
    pub(super) net: Executor,
    mode: Mode,
    updater: Option<Updater>,
}

impl Step {
    /// A network on threads of its own, with weights and data that keep its values of ordinary size.
    pub(super) fn new(programs: &'static Programs, options: &Options) -> Result<Step, Error> {
        let device = Device::cpu_with_threads(options.threads)?;
        let mode = match options.mode {
            Measured::Train => Mode::Train,
            Measured::Infer => Mode::Predict,
        };
        // What predicts has no use for gradients nor for the memory of a training step. The process measures one network.
        let programs = match mode {
            Mode::Train => programs,
            Mode::Predict => Box::leak(Box::new(programs.predicting())),
        };
        let on_device = BindOptions::new().device(&device);
        let mut net = Executor::bind(programs, &[("N", options.batch)], on_device)?;
        net.init(&Xavier::default(), 0)?;
        let data = net.input("data")?;
        data.copy_from_slice(&numbers(data.len()))?;
        // Without a loss nothing holds the weights back: with this rate they stay where they are.
        let sgd = || Sgd::new(1e-9).momentum(0.9);
        let updater = options.update.then(|| Updater::new(&net, sgd())).transpose()?;
        Ok(Step { net, mode, updater })
    }

    /// Run one step to its end.
    pub(super) fn run(&mut self) -> Result<(), Error> {
        self.forward()?;
        self.backward()?;
        self.net.device().wait_all()
    }

    pub(super) fn forward(&mut self) -> Result<(), Error> {
        self.net.forward(self.mode)
    }

    /// The backward pass and the update, where the step has them.
    pub(super) fn backward(&mut self) -> Result<(), Error> {
        if self.mode == Mode::Train {
            self.net.backward()?;
        }
        if let Some(updater) = &mut self.updater {
            updater.update();
        }
        Ok(())
    }

    /// Run until caches, pages and threads are as they stay: twice at least, for a third of a second at least. The seconds of the
    /// last step.
    pub(super) fn warm_up(&mut self) -> Result<f64, Error> {
        let start = Instant::now();
        self.run()?;
        loop {
            let last = self.seconds()?;
            if start.elapsed().as_secs_f64() > WARM_UP {
                return Ok(last);
            }
        }
    }

    /// The seconds of `runs` steps.
    pub(super) fn times(&mut self, runs: usize) -> Result<Times, Error> {
        (0..runs).map(|_| self.seconds()).collect::<Result<Vec<f64>, Error>>().map(Times::new)
    }

    /// Floating-point operations of one step, 2 per multiply-add of the direct algorithms, as far as they are computed.
    pub(super) fn flops(&self) -> f64 {
        let flops = self.program().and_then(|(p, symbols)| p.flops.eval(&symbols));
        flops.map_or(f64::NAN, |n| n as f64)
    }

    /// What the step runs, and the values of its symbols.
    pub(super) fn program(&self) -> Option<(&Program, Vec<i64>)> {
        let program = self.net.program(self.mode)?;
        let (_, batch) = self.net.symbols().first()?;
        Some((program, bind(program, *batch).ok()?))
    }

    /// The peak of multiply-adds on the threads that the step uses.
    pub(super) fn peak(&self) -> Result<f64, Error> {
        let device = self.net.device();
        let peak = Arc::new(Mutex::new(0.0));
        let result = peak.clone();
        device.engine().push(&[], &[], "fma_peak", move |_| {
            *result.lock().map_err(|e| OpError::new(e.to_string()))? = measured_fma_peak();
            Ok(())
        });
        device.wait_all()?;
        Ok(*peak.lock().unwrap_or_else(|e| e.into_inner()))
    }

    fn seconds(&mut self) -> Result<f64, Error> {
        let start = Instant::now();
        self.run()?;
        Ok(start.elapsed().as_secs_f64())
    }
}

/// How many steps are timed where nobody says: what fits into two seconds, of big networks five, of small ones two hundred.
pub(super) fn default_runs(seconds: f64) -> usize {
    ((2.0 / seconds) as usize).clamp(5, 200)
}

/// Seconds of warm-up at least.
const WARM_UP: f64 = 0.33;

/// Seconds of several runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Times {
    /// In ascending order; at least one.
    sorted: Vec<f64>,
}

impl Times {
    /// # Panics
    ///
    /// Without any time.
    pub fn new(mut seconds: Vec<f64>) -> Times {
        assert!(!seconds.is_empty(), "a median needs a run");
        seconds.sort_by(f64::total_cmp);
        Times { sorted: seconds }
    }

    /// The middle one, or the mean of the two in the middle.
    pub fn median(&self) -> f64 {
        let n = self.sorted.len();
        (self.sorted[(n - 1) / 2] + self.sorted[n / 2]) / 2.0
    }

    /// The least.
    pub fn min(&self) -> f64 {
        self.sorted[0]
    }

    /// The greatest.
    pub fn max(&self) -> f64 {
        self.sorted[self.sorted.len() - 1]
    }

    /// How many there are.
    pub fn runs(&self) -> usize {
        self.sorted.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_by_hand() {
        let odd = Times::new(vec![3.0, 1.0, 2.5]);
        assert_eq!((odd.median(), odd.min(), odd.max(), odd.runs()), (2.5, 1.0, 3.0, 3));
        assert_eq!(Times::new(vec![4.0, 1.0, 2.0, 3.0]).median(), 2.5);
        assert_eq!(Times::new(vec![7.0]).median(), 7.0);
    }

    #[test]
    fn runs_fill_two_seconds_within_bounds() {
        assert_eq!([1e-6, 0.02, 0.1, 3.0].map(default_runs), [200, 100, 20, 5]);
    }
}
