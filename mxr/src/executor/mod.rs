//! A bound network: memory laid out, kernels chosen, every step ready to be replayed without an allocation.

mod arena;
mod asked;
mod bound;
mod budget;
mod external;
mod forms;
mod images;
mod layout;
mod monitor;
mod network;
mod options;
mod params;
mod partial;
mod pass;
mod prologue;

pub use monitor::Observation;
pub use network::{Compiled, LayerId, Network, Programs};
pub use options::{BindOptions, GradReq};
pub use params::ParamKey;

use crate::device::Device;
use crate::error::{Error, Result};
use crate::io::HostArray;
use crate::ndarray::NDArray;
use crate::op::Operator;
use crate::tensor::{Batch, InputId, Tensor};
use arena::Arena;
use bound::{Arrays, Bound};
use layout::Layout;
use monitor::{Callback, Monitor};
use mxr_graph::catalogue::Code;
use mxr_graph::program::Program;
use mxr_graph::summary::Summary;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The compiled forms of a network that was declared at run time.
#[derive(Clone)]
pub struct SharedPrograms {
    /// Forward and backward; `None` for a network that only predicts.
    pub train: Option<Arc<Program>>,
    /// Forward alone, without what only training needs.
    pub predict: Arc<Program>,
    /// The [operators of the user's](crate::op) that both call, by the numbers of their calls.
    pub operators: Arc<[Arc<dyn Operator>]>,
}

impl fmt::Debug for SharedPrograms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operators: Vec<&str> = self.operators.iter().map(|op| op.name()).collect();
        f.debug_struct("SharedPrograms")
            .field("train", &self.train)
            .field("predict", &self.predict)
            .field("operators", &operators)
            .finish()
    }
}

impl SharedPrograms {
    /// What is known of the network before it runs, as the constant `SUMMARY` of a network of `network!`.
    ///
    /// ```
    /// use mxr::{Symbol, opts};
    /// let data = Symbol::input("data").shape(["N".into(), 784.into()]);
    /// let hidden = data.dense_with(128, opts::Dense::new().name("fc1")).relu();
    /// let summary = hidden.dense_with(10, opts::Dense::new().name("fc2")).compile("mlp")?.summary();
    /// assert_eq!(summary.parameters.at(1), 784 * 128 + 128 + 128 * 10 + 10);
    /// assert_eq!(summary.predict.flops.per_symbol(), Some(2 * (784 * 128 + 128 * 10)));
    /// assert!(summary.predict.bytes(64) <= summary.predict.naive.at(64));
    /// # Ok::<(), mxr::Error>(())
    /// ```
    pub fn summary(&self) -> Summary {
        Summary::of(self.train.as_deref(), &self.predict)
    }
}

/// What a forward pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Dropout drops, batch normalisation uses and updates the statistics of the batch, the backward pass can follow.
    Train,
    /// Dropout is gone, batch normalisation uses its running statistics; losses are replaced by what they predict.
    Predict,
}

/// A network bound to a device, to values of its symbols and to memory.
///
/// [`Executor::forward`] and [`Executor::backward`] return at once; reading a result waits. Inputs, parameters,
/// states, outputs and gradients are [`NDArray`]s that can be used and changed like any other.
///
/// A network of `network!` binds by itself and holds an executor, which it dereferences to or gives with
/// [`Network::executor_mut`]; [`Symbol::bind`](crate::Symbol::bind) gives one directly:
///
/// ```
/// use mxr::{BindOptions, GradReq, Mode, NDArray, Symbol};
/// let (x, w) = (Symbol::input("x"), Symbol::param("w").shape([2.into()]));
/// let loss = (&x * &w).square().sum();
/// let mut net = loss.bind(&[("x", &[2])], BindOptions::new().input_grad("x", GradReq::Write))?;
/// net.set_input("x", &NDArray::try_from([1.0f32, 2.0])?)?;
/// net.param("w")?.fill_with(3.0)?;
/// net.forward(Mode::Train)?;
/// net.backward()?;
/// assert_eq!(net.outputs()[0].item::<f32>()?, 45.0);
/// assert_eq!(net.grad("w")?.to_vec::<f32>()?, [6.0, 24.0]); // 2 w x²
/// assert_eq!(net.grad("x")?.to_vec::<f32>()?, [18.0, 36.0]); // 2 w² x
/// # Ok::<(), mxr::Error>(())
/// ```
pub struct Executor {
    name: String,
    device: Device,
    arrays: Arrays,
    arena: Arena,
    train: Option<Bound>,
    predict: Bound,
    train_program: Option<Program>,
    predict_program: Program,
    symbols: Vec<(String, usize)>,
    accumulates: bool,
    last: Option<Mode>,
    /// Whether the values that a backward pass needs are there.
    passed: bool,
    steps: Arc<AtomicU64>,
    monitor: Arc<Monitor>,
}

