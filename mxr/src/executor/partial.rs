//! A network up to some of its layers.

use crate::error::{Error, Result};
use mxr_graph::error::did_you_mean;
use mxr_graph::program::{Operand, Program};

/// The program that makes the results of these layers and nothing else, in this order.
pub(super) fn up_to(program: &Program, layers: &[String]) -> Result<Program> {
    let wanted = layers.iter().map(|l| result(program, l)).collect::<Result<Vec<u32>>>()?;
    let mut distinct: Vec<u32> = Vec::new();
    for v in &wanted {
        if !distinct.contains(v) {
            distinct.push(*v);
        }
    }
    let mut part = program.select(&distinct, &[]);
    let made = part.outputs.to_vec();
    let of = |v: &u32| made[distinct.iter().position(|d| d == v).expect("listed above")];
    part.outputs = wanted.iter().map(of).collect();
    part.predictions = Vec::new().into();
    Ok(part)
}

fn result(program: &Program, layer: &str) -> Result<u32> {
    let place = format!("{}.bind", program.name);
    let Some(at) = program.layers.iter().position(|l| l.name == layer) else {
        let near = did_you_mean(layer, program.layers.iter().map(|l| &*l.name));
        return Err(Error::invalid(
            place,
            format!("`outputs` names `{layer}`, which is no layer of the network in prediction"),
            near.map_or_else(
                || "the layers are constants of the network and rows of its table".to_string(),
                |n| format!("did you mean `{n}`?"),
            ),
        ));
    };
    if let Some(v) = program.layers[at].output {
        return Ok(v);
    }
    // In place of a loss stands what it predicts.
    let of_it = |v: &&u32| program.steps.iter().any(|s| s.layer as usize == at && s.writes.contains(v));
    if let Some(v) = program.outputs.iter().find(of_it) {
        return Ok(*v);
    }
    let help = match absorber(program, at) {
        Some(other) => format!("`{other}` is the nearest layer that has one"),
        None => "name another layer".to_string(),
    };
    Err(Error::invalid(
        place,
        format!(
            "`outputs` names `{layer}`, which has no result of its own in prediction: it is computed together with \
             what follows, or it does nothing there"
        ),
        help,
    ))
}

/// The nearest layer behind this one that has a result; else the nearest before it.
fn absorber(program: &Program, at: usize) -> Option<&str> {
    let made = |at: usize| program.layers[at].output.is_some();
    let reads = |at: usize, from: usize| {
        program.layers[at].operands().any(|o| matches!(o, Operand::Layer(l) if l as usize == from))
    };
    let mut open = vec![at];
    let mut next = 0;
    while let Some(from) = open.get(next).copied() {
        next += 1;
        for behind in (0..program.layers.len()).filter(|l| reads(*l, from)) {
            if made(behind) {
                return Some(&program.layers[behind].name);
            }
            if !open.contains(&behind) {
                open.push(behind);
            }
        }
    }
    (0..at).rev().find(|l| made(*l)).map(|l| &*program.layers[l].name)
}
