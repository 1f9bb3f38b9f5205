//! Symbolic dimensions: polynomials with integer coefficients over named symbols.
//!
//! A network is declared with symbols (`N`, the batch) that get their values when it is bound. Every rule
//! computes with [`Dim`]; two dimensions are equal when their polynomials are. What no polynomial can say, a floor
//! division that does not come out even, becomes a symbol of its own whose definition is kept in [`Symbols`]. A
//! hole (`_`) is a symbol that inference solves for.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt::{self, Write};
use core::hash::{Hash, Hasher};
use core::ops::Deref;

/// The largest degree of a term: products of up to this many symbols.
pub const MAX_DEGREE: usize = 4;

/// Dimensions and element counts beyond this are refused: no machine holds them and sums of them still fit.
pub const MAX_DIM: i64 = 1 << 48;

/// The number of a symbol in [`Symbols`].
pub type SymbolId = u16;

/// A product of symbols: their numbers plus one, ascending, zeros at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mono(pub [u16; MAX_DEGREE]);

/// By degree, then the symbol declared first is the larger: `N·T > N > T > 1`. The order survives multiplication
/// (`a > b` makes `a·c > b·c`), which the division of polynomials needs.
impl Ord for Mono {
    fn cmp(&self, other: &Mono) -> Ordering {
        self.symbols().count().cmp(&other.symbols().count()).then(other.0.cmp(&self.0))
    }
}

impl PartialOrd for Mono {
    fn partial_cmp(&self, other: &Mono) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Mono {
    /// The empty product.
    pub const ONE: Mono = Mono([0; MAX_DEGREE]);

    /// One symbol.
    pub const fn symbol(id: SymbolId) -> Mono {
        let mut m = [0; MAX_DEGREE];
        m[0] = id + 1;
        Mono(m)
    }

    /// The symbols of the product, with repetition.
    pub fn symbols(&self) -> impl Iterator<Item = SymbolId> + '_ {
        self.0.iter().take_while(|s| **s != 0).map(|s| s - 1)
    }

    fn mul(&self, other: &Mono) -> Option<Mono> {
        let mut out = [0; MAX_DEGREE];
        let mut all: Vec<u16> = self.symbols().chain(other.symbols()).map(|s| s + 1).collect();
        if all.len() > MAX_DEGREE {
            return None;
        }
        all.sort_unstable();
        out[..all.len()].copy_from_slice(&all);
        Some(Mono(out))
    }

    fn div(&self, other: &Mono) -> Option<Mono> {
        let mut left: Vec<u16> = self.symbols().collect();
        for s in other.symbols() {
            let at = left.iter().position(|l| *l == s)?;
            left.remove(at);
        }
        let mut out = [0; MAX_DEGREE];
        for (o, s) in out.iter_mut().zip(left) {
            *o = s + 1;
        }
        Some(Mono(out))
    }
}

/// `coef · mono`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    /// The product of symbols.
    pub mono: Mono,
    /// Its coefficient, not 0.
    pub coef: i64,
}

impl Term {
    /// `coef · symbol`, for constants in generated code.
    pub const fn linear(coef: i64, id: SymbolId) -> Term {
        Term { mono: Mono::symbol(id), coef }
    }

    /// A constant term, for constants in generated code.
    pub const fn constant(coef: i64) -> Term {
        Term { mono: Mono::ONE, coef }
    }
}

/// The terms of a polynomial. Most are one, `k · N`, which needs no memory of its own.
#[derive(Clone, Debug)]
pub enum Terms {
    /// One.
    One(Term),
    /// Any number.
    Many(Cow<'static, [Term]>),
}

impl Deref for Terms {
    type Target = [Term];

    fn deref(&self) -> &[Term] {
        match self {
            Terms::One(t) => core::slice::from_ref(t),
            Terms::Many(t) => t,
        }
    }
}

impl PartialEq for Terms {
    fn eq(&self, other: &Terms) -> bool {
        **self == **other
    }
}

impl Eq for Terms {}

impl Hash for Terms {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

/// A dimension. Normal form: a number is always `Const`; terms are sorted by descending monomial, none is zero.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Dim {
    /// A number.
    Const(i64),
    /// A polynomial that is not a number.
    Poly(Terms),
}

impl From<i64> for Dim {
    fn from(n: i64) -> Dim {
        Dim::Const(n)
    }
}

impl From<usize> for Dim {
    fn from(n: usize) -> Dim {
        Dim::Const(i64::try_from(n).unwrap_or(i64::MAX))
    }
}

impl Dim {
    /// One.
    pub const ONE: Dim = Dim::Const(1);
    /// Zero.
    pub const ZERO: Dim = Dim::Const(0);

