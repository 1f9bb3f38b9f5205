//! Which candidate convolves, for each direction by itself.

use std::sync::OnceLock;

use super::{Candidate, Conv2d, ConvElement, Direction, candidates};
use crate::isa::Isa;

/// What `MXR_CONV` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// What takes the least time.
    Fastest,
    /// No algorithm with fewer multiplications.
    Direct,
    /// The candidate of this name, wherever it accepts.
    Named(&'static str),
}

/// The wish of this process, found at the first call.
pub(super) fn wish() -> Wish {
    static WISH: OnceLock<Wish> = OnceLock::new();
    *WISH.get_or_init(|| {
        std::env::var_os("MXR_CONV").map_or(Wish::Fastest, |value| {
            let value = value.to_string_lossy();
            parse(&value).unwrap_or_else(|expected| {
                eprintln!("mxr: MXR_CONV is `{value}`, but must be {expected}; choosing by cost");
                Wish::Fastest
            })
        })
    })
}

/// The wish, or what would be one.
fn parse(value: &str) -> Result<Wish, String> {
    match value {
        "" => return Ok(Wish::Fastest),
        "direct" => return Ok(Wish::Direct),
        _ => {}
    }
    let names = || candidates::<f32>().iter().map(|candidate| candidate.name);
    names().find(|name| *name == value).map(Wish::Named).ok_or_else(|| {
        let names: Vec<_> = names().map(|name| format!("`{name}`")).collect();
        format!("`direct` or the name of a candidate ({})", names.join(", "))
    })
}

/// The candidate that a wish leads to with an instruction set, where weights are prepared in the call, or were before.
///
/// # Panics
///
/// Never: the reference accepts everything.
pub(super) fn choose<T: ConvElement>(
    wish: Wish,
    isa: Isa,
    conv: &Conv2d,
    direction: Direction,
    prepared: bool,
) -> &'static Candidate<T> {
    let accepting = || candidates::<T>().iter().filter(|c| c.isa <= isa && c.accepts(conv, direction));
    let named = || accepting().find(|c| wish == Wish::Named(c.name));
    let usual = || {
        accepting()
            .find(|c| (c.pays)(conv, direction, prepared) && !(wish == Wish::Direct && c.fewer_products))
    };
    named().or_else(usual).expect("the reference accepts every convolution")
}

/// What the transforms of one tile of 4×4 outputs cost for each channel (or filter) of its pixels and of its outputs, in multiply-adds;
/// those of one of 2×2 cost half of it.
const TILE_COST: usize = 400;

/// What the transform of one kernel (or of its gradient) costs, in multiply-adds.
const KERNEL_COST: usize = 200;

/// Channels and filters for which a task of the gradient of the weight transforms once.
const SHARED: usize = 128;

/// What reading an element of a weight from memory costs, in multiply-adds. That is the balance of a machine, the elements that it
/// multiplies in the time in which it reads one: from about 20, two cores with AVX2, to 50. Weights of a network are read once in a pass, and
/// all of them are more than the caches hold.
const READ_COST: usize = 20;

/// The cost model of Winograd's algorithm against implicit products, in multiply-adds as the register tiles make them. Both run
/// their products at about the same share of the peak, so counting decides: 36 products per tile of outputs, 4×4 for 3×3 kernels and
/// 2×2 for 5×5, channel and filter, and the transforms, against nine or 25 products per output. Channels and filters count as whole
/// registers of 16. Where there are few tiles, reading counts, too: of weights that were prepared before there are 36 for each nine or 25,
/// while those that are prepared in the call are as many on either side.
///
/// The constants were fitted to `benches/examples/conv.rs`. In gradients of weights, pixels are transformed again for every [`SHARED`] filters,
/// and `dy` for as many channels.
pub(super) fn winograd_pays(conv: &Conv2d, direction: Direction, prepared: bool) -> bool {
    let [c, k] = [conv.c, conv.filters].map(|count| count.next_multiple_of(16));
    let [h, w] = match direction {
        Direction::BackwardData => [conv.h, conv.w],
        Direction::Forward | Direction::BackwardWeight => [conv.oh, conv.ow],
    };
    let transformed = match direction {
        Direction::BackwardWeight => c * k.div_ceil(SHARED) + k * c.div_ceil(SHARED),
        Direction::Forward | Direction::BackwardData => c + k,
    };
    let side = tile_side(conv);
    let tiles = conv.n * h.div_ceil(side) * w.div_ceil(side);
    let (points, taps) = (36 * c * k, conv.kh * conv.kw * conv.c * conv.filters);
    let winograd = tiles * (points + TILE_COST * side / 4 * transformed);
    let direct = conv.n * h * w * taps;
    match prepared {
        true => winograd + READ_COST * points < direct + READ_COST * taps,
        false => winograd + KERNEL_COST * c * k < direct,
    }
}

/// Outputs of a tile along one axis.
fn tile_side(conv: &Conv2d) -> usize {
    if conv.kh == 3 { 4 } else { 2 }
}

/// What packing an element of a weight costs, in multiply-adds: it is read, turned and written.
const PACK_COST: usize = 32;

