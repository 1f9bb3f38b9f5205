//! What is published and measured of MXNet's memory, to hold plans against.

/// Bars of one network and one pass, in MiB at batch 64: naive, in-place, co-share, both.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// The network's name in the zoo.
    pub net: &'static str,
    /// With the backward pass.
    pub train: bool,
    /// In the paper: figure 7 of <https://arxiv.org/abs/1512.01274>, read from the picture to about 1 %; on a GPU, whose cuDNN
    /// operators kept more for the backward pass. Its alexnet must have been declared in another way.
    pub paper: Option<[u64; 4]>,
    /// Reported by MXNet of 2 December 2015 itself (commit bbfa834f1b, `debug_str` of the bound executor, CPU build).
    pub measured: [u64; 4],
}

/// MXNet's memory figure.
pub static MEMORY: [Memory; 8] = [
    row("alexnet_lrn", false, Some([377, 211, 134, 109]), [408, 245, 158, 134]),
    row("googlenet", false, Some([2220, 1430, 510, 498]), [2223, 1435, 515, 506]),
    row("vgg_a", false, Some([4007, 2188, 1614, 1001]), [4014, 2190, 1620, 1006]),
    row("inception_bn", false, None, [4269, 3356, 666, 672]),
    row("alexnet_lrn", true, Some([788, 624, 509, 439]), [823, 470, 418, 317]),
    row("googlenet", true, Some([5387, 4376, 2557, 2462]), [5394, 3446, 1929, 1629]),
    row("vgg_a", true, Some([8059, 6227, 5572, 4795]), [8062, 4416, 4104, 2983]),
    row("inception_bn", true, None, [8822, 6672, 4716, 4581]),
];

const fn row(net: &'static str, train: bool, paper: Option<[u64; 4]>, measured: [u64; 4]) -> Memory {
    Memory { net, train, paper, measured }
}
