//! Which passes of the compiler run for a [`Symbol`](crate::Symbol), and which graphs are printed: `MXR_PASSES`, `MXR_PRINT`.

use crate::error::{Error, Result};
use mxr_graph::passes::{Look, Passes, Printed};
use std::sync::OnceLock;

/// The passes that the environment leaves, with those switched that `options` names.
///
/// # Errors
///
/// A name that no pass has, in the options or in the environment.
pub(crate) fn chosen(options: &str) -> Result<Passes> {
    let fix = "leave a pass out with `-name`, print around it with `MXR_PRINT=name`";
    let wrong = |what: &str| {
        let what = what.to_string();
        move |e: String| Error::invalid(what, e, fix)
    };
    let from_env = std::env::var("MXR_PASSES").unwrap_or_default();
    let passes = Passes::ALL.switched(&from_env).map_err(wrong("MXR_PASSES"))?;
    let passes = passes.switched(options).map_err(wrong("BindOptions::passes"))?;
    let watch = printed().map_err(wrong("MXR_PRINT"))?.is_some().then_some(print as fn(&Look<'_>));
    Ok(Passes { watch, ..passes })
}

/// What `MXR_PRINT` asks for, read once.
fn printed() -> Result<Option<&'static Printed>, String> {
    static PRINTED: OnceLock<Option<Result<Printed, String>>> = OnceLock::new();
    let read = || std::env::var("MXR_PRINT").ok().map(|text| Printed::new(&text));
    match PRINTED.get_or_init(read) {
        None => Ok(None),
        Some(Ok(printed)) => Ok(Some(printed)),
        Some(Err(e)) => Err(e.clone()),
    }
}

fn print(look: &Look<'_>) {
    if let Ok(Some(printed)) = printed()
        && let Some(text) = printed.at(look)
    {
        eprintln!("{text}");
    }
}
