//! From symbols to numbers: binding, checks, sizes.

use super::Program;
use crate::catalogue::Code;
use crate::dim::{Dim, MAX_DIM, SymbolDef};
use crate::error::did_you_mean;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// The numbers given for the symbols of a network do not fit it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BindError {
    /// The network has no such symbol.
    Unknown {
        /// The network.
        network: String,
        /// The name given.
        symbol: String,
        /// What its symbols are called, or the nearest of them.
        help: String,
    },
    /// A symbol got no number.
    Missing {
        /// The network.
        network: String,
        /// The symbol.
        symbol: String,
    },
    /// A symbol got two numbers.
    Twice {
        /// The symbol.
        symbol: String,
    },
    /// A symbol got a number below 1, or one that is too large.
    Invalid {
        /// The symbol.
        symbol: String,
        /// What is wrong.
        message: String,
    },
    /// A fact that the network's layers rely on does not hold for these numbers.
    Check {
        /// Layer, operator and what is wrong.
        message: String,
        /// The numbers.
        bound: String,
    },
    /// An array would have more than 2^48 elements, or none could hold it.
    TooLarge {
        /// The array.
        value: String,
        /// The numbers.
        bound: String,
    },
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BindError::Unknown { network, symbol, help } => {
                write!(f, "`{network}` has no symbol `{symbol}`; {help} ({})", Code::BoundUnknown)
            }
            BindError::Missing { network, symbol } => {
                write!(f, "`{network}` needs a number for its symbol `{symbol}` ({})", Code::BoundMissing)
            }
            BindError::Twice { symbol } => write!(f, "`{symbol}` is given twice ({})", Code::BoundTwice),
            BindError::Invalid { symbol, message } => {
                write!(f, "`{symbol}` {message} ({})", Code::BoundInvalid)
            }
            BindError::Check { message, bound } => write!(f, "with {bound}: {message}"),
            BindError::TooLarge { value, bound } => {
                write!(f, "with {bound}: `{value}` has more than 2^48 elements ({})", Code::BoundTooLarge)
            }
        }
    }
}

impl core::error::Error for BindError {}

impl Program {
    /// The value of every symbol, given those of the named ones; all facts of [`Program::checks`] are looked at.
    pub fn bind_symbols(&self, given: &[(&str, i64)]) -> Result<Vec<i64>, BindError> {
        let named = || self.symbols.iter().filter(|s| s.def == SymbolDef::Named).map(|s| &*s.name);
        for (i, (name, _)) in given.iter().enumerate() {
            if !named().any(|s| s == *name) {
                let help = match did_you_mean(name, named()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if named().next().is_none() => "all of its shapes are numbers".to_string(),
                    None => {
                        let all: Vec<String> = named().map(|s| format!("`{s}`")).collect();
                        format!("its symbols are {}", all.join(", "))
                    }
                };
                return Err(BindError::Unknown {
                    network: self.name.to_string(),
                    symbol: name.to_string(),
                    help,
                });
            }
            if given[..i].iter().any(|(n, _)| n == name) {
                return Err(BindError::Twice { symbol: name.to_string() });
            }
        }
        let mut values: Vec<i64> = Vec::with_capacity(self.symbols.len());
        for s in self.symbols.iter() {
            values.push(match &s.def {
                SymbolDef::Named => match given.iter().find(|(n, _)| *n == s.name) {
                    Some((_, v)) if (1..=MAX_DIM).contains(v) => *v,
                    Some((_, v)) => {
                        let message = format!("must be at least 1 and at most 2^48, not {v}");
                        return Err(BindError::Invalid { symbol: s.name.to_string(), message });
                    }
                    None => {
                        let (network, symbol) = (self.name.to_string(), s.name.to_string());
                        return Err(BindError::Missing { network, symbol });
                    }
                },
                // One that does not fit is refused with the first value that uses it.
                SymbolDef::Floor(num, den) => num.eval(&values).map_or(i64::MAX, |n| n.div_euclid(*den)),
                SymbolDef::Hole => 0,
            });
        }
        self.check(&values)?;
        for v in self.values.iter() {
            if elements(&v.shape, &values).is_none() {
                return Err(BindError::TooLarge { value: v.name.to_string(), bound: self.bound(&values) });
            }
        }
        Ok(values)
    }

    /// Whether all facts that the layers rely on hold for these values of the symbols.
    pub fn check(&self, symbols: &[i64]) -> Result<(), BindError> {
        let broken = self.checks.iter().find(|c| match c.dim.eval(symbols) {
            Some(x) => x < 0 || c.exact && x != 0,
            None => true,
        });
        match broken {
            None => Ok(()),
            Some(c) => {
                let (message, bound) = (c.message.to_string(), self.bound(symbols));
                Err(BindError::Check { message, bound })
            }
        }
    }

    /// Bytes of every value; `symbols` as [`Program::bind_symbols`] gives them.
    ///
    /// # Panics
    /// If they are not.
    pub fn sizes(&self, symbols: &[i64]) -> Vec<u64> {
        let bytes = |v: &super::ProgramValue| {
            let n = elements(&v.shape, symbols).expect("symbols bound by bind_symbols");
            n * v.dtype.size() as u64
        };
        self.values.iter().map(bytes).collect()
    }

    /// Extents of a value; `symbols` as [`Program::bind_symbols`] gives them.
    ///
    /// # Panics
    /// If they are not.
    pub fn extents(&self, value: u32, symbols: &[i64]) -> Vec<usize> {
        let extent = |d: &Dim| {
            let n = d.eval(symbols).and_then(|n| usize::try_from(n).ok());
            n.expect("symbols bound by bind_symbols")
        };
        self.values[value as usize].shape.iter().map(extent).collect()
    }

    fn bound(&self, symbols: &[i64]) -> String {
        let named = self.symbols.iter().zip(symbols).filter(|(s, _)| s.def == SymbolDef::Named);
        let all: Vec<String> = named.map(|(s, v)| format!("{} = {v}", s.name)).collect();
        all.join(", ")
    }
}

fn elements(shape: &[Dim], symbols: &[i64]) -> Option<u64> {
    let mut n = 1i64;
    for d in shape {
        let d = d.eval(symbols).filter(|d| (0..=MAX_DIM).contains(d))?;
        n = n.checked_mul(d).filter(|n| *n <= MAX_DIM)?;
    }
    u64::try_from(n).ok()
}
