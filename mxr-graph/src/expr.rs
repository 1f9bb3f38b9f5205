//! Scalar expressions: what an elementwise operator computes per element, and its derivative.

use crate::instr::{BinOp, Scalar, UnOp};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// A scalar expression of numbered inputs. Lines are unique (equal subexpressions are one line) and the last line is
/// the result.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Expr {
    /// The lines.
    pub lines: Vec<Scalar>,
}

/// A line of an expression that is being built.
pub type Line = u16;

impl Expr {
    /// An expression from a function that builds it line by line and returns the result's line.
    ///
    /// ```
    /// use mxr_graph::{expr::Expr, instr::{BinOp, UnOp}};
    /// // softsign: x / (1 + |x|)
    /// let e = Expr::build(|e| {
    ///     let x = e.input(0);
    ///     let (one, abs) = (e.constant(1.0), e.un(UnOp::Abs, x));
    ///     let below = e.bin(BinOp::Add, one, abs);
    ///     e.bin(BinOp::Div, x, below)
    /// });
    /// assert_eq!(e.inputs(), 1);
    /// ```
    pub fn build(f: impl FnOnce(&mut Expr) -> Line) -> Expr {
        let mut e = Expr::default();
        let root = f(&mut e);
        e.rooted_at(root)
    }

    /// `op(x0)`.
    pub fn unary(op: UnOp) -> Expr {
        Expr::build(|e| {
            let x = e.input(0);
            e.un(op, x)
        })
    }

    /// `op(x0, x1)`.
    pub fn binary(op: BinOp) -> Expr {
        Expr::build(|e| {
            let (a, b) = (e.input(0), e.input(1));
            e.bin(op, a, b)
        })
    }

    /// How many inputs it reads: the largest number plus one.
    pub fn inputs(&self) -> usize {
        self.lines
            .iter()
            .map(|l| if let Scalar::In(i) = l { usize::from(*i) + 1 } else { 0 })
            .max()
            .unwrap_or(0)
    }

    /// The line of input `i`.
    pub fn input(&mut self, i: usize) -> Line {
        self.push(Scalar::In(i as u16))
    }

    /// A constant.
    pub fn constant(&mut self, x: f64) -> Line {
        self.push(Scalar::Const(x))
    }

    /// A function of one line.
    pub fn un(&mut self, op: UnOp, a: Line) -> Line {
        match (op, self.lines[usize::from(a)]) {
            (UnOp::Neg, Scalar::Const(x)) => self.constant(-x),
            (UnOp::Neg, Scalar::Un(UnOp::Neg, b)) => b,
            (UnOp::Abs, Scalar::Const(x)) => self.constant(if x < 0.0 { -x } else { x }),
            (UnOp::Recip, Scalar::Const(x)) => self.constant(1.0 / x),
            _ => self.push(Scalar::Un(op, a)),
        }
    }