    /// A symbol.
    pub fn symbol(id: SymbolId) -> Dim {
        Dim::Poly(Terms::One(Term { mono: Mono::symbol(id), coef: 1 }))
    }

    /// A polynomial of constant terms that are already in normal form, for generated code.
    pub const fn terms_static(terms: &'static [Term]) -> Dim {
        Dim::Poly(Terms::Many(Cow::Borrowed(terms)))
    }

    /// The terms; a number has one term (or none, when it is 0).
    pub fn terms(&self) -> Terms {
        match self {
            Dim::Const(0) => Terms::Many(Cow::Borrowed(&[])),
            Dim::Const(c) => Terms::One(Term { mono: Mono::ONE, coef: *c }),
            Dim::Poly(t) => t.clone(),
        }
    }

    /// Of one term.
    fn one(term: Term) -> Dim {
        match term {
            Term { coef: 0, .. } => Dim::ZERO,
            Term { mono: Mono::ONE, coef } => Dim::Const(coef),
            _ => Dim::Poly(Terms::One(term)),
        }
    }

    fn from_terms(mut terms: Vec<Term>) -> Dim {
        terms.sort_unstable_by_key(|t| core::cmp::Reverse(t.mono));
        let mut out: Vec<Term> = Vec::with_capacity(terms.len());
        for t in terms {
            match out.last_mut() {
                Some(last) if last.mono == t.mono => last.coef = last.coef.saturating_add(t.coef),
                _ => out.push(t),
            }
        }
        out.retain(|t| t.coef != 0);
        match out[..] {
            [] => Dim::ZERO,
            [one] => Dim::one(one),
            _ => Dim::Poly(Terms::Many(Cow::Owned(out))),
        }
    }

    /// The number, if it is one.
    pub fn as_const(&self) -> Option<i64> {
        match self {
            Dim::Const(c) => Some(*c),
            Dim::Poly(_) => None,
        }
    }

    /// The symbol, if it is exactly one.
    pub fn as_symbol(&self) -> Option<SymbolId> {
        match self {
            Dim::Poly(t) if t.len() == 1 && t[0].coef == 1 => {
                let mut s = t[0].mono.symbols();
                s.next().filter(|_| s.next().is_none())
            }
            _ => None,
        }
    }

    /// Sum.
    pub fn add(&self, other: &Dim) -> Dim {
        match (self, other) {
            (Dim::Const(a), Dim::Const(b)) => Dim::Const(a.saturating_add(*b)),
            _ => Dim::from_terms(self.terms().iter().chain(other.terms().iter()).copied().collect()),
        }
    }

    /// Difference.
    pub fn sub(&self, other: &Dim) -> Dim {
        self.add(&other.scale(-1))
    }

    /// Product with a number.
    pub fn scale(&self, k: i64) -> Dim {
        match self {
            Dim::Const(a) => Dim::Const(a.saturating_mul(k)),
            Dim::Poly(Terms::One(t)) => Dim::one(Term { mono: t.mono, coef: t.coef.saturating_mul(k) }),
            Dim::Poly(t) => Dim::from_terms(
                t.iter().map(|t| Term { mono: t.mono, coef: t.coef.saturating_mul(k) }).collect(),
            ),
        }
    }

    /// Product. One of too high a degree saturates to a number that [`MAX_DIM`] refuses.
    pub fn mul(&self, other: &Dim) -> Dim {
        match (self, other) {
            (_, Dim::Const(b)) => self.scale(*b),
            (Dim::Const(a), _) => other.scale(*a),
            (Dim::Poly(a), Dim::Poly(b)) => {
                let mut out = Vec::with_capacity(a.len() * b.len());
                for x in a.iter() {
                    for y in b.iter() {
                        let Some(mono) = x.mono.mul(&y.mono) else { return Dim::Const(i64::MAX) };
                        out.push(Term { mono, coef: x.coef.saturating_mul(y.coef) });
                    }
                }
                Dim::from_terms(out)
            }
        }
    }

    /// The quotient when the division comes out even as polynomials.
    pub fn div_exact(&self, other: &Dim) -> Option<Dim> {
        if let (Dim::Const(a), Dim::Const(b)) = (self, other) {
            return (*b != 0 && a % b == 0).then(|| Dim::Const(a / b));
        }
        let divisor = other.terms();
        let lead = divisor.first()?;
        let (mut rest, mut quotient) = (self.clone(), Dim::ZERO);
        while let Some(t) = rest.terms().first().copied() {
            let mono = t.mono.div(&lead.mono)?;
            if t.coef % lead.coef != 0 {
                return None;
            }
            let q = Dim::one(Term { mono, coef: t.coef / lead.coef });
            rest = rest.sub(&q.mul(other));
            quotient = quotient.add(&q);
        }
        Some(quotient)
    }