/// What a bound network occupies, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryReport {
    /// The arena of internal arrays, shared by training and prediction: the largest that one of them needs, and one of the
    /// networks that share it ([`BindOptions::share_memory`]), all of which report the same bytes.
    pub arena: usize,
    /// What the arena has for scratch memory of the kernels besides; it lies between the arrays where there is room.
    pub workspace: usize,
    /// Parameters and states.
    pub parameters: usize,
    /// Gradients.
    pub gradients: usize,
    /// Inputs, head gradients, outputs and predictions.
    pub io: usize,
    /// What predictions compute of parameters and states alone. It is kept from run to run and computed again when one of
    /// these was written. A weight that kernels read in another form alone is not kept besides that, so this may be less than the constant
    /// `SUMMARY.predict.kept`, which is stated before kernels are chosen.
    pub kept: usize,
    /// Weights as the kernels of predictions read them, packed or transformed. All are made when a weight was written, where making them
    /// in every step would be a part of it that matters: at small batches, and in dense layers up to 2,048 rows. It is known when the network is bound, and taken by the
    /// first prediction; [`BindOptions::plain_weights`] does without.
    pub prepared: usize,
}

impl Executor {
    /// Bind a network of `network!` with the values of its symbols.
    ///
    /// # Errors
    ///
    /// A symbol that is missing or unknown, a fact about the symbols that does not hold, a gradient request for an
    /// unknown parameter, or too little memory.
    #[track_caller]
    pub fn bind(
        programs: &'static Programs,
        symbols: &[(&str, usize)],
        mut options: BindOptions,
    ) -> Result<Executor> {
        if !options.interpreted {
            options.functions = programs.functions();
        }
        let (train, predict) = (programs.train().cloned(), programs.predict().clone());
        Executor::bind_programs(train, predict, &programs.operators(), symbols, &options)
    }

    /// Bind a network of [`Symbol`](crate::Symbol). See [`Executor::bind`].
    #[track_caller]
    pub fn bind_shared(
        programs: SharedPrograms,
        symbols: &[(&str, usize)],
        options: BindOptions,
    ) -> Result<Executor> {
        let train = programs.train.map(|p| (*p).clone());
        let predict = (*programs.predict).clone();
        Executor::bind_programs(train, predict, &programs.operators, symbols, &options)
    }