    /// A function of two lines; neutral elements vanish, constants are folded. Nothing here changes the value for
    /// any input, NaN and infinities included.
    pub fn bin(&mut self, op: BinOp, a: Line, b: Line) -> Line {
        use BinOp::{Add, Div, Mul, Pow, Sub};
        let constant =
            |e: &Expr, l: Line| if let Scalar::Const(x) = e.lines[usize::from(l)] { Some(x) } else { None };
        match (op, constant(self, a), constant(self, b)) {
            (Add, Some(x), Some(y)) => self.constant(x + y),
            (Sub, Some(x), Some(y)) => self.constant(x - y),
            (Mul, Some(x), Some(y)) => self.constant(x * y),
            (Div, Some(x), Some(y)) => self.constant(x / y),
            (BinOp::Max, Some(x), Some(y)) if x > y => self.constant(x),
            (BinOp::Max, Some(x), Some(y)) if x < y => self.constant(y),
            (BinOp::Min, Some(x), Some(y)) if x < y => self.constant(x),
            (BinOp::Min, Some(x), Some(y)) if x > y => self.constant(y),
            (BinOp::Max | BinOp::Min, _, _) if a == b => a,
            (BinOp::Gt, Some(x), Some(y)) => self.constant(f64::from(x > y)),
            (BinOp::Ge, Some(x), Some(y)) => self.constant(f64::from(x >= y)),
            (BinOp::Eq, Some(x), Some(y)) => self.constant(f64::from(x == y)),
            (Mul | Div | Pow, _, Some(1.0)) => a,
            (Mul, Some(1.0), _) => b,
            (Mul | Div, _, Some(-1.0)) => self.un(UnOp::Neg, a),
            (Mul, Some(-1.0), _) => self.un(UnOp::Neg, b),
            // −0 is the neutral element of an addition; +0 turns −0 into +0, which no gradient cares about.
            (Add | Sub, _, Some(0.0)) => a,
            (Add, Some(0.0), _) => b,
            (Div, Some(1.0), _) => self.un(UnOp::Recip, b),
            (Pow, _, Some(2.0)) => self.bin(Mul, a, a),
            _ => self.without_signs(op, a, b),
        }
    }

    /// `a + (−b)` is `a − b`, `a − (−b)` is `a + b`, `(−a) · (−b)` is `a · b`: a sign is exact, in floating point
    /// and in integers that wrap around.
    fn without_signs(&mut self, op: BinOp, a: Line, b: Line) -> Line {
        let negated =
            |l: Line| if let Scalar::Un(UnOp::Neg, x) = self.lines[usize::from(l)] { Some(x) } else { None };
        let (op, a, b) = match (op, negated(a), negated(b)) {
            (BinOp::Add, _, Some(y)) => (BinOp::Sub, a, y),
            (BinOp::Add, Some(x), _) => (BinOp::Sub, b, x),
            (BinOp::Sub, _, Some(y)) => (BinOp::Add, a, y),
            (BinOp::Mul, Some(x), Some(y)) => (BinOp::Mul, x, y),
            _ => (op, a, b),
        };
        self.push(Scalar::Bin(op, a, b))
    }

    /// `if c != 0 { a } else { b }`.
    pub fn select(&mut self, c: Line, a: Line, b: Line) -> Line {
        match self.lines[usize::from(c)] {
            _ if a == b => a,
            Scalar::Const(x) => {
                if x != 0.0 {
                    a
                } else {
                    b
                }
            }
            _ => self.push(Scalar::Select(c, a, b)),
        }
    }

    /// Append another expression, its inputs replaced by lines of this one; gives the line of its result.
    pub fn append(&mut self, other: &Expr, inputs: &[Line]) -> Line {
        let mut map: Vec<Line> = Vec::with_capacity(other.lines.len());
        for l in &other.lines {
            let at = |m: &[Line], l: Line| m[usize::from(l)];
            let new = match *l {
                Scalar::In(i) => inputs[usize::from(i)],
                Scalar::Const(x) => self.constant(x),
                Scalar::Un(op, a) => self.un(op, at(&map, a)),
                Scalar::Bin(op, a, b) => self.bin(op, at(&map, a), at(&map, b)),
                Scalar::Select(c, a, b) => self.select(at(&map, c), at(&map, a), at(&map, b)),
            };
            map.push(new);
        }
        *map.last().expect("an expression has at least one line")
    }

