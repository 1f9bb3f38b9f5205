//! `a + b`, `2.0 * a`, `w -= &g`: arithmetic with operator signs.
//!
//! A sign cannot return a `Result`. What does not fit becomes a fault of the result, which every use of it and every
//! reader delivers; nothing panics.

use super::{NDArray, invoke};
use crate::error::{Error, Result};
use mxr_graph::dtype::DType;
use mxr_graph::expr::Expr;
use mxr_graph::instr::{BinOp, Instr, Scalar, UnOp};
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

impl NDArray {
    fn or_fault(result: Result<NDArray>, device: &crate::device::Device) -> NDArray {
        result.unwrap_or_else(|e| NDArray::faulty(e, device))
    }

    #[track_caller]
    fn combine(&self, op: &'static str, other: &NDArray) -> NDArray {
        NDArray::or_fault(invoke::invoke(op, &[self, other], &[]).map(|mut v| v.remove(0)), &self.device)
    }

    /// One expression of this array and constants.
    #[track_caller]
    fn scalar_map(&self, name: &'static str, expr: Expr) -> NDArray {
        NDArray::or_fault(self.try_scalar_map(name, &expr), &self.device)
    }

    #[track_caller]
    fn try_scalar_map(&self, name: &'static str, expr: &Expr) -> Result<NDArray> {
        self.sound()?;
        let y = NDArray::uninit(&self.device, &self.shape, self.dtype)?;
        let reads = std::slice::from_ref(self);
        invoke::push(name, &Instr::Map(0), &expr.lines, reads, std::slice::from_ref(&y), &[None])?;
        Ok(y)
    }

    /// `self = op(self, other)` in the memory of `self`; `other` broadcasts.
    #[track_caller]
    fn update(&mut self, name: &'static str, op: BinOp, other: &NDArray) {
        if let Err(e) = self.try_update(name, op, other) {
            self.fault = Some(e);
        }
    }

    #[track_caller]
    fn try_update(&self, name: &'static str, op: BinOp, other: &NDArray) -> Result<()> {
        self.sound()?;
        other.sound()?;
        invoke::same_device(name, &[self, other])?;
        if self.dtype != other.dtype {
            return Err(Error::invalid(
                name,
                format!("cannot mix {} and {}", self.dtype, other.dtype),
                "convert one of them with `cast`",
            ));
        }
        let missing = self.rank().checked_sub(other.rank());
        let fits =
            missing.is_some_and(|m| other.shape.iter().zip(&self.shape[m..]).all(|(o, s)| o == s || *o == 1));
        if !fits {
            return Err(Error::invalid(
                name,
                format!("an array of shape {:?} does not broadcast to {:?}", other.shape, self.shape),
                "in place the left side keeps its shape; write `a = &a + &b` for a new one",
            ));
        }
        let target = self.clone();
        if other.shares_memory_with(self) {
            if other.bytes() == self.bytes() && other.shape == self.shape {
                let expr = Expr::build(|e| {
                    let x = e.input(0);
                    e.bin(op, x, x)
                });
                return in_place(name, &expr.lines, &[], &target);
            }
            return in_place(name, &Expr::binary(op).lines, &[other.copy()?], &target);
        }
        in_place(name, &Expr::binary(op).lines, std::slice::from_ref(other), &target)
    }

    #[track_caller]
    fn update_scalar(&mut self, name: &'static str, op: BinOp, value: f64) {
        if let Err(e) = self.try_update_scalar(name, op, value) {
            self.fault = Some(e);
        }
    }

    #[track_caller]
    fn try_update_scalar(&self, name: &'static str, op: BinOp, value: f64) -> Result<()> {
        self.sound()?;
        check_scalar(name, value, self.dtype)?;
        in_place(name, &with_constant(op, value, false).lines, &[], self)
    }
}

/// Push `target = expr(target, others…)`.
#[track_caller]
fn in_place(name: &'static str, expr: &[Scalar], others: &[NDArray], target: &NDArray) -> Result<()> {
    let mut reads = vec![target.clone()];
    reads.extend_from_slice(others);
    let mut places = vec![Some(0)];
    places.resize(reads.len(), None);
    invoke::push(name, &Instr::Map(0), expr, &reads, std::slice::from_ref(target), &places)
}

/// `x op c`, or `c op x`.
fn with_constant(op: BinOp, c: f64, first: bool) -> Expr {
    Expr::build(|e| {
        let (x, c) = (e.input(0), e.constant(c));
        if first { e.bin(op, c, x) } else { e.bin(op, x, c) }
    })
}

/// A fraction beside integers would be lost without a word.
fn check_scalar(name: &str, value: f64, dtype: DType) -> Result<()> {
    match dtype.is_float() || value.fract() == 0.0 {
        true => Ok(()),
        false => Err(Error::invalid(
            name,
            format!("{value} beside an array of {dtype}"),
            "convert the array to a floating-point type with `cast`",
        )),
    }
}

