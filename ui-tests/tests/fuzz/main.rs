//! Fuzzing of `network!` and of the graph compiler: damaged sources, and random graphs of all operators.
//!
//! ```text
//! MXR_FUZZ_SECONDS=1800 cargo test --config profile.dev.opt-level=2 -p ui-tests --test fuzz
//! MXR_FUZZ_SEED=4711 MXR_FUZZ_SECONDS=0 cargo test -p ui-tests --test fuzz     # one case once more, in full
//! ```
//!
//! Without `MXR_FUZZ_SECONDS` it takes two seconds. A case is a number: the same one makes the same source. What must hold of each:
//!
//! * the macro neither panics nor takes long, for the compiler and for an editor, whatever the source is;
//! * what it accepts, the run-time `Symbol` accepts, and both are the same network: inputs, weights, states, results, operations;
//! * what it accepts can be bound to numbers, or both say that these numbers do not fit; and it runs, with the same results;
//! * of a random graph, both make the same programs, or refuse it with the same code.

/// A procedural macro exports nothing, so its sources are a part of this program, which does not call all of them.
macro_rules! sources_of_the_macro {
    ($($name:ident $path:literal)*) => {$(
        #[allow(dead_code, unused_imports)]
        #[path = $path]
        mod $name;
    )*};
}

sources_of_the_macro! {
    ast "../../../mxr-macros/src/ast.rs"
    editor "../../../mxr-macros/src/editor/mod.rs"
    elaborate "../../../mxr-macros/src/elaborate/mod.rs"
    emit "../../../mxr-macros/src/emit/mod.rs"
    errors "../../../mxr-macros/src/errors.rs"
    expand "../../../mxr-macros/src/expand/mod.rs"
    imports "../../../mxr-macros/src/imports.rs"
    operators "../../../mxr-macros/src/operators/mod.rs"
    parse "../../../mxr-macros/src/parse/mod.rs"
    shape "../../../mxr-macros/src/shape.rs"
}

mod graphs;
mod replay;
mod sources;

use expand::damage::Random;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::process::exit;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A case may take so long on a slow machine in an unoptimised build; one that takes ten times as long hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// What has been looked at.
#[derive(Default)]
pub(crate) struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    pub(crate) fn add(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }
}

/// What a case found: the finding in one line, then the source.
pub(crate) type Found = Result<(), String>;

/// The case that is being looked at, and since when, in milliseconds.
static CASE: Mutex<String> = Mutex::new(String::new());
static SINCE: AtomicU64 = AtomicU64::new(0);

/// Where the last panic was, and what it said: training and prediction are compiled by two threads.
static PANIC: Mutex<String> = Mutex::new(String::new());

fn main() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seconds = number("MXR_FUZZ_SECONDS").unwrap_or(2);
    let first = number("MXR_FUZZ_SEED");
    let start = Instant::now();
    panic::set_hook(Box::new(|info| {
        *PANIC.lock().expect("sound") = info.to_string();
    }));
    watch(start);

    let corpus = sources::Corpus::new();
    let (mut tally, mut found) = (Tally::default(), BTreeMap::<String, (u64, u64, String)>::new());
    let mut case = first.unwrap_or(0);
    let mut longest = (Duration::ZERO, case);
    loop {
        let begun = Instant::now();
        *CASE.lock().expect("sound") = format!("case {case}");
        SINCE.store((begun - start).as_millis() as u64, Ordering::Relaxed);
        let mut random = Random::new(case);
        let result = panic::catch_unwind(AssertUnwindSafe(|| match case % 2 {
            0 => corpus.case(&mut random, &mut tally),
            _ => graphs::case(&mut random, &mut tally),
        }));
        let result = result.unwrap_or_else(|_| {
            let what = PANIC.lock().expect("sound").replace('\n', " ");
            Err(format!("a panic: {what}\n{}", CASE.lock().expect("sound")))
        });
        if let Err(text) = result {
            let kind = kind(text.lines().next().unwrap_or_default());
            found.entry(kind).or_insert((case, 0, text)).1 += 1;
        }
        tally.add("cases");
        let took = begun.elapsed();
        if took > longest.0 {
            longest = (took, case);
        }
        case += 1;
        if start.elapsed() >= Duration::from_secs(seconds) {
            break;
        }
    }
    println!("fuzz: {:.0?} from case {}", start.elapsed(), first.unwrap_or(0));
    for (what, count) in &tally.0 {
        println!("  {count:>9} {what}");
    }
    println!("  the longest case took {:.0?}: MXR_FUZZ_SEED={}", longest.0, longest.1);
    for (case, count, text) in found.values() {
        println!("found {count} times, MXR_FUZZ_SEED={case}:\n{text}\n");
    }
    if longest.0 > PATIENCE {
        println!("that is too long");
    }
    exit(i32::from(!found.is_empty() || longest.0 > PATIENCE));
}

/// Shows what is being looked at; a panic and the watch name it.
pub(crate) fn looking_at(source: &str) {
    *CASE.lock().expect("sound") = source.to_string();
}

/// Findings that differ in numbers and names alone are of one kind.
fn kind(line: &str) -> String {
    let mut out = String::new();
    let mut quoted = false;
    for c in line.chars().take(300) {
        match c {
            '`' => quoted = !quoted,
            _ if quoted || c.is_ascii_digit() => {}
            _ => out.push(c),
        }
    }
    out
}

/// Ends the program when a case hangs.
fn watch(start: Instant) {
    let look = move || loop {
        thread::sleep(Duration::from_secs(1));
        let since = Duration::from_millis(SINCE.load(Ordering::Relaxed));
        if start.elapsed().saturating_sub(since) > 10 * PATIENCE {
            println!("this hangs:\n{}", CASE.lock().expect("sound"));
            exit(1);
        }
    };
    thread::spawn(look);
}
