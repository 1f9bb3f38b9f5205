//! Slightly distorted copies of pictures: a network that sees every picture moved, turned and stretched a little learns
//! the digit instead of the hand.

use fastrand::Rng;
use mxr::DType;
use mxr::io::iter::{ArrayIter, DataBatch, DataDesc, DataIter, IterState};
use mxr::io::{FormatError, HostArray};

/// How far pictures are distorted; every figure is drawn uniformly between minus and plus the bound.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Pixels to the side and up.
    pub shift: f32,
    /// Radians.
    pub turn: f32,
    /// Fraction of the size, in each direction by itself.
    pub stretch: f32,
    /// Pixels to the side per pixel up.
    pub slant: f32,
    /// Fraction of the ink.
    pub ink: f32,
}

/// Batches of an [`ArrayIter`] over pictures `[n, 1, h, w]`, every picture distorted in its own way in every epoch. The
/// way depends on seed, epoch and picture only, so a resumed run sees the same copies.
#[derive(Debug)]
pub struct Distorted {
    source: ArrayIter,
    seed: u64,
    bounds: Bounds,
    data: [HostArray; 1],
}

impl Distorted {
    /// Distort what `source` gives.
    ///
    /// # Errors
    ///
    /// When it gives something else than one array of f32 pictures `[n, 1, h, w]`.
    pub fn new(source: ArrayIter, seed: u64, bounds: Bounds) -> Result<Distorted, FormatError> {
        let data = match source.provide_data() {
            [d] if d.dtype == DType::F32 && d.shape.len() == 4 && d.shape[1] == 1 => {
                HostArray::zeros(DType::F32, &d.shape)?
            }
            other => {
                return Err(FormatError::argument(
                    "Distorted",
                    format!("the source provides {other:?}"),
                    "give one array of f32 pictures, [n, 1, h, w]",
                ));
            }
        };
        Ok(Distorted { source, seed, bounds, data: [data] })
    }
}

impl DataIter for Distorted {
    fn provide_data(&self) -> &[DataDesc] {
        self.source.provide_data()
    }

    fn provide_label(&self) -> &[DataDesc] {
        self.source.provide_label()
    }

    fn batch_size(&self) -> usize {
        self.source.batch_size()
    }

    fn batches(&self) -> Option<usize> {
        self.source.batches()
    }

    fn reset(&mut self) {
        self.source.reset();
    }

    fn next(&mut self) -> Option<Result<DataBatch<'_>, FormatError>> {
        let epoch = self.source.state().epoch;
        let batch = match self.source.next()? {
            Ok(batch) => batch,
            Err(e) => return Some(Err(e)),
        };
        if let Err(e) = distort(&batch, &mut self.data[0], self.seed, epoch, &self.bounds) {
            return Some(Err(e));
        }
        Some(Ok(DataBatch { data: &self.data, ..batch }))
    }

    fn state(&self) -> IterState {
        self.source.state()
    }

    fn restore(&mut self, state: &IterState) -> Result<(), FormatError> {
        self.source.restore(state)
    }
}

fn distort(
    batch: &DataBatch<'_>,
    target: &mut HostArray,
    seed: u64,
    epoch: u64,
    bounds: &Bounds,
) -> Result<(), FormatError> {
    let (h, w) = (target.shape()[2], target.shape()[3]);
    let from = batch.data[0].as_slice::<f32>()?.chunks_exact(h * w);
    let to = target.as_mut_slice::<f32>()?.chunks_exact_mut(h * w);
    for ((from, to), id) in from.zip(to).zip(batch.index) {
        let stream = (epoch << 32) ^ *id as u64;
        let way = Way::draw(&mut Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ stream), bounds);
        for y in 0..h {
            for x in 0..w {
                to[y * w + x] = way.ink * way.look(from, h, w, y, x);
            }
        }
    }
    Ok(())
}

/// How one picture is distorted: where each pixel of the copy comes from, about the middle.
struct Way {
    /// `source = matrix · target + shift`, in (y, x).
    matrix: [[f32; 2]; 2],
    shift: [f32; 2],
    ink: f32,
}

