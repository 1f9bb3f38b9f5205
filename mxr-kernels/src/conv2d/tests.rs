use super::*;
use crate::testing::with_threads;

/// Numbers between −1 and 1 that look random.
fn noise<T: ConvElement>(len: usize, seed: u64) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        T::from_f64((state >> 40) as f64 / (1u64 << 23) as f64 - 1.0)
    };
    (0..len).map(|_| next()).collect()
}

/// A convolution with the output size of the formula.
#[derive(Clone, Copy, Debug)]
struct Case {
    x: [usize; 4],
    filters: usize,
    kernel: [usize; 2],
    stride: [u32; 2],
    pad: [u32; 4],
    dilation: [u32; 2],
    groups: u32,
    /// Of x and of y.
    layouts: [Layout; 2],
}

impl Case {
    fn square(x: [usize; 4], filters: usize, kernel: usize, stride: u32, pad: u32) -> Case {
        Case {
            x,
            filters,
            kernel: [kernel; 2],
            stride: [stride; 2],
            pad: [pad; 4],
            dilation: [1; 2],
            groups: 1,
            layouts: [Layout::Nchw; 2],
        }
    }

    fn conv(&self) -> Conv2d {
        let [top, left, bottom, right] = self.pad.map(|p| p as usize);
        let out = |size: usize, pad: usize, axis: usize| {
            let window = self.dilation[axis] as usize * (self.kernel[axis] - 1) + 1;
            (size + pad - window) / self.stride[axis] as usize + 1
        };
        let [n, c, h, w] = self.x;
        let Case { stride, pad, dilation, groups, layouts: [x_layout, y_layout], .. } = *self;
        let attrs = ConvAttrs { stride, pad, dilation, groups, x: x_layout, y: y_layout };
        let weight = [self.filters, c / self.groups as usize, self.kernel[0], self.kernel[1]];
        let y = [n, self.filters, out(h, top + bottom, 0), out(w, left + right, 1)];
        Conv2d::new(named(self.x, x_layout), weight, named(y, y_layout), attrs).unwrap()
    }
}

/// Each as images, and in one of the other layouts.
fn cases() -> Vec<Case> {
    use Layout::{Cnhw, Nchw};
    const OTHERS: [[Layout; 2]; 3] = [[Cnhw, Cnhw], [Nchw, Cnhw], [Cnhw, Nchw]];
    let in_layouts =
        |(at, case): (usize, Case)| [[Nchw; 2], OTHERS[at % 3]].map(|layouts| Case { layouts, ..case });
    images().into_iter().enumerate().flat_map(in_layouts).collect()
}