macro_rules! signs {
    ($($trait:ident, $method:ident, $assign:ident, $assign_method:ident, $op:ident, $name:literal;)*) => {$(
        impl $trait<&NDArray> for &NDArray {
            type Output = NDArray;
            #[track_caller]
            fn $method(self, other: &NDArray) -> NDArray {
                self.combine($name, other)
            }
        }
        impl $trait<NDArray> for &NDArray {
            type Output = NDArray;
            #[track_caller]
            fn $method(self, other: NDArray) -> NDArray {
                self.combine($name, &other)
            }
        }
        impl $trait<&NDArray> for NDArray {
            type Output = NDArray;
            #[track_caller]
            fn $method(self, other: &NDArray) -> NDArray {
                self.combine($name, other)
            }
        }
        impl $trait<NDArray> for NDArray {
            type Output = NDArray;
            #[track_caller]
            fn $method(self, other: NDArray) -> NDArray {
                self.combine($name, &other)
            }
        }
        impl $trait<f64> for &NDArray {
            type Output = NDArray;
            #[track_caller]
            fn $method(self, value: f64) -> NDArray {
                match check_scalar($name, value, self.dtype) {
                    Ok(()) => self.scalar_map($name, with_constant(BinOp::$op, value, false)),
                    Err(e) => NDArray::faulty(e, &self.device),
                }
            }
        }
        impl $trait<f64> for NDArray {
            type Output = NDArray;
            #[track_caller]
            fn $method(self, value: f64) -> NDArray {
                $trait::$method(&self, value)
            }
        }
        impl $trait<&NDArray> for f64 {
            type Output = NDArray;
            #[track_caller]
            fn $method(self, array: &NDArray) -> NDArray {
                match check_scalar($name, self, array.dtype) {
                    Ok(()) => array.scalar_map($name, with_constant(BinOp::$op, self, true)),
                    Err(e) => NDArray::faulty(e, &array.device),
                }
            }
        }
        impl $trait<NDArray> for f64 {
            type Output = NDArray;
            #[track_caller]
            fn $method(self, array: NDArray) -> NDArray {
                $trait::$method(self, &array)
            }
        }
        /// In place; the right side broadcasts.
        impl $assign<&NDArray> for NDArray {
            #[track_caller]
            fn $assign_method(&mut self, other: &NDArray) {
                self.update($name, BinOp::$op, other);
            }
        }
        /// In place; the right side broadcasts.
        impl $assign<NDArray> for NDArray {
            #[track_caller]
            fn $assign_method(&mut self, other: NDArray) {
                self.update($name, BinOp::$op, &other);
            }
        }
        /// In place.
        impl $assign<f64> for NDArray {
            #[track_caller]
            fn $assign_method(&mut self, value: f64) {
                self.update_scalar($name, BinOp::$op, value);
            }
        }
    )*};
}
signs! {
    Add, add, AddAssign, add_assign, Add, "add";
    Sub, sub, SubAssign, sub_assign, Sub, "sub";
    Mul, mul, MulAssign, mul_assign, Mul, "mul";
    Div, div, DivAssign, div_assign, Div, "div";
}

impl Neg for &NDArray {
    type Output = NDArray;
    #[track_caller]
    fn neg(self) -> NDArray {
        self.scalar_map("neg", Expr::unary(UnOp::Neg))
    }
}

impl Neg for NDArray {
    type Output = NDArray;
    #[track_caller]
    fn neg(self) -> NDArray {
        -&self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(v: &[f32]) -> NDArray {
        NDArray::from_slice(v, &[v.len()]).expect("fits")
    }

    #[test]
    fn signs_compute() {
        let (a, b) = (array(&[1.0, 2.0, 4.0]), array(&[10.0, 20.0, 30.0]));
        let values = |x: NDArray| x.to_vec::<f32>().expect("computed");
        assert_eq!(values(&a + &b), [11.0, 22.0, 34.0]);
        assert_eq!(values(1.0 / &a), [1.0, 0.5, 0.25]);
        assert_eq!(values(-(&a - 2.0)), [1.0, 0.0, -2.0]);
        assert_eq!(values(&a * array(&[2.0])), [2.0, 4.0, 8.0]);
    }

    #[test]
    fn updates_happen_in_place_and_views_see_them() {
        let mut w = NDArray::from_slice(&[1.0f32, 2.0, 3.0, 4.0], &[2, 2]).expect("fits");
        let mut row = w.rows(1..2).expect("a row");
        row -= array(&[1.0, 1.0]);
        w *= 2.0;
        w += &w.clone();
        assert_eq!(w.to_vec::<f32>().expect("computed"), [4.0, 8.0, 8.0, 12.0]);
        let top = w.at(0).expect("a row");
        w += &top;
        assert_eq!(w.to_vec::<f32>().expect("computed"), [8.0, 16.0, 12.0, 20.0]);
    }

    #[test]
    fn what_does_not_fit_is_a_value() {
        let (a, b) = (array(&[1.0, 2.0]), array(&[1.0, 2.0, 3.0]));
        let wrong = &a + &b;
        let text = wrong.to_vec::<f32>().expect_err("2 against 3").to_string();
        assert!(text.contains("[2]") && text.contains("[3]"), "{text}");
        assert!((wrong * 2.0).item::<f32>().is_err());
        let mut c = a.clone();
        c += &b;
        assert!(c.to_vec::<f32>().is_err());
        assert_eq!(a.to_vec::<f32>().expect("untouched"), [1.0, 2.0]);
        let i = NDArray::from_slice(&[1i64, 2], &[2]).expect("fits");
        assert!((&i * 0.5).to_vec::<i64>().is_err());
        assert_eq!((&i * 2.0).to_vec::<i64>().expect("integers"), [2, 4]);
    }
}