    /// The derivative by input `i`, times the incoming gradient. In the result the inputs are those of `self`, then
    /// `y` (the result of `self`), then `dy`; a subexpression that `y` already holds is read from there.
    pub fn gradient(&self, i: usize) -> Expr {
        let k = self.inputs();
        let mut e = Expr { lines: self.lines.clone() };
        let root = (self.lines.len() - 1) as Line;
        let dy = e.input(k + 1);
        let mut adjoint: Vec<Option<Line>> = alloc::vec![None; self.lines.len()];
        adjoint[usize::from(root)] = Some(dy);
        let mut result = None;
        for at in (0..self.lines.len()).rev() {
            let Some(g) = adjoint[at] else { continue };
            let y = at as Line;
            match self.lines[at] {
                Scalar::Const(_) => {}
                Scalar::In(n) => {
                    if usize::from(n) == i {
                        result = Some(g);
                    }
                }
                Scalar::Un(op, x) => {
                    if let Some(d) = e.unary_gradient(op, x, y, g) {
                        e.accumulate(&mut adjoint, x, d);
                    }
                }
                Scalar::Bin(op, a, b) => {
                    let (da, db) = e.binary_gradient(op, a, b, y, g);
                    for (x, d) in [(a, da), (b, db)] {
                        if let Some(d) = d {
                            e.accumulate(&mut adjoint, x, d);
                        }
                    }
                }
                Scalar::Select(c, a, b) => {
                    let zero = e.constant(0.0);
                    let da = e.select(c, g, zero);
                    let db = e.select(c, zero, g);
                    e.accumulate(&mut adjoint, a, da);
                    e.accumulate(&mut adjoint, b, db);
                }
            }
        }
        let result = match result {
            Some(r) => r,
            None => e.constant(0.0),
        };
        if !matches!(self.lines[usize::from(root)], Scalar::In(_) | Scalar::Const(_)) {
            e.lines[usize::from(root)] = Scalar::In(k as u16);
        }
        e.rooted_at(result)
    }

    /// The inputs that are read, ascending, and the expression with them renumbered `0, 1, …`.
    pub fn compact(&self) -> (Expr, Vec<usize>) {
        let mut used: Vec<usize> = self
            .lines
            .iter()
            .filter_map(|l| if let Scalar::In(i) = l { Some(usize::from(*i)) } else { None })
            .collect();
        used.sort_unstable();
        used.dedup();
        let mut e = self.clone();
        for l in &mut e.lines {
            if let Scalar::In(i) = l {
                *i = used.binary_search(&usize::from(*i)).expect("collected above") as u16;
            }
        }
        (e, used)
    }

    /// Keep what `root` needs, as the last line.
    pub fn rooted_at(&self, root: Line) -> Expr {
        let mut needed = alloc::vec![false; self.lines.len()];
        needed[usize::from(root)] = true;
        for at in (0..=usize::from(root)).rev() {
            if needed[at] {
                let mut mark = |l: Line| needed[usize::from(l)] = true;
                match self.lines[at] {
                    Scalar::In(_) | Scalar::Const(_) => {}
                    Scalar::Un(_, a) => mark(a),
                    Scalar::Bin(_, a, b) => {
                        mark(a);
                        mark(b);
                    }
                    Scalar::Select(c, a, b) => {
                        mark(c);
                        mark(a);
                        mark(b);
                    }
                }
            }
        }
        if usize::from(root) + 1 == self.lines.len() && !needed.contains(&false) {
            return self.clone();
        }
        let mut place = alloc::vec![0 as Line; self.lines.len()];
        let mut out = Expr::default();
        for (at, l) in self.lines.iter().enumerate().take(usize::from(root) + 1) {
            if !needed[at] {
                continue;
            }
            let p = |l: Line| place[usize::from(l)];
            let line = match *l {
                Scalar::Un(op, a) => Scalar::Un(op, p(a)),
                Scalar::Bin(op, a, b) => Scalar::Bin(op, p(a), p(b)),
                Scalar::Select(c, a, b) => Scalar::Select(p(c), p(a), p(b)),
                leaf => leaf,
            };
            place[at] = out.lines.len() as Line;
            out.lines.push(line);
        }
        out
    }

    fn push(&mut self, line: Scalar) -> Line {
        let same = |l: &Scalar| match (l, &line) {
            (Scalar::Const(a), Scalar::Const(b)) => a.to_bits() == b.to_bits(),
            (a, b) => a == b,
        };
        match self.lines.iter().position(same) {
            Some(at) => at as Line,
            None => {
                self.lines.push(line);
                (self.lines.len() - 1) as Line
            }
        }
    }

