//! Programs from tables that are one literal each, for generated code: the compiler checks a literal as one expression, whatever is
//! in it, and a large network has thousands of numbers and names. They are read when a network is first bound, in microseconds: a
//! `const fn` would be interpreted by the compiler, which takes longer than all else that it does with the network.
//!
//! A number is written in digits of base 32, the lowest first, as characters from `0` on; a digit that is followed by another
//! one of the same number has 32 added. What is read is what [`digits`] wrote; anything else is a fault of the macro.

use super::{List, ProgramLayer, ProgramValue, Role, Step, list, text};
use crate::dim::{Dim, Mono, Term};
use crate::dtype::DType;
use crate::instr::Instr;
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

/// Writes a number for [`numbers`] and the tables beside it.
pub fn digits(mut n: u32, out: &mut String) {
    loop {
        let (digit, rest) = ((n & 31) as u8, n >> 5);
        out.push(char::from(b'0' + digit + if rest > 0 { MORE } else { 0 }));
        if rest == 0 {
            return;
        }
        n = rest;
    }
}

/// Added to a digit that is not the last of its number.
const MORE: u8 = 32;

/// Owners by their number in a table.
pub const ROLES: [Role; 6] =
    [Role::Input, Role::HeadGrad, Role::Param, Role::Aux, Role::Internal, Role::Kept];

/// A table that is being read.
struct Table(&'static [u8]);

impl Table {
    fn number(&mut self) -> u32 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let (first, rest) =
                self.0.split_first().expect("a table of a program has the numbers of all its rows");
            self.0 = rest;
            let digit = first - b'0';
            number |= u32::from(digit & (MORE - 1)) << shift;
            if digit < MORE {
                return number;
            }
            shift += 5;
        }
    }

    fn index(&mut self) -> usize {
        self.number() as usize
    }

    /// How many numbers, and they.
    fn list(&mut self) -> List<u32> {
        let length = self.index();
        kept((0..length).map(|_| self.number()).collect())
    }

    /// What `row` reads, until the table ends.
    fn rows<T: Clone + 'static>(mut self, mut row: impl FnMut(&mut Self) -> T) -> List<T> {
        let mut all = Vec::new();
        while !self.0.is_empty() {
            all.push(row(&mut self));
        }
        kept(all)
    }
}

/// For ever, as the `static` that the program is in: each executor has a program of its own, and copies references.
fn kept<T: Clone>(all: Vec<T>) -> List<T> {
    Cow::Borrowed(all.leak())
}

/// The dimension of these terms, in normal form.
pub const fn dim(terms: &'static [Term]) -> Dim {
    match terms {
        [] => Dim::Const(0),
        [Term { mono: Mono([0, 0, 0, 0]), coef }] => Dim::Const(*coef),
        _ => Dim::terms_static(terms),
    }
}

/// The numbers of a list.
pub fn numbers(digits: &'static [u8]) -> List<u32> {
    Table(digits).rows(Table::number)
}

/// The pairs of a list.
pub fn pairs(digits: &'static [u8]) -> List<(u32, u32)> {
    Table(digits).rows(|row| (row.number(), row.number()))
}

/// Values. A row: how many bytes of `names` are its name, [element type](DType::ALL), shape, [owner](ROLES).
pub fn values(
    shapes: &[&'static [Dim]],
    mut names: &'static str,
    digits: &'static [u8],
) -> List<ProgramValue> {
    Table(digits).rows(|row| {
        let name = first(&mut names, row.index());
        let (dtype, shape, role) = (DType::ALL[row.index()], shapes[row.index()], ROLES[row.index()]);
        ProgramValue::new(name, dtype, shape, role)
    })
}

/// Steps. A row: instruction, how many operands, and they, how many results, and they, layer.
pub fn steps(instrs: &[Instr], digits: &'static [u8]) -> List<Step> {
    Table(digits).rows(|row| {
        let instr = instrs[row.index()];
        Step { instr, reads: row.list(), writes: row.list(), layer: row.number() }
    })
}

/// Layers. A row: how many bytes of `names` are its name, and then its operator, first result plus one (0 for none), shape, how
/// many parameters, and they, how many operands, and they, polynomial of its FLOPs.
pub fn layers(
    shapes: &[&'static [Dim]],
    flops: &[&'static [Term]],
    mut names: &'static str,
    digits: &'static [u8],
) -> List<ProgramLayer> {
    Table(digits).rows(|row| ProgramLayer {
        name: text(first(&mut names, row.index())),
        op: text(first(&mut names, row.index())),
        output: row.number().checked_sub(1),
        shape: list(shapes[row.index()]),
        params: row.list(),
        operands: row.list(),
        flops: dim(flops[row.index()]),
    })
}

/// Takes so many bytes from the front of `text`.
fn first(text: &mut &'static str, bytes: usize) -> &'static str {
    let (first, rest) = text.split_at(bytes);
    *text = rest;
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    static SHAPES: &[&[Dim]] = &[&[], &[Dim::Const(2), Dim::terms_static(&[Term::linear(3, 0)])]];

    #[test]
    fn digits_read_back_as_the_numbers_they_were() {
        let list = [0, 1, 31, 32, 33, 1023, 1024, 1 << 20, u32::MAX - 1, u32::MAX];
        let mut text = String::new();
        for n in list {
            digits(n, &mut text);
        }
        assert!(text.bytes().all(|b| (b'0'..b'0' + 2 * MORE).contains(&b)));
        assert_eq!(numbers(text.leak().as_bytes())[..], list);
        assert_eq!(numbers(b"1o1P1")[..], [1, 63, 32]);
        assert_eq!(pairs(b"1o123")[..], [(1, 63), (2, 3)]);
        assert_eq!(numbers(b"")[..], []);
    }

    #[test]
    #[should_panic = "all its rows"]
    fn tables_have_whole_rows() {
        pairs(b"123");
    }

    #[test]
    fn dtypes_and_roles_are_numbered_in_order() {
        assert!(DType::ALL.iter().enumerate().all(|(i, d)| *d as usize == i));
        assert!(ROLES.iter().enumerate().all(|(i, r)| *r as usize == i));
    }

    #[test]
    fn tables_become_what_constructors_make() {
        let all = values(SHAPES, "abc", b"10102704");
        assert_eq!(all[0], ProgramValue::new("a", DType::F32, SHAPES[1], Role::Input));
        assert_eq!(all[1], ProgramValue::new("bc", DType::I64, SHAPES[0], Role::Internal));
        let all = steps(&[Instr::View, Instr::Cast], b"1101170211128");
        assert_eq!(all[0], Step::new(Instr::Cast, &[0], &[1], 7));
        assert_eq!(all[1], Step::new(Instr::View, &[1, 1], &[2], 8));
        static NINE: [Term; 1] = [Term::constant(9)];
        let all = layers(SHAPES, &[&[], &NINE], "lopmop", b"120001101231245101");
        assert_eq!(all[0], ProgramLayer::new("l", "op", None, &[], &[], &[1], Dim::ZERO));
        assert_eq!(all[1], ProgramLayer::new("m", "op", Some(2), SHAPES[1], &[4, 5], &[0], Dim::Const(9)));
    }

    #[test]
    fn terms_are_in_normal_form() {
        assert_eq!(dim(&[]), Dim::ZERO);
        static FOUR: [Term; 1] = [Term::constant(4)];
        static LINEAR: [Term; 1] = [Term::linear(4, 1)];
        assert_eq!(dim(&FOUR), Dim::Const(4));
        assert_eq!(dim(&LINEAR), Dim::symbol(1).scale(4));
    }
}
