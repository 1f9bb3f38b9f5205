//! The gradient of the data of images with few channels: `[(channel, r, s), filters] · [filters, pixels]`, whose rows are then shifted
//! to their taps and added up.
//!
//! A block of the parallel loop owns some channels of one image. It takes a band of output rows at a time, so that the product fits
//! the caches, and adds it to the image before the next band; bands and their order depend on the shapes alone.

use std::marker::PhantomData;
use std::ops::Range;

use super::gather::MAX_TAPS;
use super::{Conv2d, Strides};
use crate::element::Num;
use crate::epilogue::Epilogue;
use crate::gemm::dense::{Address, InPlace, Matrix};
use crate::gemm::driver::{Tiled, multiply_in_order};
use crate::gemm::micro::{Registers, Rows};
use crate::par;
use crate::simd::Kernel;
use crate::simd::vector::{MAX_LANES, first};
use mxr_graph::instr::ConvAttrs;

/// Blocks of work that keep the threads of a large machine busy.
const BLOCKS: usize = 16;

/// Elements beside a product that are read and not used.
const AROUND: usize = MAX_LANES;

/// Elements of a product.
const fn product<T: Tiled>() -> usize {
    T::PRODUCT - 2 * AROUND
}

/// Rows of a product that make its panels of `dy` worth packing.
const ROWS: usize = 64;

/// What is gathered is used once per channel, what is scattered is the sum over all filters. A 1×1 kernel moves nothing either way.
pub(super) fn is_better<T: Tiled>(conv: &Conv2d) -> bool {
    let kernel = conv.kh * conv.kw;
    let few = conv.group_channels() <= 32 && conv.group_filters() >= 2 * conv.group_channels();
    kernel > 1 && few && kernel * conv.ow <= product::<T>()
}

pub(super) fn run<V: Registers>(
    conv: &Conv2d,
    dy: &[V::Elem],
    weight: &[V::Elem],
    epilogue: Epilogue<'_, V::Elem>,
    dx: &mut [V::Elem],
) {
    let (channels, filters, kernel) = (conv.group_channels(), conv.group_filters(), conv.kh * conv.kw);
    let plane = conv.h * conv.w;
    let images = conv.n * conv.groups();
    // As many channels as leave enough blocks and fit the product's memory with one row of the output.
    let most = (product::<V::Elem>() / (kernel * conv.ow)).min(channels);
    let least = ROWS.div_ceil(kernel).min(most);
    let chunk =
        (channels * images).div_ceil(BLOCKS).clamp(least, most.min(V::Elem::MC.div_ceil(kernel)).max(least));
    let chunks = channels.div_ceil(chunk);
    let band = (product::<V::Elem>() / (chunk * kernel * conv.ow)).min(conv.oh);
    let start = Address::of(dx);
    par::for_blocks(images * chunks, |block| {
        let (number, first_channel) = (block / chunks, block % chunks * chunk);
        let chunk = chunk.min(channels - first_channel);
        let (image, group) = (number / conv.groups(), number % conv.groups());
        let Strides { image: dy_image, channel: ld } = conv.y_strides();
        let dy = &dy[image * dy_image + group * filters * ld..];
        let weight = &weight[(group * filters * channels + first_channel) * kernel..];
        let Strides { image: dx_image, channel: apart } = conv.x_strides();
        let first = image * dx_image + (group * channels + first_channel) * apart;
        let channel = |number: usize| {
            // SAFETY: the length of `dx` was checked against the convolution; blocks are different channels, of which one is lent at a time.
            unsafe { std::slice::from_raw_parts_mut(start.skip(first + number * apart).start(), plane) }
        };
        (0..chunk).for_each(|number| epilogue.begin(first + number * apart, channel(number)));
        let rows = Rows::new(chunk * kernel, V::ROWS);
        V::Elem::with_product(|memory| {
            for first_row in (0..conv.oh).step_by(band) {
                let band = first_row..conv.oh.min(first_row + band);
                let width = band.len() * conv.ow;
                let memory = &mut memory[..2 * AROUND + chunk * kernel * width];
                let lhs = Matrix { data: weight, ld: channels * kernel, transposed: true, in_place: false };
                let rhs = Matrix { data: &dy[first_row * conv.ow..], ld, transposed: false, in_place: false };
                let sink = InPlace::overwriting(&mut memory[AROUND..], width);
                // SAFETY: `Candidate::backward_data` has checked the CPU and the lengths against the convolution; the product is ours.
                unsafe { multiply_in_order::<V, _, _, _>(rows, width, filters, &lhs, &rhs, &sink) };
                for number in 0..chunk {
                    let product = &memory[number * kernel * width..][..2 * AROUND + kernel * width];
                    let band = band.clone();
                    V::enter(AddBand { conv, band, product, dx: channel(number), v: PhantomData::<V> });
                }
            }
        });
        (0..chunk).for_each(|number| epilogue.end(first + number * apart, channel(number)));
    });
}

