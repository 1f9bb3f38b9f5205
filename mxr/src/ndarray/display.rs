//! Arrays as text, the way numpy prints them.

use super::NDArray;
use super::convert::texts;
use std::fmt::{self, Write};

/// Rows longer than this, and more rows than this, are shown by their first and last three.
const LONG: usize = 12;
const EDGE: usize = 3;

impl fmt::Display for NDArray {
    /// Waits for the elements. An error of the operations that made the array is printed in their place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let elements = match texts(self) {
            Ok(e) => e,
            Err(e) => return write!(f, "<{e}>"),
        };
        let width = elements.iter().map(String::len).max().unwrap_or(0);
        let mut text = String::new();
        block(&mut text, &elements, self.shape(), width, 0)?;
        write!(f, "{text}\n<NDArray {}{:?} on cpu>", self.dtype(), self.shape())
    }
}

impl fmt::Debug for NDArray {
    /// Type and shape; does not wait.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            Some(e) => write!(f, "NDArray(fault: {e})"),
            None => write!(f, "NDArray({}{:?})", self.dtype(), self.shape()),
        }
    }
}

fn block(text: &mut String, elements: &[String], shape: &[usize], width: usize, depth: usize) -> fmt::Result {
    let Some((rows, inner)) = shape.split_first() else {
        return write!(text, "{}", elements.first().map_or("", String::as_str));
    };
    let size: usize = inner.iter().product();
    text.push('[');
    let mut first = true;
    for i in 0..*rows {
        let hidden = *rows > LONG && (EDGE..rows - EDGE).contains(&i);
        if hidden && i != EDGE {
            continue;
        }
        if !first {
            match inner.is_empty() {
                true => text.push_str(", "),
                false => {
                    text.push(',');
                    text.extend(std::iter::repeat_n('\n', inner.len()));
                    text.extend(std::iter::repeat_n(' ', depth + 1));
                }
            }
        }
        first = false;
        if hidden {
            text.push_str("...");
        } else if inner.is_empty() {
            write!(text, "{:>width$}", elements[i])?;
        } else {
            block(text, &elements[i * size..(i + 1) * size], inner, width, depth + 1)?;
        }
    }
    text.push(']');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_numpy_prints() {
        let a = NDArray::try_from([[1.0f32, -2.5], [30.0, 4.0]]).expect("fits");
        assert_eq!(a.to_string(), "[[  1., -2.5],\n [ 30.,   4.]]\n<NDArray f32[2, 2] on cpu>");
        let s = NDArray::scalar(7i64).expect("fits");
        assert_eq!(s.to_string(), "7\n<NDArray i64[] on cpu>");
        let long = NDArray::arange(100).expect("fits");
        assert!(long.to_string().starts_with("[ 0.,  1.,  2., ..., 97., 98., 99.]"), "{long}");
        let empty = NDArray::zeros(&[0, 3]).expect("fits");
        assert_eq!(empty.to_string(), "[]\n<NDArray f32[0, 3] on cpu>");
    }
}
