use mxr_graph::instr::{BinOp, UnOp};

use super::*;
use crate::map::function::{Formula, Level, Ops};
use crate::reduce::reduce_on;
use crate::testing::{assert_close, assert_same, data, with_threads};

const KINDS: [ReduceKind; 4] = [ReduceKind::Sum, ReduceKind::Mean, ReduceKind::Max, ReduceKind::Min];

/// x0 · tanh(x1) − x2
const EXPR: [Scalar; 6] = [
    Scalar::In(0),
    Scalar::In(1),
    Scalar::In(2),
    Scalar::Un(UnOp::Tanh, 1),
    Scalar::Bin(BinOp::Mul, 0, 3),
    Scalar::Bin(BinOp::Sub, 4, 2),
];

struct Compiled;

impl<T: MapElement> Formula<T, 3> for Compiled {
    #[inline(always)]
    fn at<L: Level>(x: [T; 3]) -> T {
        Ops::sub::<L>(Ops::mul::<L>(x[0], Ops::tanh::<L>(x[1])), x[2])
    }
}

/// Against the reference, and bit for bit against the map and the reduction one after the other.
fn check<T: MapElement + Float>(shapes: [&[usize]; 3], axes: u8, function: Function) {
    let inputs: Vec<Vec<T>> =
        shapes.iter().enumerate().map(|(n, s)| data(s.iter().product(), n + 1)).collect();
    let shape = broadcast(&shapes).unwrap();
    let pairs: Vec<(&[T], &[usize])> = inputs.iter().zip(shapes).map(|(x, s)| (&x[..], s)).collect();
    let sources: Vec<_> = inputs.iter().map(|x| Src::Slice(&x[..])).collect();
    for kind in KINDS {
        let axes = Axes(axes);
        let d = Reduce::new(kind, &shape, axes);
        let mut want = vec![T::ZERO; d.out_len()];
        reference::map_reduce(&EXPR, &pairs, &shape, (kind, axes), &mut want);
        for isa in Isa::ALL {
            let mut value = vec![T::ZERO; shape.iter().product()];
            Plan::new(&EXPR, &shapes, &shape).unwrap().run_on(isa, &sources, &mut value);
            let mut apart = vec![T::ZERO; d.out_len()];
            reduce_on(isa, &d, &value, &mut apart);
            for function in [None, Some(function)] {
                let fused = MapReduce::new(&EXPR, &shapes, kind, axes).unwrap().with(function);
                let run = || {
                    let mut y = vec![T::ONE; d.out_len()];
                    fused.run_on(isa, &sources, &mut y);
                    y
                };
                let what = format!("{isa:?} {kind:?} {shapes:?} {axes:?}, function {}", function.is_some());
                let one = with_threads(1, run);
                assert_same(&one, &with_threads(3, run), &what);
                assert_same(&one, &apart, &what);
                assert_close(&one, &want, 1e-5, 1e-13, &what);
            }
        }
    }
}

#[test]
fn the_bits_are_those_of_one_after_the_other() {
    let cases: [([&[usize]; 3], &[u8]); 9] = [
        ([&[5], &[5], &[1]], &[0, 1]),
        ([&[3000], &[3000], &[3000]], &[1]),
        ([&[40, 10], &[10], &[40, 1]], &[1, 2, 3]),
        ([&[7, 700], &[7, 700], &[7, 1]], &[1, 2, 3]),
        ([&[70, 300], &[300], &[1]], &[1, 2, 3]),
        ([&[4, 9, 6, 7], &[9, 1, 1], &[4, 9, 6, 7]], &[0b1101, 0b0010, 0b1100, 0b0101, 0b1111]),
        ([&[3, 2, 150], &[3, 1, 150], &[2, 1]], &[0b010, 0b101, 0b100]),
        ([&[2, 1, 200_000], &[200_000], &[2, 1, 1]], &[0b100, 0b001, 0b111]),
        ([&[0, 4], &[4], &[1]], &[0b01]),
    ];
    for (shapes, axes) in cases {
        for axes in axes {
            check::<f32>(shapes, *axes, Function::f32::<Compiled, 3>());
            check::<f64>(shapes, *axes, Function::f64::<Compiled, 3>());
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let e = MapReduce::new(&EXPR, &[&[2, 3], &[4], &[1]], ReduceKind::Sum, Axes(1)).unwrap_err();
    assert!(e.contains("do not fit together"), "{e}");
}
