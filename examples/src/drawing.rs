//! The steps of a program as a graph: Graphviz text, or an SVG file with a layout of its own.
//!
//! A box is a step, or an array that is fed. Its colour is the place of its result in the arena: boxes of one colour share
//! memory. White boxes have memory of their own.

use crate::plan::Planned;
use mxr::graph::program::Role;
use plotters::prelude::*;
use std::collections::HashMap;
use std::error::Error;
use std::fmt::Write;

/// A box.
struct Node {
    lines: Vec<String>,
    /// Where its result begins in the arena, as a part of the whole.
    place: Option<f64>,
    backward: bool,
    /// The boxes it reads.
    reads: Vec<usize>,
}

fn nodes(p: &Planned) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut made: HashMap<u32, usize> = HashMap::new();
    let shape = |v: u32| {
        let extents: Vec<String> = p.program.extents(v, &p.symbols).iter().map(usize::to_string).collect();
        format!("{}[{}]", p.program.values[v as usize].dtype, extents.join(", "))
    };
    let read = |v: &u32| p.program.steps.iter().any(|s| s.reads.contains(v));
    for v in p.program.inputs.iter().chain(p.program.heads.iter().map(|(_, h)| h)).filter(|v| read(v)) {
        made.insert(*v, nodes.len());
        let lines = vec![p.program.values[*v as usize].name.to_string(), shape(*v)];
        nodes.push(Node { lines, place: None, backward: false, reads: Vec::new() });
    }
    for (t, s) in p.program.steps.iter().enumerate() {
        let backward = t >= p.program.forward as usize;
        let layer = p.program.layers.get(s.layer as usize).map_or("", |l| &*l.name);
        let mut reads: Vec<usize> = s.reads.iter().filter_map(|r| made.get(r).copied()).collect();
        reads.dedup();
        let place = s.writes.first().and_then(|w| p.range(*w));
        let bytes: u64 = s.writes.iter().map(|w| p.problem.sizes[*w as usize]).sum();
        let mut lines = vec![format!("{layer}{}", if backward { " (backward)" } else { "" })];
        lines.push(family(&format!("{:?}", s.instr)));
        lines.extend(s.writes.first().map(|w| shape(*w)));
        lines.push(match place {
            Some((at, _)) => format!("{} at {}", mib(bytes), mib(at)),
            None => format!("{} outside", mib(bytes)),
        });
        let place = place.map(|(at, _)| at as f64 / p.plan.bytes.max(1) as f64);
        for w in s.writes.iter() {
            made.insert(*w, nodes.len());
        }
        // A state that the step updates is read from it from here on.
        for m in s.instr.mutates() {
            made.insert(s.reads[*m], nodes.len());
        }
        nodes.push(Node { lines, place, backward, reads });
    }
    debug_assert!(p.program.params.iter().all(|v| p.program.values[*v as usize].role == Role::Param));
    nodes
}

/// `Conv2d` of `Conv2d(ConvAttrs { … })`.
fn family(instr: &str) -> String {
    instr.chars().take_while(char::is_ascii_alphanumeric).collect()
}

fn mib(bytes: u64) -> String {
    format!("{:.2} MiB", bytes as f64 / f64::from(1 << 20))
}

/// Graphviz text: `dot -Tsvg`.
pub fn dot(name: &str, p: &Planned) -> String {
    let mut text = format!(
        "digraph \"{name}\" {{\n  node [shape=box, style=\"filled,rounded\", fillcolor=white, fontname=\"sans-serif\", \
         fontsize=10];\n"
    );
    for (i, n) in nodes(p).iter().enumerate() {
        let label = n.lines.join("\\n");
        let color = n.place.map_or(String::new(), |at| format!(", fillcolor=\"{at:.4} 0.35 1.0\""));
        let line = if n.backward { ", style=\"filled,dashed\"" } else { "" };
        let _ = writeln!(text, "  n{i} [label=\"{label}\"{color}{line}];");
        for r in &n.reads {
            let _ = writeln!(text, "  n{r} -> n{i};");
        }
    }
    text.push_str("}\n");
    text
}

const BOX: (i32, i32) = (196, 62);
const GAP: (i32, i32) = (16, 26);
const MARGIN: i32 = 12;

