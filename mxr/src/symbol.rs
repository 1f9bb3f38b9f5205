//! Networks that are declared at run time: the same graph, compiler and program as `network!`.

mod replay;

use crate::error::{Error, Result};
use crate::executor::{BindOptions, Executor, SharedPrograms};
use crate::op::Operator;
use mxr_graph::compile;
use mxr_graph::dtype::DType;
use mxr_graph::graph::Graph;
use mxr_graph::ops;
use mxr_graph::schema::Arg;
use mxr_graph::training::Training;
use replay::Replay;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

mxr_macros::__operators!(symbol);

/// A value of a network that is declared at run time. Cloning shares it.
///
/// Operators are methods; parameters are made by the layers, named `<layer>_weight` and so on. A mistake (an unknown
/// shape, a kernel that does not fit) is reported when the symbol is compiled or bound, with the layer's name.
///
/// ```
/// use mxr::{BindOptions, DType, Symbol, opts};
///
/// let data = Symbol::input("data");
/// let label = Symbol::input("label").dtype(DType::I64);
/// let fc1 = data.dense_with(128, opts::Dense::new().name("fc1")).relu();
/// let loss = fc1.dense_with(10, opts::Dense::new().name("fc2")).softmax_cross_entropy(&label);
///
/// let net = loss.bind(&[("data", &[32, 784]), ("label", &[32])], BindOptions::new())?;
/// assert_eq!(net.param("fc1_weight")?.shape(), [128, 784]);
/// # Ok::<(), mxr::Error>(())
/// ```
#[derive(Clone)]
pub struct Symbol {
    node: Arc<SymbolNode>,
    output: usize,
}

enum SymbolNode {
    Input {
        name: String,
        dtype: DType,
        shape: Option<Vec<Axis>>,
        trained: bool,
        training: Training,
    },
    Call {
        op: &'static str,
        options: Vec<(&'static str, Arg)>,
        inputs: Vec<Symbol>,
        name: Option<String>,
        training: Training,
    },
    /// An operator of the user's.
    Custom {
        op: Arc<dyn Operator>,
        inputs: Vec<Symbol>,
        name: Option<String>,
    },
    /// A parameter that the layer makes.
    Parameter {
        layer: Symbol,
        name: String,
    },
    Scalar(f64),
}

/// What can be changed of an input or a weight.
struct Leaf<'a> {
    dtype: &'a mut DType,
    shape: &'a mut Option<Vec<Axis>>,
    training: &'a mut Training,
}

/// Networks are deep: the default would go down an operand's operands on the call stack.
impl Drop for SymbolNode {
    fn drop(&mut self) {
        let operands = |node: &mut SymbolNode| match node {
            SymbolNode::Call { inputs, .. } | SymbolNode::Custom { inputs, .. } => std::mem::take(inputs),
            SymbolNode::Parameter { layer, .. } => vec![std::mem::replace(layer, Symbol::scalar(0.0))],
            SymbolNode::Input { .. } | SymbolNode::Scalar(_) => Vec::new(),
        };
        let mut rest = operands(self);
        while let Some(symbol) = rest.pop() {
            if let Some(mut node) = Arc::into_inner(symbol.node) {
                rest.append(&mut operands(&mut node));
            }
        }
    }
}

/// An extent of an input of a [`Symbol`]: a number, or the name of a symbolic dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Axis {
    /// A number.
    Extent(usize),
    /// A name that gets its value when the network is bound: `"N"`.
    Named(String),
}

impl From<usize> for Axis {
    fn from(n: usize) -> Axis {
        Axis::Extent(n)
    }
}

impl From<&str> for Axis {
    fn from(name: &str) -> Axis {
        Axis::Named(name.to_string())
    }
}

impl Symbol {
    /// An input that is fed: data or labels, f32. Its shape is given here by [`Symbol::shape`] or when it is bound.
    pub fn input(name: &str) -> Symbol {
        Symbol::leaf(name, false)
    }

    /// A weight of its own, to use in several places or directly; its shape has to be given.
    pub fn param(name: &str) -> Symbol {
        Symbol::leaf(name, true)
    }

    fn leaf(name: &str, trained: bool) -> Symbol {
        let node = SymbolNode::Input {
            name: name.to_string(),
            dtype: DType::F32,
            shape: None,
            trained,
            training: Training::DEFAULT,
        };
        Symbol { node: Arc::new(node), output: 0 }
    }

