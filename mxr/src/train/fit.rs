//! `Fit`: the loop.

use super::checkpoint;
use super::progress::Progress;
use crate::error::{Error, Result};
use crate::executor::{Executor, Mode};
use crate::io::checkpoint::latest_epoch;
use crate::io::iter::{DataBatch, DataIter};
use crate::metric::{Accuracy, Loss, Metric, Observed};
use crate::ndarray::NDArray;
use crate::optimizer::{Optimizer, Updater};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Trains a bound network.
///
/// ```no_run
/// # use mxr::{Executor, init::Xavier, io::iter::{DataIter, MnistIter}, optimizer::Sgd, train::Fit};
/// # fn run(mut net: Executor, mut train: MnistIter, mut test: MnistIter) -> Result<(), mxr::Error> {
/// net.init(&Xavier::default(), 0)?;
/// let history = Fit::new(Sgd::new(0.1).momentum(0.9))
///     .epochs(2)
///     .validation(&mut test)
///     .checkpoint("run/lenet")
///     .run(&mut net, &mut train)?;
/// println!("{:?}", history.last());
/// # Ok(())
/// # }
/// ```
pub struct Fit<'a> {
    optimizer: Arc<dyn Optimizer>,
    epochs: u32,
    metrics: Vec<Box<dyn Metric>>,
    default_metrics: bool,
    validation: Option<&'a mut dyn DataIter>,
    prefix: Option<PathBuf>,
    resume: bool,
    progress: bool,
    #[allow(clippy::type_complexity)] // a boxed callback
    on_batch: Option<Box<dyn FnMut(&BatchEvent<'_>) -> ControlFlow<()> + 'a>>,
    #[allow(clippy::type_complexity)] // a boxed callback
    on_epoch: Option<Box<dyn FnMut(&EpochRecord) -> ControlFlow<()> + 'a>>,
    #[allow(clippy::type_complexity)] // a boxed callback
    factors: Option<Box<dyn Fn(&str) -> (f64, f64) + 'a>>,
}

/// After a batch.
#[derive(Debug)]
pub struct BatchEvent<'a> {
    /// The epoch, counted from 0.
    pub epoch: u32,
    /// The batch within the epoch, counted from 0.
    pub batch: usize,
    /// The learning rate of this update.
    pub learning_rate: f64,
    /// Metrics over the epoch so far.
    pub metrics: &'a [(String, f64)],
}

/// What an epoch came to.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochRecord {
    /// The epoch, counted from 0.
    pub epoch: u32,
    /// Metrics over the training data, while it was being learned.
    pub train: Vec<(String, f64)>,
    /// Metrics over the validation data, after the epoch.
    pub validation: Vec<(String, f64)>,
    /// The learning rate of the last update.
    pub learning_rate: f64,
    /// Training samples.
    pub samples: usize,
    /// Time of the training part.
    pub time: Duration,
}

/// One record per epoch of this run.
pub type History = Vec<EpochRecord>;

impl<'a> Fit<'a> {
    /// With this optimizer, for one epoch, measuring loss and accuracy, with a progress bar where there is a terminal.
    pub fn new(optimizer: impl Optimizer + 'static) -> Fit<'a> {
        Fit {
            optimizer: Arc::new(optimizer),
            epochs: 1,
            metrics: vec![Box::new(Loss::default()), Box::new(Accuracy::default())],
            default_metrics: true,
            validation: None,
            prefix: None,
            resume: false,
            progress: true,
            on_batch: None,
            on_epoch: None,
            factors: None,
        }
    }

    /// Train up to this many epochs in all (those before a resumed checkpoint count).
    pub fn epochs(mut self, epochs: u32) -> Self {
        self.epochs = epochs;
        self
    }

    /// Measure this; the first call replaces the default metrics, further ones add.
    pub fn metric(mut self, metric: impl Metric + 'static) -> Self {
        if std::mem::take(&mut self.default_metrics) {
            self.metrics.clear();
        }
        self.metrics.push(Box::new(metric));
        self
    }

    /// Measure on this data after every epoch.
    pub fn validation(mut self, data: &'a mut dyn DataIter) -> Self {
        self.validation = Some(data);
        self
    }

    /// After every whole epoch write `PREFIX-NNNN.params` (MXNet's format) and `PREFIX-NNNN.states` (optimizer, position in
    /// the data and in the random numbers), atomically. An epoch that [`Fit::on_batch`] ends early leaves no checkpoint.
    pub fn checkpoint(mut self, prefix: impl AsRef<Path>) -> Self {
        self.prefix = Some(prefix.as_ref().to_path_buf());
        self
    }

    /// Go on from the last checkpoint under the prefix, if there is one. The result has the same bits as without
    /// stopping. A checkpoint that is damaged, or of another network, optimizer or data, is an error and changes nothing.
    pub fn resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }

