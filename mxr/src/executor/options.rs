//! How a network is bound: device, gradients wanted, seed.

use super::arena::Arena;
use super::bound::Arrays;
use super::{Compiled, Executor};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::ndarray::NDArray;

/// What happens to a gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GradReq {
    /// Each backward pass replaces it.
    #[default]
    Write,
    /// Each backward pass adds to it: accumulation over micro-batches, from one [`Executor::zero_grads`] to the next. What is
    /// added is made in the arena and added at once, so it costs no second array. After an error the sum stays one until it
    /// begins anew.
    Add,
    /// It is not computed, and neither is what only it needs. What is left may be fused and laid out in another way, so other gradients
    /// agree up to rounding.
    Null,
}

/// How to bind a network. The default: on the CPU, gradients of all parameters, none of the inputs, seed 0.
///
/// ```
/// use mxr::{BindOptions, GradReq};
/// let options = BindOptions::new().grad("fc1_bias", GradReq::Null).input_grad("data", GradReq::Write).seed(7);
/// ```
#[derive(Clone, Debug, Default)]
pub struct BindOptions {
    pub(crate) device: Option<Device>,
    pub(crate) all: GradReq,
    pub(crate) by_name: Vec<(String, GradReq)>,
    pub(crate) seed: u64,
    pub(crate) naive_memory: bool,
    pub(crate) memory_budget: Option<u64>,
    pub(crate) recompute: Vec<String>,
    pub(crate) passes: String,
    pub(crate) interpreted: bool,
    pub(crate) nchw: bool,
    pub(crate) plain_weights: bool,
    pub(crate) functions: &'static [Compiled],
    pub(crate) outputs: Option<Vec<String>>,
    pub(crate) shared_arrays: SharedArrays,
    pub(crate) shared_arena: Option<Arena>,
}

/// Arrays of a network that another one takes over.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedArrays {
    pub(crate) network: String,
    pub(crate) params: Vec<(String, NDArray)>,
    pub(crate) aux: Vec<(String, NDArray)>,
    /// Of parameters.
    pub(crate) grads: Vec<(String, NDArray)>,
}

impl SharedArrays {
    /// Whether anything was taken over.
    pub(super) fn used(&self, arrays: &Arrays, by: &str) -> Result<()> {
        let theirs = |name: &str| self.params.iter().any(|(n, _)| n == name);
        let taken = arrays.params.iter().any(|(n, _)| theirs(n));
        if taken || self.params.is_empty() || arrays.params.is_empty() {
            return Ok(());
        }
        Err(Error::invalid(
            format!("{by}.bind"),
            format!(
                "no parameter has the name of a parameter of `{}`, with which they are to be shared",
                self.network
            ),
            "name the layers alike in both",
        ))
    }
}

impl BindOptions {
    /// The default.
    pub fn new() -> BindOptions {
        BindOptions::default()
    }

    /// Run on this device instead of [`Device::cpu`].
    pub fn device(mut self, device: &Device) -> BindOptions {
        self.device = Some(device.clone());
        self
    }

    /// What happens to the gradients of all parameters that are not named.
    pub fn grads(mut self, request: GradReq) -> BindOptions {
        self.all = request;
        self
    }

    /// What happens to the gradient of one parameter, by its full name (`fc1_weight`).
    pub fn grad(mut self, parameter: &str, request: GradReq) -> BindOptions {
        self.by_name.push((parameter.to_string(), request));
        self
    }

    /// Compute the gradient of an input too (of floating-point type), by its name.
    pub fn input_grad(self, input: &str, request: GradReq) -> BindOptions {
        self.grad(input, request)
    }

    /// The seed of everything random inside the network (dropout).
    pub fn seed(mut self, seed: u64) -> BindOptions {
        self.seed = seed;
        self
    }

    /// Give every internal array memory of its own instead of planning: to hold the planner against. The results have the
    /// same bits.
    pub fn naive_memory(mut self) -> BindOptions {
        self.naive_memory = true;
        self
    }

