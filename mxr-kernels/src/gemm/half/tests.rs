use super::*;
use crate::gemm::candidates;
use crate::gemm::tests::noise;
use crate::testing::with_threads;

#[test]
fn all_halves_are_the_same_numbers_when_wider() {
    for bits in 0..=u16::MAX {
        let x = f16::from_bits(bits);
        let (wide, expected) = (wide_f16(x), x.to_f32());
        assert!(
            wide == expected && wide.is_sign_negative() == expected.is_sign_negative() || x.is_nan(),
            "{x:?}"
        );
        assert_eq!(wide.is_nan(), x.is_nan(), "{bits:x}");
        let x = bf16::from_bits(bits);
        assert!(wide_bf16(x) == x.to_f32() || x.is_nan() && wide_bf16(x).is_nan(), "{x:?}");
    }
}

/// Every candidate against sums in `f64`, with 1 and 3 threads, under everything that an epilogue can say.
fn check<T: GemmElement<Sum = f32> + std::fmt::Debug>(desc: &Gemm, of: impl Fn(f32) -> T + Copy) {
    let Gemm { m, n, k, batch, .. } = *desc;
    let halves = |len, seed| noise(len, seed).into_iter().map(of).collect::<Vec<T>>();
    let (a, b) = (halves(batch * m * k, 1), halves(batch * k * n, 2));
    let (held, residual, bias) =
        (noise::<f32>(batch * m * n, 3), noise::<f32>(batch * m * n, 4), noise::<f32>(n, 5));
    let epilogue = Epilogue {
        bias: Some(&bias[..]),
        residual: Some(crate::map::Src::Slice(&residual[..])),
        relu: true,
        mask: None,
    };
    let wide = |x: &[T]| x.iter().map(|x| f64::from(x.widened())).collect::<Vec<_>>();
    let mut expected: Vec<f64> = held.iter().map(|x| f64::from(*x)).collect();
    if batch * m * n > 0 {
        reference::run(desc, &wide(&a), &wide(&b), Epilogue::NONE, &mut expected);
    }
    for candidate in candidates::<T>().iter().filter(|c| c.accepts(desc)) {
        let run = |epilogue: Epilogue<'_, f32>| {
            let mut c = held.clone();
            candidate.run(desc, &a, &b, epilogue, &mut c);
            c
        };
        let one = with_threads(1, || run(Epilogue::NONE));
        assert_eq!(one, with_threads(3, || run(Epilogue::NONE)), "{}: {desc:?}", candidate.name());
        let bound = 2e-6 * (k as f64).sqrt().max(1.0);
        for (at, (x, y)) in one.iter().zip(&expected).enumerate() {
            let error = (f64::from(*x) - y).abs();
            assert!(error <= bound, "{}: element {at} is {x}, not {y}: {desc:?}", candidate.name());
        }
        let after = with_threads(2, || run(epilogue));
        for (at, (x, y)) in after.iter().zip(&expected).enumerate() {
            let y = (y + f64::from(bias[at % n]) + f64::from(residual[at])).max(0.0);
            let error = (f64::from(*x) - y).abs();
            assert!(error <= 2.0 * bound, "{}: element {at} is {x}, not {y}: {desc:?}", candidate.name());
        }
    }
}

#[test]
fn every_candidate_agrees_with_the_reference() {
    let sizes = [
        (1, 1, 1),
        (2, 3, 2),
        (1, 130, 33),
        (130, 1, 33),
        (5, 7, 0),
        (0, 3, 4),
        (14, 32, 129),
        (15, 33, 640),
        (67, 70, 701),
        (200, 530, 65),
    ];
    for (m, n, k) in sizes {
        for (trans_a, trans_b) in [(false, false), (true, false), (false, true), (true, true)] {
            let desc = Gemm::new(m, n, k).transposed(trans_a, trans_b);
            check(&desc, bf16::from_f32);
            check(&desc, f16::from_f32);
            check(&desc.accumulating(), bf16::from_f32);
        }
    }
    check(&Gemm::new(9, 20, 31).batched(3, 9 * 31, 31 * 20, 9 * 20), bf16::from_f32);
    check(&Gemm::new(9, 20, 31).transposed(true, true).batched(3, 9 * 31, 31 * 20, 9 * 20), f16::from_f32);
}

#[test]
fn what_is_not_finite_arrives() {
    for (at, x) in [(0, f32::NAN), (2, f32::INFINITY), (6, f32::NEG_INFINITY)] {
        let mut a = vec![bf16::ONE; 7];
        a[at] = bf16::from_f32(x);
        for candidate in candidates::<bf16>().iter().filter(|c| c.accepts(&Gemm::new(1, 1, 7))) {
            let mut c = [0.0];
            candidate.run(&Gemm::new(1, 1, 7), &a, &[bf16::ONE; 7], Epilogue::NONE, &mut c);
            assert!(c[0] == x || x.is_nan() && c[0].is_nan(), "{}: {c:?}, not {x}", candidate.name());
        }
    }
}
