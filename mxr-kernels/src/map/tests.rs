use mxr_graph::instr::{BinOp, Scalar, UnOp};

use super::*;
use crate::level::{Fused, Level, Separate};
use crate::testing::with_threads;

const UN: [UnOp; 12] = [
    UnOp::Neg,
    UnOp::Abs,
    UnOp::Sign,
    UnOp::Exp,
    UnOp::Log,
    UnOp::Log1p,
    UnOp::Sqrt,
    UnOp::Recip,
    UnOp::Tanh,
    UnOp::Sigmoid,
    UnOp::Erf,
    UnOp::Floor,
];
const BIN: [BinOp; 10] = [
    BinOp::Add,
    BinOp::Sub,
    BinOp::Mul,
    BinOp::Div,
    BinOp::Pow,
    BinOp::Max,
    BinOp::Min,
    BinOp::Gt,
    BinOp::Ge,
    BinOp::Eq,
];

/// Numbers between −4 and 4 with some specials.
fn data<T: MapElement>(len: usize, salt: usize) -> Vec<T> {
    let specials = [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e30, -1e30, 1.0, -1.0, 1e-40];
    (0..len)
        .map(|i| {
            let h = (i + salt * 7919).wrapping_mul(2_654_435_761) >> 7;
            let v = if h.is_multiple_of(11) {
                specials[h / 11 % specials.len()]
            } else {
                (h % 8001) as f64 / 1000.0 - 4.0
            };
            T::from_f64(v)
        })
        .collect()
}

fn close<T: MapElement>(a: T, b: T) -> bool {
    let (a, b) = (a.to_f64(), b.to_f64());
    let eps = if size_of::<T>() == 4 { 1e-6 } else { 1e-15 };
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= eps * a.abs().max(b.abs()) + 1e-44
}

/// Runs on every instruction set and both thread counts, in place where asked, against the reference.
fn check<T: MapElement>(expr: &[Scalar], shapes: &[&[usize]], out: &[usize], in_place: Option<usize>) {
    let inputs: Vec<Vec<T>> =
        shapes.iter().enumerate().map(|(n, s)| data(s.iter().product(), n + expr.len())).collect();
    let len = out.iter().product();
    let mut want = vec![T::ZERO; len];
    let pairs: Vec<(&[T], &[usize])> = inputs.iter().zip(shapes).map(|(x, s)| (&x[..], *s)).collect();
    reference::map(expr, &pairs, out, &mut want);
    let plan = Plan::new(expr, shapes, out).unwrap();
    for isa in Isa::ALL {
        let run = || {
            let mut y = in_place.map_or_else(|| vec![T::ONE; len], |n| inputs[n].clone());
            let src: Vec<_> = (0..inputs.len())
                .map(|n| if in_place == Some(n) { Src::Out } else { Src::Slice(&inputs[n]) })
                .collect();
            plan.run_on(isa, &src, &mut y);
            y
        };
        let one = with_threads(1, run);
        let two = with_threads(2, run);
        for i in 0..len {
            let same = one[i].to_f64().to_bits() == two[i].to_f64().to_bits();
            assert!(same, "{isa:?}: one thread {:?}, two threads {:?}", one[i], two[i]);
            assert!(
                close(one[i], want[i]),
                "{isa:?} {expr:?} {shapes:?} at {i}: {:?} instead of {:?}",
                one[i],
                want[i]
            );
        }
    }
}

