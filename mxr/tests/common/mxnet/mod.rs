//! MXNet's operators in ours: one table for the oracle's cases and for networks that MXNet wrote.

mod attrs;
mod composed;

pub(crate) use attrs::Attrs;
use composed::{lstm, normalised, reduced, reshape_codes, stacked};
use mxr::graph::schema::Arg;
use mxr::{NDArray, Result, Symbol};

/// What operators apply to: arrays at once, or symbols of a network to be compiled.
pub(crate) trait Tensor: Clone {
    /// An operator by name.
    fn op(name: &str, operands: &[&Self], options: &[(&str, Arg)], layer: Option<&str>) -> Result<Vec<Self>>;
    /// Times a number, plus a number.
    fn affine(&self, factor: f64, offset: f64) -> Self;
}

impl Tensor for NDArray {
    fn op(name: &str, operands: &[&Self], options: &[(&str, Arg)], _: Option<&str>) -> Result<Vec<Self>> {
        NDArray::apply(name, operands, options)
    }
    fn affine(&self, factor: f64, offset: f64) -> Self {
        self * factor + offset
    }
}

impl Tensor for Symbol {
    fn op(name: &str, operands: &[&Self], options: &[(&str, Arg)], layer: Option<&str>) -> Result<Vec<Self>> {
        Symbol::apply(name, operands, options, layer)
    }
    fn affine(&self, factor: f64, offset: f64) -> Self {
        &(self * factor) + offset
    }
}

/// What becomes of a call.
pub(crate) enum Call<V> {
    /// Results.
    Values(Vec<V>),
    /// One of MXNet's output operators, which are losses: the loss whose gradient is theirs, and their output.
    Loss { loss: V, output: V },
    /// We have no such operator, for this reason.
    Absent(&'static str),
}

/// An operand: its name in MXNet, its shape where it matters, itself.
pub(crate) struct Operand<V> {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) value: V,
}

fn list(values: impl IntoIterator<Item = i64>) -> Arg {
    Arg::List(values.into_iter().map(Arg::Int).collect())
}

/// A list with holes.
fn holes(values: Vec<Option<i64>>) -> Arg {
    Arg::List(values.into_iter().map(|v| v.map_or(Arg::Hole, Arg::Int)).collect())
}

fn one<V: Tensor>(op: &str, operands: &[&V], options: &[(&str, Arg)]) -> Result<V> {
    Ok(V::op(op, operands, options, None)?.remove(0))
}

fn reshape<V: Tensor>(x: &V, shape: impl IntoIterator<Item = i64>) -> Result<V> {
    one("reshape", &[x], &[("shape", list(shape))])
}

fn dims(shape: &[usize]) -> Vec<i64> {
    shape.iter().map(|d| *d as i64).collect()
}

