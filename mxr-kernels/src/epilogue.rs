//! What happens to the elements of a product before they are stored.

use crate::element::Float;
use crate::map::Src;

/// `max(y + bias + residual, 0)`, or a part of it, in this order: every number has the bits that it would have one step after the
/// other. A gradient may be masked instead of rectified.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a, T> {
    /// One number per column of a matrix product, per filter of a convolution.
    pub bias: Option<&'a [T]>,
    /// An array that lies as the result does, in memory of its own or in that of the result.
    pub residual: Option<Src<'a, T>>,
    /// What is negative becomes 0; NaN stays.
    pub relu: bool,
    /// An array that lies as the result does, in memory of its own: where it is not above 0, the element becomes 0. With the result of a
    /// relu, this is the relu's gradient.
    pub mask: Option<&'a [T]>,
}

impl<'a, T> Epilogue<'a, T> {
    /// Nothing.
    pub const NONE: Self = Epilogue { bias: None, residual: None, relu: false, mask: None };

    /// A bias, where there is one, and nothing else.
    pub fn bias(bias: Option<&'a [T]>) -> Self {
        Epilogue { bias, ..Epilogue::NONE }
    }

    /// The residual is what the result's memory holds before the call.
    pub(crate) fn in_place(&self) -> bool {
        matches!(self.residual, Some(Src::Out))
    }
}

impl<T: Float> Epilogue<'_, T> {
    /// Where the residual of element `at` of the result is, which lies at `y`; null where there is none.
    #[inline(always)]
    pub(crate) fn residual_of(&self, at: usize, y: *mut T) -> *const T {
        match self.residual {
            None => std::ptr::null(),
            Some(Src::Slice(from)) => from.as_ptr().wrapping_add(at),
            Some(Src::Out) => y.cast_const(),
        }
    }

    /// Where the mask of element `at` of the result is; null where there is none.
    #[inline(always)]
    pub(crate) fn mask_of(&self, at: usize) -> *const T {
        self.mask.map_or(std::ptr::null(), |mask| mask.as_ptr().wrapping_add(at))
    }

    /// What is stored as element `at` of the result, which holds `held`, where its sum, with the bias, is `x`.
    #[inline(always)]
    pub(crate) fn last(&self, mut x: T, at: usize, held: T) -> T {
        match self.residual {
            None => {}
            Some(Src::Slice(from)) => x += from[at],
            Some(Src::Out) => x += held,
        }
        let negative = self.relu && !((x > T::ZERO) | x.is_nan());
        let counts = self.mask.is_none_or(|mask| mask[at] > T::ZERO);
        if counts && !negative { x } else { T::ZERO }
    }

    /// For sums that are made in the result's memory, part after part: `y`, elements `first..` of the result, becomes what they begin with,
    /// the residual or zeros.
    pub(crate) fn begin(&self, first: usize, y: &mut [T]) {
        match self.residual {
            None => y.fill(T::ZERO),
            Some(Src::Slice(from)) => y.copy_from_slice(&from[first..][..y.len()]),
            Some(Src::Out) => {}
        }
    }

    /// For the same, when they are complete: what comes after the residual.
    pub(crate) fn end(&self, first: usize, y: &mut [T]) {
        if self.relu || self.mask.is_some() {
            let rest = Epilogue { residual: None, ..*self };
            y.iter_mut().enumerate().for_each(|(t, y)| *y = rest.last(*y, first + t, *y));
        }
    }
}