fn images() -> Vec<Case> {
    let square = Case::square;
    vec![
        square([1, 1, 1, 1], 1, 1, 1, 0),
        square([2, 3, 1, 1], 5, 3, 1, 1),
        square([3, 1, 28, 28], 20, 5, 1, 0),
        square([5, 20, 12, 12], 50, 5, 1, 0),
        square([2, 17, 9, 11], 19, 1, 1, 0),
        square([4, 64, 7, 7], 33, 3, 1, 1),
        square([3, 31, 14, 14], 40, 3, 1, 1),
        square([1, 5, 40, 40], 15, 3, 1, 2),
        square([2, 3, 35, 37], 13, 11, 4, 2),
        square([2, 3, 30, 29], 16, 7, 2, 3),
        square([3, 12, 13, 13], 29, 1, 2, 0),
        square([3, 12, 13, 12], 29, 3, 2, 1),
        square([2, 6, 16, 15], 9, 2, 3, 0),
        square([2, 6, 5, 5], 9, 1, 4, 0),
        square([2, 6, 5, 5], 9, 5, 1, 0),
        square([1, 300, 6, 6], 3, 3, 1, 1),
        square([2, 4, 8, 8], 180, 3, 1, 1),
        Case { pad: [0, 1, 2, 3], ..square([2, 7, 10, 9], 11, 3, 1, 0) },
        Case { pad: [2, 0, 1, 0], kernel: [3, 2], stride: [2, 3], ..square([2, 7, 10, 19], 11, 3, 1, 0) },
        Case { kernel: [1, 7], pad: [0, 3, 0, 3], ..square([2, 8, 17, 17], 16, 1, 1, 0) },
        Case { dilation: [2, 2], ..square([2, 5, 14, 14], 6, 3, 1, 2) },
        Case { dilation: [2, 3], stride: [2, 3], ..square([2, 5, 18, 19], 6, 3, 1, 3) },
        Case { dilation: [2, 2], stride: [2, 2], ..square([2, 5, 14, 14], 6, 2, 1, 0) },
        Case { dilation: [3, 2], stride: [4, 4], ..square([1, 2, 20, 20], 3, 4, 1, 5) },
        Case { groups: 2, ..square([3, 8, 13, 13], 30, 5, 1, 2) },
        Case { groups: 2, ..square([2, 8, 6, 5], 140, 3, 1, 1) },
        Case { groups: 4, ..square([2, 12, 9, 9], 8, 3, 2, 1) },
        Case { groups: 6, ..square([2, 6, 15, 17], 6, 3, 1, 1) },
        Case { groups: 6, ..square([2, 6, 15, 17], 12, 3, 2, 1) },
        Case { groups: 5, dilation: [2, 2], pad: [1, 2, 3, 0], ..square([2, 10, 15, 37], 10, 3, 1, 0) },
        Case { groups: 3, pad: [6, 6, 6, 6], ..square([1, 3, 4, 4], 3, 3, 1, 0) },
        square([2, 17, 13, 9], 70, 3, 1, 2),
        square([5, 40, 30, 31], 24, 3, 1, 1),
        square([5, 9, 14, 14], 100, 3, 1, 0),
        square([1, 8, 5, 70], 9, 3, 1, 2),
        Case { pad: [2, 1, 0, 5], ..square([2, 16, 11, 18], 33, 3, 1, 0) },
        square([2, 17, 13, 9], 37, 5, 1, 2),
        square([3, 5, 7, 66], 9, 5, 1, 4),
        square([1, 40, 19, 18], 70, 5, 1, 2),
        Case { pad: [4, 0, 1, 3], ..square([2, 9, 8, 11], 18, 5, 1, 0) },
        Case { pad: [1, 9, 0, 3], ..square([2, 4, 6, 3], 7, 5, 1, 0) },
        square([0, 3, 8, 8], 4, 5, 1, 2),
        square([1, 3, 40, 75], 8, 11, 4, 2),
        square([3, 330, 5, 5], 20, 1, 1, 0),
        square([2, 5, 9, 9], 330, 1, 2, 0),
        square([0, 3, 8, 8], 4, 3, 1, 1),
        square([0, 3, 8, 20], 4, 3, 1, 1),
        Case { dilation: [2, 3], stride: [1, 2], pad: [3, 0, 1, 4], ..square([3, 2, 19, 40], 37, 4, 1, 0) },
        Case { pad: [2, 14, 0, 15], ..square([2, 4, 3, 2], 7, 3, 1, 0) },
        square([2, 0, 4, 4], 3, 3, 1, 1),
        square([2, 3, 0, 0], 3, 1, 1, 2),
    ]
}

/// What is given as images, lying like this.
fn lying<T: Copy>(strides: Strides, [n, c]: [usize; 2], images: &[T]) -> Vec<T> {
    let mut lying = images.to_vec();
    let plane = images.len() / (n * c).max(1);
    for (at, from) in images.chunks_exact(plane.max(1)).enumerate() {
        lying[strides.at(at / c, at % c)..][..plane].copy_from_slice(from);
    }
    lying
}

struct Operands<T> {
    x: Vec<T>,
    weight: Vec<T>,
    bias: Vec<T>,
    dy: Vec<T>,
}

impl<T: ConvElement> Operands<T> {
    fn new(conv: &Conv2d) -> Self {
        Operands {
            x: lying(conv.x_strides(), [conv.n, conv.c], &noise(conv.x_len(), 1)),
            weight: noise(conv.weight_len(), 2),
            bias: noise(conv.filters, 3),
            dy: lying(conv.y_strides(), [conv.n, conv.filters], &noise(conv.y_len(), 4)),
        }
    }

    fn wide(&self) -> Operands<f64> {
        let wide = |x: &[T]| x.iter().map(|x| x.to_f64()).collect();
        Operands { x: wide(&self.x), weight: wide(&self.weight), bias: wide(&self.bias), dy: wide(&self.dy) }
    }