    /// Leave out passes of the graph compiler, by their names: `"-fuse"`, `"-cse,-simplify"`, `"none"`. For a
    /// [`Symbol`](crate::Symbol), which is compiled when it is bound; what `network!` declares is compiled already.
    ///
    /// The environment variable `MXR_PASSES` says the same for all symbols of a process. `MXR_PRINT=fuse` prints the graph before
    /// and after a pass to the standard error, `MXR_PRINT=all` after every pass, `MXR_PRINT=fuse@LeNet` of one network; for
    /// `network!` the compiler prints while it expands (cargo does not know of the variable: touch the file first). The names are
    /// those of [`Passes::NAMES`](crate::graph::passes::Passes::NAMES), and to print also `grad`, `predict` and `dce`.
    ///
    /// ```
    /// use mxr::{BindOptions, Mode, Symbol};
    /// let y = Symbol::input("x").tanh().exp();
    /// let steps = |passes| -> mxr::Result<usize> {
    ///     let net = y.bind(&[("x", &[2])], BindOptions::new().passes(passes))?;
    ///     Ok(net.program(Mode::Predict).map_or(0, |p| p.steps.len()))
    /// };
    /// assert_eq!((steps("")?, steps("-fuse")?), (1, 2));
    /// assert!(steps("-fuze").unwrap_err().to_string().contains("did you mean `fuse`?"));
    /// # Ok::<(), mxr::Error>(())
    /// ```
    pub fn passes(mut self, switches: &str) -> BindOptions {
        self.passes = switches.to_string();
        self
    }

    /// The arena of the arrays between the layers ([`MemoryReport::arena`](super::MemoryReport::arena)) takes no more than so many
    /// bytes. What does not fit is dropped in the forward pass and made again in the backward pass, the cheapest first:
    /// half of the planned memory costs a residual network some percent more time, the least possible about a third. The
    /// results have the same bits.
    ///
    /// Where that is not enough, the first layers run in slices of the batch, where it is a symbol, as long as they treat each
    /// sample by itself (batch normalisation and dropout do not). Kernels then see a smaller batch and sums of the gradients of weights are
    /// rounded in another order, so results agree up to rounding. Shapes of numbers, as [`Symbol::bind`](crate::Symbol::bind) takes them,
    /// do not tell which extents count samples: a symbol whose inputs say it (`.shape(["N".into(), …])`) is compiled and then bound by
    /// [`Executor::bind_shared`](crate::Executor::bind_shared).
    ///
    /// Inputs must not change between a forward pass and its backward pass, which may read them again.
    ///
    /// ```
    /// use mxr::{BindOptions, Mode, NDArray, Symbol};
    /// let mut y = Symbol::input("x");
    /// for _ in 0..30 {
    ///     y = y.dense(8).tanh();
    /// }
    /// let loss = y.square().sum();
    /// let whole = loss.bind(&[("x", &[100, 8])], BindOptions::new())?;
    /// let half = whole.memory().arena / 2;
    /// let small = loss.bind(&[("x", &[100, 8])], BindOptions::new().memory_budget(half))?;
    /// assert!(small.memory().arena <= half);
    ///
    /// let told = loss.bind(&[("x", &[100, 8])], BindOptions::new().memory_budget(1000)).unwrap_err();
    /// assert!(told.to_string().contains("at least"));
    /// # Ok::<(), mxr::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Binding fails where it cannot be met, and says what the least is.
    pub fn memory_budget(mut self, bytes: usize) -> BindOptions {
        self.memory_budget = Some(bytes as u64);
        self
    }

    /// Leave feature maps image after image, `[n, c, h, w]`, between the steps of the network. Without it they lie channel after channel
    /// where there are convolutions and several images
    /// ([`Program::channels_outermost`](crate::graph::program::Program::channels_outermost)): concatenations of channels are no copies
    /// then, and 1×1 convolutions are single products. What users give and get is the same either way, up to rounding;
    /// `MXR_LAYOUT=nchw` says it for a process.
    ///
    /// ```
    /// use mxr::{BindOptions, Symbol, opts};
    /// let x = Symbol::input("x");
    /// let y = Symbol::concat(&[&x.conv2d(8, 1), &x.conv2d_with(8, 3, opts::Conv2d::new().pad(1))]).relu();
    /// let net = y.bind(&[("x", &[4, 3, 16, 16])], BindOptions::new().nchw())?;
    /// # Ok::<(), mxr::Error>(())
    /// ```
    pub fn nchw(mut self) -> BindOptions {
        self.nchw = true;
        self
    }