/// The same call with our operators; `layer` is the name of the layer in a symbol.
pub(crate) fn translate<V: Tensor>(
    op: &str,
    attrs: &Attrs<'_>,
    operands: &[Operand<V>],
    layer: Option<&str>,
) -> Result<Call<V>> {
    let x: Vec<&V> = operands.iter().map(|o| &o.value).collect();
    let shape = |i: usize| operands[i].shape.as_slice();
    let named = |name: &str| {
        operands
            .iter()
            .find(|o| o.name == name)
            .map(|o| &o.value)
            .unwrap_or_else(|| panic!("{op} has {name}"))
    };
    let call = |name: &str, options: &[(&str, Arg)]| V::op(name, &x, options, layer).map(Call::Values);
    let value = |v: Result<V>| v.map(|v| Call::Values(vec![v]));
    match op {
        "Convolution" => convolution(attrs, operands, layer),
        "Pooling" => pooling(attrs, x[0], layer),
        "FullyConnected" => call(
            "dense",
            &[
                ("units", Arg::Int(attrs.int("num_hidden").expect("a number"))),
                ("bias", Arg::Bool(!attrs.bool("no_bias", false))),
                ("flatten", Arg::Bool(attrs.bool("flatten", true))),
            ],
        ),
        "BatchNorm" => call(
            "batch_norm",
            &[
                ("axis", Arg::Int(attrs.int("axis").unwrap_or(1))),
                ("eps", Arg::Float(attrs.float("eps", 1e-3))),
                ("momentum", Arg::Float(attrs.float("momentum", 0.9))),
                ("fix_gamma", Arg::Bool(attrs.bool("fix_gamma", true))),
                (
                    "global_stats",
                    Arg::Bool(attrs.bool("use_global_stats", false) || !attrs.bool("is_train", true)),
                ),
            ],
        ),
        "LRN" => call(
            "lrn",
            &[
                ("size", Arg::Int(attrs.int("nsize").expect("a number"))),
                ("alpha", Arg::Float(attrs.float("alpha", 1e-4))),
                ("beta", Arg::Float(attrs.float("beta", 0.75))),
                ("knorm", Arg::Float(attrs.float("knorm", 2.0))),
            ],
        ),
        "LayerNorm" => {
            let axis = attrs.int("axis").unwrap_or(-1).rem_euclid(shape(0).len() as i64);
            value(normalised(x[0], &[axis], shape(0), (x[1], x[2]), axis, attrs.float("eps", 1e-5)))
        }
        "InstanceNorm" => {
            let axes: Vec<i64> = (2..shape(0).len() as i64).collect();
            value(normalised(x[0], &axes, shape(0), (x[1], x[2]), 1, attrs.float("eps", 1e-3)))
        }
        "Dropout" => call("dropout", &[("p", Arg::Float(attrs.float("p", 0.5)))]),
        "Flatten" => call("flatten", &[]),
        "elemwise_add" | "broadcast_add" => call("add", &[]),
        "broadcast_sub" => call("sub", &[]),
        "broadcast_mul" => call("mul", &[]),
        "broadcast_div" => call("div", &[]),
        "broadcast_maximum" => call("maximum", &[]),
        "broadcast_minimum" => call("minimum", &[]),
        "broadcast_power" => call("pow", &[]),
        "broadcast_greater" => call("greater", &[]),
        "broadcast_hypot" => {
            let (a, b) = (one("square", &[x[0]], &[])?, one("square", &[x[1]], &[])?);
            value(one("add", &[&a, &b], &[]).and_then(|s| one("sqrt", &[&s], &[])))
        }
        "where" => call("select", &[]),
        "Activation" => call(
            match attrs.word("act_type", "").as_str() {
                "softrelu" => "softplus",
                "relu" => "relu",
                "sigmoid" => "sigmoid",
                "tanh" => "tanh",
                "softsign" => "softsign",
                other => panic!("activation {other}"),
            },
            &[],
        ),
        "LeakyReLU" => leaky(attrs, operands),
        "SoftmaxOutput" => softmax_output(attrs, operands, layer),
        "LinearRegressionOutput" | "LogisticRegressionOutput" | "MAERegressionOutput" => {
            regression(op, attrs, operands)
        }
        "softmax_cross_entropy" => value(
            one("softmax_cross_entropy", &x, &[("reduction", "sum".into())]).and_then(|y| reshape(&y, [1])),
        ),
        "softmax" | "log_softmax" => {
            let axis = Arg::Int(attrs.int("axis").unwrap_or(-1));
            call(op, &[("axis", axis), ("temperature", Arg::Float(attrs.float("temperature", 1.0)))])
        }
        "sum" | "mean" | "max" | "min" => {
            assert!(!attrs.bool("exclude", false), "no case excludes axes");
            value(reduced(op, x[0], attrs))
        }
        "norm" => {
            assert_eq!(attrs.int("ord"), Some(2), "the only case");
            let squares = one("square", &[x[0]], &[])?;
            value(reduced("sum", &squares, attrs).and_then(|s| one("sqrt", &[&s], &[])))
        }
        "transpose" => call("transpose", &[("axes", list(attrs.ints("axes").expect("axes")))]),
        "SwapAxis" => {
            let mut axes: Vec<i64> = (0..shape(0).len() as i64).collect();
            let at = |n| attrs.int(n).expect("an axis") as usize;
            axes.swap(at("dim1"), at("dim2"));
            call("transpose", &[("axes", list(axes))])
        }
        "reshape" => {
            call("reshape", &[("shape", list(reshape_codes(shape(0), &attrs.ints("shape").expect("codes"))))])
        }
        "Concat" => call("concat", &[("axis", Arg::Int(attrs.int("dim").unwrap_or(1)))]),
        "stack" => value(stacked(&x, attrs.int("axis").unwrap_or(0))),
        "slice" => call(
            "slice",
            &[
                ("begin", holes(attrs.list("begin").expect("a list"))),
                ("end", holes(attrs.list("end").expect("a list"))),
                ("step", holes(attrs.list("step").unwrap_or_default())),
            ],
        ),
        "slice_axis" => {
            let mut options = vec![
                ("axis", Arg::Int(attrs.int("axis").expect("an axis"))),
                ("begin", Arg::Int(attrs.int("begin").expect("a number"))),
            ];
            options.extend(attrs.int("end").map(|e| ("end", Arg::Int(e))));
            call("slice_axis", &options)
        }
        "reverse" => {
            let axes = attrs.ints("axis").expect("axes");
            let by = (0..shape(0).len() as i64).map(|a| if axes.contains(&a) { -1 } else { 1 });
            call("slice", &[("step", list(by))])
        }
        "SliceChannel" => {
            assert!(!attrs.bool("squeeze_axis", false), "no case squeezes");
            call(
                "split",
                &[
                    ("parts", Arg::Int(attrs.int("num_outputs").expect("a number"))),
                    ("axis", Arg::Int(attrs.int("axis").unwrap_or(1))),
                ],
            )
        }
        "expand_dims" => call("expand_dims", &[("axis", Arg::Int(attrs.int("axis").expect("an axis")))]),
        "tile" => {
            let reps = attrs.ints("reps").expect("numbers");
            // Further axes come in front.
            let mut extents = vec![1; reps.len() - shape(0).len()];
            extents.extend(dims(shape(0)));
            let x = reshape(x[0], extents)?;
            let times = |v: Result<V>, (axis, n): (usize, &i64)| {
                v.and_then(|v| one("concat", &vec![&v; *n as usize], &[("axis", Arg::Int(axis as i64))]))
            };
            value(reps.iter().enumerate().fold(Ok(x), times))
        }
        "UpSampling" => {
            let (s, k) = (dims(shape(0)), attrs.int("scale").expect("a number"));
            let wide = stacked(&vec![x[0]; k as usize], 4)
                .and_then(|w| reshape(&w, [s[0], s[1], s[2], s[3] * k]))?;
            let high = stacked(&vec![&wide; k as usize], 3)?;
            value(reshape(&high, [s[0], s[1], s[2] * k, s[3] * k]))
        }
        "dot" | "batch_dot" => call(
            "matmul",
            &[
                ("transpose_a", Arg::Bool(attrs.bool("transpose_a", false))),
                ("transpose_b", Arg::Bool(attrs.bool("transpose_b", false))),
            ],
        ),
        "LSTMCell" => {
            let (h, c) = lstm(x[0], (x[1], x[2]), &x[3..7])?;
            Ok(Call::Values(vec![h, c]))
        }
        "LSTMSequence" => {
            let (t, n) = (shape(0)[0] as i64, shape(0)[1] as i64);
            let steps = V::op("split", &[x[0]], &[("parts", Arg::Int(t)), ("axis", Arg::Int(0))], None)?;
            let (mut h, mut c, mut all) = (x[1].clone(), x[2].clone(), Vec::new());
            for step in steps {
                (h, c) = lstm(&reshape(&step, [n, -1])?, (&h, &c), &x[3..7])?;
                all.push(h.clone());
            }
            Ok(Call::Values(vec![stacked(&all.iter().collect::<Vec<_>>(), 0)?, h, c]))
        }
        "GRUCell" => {
            let (inner, outer) = (named("i2h_weight"), named("h2h_weight"));
            let thirds = |x: &V, w: &V, b: &V| -> Result<Vec<V>> {
                let all = one("dense", &[x, w, b], &[])?;
                V::op("split", &[&all], &[("parts", Arg::Int(3))], None)
            };
            let (i, u) = (thirds(x[0], inner, named("i2h_bias"))?, thirds(x[1], outer, named("h2h_bias"))?);
            let gate = |k: usize| one("add", &[&i[k], &u[k]], &[]).and_then(|s| one("sigmoid", &[&s], &[]));
            let (r, z) = (gate(0)?, gate(1)?);
            let reset = one("mul", &[&r, &u[2]], &[])?;
            let n = one("add", &[&i[2], &reset], &[]).and_then(|s| one("tanh", &[&s], &[]))?;
            // (1 − z) n + z h = n + z (h − n)
            let towards = one("sub", &[x[1], &n], &[]).and_then(|d| one("mul", &[&z, &d], &[]))?;
            value(one("add", &[&n, &towards], &[]))
        }
        "Deconvolution" => Ok(Call::Absent("no transposed convolution yet")),
        "Embedding" | "take" | "pick" | "one_hot" => Ok(Call::Absent("no indexing by arrays yet")),
        "argmax" | "argmin" => Ok(Call::Absent("no arg-reductions yet")),
        "prod" => Ok(Call::Absent("no product over axes yet")),
        "broadcast_to" => Ok(Call::Absent("operands broadcast; there is no operator that only does so")),
        "nag_mom_update" | "rmsprop_update" => Ok(Call::Absent("no such optimizer yet")),
        other => panic!("`{other}` is not in the table: add it, or say why we have no such operator"),
    }
}

