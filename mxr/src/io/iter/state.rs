//! The place of an iterator, as a value and as text for checkpoints.

use std::fmt;
use std::str::FromStr;

use super::super::error::{FormatError, FormatErrorKind};
use super::LastBatch;

/// Where an iterator stands, and what it must be for that to mean something. As text it is one line:
///
/// ```
/// use mxr::io::iter::IterState;
///
/// let text = "epoch=3 batch=17 samples=1437 batch_size=32 seed=42 last_batch=pad";
/// let state: IterState = text.parse()?;
/// assert_eq!((state.epoch, state.batch), (3, 17));
/// assert_eq!(state.to_string(), text);
/// # Ok::<(), mxr::io::FormatError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IterState {
    /// The epoch, from 0.
    pub epoch: u64,
    /// Batches already given in it.
    pub batch: u64,
    /// Samples in the data.
    pub samples: u64,
    /// Samples in a batch.
    pub batch_size: u64,
    /// The seed, when samples are shuffled.
    pub seed: Option<u64>,
    /// The rule for the last batch.
    pub last_batch: LastBatch,
}

const RULES: [(&str, LastBatch); 3] =
    [("pad", LastBatch::Pad), ("discard", LastBatch::Discard), ("roll_over", LastBatch::RollOver)];

impl fmt::Display for IterState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = RULES.iter().find(|(_, rule)| *rule == self.last_batch).expect("every rule has a name").0;
        write!(
            f,
            "epoch={} batch={} samples={} batch_size={} seed=",
            self.epoch, self.batch, self.samples, self.batch_size
        )?;
        match self.seed {
            Some(seed) => write!(f, "{seed}")?,
            None => f.write_str("none")?,
        }
        write!(f, " last_batch={rule}")
    }
}

impl FromStr for IterState {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<IterState, FormatError> {
        let parse = || {
            let mut words = text.split(' ');
            let mut value = |key: &str| words.next()?.strip_prefix(key)?.strip_prefix('=');
            let state = IterState {
                epoch: value("epoch")?.parse().ok()?,
                batch: value("batch")?.parse().ok()?,
                samples: value("samples")?.parse().ok()?,
                batch_size: value("batch_size")?.parse().ok()?,
                seed: match value("seed")? {
                    "none" => None,
                    seed => Some(seed.parse().ok()?),
                },
                last_batch: {
                    let name = value("last_batch")?;
                    RULES.iter().find(|(rule, _)| *rule == name)?.1
                },
            };
            words.next().is_none().then_some(state)
        };
        parse().ok_or_else(|| {
            let shown: String = text.chars().take(100).collect();
            FormatError::new(
                FormatErrorKind::Malformed,
                "state of a data iterator",
                format!("`{shown}` is not such a state"),
                "it is the line that `IterState` prints",
            )
        })
    }
}
