//! Numbers that a passing suite wants to be seen.

use std::io::Write;

/// A line straight to stderr: the test harness hides what passing tests print.
pub(crate) fn say(text: &str) {
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}
