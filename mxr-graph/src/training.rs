//! How a weight is trained: MXNet's attributes of a variable.

/// What the layer that makes a weight says about its training. States (running statistics) are none of it.
///
/// ```
/// use mxr_graph::training::Training;
/// let slow = Training { lr_mult: 0.5, ..Training::DEFAULT };
/// let inside = Training { lr_mult: 0.5, wd_mult: 0.0, frozen: true };
/// assert_eq!(slow.within(inside), Training { lr_mult: 0.25, wd_mult: 0.0, frozen: true });
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Training {
    /// A factor on the learning rate.
    pub lr_mult: f64,
    /// A factor on the weight decay.
    pub wd_mult: f64,
    /// It has no gradient and stays what it is.
    pub frozen: bool,
}

impl Training {
    /// The learning rate and the decay of the optimizer.
    pub const DEFAULT: Training = Training { lr_mult: 1.0, wd_mult: 1.0, frozen: false };

    /// Of a part of what is trained like this: factors multiply.
    pub fn within(self, part: Training) -> Training {
        Training {
            lr_mult: self.lr_mult * part.lr_mult,
            wd_mult: self.wd_mult * part.wd_mult,
            frozen: self.frozen || part.frozen,
        }
    }
}

impl Default for Training {
    fn default() -> Training {
        Training::DEFAULT
    }
}