fn every_operation<T: MapElement>() {
    for len in [0, 1, 7, 65, 1500] {
        for op in UN {
            let expr = [Scalar::In(0), Scalar::Un(op, 0)];
            check::<T>(&expr, &[&[len]], &[len], None);
            check::<T>(&expr, &[&[len]], &[len], Some(0));
        }
        for op in BIN {
            let expr = [Scalar::In(0), Scalar::In(1), Scalar::Bin(op, 0, 1)];
            check::<T>(&expr, &[&[len], &[len]], &[len], None);
            check::<T>(&expr, &[&[len], &[1]], &[len], None);
            check::<T>(&expr, &[&[], &[len]], &[len], None);
            check::<T>(&expr, &[&[len], &[len]], &[len], Some(0));
            check::<T>(&expr, &[&[len], &[len]], &[len], Some(1));
            check::<T>(&expr, &[&[1], &[len]], &[len], Some(1));
            let constant = [Scalar::In(0), Scalar::Const(3.0), Scalar::Bin(op, 1, 0)];
            check::<T>(&constant, &[&[len]], &[len], Some(0));
            let twice = [Scalar::In(0), Scalar::Bin(op, 0, 0)];
            check::<T>(&twice, &[&[len]], &[len], Some(0));
        }
        // Leaky relu: a selection between values that must not mix.
        let leaky = [
            Scalar::In(0),
            Scalar::Const(0.0),
            Scalar::Bin(BinOp::Gt, 0, 1),
            Scalar::Const(2.0),
            Scalar::Bin(BinOp::Mul, 0, 3),
            Scalar::Select(2, 0, 4),
        ];
        check::<T>(&leaky, &[&[len]], &[len], None);
        check::<T>(&leaky, &[&[len]], &[len], Some(0));
        let choose = [Scalar::In(0), Scalar::In(1), Scalar::In(2), Scalar::Select(0, 1, 2)];
        for scalars in 0..8usize {
            let shape = |n: usize| if scalars >> n & 1 == 1 { &[1][..] } else { std::slice::from_ref(&len) };
            check::<T>(&choose, &[shape(0), shape(1), shape(2)], &[len], None);
        }
    }
}

#[test]
fn every_operation_f32() {
    every_operation::<f32>();
}
#[test]
fn every_operation_f64() {
    every_operation::<f64>();
}
#[test]
fn every_operation_i32() {
    every_operation::<i32>();
}
#[test]
fn every_operation_i64() {
    every_operation::<i64>();
}
#[test]
fn every_operation_u8() {
    every_operation::<u8>();
}

#[test]
fn inputs_broadcast_along_every_axis() {
    let add = [
        Scalar::In(0),
        Scalar::In(1),
        Scalar::In(2),
        Scalar::Bin(BinOp::Mul, 0, 1),
        Scalar::Bin(BinOp::Add, 3, 2),
    ];
    let cases: &[(&[&[usize]], &[usize])] = &[
        (&[&[2, 3, 5], &[3, 1], &[5]], &[2, 3, 5]),
        (&[&[2, 3, 300], &[3, 1], &[300]], &[2, 3, 300]),
        (&[&[2, 1, 7, 1], &[3, 1, 4], &[1, 3, 7, 4]], &[2, 3, 7, 4]),
        (&[&[4, 1, 3, 1, 200], &[2, 1, 5, 1], &[]], &[4, 2, 3, 5, 200]),
        (&[&[1, 1], &[1], &[]], &[1, 1]),
        (&[&[0, 3], &[3], &[1, 1]], &[0, 3]),
        (&[&[1], &[1], &[]], &[3, 0]),
        (&[&[50, 1], &[1, 2000], &[50, 2000]], &[50, 2000]),
        (&[&[2, 2, 2, 2, 2, 2, 2, 2], &[2, 1, 2, 1, 2, 1, 2, 1], &[2]], &[2, 2, 2, 2, 2, 2, 2, 2]),
    ];
    for (shapes, out) in cases {
        check::<f32>(&add, shapes, out, None);
        check::<f64>(&add, shapes, out, None);
        check::<u8>(&add, shapes, out, None);
        for n in 0..3 {
            if shapes[n].iter().product::<usize>() == out.iter().product() {
                check::<f32>(&add, shapes, out, Some(n));
            }
        }
    }
}

