use super::*;
use crate::element::Num;
use crate::testing::with_threads;

/// Numbers between −1 and 1 that look random.
pub(super) fn noise<T: Num>(len: usize, seed: u64) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        T::from_f64((state >> 40) as f64 / (1u64 << 23) as f64 - 1.0)
    };
    (0..len).map(|_| next()).collect()
}

/// Every candidate against the reference in `f64`, with 1, 2 and 3 threads.
fn check<T: GemmElement<Sum = T> + crate::element::Float>(desc: &Gemm, with_bias: bool, tolerance: f64) {
    let span =
        |rows: usize, cols: usize, ld: usize| if rows * cols == 0 { 0 } else { (rows - 1) * ld + cols };
    let flip = |flip: bool, (rows, cols): (usize, usize)| if flip { (cols, rows) } else { (rows, cols) };
    let (a_rows, a_cols) = flip(desc.trans_a, (desc.m, desc.k));
    let (b_rows, b_cols) = flip(desc.trans_b, (desc.k, desc.n));
    let last = desc.batch.saturating_sub(1);
    let a = noise::<T>(last * desc.stride_a + span(a_rows, a_cols, desc.lda), 1);
    let b = noise::<T>(last * desc.stride_b + span(b_rows, b_cols, desc.ldb), 2);
    let c = noise::<T>(last * desc.stride_c + span(desc.m, desc.n, desc.ldc), 3);
    let bias = with_bias.then(|| noise::<T>(desc.n, 4));
    let wide = |x: &[T]| x.iter().map(|x| x.to_f64()).collect::<Vec<f64>>();
    let mut expected = wide(&c);
    if !desc.is_empty() {
        let bias = bias.as_deref().map(wide);
        reference::run(desc, &wide(&a), &wide(&b), Epilogue::bias(bias.as_deref()), &mut expected);
    }
    for candidate in candidates::<T>().iter().filter(|candidate| candidate.accepts(desc)) {
        let run = || {
            let mut c = c.clone();
            candidate.run(desc, &a, &b, Epilogue::bias(bias.as_deref()), &mut c);
            c
        };
        let (one, two) = (with_threads(1, run), with_threads(2, run));
        if let Some(len) = candidate.prepared_len(desc) {
            let (mut packed, mut again) = (vec![T::NAN; len], c.clone());
            candidate.prepare(desc, &b, &mut packed);
            candidate.run_prepared(desc, &a, &packed, Epilogue::bias(bias.as_deref()), &mut again);
            assert!(one == again, "{}: a packed B gives other bits: {desc:?}", candidate.name());
        }
        assert!(one == two, "{}: 1 and 2 threads differ: {desc:?}", candidate.name());
        assert!(one == with_threads(3, run), "{}: 1 and 3 threads differ: {desc:?}", candidate.name());
        for (at, (&x, &y)) in one.iter().zip(&expected).enumerate() {
            let error = (x.to_f64() - y).abs();
            let bound = tolerance * (desc.k as f64).sqrt().max(1.0);
            assert!(error <= bound, "{}: element {at} is {x:?}, not {y}: {desc:?}", candidate.name());
        }
    }
}

fn check_both(desc: &Gemm, with_bias: bool) {
    check::<f32>(desc, with_bias, 2e-6);
    check::<f64>(desc, with_bias, 1e-14);
}

#[test]
fn every_candidate_agrees_with_the_reference() {
    let sizes = [
        (1, 1, 1),
        (1, 300, 70),
        (300, 1, 70),
        // A column times a row, in one and in several blocks.
        (2, 3, 1),
        (37, 45, 1),
        (70, 1030, 1),
        (2, 3, 5),
        (4, 10, 1030),
        (7, 301, 60),
        (8, 12, 2048),
        (5, 33, 17),
        (13, 31, 33),
        (14, 32, 256),
        (15, 17, 257),
        (20, 100, 25),
        (64, 64, 64),
        (67, 129, 300),
        // Rows at multiples of a page.
        (20, 40, 1024),
        (170, 530, 40),
        (200, 50, 700),
    ];
    for (m, n, k) in sizes {
        for (trans_a, trans_b) in [(false, false), (true, false), (false, true), (true, true)] {
            let desc = Gemm::new(m, n, k).transposed(trans_a, trans_b);
            check_both(&desc, false);
            check_both(&desc.accumulating(), true);
            check_both(&Gemm { lda: desc.lda + 3, ldb: desc.ldb + 5, ldc: desc.ldc + 7, ..desc }, true);
        }
    }
}