    #[track_caller]
    fn bind_programs(
        train: Option<Program>,
        predict: Program,
        operators: &[Arc<dyn Operator>],
        symbols: &[(&str, usize)],
        options: &BindOptions,
    ) -> Result<Executor> {
        let device = options.place()?;
        asked::check(train.as_ref(), &predict, options)?;
        let given = asked::numbers(symbols)?;
        let (train, predict) = match &options.outputs {
            None => (train, predict),
            Some(layers) => (None, partial::up_to(&predict, layers)?),
        };
        let train = train.map(|p| bound::requested(p, options)).transpose()?;
        let train = train.map(|p| external::settled(p, operators, &given)).transpose()?;
        let predict = external::settled(predict, operators, &given)?;
        let (train, sums) = match train.map(|p| bound::summed(p, options)) {
            Some((p, sums)) => (Some(p), sums),
            None => (None, Vec::new()),
        };
        let train = train.map(|p| budget::fitted(p, Mode::Train, &given, &sums, options)).transpose()?;
        let predict = budget::fitted(predict, Mode::Predict, &given, &[], options)?;
        let train = train.map(|p| images::arranged(p, &sums, &given, options)).transpose()?;
        let predict = images::arranged(predict, &[], &given, options)?;
        let mut arrays = Arrays::new(&device, &options.shared_arrays);
        let steps = Arc::new(AtomicU64::new(0));
        let monitor = Arc::new(Monitor::default());
        let train_layout = train.as_ref().map(|p| Layout::new(p, operators, &given, options, Mode::Train));
        let train_layout = train_layout.transpose()?;
        let predict_layout = Layout::new(&predict, operators, &given, options, Mode::Predict)?;
        let layouts = || train_layout.iter().chain([&predict_layout]);
        let bytes = layouts().map(|l| l.arena()).max().unwrap_or(0);
        let internal = layouts().map(|l| l.internal()).max().unwrap_or(0);
        let arena = match &options.shared_arena {
            Some(arena) => {
                arena.fit(bytes, internal)?;
                arena.clone()
            }
            None => Arena::new(&device, bytes, internal)?,
        };
        let shared = bound::Shared {
            device: &device,
            arena: &arena,
            seed: options.seed,
            steps: &steps,
            site: std::panic::Location::caller(),
            monitor: &monitor,
        };
        let train_bound = match (&train, train_layout) {
            (Some(p), Some(layout)) => Some(Bound::new(p, Mode::Train, &sums, layout, &mut arrays, &shared)?),
            _ => None,
        };
        let predict_bound = Bound::new(&predict, Mode::Predict, &[], predict_layout, &mut arrays, &shared)?;
        options.shared_arrays.used(&arrays, &predict.name)?;
        Ok(Executor {
            name: predict.name.to_string(),
            device,
            arrays,
            arena,
            train: train_bound,
            predict: predict_bound,
            train_program: train,
            predict_program: predict,
            symbols: symbols.iter().map(|(n, v)| ((*n).to_string(), *v)).collect(),
            accumulates: options.accumulates(),
            last: None,
            passed: false,
            steps,
            monitor,
        })
    }

    /// Bytes of the arena, of the kernels' scratch memory, of what is kept of weights alone and of weights as kernels read them that a network of `network!` takes in one
    /// mode when it is bound like this; nothing is allocated. `None` for the training of a network that only predicts.
    ///
    /// # Errors
    ///
    /// As [`Executor::bind`].
    pub fn planned(
        programs: &'static Programs,
        symbols: &[(&str, usize)],
        options: &BindOptions,
        mode: Mode,
    ) -> Result<Option<MemoryReport>> {
        asked::check(programs.train(), programs.predict(), options)?;
        let given = asked::numbers(symbols)?;
        let operators = programs.operators();
        let program = match (mode, &options.outputs) {
            (Mode::Train, None) => {
                programs.train().map(|p| bound::requested(p.clone(), options)).transpose()?
            }
            (Mode::Train, Some(_)) => None,
            (Mode::Predict, None) => Some(programs.predict().clone()),
            (Mode::Predict, Some(layers)) => Some(partial::up_to(programs.predict(), layers)?),
        };
        let program = program.map(|p| external::settled(p, &operators, &given)).transpose()?;
        let program = program.map(|p| match mode {
            Mode::Train => bound::summed(p, options),
            Mode::Predict => (p, Vec::new()),
        });
        let arranged = |(p, sums): (Program, Vec<(u32, u32)>)| {
            images::arranged(budget::fitted(p, mode, &given, &sums, options)?, &sums, &given, options)
        };
        let program = program.map(arranged).transpose()?;
        let Some(program) = program else { return Ok(None) };
        let layout = Layout::new(&program, &operators, &given, options, mode)?;
        Ok(Some(MemoryReport {
            arena: layout.internal(),
            workspace: layout.arena() - layout.internal(),
            kept: layout.kept(&program),
            prepared: layout.forms.bytes(),
            ..MemoryReport::default()
        }))
    }

