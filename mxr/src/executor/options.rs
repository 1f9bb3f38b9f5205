//! How a network is bound: device, gradients wanted, seed.

use crate::device::Device;

/// What happens to a gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GradReq {
    /// Each backward pass replaces it.
    #[default]
    Write,
    /// Each backward pass adds to it: accumulation over micro-batches.
    Add,
    /// It is not computed, and neither is what only it needs.
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

    pub(crate) fn accumulates(&self) -> bool {
        self.all == GradReq::Add || self.by_name.iter().any(|(_, r)| *r == GradReq::Add)
    }

    pub(crate) fn request(&self, name: &str) -> Option<GradReq> {
        self.by_name.iter().rev().find(|(n, _)| n == name).map(|(_, r)| *r)
    }
}
