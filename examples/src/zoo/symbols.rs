//! The normalised networks of the zoo as symbols, which are compiled at run time, with the passes that one chooses. Weights come in
//! the order of the networks that `network!` declares, under other names.

use mxr::{Symbol, opts};

/// [`ResNet50`](super::resnet::ResNet50), logits out.
pub fn resnet50() -> Symbol {
    let conv = |x: &Symbol, filters: usize, kernel: usize, stride: usize, pad: usize| {
        x.conv2d_with(filters, kernel, opts::Conv2d::new().stride(stride).pad(pad).bias(false)).batch_norm()
    };
    let mut x = conv(&Symbol::input("data"), 64, 7, 2, 3).relu();
    x = x.max_pool_with(3, opts::MaxPool::new().stride(2).pad(1));
    for (blocks, filters, first) in [(3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2)] {
        for block in 0..blocks {
            let stride = if block == 0 { first } else { 1 };
            let a = conv(&x, filters, 1, 1, 0).relu();
            let b = conv(&a, filters, 3, stride, 1).relu();
            let c = conv(&b, 4 * filters, 1, 1, 0);
            let shortcut = if block == 0 { conv(&x, 4 * filters, 1, stride, 0) } else { x };
            x = (&c + &shortcut).relu();
        }
    }
    x.global_avg_pool().dense(1000)
}

/// [`InceptionBnLogits`](super::googlenet::bn::InceptionBnLogits).
pub fn inception_bn() -> Symbol {
    let conv = |x: &Symbol, filters: usize, kernel: usize, stride: usize, pad: usize| {
        x.conv2d_with(filters, kernel, opts::Conv2d::new().stride(stride).pad(pad)).batch_norm().relu()
    };
    let pool = |x: &Symbol| x.max_pool_with(3, opts::MaxPool::new().stride(2).rounding("ceil"));
    let same = |x: &Symbol, [c1, r3, c3, rd, cd, project]: [usize; 6], max: bool| {
        let b1 = conv(x, c1, 1, 1, 0);
        let b3 = conv(&conv(x, r3, 1, 1, 0), c3, 3, 1, 1);
        let bd = conv(&conv(&conv(x, rd, 1, 1, 0), cd, 3, 1, 1), cd, 3, 1, 1);
        let pooled = match max {
            true => x.max_pool_with(3, opts::MaxPool::new().stride(1).pad(1)),
            false => x.avg_pool_with(3, opts::AvgPool::new().stride(1).pad(1)),
        };
        Symbol::concat(&[&b1, &b3, &bd, &conv(&pooled, project, 1, 1, 0)])
    };
    let half = |x: &Symbol, [r3, c3, rd, cd]: [usize; 4]| {
        let b3 = conv(&conv(x, r3, 1, 1, 0), c3, 3, 2, 1);
        let bd = conv(&conv(&conv(x, rd, 1, 1, 0), cd, 3, 1, 1), cd, 3, 2, 1);
        Symbol::concat(&[&b3, &bd, &pool(x)])
    };
    let mut x = pool(&conv(&Symbol::input("data"), 64, 7, 2, 3));
    x = pool(&conv(&conv(&x, 64, 1, 1, 0), 192, 3, 1, 1));
    x = same(&x, [64, 64, 64, 64, 96, 32], false);
    x = same(&x, [64, 64, 96, 64, 96, 64], false);
    x = half(&x, [128, 160, 64, 96]);
    x = same(&x, [224, 64, 96, 96, 128, 128], false);
    x = same(&x, [192, 96, 128, 96, 128, 128], false);
    x = same(&x, [160, 128, 160, 128, 160, 128], false);
    x = same(&x, [96, 128, 192, 160, 192, 128], false);
    x = half(&x, [128, 192, 192, 256]);
    x = same(&x, [352, 192, 320, 160, 224, 128], false);
    x = same(&x, [352, 192, 320, 192, 224, 128], true);
    x.avg_pool_with(7, opts::AvgPool::new().stride(1)).flatten().dense(1000)
}