#[test]
fn identity_constant_and_dead_lines() {
    check::<f32>(&[Scalar::In(0)], &[&[3, 1]], &[3, 300], None);
    check::<f32>(&[Scalar::In(0)], &[&[33]], &[33], Some(0));
    check::<f32>(&[Scalar::Const(2.5)], &[], &[33], None);
    check::<f64>(&[Scalar::In(0), Scalar::Un(UnOp::Exp, 0), Scalar::Un(UnOp::Neg, 0)], &[&[33]], &[33], None);
}

#[test]
fn many_values_alive_at_once_still_fit() {
    for count in [20u16, 200, 600] {
        // x·1, x·2, … all kept, then added up from the last.
        let mut expr = vec![Scalar::In(0)];
        let mut kept = Vec::new();
        for i in 0..count {
            expr.push(Scalar::Const(f64::from(i) / 1024.0));
            expr.push(Scalar::Bin(BinOp::Mul, 0, expr.len() as u16 - 1));
            kept.push(expr.len() as u16 - 1);
        }
        let mut sum = kept.pop().unwrap();
        while let Some(next) = kept.pop() {
            expr.push(Scalar::Bin(BinOp::Add, sum, next));
            sum = expr.len() as u16 - 1;
        }
        let plan = Plan::new(&expr, &[&[100]], &[100]).unwrap();
        assert!(plan.tile(plan.registers, 8) >= 8);
        let mut y = vec![0.0; 100];
        plan.run(&[Src::Slice(&vec![1.0f64; 100])], &mut y);
        let n = f64::from(count);
        assert!(y.iter().all(|&y| (y - n * (n - 1.0) / 2048.0).abs() < 1e-9));
    }
}

#[test]
fn mistakes_are_told() {
    let shape: &[usize] = &[4];
    let say = |expr: &[Scalar], shapes: &[&[usize]]| Plan::new(expr, shapes, shape).unwrap_err();
    assert!(say(&[], &[]).contains("at least one line"));
    assert!(say(&[Scalar::In(1)], &[shape]).contains("input 1"));
    assert!(say(&[Scalar::In(0), Scalar::Un(UnOp::Exp, 1)], &[shape]).contains("line 1"));
    assert!(say(&[Scalar::In(0)], &[&[3]]).contains("does not broadcast"));
    assert!(say(&[Scalar::In(0)], &[&[1, 4]]).contains("does not broadcast"));
}

/// The distance of `got` from the exact value in units in the last place of `f32`.
fn ulp(got: f32, want: f64) -> f64 {
    if got.is_nan() && want.is_nan() || f64::from(got) == want || got == want as f32 {
        return 0.0;
    }
    let exponent = (want.abs().log2().floor() as i32).clamp(-126, 127);
    (f64::from(got) - want).abs() / 2f64.powi(exponent - 23)
}

fn worst(f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64) -> (f64, f32) {
    let mut worst = (0.0, 0.0);
    let edges = [0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.0, -1.0, f32::MAX, f32::MIN, 1e-45];
    // A prime step through all bit patterns, then densely around 1.
    let bits = (0..1u64 << 32).step_by(4_099).map(|b| f32::from_bits(b as u32));
    let near = (-200_000i32..200_000).map(|i| i as f32 * 1e-4);
    for x in bits.chain(near).chain(edges) {
        let want = exact(f64::from(x));
        let off = ulp(f(x), want);
        let off = if off.is_nan() { f64::INFINITY } else { off };
        if off > worst.0 {
            worst = (off, x);
        }
    }
    worst
}