    /// Whether to show a progress bar and one line per epoch on standard error.
    pub fn progress(mut self, show: bool) -> Self {
        self.progress = show;
        self
    }

    /// Factors on learning rate and weight decay by the parameter's name: `(lr_mult, wd_mult)`. They multiply those that the
    /// network states itself.
    pub fn factors(mut self, factors: impl Fn(&str) -> (f64, f64) + 'a) -> Self {
        self.factors = Some(Box::new(factors));
        self
    }

    /// Call this after every batch; [`ControlFlow::Break`] ends the training after it.
    pub fn on_batch(mut self, f: impl FnMut(&BatchEvent<'_>) -> ControlFlow<()> + 'a) -> Self {
        self.on_batch = Some(Box::new(f));
        self
    }

    /// Call this after every epoch, its checkpoint included; [`ControlFlow::Break`] ends the training after it.
    pub fn on_epoch(mut self, f: impl FnMut(&EpochRecord) -> ControlFlow<()> + 'a) -> Self {
        self.on_epoch = Some(Box::new(f));
        self
    }

    /// Train.
    ///
    /// # Errors
    ///
    /// When the data does not fit the network, gradients are accumulated ([`GradReq::Add`](crate::GradReq::Add)), a file
    /// cannot be read or written, or an operation fails; the network can be used again afterwards.
    pub fn run(self, net: &mut Executor, train: &mut dyn DataIter) -> Result<History> {
        let result = self.train(net, train);
        if result.is_err() {
            net.recover()?;
        }
        result
    }

    fn train(mut self, net: &mut Executor, train: &mut dyn DataIter) -> Result<History> {
        if net.accumulates() {
            return Err(Error::invalid(
                "fit",
                "the network is bound to add up its gradients, which nobody would set to 0 between batches",
                "bind it with `GradReq::Write`, or write the loop yourself with `zero_grads`",
            ));
        }
        let feed = Feed::new(net, train)?;
        let validation_feed = match &self.validation {
            Some(v) => Some(Feed::new(net, &**v)?),
            None => None,
        };
        let factors = self.factors.take();
        let factors = |name: &str| factors.as_ref().map_or((1.0, 1.0), |f| f(name));
        let mut updater = Updater::with_factors(net, self.optimizer.clone(), &factors)?;
        let mut first = 0;
        if let (true, Some(prefix)) = (self.resume, &self.prefix)
            && let Some(epoch) = latest_epoch(prefix)?
        {
            checkpoint::load(prefix, epoch, net, &mut updater, train)?;
            first = epoch;
        }
        let mut history = History::new();
        for epoch in first..self.epochs {
            let (record, stopped) =
                self.epoch(epoch, net, train, &feed, &mut updater, validation_feed.as_ref())?;
            if let (Some(prefix), false) = (&self.prefix, stopped) {
                // The next epoch's order belongs to the state.
                train.reset();
                checkpoint::save(prefix, epoch + 1, net, &updater, train)?;
            }
            let flow = self.on_epoch.as_mut().map_or(ControlFlow::Continue(()), |f| f(&record));
            history.push(record);
            if stopped || flow.is_break() {
                break;
            }
        }
        net.wait()?;
        Ok(history)
    }

    fn epoch(
        &mut self,
        epoch: u32,
        net: &mut Executor,
        train: &mut dyn DataIter,
        feed: &Feed,
        updater: &mut Updater,
        validation_feed: Option<&Feed>,
    ) -> Result<(EpochRecord, bool)> {
        train.reset();
        self.metrics.iter_mut().for_each(|m| m.reset());
        let progress = Progress::new(self.progress, epoch, self.epochs, train.batches());
        let (start, mut samples, mut batches, mut stopped) = (Instant::now(), 0, 0, false);
        let mut learning_rate = updater.learning_rate();
        while let Some(batch) = train.next() {
            let batch = batch?;
            feed.fill(net, &batch)?;
            learning_rate = updater.learning_rate();
            net.forward(Mode::Train)?;
            net.backward()?;
            updater.update();
            let counted = feed.batch - batch.pad;
            observe(self.metrics.iter_mut().map(|m| &mut **m), net, feed, counted, false)?;
            samples += counted;
            let values = self.values(false);
            progress.batch(&values, samples, start.elapsed());
            if let Some(f) = &mut self.on_batch {
                let event = BatchEvent { epoch, batch: batches, learning_rate, metrics: &values };
                stopped = f(&event).is_break();
            }
            batches += 1;
            if stopped {
                break;
            }
        }
        if batches == 0 {
            return Err(Error::invalid(
                "fit",
                "the training data has no batch",
                "use a smaller batch or more samples",
            ));
        }
        net.wait()?;
        let time = start.elapsed();
        let trained = self.values(false);
        let mut validated = Vec::new();
        if let (Some(data), Some(feed)) = (&mut self.validation, validation_feed) {
            let mut metrics: Vec<&mut dyn Metric> =
                self.metrics.iter_mut().map(|m| &mut **m as &mut dyn Metric).collect();
            measure(&mut metrics, net, *data, feed)?;
            validated = self.values(true);
        }
        let record =
            EpochRecord { epoch, train: trained, validation: validated, learning_rate, samples, time };
        progress.epoch(&record);
        Ok((record, stopped))
    }

    fn values(&self, predicting: bool) -> Vec<(String, f64)> {
        let counted = self.metrics.iter().filter(|m| !(predicting && m.needs_loss()));
        counted.map(|m| (m.name(), m.value())).collect()
    }
}

/// Measure a network on data, in prediction mode.
///
/// ```no_run
/// # use mxr::{Executor, io::iter::DataIter, metric::{Accuracy, Metric}};
/// # fn run(mut net: Executor, test: &mut dyn DataIter) -> Result<(), mxr::Error> {
/// let mut accuracy = Accuracy::default();
/// mxr::train::evaluate(&mut net, test, &mut [&mut accuracy])?;
/// println!("{}", accuracy.value());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// When the data does not fit the network, or an operation fails.
pub fn evaluate(net: &mut Executor, data: &mut dyn DataIter, metrics: &mut [&mut dyn Metric]) -> Result<()> {
    let feed = Feed::new(net, data)?;
    measure(metrics, net, data, &feed)
}

fn measure(
    metrics: &mut [&mut dyn Metric],
    net: &mut Executor,
    data: &mut dyn DataIter,
    feed: &Feed,
) -> Result<()> {
    metrics.iter_mut().for_each(|m| m.reset());
    data.reset();
    while let Some(batch) = data.next() {
        let batch = batch?;
        feed.fill(net, &batch)?;
        net.forward(Mode::Predict)?;
        observe(metrics.iter_mut().map(|m| &mut **m), net, feed, feed.batch - batch.pad, true)?;
    }
    data.reset();
    Ok(())
}

fn observe<'a, 'm: 'a>(
    metrics: impl Iterator<Item = &'a mut (dyn Metric + 'm)>,
    net: &Executor,
    feed: &Feed,
    samples: usize,
    predicting: bool,
) -> Result<()> {
    let outputs = if predicting { &[] } else { net.outputs() };
    let batch = Observed { predictions: net.predictions(), labels: &feed.labels, outputs, samples };
    for m in metrics.filter(|m| !(predicting && m.needs_loss())) {
        m.update(&batch)?;
    }
    Ok(())
}