    /// Keep no weights for predictions beside the parameters but those that the network computes. Without it, convolutions and dense
    /// layers read their weights as their kernels want them, packed or transformed: once, until a weight is written, where it would be
    /// more than a small part of every step: at small batches, and in dense layers up to 2,048 rows. That takes as many bytes again as those
    /// weights, or, where Winograd's algorithm is worth it, four times as many for 3×3 and 1.4 times for 5×5, and more where channels do not
    /// fill registers ([`MemoryReport::prepared`](super::MemoryReport::prepared)); weights that have taken in a
    /// normalisation are kept in that form alone. Results agree up to rounding, as the kernels may be others. With
    /// [`memory_budget`](BindOptions::memory_budget) it is so anyway.
    ///
    /// ```
    /// use mxr::{BindOptions, Symbol, opts};
    /// let y = Symbol::input("x").conv2d_with(8, 3, opts::Conv2d::new().pad(1).bias(false));
    /// let [usual, least] = [BindOptions::new(), BindOptions::new().plain_weights()]
    ///     .map(|options| y.bind(&[("x", &[1, 4, 6, 6])], options));
    /// let (usual, least) = (usual?.memory(), least?.memory());
    /// assert!(usual.prepared >= 4 * (8 * 4 * 3 * 3) && least.prepared == 0);
    /// # Ok::<(), mxr::Error>(())
    /// ```
    pub fn plain_weights(mut self) -> BindOptions {
        self.plain_weights = true;
        self
    }

    /// Keep nothing inside of a block for the backward pass, which makes it again from the block's inputs. The block is the
    /// layer of this name and those whose names continue it after a `_`: what `network!` names the contents of a block that
    /// is called by this name, and what a model of symbols names them likewise. Can be given several times; each is a segment of
    /// its own, what one reads of another is kept.
    ///
    /// In `network!`, `#[recompute]` on a block says the same.
    ///
    /// ```
    /// use mxr::{BindOptions, Symbol, opts};
    /// let mut y = Symbol::input("x");
    /// for i in 0..3 {
    ///     y = y.dense_with(8, opts::Dense::new().name(format!("stage{i}_fc")));
    ///     y = y.tanh_with(opts::Tanh::new().name(format!("stage{i}_act")));
    ///     y = y.dense_with(8, opts::Dense::new().name(format!("stage{i}_out")));
    /// }
    /// let options = BindOptions::new().recompute("stage0").recompute("stage1");
    /// let net = y.square().sum().bind(&[("x", &[100, 8])], options)?;
    /// # Ok::<(), mxr::Error>(())
    /// ```
    pub fn recompute(mut self, block: &str) -> BindOptions {
        self.recompute.push(block.to_string());
        self
    }

    /// Bind up to these layers, for prediction: the network returns their results, in this order, and computes nothing that
    /// these do not need; nor does it ask for inputs, weights and memory that only other layers need. Layers are named as
    /// constants (`LeNet::conv1`) or by their names.
    ///
    /// The results are those of the network in prediction: a loss is what it predicts. A layer that is computed together with what
    /// follows it has none of its own there, which is an error that names the nearest layer that has one.
    /// [`Symbol::layer`](crate::Symbol::layer) gives the network up to a layer as a symbol, to be trained, too.
    ///
    /// ```
    /// use mxr::{BindOptions, Mode, NDArray};
    /// mxr::network!(
    ///     pub fn Net(data: Tensor<N, 1, 28, 28>, label: Tensor<N, i64>) {
    ///         let conv1 = conv2d(data, 8, kernel = 5);
    ///         let pool1 = max_pool(relu(conv1), kernel = 2, stride = 2);
    ///         let fc1 = relu(dense(flatten(pool1), 128));
    ///         softmax_cross_entropy(dense(fc1, 10), label)
    ///     }
    /// );
    /// let mut features = Net::bind_with(2, BindOptions::new().outputs([Net::fc1, Net::pool1]))?;
    /// features.set_input("data", &NDArray::zeros(&[2, 1, 28, 28])?)?;
    /// features.forward(Mode::Predict)?;
    /// let shapes: Vec<&[usize]> = features.outputs().iter().map(|f| f.shape()).collect();
    /// assert_eq!(shapes, [&[2, 128][..], &[2, 8, 12, 12]]);
    ///
    /// let early = Net::bind_with(2, BindOptions::new().outputs(["pool1"]))?;
    /// assert_eq!(early.params().count(), 2); // of `conv1`
    /// let told = Net::bind_with(2, BindOptions::new().outputs(["pool2"])).err().map(|e| e.to_string());
    /// assert!(told.is_some_and(|t| t.contains("did you mean `pool1`?")));
    /// # Ok::<(), mxr::Error>(())
    /// ```
    pub fn outputs(mut self, layers: impl IntoIterator<Item = impl AsRef<str>>) -> BindOptions {
        self.outputs = Some(layers.into_iter().map(|l| l.as_ref().to_string()).collect());
        self
    }

