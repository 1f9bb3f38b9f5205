//! The geometry of sliding windows, shared by convolution and pooling.
//!
//! Of an extent `x` with padding `p0`, `p1`, a window of `k` taps at distance `d` spans `e = d·(k − 1) + 1` and stops at
//! `floor((x + p0 + p1 − e) / s) + 1` places. Rounding up adds a last place where elements are left over, unless
//! that window would start beyond the input and its leading padding: `floor((x + p0 + p1 − e + min(s − 1, e − p1 − 1)) / s) + 1`.

use crate::catalogue::Code;
use crate::dim::Dim;
use crate::error::{At, ShapeError};
use crate::infer::Infer;
use crate::instr::ConvAttrs;
use crate::schema::{Attr, Options};
use crate::shape::Shape;
use alloc::format;
use alloc::string::String;

/// A window before it meets an input; its padding is the option `pad` of the call.
pub(super) struct Window {
    pub(super) kernel: [i64; 2],
    pub(super) stride: [i64; 2],
    pub(super) dilation: [i64; 2],
    /// Round up.
    pub(super) ceil: bool,
}

/// No window spans more: padding and offsets stay within 32 bits.
const SPAN_MAX: i64 = 1 << 30;

const SIDE: [&str; 2] = ["height", "width"];

/// The places at which the window stops over `x [n, c, h, w]`, which is operand 0 of the call. The option `pad` becomes
/// `[top, left, bottom, right]`.
pub(super) fn slide(cx: &mut Infer<'_>, x: &Shape, window: &Window) -> Result<[Dim; 2], ShapeError> {
    let mut pad = [0; 4];
    let mut out = [Dim::ONE, Dim::ONE];
    for a in 0..2 {
        let (extent, s) = (&x[2 + a], window.stride[a]);
        let span = window.dilation[a] * (window.kernel[a] - 1) + 1;
        if span > SPAN_MAX {
            return Err(cx.err(
                Code::TooLarge,
                At::Option("dilation"),
                format!("a window that spans {span} is too large"),
            ));
        }
        (pad[a], pad[2 + a]) = padding(cx, extent, a, span, s)?;
        let (before, after) = (pad[a], pad[2 + a]);
        let room = extent.add(&Dim::Const(before + after - span));
        if !cx.holds(&room) {
            let error = does_not_fit(cx, x, a, window, span, before, after);
            cx.require(&room, error)?;
        }
        let slack = if window.ceil { (s - 1).min(span - after - 1) } else { 0 };
        out[a] = cx.floor_div(&room.add(&Dim::Const(slack)), s).add(&Dim::ONE);
    }
    cx.set_attr("pad", Attr::Ints(pad.to_vec()));
    Ok(out)
}

/// The padding before and after on one axis: `same` makes `ceil(x / s)` places, the odd zero goes after (as in TensorFlow
/// and Keras).
fn padding(
    cx: &mut Infer<'_>,
    extent: &Dim,
    a: usize,
    span: i64,
    stride: i64,
) -> Result<(i64, i64), ShapeError> {
    if let Attr::Ints(p) = cx.attr("pad") {
        return Ok((p[a], p[2 + a]));
    }
    let places = cx.ceil_div(extent, stride);
    let total = places.sub(&Dim::ONE).scale(stride).add(&Dim::Const(span)).sub(extent);
    if let Some(total) = total.as_const() {
        let total = total.max(0);
        return Ok((total / 2, total - total / 2));
    }
    let (side, text) = (SIDE[a], cx.show_dim(extent));
    let mut e = cx.err(
        Code::SameDependsOnASymbol,
        At::Option("pad"),
        format!("`same` with stride {stride} depends on the {side}, which is {text}: not known yet"),
    );
    e.help = Some(format!("give the padding as a number, such as pad = {}", (span - 1) / 2));
    Err(e)
}

fn does_not_fit(
    cx: &Infer<'_>,
    x: &Shape,
    a: usize,
    window: &Window,
    span: i64,
    before: i64,
    after: i64,
) -> ShapeError {
    let (k, d, side) = (window.kernel[a], window.dilation[a], SIDE[a]);
    let dilated = if d > 1 { format!(" with dilation {d} spans {span} and") } else { String::new() };
    let padded = x[2 + a].add(&Dim::Const(before + after));
    let with_pad = if before + after > 0 {
        format!(" ({} with its padding)", cx.show_dim(&padded))
    } else {
        String::new()
    };
    let mut e = cx.err(
        Code::KernelDoesNotFit,
        At::Option("kernel"),
        format!(
            "kernel {k}{dilated} does not fit: the input's {side} is {}{with_pad}, of {}",
            cx.show_dim(&x[2 + a]),
            cx.show(x)
        ),
    );
    if let Some(have) = padded.as_const().filter(|have| *have < span && *have > 0) {
        let largest = (have - 1) / d + 1;
        e.help = Some(format!("a kernel up to {largest} fits"));
        if before == after {
            let enough = before + (span - have + 1) / 2;
            let keeps = (span - 1) / 2;
            let text = if window.stride[a] == 1 && span % 2 == 1 && keeps > enough {
                format!(", pad = {enough} makes room, pad = {keeps} keeps the {side}")
            } else if window.stride[a] == 1 && span % 2 == 1 && keeps == enough {
                format!(", or pad = {enough} keeps the {side}")
            } else {
                format!(", or pad = {enough} makes room")
            };
            e.help = e.help.map(|h| h + &text);
        }
    }
    e
}

/// The options `stride`, `pad`, `dilation` and `groups` as a kernel wants them.
pub(super) fn conv_attrs(options: Options<'_>) -> ConvAttrs {
    ConvAttrs {
        stride: pair(options, "stride"),
        pad: quad(options, "pad"),
        dilation: pair(options, "dilation"),
        groups: small(options.int("groups")),
        ..ConvAttrs::default()
    }
}

/// An option `[height, width]` that the shape rule has checked.
pub(super) fn pair(options: Options<'_>, name: &str) -> [u32; 2] {
    options.pair(name).expect("set by the shape rule").map(small)
}

/// An option `[top, left, bottom, right]` that the shape rule has checked.
pub(super) fn quad(options: Options<'_>, name: &str) -> [u32; 4] {
    let list = options.ints(name).and_then(|v| <[i64; 4]>::try_from(v).ok());
    list.expect("set by the shape rule").map(small)
}

fn small(n: i64) -> u32 {
    u32::try_from(n).expect("checked by the shape rule")
}
