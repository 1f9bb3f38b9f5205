//! Names and numbers as text. A program has thousands of them, and an unoptimised macro pays for `format!` each time.

use std::fmt::Write;

/// Decimal digits.
pub(super) fn number(n: u32, out: &mut String) {
    if n >= 10 {
        number(n / 10, out);
    }
    out.push(char::from(b'0' + (n % 10) as u8));
}

/// `3, 14, 15, `
pub(super) fn numbers(list: &[u32], out: &mut String) {
    for n in list {
        number(*n, out);
        out.push_str(", ");
    }
}

/// A string literal.
pub(super) fn quoted(text: &str, out: &mut String) {
    let plain = |b: &u8| matches!(*b, b' '..=b'~') && *b != b'"' && *b != b'\\';
    if text.as_bytes().iter().all(plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        write!(out, "{text:?}").expect("a string takes any text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_the_standard_library() {
        for n in [0, 9, 10, 4_294_967_295] {
            let mut out = String::new();
            number(n, &mut out);
            assert_eq!(out, n.to_string());
        }
        for text in ["", "conv1_weight", "a \"b\" \\ c", "größe", "line\nbreak"] {
            let mut out = String::new();
            quoted(text, &mut out);
            assert_eq!(out, format!("{text:?}"));
        }
        let mut out = String::new();
        numbers(&[1, 23], &mut out);
        assert_eq!(out, "1, 23, ");
    }
}
