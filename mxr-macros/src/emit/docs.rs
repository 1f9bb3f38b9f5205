//! The docs of a network: its table, and a line per layer.

use mxr_graph::dim::{Dim, Symbols};
use mxr_graph::graph::{Graph, Layer, Source, ValueId};
use mxr_graph::program::{Program, Role};
use mxr_graph::summary::Cost;
use std::fmt::Write;

/// "`conv1`: conv2d → `[N, 20, 24, 24]`, 520 parameters".
pub(super) fn layer(graph: &Graph, l: &Layer) -> String {
    let mut text = format!("`{}`: {} → {}", l.name, graph.op_name(l.op, &l.attrs), shapes(graph, l));
    let count = parameters(graph, l);
    if count != Dim::ZERO {
        let _ = write!(text, ", {} parameters", thousands(&count, &graph.symbols));
    }
    text
}

/// The same, and what it costs: ", 599,040*N floating-point operations".
pub(crate) fn layer_with_cost(graph: &Graph, l: &Layer, flops: &Dim) -> String {
    let mut text = layer(graph, l);
    if *flops != Dim::ZERO {
        let _ = write!(text, ", {} floating-point operations", thousands(flops, &graph.symbols));
    }
    text
}

/// The table of a network, with its totals.
pub(super) fn table(graph: &Graph, train: Option<&Program>, predict: Option<&Program>) -> String {
    let Some(program) = train.or(predict) else { return String::new() };
    let mut text = String::from("| layer | operator | output shape | parameters |\n|---|---|---|---:|\n");
    for l in graph.layers.iter().filter(|l| !l.op.schema().internal) {
        let count = parameters(graph, l);
        let count = if count == Dim::ZERO { String::new() } else { thousands(&count, &graph.symbols) };
        let op = graph.op_name(l.op, &l.attrs);
        let _ = writeln!(text, "| `{}` | {op} | {} | {count} |", l.name, shapes(graph, l));
    }
    let flops = program.layers.iter().fold(Dim::ZERO, |sum, l| sum.add(&l.flops));
    let total = thousands(&total(program), &graph.symbols);
    let _ = write!(
        text,
        "\nParameters: {total}. Floating-point operations: {}.",
        thousands(&flops, &graph.symbols)
    );
    for (what, program) in [("train", train), ("predict", predict)] {
        if let Some(line) = program.and_then(memory) {
            let _ = write!(text, "\nMemory to {what}: {line}.");
        }
    }
    text
}

/// The number of trained parameters.
pub(super) fn total(p: &Program) -> Dim {
    let elements = |v: &u32| p.values[*v as usize].shape.iter().fold(Dim::ONE, |n, d| n.mul(d));
    p.params.iter().fold(Dim::ZERO, |sum, v| sum.add(&elements(v)))
}

/// "118 KiB per `N`, 472 KiB without planning; kept of weights alone: 2.0 MiB": what internal arrays take, and what a prediction
/// keeps besides.
fn memory(p: &Program) -> Option<String> {
    let plan = p.plan.as_ref()?;
    let mut naive = Dim::ZERO;
    for v in p.values.iter().filter(|v| v.role == Role::Internal) {
        let elements = v.shape.iter().fold(Dim::ONE, |n, d| n.mul(d));
        naive = naive.add(&elements.scale(v.dtype.size() as i64));
    }
    let (per_symbol, fixed) = naive.affine_in(plan.symbol)?;
    let symbol = p.symbols.get(usize::from(plan.symbol)).map_or("", |s| &s.name);
    let both = |per_symbol: u64, fixed: u64| match (per_symbol, fixed) {
        (0, f) => bytes(f),
        (s, 0) => format!("{} per `{symbol}`", bytes(s)),
        (s, f) => format!("{} per `{symbol}` and {}", bytes(s), bytes(f)),
    };
    let naive = both(u64::try_from(per_symbol).ok()?, u64::try_from(fixed).ok()?);
    let kept = match Cost::of(p).kept.fixed() {
        None | Some(0) => String::new(),
        Some(kept) => format!("; kept of weights alone: {}", bytes(kept)),
    };
    Some(format!("{}, {naive} without planning{kept}", both(plan.per_symbol, plan.fixed)))
}

fn bytes(n: u64) -> String {
    let (mut x, mut unit) = (n as f64, 0);
    while x >= 1024.0 && unit < 3 {
        x /= 1024.0;
        unit += 1;
    }
    let digits = if unit == 0 || x >= 100.0 { 0 } else { 1 };
    format!("{x:.digits$} {}", ["bytes", "KiB", "MiB", "GiB"][unit])
}

fn parameters(graph: &Graph, l: &Layer) -> Dim {
    let params = l.inputs.iter().filter(|v| graph.value(**v).source == Source::Param);
    params.fold(Dim::ZERO, |sum, v| sum.add(&graph.value(*v).shape.elements()))
}

fn shapes(graph: &Graph, l: &Layer) -> String {
    let visible = match l.op.schema().visible {
        0 => l.outputs.len(),
        n => n.min(l.outputs.len()),
    };
    let one = |v: &ValueId| format!("`{}`", graph.value(*v).shape.display(&graph.symbols));
    let all: Vec<String> = l.outputs[..visible].iter().map(one).collect();
    match all.split_first() {
        Some((first, rest)) if !rest.is_empty() && rest.iter().all(|s| s == first) => {
            format!("{} times {first}", all.len())
        }
        _ => all.join(", "),
    }
}

/// Digits in groups of three; polynomials as they are.
fn thousands(d: &Dim, symbols: &Symbols) -> String {
    let text = d.display(symbols).to_string();
    let mut out = String::with_capacity(text.len() + text.len() / 3);
    let letters: Vec<char> = text.chars().collect();
    for (i, c) in letters.iter().enumerate() {
        out.push(*c);
        let digits = letters[i + 1..].iter().take_while(|c| c.is_ascii_digit()).count();
        // Digits of a name (`N1`) are no number.
        let start = letters[..=i].iter().rposition(|c| !c.is_ascii_digit());
        let named = start.is_some_and(|s| letters[s].is_alphanumeric() || letters[s] == '_');
        if c.is_ascii_digit() && digits > 0 && digits % 3 == 0 && !named {
            out.push(',');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let mut symbols = Symbols::default();
        let n = Dim::symbol(symbols.named("N1234"));
        assert_eq!(thousands(&Dim::Const(1_234_567), &symbols), "1,234,567");
        assert_eq!(thousands(&n.scale(12_345).add(&Dim::Const(678)), &symbols), "12,345*N1234 + 678");
    }

    #[test]
    fn bytes_have_units() {
        assert_eq!(bytes(12), "12 bytes");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(200 << 20), "200 MiB");
    }
}