    /// Whether some gradients are added up ([`GradReq::Add`]).
    pub fn accumulates(&self) -> bool {
        self.accumulates
    }

    /// The network's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it runs.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The program of a mode, after pruning to what was asked for.
    pub fn program(&self, mode: Mode) -> Option<&Program> {
        match mode {
            Mode::Train => self.train_program.as_ref(),
            Mode::Predict => Some(&self.predict_program),
        }
    }

    /// The symbols' values.
    pub fn symbols(&self) -> &[(String, usize)] {
        &self.symbols
    }

    /// The names of the inputs, in order of declaration.
    pub fn input_names(&self) -> impl Iterator<Item = &str> {
        self.arrays.inputs.iter().map(|(n, _)| n.as_str())
    }

    /// The array of an input, to be filled.
    pub fn input(&self, name: &str) -> Result<&NDArray> {
        bound::named(&self.arrays.inputs, name, "input")
    }

    /// Fill an input with an array of its shape, converted to its type.
    ///
    /// # Errors
    ///
    /// When there is no input of this name, or it has another shape.
    #[track_caller]
    pub fn set_input(&self, name: &str, value: &NDArray) -> Result<()> {
        value.sound()?;
        self.fitting(name, value.shape())?.assign(value)
    }

    /// Fill an input with a typed tensor: `net.set(LeNet::data, &x)?`. What has another shape or element type than the network was
    /// declared with does not compile. [`Network::feed`] fills all of them.
    ///
    /// # Errors
    ///
    /// When a symbol is not what the network was bound with.
    pub fn set<T, S>(&self, input: InputId<T, S>, value: impl Batch<Tensor<T, S>>) -> Result<()> {
        value.feed(self, &mut std::iter::once(input.name()))
    }

    /// Fill an input from host memory.
    ///
    /// # Errors
    ///
    /// As [`Executor::set_input`].
    pub fn set_input_host(&self, name: &str, value: &HostArray) -> Result<()> {
        self.fitting(name, value.shape())?.copy_from_host(value)
    }

    /// The input of this name, if it has this shape.
    fn fitting(&self, name: &str, shape: &[usize]) -> Result<&NDArray> {
        let input = self.input(name)?;
        if input.shape() == shape {
            return Ok(input);
        }
        let bound: Vec<String> = self.symbols.iter().map(|(symbol, n)| format!("{symbol} = {n}")).collect();
        Err(Error::invalid(
            format!("`{}`", self.name),
            format!(
                "its input `{name}` takes {:?}, this is an array of {shape:?} ({})",
                input.shape(),
                Code::FedShape
            ),
            match bound.is_empty() {
                true => "all of its extents are numbers of the declaration".to_string(),
                false => {
                    format!(
                        "it is bound with {}; bind it with the extents that it is fed with",
                        bound.join(", ")
                    )
                }
            },
        ))
    }

    /// Run the forward pass. Returns at once.
    ///
    /// # Errors
    ///
    /// When the network was compiled for prediction only.
    pub fn forward(&mut self, mode: Mode) -> Result<()> {
        let bound = match mode {
            Mode::Predict => &self.predict,
            Mode::Train => self.train.as_ref().ok_or_else(|| {
                Error::invalid(
                    format!("{}.forward", self.name),
                    format!(
                        "the network was declared for prediction only, or bound up to some of its layers ({})",
                        Code::OnlyPredicts
                    ),
                    "declare it without `#[predict]`, and bind it without `outputs`, to train it",
                )
            })?,
        };
        bound.forward(&self.device, &self.arena);
        self.last = Some(mode);
        self.passed = mode == Mode::Train;
        Ok(())
    }

