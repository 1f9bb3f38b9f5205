//! What a running operation may touch.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::properties::Properties;
use super::var::{Dep, Var};

thread_local! {
    /// How many operations this thread is inside of; a thread of a pool always counts as inside.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Whether this thread works for an engine, so that blocking it could block the work it would wait for.
pub(super) fn inside_operation() -> bool {
    DEPTH.get() > 0
}

/// Marks the thread as working for an engine until dropped.
pub(super) struct Inside(PhantomData<*const ()>);

impl Inside {
    pub(super) fn enter() -> Inside {
        DEPTH.set(DEPTH.get() + 1);
        Inside(PhantomData)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// The running operation as its closure sees it: proof of which variables it has been granted.
///
/// It stays on the thread that runs the closure. Kernels called inside may spread *slices* over the pool; the context
/// itself is where those slices come from.
pub struct RunContext<'op> {
    deps: &'op [Dep],
    props: &'op Properties,
    _here: PhantomData<*const ()>,
}

impl<'op> RunContext<'op> {
    /// A context over entries that have been granted and are used by this thread alone.
    pub(super) fn new(deps: &'op [Dep], props: &'op Properties) -> RunContext<'op> {
        deps.iter().for_each(|dep| dep.borrow.set(0));
        RunContext { deps, props, _here: PhantomData }
    }

    /// The operation's name.
    pub fn name(&self) -> &str {
        &self.props.name
    }

    /// The operation's label, usually a layer's name.
    pub fn label(&self) -> Option<&str> {
        self.props.label.as_deref()
    }

    /// Whether the operation listed the variable, for reading or for writing.
    pub fn may_read(&self, var: &Var) -> bool {
        self.find(var).is_some()
    }

    /// Whether the operation listed the variable for writing.
    pub fn may_write(&self, var: &Var) -> bool {
        self.find(var).is_some_and(|dep| dep.write)
    }

    /// How often the variable has been written, counting every operation that listed it for writing and came before this
    /// one, also one that failed or was skipped; `None` if this operation did not list it. Two operations that see the same
    /// number see the same contents.
    ///
    /// ```
    /// use mxr::engine::{Engine, Var};
    /// let (engine, weight) = (Engine::serial(), Var::new());
    /// let version = || engine.run_here(&[&weight], &[], "look", |ctx| Ok(ctx.version(&weight))).unwrap();
    /// let before = version();
    /// assert_eq!(version(), before, "reading changes nothing");
    /// engine.push(&[], &[&weight], "update", |_| Ok(()));
    /// assert_ne!(version(), before);
    /// ```
    pub fn version(&self, var: &Var) -> Option<u64> {
        self.find(var).map(|dep| dep.var.version())
    }

    /// Borrows what the variable stands for, until the result is dropped: shared, or exclusively for writing.
    ///
    /// At any time there is one exclusive borrow or any number of shared ones, across all threads: between operations the
    /// queues see to it, within one operation the count kept here.
    pub fn borrow(&self, var: &Var, write: bool) -> Result<Borrow<'_>, Denied> {
        let dep = self.find(var).ok_or(Denied::NotListed)?;
        if write && !dep.write {
            return Err(Denied::ReadOnly);
        }
        match (write, dep.borrow.get()) {
            (true, 0) => dep.borrow.set(-1),
            (false, n) if n >= 0 => dep.borrow.set(n + 1),
            _ => return Err(Denied::Borrowed),
        }
        Ok(Borrow { state: &dep.borrow })
    }

    fn find(&self, var: &Var) -> Option<&'op Dep> {
        let key = Arc::as_ptr(&var.0);
        if self.deps.len() <= 8 {
            return self.deps.iter().find(|dep| Arc::as_ptr(&dep.var) == key);
        }
        let i = self.deps.binary_search_by_key(&key, |dep| Arc::as_ptr(&dep.var)).ok()?;
        self.deps.get(i)
    }
}

impl fmt::Debug for RunContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunContext").field("name", &self.name()).field("label", &self.label()).finish()
    }
}

/// A borrow of a granted variable; dropping it ends the borrow.
#[derive(Debug)]
pub struct Borrow<'a> {
    state: &'a Cell<isize>,
}

impl Borrow<'_> {
    /// Lets the borrow last until the operation ends.
    pub fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Borrow<'_> {
    fn drop(&mut self) {
        let n = self.state.get();
        self.state.set(if n < 0 { 0 } else { n - 1 });
    }
}

/// Why a borrow was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The operation did not list the variable.
    NotListed,
    /// The operation listed the variable for reading and asked to write.
    ReadOnly,
    /// The operation has borrowed the variable already, and one of the two borrows is exclusive.
    Borrowed,
}