fn accuracy<L: Level>() {
    type Case = (&'static str, fn(f32) -> f32, fn(f64) -> f64, f64);
    let cases: [Case; 6] = [
        ("exp", math32::exp::<L>, f64::exp, 2.0),
        ("log", math32::log::<L>, f64::ln, 2.0),
        ("log1p", math32::log1p::<L>, f64::ln_1p, 3.0),
        ("tanh", math32::tanh::<L>, f64::tanh, 2.0),
        ("sigmoid", math32::sigmoid::<L>, math64::sigmoid, 3.0),
        ("erf", math32::erf::<L>, math64::erf, 2.0),
    ];
    for (name, f, exact, limit) in cases {
        let (off, x) = worst(f, exact);
        println!("{name}: {off:.2} ulp at {x:e}");
        assert!(off <= limit, "{name}: {off} ulp at {x:e}: {:e} instead of {:e}", f(x), exact(f64::from(x)));
    }
    for i in 0..4_000u64 {
        for j in 0..500u64 {
            let a = f32::from_bits((i * 1_073_741 + j) as u32);
            let b = if j % 2 == 0 {
                (j as f32 - 250.0) / 8.0
            } else {
                f32::from_bits((j * 8_589_934 + i) as u32)
            };
            let off = ulp(math32::pow::<L>(a, b), f64::from(a).powf(f64::from(b)));
            assert!(off <= 1.0, "pow({a:e}, {b:e}) = {:e}: {off} ulp", math32::pow::<L>(a, b));
        }
    }
    let edges = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        -0.5,
        2.0,
        -2.0,
        3.0,
        -3.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        16_777_215.0,
        -16_777_215.0,
        8_388_609.5,
        1e-45,
        f32::MAX,
    ];
    for a in edges {
        for b in edges {
            let (got, want) = (math32::pow::<L>(a, b), a.powf(b));
            assert!(
                got.to_bits() == want.to_bits()
                    || got.is_nan() && want.is_nan()
                    || ulp(got, f64::from(want)) <= 1.0,
                "pow({a:e}, {b:e}) = {got:e} instead of {want:e}"
            );
        }
    }
    for f in [math32::log1p::<L>, math32::tanh::<L>, math32::erf::<L>] {
        assert!(f(0.0).to_bits() == 0 && f(-0.0).to_bits() == (-0.0f32).to_bits());
    }
}

#[test]
fn functions_are_accurate_with_fused_multiply_add() {
    accuracy::<Fused>();
}
#[test]
fn functions_are_accurate_without() {
    accuracy::<Separate>();
}

#[test]
fn erf_in_double_precision() {
    // Kummer's series, all terms positive: 2/√π · e^(−x²) · Σ 2ᵏ x^(2k+1) / (2k+1)!!
    let series = |x: f64| {
        let (mut term, mut sum, mut k) = (x, x, 1.0);
        while term > sum * 1e-18 {
            term *= 2.0 * x * x / (2.0 * k + 1.0);
            sum += term;
            k += 1.0;
        }
        std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
    };
    for i in 1..60_000 {
        let x = f64::from(i) * 1e-4;
        let (got, want) = (math64::erf(x), series(x));
        // The series itself carries the rounding of e^(−x²) times its sum.
        assert!(
            (got - want).abs() <= 1e-15 * want.max(1.0) + 4e-16 * x * x,
            "erf({x}) = {got}, series {want}"
        );
        assert_eq!(math64::erf(-x), -got);
    }
    // From the tables of Abramowitz and Stegun, 7.1.
    assert!((math64::erf(0.5) - 0.520_499_877_8).abs() < 1e-10);
    assert!((math64::erf(1.5) - 0.966_105_146_5).abs() < 1e-10);
    assert_eq!(math64::erf(7.0), 1.0);
    assert_eq!(math64::erf(f64::NEG_INFINITY), -1.0);
    assert!(math64::erf(f64::NAN).is_nan());
    assert_eq!(math64::erf(-0.0).to_bits(), (-0.0f64).to_bits());
}

#[test]
fn an_output_larger_than_the_caches_is_complete() {
    let len = stream::FROM / 4 + 37;
    let x: Vec<f32> = (0..len).map(|i| i as f32).collect();
    let expr = [Scalar::In(0), Scalar::Const(0.5), Scalar::Bin(BinOp::Mul, 0, 1)];
    let plan = Plan::new(&expr, &[&[len]], &[len]).unwrap();
    let mut y = vec![0.0; len + 1];
    plan.run(&[Src::Slice(&x)], &mut y[1..]);
    assert!(y[1..].iter().zip(&x).all(|(y, x)| *y == x * 0.5));
}