/// Preparing a weight is worth the memory where it is more than this part of a call that does it.
const PART: usize = 64;

/// Whether a weight is to be kept as this candidate prepares it.
pub(super) fn worth_preparing<T>(conv: &Conv2d, candidate: &Candidate<T>) -> bool {
    if candidate.fewer_products {
        let side = tile_side(conv);
        let tiles = conv.n * conv.oh.div_ceil(side) * conv.ow.div_ceil(side);
        return tiles * 36 <= PART * KERNEL_COST;
    }
    conv.n * conv.oh * conv.ow <= PART * PACK_COST
}

#[cfg(test)]
mod tests {
    use super::*;
    use mxr_graph::instr::ConvAttrs;

    fn three_by_three(x: [usize; 4], filters: usize) -> Conv2d {
        square(3, x, filters)
    }

    /// A kernel of this height and width, padded so that the output is as large as the input.
    fn square(kernel: usize, [n, c, h, w]: [usize; 4], filters: usize) -> Conv2d {
        let attrs = ConvAttrs { pad: [(kernel / 2) as u32; 4], ..ConvAttrs::default() };
        Conv2d::new([n, c, h, w], [filters, c, kernel, kernel], [n, filters, h, w], attrs).unwrap()
    }

    const DIRECTIONS: [Direction; 3] =
        [Direction::Forward, Direction::BackwardData, Direction::BackwardWeight];

    #[test]
    fn wishes_are_words_and_names() {
        assert_eq!(parse("direct"), Ok(Wish::Direct));
        assert_eq!(parse(""), Ok(Wish::Fastest));
        assert_eq!(parse("portable"), Ok(Wish::Named("portable")));
        let expected = parse("Winograd").unwrap_err();
        assert!(expected.starts_with("`direct` or the name of a candidate (`"), "{expected}");
        assert!(expected.ends_with("`reference`)"), "{expected}");
    }

    #[test]
    fn fewer_multiplications_pay_where_channels_are_many() {
        for direction in DIRECTIONS {
            let pays = |kernel, x, filters| winograd_pays(&square(kernel, x, filters), direction, false);
            assert!(pays(3, [8, 64, 56, 56], 64));
            assert!(pays(3, [8, 512, 7, 7], 512));
            assert!(!pays(3, [8, 3, 224, 224], 64));
            assert!(!pays(3, [1, 64, 1, 1], 64));
            assert!(pays(5, [8, 64, 27, 27], 192));
            assert!(pays(5, [8, 32, 28, 28], 96));
            assert!(pays(5, [64, 20, 8, 8], 50));
            assert!(!pays(5, [64, 1, 28, 28], 20));
            assert!(!pays(5, [1, 64, 1, 1], 64));
        }
    }

    /// 36 numbers for nine weights are not worth reading for four tiles, but are for sixteen.
    #[test]
    fn prepared_weights_have_to_be_read() {
        let pays = |x, filters| winograd_pays(&three_by_three(x, filters), Direction::Forward, true);
        assert!(!pays([1, 512, 7, 7], 512));
        assert!(pays([1, 256, 14, 14], 256));
        assert!(pays([8, 512, 7, 7], 512));
        assert!(!pays([1, 64, 1, 1], 64));
    }

    #[test]
    fn what_is_prepared_for_many_pixels_is_not_kept() {
        let kept = |n: usize| {
            let conv = three_by_three([n, 64, 28, 28], 64);
            let all = candidates::<f32>().iter().filter(|c| c.accepts(&conv, Direction::Forward));
            all.filter(|c| c.prepared.is_some()).map(|c| worth_preparing(&conv, c)).collect::<Vec<bool>>()
        };
        assert!(!kept(1).is_empty());
        assert!(kept(1).into_iter().all(|kept| kept));
        assert!(kept(64).into_iter().all(|kept| !kept));
    }

    #[test]
    fn a_wish_holds_where_the_candidate_accepts() {
        let name =
            |wish, conv: &Conv2d| choose::<f32>(wish, Isa::of_cpu(), conv, Direction::Forward, false).name();
        let (wide, narrow) = (three_by_three([8, 64, 56, 56], 64), three_by_three([8, 3, 224, 224], 64));
        assert_eq!(name(Wish::Named("portable"), &wide), "portable");
        // Nothing depthwise is here.
        assert_eq!(name(Wish::Named("direct-portable"), &wide), name(Wish::Fastest, &wide));
        assert_eq!(name(Wish::Direct, &wide), Isa::of_cpu().name());
        assert_eq!(name(Wish::Fastest, &narrow), Isa::of_cpu().name());
        if Isa::of_cpu() == Isa::Avx2 {
            assert_eq!(name(Wish::Fastest, &wide), "winograd-avx2");
            assert_eq!(name(Wish::Named("winograd-avx2"), &narrow), "winograd-avx2");
        }
        let double = |wish| choose::<f64>(wish, Isa::of_cpu(), &wide, Direction::Forward, false).name();
        assert_eq!(double(Wish::Fastest), Isa::of_cpu().name());
    }
}