/// Which array of a batch goes into which input of the network.
struct Feed {
    data: Vec<String>,
    label: Vec<String>,
    labels: Vec<NDArray>,
    batch: usize,
}

impl Feed {
    /// By name where the names agree, otherwise in order: data first, then labels.
    fn new(net: &Executor, data: &dyn DataIter) -> Result<Feed> {
        let inputs: Vec<&str> = net.input_names().collect();
        let descs: Vec<_> = data.provide_data().iter().chain(data.provide_label()).collect();
        if inputs.len() != descs.len() {
            let names: Vec<&str> = descs.iter().map(|d| d.name.as_str()).collect();
            return Err(Error::invalid(
                "fit",
                format!("the network has the inputs {inputs:?}, the data provides {names:?}"),
                "one array per input",
            ));
        }
        let by_name = descs.iter().all(|d| inputs.contains(&d.name.as_str()));
        let mut names = Vec::with_capacity(descs.len());
        for (i, d) in descs.iter().enumerate() {
            let name = if by_name { d.name.as_str() } else { inputs[i] };
            let input = net.input(name)?;
            if input.shape() != d.shape {
                return Err(Error::invalid(
                    format!("input `{name}`"),
                    format!("the network is bound for {:?}, the data provides {:?}", input.shape(), d.shape),
                    "bind the network with the data's batch size",
                ));
            }
            names.push(name.to_string());
        }
        let label = names.split_off(data.provide_data().len());
        let labels = label.iter().map(|n| net.input(n).cloned()).collect::<Result<Vec<_>>>()?;
        Ok(Feed { data: names, label, labels, batch: data.batch_size() })
    }

    fn fill(&self, net: &Executor, batch: &DataBatch<'_>) -> Result<()> {
        for (name, array) in self.data.iter().zip(batch.data).chain(self.label.iter().zip(batch.label)) {
            net.set_input_host(name, array)?;
        }
        Ok(())
    }
}
