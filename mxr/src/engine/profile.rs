//! The profiler: which operation ran when on which thread, as a Chrome trace and as a table.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::properties::{Lane, Properties};

/// Threads that belong to no lane: they run operations of the serial engine and those asked for in place.
const CALLER: (Option<Lane>, usize) = (None, 0);

thread_local! {
    static THREAD: Cell<(Option<Lane>, usize)> = const { Cell::new(CALLER) };
}

pub(super) fn name_thread(lane: Lane, index: usize) {
    THREAD.set((Some(lane), index));
}

/// Records spans while it is on; costs one relaxed load an operation while it is off.
pub(super) struct Profiler {
    on: AtomicBool,
    origin: Instant,
    spans: Mutex<Vec<Span>>,
}

impl Profiler {
    pub(super) fn new() -> Profiler {
        Profiler { on: AtomicBool::new(false), origin: Instant::now(), spans: Mutex::new(Vec::new()) }
    }

    pub(super) fn start(&self) -> Option<Instant> {
        self.on.load(Ordering::Relaxed).then(Instant::now)
    }

    pub(super) fn record(&self, props: &Properties, start: Instant, outcome: Outcome) {
        let (thread_lane, thread) = THREAD.get();
        let span = Span {
            name: props.name.clone(),
            label: props.label.clone(),
            lane: thread_lane,
            thread,
            start: start.saturating_duration_since(self.origin),
            end: self.origin.elapsed(),
            outcome,
        };
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).push(span);
    }

    pub(super) fn switch_on(&self) {
        self.on.store(true, Ordering::Relaxed);
    }

    pub(super) fn switch_off(&self) -> Trace {
        self.on.store(false, Ordering::Relaxed);
        let mut spans = std::mem::take(&mut *self.spans.lock().unwrap_or_else(PoisonError::into_inner));
        spans.sort_by_key(|s| s.start);
        Trace { spans }
    }
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ran and returned `Ok`.
    Done,
    /// It returned an error or panicked.
    Failed,
    /// It did not run: one of its variables carried an error.
    Skipped,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Failed => "failed",
            Outcome::Skipped => "skipped",
        }
    }
}

/// One run of one operation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Span {
    /// The operation's name.
    pub name: Cow<'static, str>,
    /// The operation's label.
    pub label: Option<Arc<str>>,
    /// The lane whose thread ran it; `None` on a thread of the program itself.
    pub lane: Option<Lane>,
    /// The number of the thread in its lane.
    pub thread: usize,
    /// When it started, since the engine was made.
    pub start: Duration,
    /// When it ended, since the engine was made.
    pub end: Duration,
    /// How it ended.
    pub outcome: Outcome,
}

/// What the profiler has recorded, in order of the starts.
///
/// `Display` gives a table of totals by name.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    spans: Vec<Span>,
}

impl Trace {
    /// The recorded runs.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Writes the trace as a file that `chrome://tracing` and Perfetto open.
    pub fn write(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        self.write_json(&mut file)?;
        file.flush()
    }

    /// Writes the trace in Chrome's JSON format.
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, "{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[")?;
        let mut threads: Vec<_> = self.spans.iter().map(|s| (s.lane, s.thread)).collect();
        threads.sort_by_key(|&(lane, i)| tid(lane, i));
        threads.dedup();
        let mut comma = "";
        for (lane, i) in threads {
            let name = lane.map_or("caller", Lane::name);
            let tid = tid(lane, i);
            write!(
                out,
                "{comma}\n{{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":{tid},\"args\":{{\"name\":\"{name} {i}\"}}}}"
            )?;
            comma = ",";
        }
        for span in &self.spans {
            write!(
                out,
                "{comma}\n{{\"name\":{},\"cat\":\"{}\",\"ph\":\"X\",\"pid\":1,\"tid\":{},\"ts\":{:.3},\"dur\":{:.3},\"args\":{{",
                Quoted(&span.name),
                span.lane.map_or("caller", Lane::name),
                tid(span.lane, span.thread),
                micros(span.start),
                micros(span.end.saturating_sub(span.start)),
            )?;
            if let Some(label) = &span.label {
                write!(out, "\"label\":{},", Quoted(label))?;
            }
            write!(out, "\"outcome\":\"{}\"}}}}", span.outcome.name())?;
            comma = ",";
        }
        writeln!(out, "\n]}}")
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut totals: BTreeMap<&str, (usize, Duration, Duration)> = BTreeMap::new();
        for span in &self.spans {
            let took = span.end.saturating_sub(span.start);
            let total = totals.entry(&span.name).or_default();
            *total = (total.0 + 1, total.1 + took, total.2.max(took));
        }
        let mut rows: Vec<_> = totals.into_iter().collect();
        rows.sort_by_key(|&(_, (_, sum, _))| std::cmp::Reverse(sum));
        writeln!(
            f,
            "{:<24} {:>8} {:>12} {:>12} {:>12}",
            "operation", "runs", "total ms", "mean ms", "max ms"
        )?;
        for (name, (runs, sum, max)) in rows {
            let ms = |d: Duration| d.as_secs_f64() * 1e3;
            let mean = ms(sum) / runs as f64;
            writeln!(f, "{name:<24} {runs:>8} {:>12.3} {mean:>12.4} {:>12.4}", ms(sum), ms(max))?;
        }
        Ok(())
    }
}

/// Threads of the program are 0; each lane counts from its own hundred.
fn tid(lane: Option<Lane>, index: usize) -> usize {
    match lane {
        None => 0,
        Some(Lane::Compute) => 100 + index,
        Some(Lane::Io) => 10_000 + index,
    }
}

fn micros(d: Duration) -> f64 {
    d.as_secs_f64() * 1e6
}

/// A text as a JSON string.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}