    /// A number, the same for every element, of the element type of what it is calculated with.
    pub fn scalar(value: f64) -> Symbol {
        Symbol { node: Arc::new(SymbolNode::Scalar(value)), output: 0 }
    }

    /// An operator by its name, for code that reads networks from files: operands as in [`NDArray::apply`](crate::NDArray::apply);
    /// parameters and states that are left out are made by the layer, which is called `name` or gets an automatic name.
    ///
    /// # Errors
    ///
    /// An unknown operator or option. What does not fit is reported when the network is compiled.
    ///
    /// ```
    /// use mxr::{BindOptions, Symbol, graph::schema::Arg};
    /// let x = Symbol::input("x");
    /// let y = Symbol::apply("dense", &[&x], &[("units", Arg::Int(4))], Some("fc"))?;
    /// let net = y[0].bind(&[("x", &[2, 3])], BindOptions::new())?;
    /// assert_eq!(net.param("fc_weight")?.shape(), [4, 3]);
    /// # Ok::<(), mxr::Error>(())
    /// ```
    pub fn apply(
        op: &str,
        operands: &[&Symbol],
        options: &[(&str, Arg)],
        name: Option<&str>,
    ) -> Result<Vec<Symbol>> {
        let operator = crate::opts::operator(op)?;
        let options = crate::opts::known(operator, options)?;
        Ok(invoke(operator.schema().name, operands, &options, (name, Training::DEFAULT)))
    }

    /// An operator of one's own, see [`op`](crate::op): as many symbols as it has [results](Operator::results). The layer is called `name`
    /// or gets an automatic name.
    ///
    /// Its shape rule is one of numbers, so the symbol is [bound](Symbol::bind) with the shapes of its inputs. What the rule refuses is
    /// reported then; so is a gradient that the operator does not have and the network needs.
    ///
    /// ```
    /// # use mxr::op::{ArrayType, Forward, Misfit, OpError, Operator};
    /// # use mxr::{BindOptions, GradReq, Mode, NDArray, Symbol};
    /// struct Reversed;
    ///
    /// impl Operator for Reversed {
    ///     fn name(&self) -> &str {
    ///         "reversed"
    ///     }
    ///     fn infer(&self, inputs: &[ArrayType]) -> Result<Vec<ArrayType>, Misfit> {
    ///         Ok(inputs.to_vec())
    ///     }
    ///     fn forward(&self, cx: &mut Forward<'_>) -> Result<(), OpError> {
    ///         let (x, y) = (cx.inputs.get::<f32>(0)?, cx.outputs.take::<f32>(0)?);
    ///         y.copy_from_slice(x);
    ///         y.reverse();
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let y = Symbol::custom(Reversed, &[&Symbol::input("x").relu()], Some("turned")).remove(0);
    /// let mut net = y.bind(&[("x", &[3])], BindOptions::new())?;
    /// net.set_input("x", &NDArray::try_from([1.0f32, -2.0, 3.0])?)?;
    /// net.forward(Mode::Predict)?;
    /// assert_eq!(net.outputs()[0].to_vec::<f32>()?, [3.0, 0.0, 1.0]);
    /// # Ok::<(), mxr::Error>(())
    /// ```
    pub fn custom(op: impl Operator, inputs: &[&Symbol], name: Option<&str>) -> Vec<Symbol> {
        let results = op.results();
        let node = Arc::new(SymbolNode::Custom {
            op: Arc::new(op),
            inputs: inputs.iter().map(|s| (*s).clone()).collect(),
            name: name.map(str::to_string),
        });
        (0..results).map(|output| Symbol { node: node.clone(), output }).collect()
    }

    /// The input with this element type. No effect on anything but inputs.
    pub fn dtype(self, new: DType) -> Symbol {
        self.changed(|leaf| *leaf.dtype = new)
    }

    /// The input with this shape; names are symbolic dimensions: `.shape(["N".into(), 784.into()])`.
    pub fn shape(self, new: impl IntoIterator<Item = Axis>) -> Symbol {
        let new: Vec<Axis> = new.into_iter().collect();
        self.changed(|leaf| *leaf.shape = Some(new))
    }