    /// Run the backward pass of the last forward pass. Returns at once. It uses up the values of the forward pass, whose
    /// memory the gradients take over.
    ///
    /// # Errors
    ///
    /// When the call before was not a forward pass for training, or another network that shares the memory has run since.
    pub fn backward(&mut self) -> Result<()> {
        let refused =
            |why: String, help: &str| Err(Error::invalid(format!("{}.backward", self.name), why, help));
        match &self.train {
            Some(bound) if self.passed => {
                self.passed = false;
                bound.backward(&self.device, &self.arena).or_else(|why| {
                    refused(
                        why.to_string(),
                        "run `backward` right after `forward(Mode::Train)`, or bind without `share_memory`",
                    )
                })
            }
            _ => refused(
                format!(
                    "it needs the values of a forward pass for training, and such a pass was not the call before it ({})",
                    Code::NothingToGoBack
                ),
                "call `forward(Mode::Train)` before each `backward`",
            ),
        }
    }

    /// Set all gradients to 0: the start of a sum, for those of [`GradReq::Add`]. Returns at once.
    ///
    /// ```
    /// # use mxr::{BindOptions, GradReq, Mode, Symbol};
    /// let w = Symbol::param("w").shape([2.into()]);
    /// let mut net = (&w * &w).sum().bind(&[], BindOptions::new().grads(GradReq::Add))?;
    /// net.param("w")?.fill_with(3.0)?;
    /// net.zero_grads();
    /// for _ in 0..2 {
    ///     net.forward(Mode::Train)?;
    ///     net.backward()?;
    /// }
    /// assert_eq!(net.grad("w")?.to_vec::<f32>()?, [12.0, 12.0]);
    /// # Ok::<(), mxr::Error>(())
    /// ```
    pub fn zero_grads(&self) {
        if let Some(bound) = &self.train {
            bound.zero_grads(&self.device);
        }
    }

    /// Wait until everything that was asked of the network has been done.
    ///
    /// # Errors
    ///
    /// What went wrong on the way, with the layer.
    pub fn wait(&self) -> Result<()> {
        Ok(self.modes().map(|b| b.wait(&self.device)).fold(Ok(()), Result::and)?)
    }

    /// Wait, and go on after an error: it is taken from all arrays of the network, and told.
    ///
    /// A pass that fails (on a label out of range, say) marks what it was to write, and what was pushed after it is skipped
    /// and marks its own results, an update its weights. Skipped operations change nothing: weights are what they were
    /// before. The passes themselves begin anew with the next `forward`, with or without this call.
    ///
    /// ```
    /// # use mxr::{BindOptions, DType, Mode, NDArray, Symbol};
    /// use mxr::optimizer::{Sgd, Updater};
    /// let label = Symbol::input("label").dtype(DType::I64);
    /// let loss = Symbol::input("x").dense(3).softmax_cross_entropy(&label);
    /// let mut net = loss.bind(&[("x", &[1, 2]), ("label", &[1])], BindOptions::new())?;
    /// let mut updater = Updater::new(&net, Sgd::new(0.1))?;
    /// for class in [7i64, 2] {
    ///     net.set_input("label", &NDArray::try_from([class])?)?;
    ///     net.forward(Mode::Train)?;
    ///     net.backward()?;
    ///     updater.update();
    ///     let told = updater.recover()?.or(net.recover()?);
    ///     assert_eq!(told.is_some(), class == 7);
    /// }
    /// assert_eq!(updater.updates(), 1);
    /// # Ok::<(), mxr::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// That it is called inside an operation.
    pub fn recover(&mut self) -> Result<Option<Error>> {
        let mut first = None;
        for b in self.modes() {
            first = first.or(b.recover(&self.device)?);
        }
        if first.is_some() {
            self.passed = false;
        }
        Ok(first.map(Error::from))
    }