/// Adds a product `[(r, s), band pixels]` to a channel of an image.
struct AddBand<'a, V: Registers> {
    conv: &'a Conv2d,
    band: Range<usize>,
    /// With [`AROUND`] elements before and behind it.
    product: &'a [V::Elem],
    dx: &'a mut [V::Elem],
    v: PhantomData<V>,
}

/// Rows of the kernel, each with the first pixel of the row of the band that it moves to row `y` of the image.
#[inline(always)]
fn rows(conv: &Conv2d, band: &Range<usize>, y: usize) -> impl Iterator<Item = (usize, usize)> {
    let ConvAttrs { stride: [stride, _], dilation: [dilation, _], pad: [top, ..], .. } = conv.attrs;
    let (band, ow, stride) = (band.clone(), conv.ow, stride as usize);
    (0..conv.kh).filter_map(move |r| {
        // y = i · stride + r · dilation − top
        let at = (y + top as usize).checked_sub(r * dilation as usize)?;
        (at % stride == 0 && band.contains(&(at / stride))).then(|| (r, (at / stride - band.start) * ow))
    })
}

impl<V: Registers> AddBand<'_, V> {
    /// Where the taps are further apart than pixels: one after the other.
    #[inline(always)]
    fn strided(self) {
        let Conv2d { w, kw, ow, attrs, .. } = *self.conv;
        let (stride, dilation, left) =
            (attrs.stride[1] as usize, attrs.dilation[1] as usize, attrs.pad[1] as usize);
        let width = self.band.len() * ow;
        for y in 0..self.conv.h {
            for (r, first_pixel) in rows(self.conv, &self.band, y) {
                for s in 0..kw {
                    // left ≤ j · stride + s · dilation < left + w
                    let low = left.saturating_sub(s * dilation).div_ceil(stride);
                    let high = (left + w).saturating_sub(s * dilation).div_ceil(stride).min(ow);
                    if low < high {
                        let from = &self.product[AROUND + (r * kw + s) * width + first_pixel..][low..high];
                        let row = &mut self.dx[y * w..][..w];
                        let to = row[low * stride + s * dilation - left..].iter_mut().step_by(stride);
                        to.zip(from).for_each(|(to, &x)| *to += x);
                    }
                }
            }
        }
    }

    /// A register of each row at a time. Whole registers are read of every tap, whose lanes beside the row become 0 by masks that are made once.
    #[inline(always)]
    fn shifted(self) {
        let Conv2d { h, w, kw, ow, attrs, .. } = *self.conv;
        let (dilation, left, lanes) = (attrs.dilation[1] as usize, attrs.pad[1] as usize, V::LANES);
        let tap = self.band.len() * ow;
        for x in (0..w).step_by(lanes) {
            let width = lanes.min(w - x);
            // Lane t is pixel j + t of a tap.
            let pixel = |s: usize| (x + left) as isize - (s * dilation) as isize;
            let meets = |s: &usize| (1 - width as isize..ow as isize).contains(&pixel(*s));
            let Some(first_tap) = (0..kw).find(meets) else { continue };
            let taps = first_tap..(0..kw).rfind(meets).map_or(kw, |s| s + 1);
            // SAFETY: below the entry of `V`'s instruction set. The taps' registers begin less than their lanes before the band and end less
            // than those behind it, where the product goes on or has what is around it; masks keep those of the row within it.
            unsafe {
                let mut inside = [V::zero(); MAX_TAPS];
                for s in taps.clone() {
                    let low = (-pixel(s)).clamp(0, width as isize) as usize;
                    let high = (ow as isize - pixel(s)).clamp(low as isize, width as isize) as usize;
                    inside[s] = V::zero().blend(V::splat(V::Elem::ONE), first(high) & !first(low));
                }
                for y in 0..h {
                    let to = self.dx.as_mut_ptr().wrapping_add(y * w + x);
                    let mut sum = V::zero().load_over(to, first(width));
                    for (r, first_pixel) in rows(self.conv, &self.band, y) {
                        let from = self.product.as_ptr().wrapping_add(AROUND + r * kw * tap + first_pixel);
                        for s in taps.clone() {
                            let from = from.wrapping_add(s * tap).wrapping_offset(pixel(s));
                            sum = sum.add(V::load(from).where_positive(inside[s]));
                        }
                    }
                    sum.store_masked(to, first(width));
                }
            }
        }
    }
}

impl<V: Registers> Kernel for AddBand<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Conv2d { h, w, kh, kw, ow, attrs, .. } = *self.conv;
        assert!(self.dx.len() == h * w && kw <= MAX_TAPS, "a channel of an image has its pixels");
        assert!(
            self.product.len() == 2 * AROUND + kh * kw * self.band.len() * ow,
            "a product has all taps of its band"
        );
        if attrs.stride[1] > 1 { self.strided() } else { self.shifted() }
    }
}