fn convolution<V: Tensor>(
    attrs: &Attrs<'_>,
    operands: &[Operand<V>],
    layer: Option<&str>,
) -> Result<Call<V>> {
    let kernel = attrs.ints("kernel").expect("a kernel");
    let flat = kernel.len() == 1;
    // A signal is an image of one row.
    let pair = |name: &str, default: i64| {
        let v = attrs.ints(name).unwrap_or(vec![default; kernel.len()]);
        if flat { list([default, v[0]]) } else { list(v) }
    };
    let mut x: Vec<V> = operands.iter().map(|o| o.value.clone()).collect();
    if flat {
        for (v, o) in x.iter_mut().zip(operands).take(2) {
            let s = dims(&o.shape);
            *v = reshape(v, [s[0], s[1], 1, s[2]])?;
        }
    }
    let filters = attrs.int("num_filter").expect("a number");
    let options = [
        ("filters", Arg::Int(filters)),
        ("kernel", pair("kernel", 1)),
        ("stride", pair("stride", 1)),
        ("pad", pair("pad", 0)),
        ("dilation", pair("dilate", 1)),
        ("groups", Arg::Int(attrs.int("num_group").unwrap_or(1))),
        ("bias", Arg::Bool(!attrs.bool("no_bias", false))),
    ];
    let mut y = V::op("conv2d", &x.iter().collect::<Vec<_>>(), &options, layer)?;
    if flat {
        y = vec![reshape(&y[0], [operands[0].shape[0] as i64, filters, -1])?];
    }
    Ok(Call::Values(y))
}

