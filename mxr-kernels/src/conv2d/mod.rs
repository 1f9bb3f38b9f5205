//! Two-dimensional convolution (cross-correlation) and its gradients.
//!
//! `y[n, k, i, j] = bias[k] + Σ x[n, c, i·sh + r·dh − top, j·sw + s·dw − left] · w[k, c, r, s]` over the channels `c` of the group
//! of `k` and the taps `(r, s)`, with zeros outside the image; `oh = ⌊(h + top + bottom − dh·(kh − 1) − 1) / sh⌋ + 1` and `ow` alike.
//!
//! The fast candidates are implicit matrix products: the image is gathered straight into the packed panels of
//! [`gemm`](crate::gemm), all images of a batch side by side, and no matrix of patches ever exists.
//! * forward: `[k, c·kh·kw] · [c·kh·kw, n·oh·ow]`;
//! * gradient of the data: for each of the `sh·sw` phases of the image, the same product of turned weights with `dy`, so no product
//!   with the zeros between strides is made (of 1×1 kernels only what they see, which is then spread); where images have few channels, `[c·kh·kw, k] · [k, oh·ow]`, added to the image tile by tile;
//! * gradient of the weight: `[k, n·oh·ow] · [n·oh·ow, c·kh·kw]`, cut along the sum where C is small, the parts added in order; what a 1×1
//!   kernel with a stride sees is collected first. Of images with few channels, `[c·kh·kw, n·oh·ow] · [n·oh·ow, k]`, whose left side is read in
//!   the image where it lies.
//!
//! Groups of few filters (depthwise) are done row by row instead, and kernels of 3×3 and 5×5 with stride 1 by Winograd's algorithm where
//! that takes less time: `choice` says where, for each direction by itself.
//!
//! What follows a convolution ([`Epilogue`]) is done to the elements when they are stored.
//!
//! A tap that falls into the padding may or may not be multiplied by zero, so what an infinite or NaN *weight* does to positions where
//! its tap lies in the padding is not specified. NaN and infinities of images and gradients always reach everything that uses them; with
//! Winograd's algorithm as something that is not finite, and they may reach outputs beside those.
//!
//! Errors relative to the norm of the result are below 10⁻⁵ for `f32`, with Winograd's algorithm below 10⁻⁴ (usually below 10⁻⁵ too).

mod backward_data;
mod backward_weight;
mod choice;
mod direct;
mod few_channels;
mod forward;
mod gather;
mod planes;
mod points;
pub mod prepared;
mod reference;
mod scatter;
#[cfg(test)]
mod tests;
mod weights;
#[cfg(target_arch = "x86_64")]
mod winograd;

use mxr_graph::instr::{ConvAttrs, Layout};

use self::prepared::Prepared;
use crate::element::Float;
use crate::epilogue::Epilogue;
use crate::gemm::GemmElement;
use crate::gemm::driver::Tiled;
use crate::gemm::micro::Registers;
use crate::isa::Isa;
use crate::map::Src;

/// A convolution of `x [n, c, h, w]` by `w [filters, c / groups, kh, kw]` to `y [n, filters, oh, ow]`; `x` and `y` may lie channel after channel
/// ([`Layout`]), each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conv2d {
    n: usize,
    c: usize,
    h: usize,
    w: usize,
    filters: usize,
    kh: usize,
    kw: usize,
    oh: usize,
    ow: usize,
    attrs: ConvAttrs,
}

