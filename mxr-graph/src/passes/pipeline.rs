//! Which passes run, in which order, and who looks on.

use super::{
    cancel_transposes, cse, dce, fold_norm, fuse, fuse_conv, fuse_grad, fuse_norm, fuse_reductions, saved,
    simplify, sink,
};
use crate::error::did_you_mean;
use crate::graph::{Graph, ValueId};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The switches, one line per pass: its field is its name in `MXR_PASSES` and `MXR_PRINT`.
macro_rules! passes {
    ($($(#[doc = $doc:literal])+ $name:ident,)*) => {
        /// Which passes run. Dead code elimination always does.
        ///
        /// ```
        /// use mxr_graph::passes::Passes;
        /// let passes = Passes::ALL.switched("-fuse,-cse")?;
        /// assert!(passes.simplify && !passes.fuse && !passes.cse);
        /// # Ok::<(), String>(())
        /// ```
        #[derive(Clone, Copy, Debug)]
        pub struct Passes {
            $($(#[doc = $doc])+ pub $name: bool,)*
            /// Hold the graph against its invariants ([`verify`](crate::verify::verify)) after each pass, and panic where one is broken.
            pub verify: bool,
            /// Shown the graph before and after each pass that runs.
            pub watch: Option<fn(&Look<'_>)>,
        }

        impl Passes {
            /// All of them.
            pub const ALL: Passes = Passes { $($name: true,)* verify: cfg!(test), watch: None };
            /// None of them.
            pub const NONE: Passes = Passes { $($name: false,)* verify: cfg!(test), watch: None };
            /// The names of those that can be switched.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// The switch of the pass with this name.
            pub fn switch(&mut self, name: &str) -> Option<&mut bool> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }
        }
    };
}

passes! {
    /// [`simplify`]: constants folded, neutral operations, doubled reshapes and transposes removed.
    simplify,
    /// [`cse`]: equal operations computed once.
    cse,
    /// [`sink`]: rectifying after a maximum rather than before it.
    sink,
    /// [`fold_norm`]: in prediction, normalisations become part of the weights before them. What it makes of weights is kept from run
    /// to run ([`Program::hoist`](crate::program::Program::hoist)).
    fold_norm,
    /// [`cancel_transposes`]: transposes around elementwise operations cancelled, those in front of products made their flags.
    transpose,
    /// [`fuse_norm`]: batch normalisation, shortcut and relu merged into one operation.
    fuse_norm,
    /// [`saved`]: the least is kept for the backward pass.
    saved,
    /// [`fuse_conv`]: convolution, dense layer, shortcut and relu merged into one operation.
    fuse_conv,
    /// [`fuse_grad`]: sums of gradients, and the masks of rectifiers, merged into the products that make gradients.
    fuse_grad,
    /// [`fuse`]: elementwise chains merged into one operation.
    fuse,
    /// [`fuse_reductions`]: reductions evaluate the elementwise value that they combine.
    reduce,
}

/// A graph beside a pass.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// The pass: a name of [`Passes::NAMES`], or `grad`, `predict`, `dce`, which always run.
    pub pass: &'static str,
    /// Whether the pass has run.
    pub after: bool,
    /// The graph.
    pub graph: &'a Graph,
}

impl Passes {
    /// These passes with some switched: `-fuse` is off, `fuse` (or `+fuse`) on, `all` and `none` switch all of them;
    /// commas in between, from left to right.
    ///
    /// # Errors
    /// A name that no pass has, with the nearest that one has.
    pub fn switched(mut self, text: &str) -> Result<Passes, String> {
        for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            let (name, on) = match word.strip_prefix('-') {
                Some(name) => (name, false),
                None => (word.strip_prefix('+').unwrap_or(word), true),
            };
            match (self.switch(name), name) {
                (Some(switch), _) => *switch = on,
                (None, "all" | "none") => {
                    for name in Passes::NAMES {
                        *self.switch(name).expect("a name of the list") = on == (word.ends_with("all"));
                    }
                }
                (None, _) => return Err(unknown(name, Passes::NAMES)),
            }
        }
        Ok(self)
    }

    /// Run those that come before the gradient is made; no value changes its number. `exact` where it will be made.
    pub(crate) fn run_before(&self, graph: &mut Graph, exact: bool) {
        if self.sink {
            self.step("sink", graph, |g| sink(g, exact));
        }
    }

    /// Run the others; entry `i` of the result is the new number of value `i`.
    pub fn run(&self, graph: &mut Graph) -> Vec<Option<ValueId>> {
        self.pass("simplify", self.simplify, graph, simplify);
        self.pass("cse", self.cse, graph, cse);
        self.pass("transpose", self.transpose, graph, cancel_transposes);
        let mut moved = self.step("dce", graph, dce);
        let mut follow = |again: Vec<Option<ValueId>>| {
            moved.iter_mut().for_each(|m| *m = m.and_then(|v| again[v.index()]));
        };
        if self.fold_norm {
            follow(self.step("fold_norm", graph, fold_norm));
        }
        if self.fuse_norm {
            follow(self.step("fuse_norm", graph, fuse_norm));
        }
        if self.saved {
            follow(self.step("saved", graph, saved));
        }
        if self.fuse_conv {
            follow(self.step("fuse_conv", graph, fuse_conv));
        }
        if self.fuse_grad {
            follow(self.step("fuse_grad", graph, fuse_grad));
        }
        self.pass("fuse", self.fuse, graph, fuse);
        self.pass("reduce", self.reduce, graph, fuse_reductions);
        follow(dce(graph));
        moved
    }

    fn pass(&self, name: &'static str, on: bool, graph: &mut Graph, run: fn(&mut Graph)) {
        if on {
            self.step(name, graph, run);
        }
    }

    /// Show the graph to whoever watches.
    pub(crate) fn look(&self, pass: &'static str, after: bool, graph: &Graph) {
        if let Some(watch) = self.watch {
            watch(&Look { pass, after, graph });
        }
    }

    /// Run one, shown and verified.
    fn step<R>(&self, pass: &'static str, graph: &mut Graph, run: impl FnOnce(&mut Graph) -> R) -> R {
        self.look(pass, false, graph);
        let result = run(graph);
        self.look(pass, true, graph);
        if self.verify
            && let Err(e) = crate::verify::verify(graph)
        {
            panic!("{pass} broke the graph: {e}\n{graph}");
        }
        result
    }
}

/// "there is no pass `fuze`; did you mean `fuse`?"
pub(super) fn unknown(name: &str, names: &[&'static str]) -> String {
    match did_you_mean(name, names.iter().copied()) {
        Some(near) => format!("there is no pass `{name}`; did you mean `{near}`?"),
        None => format!("there is no pass `{name}`; there are {}", names.join(", ")),
    }
}

impl Default for Passes {
    fn default() -> Passes {
        Passes::ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_are_switched_by_name() {
        for name in Passes::NAMES {
            let mut off = Passes::NONE.switched(&format!("all,-{name}")).expect("a name of the list");
            let mut on = Passes::ALL.switched(&format!("none, {name}")).expect("a name of the list");
            for other in Passes::NAMES {
                assert_eq!(*off.switch(other).expect("listed"), other != name, "-{name}: {other}");
                assert_eq!(*on.switch(other).expect("listed"), other == name, "{name}: {other}");
            }
        }
        let e = Passes::ALL.switched("-fuze").expect_err("no such pass");
        assert_eq!(e, "there is no pass `fuze`; did you mean `fuse`?");
        let e = Passes::ALL.switched("-vectorization").expect_err("no such pass");
        assert!(e.contains("there are simplify, cse"), "{e}");
    }
}