    fn accumulate(&mut self, adjoint: &mut [Option<Line>], to: Line, d: Line) {
        let slot = &mut adjoint[usize::from(to)];
        *slot = Some(match *slot {
            None => d,
            Some(old) => self.bin(BinOp::Add, old, d),
        });
    }

    /// `g · d op(x)/dx`, in terms of `x` and of `y = op(x)`; `None` where it is 0 everywhere.
    fn unary_gradient(&mut self, op: UnOp, x: Line, y: Line, g: Line) -> Option<Line> {
        use BinOp::{Add, Div, Mul, Sub};
        Some(match op {
            UnOp::Neg => self.un(UnOp::Neg, g),
            UnOp::Abs => {
                let s = self.un(UnOp::Sign, x);
                self.bin(Mul, g, s)
            }
            UnOp::Sign | UnOp::Floor => return None,
            UnOp::Exp => self.bin(Mul, g, y),
            UnOp::Log => self.bin(Div, g, x),
            UnOp::Log1p => {
                let one = self.constant(1.0);
                let below = self.bin(Add, one, x);
                self.bin(Div, g, below)
            }
            UnOp::Sqrt => {
                let half = self.constant(0.5);
                let h = self.bin(Mul, g, half);
                self.bin(Div, h, y)
            }
            UnOp::Recip => {
                let yy = self.bin(Mul, y, y);
                let p = self.bin(Mul, g, yy);
                self.un(UnOp::Neg, p)
            }
            UnOp::Tanh => {
                let one = self.constant(1.0);
                let yy = self.bin(Mul, y, y);
                let d = self.bin(Sub, one, yy);
                self.bin(Mul, g, d)
            }
            UnOp::Sigmoid => {
                let one = self.constant(1.0);
                let rest = self.bin(Sub, one, y);
                let d = self.bin(Mul, y, rest);
                self.bin(Mul, g, d)
            }
            UnOp::Erf => {
                // d erf(x)/dx = 2/√π · exp(−x²)
                let xx = self.bin(Mul, x, x);
                let n = self.un(UnOp::Neg, xx);
                let e = self.un(UnOp::Exp, n);
                let k = self.constant(core::f64::consts::FRAC_2_SQRT_PI);
                let d = self.bin(Mul, k, e);
                self.bin(Mul, g, d)
            }
        })
    }

    fn binary_gradient(
        &mut self,
        op: BinOp,
        a: Line,
        b: Line,
        y: Line,
        g: Line,
    ) -> (Option<Line>, Option<Line>) {
        use BinOp::{Div, Ge, Mul, Pow, Sub};
        match op {
            BinOp::Add => (Some(g), Some(g)),
            Sub => {
                let n = self.un(UnOp::Neg, g);
                (Some(g), Some(n))
            }
            Mul => {
                let (da, db) = (self.bin(Mul, g, b), self.bin(Mul, g, a));
                (Some(da), Some(db))
            }
            Div => {
                let da = self.bin(Div, g, b);
                let p = self.bin(Mul, da, y);
                let db = self.un(UnOp::Neg, p);
                (Some(da), Some(db))
            }
            Pow => {
                // b·a^(b−1), and 0 for b = 0 even where a is 0; a^b·ln a, and 0 for a = 0 where ln a is −∞.
                let (zero, one) = (self.constant(0.0), self.constant(1.0));
                let less = self.bin(Sub, b, one);
                let p = self.bin(Pow, a, less);
                let d = self.bin(Mul, b, p);
                let d = self.bin(Mul, g, d);
                let flat = self.bin(BinOp::Eq, b, zero);
                let da = self.select(flat, zero, d);
                let ln = self.un(UnOp::Log, a);
                let d = self.bin(Mul, y, ln);
                let d = self.bin(Mul, g, d);
                let flat = self.bin(BinOp::Eq, a, zero);
                let db = self.select(flat, zero, d);
                (Some(da), Some(db))
            }
            BinOp::Max | BinOp::Min => {
                // Ties go to the first operand, as in MXNet.
                let c = if op == BinOp::Max { self.bin(Ge, a, b) } else { self.bin(Ge, b, a) };
                let zero = self.constant(0.0);
                let (da, db) = (self.select(c, g, zero), self.select(c, zero, g));
                (Some(da), Some(db))
            }
            BinOp::Gt | Ge | BinOp::Eq => (None, None),
        }
    }
}