    /// `(a, c)` when the dimension is `a · symbol + c`.
    pub fn affine_in(&self, id: SymbolId) -> Option<(i64, i64)> {
        let (mut a, mut c) = (0, 0);
        for t in self.terms().iter() {
            match t.mono {
                Mono::ONE => c = t.coef,
                m if m == Mono::symbol(id) => a = t.coef,
                _ => return None,
            }
        }
        Some((a, c))
    }

    /// The symbols that occur.
    pub fn symbols(&self) -> Vec<SymbolId> {
        let mut out: Vec<SymbolId> =
            self.terms().iter().flat_map(|t| t.mono.symbols().collect::<Vec<_>>()).collect();
        out.sort_unstable();
        out.dedup();
        out
    }

    /// A lower bound under the assumption that every symbol is at least 1; `None` when there is none.
    pub fn lower_bound(&self) -> Option<i64> {
        let mut sum = 0i64;
        for t in self.terms().iter() {
            if t.mono != Mono::ONE && t.coef < 0 {
                return None;
            }
            sum = sum.saturating_add(t.coef);
        }
        Some(sum)
    }

    /// An upper bound under the assumption that every symbol is at least 1; `None` when there is none.
    pub fn upper_bound(&self) -> Option<i64> {
        self.scale(-1).lower_bound().map(|b| b.saturating_neg())
    }

    /// The value with every symbol bound; `None` on overflow.
    pub fn eval(&self, symbols: &[i64]) -> Option<i64> {
        match self {
            Dim::Const(c) => Some(*c),
            Dim::Poly(terms) => {
                let mut sum = 0i64;
                for t in terms.iter() {
                    let mut p = t.coef;
                    for s in t.mono.symbols() {
                        p = p.checked_mul(*symbols.get(usize::from(s))?)?;
                    }
                    sum = sum.checked_add(p)?;
                }
                Some(sum)
            }
        }
    }

    /// The polynomial with a symbol replaced.
    pub fn substitute(&self, id: SymbolId, by: &Dim) -> Dim {
        let Dim::Poly(terms) = self else { return self.clone() };
        if !terms.iter().any(|t| t.mono.symbols().any(|s| s == id)) {
            return self.clone();
        }
        let mut sum = Dim::ZERO;
        for t in terms.iter() {
            let mut p = Dim::Const(t.coef);
            for s in t.mono.symbols() {
                p = p.mul(&if s == id { by.clone() } else { Dim::symbol(s) });
            }
            sum = sum.add(&p);
        }
        sum
    }

    /// The text with the symbols' names.
    pub fn display<'a>(&'a self, symbols: &'a Symbols) -> impl fmt::Display + 'a {
        DimText { dim: self, symbols }
    }
}

/// What a symbol stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SymbolDef {
    /// Declared by the user; gets its value when the network is bound.
    Named,
    /// `floor(numerator / denominator)`.
    Floor(Dim, i64),
    /// To be inferred.
    Hole,
}

/// A symbol.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Symbol {
    /// The name in texts.
    pub name: Cow<'static, str>,
    /// What it stands for.
    pub def: SymbolDef,
}

/// The symbols of a graph, with what inference found out about holes.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    list: Vec<Symbol>,
    solved: Vec<Option<Dim>>,
    any_solved: bool,
}

impl Symbols {
    /// The named symbol, new or known.
    pub fn named(&mut self, name: &str) -> SymbolId {
        match self.list.iter().position(|s| s.name == name && s.def == SymbolDef::Named) {
            Some(at) => at as SymbolId,
            None => self.push(name.to_string(), SymbolDef::Named),
        }
    }

    /// A new hole.
    pub fn hole(&mut self) -> Dim {
        Dim::symbol(self.push("_".to_string(), SymbolDef::Hole))
    }