#[test]
fn batches_of_every_stride_agree_with_the_reference() {
    for (m, n, k) in [(1, 9, 4), (9, 1, 4), (7, 9, 11), (30, 40, 50)] {
        for (trans_a, trans_b) in [(false, false), (true, true)] {
            let desc = Gemm::new(m, n, k).transposed(trans_a, trans_b);
            check_both(&desc.batched(3, m * k, k * n, m * n), true);
            check_both(&desc.batched(3, 0, k * n + 1, m * n + 2), false);
            check_both(&desc.batched(3, m * k, 0, m * n), true);
        }
    }
}

#[test]
fn empty_products() {
    for (m, n, k) in [(0, 4, 4), (4, 0, 4), (0, 0, 0)] {
        check_both(&Gemm::new(m, n, k), true);
    }
    check_both(&Gemm::new(4, 4, 4).batched(0, 16, 16, 16), false);
    for (m, n) in [(1, 4), (4, 1), (20, 40)] {
        check_both(&Gemm::new(m, n, 0), true);
        check_both(&Gemm::new(m, n, 0).accumulating().batched(2, 0, 0, m * n), false);
    }
}

#[test]
fn nothing_that_is_not_finite_is_lost() {
    for (m, n, k) in [(3, 1, 50), (1, 40, 50), (20, 40, 50)] {
        let desc = Gemm::new(m, n, k);
        let (mut a, mut b) = (vec![0.0f32; m * k], vec![0.0f32; k * n]);
        a[k - 1] = f32::NAN;
        b[(k - 2) * n] = f32::INFINITY;
        for candidate in candidates::<f32>().iter().filter(|candidate| candidate.accepts(&desc)) {
            let mut c = vec![1.0; m * n];
            candidate.run(&desc, &a, &b, Epilogue::NONE, &mut c);
            for (at, x) in c.iter().enumerate() {
                // Row 0 meets the NaN, column 0 meets 0 · ∞.
                assert_eq!(x.is_nan(), at < n || at % n == 0, "{} {at}", candidate.name());
            }
        }
    }
}

/// Every candidate with an epilogue against itself without one, and what follows done apart, bit for bit.
fn check_epilogue<T: GemmElement<Sum = T> + crate::element::Float>(desc: &Gemm) {
    let (a, b) = (noise::<T>(desc.m * desc.k * desc.batch, 1), noise::<T>(desc.k * desc.n, 2));
    let bias = noise::<T>(desc.n, 3);
    let len = (desc.batch - 1) * desc.stride_c + (desc.m - 1) * desc.ldc + desc.n;
    let mut residual = noise::<T>(len, 4);
    residual[len / 2] = T::NAN;
    residual[0] = T::NEG_INFINITY;
    let mut mask = noise::<T>(len, 5);
    mask[len / 3] = T::NAN;
    let inside = |at: usize| {
        let at = at % desc.stride_c;
        at / desc.ldc < desc.m && at % desc.ldc < desc.n
    };
    for candidate in candidates::<T>().iter().filter(|candidate| candidate.accepts(desc)) {
        let mut plain = residual.clone();
        candidate.run(desc, &a, &b, Epilogue::bias(Some(&bias)), &mut plain);
        let cases = [
            (None, true, false),
            (Some(false), false, false),
            (Some(false), true, false),
            (Some(true), true, false),
            (None, false, true),
            (Some(true), false, true),
        ];
        for (over, relu, masked) in cases {
            let expected: Vec<T> = plain
                .iter()
                .zip(&residual)
                .enumerate()
                .map(|(at, (&y, &r))| {
                    let y = if over.is_some() && inside(at) { y + r } else { y };
                    let masked = masked && (mask[at] <= T::ZERO || mask[at].is_nan());
                    if inside(at) && (masked || relu && y <= T::ZERO) { T::ZERO } else { y }
                })
                .collect();
            for threads in [1, 3] {
                let mut c = residual.clone();
                let from = over.map(|over| if over { Src::Out } else { Src::Slice(&residual[..]) });
                let epilogue =
                    Epilogue { bias: Some(&bias), residual: from, relu, mask: masked.then_some(&mask[..]) };
                with_threads(threads, || candidate.run(desc, &a, &b, epilogue, &mut c));
                for (at, (x, y)) in c.iter().zip(&expected).enumerate() {
                    let same = x == y || x.is_nan() && y.is_nan();
                    assert!(
                        same,
                        "{} {over:?} {relu} {masked} {at}: {x:?}, not {y:?}: {desc:?}",
                        candidate.name()
                    );
                }
            }
        }
    }
}

