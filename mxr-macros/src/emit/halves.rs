//! Training and prediction, worked on side by side: they have nothing to do with each other, and somebody is waiting.

use mxr_graph::compile;
use mxr_graph::error::ShapeError;
use mxr_graph::graph::Graph;
use mxr_graph::passes::Passes;
use mxr_graph::program::Program;
use std::panic::resume_unwind;
use std::thread::{Builder, scope};

/// What compiling made of a network.
pub(crate) type Compiled = Result<Program, ShapeError>;

/// The program that trains, where one is wanted, and the one that predicts.
pub(crate) fn compile(graph: &Graph, passes: &Passes, trains: bool) -> (Option<Compiled>, Compiled) {
    let train = || compile::train_with(graph.clone(), passes);
    let predict = || compile::predict_with(graph.clone(), passes);
    if !trains {
        return (None, predict());
    }
    // Whoever prints graphs wants them one after the other.
    let (train, predict) =
        if passes.watch.is_some() { (train(), predict()) } else { side_by_side(train, predict) };
    (Some(train), predict)
}

/// Both results; `a` is made by another thread, if the system has one.
pub(super) fn side_by_side<A: Send, B>(a: impl Fn() -> A + Sync, b: impl FnOnce() -> B) -> (A, B) {
    scope(|s| {
        let other = Builder::new().spawn_scoped(s, &a);
        let b = b();
        let a = match other {
            Ok(other) => other.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(_) => a(),
        };
        (a, b)
    })
}
