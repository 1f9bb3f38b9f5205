//! Kernel families on layer shapes of the zoo: every candidate that this machine can run, beside the FMA peak where
//! multiply-adds bound it and beside copying where memory does.
//!
//! ```sh
//! cargo bench -p mxr-benches --bench kernels            # all, about five minutes
//! cargo bench -p mxr-benches --bench kernels -- gemm    # one family
//! MXR_ISA=avx2 cargo bench -p mxr-benches --bench kernels -- conv2d
//! ```

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use mxr::graph::expr::Expr;
use mxr::graph::instr::{BatchNormAttrs, BinOp, ConvAttrs, PoolAttrs, PoolKind, UnOp};
use mxr_benches::measured::{Work, bench};
use mxr_benches::numbers;
use mxr_kernels::batch_norm::{self, BatchNorm};
use mxr_kernels::conv2d::{self, Conv2d, Direction};
use mxr_kernels::epilogue::Epilogue;
use mxr_kernels::gemm::{self, Gemm};
use mxr_kernels::map::{Plan, Src};
use mxr_kernels::optimizer::{self, Common};
use mxr_kernels::pool2d::{self, Pool2d};
use mxr_kernels::softmax::{self, Softmax};
use std::time::Duration;

/// Bytes of an `f32`.
const F32: f64 = 4.0;

fn settings() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
}

fn gemm(c: &mut Criterion) {
    let mut group = c.benchmark_group("gemm");
    // Squares, then dense layers, of AlexNet at batch 16 and of a perceptron at batch 128: forward, data gradient, weight gradient.
    let dense = Gemm::new(16, 4096, 9216);
    let perceptron = Gemm::new(128, 512, 784);
    let problems = [
        ("512", Gemm::new(512, 512, 512)),
        ("1024", Gemm::new(1024, 1024, 1024)),
        ("2048", Gemm::new(2048, 2048, 2048)),
        ("dense 16x9216x4096", dense.transposed(false, true)),
        ("dense data gradient", Gemm::new(16, 9216, 4096)),
        ("dense weight gradient", Gemm::new(4096, 9216, 16).transposed(true, false)),
        ("dense 128x784x512", perceptron.transposed(false, true)),
        ("dense 128 data gradient", Gemm::new(128, 784, 512)),
        ("dense 128 weight gradient", Gemm::new(512, 784, 128).transposed(true, false)),
    ];
    for (name, desc) in problems {
        let (a, b) = (numbers(desc.m * desc.k), numbers(desc.k * desc.n));
        let mut y = vec![0f32; desc.m * desc.n];
        let work = Work::Flops(2.0 * (desc.m * desc.n * desc.k) as f64);
        // The reference takes minutes.
        for candidate in
            gemm::candidates::<f32>().iter().filter(|c| c.name() != "reference" && c.accepts(&desc))
        {
            bench(&mut group, BenchmarkId::new(candidate.name(), name), work, || {
                candidate.run(&desc, &a, &b, Epilogue::NONE, &mut y);
            });
        }
    }
    // At batch 1 every weight is used once: the layer is bound by memory.
    for (name, desc) in [
        ("dense 1x9216x4096", Gemm::new(1, 4096, 9216).transposed(false, true)),
        ("dense 1 data gradient", Gemm::new(1, 9216, 4096)),
    ] {
        let (a, b) = (numbers(desc.k), numbers(desc.k * desc.n));
        let mut y = vec![0f32; desc.n];
        let work = Work::Bytes(F32 * (desc.k * desc.n + desc.k + desc.n) as f64);
        let candidate = gemm::select::<f32>(&desc);
        bench(&mut group, BenchmarkId::new(candidate.name(), name), work, || {
            candidate.run(&desc, &a, &b, Epilogue::NONE, &mut y);
        });
    }
}

