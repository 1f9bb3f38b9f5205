//! Applies an optimizer to the parameters of a bound network, as prepared operations of the engine.

use super::{Optimizer, UpdateAt, decay_factor};
use crate::device::Device;
use crate::engine::{OpError, Prepared, Properties};
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::io::{HostArray, NamedArrays};
use crate::ndarray::NDArray;
use crate::storage::{Operands, slice_of, slice_of_mut};
use mxr_graph::dtype::DType;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An optimizer at work on the parameters of one network. [`Updater::update`] returns at once; each parameter is updated
/// when its gradient is there. Nothing is allocated after the first update.
///
/// ```
/// use mxr::optimizer::{Sgd, Updater};
/// use mxr::{BindOptions, Mode, Symbol};
/// let w = Symbol::param("w").shape([1.into()]);
/// let mut net = (&w - 3.0).square().sum().bind(&[], BindOptions::new())?;
/// let mut updater = Updater::new(&net, Sgd::new(0.25))?;
/// for _ in 0..2 {
///     net.forward(Mode::Train)?;
///     net.backward()?;
///     updater.update();
/// }
/// // Half of the way to 3 each time.
/// assert_eq!(net.param("w")?.item::<f32>()?, 2.25);
/// # Ok::<(), mxr::Error>(())
/// ```
pub struct Updater {
    optimizer: Arc<dyn Optimizer>,
    device: Device,
    slots: Vec<Slot>,
    /// Updates pushed so far.
    pushed: u64,
}

struct Slot {
    name: String,
    weight: NDArray,
    states: Vec<NDArray>,
    /// Updates run so far.
    count: Arc<AtomicU64>,
    run: Prepared,
}

impl Updater {
    /// Prepare to update every parameter of the network that has a gradient, as its layer says ([`Executor::training`]).
    ///
    /// # Errors
    ///
    /// When a parameter does not hold f32.
    pub fn new(net: &Executor, optimizer: impl Optimizer + 'static) -> Result<Updater> {
        Updater::with_factors(net, Arc::new(optimizer), &|_| (1.0, 1.0))
    }

    /// With factors on learning rate and weight decay by the parameter's name: `(lr_mult, wd_mult)`. They multiply those that
    /// the layers state ([`Executor::training`]); the second comes on top of the rule that only weights and gammas decay.
    pub fn with_factors(
        net: &Executor,
        optimizer: Arc<dyn Optimizer>,
        factors: &dyn Fn(&str) -> (f64, f64),
    ) -> Result<Updater> {
        let device = net.device().clone();
        if optimizer.states() > MAX_STATES {
            return Err(Error::invalid(
                optimizer.name(),
                format!("keeps {} arrays per weight", optimizer.states()),
                format!("at most {MAX_STATES} are supported"),
            ));
        }
        let mut slots = Vec::new();
        for (name, weight) in net.params() {
            let Ok(grad) = net.grad(name) else { continue };
            if weight.dtype() != DType::F32 {
                return Err(Error::invalid(
                    format!("parameter `{name}`"),
                    format!("optimizers update f32, it is {}", weight.dtype()),
                    "declare the network's inputs as f32",
                ));
            }
            let states = (0..optimizer.states())
                .map(|_| NDArray::zeros_on(&device, weight.shape(), DType::F32))
                .collect::<Result<Vec<_>>>()?;
            let (stated, (lr, wd)) = (net.training(name)?, factors(name));
            let (lr_mult, wd_mult) = (stated.lr_mult * lr, stated.wd_mult * wd * decay_factor(name));
            slots.push(slot(&device, &optimizer, name, weight, grad, states, lr_mult, wd_mult)?);
        }
        if slots.is_empty() {
            return Err(Error::invalid(
                optimizer.name(),
                "no parameter of the network has a gradient, so there is nothing to update",
                "bind the network for training, with gradients, and let its loss depend on parameters that are not frozen",
            ));
        }
        Ok(Updater { optimizer, device, slots, pushed: 0 })
    }

    /// Update every parameter from its gradient.
    pub fn update(&mut self) {
        for s in &self.slots {
            self.device.engine().push_prepared(&s.run);
        }
        self.pushed += 1;
    }

    /// Wait, and go on after an error, which is told: updates that were skipped because of it do not count. See
    /// [`Executor::recover`].
    ///
    /// # Errors
    ///
    /// That it is called inside an operation.
    pub fn recover(&mut self) -> Result<Option<Error>> {
        let mut first = None;
        for s in &self.slots {
            for a in s.states.iter().chain([&s.weight]) {
                first = first.or(self.device.engine().clear_error(a.buffer().var())?);
            }
        }
        if let (Some(_), Some(s)) = (&first, self.slots.first()) {
            self.pushed = s.count.load(Ordering::Relaxed);
        }
        Ok(first.map(Error::from))
    }

    /// How many updates there were.
    pub fn updates(&self) -> u64 {
        self.pushed
    }

