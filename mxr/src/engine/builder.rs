//! Sizes of an engine, and the environment variables that choose it.

use std::env;
use std::num::NonZero;
use std::sync::{Arc, OnceLock};
use std::thread;

use super::core::{Core, Runner};
use super::error::StartError;
use super::serial::Serial;
use super::threaded::{LaneSize, Threads};
use super::{Engine, Handle};

/// The most threads that make sense; more is taken for a mistake.
const MAX_THREADS: usize = 1024;

/// How often a thread looks before it sleeps: a few microseconds, about what waking it costs.
const SPINS: u32 = 256;

/// Sizes of a threaded engine; see [`Engine::builder`].
#[derive(Clone, Debug)]
pub struct Builder {
    threads: usize,
    workers: usize,
    io_threads: usize,
    max_pending: usize,
}

impl Builder {
    pub(super) fn new() -> Builder {
        Builder { threads: 0, workers: 1, io_threads: 1, max_pending: 4096 }
    }

    /// Threads of the device pool, on which kernels spread their loops; 0 (the default) means one per processor.
    pub fn threads(mut self, threads: usize) -> Builder {
        self.threads = threads;
        self
    }

    /// How many operations may run at once on [`Lane::Compute`](super::Lane::Compute), at most the number of threads.
    /// Default 1: kernels are parallel inside.
    ///
    /// With more than one, kernels must not call `rayon::broadcast`: the other workers' threads never answer it.
    pub fn workers(mut self, workers: usize) -> Builder {
        self.workers = workers;
        self
    }

    /// Threads, and operations at once, on [`Lane::Io`](super::Lane::Io). Default 1.
    pub fn io_threads(mut self, threads: usize) -> Builder {
        self.io_threads = threads;
        self
    }

    /// How many operations may be pushed and not completed before pushing blocks. Default 4096.
    pub fn max_pending(mut self, operations: usize) -> Builder {
        self.max_pending = operations;
        self
    }

    /// Starts the engine.
    ///
    /// # Errors
    ///
    /// If a size makes no sense, or the system refuses the threads.
    pub fn build(self) -> Result<Engine, StartError> {
        let threads = if self.threads == 0 { processors() } else { self.threads };
        check("threads", threads, threads <= MAX_THREADS, "at most 1024")?;
        check(
            "workers",
            self.workers,
            (1..=threads).contains(&self.workers),
            "between 1 and the number of threads",
        )?;
        check(
            "io_threads",
            self.io_threads,
            (1..=MAX_THREADS).contains(&self.io_threads),
            "between 1 and 1024",
        )?;
        check("max_pending", self.max_pending, self.max_pending > 0, "at least 1")?;
        let spins = spins();
        let core = Arc::new(Core::new(
            Runner::Threads(Threads::new(self.max_pending, spins)),
            self.max_pending,
            spins,
        ));
        if let Runner::Threads(runner) = &core.runner {
            let compute = LaneSize { threads, workers: self.workers };
            let io = LaneSize { threads: self.io_threads, workers: self.io_threads };
            runner.start(&core, [compute, io])?;
        }
        Ok(Engine(Arc::new(Handle(core))))
    }
}

pub(super) fn serial() -> Engine {
    let limit = Builder::new().max_pending;
    Engine(Arc::new(Handle(Arc::new(Core::new(Runner::Serial(Serial::new()), limit, spins())))))
}

/// The engine that the environment asks for.
pub(super) fn from_env() -> Result<Engine, StartError> {
    let (engine, threads) = (setting("MXR_ENGINE")?, setting("MXR_NUM_THREADS")?);
    match choose(engine.as_deref(), threads.as_deref())? {
        Choice::Serial => Ok(serial()),
        Choice::Threads(threads) => Builder::new().threads(threads).build(),
    }
}

/// The engine of the process, made at the first call. A setting that makes no sense is told on stderr and left out.
pub(super) fn global() -> &'static Engine {
    static GLOBAL: OnceLock<Engine> = OnceLock::new();
    GLOBAL.get_or_init(|| {
        from_env().unwrap_or_else(|error| {
            eprintln!("mxr: {error}; using the default engine");
            Builder::new().build().unwrap_or_else(|error| {
                eprintln!("mxr: {error}; using the serial engine");
                serial()
            })
        })
    })
}

#[derive(Debug, PartialEq)]
enum Choice {
    Serial,
    /// 0: one per processor.
    Threads(usize),
}

fn choose(engine: Option<&str>, threads: Option<&str>) -> Result<Choice, StartError> {
    let count = match threads.map(str::trim) {
        None | Some("") => 0,
        Some(text) => text.parse().ok().filter(|n| (1..=MAX_THREADS).contains(n)).ok_or_else(|| {
            let expected = "a whole number from 1 to 1024";
            StartError::Setting { setting: "MXR_NUM_THREADS", value: text.to_owned(), expected }
        })?,
    };
    match engine.map(str::trim) {
        None | Some("" | "threaded") => Ok(Choice::Threads(count)),
        Some("serial") => Ok(Choice::Serial),
        Some(other) => {
            let expected = "`threaded` (the default) or `serial`";
            Err(StartError::Setting { setting: "MXR_ENGINE", value: other.to_owned(), expected })
        }
    }
}

fn setting(name: &'static str) -> Result<Option<String>, StartError> {
    match env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(value)) => {
            let value = value.to_string_lossy().into_owned();
            Err(StartError::Setting { setting: name, value, expected: "plain text" })
        }
    }
}

fn check(setting: &'static str, value: usize, holds: bool, expected: &'static str) -> Result<(), StartError> {
    let error = || StartError::Setting { setting, value: value.to_string(), expected };
    holds.then_some(()).ok_or_else(error)
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS)
}

/// On one processor spinning would only keep the other thread from running.
fn spins() -> u32 {
    if processors() > 1 { SPINS } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_choose_the_engine() {
        assert_eq!(choose(None, None), Ok(Choice::Threads(0)));
        assert_eq!(choose(Some("threaded"), Some(" 4 ")), Ok(Choice::Threads(4)));
        assert_eq!(choose(Some("serial"), Some("2")), Ok(Choice::Serial));
        assert_eq!(choose(Some(""), Some("")), Ok(Choice::Threads(0)));
    }

    #[test]
    fn nonsense_settings_say_what_is_allowed() {
        for text in ["0", "-1", "two", "4.5", "1025", "99999999999999999999"] {
            let error = choose(None, Some(text)).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("MXR_NUM_THREADS is `{text}`, but must be a whole number from 1 to 1024")
            );
        }
        let error = choose(Some("naive"), None).unwrap_err().to_string();
        assert_eq!(error, "MXR_ENGINE is `naive`, but must be `threaded` (the default) or `serial`");
    }

    #[test]
    fn sizes_that_make_no_sense_are_errors() {
        let small = || Builder::new().threads(2);
        assert!(small().workers(3).build().is_err());
        assert!(small().workers(0).build().is_err());
        assert!(small().io_threads(0).build().is_err());
        assert!(small().max_pending(0).build().is_err());
        let error = Builder::new().threads(100_000).build().unwrap_err().to_string();
        assert_eq!(error, "threads is `100000`, but must be at most 1024");
    }
}
