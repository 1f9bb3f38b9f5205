//! Convolutions of the convnets, each candidate in each direction: what a step of direct convolution would need in multiply-adds, as a
//! share of the machine's peak. More than 100 % is the gain of an algorithm with fewer multiplications.
//!
//! ```sh
//! MXR_NUM_THREADS=2 cargo run --release -p mxr-benches --example conv -- vgg      # layers whose names contain "vgg"
//! cargo run --release -p mxr-benches --example conv -- resnet forward avx2       # one direction, one candidate
//! ```
//!
//! Candidates take turns, so what else the machine does meets all of them; the best of their turns counts. The one that mxr chooses has a
//! star. The line at the end adds up the best times of the chosen candidates.

use mxr::graph::instr::ConvAttrs;
use mxr_benches::{numbers, yardstick};
use mxr_kernels::conv2d::{self, Candidate, Conv2d, Direction};
use mxr_kernels::epilogue::Epilogue;
use std::time::Instant;

/// Name, channels, height and width, filters, kernel, stride, padding.
type Layer = (&'static str, usize, usize, usize, usize, u32, u32);

const LAYERS: &[Layer] = &[
    ("lenet 5x5 20-50@12", 20, 12, 50, 5, 1, 0),
    ("alexnet 11x11/4 3-64@224", 3, 224, 64, 11, 4, 2),
    ("alexnet 5x5 64-192@27", 64, 27, 192, 5, 1, 2),
    ("alexnet 3x3 192-384@13", 192, 13, 384, 3, 1, 1),
    ("alexnet 3x3 384-256@13", 384, 13, 256, 3, 1, 1),
    ("overfeat 5x5 96-256@24", 96, 24, 256, 5, 1, 0),
    ("overfeat 3x3 256-512@12", 256, 12, 512, 3, 1, 1),
    ("overfeat 3x3 512-1024@12", 512, 12, 1024, 3, 1, 1),
    ("vgg 3x3 3-64@224", 3, 224, 64, 3, 1, 1),
    ("vgg 3x3 64-128@112", 64, 112, 128, 3, 1, 1),
    ("vgg 3x3 128-256@56", 128, 56, 256, 3, 1, 1),
    ("vgg 3x3 256-512@28", 256, 28, 512, 3, 1, 1),
    ("vgg 3x3 512-512@14", 512, 14, 512, 3, 1, 1),
    ("googlenet 7x7/2 3-64@224", 3, 224, 64, 7, 2, 3),
    ("googlenet 1x1 64-64@56", 64, 56, 64, 1, 1, 0),
    ("googlenet 3x3 64-192@56", 64, 56, 192, 3, 1, 1),
    ("googlenet 3x3 96-128@28", 96, 28, 128, 3, 1, 1),
    ("googlenet 1x1 192-96@28", 192, 28, 96, 1, 1, 0),
    ("googlenet 5x5 16-32@28", 16, 28, 32, 5, 1, 2),
    ("googlenet 5x5 32-96@28", 32, 28, 96, 5, 1, 2),
    ("googlenet 5x5 16-48@14", 16, 14, 48, 5, 1, 2),
    ("googlenet 5x5 32-128@14", 32, 14, 128, 5, 1, 2),
    ("googlenet 5x5 48-128@7", 48, 7, 128, 5, 1, 2),
    ("googlenet 1x1 480-192@14", 480, 14, 192, 1, 1, 0),
    ("googlenet 3x3 96-208@14", 96, 14, 208, 3, 1, 1),
    ("googlenet 3x3 160-320@14", 160, 14, 320, 3, 1, 1),
    ("googlenet 3x3 192-384@7", 192, 7, 384, 3, 1, 1),
    ("googlenet 1x1 832-384@7", 832, 7, 384, 1, 1, 0),
    ("resnet50 1x1 64-256@56", 64, 56, 256, 1, 1, 0),
    ("resnet50 1x1 256-64@56", 256, 56, 64, 1, 1, 0),
    ("resnet50 3x3 64-64@56", 64, 56, 64, 3, 1, 1),
    ("resnet50 3x3/2 128-128@56", 128, 56, 128, 3, 2, 1),
    ("resnet50 1x1/2 256-512@56", 256, 56, 512, 1, 2, 0),
    ("resnet50 1x1 512-128@28", 512, 28, 128, 1, 1, 0),
    ("resnet50 1x1 128-512@28", 128, 28, 512, 1, 1, 0),
    ("resnet50 3x3 128-128@28", 128, 28, 128, 3, 1, 1),
    ("resnet50 1x1 1024-256@14", 1024, 14, 256, 1, 1, 0),
    ("resnet50 1x1 256-1024@14", 256, 14, 1024, 1, 1, 0),
    ("resnet50 3x3 256-256@14", 256, 14, 256, 3, 1, 1),
    ("resnet50 1x1 2048-512@7", 2048, 7, 512, 1, 1, 0),
    ("resnet50 1x1 512-2048@7", 512, 7, 2048, 1, 1, 0),
    ("resnet50 3x3 512-512@7", 512, 7, 512, 3, 1, 1),
];

const BATCH: usize = 8;

const DIRECTIONS: [(Direction, &str); 3] = [
    (Direction::Forward, "forward"),
    (Direction::BackwardData, "data"),
    (Direction::BackwardWeight, "weight"),
];

/// Least time that the turns of one layer and direction take together, in seconds.
const TURNS: f64 = 0.15;

struct Arrays {
    x: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    y: Vec<f32>,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let is_direction = |word: &&String| DIRECTIONS.iter().any(|(_, name)| name == word);
    let is_candidate = |word: &&String| conv2d::candidates::<f32>().iter().any(|c| c.name() == **word);
    let wanted = |kind: &dyn Fn(&&String) -> bool, name: &str| {
        let mut named = words.iter().filter(|word| kind(word)).peekable();
        named.peek().is_none() || named.any(|word| word == name)
    };
    let is_layer = |word: &&String| !is_direction(word) && !is_candidate(word);
    let threads = std::env::var("MXR_NUM_THREADS").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
    pool.install(|| {
        let peak = yardstick::fma_peak();
        println!("peak {:.1} GFLOP/s, {} threads, batch {BATCH}", peak / 1e9, rayon::current_num_threads());
        let (mut seconds, mut flops) = (0.0, 0.0);
        for layer in LAYERS {
            let mut named = words.iter().filter(is_layer).peekable();
            if named.peek().is_some() && !named.any(|word| layer.0.contains(word.as_str())) {
                continue;
            }
            let (conv, work, mut arrays) = prepare(layer);
            for (direction, name) in DIRECTIONS {
                if !wanted(&is_direction, name) {
                    continue;
                }
                let candidates: Vec<_> = conv2d::candidates::<f32>()
                    .iter()
                    .filter(|c| c.name() != "reference" && !c.name().contains("portable"))
                    .filter(|c| c.accepts(&conv, direction) && wanted(&is_candidate, c.name()))
                    .collect();
                let best = take_turns(&candidates, &conv, direction, &mut arrays);
                let chosen = conv2d::select::<f32>(&conv, direction).name();
                print!("{:<28}{name:<8}", layer.0);
                for (candidate, best) in candidates.iter().zip(best) {
                    let star = if candidate.name() == chosen { "*" } else { "" };
                    let share = format!("{:.0}%{star}", 100.0 * work / best / peak);
                    print!("  {} {share:<6}", candidate.name());
                    if candidate.name() == chosen {
                        seconds += best;
                        flops += work;
                    }
                }
                println!();
            }
        }
        println!("together {:.0}% of the peak", 100.0 * flops / seconds / peak);
    });
}

fn prepare(&(_, c, size, filters, kernel, stride, pad): &Layer) -> (Conv2d, f64, Arrays) {
    let out = (size + 2 * pad as usize - kernel) / stride as usize + 1;
    let attrs = ConvAttrs { stride: [stride; 2], pad: [pad; 4], ..ConvAttrs::default() };
    let (x, weight, y) = ([BATCH, c, size, size], [filters, c, kernel, kernel], [BATCH, filters, out, out]);
    let conv = Conv2d::new(x, weight, y, attrs).expect("a layer of the zoo");
    let array = |shape: [usize; 4]| numbers(shape.iter().product());
    let work = 2.0 * (BATCH * filters * out * out * c * kernel * kernel) as f64;
    (conv, work, Arrays { x: array(x), weight: array(weight), bias: numbers(filters), y: array(y) })
}

/// The best time of each candidate, in seconds.
fn take_turns(
    candidates: &[&Candidate<f32>],
    conv: &Conv2d,
    direction: Direction,
    arrays: &mut Arrays,
) -> Vec<f64> {
    let longest = candidates.iter().map(|c| c.workspace_len(conv, direction)).max().unwrap_or(0);
    let mut workspace = vec![0f32; longest];
    let mut best = vec![f64::INFINITY; candidates.len()];
    let begin = Instant::now();
    let mut turns = 0;
    while turns < 3 || begin.elapsed().as_secs_f64() < TURNS * candidates.len() as f64 {
        for (candidate, best) in candidates.iter().zip(&mut best) {
            let Arrays { x, weight, bias, y } = &mut *arrays;
            let start = Instant::now();
            match direction {
                Direction::Forward => {
                    candidate.forward(conv, x, weight, Epilogue::bias(Some(bias)), y, &mut workspace)
                }
                Direction::BackwardData => {
                    candidate.backward_data(conv, y, weight, Epilogue::NONE, x, &mut workspace)
                }
                Direction::BackwardWeight => candidate.backward_weight(conv, x, y, weight, &mut workspace),
            }
            *best = best.min(start.elapsed().as_secs_f64());
        }
        turns += 1;
    }
    best
}