impl Conv2d {
    /// The convolution of arrays of these shapes, as they lie: `[c, n, h, w]` where the attributes say so.
    ///
    /// ```
    /// use mxr_graph::instr::{ConvAttrs, Layout};
    /// use mxr_kernels::conv2d::Conv2d;
    ///
    /// let attrs = ConvAttrs { stride: [2, 2], pad: [1; 4], ..ConvAttrs::default() };
    /// assert!(Conv2d::new([8, 3, 32, 32], [16, 3, 3, 3], [8, 16, 16, 16], attrs).is_ok());
    /// assert!(Conv2d::new([8, 3, 32, 32], [16, 3, 3, 3], [8, 16, 15, 16], attrs).is_err());
    /// let attrs = ConvAttrs { y: Layout::Cnhw, ..attrs };
    /// assert!(Conv2d::new([8, 3, 32, 32], [16, 3, 3, 3], [16, 8, 16, 16], attrs).is_ok());
    /// ```
    ///
    /// # Errors
    ///
    /// If the shapes do not belong to one convolution with these attributes; the text says which rule is broken.
    pub fn new(x: [usize; 4], weight: [usize; 4], y: [usize; 4], attrs: ConvAttrs) -> Result<Self, String> {
        let [n, c, h, w] = named(x, attrs.x);
        let [filters, group_channels, kh, kw] = weight;
        let groups = attrs.groups as usize;
        let whole = |channels: usize| groups > 0 && channels.is_multiple_of(groups);
        if !whole(c) || !whole(filters) {
            return Err(format!("{c} channels and {filters} filters do not divide into {groups} groups"));
        }
        if group_channels != c / groups {
            return Err(format!(
                "weight {weight:?} needs {} channels per filter: {c} in {groups} groups",
                c / groups
            ));
        }
        let [top, left, bottom, right] = attrs.pad.map(|p| p as usize);
        let extent = |size: usize, pad: usize, kernel: usize, axis: usize| {
            let (stride, dilation) = (attrs.stride[axis] as usize, attrs.dilation[axis] as usize);
            if kernel == 0 || stride == 0 || dilation == 0 {
                return Err(format!(
                    "kernel {kernel}, stride {stride} and dilation {dilation} must be at least 1"
                ));
            }
            let window = dilation * (kernel - 1) + 1;
            match (size + pad).checked_sub(window) {
                Some(room) => Ok(room / stride + 1),
                None => Err(format!("a window of {window} does not fit into {size} + {pad} padding")),
            }
        };
        let (oh, ow) = (extent(h, top + bottom, kh, 0)?, extent(w, left + right, kw, 1)?);
        let made = named([n, filters, oh, ow], attrs.y);
        if y != made {
            return Err(format!("the output is {made:?}, not {y:?}"));
        }
        Ok(Conv2d { n, c, h, w, filters, kh, kw, oh, ow, attrs })
    }

    fn groups(&self) -> usize {
        self.attrs.groups as usize
    }

    /// Channels that one filter sees.
    fn group_channels(&self) -> usize {
        self.c / self.groups()
    }

    fn group_filters(&self) -> usize {
        self.filters / self.groups()
    }

    /// Where images and channels of `x` begin.
    fn x_strides(&self) -> Strides {
        Strides::new(self.attrs.x, [self.n, self.c], self.h * self.w)
    }

    /// Where images and channels of `y` begin.
    fn y_strides(&self) -> Strides {
        Strides::new(self.attrs.y, [self.n, self.filters], self.oh * self.ow)
    }

    /// The image and the channel, one of `channels`, of a plane of an array.
    fn plane(&self, layout: Layout, number: usize, channels: usize) -> (usize, usize) {
        match layout {
            Layout::Nchw => (number / channels, number % channels),
            Layout::Cnhw => (number % self.n, number / self.n),
        }
    }

    fn x_len(&self) -> usize {
        self.n * self.c * self.h * self.w
    }

    fn y_len(&self) -> usize {
        self.n * self.filters * self.oh * self.ow
    }

    fn weight_len(&self) -> usize {
        self.filters * self.group_channels() * self.kh * self.kw
    }

    fn check<T>(&self, x: &[T], weight: &[T], y: &[T]) {
        self.check_images(x, y);
        assert_eq!(weight.len(), self.weight_len(), "elements of the weight or its gradient: {self:?}");
    }

    fn check_images<T>(&self, x: &[T], y: &[T]) {
        assert_eq!(x.len(), self.x_len(), "elements of x or dx: {self:?}");
        assert_eq!(y.len(), self.y_len(), "elements of y or dy: {self:?}");
    }

    fn check_forward<T>(&self, epilogue: &Epilogue<'_, T>) {
        assert!(epilogue.bias.is_none_or(|bias| bias.len() == self.filters), "one bias per filter: {self:?}");
        self.check_epilogue(epilogue, self.y_len());
    }