    /// What a direction gives: y without and with bias, or dx, or dw, from outputs and workspaces full of NaN.
    fn run(&self, conv: &Conv2d, candidate: &Candidate<T>, direction: Direction) -> Vec<Vec<T>> {
        let Operands { x, weight, bias, dy } = self;
        let full = |len| vec![T::NAN; len];
        let workspace = || full(candidate.workspace_len(conv, direction));
        match direction {
            Direction::Forward => [None, Some(&bias[..])]
                .map(|bias| {
                    let mut y = full(conv.y_len());
                    candidate.forward(conv, x, weight, Epilogue::bias(bias), &mut y, &mut workspace());
                    if let Some(len) = candidate.prepared_len(conv) {
                        let (mut prepared, mut again) = (full(len), full(conv.y_len()));
                        let space = &mut full(candidate.prepared_workspace_len(conv));
                        candidate.prepare(conv, weight, &mut prepared);
                        candidate.forward_prepared(
                            conv,
                            x,
                            &prepared,
                            Epilogue::bias(bias),
                            &mut again,
                            space,
                        );
                        let same = y.iter().zip(&again).all(|(a, b)| a == b || a.is_nan() && b.is_nan());
                        assert!(same, "{}: a prepared weight gives other bits: {conv:?}", candidate.name());
                    }
                    y
                })
                .into(),
            Direction::BackwardData => {
                let mut dx = full(conv.x_len());
                candidate.backward_data(conv, dy, weight, Epilogue::NONE, &mut dx, &mut workspace());
                vec![dx]
            }
            Direction::BackwardWeight => {
                let mut dw = full(conv.weight_len());
                candidate.backward_weight(conv, x, dy, &mut dw, &mut workspace());
                vec![dw]
            }
        }
    }
}

const DIRECTIONS: [Direction; 3] = [Direction::Forward, Direction::BackwardData, Direction::BackwardWeight];

/// The candidates that accept a direction, with the factor by which their errors may be larger than those of plain sums.
fn accepting<T: ConvElement>(
    conv: &Conv2d,
    direction: Direction,
) -> impl Iterator<Item = (&'static Candidate<T>, f64)> {
    let accepting = candidates::<T>().iter().filter(move |candidate| candidate.accepts(conv, direction));
    accepting.map(|candidate| (candidate, if candidate.fewer_products { 10.0 } else { 1.0 }))
}

fn reference<T: ConvElement>() -> &'static Candidate<T> {
    candidates::<T>().last().unwrap()
}

/// Every element within `epsilon` times what it sums up, every array within `10 epsilon` of its norm.
fn check<T: ConvElement>(epsilon: f64) -> usize {
    let mut checked = 0;
    for case in cases() {
        let conv = case.conv();
        let operands = Operands::<T>::new(&conv);
        let wide = operands.wide();
        for direction in DIRECTIONS {
            let expected = wide.run(&conv, reference::<f64>(), direction);
            let sums = match direction {
                Direction::Forward => conv.group_channels() * conv.kh * conv.kw,
                Direction::BackwardData => conv.group_filters() * conv.kh * conv.kw,
                Direction::BackwardWeight => conv.n * conv.oh * conv.ow,
            };
            for (candidate, factor) in accepting::<T>(&conv, direction) {
                let name = candidate.name();
                let one = with_threads(1, || operands.run(&conv, candidate, direction));
                for threads in [2, 3] {
                    let other = with_threads(threads, || operands.run(&conv, candidate, direction));
                    assert!(one == other, "{name}: {direction:?}: 1 and {threads} threads differ: {conv:?}");
                }
                let bound = factor * epsilon * (sums.max(1) as f64).sqrt();
                for (output, expected) in one.iter().zip(&expected) {
                    let mut squares = [0.0; 2];
                    for (at, (&value, &expected)) in output.iter().zip(expected).enumerate() {
                        let error = value.to_f64() - expected;
                        assert!(
                            error.abs() <= bound,
                            "{name}: {direction:?}: element {at} is {value:?}, not {expected}: {case:?}"
                        );
                        squares[0] += error * error;
                        squares[1] += expected * expected;
                    }
                    let [error, norm] = squares.map(f64::sqrt);
                    assert!(
                        error <= 3.0 * factor * epsilon * norm,
                        "{name}: {direction:?}: the error is {:.1e} of the norm: {case:?}",
                        error / norm
                    );
                }
                checked += 1;
            }
        }
    }
    checked
}