    /// The weight with this factor on its learning rate. For weights of [`Symbol::param`]; those that a layer makes have it from
    /// the layer's options.
    ///
    /// ```
    /// use mxr::{BindOptions, Symbol, opts};
    /// let w = Symbol::param("w").shape([4.into()]).lr_mult(0.1).wd_mult(0.0);
    /// let fc = (&Symbol::input("x") * &w).dense_with(2, opts::Dense::new().name("fc").frozen());
    /// let net = fc.bind(&[("x", &[3, 4])], BindOptions::new())?;
    /// assert_eq!(net.training("w")?.lr_mult, 0.1);
    /// assert!(net.training("fc_bias")?.frozen && net.grad("fc_bias").is_err());
    /// # Ok::<(), mxr::Error>(())
    /// ```
    pub fn lr_mult(self, factor: f64) -> Symbol {
        self.changed(|leaf| leaf.training.lr_mult = factor)
    }

    /// The weight with this factor on its weight decay. See [`Symbol::lr_mult`].
    pub fn wd_mult(self, factor: f64) -> Symbol {
        self.changed(|leaf| leaf.training.wd_mult = factor)
    }

    /// The weight without a gradient: it stays what it is. See [`Symbol::lr_mult`].
    pub fn frozen(self) -> Symbol {
        self.changed(|leaf| leaf.training.frozen = true)
    }

    fn number(&self) -> Option<f64> {
        match &*self.node {
            SymbolNode::Scalar(value) => Some(*value),
            _ => None,
        }
    }

