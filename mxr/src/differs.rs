//! What the compiler says of a constant of a `network!` that is not what the one outside is (`#[same_as(…)]`). It says it while it
//! evaluates a constant, where nothing can be allocated or formatted.

/// A message, put together while compiling.
#[derive(Clone, Copy, Debug)]
pub struct Differs {
    bytes: [u8; Differs::MOST],
    length: usize,
}

impl Differs {
    /// Longer paths are cut off.
    const MOST: usize = 512;

    /// Of integers and what can be one.
    pub const fn of_integers(name: &str, path: &str, here: i128, there: i128) -> Differs {
        let text = Differs { bytes: [0; Differs::MOST], length: 0 };
        let text = text.and("`").and(name).and("` is ").number(here).and(" in the network, and `").and(path);
        text.and("` is ").number(there).and(" (MXR0316)\n  = help: write ").number(there).and(" here, too")
    }

    /// Of what has no text while compiling: `here` is how the network writes it.
    pub const fn of_others(name: &str, path: &str, here: &str) -> Differs {
        let text = Differs { bytes: [0; Differs::MOST], length: 0 };
        let text = text.and("`").and(name).and("` is ").and(here).and(" in the network, and `").and(path);
        text.and("` is not (MXR0316)\n  = help: write its value here, too")
    }

    /// The message.
    pub const fn as_str(&self) -> &str {
        match str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => text,
            // Cut off within a letter.
            Err(_) => "a constant of the network differs from the one outside (MXR0316)",
        }
    }

    const fn and(mut self, text: &str) -> Differs {
        let mut at = 0;
        while at < text.len() && self.length < Differs::MOST {
            self.bytes[self.length] = text.as_bytes()[at];
            self.length += 1;
            at += 1;
        }
        self
    }

    const fn number(self, n: i128) -> Differs {
        let text = if n < 0 { self.and("-") } else { self };
        text.digits(n.unsigned_abs())
    }

    const fn digits(self, n: u128) -> Differs {
        const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        let text = if n >= 10 { self.digits(n / 10) } else { self };
        text.and(DIGITS[(n % 10) as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::Differs;

    #[test]
    fn numbers_are_in_the_message() {
        const TEXT: Differs = Differs::of_integers("CLASSES", "crate::CLASSES", 10, -120);
        assert_eq!(
            TEXT.as_str(),
            "`CLASSES` is 10 in the network, and `crate::CLASSES` is -120 (MXR0316)\n  = help: write -120 here, too"
        );
        let text = Differs::of_others("RATE", "rates::FIRST", "0.5");
        assert!(
            text.as_str().starts_with("`RATE` is 0.5 in the network, and `rates::FIRST` is not (MXR0316)")
        );
        let long = "ä".repeat(400);
        assert!(Differs::of_others(&long, "b", "1").as_str().contains("MXR0316"));
    }
}