impl Way {
    fn draw(rng: &mut Rng, bounds: &Bounds) -> Way {
        let mut within = |bound: f32| (2.0 * rng.f32() - 1.0) * bound;
        let shift = [within(bounds.shift), within(bounds.shift)];
        let (sin, cos) = within(bounds.turn).sin_cos();
        let (tall, wide) = (1.0 + within(bounds.stretch), 1.0 + within(bounds.stretch));
        let slant = within(bounds.slant);
        let ink = 1.0 + within(bounds.ink);
        // Turned, then stretched, then slanted.
        let matrix =
            [[tall * cos, tall * sin], [slant * tall * cos - wide * sin, slant * tall * sin + wide * cos]];
        Way { matrix, shift, ink }
    }

    /// The source between its four nearest pixels; there is paper around it.
    fn look(&self, from: &[f32], h: usize, w: usize, y: usize, x: usize) -> f32 {
        let (my, mx) = ((h as f32 - 1.0) / 2.0, (w as f32 - 1.0) / 2.0);
        let (ty, tx) = (y as f32 - my, x as f32 - mx);
        let sy = self.matrix[0][0] * ty + self.matrix[0][1] * tx + self.shift[0] + my;
        let sx = self.matrix[1][0] * ty + self.matrix[1][1] * tx + self.shift[1] + mx;
        let (y0, x0) = (sy.floor(), sx.floor());
        let (fy, fx) = (sy - y0, sx - x0);
        let at = |y: f32, x: f32| {
            let inside = (0.0..h as f32).contains(&y) && (0.0..w as f32).contains(&x);
            if inside { from[y as usize * w + x as usize] } else { 0.0 }
        };
        let top = at(y0, x0) * (1.0 - fx) + at(y0, x0 + 1.0) * fx;
        let bottom = at(y0 + 1.0, x0) * (1.0 - fx) + at(y0 + 1.0, x0 + 1.0) * fx;
        top * (1.0 - fy) + bottom * fy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STILL: Bounds = Bounds { shift: 0.0, turn: 0.0, stretch: 0.0, slant: 0.0, ink: 0.0 };

    fn source() -> ArrayIter {
        let pixels: Vec<f32> = (0..32).map(|i| i as f32).collect();
        let data = HostArray::from_vec(pixels, &[2, 1, 4, 4]).expect("the shape fits");
        let label = HostArray::from_vec(vec![0i64, 1], &[2]).expect("the shape fits");
        ArrayIter::new(data, label, 2).expect("two samples")
    }

    fn epoch(iter: &mut Distorted) -> Vec<f32> {
        iter.reset();
        iter.next().expect("one batch").expect("in memory").data[0].to_f32()
    }

    #[test]
    fn nothing_moves_within_bounds_of_zero() {
        let mut iter = Distorted::new(source(), 1, STILL).expect("pictures");
        assert_eq!(epoch(&mut iter), (0..32).map(|i| i as f32).collect::<Vec<_>>());
    }

    #[test]
    fn every_epoch_has_copies_of_its_own_and_they_come_again() {
        let bounds = Bounds { shift: 1.0, ..STILL };
        let mut iter = Distorted::new(source(), 1, bounds).expect("pictures");
        let (first, second) = (epoch(&mut iter), epoch(&mut iter));
        assert_ne!(first, second);
        let mut again = Distorted::new(source(), 1, bounds).expect("pictures");
        assert_eq!(epoch(&mut again), first);
        assert_eq!(epoch(&mut again), second);
    }

    #[test]
    fn a_shift_by_one_pixel_moves_the_picture() {
        let way = Way { matrix: [[1.0, 0.0], [0.0, 1.0]], shift: [1.0, 0.0], ink: 1.0 };
        let from: Vec<f32> = (0..16).map(|i| i as f32).collect();
        assert_eq!(way.look(&from, 4, 4, 0, 2), 6.0);
        assert_eq!(way.look(&from, 4, 4, 3, 2), 0.0);
    }
}
