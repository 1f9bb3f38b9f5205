//! Where arrays live and operations run.

pub(crate) mod cpu;
pub(crate) mod kernel;

use crate::engine::Engine;
use crate::error::{Error, Result};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// A device: an engine that runs operations, and the state of its random numbers. Cloning shares it.
///
/// Arrays that are used together must be on the same device. [`Device::cpu`] is the one that everything uses by
/// default; its threads are chosen by the environment variable `MXR_NUM_THREADS` (all cores by default), and
/// `MXR_ENGINE=serial` runs every operation at once in the calling thread.
///
/// ```
/// use mxr::{BindOptions, DType, Device, NDArray, Symbol, engine::Engine};
/// let device = Device::with_engine(Engine::serial());
/// let a = NDArray::zeros_on(&device, &[2, 2], DType::F32)?;
/// let net = Symbol::input("x").relu().bind(&[("x", &[2, 2])], BindOptions::new().device(&device))?;
/// net.set_input("x", &a)?;
/// # Ok::<(), mxr::Error>(())
/// ```
#[derive(Clone)]
pub struct Device(Arc<Inner>);

struct Inner {
    engine: Engine,
    seed: AtomicU64,
    draws: AtomicU64,
}

impl Device {
    /// The CPU with the process's engine.
    pub fn cpu() -> Device {
        static CPU: OnceLock<Device> = OnceLock::new();
        CPU.get_or_init(|| Device::with_engine(Engine::global().clone())).clone()
    }

    /// A CPU device with an engine of its own that uses this many threads.
    ///
    /// # Errors
    ///
    /// When the number makes no sense or the system refuses the threads.
    pub fn cpu_with_threads(threads: usize) -> Result<Device> {
        let engine = Engine::builder().threads(threads).build();
        let engine =
            engine.map_err(|e| Error::invalid("device", e.to_string(), "use the number of cores"))?;
        Ok(Device::with_engine(engine))
    }

    /// A CPU device on an engine of one's own ([`Engine::serial`] for debugging).
    pub fn with_engine(engine: Engine) -> Device {
        Device(Arc::new(Inner { engine, seed: AtomicU64::new(0), draws: AtomicU64::new(0) }))
    }

    /// Its engine.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Start the device's random numbers anew: the same seed and the same calls give the same numbers, for any number of
    /// threads.
    pub fn seed(&self, seed: u64) {
        self.0.seed.store(seed, Ordering::Relaxed);
        self.0.draws.store(0, Ordering::Relaxed);
    }

    /// Wait until everything pushed so far has run.
    ///
    /// # Errors
    ///
    /// The first failure that nobody was told of.
    pub fn wait_all(&self) -> Result<()> {
        Ok(self.0.engine.wait_all()?)
    }

    /// The key of the next draw.
    pub(crate) fn next_key(&self) -> kernel::Key {
        let step = self.0.draws.fetch_add(1, Ordering::Relaxed);
        kernel::Key { seed: self.0.seed.load(Ordering::Relaxed), step }
    }

    pub(crate) fn same(&self, other: &Device) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cpu({:?})", self.0.engine)
    }
}
