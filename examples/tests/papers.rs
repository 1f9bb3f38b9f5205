//! The five networks that were written from their papers' tables: their parameters counted layer by layer, and small forms of them learn.

use fastrand::Rng;
use mxr::Executor;
use mxr::init::{Msra, Uniform};
use mxr::optimizer::Adam;
use mxr_examples::digits::Digits;
use mxr_examples::generated::{discs, waves};
use mxr_examples::pairs::Pairs;
use mxr_examples::steps::train;
use mxr_examples::text::Text;
use mxr_examples::zoo::char_lstm::{CharLstm, HIDDEN, VOCABULARY};
use mxr_examples::zoo::siamese::{DigitPairs, Koch};
use mxr_examples::zoo::squeezenet::SqueezeNet;
use mxr_examples::zoo::unet::UNet;
use mxr_examples::zoo::wide_resnet::WideResNet;

mxr::network!(
    use mxr_examples::zoo::char_lstm::char_lstm;
    use mxr_examples::zoo::squeezenet::fire;
    use mxr_examples::zoo::unet::level;
    use mxr_examples::zoo::wide_resnet::wide_resnet;

    pub fn Fires(image: Tensor<N, 3, 16, 16>, label: Tensor<N, i64>) {
        let x = conv2d(image, 16, kernel = 3, stride = 2);
        for (squeeze, expand) in [(4, 8), (8, 16)] {
            x = fire(x, squeeze, expand);
        }
        softmax_cross_entropy(dense(global_avg_pool(x), 4), label)
    }

    pub fn SmallU(image: Tensor<N, 1, 52, 52>, label: Tensor<N, 12, 12, i64>) {
        let top = level(image, 4, 2);
        softmax_cross_entropy(conv2d(top, 2, kernel = 1), label)
    }

    pub fn Narrow(image: Tensor<N, 3, 16, 16>, label: Tensor<N, i64>) {
        softmax_cross_entropy(wide_resnet(image, 10, 1, 4, drop = 0.1), label)
    }

    pub fn Short(
        text: Tensor<4, N, 65>,
        next: Tensor<4, N, i64>,
        h1: Tensor<N, 32>,
        c1: Tensor<N, 32>,
        h2: Tensor<N, 32>,
        c2: Tensor<N, 32>,
    ) {
        let (scores, h1, c1, h2, c2) = char_lstm(text, h1, c1, h2, c2);
        (softmax_cross_entropy(scores, reshape(next, [4 * N])), h1, c1, h2, c2)
    }
);

fn conv(inputs: u64, outputs: u64, kernel: u64) -> u64 {
    inputs * outputs * kernel * kernel + outputs
}

#[test]
fn parameters_are_those_of_the_papers_tables() {
    let mut squeezenet = conv(3, 96, 7) + conv(512, 1000, 1);
    let mut channels = 96;
    for (squeeze, expand) in
        [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)]
    {
        squeezenet += conv(channels, squeeze, 1) + conv(squeeze, expand, 1) + conv(squeeze, expand, 3);
        channels = 2 * expand;
    }
    assert_eq!(SqueezeNet::PARAMETERS, squeezenet);

    let (mut unet, mut channels) = (conv(64, 2, 1), 1);
    for filters in [64, 128, 256, 512, 1024] {
        unet += conv(channels, filters, 3) + conv(filters, filters, 3);
        channels = filters;
    }
    for filters in [512, 256, 128, 64] {
        // The up-convolution without its bias, which the one behind it has.
        unet += 2 * filters * filters * 4 + conv(2 * filters, filters, 3) + conv(filters, filters, 3);
    }
    assert_eq!(UNet::PARAMETERS, unet);

    let (mut wide, mut channels) = (3 * 16 * 9, 16);
    for filters in [160, 320, 640] {
        wide += channels * filters;
        for _ in 0..4 {
            wide += 2 * channels + channels * filters * 9 + 2 * filters + filters * filters * 9;
            channels = filters;
        }
    }
    assert_eq!(WideResNet::PARAMETERS, wide + 2 * 640 + 640 * 10 + 10);

    let tower = conv(1, 64, 10) + conv(64, 128, 7) + conv(128, 128, 4) + conv(128, 256, 4);
    assert_eq!(Koch::PARAMETERS, tower + 6 * 6 * 256 * 4096 + 4096 + 4096 + 1);

    let (v, h) = (VOCABULARY as u64, HIDDEN as u64);
    let layer = |inputs: u64| 4 * h * inputs + 4 * h + 4 * h * h + 4 * h;
    assert_eq!(CharLstm::PARAMETERS, layer(v) + layer(h) + h * v + v);
}