#[test]
fn layouts_are_permutations() {
    let layouts = [Layout::Cnhw; 2];
    for case in images() {
        let (whole, conv) = (case.conv(), Case { layouts, ..case }.conv());
        for direction in DIRECTIONS {
            let by_image = Operands::<f64>::new(&whole).run(&whole, reference(), direction);
            let actual = Operands::<f64>::new(&conv).run(&conv, reference(), direction);
            for (expected, actual) in by_image.into_iter().zip(actual) {
                let expected = match direction {
                    Direction::Forward => lying(conv.y_strides(), [conv.n, conv.filters], &expected),
                    Direction::BackwardData => lying(conv.x_strides(), [conv.n, conv.c], &expected),
                    Direction::BackwardWeight => expected,
                };
                let near = actual.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12);
                assert!(near, "{direction:?}: {case:?}");
            }
        }
    }
}

#[test]
fn every_candidate_agrees_with_the_reference_in_every_direction() {
    let least = cases().len() * 2 * 3;
    assert!(check::<f32>(3e-6) >= least);
    assert!(check::<f64>(1e-14) >= least);
}

/// Every candidate with an epilogue against itself without one, and what follows done apart, bit for bit.
fn check_epilogue<T: ConvElement>(case: &Case) {
    let conv = case.conv();
    let operands = Operands::<T>::new(&conv);
    let mut residual = noise::<T>(conv.y_len(), 5);
    if let Some(first) = residual.first_mut() {
        *first = T::NAN;
    }
    for candidate in candidates::<T>().iter().filter(|candidate| candidate.accepts(&conv, Direction::Forward))
    {
        let run = |threads: usize, epilogue: Epilogue<'_, T>| {
            let mut y = residual.clone();
            let space = &mut vec![T::NAN; candidate.workspace_len(&conv, Direction::Forward)];
            with_threads(threads, || {
                candidate.forward(&conv, &operands.x, &operands.weight, epilogue, &mut y, space);
            });
            y
        };
        for bias in [None, Some(&operands.bias[..])] {
            let plain = run(1, Epilogue::bias(bias));
            for (over, relu) in [(None, true), (Some(false), false), (Some(false), true), (Some(true), true)]
            {
                let from = over.map(|over| if over { Src::Out } else { Src::Slice(&residual[..]) });
                let expected = plain.iter().zip(&residual).map(|(&y, &r)| {
                    let y = if over.is_some() { y + r } else { y };
                    if relu && y <= T::ZERO { T::ZERO } else { y }
                });
                let expected: Vec<T> = expected.collect();
                for threads in [1, 3] {
                    let y = run(threads, Epilogue { bias, residual: from, relu, mask: None });
                    for (at, (x, y)) in y.iter().zip(&expected).enumerate() {
                        let same = x == y || x.is_nan() && y.is_nan();
                        assert!(
                            same,
                            "{} {over:?} {relu} {at}: {x:?}, not {y:?}: {case:?}",
                            candidate.name()
                        );
                    }
                }
            }
        }
    }
}