    fn changed(self, f: impl FnOnce(Leaf<'_>)) -> Symbol {
        match &*self.node {
            SymbolNode::Input { name, dtype, shape, trained, training } => {
                let (name, trained) = (name.clone(), *trained);
                let (mut dtype, mut shape, mut training) = (*dtype, shape.clone(), *training);
                f(Leaf { dtype: &mut dtype, shape: &mut shape, training: &mut training });
                let node = SymbolNode::Input { name, dtype, shape, trained, training };
                Symbol { node: Arc::new(node), output: 0 }
            }
            SymbolNode::Call { .. }
            | SymbolNode::Custom { .. }
            | SymbolNode::Parameter { .. }
            | SymbolNode::Scalar(_) => self,
        }
    }

    /// A parameter that this layer makes, by its name in the operator: `weight`, `bias`, `gamma`. To use in another place as well,
    /// as with tied weights; its gradient is the sum of those of all uses.
    ///
    /// That the layer has no such parameter is told when the symbol is compiled.
    ///
    /// ```
    /// use mxr::{BindOptions, Symbol, opts};
    /// let fc1 = Symbol::input("x").dense_with(8, opts::Dense::new().name("fc1"));
    /// let fc2 = fc1.tanh().dense_from(&[&fc1.parameter("weight")], opts::Dense::new().name("fc2"));
    /// let net = fc2.bind(&[("x", &[4, 8])], BindOptions::new())?;
    /// let names: Vec<&str> = net.params().map(|(name, _)| name).collect();
    /// assert_eq!(names, ["fc1_weight", "fc1_bias", "fc2_bias"]);
    /// # Ok::<(), mxr::Error>(())
    /// ```
    pub fn parameter(&self, name: &str) -> Symbol {
        let node = SymbolNode::Parameter { layer: self.clone(), name: name.to_string() };
        Symbol { node: Arc::new(node), output: 0 }
    }

    /// The network up to the layer that was given this name; its first result.
    ///
    /// ```
    /// use mxr::{BindOptions, DType, Mode, NDArray, Symbol, opts};
    /// let label = Symbol::input("label").dtype(DType::I64);
    /// let fc1 = Symbol::input("data").dense_with(16, opts::Dense::new().name("fc1"));
    /// let loss = fc1.relu().dense_with(10, opts::Dense::new().name("fc2")).softmax_cross_entropy(&label);
    /// let features = loss.layer("fc1")?.bind(&[("data", &[2, 8])], BindOptions::new())?;
    /// assert_eq!(features.outputs()[0].shape(), [2, 16]);
    /// assert!(loss.layer("fc3").unwrap_err().to_string().contains("did you mean `fc2`?"));
    /// # Ok::<(), mxr::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When no layer was given this name; a near one is told.
    pub fn layer(&self, name: &str) -> Result<Symbol> {
        let (mut found, mut names) = (None, Vec::new());
        walk(std::slice::from_ref(self), &mut |s| {
            if let SymbolNode::Call { name: Some(own), .. } | SymbolNode::Custom { name: Some(own), .. } =
                &*s.node
            {
                if own == name {
                    found = Some(Symbol { node: s.node.clone(), output: 0 });
                }
                names.push(own.clone());
            }
        });
        found.ok_or_else(|| {
            let near = mxr_graph::error::did_you_mean(name, names.iter().map(String::as_str));
            let help = match (near, names.is_empty()) {
                (Some(near), _) => format!("did you mean `{near}`?"),
                (None, false) => format!("its layers are {}", names.join(", ")),
                (None, true) => {
                    "give the layer a name with its options: `opts::Dense::new().name(…)`".to_string()
                }
            };
            Error::invalid("Symbol::layer", format!("no layer was given the name `{name}`"), help)
        })
    }

    /// Compile a network of one output. See [`Symbol::compile_group`].
    pub fn compile(&self, name: &str) -> Result<SharedPrograms> {
        Symbol::compile_group(name, std::slice::from_ref(self))
    }

    /// Compile the network that returns these symbols. Every input must have its shape.
    ///
    /// # Errors
    ///
    /// The first call that does not fit, with its layer and the shapes.
    pub fn compile_group(name: &str, outputs: &[Symbol]) -> Result<SharedPrograms> {
        Symbol::compile_with(name, outputs, &[], "")
    }

    /// Compile and bind for fixed shapes of the inputs.
    ///
    /// # Errors
    ///
    /// The first call that does not fit, a missing input shape, or a device without memory.
    #[track_caller]
    pub fn bind(&self, shapes: &[(&str, &[usize])], options: BindOptions) -> Result<Executor> {
        let named = options.outputs.iter().flatten();
        let layers = named.map(|l| self.layer(l)).collect::<Result<Vec<Symbol>>>();
        let Some(layers) = layers.ok().filter(|l| !l.is_empty()) else {
            let programs =
                Symbol::compile_with("symbol", std::slice::from_ref(self), shapes, &options.passes)?;
            return Executor::bind_shared(programs, &[], options);
        };
        // Cut before it is compiled: nothing is merged over the cut, and inputs behind it need no shapes.
        let (all, needed) = (fed(std::slice::from_ref(self)), fed(&layers));
        let behind = |name: &str| all.contains(&name) && !needed.contains(&name);
        let shapes: Vec<(&str, &[usize])> = shapes.iter().filter(|(n, _)| !behind(n)).copied().collect();
        let mut programs = Symbol::compile_with("symbol", &layers, &shapes, &options.passes)?;
        // Errors of names are told of the whole.
        programs.train = None;
        Executor::bind_shared(programs, &[], BindOptions { outputs: None, ..options })
    }

    fn compile_with(
        name: &str,
        outputs: &[Symbol],
        shapes: &[(&str, &[usize])],
        passes: &str,
    ) -> Result<SharedPrograms> {
        let passes = crate::passes::chosen(passes)?;
        let (graph, done) = (Graph::new(name), HashMap::new());
        let mut replay = Replay { graph, done, shapes, inputs: Vec::new(), operators: Vec::new() };
        replay.inputs_first(outputs)?;
        for out in outputs {
            let v = replay.value(out)?;
            replay.graph.outputs.push(v);
        }
        for (given, _) in shapes {
            if !replay.inputs.iter().any(|i| i == given) {
                let near = mxr_graph::error::did_you_mean(given, replay.inputs.iter().map(String::as_str));
                return Err(Error::invalid(
                    "bind",
                    format!("the network has no input `{given}`"),
                    near.map_or_else(
                        || format!("its inputs are {:?}", replay.inputs),
                        |n| format!("did you mean `{n}`?"),
                    ),
                ));
            }
        }
        let (mut graph, operators) = (replay.graph, replay.operators);
        graph.settle();
        if let Some(wrong) = graph.refuted().next() {
            return Err(wrong.clone().into());
        }
        let predict = compile::predict_with(graph.clone(), &passes)?;
        let train = compile::train_with(graph, &passes)?;
        Ok(SharedPrograms {
            train: Some(Arc::new(train)),
            predict: Arc::new(predict),
            operators: operators.into(),
        })
    }
}

/// Shows every node once, those closer to the outputs first.
fn walk<'a>(outputs: &'a [Symbol], see: &mut dyn FnMut(&'a Symbol)) {
    let mut seen = HashSet::new();
    let mut stack: Vec<&Symbol> = outputs.iter().rev().collect();
    while let Some(symbol) = stack.pop() {
        if !seen.insert(Arc::as_ptr(&symbol.node)) {
            continue;
        }
        see(symbol);
        match &*symbol.node {
            SymbolNode::Call { inputs, .. } | SymbolNode::Custom { inputs, .. } => {
                stack.extend(inputs.iter().rev());
            }
            SymbolNode::Parameter { layer, .. } => stack.push(layer),
            SymbolNode::Input { .. } | SymbolNode::Scalar(_) => {}
        }
    }
}

/// The names of what is fed.
fn fed(outputs: &[Symbol]) -> Vec<&str> {
    let mut names = Vec::new();
    walk(outputs, &mut |s| {
        if let SymbolNode::Input { name, trained: false, .. } = &*s.node {
            names.push(name.as_str());
        }
    });
    names
}

/// What the generated methods call.
pub(crate) fn invoke(
    op: &'static str,
    inputs: &[&Symbol],
    options: &[(&'static str, Arg)],
    (name, training): (Option<&str>, Training),
) -> Vec<Symbol> {
    let visible = result_count(op, options);
    let node = Arc::new(SymbolNode::Call {
        op,
        options: options.to_vec(),
        inputs: inputs.iter().map(|s| (*s).clone()).collect(),
        name: name.map(str::to_string),
        training,
    });
    (0..visible).map(|output| Symbol { node: node.clone(), output }).collect()
}

/// How many results a call has. Where an option says it (`split`), the option is read.
fn result_count(op: &str, options: &[(&'static str, Arg)]) -> usize {
    let schema = ops::find(op).expect("generated from the list").schema();
    let parts = options.iter().find(|(n, _)| *n == "parts").map(|(_, value)| value);
    match (parts, schema.option("parts")) {
        // A number out of bounds is refused when the symbol is compiled.
        (Some(Arg::Int(n)), Some(at)) if schema.check(at, Arg::Int(*n)).is_ok() => *n as usize,
        _ => schema.visible.max(1),
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.node {
            SymbolNode::Input { name, dtype, .. } => write!(f, "Symbol({name}: {dtype})"),
            SymbolNode::Call { op, name, .. } => write!(f, "Symbol({})", name.as_deref().unwrap_or(op)),
            SymbolNode::Custom { op, name, .. } => {
                write!(f, "Symbol({})", name.as_deref().unwrap_or(op.name()))
            }
            SymbolNode::Parameter { layer, name } => write!(f, "{layer:?}.{name}"),
            SymbolNode::Scalar(value) => write!(f, "Symbol({value})"),
        }
    }
}

macro_rules! binary {
    ($($trait:ident, $method:ident, $op:literal;)*) => {$(
        binary!(@with $trait, $method, $op, &Symbol, &Symbol, |a, b| (a, b));
        binary!(@with $trait, $method, $op, &Symbol, Symbol, |a, b| (a, &b));
        binary!(@with $trait, $method, $op, Symbol, &Symbol, |a, b| (&a, b));
        binary!(@with $trait, $method, $op, Symbol, Symbol, |a, b| (&a, &b));
        binary!(@with $trait, $method, $op, &Symbol, f64, |a, b| (a, &Symbol::scalar(b)));
        binary!(@with $trait, $method, $op, Symbol, f64, |a, b| (&a, &Symbol::scalar(b)));
        binary!(@with $trait, $method, $op, f64, &Symbol, |a, b| (&Symbol::scalar(a), b));
        binary!(@with $trait, $method, $op, f64, Symbol, |a, b| (&Symbol::scalar(a), &b));
    )*};
    (@with $trait:ident, $method:ident, $op:literal, $left:ty, $right:ty, |$a:ident, $b:ident| ($x:expr, $y:expr)) => {
        impl std::ops::$trait<$right> for $left {
            type Output = Symbol;
            fn $method(self, other: $right) -> Symbol {
                let ($a, $b) = (self, other);
                invoke($op, &[$x, $y], &[], (None, Training::DEFAULT)).remove(0)
            }
        }
    };
}
binary! {
    Add, add, "add";
    Sub, sub, "sub";
    Mul, mul, "mul";
    Div, div, "div";
}

impl std::ops::Neg for &Symbol {
    type Output = Symbol;
    fn neg(self) -> Symbol {
        invoke("neg", &[self], &[], (None, Training::DEFAULT)).remove(0)
    }
}

impl std::ops::Neg for Symbol {
    type Output = Symbol;
    fn neg(self) -> Symbol {
        -&self
    }
}
