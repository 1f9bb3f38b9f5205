//! What happens to the elements of a product before they are stored.

use crate::element::Float;
use crate::map::Src;

/// `max(y + bias + residual, 0)`, or a part of it, in this order: every number has the bits that it would have one step after the
/// other.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a, T> {
    /// One number per column of a matrix product, per filter of a convolution.
    pub bias: Option<&'a [T]>,
    /// An array that lies as the result does, in memory of its own or in that of the result.
    pub residual: Option<Src<'a, T>>,
    /// What is negative becomes 0; NaN stays.
    pub relu: bool,
}

impl<'a, T> Epilogue<'a, T> {
    /// Nothing.
    pub const NONE: Self = Epilogue { bias: None, residual: None, relu: false };

    /// A bias, where there is one, and nothing else.
    pub fn bias(bias: Option<&'a [T]>) -> Self {
        Epilogue { bias, residual: None, relu: false }
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

    /// What is stored as element `at` of the result, which holds `held`, where its sum, with the bias, is `x`.
    #[inline(always)]
    pub(crate) fn last(&self, mut x: T, at: usize, held: T) -> T {
        match self.residual {
            None => {}
            Some(Src::Slice(from)) => x += from[at],
            Some(Src::Out) => x += held,
        }
        if self.relu && !((x > T::ZERO) | x.is_nan()) { T::ZERO } else { x }
    }
}
