//! How feature maps lie in a bound network: `[n, c, h, w]` as users see them, or channel after channel.

use super::layout::promised;
use super::options::BindOptions;
use crate::error::{Error, Result};
use mxr_graph::instr::Layout;
use mxr_graph::memory::{Strategy, plan};
use mxr_graph::program::Program;

/// The program with feature maps that lie channel after channel ([`Program::channels_outermost`]), unless that changes nothing, would
/// take more memory, or was declined; but the values of `fixed`.
pub(super) fn arranged(
    program: Program,
    fixed: &[(u32, u32)],
    given: &[(&str, i64)],
    options: &BindOptions,
) -> Result<Program> {
    if options.nchw || declined()? {
        return Ok(program);
    }
    let symbols = program.bind_symbols(given)?;
    let fixed: Vec<u32> = fixed.iter().map(|(_, grad)| *grad).collect();
    let outermost = program.channels_outermost(&fixed);
    let several = |v: u32| outermost.extents(v, &symbols)[..2].iter().all(|extent| *extent > 1);
    let mut values = (0..outermost.values.len() as u32).filter(|v| outermost.rank(*v) == 4);
    if !values.any(|v| outermost.values[v as usize].layout == Layout::Cnhw && several(v)) {
        return Ok(program);
    }
    let bytes = plan(&outermost.problem(&symbols), Strategy::Best).bytes;
    let before = promised(&program, &symbols, &program.problem(&symbols)).bytes;
    Ok(if bytes <= before { outermost } else { program })
}

/// Whether `MXR_LAYOUT` asks for `nchw`.
fn declined() -> Result<bool> {
    match std::env::var("MXR_LAYOUT").as_deref() {
        Err(_) | Ok("") => Ok(false),
        Ok("nchw") => Ok(true),
        Ok(other) => Err(Error::invalid(
            "MXR_LAYOUT",
            format!("is `{other}`"),
            "set it to `nchw`, which leaves feature maps image after image, or do not set it",
        )),
    }
}