/// As a formula of `x0`, `x1`, …; what occurs more than once gets a name in front: `t = x0 * x0; x1 * (1 - t) / t`.
impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut uses = alloc::vec![0usize; self.lines.len()];
        for l in &self.lines {
            let operands: &[Line] = match l {
                Scalar::In(_) | Scalar::Const(_) => &[],
                Scalar::Un(_, a) => &[*a],
                Scalar::Bin(_, a, b) => &[*a, *b],
                Scalar::Select(c, a, b) => &[*c, *a, *b],
            };
            operands.iter().for_each(|o| uses[usize::from(*o)] += 1);
        }
        let mut names = 0;
        // The text of every line, and how tightly it binds: 3 alone, 2 a product, 1 a sum, 0 a comparison.
        let mut texts: Vec<(String, u8)> = Vec::with_capacity(self.lines.len());
        for (at, l) in self.lines.iter().enumerate() {
            let operand = |line: Line, least: u8| {
                let (text, binds) = &texts[usize::from(line)];
                if *binds < least { format!("({text})") } else { text.clone() }
            };
            let infix = |a: Line, sign: &str, b: Line, binds: u8| {
                // The right operand of a difference or a quotient must not run on.
                (format!("{} {sign} {}", operand(a, binds), operand(b, binds + 1)), binds)
            };
            let text = match *l {
                Scalar::In(i) => (format!("x{i}"), 3),
                Scalar::Const(x) => (x.to_string(), if x < 0.0 { 2 } else { 3 }),
                Scalar::Un(UnOp::Neg, a) => (format!("-{}", operand(a, 3)), 2),
                Scalar::Un(op, a) => (format!("{op:?}({})", operand(a, 0)).to_lowercase(), 3),
                Scalar::Bin(BinOp::Add, a, b) => infix(a, "+", b, 1),
                Scalar::Bin(BinOp::Sub, a, b) => infix(a, "-", b, 1),
                Scalar::Bin(BinOp::Mul, a, b) => infix(a, "*", b, 2),
                Scalar::Bin(BinOp::Div, a, b) => infix(a, "/", b, 2),
                Scalar::Bin(BinOp::Gt, a, b) => infix(a, ">", b, 0),
                Scalar::Bin(BinOp::Ge, a, b) => infix(a, ">=", b, 0),
                Scalar::Bin(BinOp::Eq, a, b) => infix(a, "==", b, 0),
                Scalar::Bin(op, a, b) => {
                    (format!("{op:?}({}, {})", operand(a, 0), operand(b, 0)).to_lowercase(), 3)
                }
                Scalar::Select(c, a, b) => {
                    (format!("select({}, {}, {})", operand(c, 0), operand(a, 0), operand(b, 0)), 3)
                }
            };
            texts.push(match l {
                Scalar::Un(..) | Scalar::Bin(..) | Scalar::Select(..) if uses[at] > 1 => {
                    let name = if names == 0 { "t".to_string() } else { format!("t{names}") };
                    names += 1;
                    write!(f, "{name} = {}; ", text.0)?;
                    (name, 3)
                }
                _ => text,
            });
        }
        f.write_str(texts.last().map_or("", |(text, _)| text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_read_the_output_where_they_can() {
        let tanh = Expr::unary(UnOp::Tanh).gradient(0);
        assert!(!tanh.lines.contains(&Scalar::In(0)), "tanh' = 1 - y²: {tanh:?}");
        assert!(tanh.lines.contains(&Scalar::In(1)) && tanh.lines.contains(&Scalar::In(2)));
        let mul = Expr::binary(BinOp::Mul).gradient(0);
        let (compact, used) = mul.compact();
        assert_eq!(used, [1, 3]);
        assert_eq!(compact.inputs(), 2);
    }

    #[test]
    fn an_identity_has_the_gradient_itself() {
        let id = Expr::build(|e| e.input(0)).gradient(0);
        assert_eq!(id.lines, [Scalar::In(2)]);
        let twice = Expr::build(|e| {
            let x = e.input(0);
            e.bin(BinOp::Add, x, x)
        });
        assert_eq!(twice.gradient(0).compact().1, [2]);
    }

    #[test]
    fn the_slope_of_a_known_power_has_no_case_left() {
        let cube = Expr::build(|e| {
            let (x, three) = (e.input(0), e.constant(3.0));
            e.bin(BinOp::Pow, x, three)
        });
        let slope = cube.gradient(0);
        assert!(!slope.lines.iter().any(|l| matches!(l, Scalar::Select(..))), "{slope:?}");
        assert!(slope.lines.iter().any(|l| matches!(l, Scalar::Bin(BinOp::Mul, ..))), "{slope:?}");
        assert_eq!(slope.compact().1, [0, 2]);
    }

    #[test]
    fn formulas_read_as_written() {
        let text = |op: BinOp| Expr::binary(op).gradient(1).to_string();
        assert_eq!(text(BinOp::Sub), "-x3");
        assert_eq!(text(BinOp::Div), "-(x3 / x1 * x2)");
        assert_eq!(text(BinOp::Max), "select(x0 >= x1, 0, x3)");
        assert_eq!(Expr::unary(UnOp::Tanh).gradient(0).to_string(), "x2 * (1 - x1 * x1)");
        let shared = Expr::build(|e| {
            let (a, b) = (e.input(0), e.input(1));
            let sum = e.bin(BinOp::Add, a, b);
            let difference = e.bin(BinOp::Sub, a, sum);
            let power = e.bin(BinOp::Pow, sum, b);
            e.bin(BinOp::Sub, power, difference)
        });
        assert_eq!(shared.to_string(), "t = x0 + x1; pow(t, x1) - (x0 - t)");
    }

    #[test]
    fn signs_cancel() {
        let e = Expr::build(|e| {
            let (x, y) = (e.input(0), e.input(1));
            let (nx, ny) = (e.un(UnOp::Neg, x), e.un(UnOp::Neg, y));
            let product = e.bin(BinOp::Mul, nx, ny);
            let sum = e.bin(BinOp::Add, nx, product);
            let rest = e.bin(BinOp::Sub, sum, ny);
            e.bin(BinOp::Max, rest, rest)
        });
        assert_eq!(e.to_string(), "x0 * x1 - x0 + x1");
        let e = Expr::build(|e| {
            let (two, three) = (e.constant(2.0), e.constant(3.0));
            let (most, least) = (e.bin(BinOp::Max, two, three), e.bin(BinOp::Min, two, three));
            e.bin(BinOp::Sub, most, least)
        });
        assert_eq!(e.lines, [Scalar::Const(1.0)]);
    }

    #[test]
    fn constants_fold() {
        let e = Expr::build(|e| {
            let (x, one, zero) = (e.input(0), e.constant(1.0), e.constant(0.0));
            let a = e.bin(BinOp::Mul, x, one);
            let b = e.bin(BinOp::Add, a, zero);
            let two = e.bin(BinOp::Add, one, one);
            e.bin(BinOp::Pow, b, two)
        });
        assert_eq!(e.lines, [Scalar::In(0), Scalar::Bin(BinOp::Mul, 0, 0)]);
    }
}