    /// The learning rate of the next update.
    pub fn learning_rate(&self) -> f64 {
        self.optimizer.learning_rate(self.pushed)
    }

    /// The optimizer's name.
    pub fn name(&self) -> &'static str {
        self.optimizer.name()
    }

    /// The state arrays, named `<parameter>:<number>`; waits for pending updates.
    pub fn states(&self) -> Result<NamedArrays> {
        let mut out = NamedArrays::new();
        for s in &self.slots {
            for (i, a) in s.states.iter().enumerate() {
                out.push(format!("{}:{i}", s.name), a.to_host()?)?;
            }
        }
        Ok(out)
    }

    /// Continue from saved states after `updates` updates.
    ///
    /// # Errors
    ///
    /// When the states are not those of this optimizer and network; then nothing is changed.
    pub fn restore(&mut self, states: &NamedArrays, updates: u64) -> Result<()> {
        for (a, h) in self.matched(states)? {
            a.copy_from_host(h)?;
        }
        for s in &self.slots {
            // The count belongs to the last update that was pushed. Its error, if there is one, stays on the weight.
            let _ = s.weight.wait();
            s.count.store(updates, Ordering::Relaxed);
        }
        self.pushed = updates;
        Ok(())
    }

    /// Each state with the saved one.
    pub(crate) fn matched<'a>(
        &'a self,
        states: &'a NamedArrays,
    ) -> Result<Vec<(&'a NDArray, &'a HostArray)>> {
        let mut found = Vec::new();
        for s in &self.slots {
            for (i, a) in s.states.iter().enumerate() {
                let name = format!("{}:{i}", s.name);
                match states.get(&name) {
                    Some(h) if h.shape() == a.shape() && h.dtype() == a.dtype() => found.push((a, h)),
                    other => {
                        return Err(Error::invalid(
                            format!("optimizer state `{name}`"),
                            match other {
                                Some(h) => format!(
                                    "has the shape {:?}, the checkpoint has {:?}",
                                    a.shape(),
                                    h.shape()
                                ),
                                None => "is not in the checkpoint".to_string(),
                            },
                            "resume with the optimizer and the network of the checkpoint",
                        ));
                    }
                }
            }
        }
        if found.len() < states.len() {
            let own = |n: &str| {
                let (parameter, number) = n.rsplit_once(':').unwrap_or((n, ""));
                let slot = self.slots.iter().find(|s| s.name == parameter);
                slot.is_some_and(|s| number.parse::<usize>().is_ok_and(|i| i < s.states.len()))
            };
            let extra = states.names().find(|n| !own(n)).unwrap_or_default();
            return Err(Error::invalid(
                format!("optimizer state `{extra}`"),
                format!("is in the checkpoint, but `{}` as it is set up here does not keep it", self.name()),
                "resume with the optimizer (its momentum, too) and the network of the checkpoint",
            ));
        }
        Ok(found)
    }
}

#[allow(clippy::too_many_arguments)] // one caller; a struct for it would be the same list once more
fn slot(
    device: &Device,
    optimizer: &Arc<dyn Optimizer>,
    name: &str,
    weight: &NDArray,
    grad: &NDArray,
    states: Vec<NDArray>,
    lr_mult: f64,
    wd_mult: f64,
) -> Result<Slot> {
    let part = |a: &NDArray| (a.buffer().clone(), a.bytes());
    let (g, w) = (part(grad), part(weight));
    let mut list = Operands::builder().read(&g.0, g.1).write(&w.0, w.1);
    for s in &states {
        let s = part(s);
        list = list.write(&s.0, s.1);
    }
    let operands = list.build().map_err(|e| Error::invalid(name, e.to_string(), ""))?;
    operands.allocate().map_err(|e| Error::invalid(name, e.to_string(), ""))?;
    let vars = operands.vars();
    let count = Arc::new(AtomicU64::new(0));
    let (counter, rule) = (count.clone(), optimizer.clone());
    let props = Properties::new("update").label(name);
    let run = device.engine().prepare(&vars.reads(), &vars.writes(), props, move |ctx| {
        let t = counter.fetch_add(1, Ordering::Relaxed);
        ctx.with(&operands, |reads, writes| {
            let grad = slice_of::<f32>(reads[0])?;
            let (weight, states) = writes.split_first_mut().expect("a weight");
            let at = UpdateAt { t, lr_mult, wd_mult };
            // No optimizer in use keeps more than a handful of states.
            let count = states.len();
            let mut room: [&mut [f32]; MAX_STATES] = Default::default();
            for (slot, bytes) in room.iter_mut().zip(states.iter_mut()) {
                *slot = slice_of_mut(bytes)?;
            }
            rule.update(&at, slice_of_mut(weight)?, grad, &mut room[..count]);
            Ok::<(), OpError>(())
        })?
    });
    Ok(Slot { name: name.to_string(), weight: weight.clone(), states, count, run })
}

/// The most states an optimizer may keep per weight.
const MAX_STATES: usize = 8;