    /// `floor(num / den)` for `den > 0`, as a polynomial where the division comes out even.
    pub fn floor_div(&mut self, num: &Dim, den: i64) -> Dim {
        assert!(den > 0, "floor division by {den}");
        let num = self.resolve(num);
        // The multiples of `den` leave the floor; what stays is the symbol's definition.
        let (mut whole, mut rest) = (Dim::ZERO, Dim::ZERO);
        for t in num.terms().iter() {
            let q = t.coef.div_euclid(den);
            whole = whole.add(&Dim::from_terms(alloc::vec![Term { mono: t.mono, coef: q }]));
            rest = rest.add(&Dim::from_terms(alloc::vec![Term { mono: t.mono, coef: t.coef - q * den }]));
        }
        if rest.as_const().is_some() {
            return whole;
        }
        let def = SymbolDef::Floor(rest.clone(), den);
        let id = match self.list.iter().position(|s| s.def == def) {
            Some(at) => at as SymbolId,
            None => {
                let mut name = String::new();
                let _ = write!(name, "floor(({}) / {den})", rest.display(self));
                self.push(name, def)
            }
        };
        whole.add(&Dim::symbol(id))
    }

    /// `ceil(num / den)` for `den > 0`.
    pub fn ceil_div(&mut self, num: &Dim, den: i64) -> Dim {
        self.floor_div(&num.add(&Dim::Const(den - 1)), den)
    }

    /// The dimension with every solved hole replaced.
    pub fn resolve(&mut self, dim: &Dim) -> Dim {
        let mut out = dim.clone();
        if !self.any_solved {
            return out;
        }
        loop {
            let mut changed = false;
            for s in out.symbols() {
                if let Some(by) = self.solved[usize::from(s)].clone() {
                    out = out.substitute(s, &by);
                    changed = true;
                } else if let SymbolDef::Floor(num, den) = self.list[usize::from(s)].def.clone() {
                    let new = self.resolve(&num);
                    if new != num {
                        let by = self.floor_div(&new, den);
                        out = out.substitute(s, &by);
                        changed = true;
                    }
                }
            }
            if !changed {
                return out;
            }
        }
    }

    /// Make two dimensions equal by solving a hole if need be; `false` when they differ.
    pub fn unify(&mut self, a: &Dim, b: &Dim) -> bool {
        let diff = self.resolve(a).sub(&self.resolve(b));
        if diff == Dim::ZERO {
            return true;
        }
        // Solve for a hole that occurs once, linearly, with a coefficient that divides the rest.
        for t in diff.terms().iter() {
            let mut s = t.mono.symbols();
            let (Some(id), None) = (s.next(), s.next()) else { continue };
            if self.list[usize::from(id)].def != SymbolDef::Hole {
                continue;
            }
            let rest = diff.sub(&Dim::symbol(id).scale(t.coef));
            if rest.symbols().contains(&id) {
                continue;
            }
            if let Some(value) = rest.scale(-1).div_exact(&Dim::Const(t.coef)) {
                self.solved[usize::from(id)] = Some(value);
                self.any_solved = true;
                return true;
            }
        }
        false
    }

    /// Whether there has been a hole at all.
    pub(crate) fn any_hole(&self) -> bool {
        self.list.iter().any(|s| s.def == SymbolDef::Hole)
    }

    /// Whether a hole has been solved: [`Symbols::resolve`] may change something.
    pub(crate) fn any_solved(&self) -> bool {
        self.any_solved
    }

    /// Whether a dimension still has a hole in it.
    pub fn has_hole(&mut self, dim: &Dim) -> bool {
        self.resolve(dim).symbols().iter().any(|s| match &self.list[usize::from(*s)].def {
            SymbolDef::Hole => true,
            SymbolDef::Named => false,
            SymbolDef::Floor(num, _) => {
                num.symbols().iter().any(|s| self.list[usize::from(*s)].def == SymbolDef::Hole)
            }
        })
    }

    /// All symbols in order of their numbers.
    pub fn list(&self) -> &[Symbol] {
        &self.list
    }

    fn push(&mut self, name: String, def: SymbolDef) -> SymbolId {
        let id = self.list.len();
        assert!(id < usize::from(u16::MAX) - 1, "more than 65,533 symbols in one graph");
        self.list.push(Symbol { name: Cow::Owned(name), def });
        self.solved.push(None);
        id as SymbolId
    }
}

impl From<Vec<Symbol>> for Symbols {
    fn from(list: Vec<Symbol>) -> Symbols {
        let solved = alloc::vec![None; list.len()];
        Symbols { list, solved, any_solved: false }
    }
}

struct DimText<'a> {
    dim: &'a Dim,
    symbols: &'a Symbols,
}