/// Name, input `[n, c, h, w]`, filters, kernel, stride, padding, groups.
type Layer = (&'static str, [usize; 4], usize, usize, u32, u32, u32);

const LAYERS: [Layer; 7] = [
    ("alexnet conv1", [4, 3, 224, 224], 64, 11, 4, 2, 1),
    ("alexnet conv2", [4, 64, 27, 27], 192, 5, 1, 2, 1),
    ("vgg_a conv2", [1, 64, 112, 112], 128, 3, 1, 1, 1),
    ("vgg_a conv6", [4, 512, 14, 14], 512, 3, 1, 1, 1),
    ("googlenet 4a 1x1", [4, 480, 14, 14], 192, 1, 1, 0, 1),
    ("resnet50 downsampling", [4, 128, 56, 56], 128, 3, 2, 1, 1),
    ("depthwise", [4, 256, 28, 28], 256, 3, 1, 1, 256),
];

fn conv2d(c: &mut Criterion) {
    let mut group = c.benchmark_group("conv2d");
    for (name, x, filters, kernel, stride, pad, groups) in LAYERS {
        let attrs = ConvAttrs { stride: [stride; 2], pad: [pad; 4], groups, ..ConvAttrs::default() };
        let out = |size: usize| (size + 2 * pad as usize - kernel) / stride as usize + 1;
        let weight = [filters, x[1] / groups as usize, kernel, kernel];
        let y = [x[0], filters, out(x[2]), out(x[3])];
        let conv = Conv2d::new(x, weight, y, attrs).expect("a layer of the zoo");
        let len = |s: [usize; 4]| s.iter().product::<usize>();
        let work = Work::Flops(2.0 * (len(y) * len(weight) / filters) as f64);
        let (mut xs, mut ws, mut ys) = (numbers(len(x)), numbers(len(weight)), numbers(len(y)));
        for candidate in conv2d::candidates::<f32>().iter().filter(|c| c.name() != "reference") {
            for direction in [Direction::Forward, Direction::BackwardData, Direction::BackwardWeight] {
                if !candidate.accepts(&conv, direction) {
                    continue;
                }
                let mut space = vec![0f32; candidate.workspace_len(&conv, direction)];
                let id =
                    |direction: &str| BenchmarkId::new(format!("{}/{direction}", candidate.name()), name);
                match direction {
                    Direction::Forward => bench(&mut group, id("forward"), work, || {
                        candidate.forward(&conv, &xs, &ws, Epilogue::NONE, &mut ys, &mut space);
                    }),
                    Direction::BackwardData => bench(&mut group, id("backward data"), work, || {
                        candidate.backward_data(&conv, &ys, &ws, Epilogue::NONE, &mut xs, &mut space);
                    }),
                    Direction::BackwardWeight => bench(&mut group, id("backward weight"), work, || {
                        candidate.backward_weight(&conv, &xs, &ys, &mut ws, &mut space);
                    }),
                }
            }
        }
    }
}

fn pool2d(c: &mut Criterion) {
    let mut group = c.benchmark_group("pool2d");
    // Kind, kernel, stride, padding, channels, height and width.
    let layers = [
        (PoolKind::Max, 2, 2, 0, 64, 56),
        (PoolKind::Max, 3, 2, 0, 64, 56),
        (PoolKind::Avg, 3, 2, 0, 64, 56),
        (PoolKind::Max, 3, 1, 1, 192, 28),
        (PoolKind::Avg, 3, 1, 1, 192, 28),
        (PoolKind::Max, 3, 1, 1, 1024, 7),
        (PoolKind::Avg, 3, 1, 1, 1024, 7),
    ];
    for (kind, kernel, stride, pad, channels, h) in layers {
        let n = 16;
        let o = (h + 2 * pad as usize - kernel as usize) / stride as usize + 1;
        let attrs = PoolAttrs {
            kind,
            kernel: [kernel; 2],
            stride: [stride; 2],
            pad: [pad; 4],
            count_pad: false,
            global: false,
        };
        let d = Pool2d { n, c: channels, h, w: h, oh: o, ow: o, attrs };
        let (inside, outside) = (n * channels * h * h, n * channels * o * o);
        let (x, mut y, dy, mut dx) =
            (numbers(inside), vec![0f32; outside], numbers(outside), vec![0f32; inside]);
        let name = format!("{kind:?} {kernel}/{stride} at {h}");
        let work = Work::Bytes(F32 * (inside + outside) as f64);
        bench(&mut group, BenchmarkId::new("forward", &name), work, || pool2d::forward(&d, &x, &mut y));
        if kind == PoolKind::Max {
            let mut places = vec![0u8; outside];
            let work = Work::Bytes(F32 * (inside + outside) as f64 + outside as f64);
            bench(&mut group, BenchmarkId::new("forward, places", &name), work, || {
                pool2d::forward_places(&d, &x, &mut y, &mut places);
            });
            bench(&mut group, BenchmarkId::new("backward, places", &name), work, || {
                pool2d::backward_places(&d, &places, &dy, &mut dx);
            });
            let work = Work::Bytes(F32 * (2 * inside + outside) as f64);
            bench(&mut group, BenchmarkId::new("backward", &name), work, || {
                pool2d::backward_max(&d, &x, &dy, &mut dx);
            });
        } else {
            bench(&mut group, BenchmarkId::new("backward", &name), work, || {
                pool2d::backward_avg(&d, &dy, &mut dx);
            });
        }
    }
}

fn batch_norm(c: &mut Criterion) {
    let mut group = c.benchmark_group("batch_norm");
    let attrs = BatchNormAttrs { axis: 1, eps: 1e-5, momentum: 0.9, fix_gamma: false };
    let d = BatchNorm { outer: 16, channels: 64, inner: 56 * 56, attrs, relu: false };
    let n = d.elements();
    let (x, dy, mut y) = (numbers(n), numbers(n), vec![0f32; n]);
    let (gamma, beta) = (vec![1f32; 64], vec![0f32; 64]);
    let (mut moving_mean, mut moving_var) = (vec![0f32; 64], vec![1f32; 64]);
    let (mut mean, mut inv_std) = (vec![0f32; 64], vec![1f32; 64]);
    let (mut dgamma, mut dbeta) = (vec![0f32; 64], vec![0f32; 64]);
    // Statistics read the input once more than the result does.
    bench(&mut group, BenchmarkId::new("train", "16x64x56x56"), Work::Bytes(F32 * 3.0 * n as f64), || {
        batch_norm::train(
            &d,
            &x,
            &gamma,
            &beta,
            None,
            &mut moving_mean,
            &mut moving_var,
            &mut y,
            &mut mean,
            &mut inv_std,
        );
    });
    bench(&mut group, BenchmarkId::new("predict", "16x64x56x56"), Work::Bytes(F32 * 2.0 * n as f64), || {
        batch_norm::infer(&d, Src::Slice(&x), &gamma, &beta, &moving_mean, &moving_var, None, &mut y);
    });
    bench(&mut group, BenchmarkId::new("backward", "16x64x56x56"), Work::Bytes(F32 * 5.0 * n as f64), || {
        let (x, dy) = (Src::Slice(&x[..]), Src::Slice(&dy[..]));
        batch_norm::backward(&d, x, &gamma, &mean, &inv_std, dy, None, &mut y, &mut dgamma, &mut dbeta);
    });
}

fn softmax(c: &mut Criterion) {
    let mut group = c.benchmark_group("softmax");
    for (outer, classes) in [(256, 1000), (65_536, 10)] {
        let d = Softmax { outer, classes, inner: 1, log: false };
        let (x, mut y) = (numbers(d.elements()), vec![0f32; d.elements()]);
        let work = Work::Bytes(F32 * 2.0 * d.elements() as f64);
        bench(&mut group, BenchmarkId::new("forward", format!("{outer}x{classes}")), work, || {
            softmax::forward(&d, Src::Slice(&x), &mut y);
        });
    }
}

fn map(c: &mut Criterion) {
    let mut group = c.benchmark_group("map");
    const N: usize = 1 << 22;
    let (x, z, mut y) = (numbers(N), numbers(N), vec![0f32; N]);
    let expressions = [
        ("add", Expr::binary(BinOp::Add)),
        ("exp", Expr::unary(UnOp::Exp)),
        ("tanh", Expr::unary(UnOp::Tanh)),
        (
            "relu(x * z + 1)",
            Expr::build(|e| {
                let (x, z, one, zero) = (e.input(0), e.input(1), e.constant(1.0), e.constant(0.0));
                let product = e.bin(BinOp::Mul, x, z);
                let sum = e.bin(BinOp::Add, product, one);
                e.bin(BinOp::Max, sum, zero)
            }),
        ),
    ];
    for (name, expr) in expressions {
        let inputs = expr.inputs();
        let plan = Plan::new(&expr.lines, &vec![&[N][..]; inputs], &[N]).expect("equal shapes");
        let sources = &[Src::Slice(&x[..]), Src::Slice(&z[..])][..inputs];
        let work = Work::Bytes(F32 * ((inputs + 1) * N) as f64);
        bench(&mut group, BenchmarkId::new("f32", name), work, || plan.run(sources, &mut y));
    }
}

fn optimizer(c: &mut Criterion) {
    let mut group = c.benchmark_group("optimizer");
    const N: usize = 1 << 22;
    let common = Common { lr: 1e-3, wd: 1e-4, rescale: 1.0, clip: None };
    let (g, mut w, mut m, mut v) = (numbers(N), numbers(N), vec![0f32; N], vec![0f32; N]);
    bench(&mut group, BenchmarkId::new("sgd", N), Work::Bytes(F32 * 3.0 * N as f64), || {
        optimizer::sgd(&common, &g, &mut w);
    });
    bench(&mut group, BenchmarkId::new("sgd momentum", N), Work::Bytes(F32 * 5.0 * N as f64), || {
        optimizer::sgd_momentum(&common, 0.9, &g, &mut w, &mut m);
    });
    m.fill(0.0);
    bench(&mut group, BenchmarkId::new("adam", N), Work::Bytes(F32 * 7.0 * N as f64), || {
        optimizer::adam(&common, &optimizer::Adam::default(), &g, &mut w, &mut m, &mut v);
    });
}

criterion_group! {
    name = kernels;
    config = settings();
    targets = gemm, conv2d, pool2d, batch_norm, softmax, map, optimizer
}
criterion_main!(kernels);
