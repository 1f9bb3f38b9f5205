//! What the engine is told about an operation beside its variables.

use std::borrow::Cow;
use std::panic::Location;
use std::sync::Arc;

/// Which threads run an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Lane {
    /// The threads of the device: kernels, and everything that computes.
    #[default]
    Compute,
    /// Threads of their own for reading, decoding and copying, so that such work overlaps with computing.
    Io,
}

impl Lane {
    pub(super) const ALL: [Lane; 2] = [Lane::Compute, Lane::Io];

    pub(super) fn name(self) -> &'static str {
        match self {
            Lane::Compute => "compute",
            Lane::Io => "io",
        }
    }
}

/// How many runs of one prepared operation may be under way before `push_prepared` blocks.
pub(super) const DEFAULT_RUN_AHEAD: usize = 8;

/// Name, label, priority and lane of an operation. A plain name converts into it.
///
/// ```
/// use mxr::engine::{Lane, Properties};
/// let props = Properties::new("dense").label("fc1").priority(-1).lane(Lane::Compute);
/// ```
#[derive(Clone, Debug)]
pub struct Properties {
    pub(super) name: Cow<'static, str>,
    pub(super) label: Option<Arc<str>>,
    pub(super) priority: i32,
    pub(super) lane: Lane,
    pub(super) overwrites: bool,
    pub(super) run_ahead: usize,
    pub(super) site: Option<&'static Location<'static>>,
}

impl Properties {
    /// An operation of this name on [`Lane::Compute`], with priority 0.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Properties {
        Properties {
            name: name.into(),
            label: None,
            priority: 0,
            lane: Lane::Compute,
            overwrites: false,
            run_ahead: DEFAULT_RUN_AHEAD,
            site: None,
        }
    }

    /// What the operation belongs to, usually a layer's name; told in errors and traces.
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Properties {
        self.label = Some(label.into());
        self
    }

    /// Among operations that could start, the one with the highest priority starts first; equals start in push order.
    pub fn priority(mut self, priority: i32) -> Properties {
        self.priority = priority;
        self
    }

    /// Which threads run it.
    pub fn lane(mut self, lane: Lane) -> Properties {
        self.lane = lane;
        self
    }

    /// States that the operation gives its written variables a completely new value.
    ///
    /// It then runs although they carry an error (an error in what it *reads* still skips it), and when it succeeds
    /// they carry none.
    pub fn overwrites(mut self, overwrites: bool) -> Properties {
        self.overwrites = overwrites;
        self
    }

    /// For a prepared operation: how many of its runs may be under way before pushing it blocks. Default 8, at least 1.
    ///
    /// The memory of that many runs is set aside when it is prepared.
    pub fn run_ahead(mut self, runs: usize) -> Properties {
        self.run_ahead = runs.max(1);
        self
    }

    /// The place that errors name instead of the caller of `push`.
    pub fn pushed_at(mut self, site: &'static Location<'static>) -> Properties {
        self.site = Some(site);
        self
    }
}

impl From<&'static str> for Properties {
    fn from(name: &'static str) -> Properties {
        Properties::new(name)
    }
}