    fn modes(&self) -> impl Iterator<Item = &Bound> {
        self.train.iter().chain([&self.predict])
    }

    /// What the network returned in the last forward pass: losses in training, predictions in prediction.
    pub fn outputs(&self) -> &[NDArray] {
        match (self.last, &self.train) {
            (Some(Mode::Train), Some(t)) => &t.outputs,
            _ => &self.predict.outputs,
        }
    }

    /// What the network predicted in the last forward pass, in either mode (class probabilities for softmax cross entropy).
    /// A network without a loss predicts its outputs.
    pub fn predictions(&self) -> &[NDArray] {
        match (self.last, &self.train) {
            (Some(Mode::Train), Some(t)) if !t.predictions.is_empty() => &t.predictions,
            _ => self.outputs(),
        }
    }

    /// The gradient fed into an output that is not a scalar loss; ones unless it is changed.
    pub fn head_grad(&self, output: usize) -> Result<&NDArray> {
        let heads = self.train.as_ref().map_or(&[][..], |t| &t.heads);
        heads.iter().find(|(o, _)| *o == output).map(|(_, a)| a).ok_or_else(|| {
            Error::invalid(
                format!("{}.head_grad", self.name),
                format!("output {output} takes no head gradient"),
                "losses (scalars) have the head gradient 1",
            )
        })
    }

    /// The number of training passes that have run so far, the position in the random numbers of dropout. Part of a
    /// checkpoint. Does not wait.
    pub fn position(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Continue at a position of [`Executor::position`]. Waits for passes that are under way.
    pub fn set_position(&self, position: u64) -> Result<()> {
        self.settle();
        self.steps.store(position, Ordering::Relaxed);
        Ok(())
    }

    /// Show every value that a step makes to this function, in order, inside the engine; `None` ends it. Without a monitor
    /// nothing is spent on it.
    ///
    /// ```
    /// # use mxr::{BindOptions, Mode, Symbol};
    /// use std::sync::{Arc, Mutex};
    /// let y = Symbol::input("x").relu();
    /// let mut net = y.bind(&[("x", &[2])], BindOptions::new())?;
    /// let seen = Arc::new(Mutex::new(Vec::new()));
    /// let log = seen.clone();
    /// net.set_monitor(Some(Box::new(move |o| log.lock().unwrap().push(o.layer.to_string()))))?;
    /// net.forward(Mode::Predict)?;
    /// net.outputs()[0].wait()?;
    /// assert_eq!(*seen.lock().unwrap(), ["activation0"]);
    /// # Ok::<(), mxr::Error>(())
    /// ```
    pub fn set_monitor(&mut self, monitor: Option<Callback>) -> Result<()> {
        self.settle();
        self.monitor.set(monitor);
        Ok(())
    }

    /// Wait for passes that are under way; what goes wrong in them stays on the arrays, for those who wait for these.
    fn settle(&self) {
        let _ = self.wait();
    }

    /// What it occupies.
    pub fn memory(&self) -> MemoryReport {
        let bytes = |list: &[(String, NDArray)]| list.iter().map(|(_, a)| a.bytes().len()).sum::<usize>();
        let results: usize = self
            .modes()
            .flat_map(|b| b.outputs.iter().chain(&b.predictions).chain(b.heads.iter().map(|(_, a)| a)))
            .map(|a| a.bytes().len())
            .sum();
        let (arena, workspace) = self.arena.bytes();
        MemoryReport {
            arena,
            workspace,
            parameters: bytes(&self.arrays.params) + bytes(&self.arrays.aux),
            gradients: bytes(&self.arrays.grads),
            io: bytes(&self.arrays.inputs) + results,
            kept: self.modes().map(|b| b.kept).sum(),
            prepared: self.modes().map(|b| b.prepared).sum(),
        }
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor")
            .field("name", &self.name)
            .field("symbols", &self.symbols)
            .field("memory", &self.memory())
            .finish_non_exhaustive()
    }
}