/// x0 · x1 + max(x2, 0), of any element type.
struct Compiled;

impl<T: MapElement> function::Formula<T, 3> for Compiled {
    #[inline(always)]
    fn at<L: Level>(x: [T; 3]) -> T {
        let product = Ops::mul::<L>(x[0], Ops::exp::<L>(x[1]));
        Ops::add::<L>(product, function::select(x[2], x[0], function::constant(0.25)))
    }
}

#[test]
fn a_function_gives_the_bits_of_its_steps() {
    fn check<T: MapElement>(function: Function) {
        let expr = [
            Scalar::In(0),
            Scalar::In(1),
            Scalar::In(2),
            Scalar::Un(UnOp::Exp, 1),
            Scalar::Bin(BinOp::Mul, 0, 3),
            Scalar::Const(0.25),
            Scalar::Select(2, 0, 5),
            Scalar::Bin(BinOp::Add, 4, 6),
        ];
        let cases: [([&[usize]; 3], &[usize]); 6] = [
            ([&[1], &[1], &[1]], &[1]),
            ([&[3000], &[3000], &[3000]], &[3000]),
            ([&[7, 5], &[5], &[7, 1]], &[7, 5]),
            ([&[3, 700], &[700], &[3, 1]], &[3, 700]),
            ([&[40, 3, 6], &[3, 1], &[40, 3, 6]], &[40, 3, 6]),
            ([&[9_000_000], &[1], &[1]], &[9_000_000]),
        ];
        for (shapes, out) in cases {
            let inputs: Vec<Vec<T>> =
                shapes.iter().enumerate().map(|(n, s)| data(s.iter().product(), n)).collect();
            let steps = Plan::new(&expr, &shapes, out).unwrap();
            let compiled = Plan::new(&expr, &shapes, out).unwrap().with(Some(function));
            assert!(compiled.function.is_some());
            let whole = (0..3).filter(|n| shapes[*n] == out).map(Some);
            for in_place in [None].into_iter().chain(whole) {
                for isa in Isa::ALL {
                    let run = |plan: &Plan| {
                        let mut y = match in_place {
                            Some(n) => inputs[n].clone(),
                            None => vec![T::ONE; out.iter().product()],
                        };
                        let src: Vec<_> = (0..3)
                            .map(|n| if in_place == Some(n) { Src::Out } else { Src::Slice(&inputs[n][..]) })
                            .collect();
                        plan.run_on(isa, &src, &mut y);
                        y
                    };
                    let (want, have) = (run(&steps), with_threads(2, || run(&compiled)));
                    let same =
                        want.iter().zip(&have).all(|(a, b)| a.to_f64().to_bits() == b.to_f64().to_bits());
                    assert!(same, "{isa:?} {shapes:?} in place {in_place:?}");
                }
            }
        }
    }
    check::<f32>(Function::f32::<Compiled, 3>());
    check::<f64>(Function::f64::<Compiled, 3>());
}

#[test]
fn a_function_of_another_element_type_or_number_of_inputs_is_not_called() {
    let expr = [Scalar::In(0), Scalar::Un(UnOp::Neg, 0)];
    let plan = Plan::new(&expr, &[&[2]], &[2]).unwrap().with(Some(Function::f32::<Compiled, 3>()));
    assert!(plan.function.is_none());
    let expr = [
        Scalar::In(0),
        Scalar::In(1),
        Scalar::In(2),
        Scalar::Bin(BinOp::Add, 0, 1),
        Scalar::Bin(BinOp::Add, 3, 2),
    ];
    let plan =
        Plan::new(&expr, &[&[2], &[2], &[2]], &[2]).unwrap().with(Some(Function::f32::<Compiled, 3>()));
    let mut y = [0i32; 2];
    plan.run(&[Src::Slice(&[1, 2]), Src::Slice(&[10, 20]), Src::Slice(&[100, 200])], &mut y);
    assert_eq!(y, [111, 222]);
}
