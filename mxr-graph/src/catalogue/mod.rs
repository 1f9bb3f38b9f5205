//! The catalogue of faults: every mistake that the library tells people about, once, with a network that has it and one
//! that has not. The pages of the error index (`docs/errors/`) and their tests are made from it.

mod code;

pub use code::Code;
