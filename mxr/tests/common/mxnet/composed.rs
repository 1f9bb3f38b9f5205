//! What is one operator in MXNet and several of ours.

use super::attrs::Attrs;
use super::{Tensor, dims, list, one, reshape};
use mxr::Result;
use mxr::graph::schema::Arg;

/// Over axes; of all of them MXNet's result has one axis.
pub(super) fn reduced<V: Tensor>(op: &str, x: &V, attrs: &Attrs<'_>) -> Result<V> {
    let keep = ("keepdims", Arg::Bool(attrs.bool("keepdims", false)));
    match attrs.ints("axis") {
        Some(axes) => one(op, &[x], &[("axes", list(axes)), keep]),
        None => one(op, &[x], &[]).and_then(|y| reshape(&y, [1])),
    }
}

/// `(x − mean) / √(var + eps) · gamma + beta` over axes, gamma and beta along `axis`.
pub(super) fn normalised<V: Tensor>(
    x: &V,
    axes: &[i64],
    shape: &[usize],
    (gamma, beta): (&V, &V),
    axis: i64,
    eps: f64,
) -> Result<V> {
    let over = [("axes", list(axes.iter().copied())), ("keepdims", Arg::Bool(true))];
    let mean = one("mean", &[x], &over)?;
    let centred = one("sub", &[x, &mean], &[])?;
    let squares = one("square", &[&centred], &[])?;
    let scale = one("rsqrt", &[&one("mean", &[&squares], &over)?.affine(1.0, eps)], &[])?;
    let along = |v: &V| {
        let extents = (0..shape.len()).map(|a| if a as i64 == axis { shape[a] as i64 } else { 1 });
        reshape(v, extents.collect::<Vec<_>>())
    };
    let y = one("mul", &[&centred, &scale], &[])?;
    let y = one("mul", &[&y, &along(gamma)?], &[])?;
    one("add", &[&y, &along(beta)?], &[])
}

pub(super) fn stacked<V: Tensor>(x: &[&V], axis: i64) -> Result<V> {
    let axis = Arg::Int(axis);
    let parts =
        x.iter().map(|v| one("expand_dims", &[*v], &[("axis", axis.clone())])).collect::<Result<Vec<V>>>()?;
    one("concat", &parts.iter().collect::<Vec<_>>(), &[("axis", axis)])
}

/// One step; `params` are the weights and biases of input and state, gates in the order i, f, g, o.
pub(super) fn lstm<V: Tensor>(x: &V, (h, c): (&V, &V), params: &[&V]) -> Result<(V, V)> {
    let from_x = one("dense", &[x, params[0], params[2]], &[])?;
    let from_h = one("dense", &[h, params[1], params[3]], &[])?;
    let all = one("add", &[&from_x, &from_h], &[])?;
    let gates = V::op("split", &[&all], &[("parts", Arg::Int(4))], None)?;
    let gate = |k: usize, f: &str| one(f, &[&gates[k]], &[]);
    let (i, f, g, o) = (gate(0, "sigmoid")?, gate(1, "sigmoid")?, gate(2, "tanh")?, gate(3, "sigmoid")?);
    let (kept, new) = (one("mul", &[&f, c], &[])?, one("mul", &[&i, &g], &[])?);
    let c = one("add", &[&kept, &new], &[])?;
    let h = one("tanh", &[&c], &[]).and_then(|t| one("mul", &[&o, &t], &[]))?;
    Ok((h, c))
}

/// MXNet's codes: 0 copies this extent, −1 is inferred, −2 copies the rest, −3 merges two, −4 splits one in two.
pub(super) fn reshape_codes(x: &[usize], codes: &[i64]) -> Vec<i64> {
    let (mut at, mut out, mut codes) = (0, Vec::new(), codes.iter());
    while let Some(code) = codes.next() {
        match code {
            0 => out.push(x[at] as i64),
            -2 => {
                out.extend(dims(&x[at..]));
                at = x.len();
            }
            -3 => {
                out.push((x[at] * x[at + 1]) as i64);
                at += 1;
            }
            -4 => {
                let (a, b) = (*codes.next().expect("two extents"), *codes.next().expect("two extents"));
                out.extend([
                    if a == -1 { x[at] as i64 / b } else { a },
                    if b == -1 { x[at] as i64 / a } else { b },
                ]);
            }
            n => out.push(*n),
        }
        at += 1;
    }
    out
}