/// The losses of the first and the last quarter.
fn learn(
    net: &mut Executor,
    steps: u32,
    rate: f64,
    feed: impl FnMut(&mut Executor) -> Result<(), mxr::Error>,
) -> (f32, f32) {
    train(net, Adam::new(rate), steps, feed).expect("a network that trains").ends()
}

#[test]
fn fire_modules_and_wide_blocks_learn() {
    let mut rng = Rng::with_seed(1);
    let mut feed = |net: &mut Executor| {
        let (image, label) = waves(8, 16, 4, &mut rng)?;
        net.set_input_host("image", &image)?;
        net.set_input_host("label", &label)
    };
    let mut fires = Fires::bind(8).expect("a network");
    fires.init(&Msra::default(), 1).expect("start values");
    let (first, last) = learn(&mut fires, 60, 5e-3, &mut feed);
    assert!(last < 0.7 * first, "{first} to {last}");
    let mut narrow = Narrow::bind(8).expect("a network");
    narrow.init(&Msra::default(), 1).expect("start values");
    let (first, last) = learn(&mut narrow, 80, 5e-4, &mut feed);
    assert!(last < 0.7 * first, "{first} to {last}");
}

#[test]
fn a_small_u_learns() {
    let mut rng = Rng::with_seed(1);
    let mut net = SmallU::bind(2).expect("a network");
    net.init(&Msra::default(), 1).expect("start values");
    let (first, last) = learn(&mut net, 40, 5e-3, |net| {
        let (image, label) = discs(2, 52, 12, &mut rng)?;
        net.set_input_host("image", &image)?;
        net.set_input_host("label", &label)
    });
    assert!(last < 0.9 * first, "{first} to {last}");
}

#[test]
fn pairs_of_digits_are_learnt() {
    let (digits, _) = Digits::split().expect("the digits are part of the project");
    let mut rng = Rng::with_seed(1);
    let mut net = DigitPairs::bind(16).expect("a network");
    net.init(&Msra::default(), 1).expect("start values");
    let (first, last) = learn(&mut net, 60, 1e-3, |net| {
        let pairs = Pairs::draw(&digits, 16, 8, &mut rng)?;
        net.set_input_host("left", &pairs.left)?;
        net.set_input_host("right", &pairs.right)?;
        net.set_input_host("same", &pairs.same)
    });
    assert!(last < 0.8 * first, "{first} to {last}");
}

#[test]
fn a_short_lstm_learns_and_carries_its_states() {
    // Not the text of the project, which changes.
    let text = Text::new(&"the cat lay on the mat, and the dog lay on the rug beside it. ".repeat(40));
    let mut net = Short::bind(8).expect("a network");
    net.init(&Uniform(0.08), 1).expect("start values");
    let mut at = 0;
    let (first, last) = learn(&mut net, 80, 5e-3, |net| {
        let (hot, next) = text.batch(at, 4, 8)?;
        net.set_input_host("text", &hot)?;
        net.set_input_host("next", &next)?;
        if at > 0 {
            for (name, state) in ["h1", "c1", "h2", "c2"].into_iter().zip(&net.outputs()[1..]) {
                net.set_input(name, state)?;
            }
        }
        at += 1;
        Ok(())
    });
    assert!(last < 0.8 * first, "{first} to {last}");
    let states = net.outputs()[1].to_vec::<f32>().expect("f32");
    assert!(states.iter().any(|s| *s != 0.0) && states.iter().all(|s| s.abs() < 1.0));
}