fn pooling<V: Tensor>(attrs: &Attrs<'_>, x: &V, layer: Option<&str>) -> Result<Call<V>> {
    let kind = attrs.word("pool_type", "max");
    if attrs.bool("global_pool", false) {
        let name = format!("global_{kind}_pool");
        return V::op(&name, &[x], &[("keepdims", Arg::Bool(true))], layer).map(Call::Values);
    }
    let kernel = attrs.ints("kernel").expect("a kernel");
    let full = match attrs.word("pooling_convention", "valid").as_str() {
        "valid" => "floor",
        "full" => "ceil",
        other => panic!("pooling convention {other}"),
    };
    let mut options = vec![
        ("kernel", list(kernel.iter().copied())),
        ("stride", list(attrs.ints("stride").unwrap_or(vec![1, 1]))),
        ("pad", list(attrs.ints("pad").unwrap_or(vec![0, 0]))),
        ("rounding", full.into()),
    ];
    let area = kernel.iter().product::<i64>() as f64;
    let sum = |x: &V, options: &[(&str, Arg)]| Ok(one("avg_pool", &[x], options)?.affine(area, 0.0));
    match kind.as_str() {
        "max" => return V::op("max_pool", &[x], &options, layer).map(Call::Values),
        "avg" => {
            options.push(("count_pad", Arg::Bool(attrs.bool("count_include_pad", true))));
            return V::op("avg_pool", &[x], &options, layer).map(Call::Values);
        }
        "sum" => sum(x, &options),
        "lp" => {
            assert_eq!(attrs.int("p_value"), Some(2), "the only case");
            let squares = one("square", &[x], &[])?;
            sum(&squares, &options).and_then(|s| one("sqrt", &[&s], &[]))
        }
        other => panic!("pooling {other}"),
    }
    .map(|y| Call::Values(vec![y]))
}