impl fmt::Display for DimText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Dim::Poly(terms) = self.dim else { return write!(f, "{}", self.dim.as_const().unwrap_or(0)) };
        for (i, t) in terms.iter().enumerate() {
            let sign = match (i, t.coef < 0) {
                (0, true) => "-",
                (0, false) => "",
                (_, true) => " - ",
                (_, false) => " + ",
            };
            f.write_str(sign)?;
            let size = t.coef.unsigned_abs();
            if size != 1 || t.mono == Mono::ONE {
                write!(f, "{size}")?;
                if t.mono != Mono::ONE {
                    f.write_str("*")?;
                }
            }
            for (i, s) in t.mono.symbols().enumerate() {
                if i > 0 {
                    f.write_str("*")?;
                }
                f.write_str(self.symbols.list.get(usize::from(s)).map_or("?", |s| &s.name))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> (Symbols, Dim, Dim) {
        let mut s = Symbols::default();
        let (n, t) = (s.named("N"), s.named("T"));
        (s, Dim::symbol(n), Dim::symbol(t))
    }

    #[test]
    fn polynomials_have_one_normal_form() {
        let (s, n, t) = two();
        let a = n.add(&Dim::ONE).mul(&t.add(&Dim::Const(2)));
        let b = t.mul(&n).add(&t).add(&n.scale(2)).add(&Dim::Const(2));
        assert_eq!(a, b);
        assert_eq!(a.sub(&b), Dim::ZERO);
        assert_eq!(n.sub(&n).add(&Dim::Const(3)), Dim::Const(3));
        assert_eq!(n.mul(&t).scale(32).display(&s).to_string(), "32*N*T");
        assert_eq!(n.scale(-2).add(&Dim::Const(-1)).display(&s).to_string(), "-2*N - 1");
    }

    #[test]
    fn exact_division() {
        let (_, n, t) = two();
        let nt = n.mul(&t).scale(32);
        assert_eq!(nt.div_exact(&n.scale(8)), Some(t.scale(4)));
        assert_eq!(nt.div_exact(&Dim::Const(5)), None);
        assert_eq!(n.add(&Dim::ONE).mul(&t).div_exact(&t), Some(n.add(&Dim::ONE)));
        assert_eq!(n.mul(&n).sub(&Dim::ONE).div_exact(&n.add(&Dim::ONE)), Some(n.sub(&Dim::ONE)));
        assert_eq!(Dim::Const(7).div_exact(&Dim::ZERO), None);
        let (a, b) = (n.mul(&t).scale(-4), n.scale(5).add(&Dim::Const(10)));
        assert_eq!(a.mul(&b).div_exact(&b), Some(a));
    }

    #[test]
    fn floors_become_symbols_and_are_shared() {
        let (mut s, n, _) = two();
        assert_eq!(s.floor_div(&n.scale(4).add(&Dim::Const(3)), 2), n.scale(2).add(&Dim::ONE));
        let half = s.floor_div(&n.add(&Dim::Const(2)), 2);
        assert_eq!(half, s.floor_div(&n, 2).add(&Dim::ONE));
        assert_eq!(s.list().len(), 3);
        assert_eq!(Dim::Const(-3).div_exact(&Dim::Const(2)), None);
        assert_eq!(s.floor_div(&Dim::Const(-3), 2), Dim::Const(-2));
    }

    #[test]
    fn holes_are_solved_through_floors_and_products() {
        let mut s = Symbols::default();
        let h = s.hole();
        assert!(s.unify(&h.scale(16), &Dim::Const(800)));
        assert_eq!(s.resolve(&h), Dim::Const(50));
        let g = s.hole();
        let out = s.floor_div(&g.sub(&Dim::Const(3)), 2);
        assert!(s.has_hole(&out));
        assert!(s.unify(&g, &Dim::Const(9)));
        assert_eq!(s.resolve(&out), Dim::Const(3));
        assert!(!s.unify(&g, &Dim::Const(8)));
    }

    #[test]
    fn bounds_and_values() {
        let (_, n, t) = two();
        let d = n.scale(3).add(&t).sub(&Dim::Const(2));
        assert_eq!(d.lower_bound(), Some(2));
        assert_eq!(d.upper_bound(), None);
        assert_eq!(d.eval(&[5, 7]), Some(20));
        assert_eq!(n.mul(&t).eval(&[i64::MAX, 2]), None);
        assert_eq!(d.affine_in(0), None);
        assert_eq!(n.scale(3).affine_in(0), Some((3, 0)));
    }

    #[test]
    fn too_much_saturates_instead_of_wrapping() {
        let (_, n, _) = two();
        assert_eq!(n.mul(&n).mul(&n).mul(&n).mul(&n), Dim::Const(i64::MAX));
        assert_eq!(Dim::Const(i64::MAX).add(&Dim::ONE), Dim::Const(i64::MAX));
    }
}