/// The same for the gradient of the data, whose epilogue is a residual and a mask. Candidates that add to the image begin with the
/// residual, so their sums round elsewhere.
fn check_data_epilogue<T: ConvElement>(case: &Case, epsilon: f64) {
    let conv = case.conv();
    let direction = Direction::BackwardData;
    let operands = Operands::<T>::new(&conv);
    let (mut residual, mut mask) = (noise::<T>(conv.x_len(), 5), noise::<T>(conv.x_len(), 6));
    if let [first, second, third, ..] = &mut mask[..] {
        (*first, *second, *third) = (T::ONE, T::NAN, T::ZERO);
        residual[0] = T::NAN;
    }
    for candidate in candidates::<T>().iter().filter(|candidate| candidate.accepts(&conv, direction)) {
        let name = candidate.name();
        let adds = name.starts_with("direct")
            || name == "reference"
            || !name.starts_with("winograd") && scatter::is_better::<T>(&conv);
        let run = |threads: usize, epilogue: Epilogue<'_, T>| {
            let mut dx = residual.clone();
            let space = &mut vec![T::NAN; candidate.workspace_len(&conv, direction)];
            with_threads(threads, || {
                candidate.backward_data(&conv, &operands.dy, &operands.weight, epilogue, &mut dx, space);
            });
            dx
        };
        let plain = run(1, Epilogue::NONE);
        for (added, masked) in [(true, false), (false, true), (true, true)] {
            let expected = plain.iter().zip(&residual).zip(&mask).map(|((&x, &r), &m)| {
                let x = if added { x + r } else { x };
                if !masked || m > T::ZERO { x } else { T::ZERO }
            });
            let expected: Vec<T> = expected.collect();
            let mask = masked.then_some(&mask[..]);
            let residual = if added { &[Src::Slice(&residual[..]), Src::Out][..] } else { &[] };
            let sources = residual.iter().map(|r| Some(*r)).chain((!added).then_some(None));
            for (threads, residual) in sources.flat_map(|source| [(1, source), (3, source)]) {
                let dx = run(threads, Epilogue { residual, mask, ..Epilogue::NONE });
                let bound =
                    if adds { epsilon * (conv.filters.max(1) * conv.kh * conv.kw) as f64 } else { 0.0 };
                for (at, (x, y)) in dx.iter().zip(&expected).enumerate() {
                    let near = (x.to_f64() - y.to_f64()).abs() <= bound;
                    assert!(
                        near || x.is_nan() && y.is_nan(),
                        "{name} {residual:?} {masked} {at}: {x:?}, not {y:?}: {case:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_follows_has_the_bits_of_a_step_of_its_own() {
    for case in cases() {
        check_epilogue::<f32>(&case);
        check_epilogue::<f64>(&case);
        check_data_epilogue::<f32>(&case, 1e-6);
        check_data_epilogue::<f64>(&case, 1e-15);
    }
    // Long sums, in several rectangles.
    check_epilogue::<f32>(&Case::square([3, 70, 17, 17], 270, 3, 1, 1));
    check_data_epilogue::<f32>(&Case::square([3, 270, 17, 17], 170, 3, 1, 1), 1e-6);
    check_epilogue::<f32>(&Case::square([2, 70, 13, 13], 170, 5, 1, 2));
    check_data_epilogue::<f32>(&Case::square([2, 170, 13, 13], 70, 5, 1, 2), 1e-6);
    // Rows that are longer than what is summed up at a time.
    check_epilogue::<f32>(&Case { groups: 2, ..Case::square([1, 2, 3, 600], 2, 3, 1, 1) });
}

#[test]
fn long_sums_are_cut_and_joined() {
    let conv = Case::square([8, 2, 40, 40], 3, 3, 1, 1).conv();
    let direction = Direction::BackwardWeight;
    let portable = candidates::<f32>().iter().find(|candidate| candidate.name() == "portable").unwrap();
    assert!(portable.workspace_len(&conv, direction) > 2 * conv.weight_len());
    let operands = Operands::<f32>::new(&conv);
    let expected = operands.wide().run(&conv, reference::<f64>(), direction);
    for (candidate, _) in accepting::<f32>(&conv, direction) {
        let one = with_threads(1, || operands.run(&conv, candidate, direction));
        let three = with_threads(3, || operands.run(&conv, candidate, direction));
        assert!(one == three, "{}", candidate.name());
        for (&value, &expected) in one[0].iter().zip(&expected[0]) {
            assert!((f64::from(value) - expected).abs() < 3e-4, "{}: {value} {expected}", candidate.name());
        }
    }
}

/// Every element of the inputs in turn is NaN or infinite; what it reaches must be the same as in the reference. Winograd's
/// algorithm may spread it further, and make NaN of what is infinite.
#[test]
fn nothing_that_is_not_finite_is_lost() {
    let cases = [
        Case::square([2, 3, 5, 6], 4, 3, 1, 1),
        Case::square([2, 3, 5, 6], 4, 5, 1, 2),
        Case::square([2, 3, 7, 5], 4, 3, 2, 1),
        Case { groups: 2, ..Case::square([1, 2, 4, 5], 2, 3, 1, 1) },
        Case { layouts: [Layout::Cnhw; 2], ..Case::square([2, 3, 5, 6], 4, 3, 1, 1) },
    ];
    for case in cases {
        let conv = case.conv();
        for (bad, zero_weights) in [(f32::NAN, false), (f32::INFINITY, false), (f32::INFINITY, true)] {
            let mut operands = Operands::<f32>::new(&conv);
            if zero_weights {
                // 0 · ∞ is NaN: a kernel that skips zeros would lose it.
                operands.weight.fill(0.0);
            }
            for at in (0..conv.x_len()).step_by(7) {
                let old = std::mem::replace(&mut operands.x[at], bad);
                let at_y = at % conv.y_len();
                let old_y = std::mem::replace(&mut operands.dy[at_y], bad);
                for direction in [Direction::Forward, Direction::BackwardData] {
                    let expected = operands.run(&conv, reference(), direction);
                    for (candidate, factor) in accepting::<f32>(&conv, direction) {
                        let actual = operands.run(&conv, candidate, direction);
                        let pairs = actual.iter().flatten().zip(expected.iter().flatten());
                        for (a, b) in pairs {
                            let same = if factor > 1.0 {
                                !a.is_finite() || b.is_finite()
                            } else {
                                a.is_nan() == b.is_nan() && a.is_finite() == b.is_finite()
                            };
                            assert!(same, "{}: {case:?}", candidate.name());
                        }
                    }
                }
                operands.x[at] = old;
                operands.dy[at_y] = old_y;
            }
        }
    }
}

/// What is prepared for one image serves any others.
#[test]
fn prepared_weights_depend_on_the_weight_alone() {
    let [small, large] = [[1, 20, 5, 5], [3, 20, 23, 30]].map(|x| Case::square(x, 33, 3, 1, 1).conv());
    let weight = noise::<f32>(small.weight_len(), 2);
    let mut prepare = 0;
    for (candidate, _) in accepting::<f32>(&small, Direction::Forward) {
        let prepared = [small, large].map(|conv| {
            let mut to = vec![f32::NAN; candidate.prepared_len(&conv)?];
            candidate.prepare(&conv, &weight, &mut to);
            Some(to)
        });
        prepare += usize::from(prepared[0].is_some());
        assert!(prepared[0] == prepared[1], "{}", candidate.name());
    }
    assert!(prepare > 0);
}

#[test]
#[should_panic(expected = "elements of the prepared weight")]
fn a_plain_weight_is_no_prepared_one() {
    let conv = Case::square([1, 2, 4, 4], 3, 3, 1, 1).conv();
    let operands = Operands::<f32>::new(&conv);
    let candidate = prepared::select::<f32>(&conv).unwrap();
    candidate.prepare(&conv, &operands.weight, &mut vec![0.0; conv.weight_len() + 1000]);
}

#[test]
fn shapes_that_do_not_belong_together_are_told_apart() {
    let attrs = ConvAttrs::default();
    let fault = |x, w, y, attrs| Conv2d::new(x, w, y, attrs).unwrap_err();
    assert!(fault([1, 3, 8, 8], [4, 2, 3, 3], [1, 4, 6, 6], attrs).contains("needs 3 channels"));
    assert!(
        fault([1, 3, 2, 8], [4, 3, 3, 3], [1, 4, 1, 6], attrs).contains("a window of 3 does not fit into 2")
    );
    assert!(fault([1, 3, 8, 8], [4, 3, 3, 3], [1, 4, 6, 5], attrs).contains("the output is [1, 4, 6, 6]"));
    assert!(fault([1, 3, 8, 8], [4, 3, 0, 3], [1, 4, 6, 6], attrs).contains("at least 1"));
    let two = ConvAttrs { groups: 2, ..attrs };
    assert!(fault([1, 3, 8, 8], [4, 1, 3, 3], [1, 4, 6, 6], two).contains("2 groups"));
    let none = ConvAttrs { groups: 0, ..attrs };
    assert!(fault([1, 3, 8, 8], [4, 1, 3, 3], [1, 4, 6, 6], none).contains("0 groups"));
}

#[test]
#[should_panic(expected = "needs a workspace of")]
fn a_short_workspace_is_a_broken_invariant() {
    let conv = Case::square([1, 2, 4, 4], 3, 3, 1, 0).conv();
    let operands = Operands::<f32>::new(&conv);
    forward(&conv, &operands.x, &operands.weight, Epilogue::NONE, &mut vec![0.0; conv.y_len()], &mut []);
}
