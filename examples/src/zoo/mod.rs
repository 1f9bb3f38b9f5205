//! The networks that examples, benches, tests and comparisons share: one definition each.

pub mod alexnet;
pub mod char_lstm;
pub mod googlenet;
pub mod lenet;
pub mod resnet;
pub mod siamese;
pub mod squeezenet;
pub mod symbols;
pub mod unet;
pub mod vgg;
pub mod wide_resnet;

use mxr::{Network, Programs};

/// A network of the zoo.
#[derive(Debug)]
pub struct Entry {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its compiled programs.
    pub programs: &'static Programs,
    /// The published number of trained parameters.
    pub published: u64,
    /// Where the definition and the number come from.
    pub source: &'static str,
}

macro_rules! zoo {
    ($($name:literal: $net:ty, $published:expr, $source:literal;)*) => {
        &[$(Entry {
            name: $name,
            programs: <$net as Network>::PROGRAMS,
            published: $published,
            source: $source,
        }),*]
    };
}

/// Every network by name. Names that end in `_bench` are those of the convnet benchmarks and of comparisons of speed: without
/// dropout and loss, logits out; the networks of the same names without it have both, or a loss.
pub static ZOO: &[Entry] = zoo! {
    "lenet": lenet::LeNet, 431_080, "MXNet's LeNet: 520 + 25,050 + 400,500 + 5,010";
    "lenet_bench": lenet::LeNetLogits, 431_080, "as lenet, without loss";
    "lenet_relu": lenet::LeNetRelu, 431_080, "as lenet";
    "lenet_relu_bench": lenet::LeNetReluLogits, 431_080, "as lenet, without loss";
    "mlp": lenet::Mlp, 669_706, "784-512-512-10: 401,920 + 262,656 + 5,130";
    "mlp_bench": lenet::MlpLogits, 669_706, "as mlp, without loss";
    "alexnet": alexnet::AlexNet, 61_100_840, "torchvision's model table: 61.1 M";
    "alexnet_lrn": alexnet::AlexNetLrn, 62_378_344, "MXNet's example symbol_alexnet.py, December 2015; number: osmr/imgclsmob's model table, AlexNet without groups";
    "overfeat": alexnet::OverFeat, 145_920_872, "convnet-benchmarks, overfeat.lua: 34,944 + 614,656 + 1,180,160 + 4,719,616 + 9,438,208 + 113,249,280 + 12,587,008 + 4,097,000";
    "vgg_a": vgg::VggALoss, 132_863_336, "torchvision's model table, VGG-11: 132.86 M; dropout and loss as in the memory figure";
    "vgg_a_bench": vgg::VggA, 132_863_336, "as vgg_a, without dropout and loss";
    "vgg16": vgg::Vgg16, 138_357_544, "torchvision's model table: 138.36 M";
    "googlenet": googlenet::GoogLeNetLoss, 6_998_552, "main branch without auxiliary heads: 7.0 M; loss as in the memory figure";
    "googlenet_bench": googlenet::GoogLeNet, 6_998_552, "as googlenet, without loss";
    "inception_bn": googlenet::bn::InceptionBn, 11_295_240, "MXNet's example symbol_inception-bn.py, December 2015; number: osmr/imgclsmob's bninception";
    "inception_bn_bench": googlenet::bn::InceptionBnLogits, 11_295_240, "as inception_bn, without loss";
    "resnet20": resnet::ResNet20, 272_474, "He et al. 2015, section 4.2: 0.27 M; with projections as in GluonCV's cifar_resnet20_v1, whose file holds this many";
    "resnet50": resnet::ResNet50, 25_557_032, "torchvision's model table: 25.56 M";
    "squeezenet": squeezenet::SqueezeNet, 1_248_424, "Iandola et al. 2016, table 1, last row";
    "unet": unet::UNet, 31_030_658 - 960, "Ronneberger et al. 2015, figure 1, counted layer by layer in examples/tests/papers.rs, less 960 biases of up-convolutions";
    "wide_resnet": wide_resnet::WideResNet, 36_479_194, "Zagoruyko and Komodakis 2016, table 5: 36.5 M";
    "siamese": siamese::Koch, 38_951_745, "Koch et al. 2015, figure 4, counted layer by layer in examples/tests/papers.rs";
    "char_lstm": char_lstm::CharLstm, 240_321, "Karpathy's char-rnn prints it for its defaults on tinyshakespeare";
};

/// The networks whose speed is measured, as in soumith/convnet-benchmarks, with smaller and newer ones beside them: see [`timed`].
pub const SUITE: [&str; 10] = [
    "lenet",
    "lenet_relu",
    "mlp",
    "alexnet",
    "overfeat",
    "vgg_a",
    "vgg16",
    "googlenet",
    "inception_bn",
    "resnet50",
];

/// The form of a network of the [`SUITE`] that is timed: without dropout and loss, logits out.
pub fn timed(name: &str) -> Option<&'static Entry> {
    let name = SUITE.into_iter().find(|n| *n == name)?;
    ZOO.iter().find(|e| e.name.strip_suffix("_bench") == Some(name)).or_else(|| find(name))
}

/// The network of this name.
pub fn find(name: &str) -> Option<&'static Entry> {
    ZOO.iter().find(|e| e.name == name)
}