    fn check_epilogue<T>(&self, epilogue: &Epilogue<'_, T>, len: usize) {
        if let Some(Src::Slice(residual)) = epilogue.residual {
            assert_eq!(residual.len(), len, "elements of the residual: {self:?}");
        }
        assert!(epilogue.mask.is_none_or(|mask| mask.len() == len), "{len} elements of the mask: {self:?}");
    }
}

/// `[n, c, h, w]` of extents as they lie, and back.
fn named([a, b, h, w]: [usize; 4], layout: Layout) -> [usize; 4] {
    match layout {
        Layout::Nchw => [a, b, h, w],
        Layout::Cnhw => [b, a, h, w],
    }
}

/// Elements from one image to the next, and from one channel to the next.
#[derive(Clone, Copy, Debug)]
struct Strides {
    image: usize,
    channel: usize,
}

impl Strides {
    fn new(layout: Layout, [n, c]: [usize; 2], plane: usize) -> Strides {
        match layout {
            Layout::Nchw => Strides { image: c * plane, channel: plane },
            Layout::Cnhw => Strides { image: plane, channel: n * plane },
        }
    }

    /// Where a channel of an image begins.
    fn at(&self, image: usize, channel: usize) -> usize {
        image * self.image + channel * self.channel
    }
}

/// Which of the three products of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// `x, w -> y`.
    Forward,
    /// `dy, w -> dx`.
    BackwardData,
    /// `x, dy -> dw`.
    BackwardWeight,
}

/// Elements of workspace that a call needs: those of the candidate that is chosen. Depends on the shapes, the instruction set and `MXR_CONV`
/// alone.
pub fn workspace_len<T: ConvElement>(conv: &Conv2d, direction: Direction) -> usize {
    select::<T>(conv, direction).workspace_len(conv, direction)
}

/// `y = conv(x, weight)` and what the epilogue says, whose bias has one element per filter. The workspace's contents do not matter.
///
/// # Panics
///
/// If a slice does not have the length that the convolution says, or the workspace is shorter than [`workspace_len`].
pub fn forward<T: ConvElement>(
    conv: &Conv2d,
    x: &[T],
    weight: &[T],
    epilogue: Epilogue<'_, T>,
    y: &mut [T],
    workspace: &mut [T],
) {
    select::<T>(conv, Direction::Forward).forward(conv, x, weight, epilogue, y, workspace);
}

/// `dx`, the gradient of the convolution's input, and what the epilogue says, which has no bias: where few channels are added up in the
/// memory of `dx`, sums begin with the residual.
///
/// # Panics
///
/// As [`forward`], and if there is a bias.
pub fn backward_data<T: ConvElement>(
    conv: &Conv2d,
    dy: &[T],
    weight: &[T],
    epilogue: Epilogue<'_, T>,
    dx: &mut [T],
    workspace: &mut [T],
) {
    select::<T>(conv, Direction::BackwardData).backward_data(conv, dy, weight, epilogue, dx, workspace);
}

/// `dw`, the gradient of the convolution's weight.
///
/// # Panics
///
/// As [`forward`].
pub fn backward_weight<T: ConvElement>(conv: &Conv2d, x: &[T], dy: &[T], dw: &mut [T], workspace: &mut [T]) {
    select::<T>(conv, Direction::BackwardWeight).backward_weight(conv, x, dy, dw, workspace);
}

/// The candidate that the functions of this module use; its [name](Candidate::name) is for reports.
///
/// It is the first that accepts, the instruction set allows and the cost model finds worth it. The environment variable `MXR_CONV` overrides
/// the model, for a process: `direct` leaves Winograd's algorithm out, the name of a candidate takes that one wherever it accepts, nothing
/// is as if it were not set. Any other value is reported on standard error and left out.
///
/// # Panics
///
/// Never: the reference accepts everything.
pub fn select<T: ConvElement>(conv: &Conv2d, direction: Direction) -> &'static Candidate<T> {
    choice::choose(choice::wish(), Isa::detect(), conv, direction, false)
}

/// Every candidate for an element type, fastest first, the reference last.
pub fn candidates<T: ConvElement>() -> &'static [Candidate<T>] {
    T::CONV_CANDIDATES
}

