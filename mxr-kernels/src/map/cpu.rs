//! One step of a plan on one tile: a loop per scalar operation that the compiler vectorises.

use mxr_graph::instr::{BinOp, UnOp};

use crate::isa::Isa;
use crate::level::{self, Body, Level};
use crate::map::element::MapElement;

/// An operand of a step.
#[derive(Clone, Copy)]
pub(crate) enum Val<'a, T> {
    Slice(&'a [T]),
    Scalar(T),
    /// The destination's own elements, which the step overwrites.
    Own,
}

/// What a step does to its tile.
#[derive(Clone, Copy)]
pub(crate) enum Task<'a, T> {
    Copy(Val<'a, T>),
    Un(UnOp, Val<'a, T>),
    Bin(BinOp, Val<'a, T>, Val<'a, T>),
    Select(Val<'a, T>, Val<'a, T>, Val<'a, T>),
}

impl<T: Copy> Task<'_, T> {
    /// Whether a loop exists that reads the elements it overwrites in these places; if not, the caller computes
    /// elsewhere and copies.
    pub(crate) fn works_in_place(&self) -> bool {
        match self {
            Task::Copy(_) | Task::Un(..) => true,
            Task::Bin(_, _, b) => !matches!(b, Val::Own),
            Task::Select(c, a, b) => {
                !matches!(c, Val::Own) && !matches!(a, Val::Own) && !matches!(b, Val::Own)
            }
        }
    }

    /// Puts a destination operand first where the order of operands does not matter.
    pub(crate) fn own_first(self) -> Self {
        match self {
            Task::Bin(op @ (BinOp::Add | BinOp::Mul | BinOp::Eq), a, Val::Own) if !matches!(a, Val::Own) => {
                Task::Bin(op, Val::Own, a)
            }
            other => other,
        }
    }
}

/// Computes `task` into `dst`; slices are as long as `dst`.
pub(crate) fn step<T: MapElement>(isa: Isa, task: Task<'_, T>, dst: &mut [T]) {
    debug_assert!(task.works_in_place());
    level::run(isa, Step { task, dst });
}

struct Step<'a, T> {
    task: Task<'a, T>,
    dst: &'a mut [T],
}

impl<T: MapElement> Body for Step<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        let Step { task, dst } = self;
        match task {
            Task::Copy(Val::Slice(s)) => dst.copy_from_slice(s),
            Task::Copy(Val::Scalar(c)) => dst.fill(c),
            Task::Copy(Val::Own) => {}
            Task::Un(op, a) => match op {
                UnOp::Neg => unary(dst, a, T::neg::<L>),
                UnOp::Abs => unary(dst, a, T::abs::<L>),
                UnOp::Sign => unary(dst, a, T::sign::<L>),
                UnOp::Exp => unary(dst, a, T::exp::<L>),
                UnOp::Log => unary(dst, a, T::log::<L>),
                UnOp::Log1p => unary(dst, a, T::log1p::<L>),
                UnOp::Sqrt => unary(dst, a, T::sqrt::<L>),
                UnOp::Recip => unary(dst, a, T::recip::<L>),
                UnOp::Tanh => unary(dst, a, T::tanh::<L>),
                UnOp::Sigmoid => unary(dst, a, T::sigmoid::<L>),
                UnOp::Erf => unary(dst, a, T::erf::<L>),
                UnOp::Floor => unary(dst, a, T::floor::<L>),
            },
            Task::Bin(op, a, b) => match op {
                BinOp::Add => binary(dst, a, b, T::add::<L>),
                BinOp::Sub => binary(dst, a, b, T::sub::<L>),
                BinOp::Mul => binary(dst, a, b, T::mul::<L>),
                BinOp::Div => binary(dst, a, b, T::div::<L>),
                BinOp::Pow => binary(dst, a, b, T::pow::<L>),
                BinOp::Max => binary(dst, a, b, T::max::<L>),
                BinOp::Min => binary(dst, a, b, T::min::<L>),
                BinOp::Gt => binary(dst, a, b, T::above::<L>),
                BinOp::Ge => binary(dst, a, b, T::not_below::<L>),
                BinOp::Eq => binary(dst, a, b, T::equal::<L>),
            },
            Task::Select(c, a, b) => select(dst, c, a, b),
        }
    }
}

#[inline(always)]
fn unary<T: MapElement>(dst: &mut [T], a: Val<'_, T>, f: impl Fn(T) -> T) {
    match a {
        Val::Slice(a) => {
            for (d, &a) in dst.iter_mut().zip(a) {
                *d = f(a);
            }
        }
        Val::Scalar(a) => dst.fill(f(a)),
        Val::Own => {
            for d in dst {
                *d = f(*d);
            }
        }
    }
}

#[inline(always)]
fn binary<T: MapElement>(dst: &mut [T], a: Val<'_, T>, b: Val<'_, T>, f: impl Fn(T, T) -> T) {
    match (a, b) {
        (Val::Slice(a), Val::Slice(b)) => {
            for ((d, &a), &b) in dst.iter_mut().zip(a).zip(b) {
                *d = f(a, b);
            }
        }
        (Val::Slice(a), Val::Scalar(b)) => {
            for (d, &a) in dst.iter_mut().zip(a) {
                *d = f(a, b);
            }
        }
        (Val::Scalar(a), Val::Slice(b)) => {
            for (d, &b) in dst.iter_mut().zip(b) {
                *d = f(a, b);
            }
        }
        (Val::Scalar(a), Val::Scalar(b)) => dst.fill(f(a, b)),
        (Val::Own, Val::Slice(b)) => {
            for (d, &b) in dst.iter_mut().zip(b) {
                *d = f(*d, b);
            }
        }
        (Val::Own, Val::Scalar(b)) => {
            for d in dst {
                *d = f(*d, b);
            }
        }
        (_, Val::Own) => unreachable!("works_in_place excludes a second operand in the destination"),
    }
}

#[inline(always)]
fn select<T: MapElement>(dst: &mut [T], c: Val<'_, T>, a: Val<'_, T>, b: Val<'_, T>) {
    match (c, a, b) {
        (Val::Slice(c), Val::Slice(a), Val::Slice(b)) => {
            for (((d, &c), &a), &b) in dst.iter_mut().zip(c).zip(a).zip(b) {
                *d = if c != T::ZERO { a } else { b };
            }
        }
        (Val::Slice(c), Val::Slice(a), Val::Scalar(b)) => {
            for ((d, &c), &a) in dst.iter_mut().zip(c).zip(a) {
                *d = if c != T::ZERO { a } else { b };
            }
        }
        (Val::Slice(c), Val::Scalar(a), Val::Slice(b)) => {
            for ((d, &c), &b) in dst.iter_mut().zip(c).zip(b) {
                *d = if c != T::ZERO { a } else { b };
            }
        }
        (Val::Slice(c), Val::Scalar(a), Val::Scalar(b)) => {
            for (d, &c) in dst.iter_mut().zip(c) {
                *d = if c != T::ZERO { a } else { b };
            }
        }
        (Val::Scalar(c), a, b) => match if c != T::ZERO { a } else { b } {
            Val::Slice(s) => dst.copy_from_slice(s),
            Val::Scalar(v) => dst.fill(v),
            Val::Own => {}
        },
        _ => unreachable!("works_in_place excludes a selection over the destination"),
    }
}