/// An SVG file: every box one row below the lowest it reads, in a row by the mean of what they read.
///
/// # Errors
///
/// When the text cannot be made.
pub fn svg(title: &str, p: &Planned) -> Result<String, Box<dyn Error>> {
    let nodes = nodes(p);
    let (places, size) = layout(&nodes);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE)?;
        root.draw(&Text::new(title.to_string(), (MARGIN, MARGIN), ("sans-serif", 16)))?;
        for (n, (x, y)) in nodes.iter().zip(&places) {
            for r in &n.reads {
                let (fx, fy) = places[*r];
                let ends = [(fx + BOX.0 / 2, fy + BOX.1), (x + BOX.0 / 2, *y)];
                root.draw(&PathElement::new(ends, BLACK.mix(0.3)))?;
            }
        }
        for (n, (x, y)) in nodes.iter().zip(&places) {
            let corners = [(*x, *y), (x + BOX.0, y + BOX.1)];
            match n.place {
                Some(at) => root.draw(&Rectangle::new(corners, HSLColor(at, 0.9, 0.86).filled()))?,
                None => root.draw(&Rectangle::new(corners, WHITE.filled()))?,
            }
            root.draw(&Rectangle::new(corners, if n.backward { RED.mix(0.6) } else { BLACK.mix(0.6) }))?;
            for (i, line) in n.lines.iter().enumerate() {
                let at = (x + 6, y + 5 + 14 * i as i32);
                root.draw(&Text::new(line.clone(), at, ("sans-serif", 11)))?;
            }
        }
        root.present()?;
    }
    Ok(svg)
}

/// Corners of the boxes, and the size of the whole.
fn layout(nodes: &[Node]) -> (Vec<(i32, i32)>, (u32, u32)) {
    let mut rows: Vec<Vec<usize>> = Vec::new();
    let mut row: Vec<usize> = Vec::with_capacity(nodes.len());
    for (i, n) in nodes.iter().enumerate() {
        let at = n.reads.iter().map(|r| row[*r] + 1).max().unwrap_or(0);
        row.push(at);
        if rows.len() <= at {
            rows.resize_with(at + 1, Vec::new);
        }
        rows[at].push(i);
    }
    let widest = rows.iter().map(Vec::len).max().unwrap_or(0) as i32;
    let width = widest * (BOX.0 + GAP.0) + 2 * MARGIN;
    let mut places = vec![(0, 0); nodes.len()];
    for (at, row) in rows.iter_mut().enumerate() {
        let middle = |i: &usize| {
            let reads = &nodes[*i].reads;
            reads.iter().map(|r| places[*r].0).sum::<i32>() / reads.len().max(1) as i32
        };
        row.sort_by_key(middle);
        let left = (width - row.len() as i32 * (BOX.0 + GAP.0) + GAP.0) / 2;
        for (column, i) in row.iter().enumerate() {
            let y = MARGIN + 28 + at as i32 * (BOX.1 + GAP.1);
            places[*i] = (left + column as i32 * (BOX.0 + GAP.0), y);
        }
    }
    let height = MARGIN * 2 + 28 + rows.len() as i32 * (BOX.1 + GAP.1);
    (places, (width.max(360) as u32, height as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoo;

    fn planned(name: &str, train: bool) -> Planned {
        let entry = zoo::find(name).expect("a network of the zoo");
        let planned = match train {
            true => Planned::train(entry.programs, 2).map(|p| p.expect("trains")),
            false => Planned::predict(entry.programs, 2),
        };
        planned.expect("any batch fits")
    }

    #[test]
    fn boxes_stand_below_what_they_read_and_apart() {
        let nodes = nodes(&planned("googlenet", true));
        let (places, (width, height)) = layout(&nodes);
        for (i, n) in nodes.iter().enumerate() {
            let (x, y) = places[i];
            assert!(n.reads.iter().all(|r| places[*r].1 + BOX.1 < y));
            assert!(x >= 0 && x + BOX.0 <= width as i32 && y + BOX.1 <= height as i32);
            let apart = |(a, b): &(i32, i32)| (a - x).abs() >= BOX.0 || (b - y).abs() >= BOX.1;
            assert!(places[..i].iter().all(apart));
        }
    }

    #[test]
    fn what_shares_a_place_has_its_colour() {
        let p = planned("lenet", false);
        let nodes = nodes(&p);
        assert_eq!(nodes.len(), p.program.steps.len() + p.program.inputs.len());
        assert!(nodes.iter().any(|n| n.place.is_some()), "some arrays are in the arena");
        let text = dot("lenet", &p);
        let (boxes, arrows) = (text.matches("[label=").count(), text.matches(" -> ").count());
        assert_eq!((boxes, arrows), (nodes.len(), nodes.iter().map(|n| n.reads.len()).sum()));
        for word in ["digraph \"lenet\"", "conv1", "f32[2, 20, 24, 24]", "Conv2d", "fillcolor=\"0.0000"] {
            assert!(text.contains(word), "{word} in {text}");
        }
    }

    #[test]
    fn the_svg_holds_every_box() {
        let p = planned("lenet", true);
        let text = svg("lenet", &p).expect("text can be made");
        assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"));
        assert!(text.matches("(backward)").count() > 5 && text.contains("Conv2dBackwardWeight"), "{text}");
    }
}