/// Element types that can be convolved: `f32` and `f64`.
pub trait ConvElement: GemmElement<Sum = Self> + Float + Tiled {
    /// What [`candidates`] returns.
    const CONV_CANDIDATES: &'static [Candidate<Self>];
}

/// One way to convolve.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<T: 'static> {
    name: &'static str,
    isa: Isa,
    /// It makes fewer multiplications than the definition has, and rounds more.
    fewer_products: bool,
    accepts: fn(&Conv2d, Direction) -> bool,
    /// Where it accepts: whether it takes less time than the candidates after it, with a weight that is prepared in the call or was before.
    pays: fn(&Conv2d, Direction, bool) -> bool,
    workspace_len: fn(&Conv2d, Direction) -> usize,
    forward: Image<T>,
    /// Where it does not read weights as they are.
    prepared: Option<Prepared<T>>,
    backward_data: Image<T>,
    backward_weight: Weight<T>,
}

/// Convolution, the two operands, epilogue, the result, workspace.
type Image<T> = fn(&Conv2d, &[T], &[T], Epilogue<'_, T>, &mut [T], &mut [T]);
/// Convolution, x, dy, dw, workspace.
type Weight<T> = fn(&Conv2d, &[T], &[T], &mut [T], &mut [T]);

impl<T: ConvElement> Candidate<T> {
    /// Its name: the instruction set, or `winograd-` or `direct-` and the instruction set, or `reference`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The instruction set that it needs.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Whether this CPU can run it and it handles this direction of this convolution.
    pub fn accepts(&self, conv: &Conv2d, direction: Direction) -> bool {
        self.isa <= Isa::of_cpu() && (self.accepts)(conv, direction)
    }

    /// Elements of workspace that it needs. Depends on the shapes alone.
    pub fn workspace_len(&self, conv: &Conv2d, direction: Direction) -> usize {
        (self.workspace_len)(conv, direction)
    }

    /// See [`forward`].
    ///
    /// # Panics
    ///
    /// As [`forward`], and if the candidate does not [accept](Self::accepts) the convolution.
    pub fn forward(
        &self,
        conv: &Conv2d,
        x: &[T],
        weight: &[T],
        epilogue: Epilogue<'_, T>,
        y: &mut [T],
        workspace: &mut [T],
    ) {
        conv.check(x, weight, y);
        self.check(conv, Direction::Forward, workspace);
        conv.check_forward(&epilogue);
        if !y.is_empty() {
            (self.forward)(conv, x, weight, epilogue, y, workspace);
        }
    }

    /// See [`backward_data`].
    ///
    /// # Panics
    ///
    /// As [`Self::forward`], and if there is a bias.
    pub fn backward_data(
        &self,
        conv: &Conv2d,
        dy: &[T],
        weight: &[T],
        epilogue: Epilogue<'_, T>,
        dx: &mut [T],
        workspace: &mut [T],
    ) {
        conv.check(dx, weight, dy);
        self.check(conv, Direction::BackwardData, workspace);
        assert!(epilogue.bias.is_none(), "a gradient has no bias: {conv:?}");
        conv.check_epilogue(&epilogue, conv.x_len());
        if !dx.is_empty() {
            (self.backward_data)(conv, dy, weight, epilogue, dx, workspace);
        }
    }

    /// See [`backward_weight`].
    ///
    /// # Panics
    ///
    /// As [`Self::forward`].
    pub fn backward_weight(&self, conv: &Conv2d, x: &[T], dy: &[T], dw: &mut [T], workspace: &mut [T]) {
        conv.check(x, dw, dy);
        self.check(conv, Direction::BackwardWeight, workspace);
        if !dw.is_empty() {
            (self.backward_weight)(conv, x, dy, dw, workspace);
        }
    }

    fn check(&self, conv: &Conv2d, direction: Direction, workspace: &[T]) {
        assert!(
            self.accepts(conv, direction),
            "candidate {} was asked for what it does not accept: {direction:?} of {conv:?}",
            self.name
        );
        let len = self.workspace_len(conv, direction);
        assert!(workspace.len() >= len, "{direction:?} needs a workspace of {len} elements: {conv:?}");
    }
}

/// What implicit products pack or collect: all weights, pixels, or the slices of a sum.
fn implicit_workspace_len<V: Registers>(conv: &Conv2d, direction: Direction) -> usize {
    match direction {
        Direction::Forward => conv.weight_len() + forward::prepared_workspace_len::<V>(conv),
        Direction::BackwardData => backward_data::workspace_len(conv),
        Direction::BackwardWeight => backward_weight::workspace_len::<V::Elem>(conv),
    }
}

macro_rules! candidates {
    ($t:ty: $($isa:ident $([$winograd:literal])? $direct:literal $implicit:literal $vector:ty),*) => {
        impl ConvElement for $t {
            const CONV_CANDIDATES: &'static [Candidate<Self>] = &[
                $(
                    $(Candidate {
                        name: $winograd,
                        isa: Isa::$isa,
                        fewer_products: true,
                        accepts: winograd::accepts,
                        pays: choice::winograd_pays,
                        workspace_len: winograd::workspace_len::<$vector>,
                        forward: winograd::forward::<$vector>,
                        prepared: Some(Prepared {
                            len: winograd::prepared_len::<$vector>,
                            prepare: winograd::prepare::<$vector>,
                            workspace_len: winograd::prepared_workspace_len::<$vector>,
                            forward: winograd::forward_prepared::<$vector>,
                        }),
                        backward_data: winograd::backward_data::<$vector>,
                        backward_weight: winograd::backward_weight::<$vector>,
                    },)?
                    Candidate {
                        name: $direct,
                        isa: Isa::$isa,
                        fewer_products: false,
                        accepts: |conv, _| direct::accepts(conv),
                        pays: |_, _, _| true,
                        workspace_len: |_, _| 0,
                        forward: direct::forward::<$t, { Isa::$isa as u8 }>,
                        prepared: None,
                        backward_data: direct::backward_data::<$t, { Isa::$isa as u8 }>,
                        backward_weight: direct::backward_weight::<$t, { Isa::$isa as u8 }>,
                    },
                    Candidate {
                        name: $implicit,
                        isa: Isa::$isa,
                        fewer_products: false,
                        accepts: |conv, _| gather::accepts(conv),
                        pays: |_, _, _| true,
                        workspace_len: implicit_workspace_len::<$vector>,
                        forward: forward::run::<$vector>,
                        prepared: Some(Prepared {
                            len: Conv2d::weight_len,
                            prepare: forward::prepare::<$vector>,
                            workspace_len: forward::prepared_workspace_len::<$vector>,
                            forward: forward::run_prepared::<$vector>,
                        }),
                        backward_data: backward_data::run::<$vector>,
                        backward_weight: backward_weight::run::<$vector>,
                    },
                )*
                Candidate {
                    name: "reference",
                    isa: Isa::Portable,
                    fewer_products: false,
                    accepts: |_, _| true,
                    pays: |_, _, _| true,
                    workspace_len: |_, _| 0,
                    forward: reference::forward,
                    prepared: None,
                    backward_data: reference::backward_data,
                    backward_weight: reference::backward_weight,
                },
            ];
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod list {
    use std::arch::x86_64::{__m256, __m256d, __m512, __m512d};

    use super::*;
    use crate::simd::vector::Lanes;

    candidates!(f32: Avx512 ["winograd-avx512"] "direct-avx512" "avx512" __m512,
        Avx2 ["winograd-avx2"] "direct-avx2" "avx2" __m256, Portable "direct-portable" "portable" Lanes<f32, 4>);
    candidates!(f64: Avx512 "direct-avx512" "avx512" __m512d, Avx2 "direct-avx2" "avx2" __m256d,
        Portable "direct-portable" "portable" Lanes<f64, 2>);
}

#[cfg(not(target_arch = "x86_64"))]
mod list {
    use super::*;
    use crate::simd::vector::Lanes;

    candidates!(f32: Portable "direct-portable" "portable" Lanes<f32, 4>);
    candidates!(f64: Portable "direct-portable" "portable" Lanes<f64, 2>);
}
