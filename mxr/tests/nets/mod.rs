//! Networks that several suites train.

use mxr::{DType, Symbol, opts};

/// Everything that shares memory in an unusual way: branches, a concatenation, a sum around a shortcut, batch normalisation,
/// both poolings, dropout. Input `data` `[n, 2, 8, 8]` (or another square), `label` `[n]`, 3 classes.
pub(crate) fn branchy() -> Symbol {
    let (data, label) = (Symbol::input("data"), Symbol::input("label").dtype(DType::I64));
    let conv = |x: &Symbol, filters: usize, kernel: usize, name: &str| {
        let options = opts::Conv2d::new().pad((kernel - 1) / 2).name(name);
        x.conv2d_with(filters, kernel, options)
    };
    let norm = |x: &Symbol, name: &str| x.batch_norm_with(opts::BatchNorm::new().name(name));
    let stem = norm(&conv(&data, 4, 3, "stem"), "stem_bn").relu();
    let left = conv(&stem, 3, 1, "left").sigmoid();
    let right = norm(&conv(&stem, 5, 5, "right"), "right_bn").relu();
    let joined = Symbol::concat(&[&left, &right]);
    let shortcut = conv(&stem, 8, 1, "shortcut");
    let sum = (&joined + &shortcut).relu();
    let pooled = sum.max_pool_with(2, opts::MaxPool::new().stride(2));
    let mean = pooled.avg_pool_with(2, opts::AvgPool::new().stride(2));
    let fc1 = mean.flatten().dense_with(16, opts::Dense::new().name("fc1")).relu();
    let kept = fc1.dropout_with(opts::Dropout::new().p(0.25));
    let scores = kept.dense_with(3, opts::Dense::new().name("fc2"));
    scores.softmax_cross_entropy(&label)
}
