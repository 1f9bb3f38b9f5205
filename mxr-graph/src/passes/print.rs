//! Which graphs `MXR_PRINT` asks for.

use super::pipeline::{Look, Passes, unknown};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Passes that always run.
const ALWAYS: [&str; 3] = ["grad", "predict", "dce"];

/// What to print: the names of passes, or `all`, separated by commas, and after an `@` the network: `fuse@LeNet`, or `@LeNet` for all
/// of its passes.
///
/// The library reads it from `MXR_PRINT` and writes to the standard error: at run time for a `Symbol`, while
/// compiling for `network!`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// None: all of them.
    passes: Option<Vec<String>>,
    network: Option<String>,
}

impl Printed {
    /// From the text of the variable.
    ///
    /// # Errors
    /// A name that no pass has, with the nearest that one has.
    pub fn new(text: &str) -> Result<Printed, String> {
        let (passes, network) = match text.split_once('@') {
            Some((passes, network)) => (passes, Some(network.trim().to_string())),
            None => (text, None),
        };
        let known: Vec<&'static str> = Passes::NAMES.iter().copied().chain(ALWAYS).collect();
        let words: Vec<&str> = passes.split(',').map(str::trim).filter(|w| !w.is_empty()).collect();
        if let Some(wrong) = words.iter().find(|w| **w != "all" && !known.contains(w)) {
            return Err(unknown(wrong, &known));
        }
        // `@LeNet` alone asks for all of that network.
        let all = words.contains(&"all") || words.is_empty() && network.is_some();
        let names = (!all).then(|| words.iter().map(ToString::to_string).collect());
        Ok(Printed { passes: names, network })
    }

    /// The text to print at this point, if any. Of `all` passes each graph is printed once, after the pass that made it.
    pub fn at(&self, look: &Look<'_>) -> Option<String> {
        if self.network.as_ref().is_some_and(|n| *n != look.graph.name) {
            return None;
        }
        let wanted = match &self.passes {
            None => look.after || look.pass == "grad" || look.pass == "predict",
            Some(names) => names.iter().any(|n| n == look.pass),
        };
        let when = if look.after { "after" } else { "before" };
        wanted.then(|| format!("-- {when} {}\n{}", look.pass, look.graph))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;

    #[test]
    fn passes_and_networks_are_chosen_by_name() {
        let g = Graph::new("LeNet");
        let at = |text: &str, pass, after| {
            Printed::new(text).expect("known names").at(&Look { pass, after, graph: &g }).is_some()
        };
        assert!(at("fuse", "fuse", false) && at("fuse", "fuse", true));
        assert!(!at("fuse", "cse", true) && at("cse, fuse@LeNet", "cse", true));
        assert!(!at("all@VGG", "cse", true) && at("all", "dce", true) && !at("all", "dce", false));
        assert!(at("all", "grad", false) && !at("", "fuse", true));
        assert!(at("@LeNet", "cse", true) && !at("@VGG", "cse", true));
        assert!(Printed::new("all, fusee").is_err());
        assert_eq!(Printed::new("fusee"), Err("there is no pass `fusee`; did you mean `fuse`?".into()));
    }
}
