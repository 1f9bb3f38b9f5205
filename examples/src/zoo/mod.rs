//! The networks that examples, benches, tests and comparisons share: one definition each.

pub mod alexnet;
pub mod googlenet;
pub mod lenet;
pub mod resnet;
pub mod vgg;

use mxr::{Network, Programs};

/// A network of the zoo.
#[derive(Debug)]
pub struct Entry {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its compiled programs.
    pub programs: &'static Programs,
    /// The published number of parameters, where there is one.
    pub published: Option<u64>,
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

/// Every network by name. Names that end in `_loss` are the networks of MXNet's memory figure, with dropout and loss.
pub static ZOO: &[Entry] = zoo! {
    "lenet": lenet::LeNet, Some(431_080), "MXNet's LeNet: 520 + 25,050 + 400,500 + 5,010";
    "lenet_relu": lenet::LeNetRelu, Some(431_080), "as lenet";
    "mlp": lenet::Mlp, Some(669_706), "784-512-512-10: 401,920 + 262,656 + 5,130";
    "alexnet": alexnet::AlexNet, Some(61_100_840), "torchvision's model table: 61.1 M";
    "alexnet_lrn": alexnet::AlexNetLrn, None, "MXNet's example symbol_alexnet.py, December 2015";
    "overfeat": alexnet::OverFeat, None, "convnet-benchmarks, overfeat.lua: 145.9 M";
    "vgg_a": vgg::VggALoss, Some(132_863_336), "torchvision's model table, VGG-11: 132.86 M; dropout and loss as in the memory figure";
    "vgg_a_bench": vgg::VggA, Some(132_863_336), "as vgg_a, without dropout and loss";
    "vgg16": vgg::Vgg16, Some(138_357_544), "torchvision's model table: 138.36 M";
    "googlenet": googlenet::GoogLeNetLoss, Some(6_998_552), "main branch without auxiliary heads: 7.0 M; loss as in the memory figure";
    "googlenet_bench": googlenet::GoogLeNet, Some(6_998_552), "as googlenet, without loss";
    "inception_bn": googlenet::bn::InceptionBn, None, "MXNet's example symbol_inception-bn.py, December 2015";
    "resnet20": resnet::ResNet20, None, "He et al. 2015, section 4.2: 0.27 M, here with projections";
    "resnet50": resnet::ResNet50, Some(25_557_032), "torchvision's model table: 25.56 M";
};

/// The network of this name.
pub fn find(name: &str) -> Option<&'static Entry> {
    ZOO.iter().find(|e| e.name == name)
}