#[test]
fn what_follows_has_the_bits_of_a_step_of_its_own() {
    // Sums of one and of several blocks, of either type; C in one and in several rectangles.
    let sizes =
        [(1, 40, 30), (40, 1, 30), (30, 45, 1), (5, 33, 2100), (7, 20, 300), (70, 90, 700), (300, 600, 330)];
    for (m, n, k) in sizes {
        let desc = Gemm::new(m, n, k).transposed(false, true);
        check_epilogue::<f32>(&desc);
        check_epilogue::<f64>(&desc);
        check_epilogue::<f32>(&Gemm { ldc: n + 3, stride_c: m * (n + 3), ..desc });
    }
    for m in [1, 5, 20] {
        check_epilogue::<f32>(&Gemm::new(m, 20, 400).batched(3, m * 400, 0, m * 20 + 2));
    }
}

#[test]
fn what_goes_past_the_caches_has_the_same_bits() {
    // As large as what is streamed, with and without rows that begin at cache lines and end in whole registers.
    for n in [1024, 1040, 1027] {
        let m = crate::stream::FROM / 4 / n + 1;
        let desc = Gemm::new(m, n, 1).transposed(true, false);
        let (a, b) = (noise::<f32>(m, 1), noise::<f32>(n, 2));
        let mut memory = vec![1.0; m * n + 16];
        let start = memory.as_ptr().align_offset(64);
        for at in [start, start + 1] {
            let c = &mut memory[at..][..m * n];
            with_threads(2, || gemm(&desc, &a, &b, Epilogue::NONE, c));
            for (row, x) in c.chunks_exact(n).zip(&a) {
                assert!(row.iter().zip(&b).all(|(y, b)| *y == x * b), "[{m}, {n}] from {at} on");
            }
        }
    }
}

#[test]
fn a_residual_in_the_result_is_no_sum_to_add_to() {
    let desc = Gemm::new(3, 4, 5).accumulating();
    let epilogue = Epilogue { residual: Some(Src::Out), ..Epilogue::NONE };
    let run = || gemm(&desc, &[0.0f32; 15], &[0.0; 20], epilogue, &mut [0.0; 12]);
    assert!(std::panic::catch_unwind(run).is_err());
}

#[test]
fn the_reference_is_last_and_accepts_everything() {
    let desc = Gemm::new(3, 4, 5);
    let last = candidates::<f32>().last().unwrap();
    assert_eq!((last.name(), last.accepts(&desc)), ("reference", true));
    assert!(select::<f64>(&desc).isa() <= Isa::detect());
}

/// What is packed for one number of rows serves any other.
#[test]
fn a_packed_matrix_depends_on_itself_alone() {
    let b = noise::<f32>(70 * 33, 2);
    let packed = [9, 100].map(|m| {
        let desc = Gemm::new(m, 33, 70).transposed(false, true);
        let candidate = prepared::select::<f32>(&desc).expect("several rows");
        let mut to = vec![f32::NAN; candidate.prepared_len(&desc).expect("it packs")];
        candidate.prepare(&desc, &b, &mut to);
        to
    });
    assert!(packed[0] == packed[1]);
    // Read where it lies, and hardly noticed.
    for m in [1, 4, 5000] {
        assert!(prepared::select::<f32>(&Gemm::new(m, 33, 70).transposed(false, true)).is_none());
    }
    // One matrix for each product of a batch.
    assert!(prepared::select::<f32>(&Gemm::new(9, 33, 70).batched(2, 630, 2310, 297)).is_none());
}

#[test]
#[should_panic(expected = "B of 19 elements is too short")]
fn a_short_operand_is_a_broken_invariant() {
    gemm(&Gemm::new(3, 4, 5), &[0.0f32; 15], &[0.0; 19], Epilogue::NONE, &mut [0.0; 12]);
}
