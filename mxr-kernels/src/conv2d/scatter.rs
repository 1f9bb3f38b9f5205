//! The gradient of the data of images with few channels: `[(channel, r, s), filters] · [filters, pixels]`, whose rows are then shifted
//! to their taps and added up.
//!
//! A block of the parallel loop owns some channels of one image. It takes a band of output rows at a time, so that the product fits
//! the caches, and adds it to the image before the next band; bands and their order depend on the shapes alone.

use std::marker::PhantomData;
use std::ops::Range;

use super::{Conv2d, Strides};
use crate::epilogue::Epilogue;
use crate::gemm::dense::{Address, InPlace, Matrix};
use crate::gemm::driver::{Tiled, multiply_in_order};
use crate::gemm::micro::{Registers, Rows};
use crate::par;
use crate::simd::Kernel;
use crate::simd::vector::first;

/// Blocks of work that keep the threads of a large machine busy.
const BLOCKS: usize = 16;

/// Rows of a product that make its panels of `dy` worth packing.
const ROWS: usize = 64;

/// What is gathered is used once per channel, what is scattered is the sum over all filters. A 1×1 kernel moves nothing either way.
pub(super) fn is_better<T: Tiled>(conv: &Conv2d) -> bool {
    let kernel = conv.kh * conv.kw;
    let few = conv.group_channels() <= 32 && conv.group_filters() >= 2 * conv.group_channels();
    kernel > 1 && few && kernel * conv.ow <= T::PRODUCT
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
    let most = (V::Elem::PRODUCT / (kernel * conv.ow)).min(channels);
    let least = ROWS.div_ceil(kernel).min(most);
    let chunk =
        (channels * images).div_ceil(BLOCKS).clamp(least, most.min(V::Elem::MC.div_ceil(kernel)).max(least));
    let chunks = channels.div_ceil(chunk);
    let band = (V::Elem::PRODUCT / (chunk * kernel * conv.ow)).min(conv.oh);
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
        V::Elem::with_product(|product| {
            for first_row in (0..conv.oh).step_by(band) {
                let band = first_row..conv.oh.min(first_row + band);
                let width = band.len() * conv.ow;
                let product = &mut product[..chunk * kernel * width];
                let lhs = Matrix { data: weight, ld: channels * kernel, transposed: true, in_place: false };
                let rhs = Matrix { data: &dy[first_row * conv.ow..], ld, transposed: false, in_place: false };
                let sink = InPlace::overwriting(product, width);
                // SAFETY: `Candidate::backward_data` has checked the CPU and the lengths against the convolution; the product is ours.
                unsafe { multiply_in_order::<V, _, _, _>(rows, width, filters, &lhs, &rhs, &sink) };
                for (number, product) in product.chunks_exact(kernel * width).enumerate() {
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
    product: &'a [V::Elem],
    dx: &'a mut [V::Elem],
    v: PhantomData<V>,
}

impl<V: Registers> Kernel for AddBand<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Conv2d { w, kh, kw, ow, attrs, .. } = *self.conv;
        let kernel_width = self.band.len() * ow;
        let (stride, dilation) = (attrs.stride[0] as usize, attrs.dilation[0] as usize);
        for (y, row) in self.dx.chunks_exact_mut(w).enumerate() {
            for r in 0..kh {
                // y = i · stride + r · dilation − top
                let Some(at) = (y + attrs.pad[0] as usize).checked_sub(r * dilation) else { continue };
                if at % stride == 0 && self.band.contains(&(at / stride)) {
                    let taps = &self.product[r * kw * kernel_width..][..kw * kernel_width];
                    let first_pixel = (at / stride - self.band.start) * ow;
                    add_row::<V>(self.conv, row, taps, kernel_width, first_pixel);
                }
            }
        }
    }
}

/// Adds to a row of the image what one row of the output gives it under the taps of one row of the kernel.
#[inline(always)]
fn add_row<V: Registers>(
    conv: &Conv2d,
    row: &mut [V::Elem],
    taps: &[V::Elem],
    tap: usize,
    first_pixel: usize,
) {
    let (stride, dilation, left) =
        (conv.attrs.stride[1] as usize, conv.attrs.dilation[1] as usize, conv.attrs.pad[1] as usize);
    if stride > 1 {
        for (s, from) in taps.chunks_exact(tap).enumerate() {
            // left ≤ j · stride + s · dilation < left + w
            let low = left.saturating_sub(s * dilation).div_ceil(stride);
            let high = (left + conv.w).saturating_sub(s * dilation).div_ceil(stride).min(conv.ow);
            if low < high {
                let to = row[low * stride + s * dilation - left..].iter_mut().step_by(stride);
                to.zip(&from[first_pixel..][low..high]).for_each(|(to, &x)| *to += x);
            }
        }
        return;
    }
    let lanes = V::LANES;
    for x in (0..row.len()).step_by(lanes) {
        let width = lanes.min(row.len() - x);
        // SAFETY: below the entry of `V`'s instruction set; masks keep lanes within the row and within the taps' pixels.
        unsafe {
            let to = row.as_mut_ptr().add(x);
            let mut sum = V::zero().load_over(to, first(width));
            for s in 0..conv.kw {
                // Lane t is pixel j = x + t + left − s · dilation.
                let j = (x + left) as isize - (s * dilation) as isize;
                let low = (-j).clamp(0, width as isize) as usize;
                let high = (conv.ow as isize - j).clamp(low as isize, width as isize) as usize;
                let from = taps.as_ptr().wrapping_add(s * tap + first_pixel).wrapping_offset(j);
                sum = sum.add(V::zero().load_over(from, first(high) & !first(low)));
            }
            sum.store_masked(to, first(width));
        }
    }
}