fn leaky<V: Tensor>(attrs: &Attrs<'_>, operands: &[Operand<V>]) -> Result<Call<V>> {
    let x = &operands[0].value;
    let slope = attrs.float("slope", 0.25);
    let above = one("relu", &[x], &[])?;
    let below = one("sub", &[x, &above], &[])?;
    let elu = |alpha: f64| {
        let curve = one("exp", &[&below], &[])?.affine(alpha, -alpha);
        one("add", &[&above, &curve], &[])
    };
    match attrs.word("act_type", "leaky").as_str() {
        "leaky" => one("leaky_relu", &[x], &[("slope", Arg::Float(slope))]),
        "gelu" => one("gelu", &[x], &[]),
        "elu" => elu(slope),
        "selu" => Ok(elu(1.673_263_242_354_377_2)?.affine(1.050_700_987_355_480_5, 0.0)),
        "prelu" => {
            let channels = operands[1].shape.iter().product::<usize>() as i64;
            let per_channel: Vec<i64> =
                (0..operands[0].shape.len()).map(|a| if a == 1 { channels } else { 1 }).collect();
            let gamma = reshape(&operands[1].value, per_channel)?;
            one("mul", &[&gamma, &below], &[]).and_then(|b| one("add", &[&above, &b], &[]))
        }
        other => panic!("activation {other}"),
    }
    .map(|y| Call::Values(vec![y]))
}

fn softmax_output<V: Tensor>(
    attrs: &Attrs<'_>,
    operands: &[Operand<V>],
    layer: Option<&str>,
) -> Result<Call<V>> {
    let normalization = attrs.word("normalization", "null");
    let mut options = vec![
        ("axis", Arg::Int(1)),
        ("smoothing", Arg::Float(attrs.float("smooth_alpha", 0.0))),
        ("reduction", if normalization == "valid" { "mean".into() } else { "sum".into() }),
    ];
    if attrs.bool("use_ignore", false) {
        options.push(("ignore", Arg::Int(attrs.float("ignore_label", -1.0) as i64)));
    }
    let label = &operands[1].shape;
    let positions =
        if attrs.bool("multi_output", false) { label[1..].iter().product::<usize>() as f64 } else { 1.0 };
    let norm = match normalization.as_str() {
        "null" => positions,
        "batch" => positions * label[0] as f64,
        "valid" => 1.0,
        other => panic!("normalization {other}"),
    };
    let (data, label) = (&operands[0].value, &operands[1].value);
    let loss = V::op("softmax_cross_entropy", &[data, label], &options, layer)?.remove(0);
    let output = one("softmax", &[data], &[("axis", Arg::Int(1))])?;
    let factor = attrs.float("grad_scale", 1.0) / norm;
    Ok(Call::Loss { loss: if factor == 1.0 { loss } else { loss.affine(factor, 0.0) }, output })
}

fn regression<V: Tensor>(op: &str, attrs: &Attrs<'_>, operands: &[Operand<V>]) -> Result<Call<V>> {
    let (data, label) = (&operands[0].value, &operands[1].value);
    let per_sample = operands[0].shape[1..].iter().product::<usize>() as f64;
    let factor = attrs.float("grad_scale", 1.0) / per_sample;
    let sum = [("reduction", Arg::from("sum"))];
    let (loss, output) = match op {
        // The derivative of a square has the factor 2.
        "LinearRegressionOutput" => (one("mse_loss", &[data, label], &sum)?.affine(0.5, 0.0), data.clone()),
        "LogisticRegressionOutput" => {
            (one("logistic_loss", &[data, label], &sum)?, one("sigmoid", &[data], &[])?)
        }
        _ => {
            let apart = one("sub", &[data, label], &[]).and_then(|d| one("abs", &[&d], &[]))?;
            (one("sum", &[&apart], &[])?, data.clone())
        }
    };
    Ok(Call::Loss { loss: loss.affine(factor, 0.0), output })
}