    /// Use the parameters and states of another bound network, and the gradients of parameters where both have them: an
    /// update through one is an update of both. What the other does not have is made. For forms of one network: one that
    /// trains and one that evaluates with another batch size, one per length of sequences, a network and its features.
    ///
    /// With one [`Updater`](crate::optimizer::Updater) made for either of them, both are trained.
    ///
    /// # Errors
    ///
    /// Binding fails where a parameter of the same name has another shape, or none has the same name.
    pub fn share_params(mut self, other: &Executor) -> BindOptions {
        self.shared_arrays = other.shared_arrays();
        self
    }

    /// Use the arena of another bound network, which grows where this one needs more: together they take the memory of the
    /// largest, not the sum. They take turns; their results are what they would be in memory of their own. A backward pass
    /// has to follow its own forward pass directly: after a pass of another network in the same memory it is refused.
    ///
    /// Binding the largest first saves growing, for which binding waits until passes under way have ended.
    ///
    /// ```
    /// use mxr::{BindOptions, Executor, Mode, Symbol};
    /// let x = Symbol::input("x").shape(["T".into(), 8.into()]);
    /// let net = x.dense(64).tanh().dense(1).square().sum().compile("net")?;
    /// let long = Executor::bind_shared(net.clone(), &[("T", 60)], BindOptions::new())?;
    /// let options = BindOptions::new().share_params(&long).share_memory(&long);
    /// let mut short = Executor::bind_shared(net, &[("T", 20)], options)?;
    /// assert_eq!(short.memory().arena, long.memory().arena);
    /// assert!(short.params().zip(long.params()).all(|((_, a), (_, b))| a.shares_memory_with(b)));
    /// short.forward(Mode::Train)?;
    /// short.backward()?;
    /// # Ok::<(), mxr::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Binding fails where the device is another one, or there is too little memory.
    pub fn share_memory(mut self, other: &Executor) -> BindOptions {
        self.shared_arena = Some(other.arena.clone());
        self
    }

    /// The device to bind on.
    pub(crate) fn place(&self) -> Result<Device> {
        let arrays = self.shared_arrays.params.first().map(|(_, a)| a.device());
        let mut shared = self.shared_arena.iter().map(Arena::device).chain(arrays);
        let Some(device) = self.device.as_ref().or_else(|| shared.clone().next()) else {
            return Ok(Device::cpu());
        };
        match shared.all(|d| d.same(device)) {
            true => Ok(device.clone()),
            false => Err(Error::invalid(
                "bind",
                "the networks that are to share parameters or memory are on different devices",
                "bind them all with the same `device`",
            )),
        }
    }

    /// Run the elementwise expressions of a `network!` by the interpreter that serves a [`Symbol`](crate::Symbol), not by the
    /// functions that a release build compiles of the larger ones: to hold those against it. The results have the same bits.
    pub fn interpreted(mut self) -> BindOptions {
        self.interpreted = true;
        self
    }

    pub(crate) fn prepares_weights(&self) -> bool {
        !self.plain_weights && self.memory_budget.is_none()
    }

    pub(crate) fn accumulates(&self) -> bool {
        self.all == GradReq::Add || self.by_name.iter().any(|(_, r)| *r == GradReq::Add)
    }

    pub(crate) fn request(&self, name: &str) -> Option<GradReq> {
        self.by_name.iter().rev().find(|(n, _)| n == name).map(|(_, r)| *r)
    }
}
