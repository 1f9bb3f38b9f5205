use std::path::PathBuf;

use super::*;
use crate::testing::{assert_close, assert_same, data, with_threads};

fn check<T: Float>(len: usize, c: &Common) {
    let mut grad: Vec<T> = data(len, 1);
    if len > 7 {
        grad[7] = T::NAN;
    }
    let [w, m] = [2, 3].map(|salt| data::<T>(len, salt));
    let v: Vec<T> = data::<T>(len, 4).into_iter().map(|v| v * v).collect();
    let a = Adam::default();
    let mut want = [w.clone(), w.clone(), m.clone(), w.clone(), m.clone(), v.clone()];
    let [w0, w1, m1, w2, m2, v2] = &mut want;
    reference::sgd(c, &grad, w0);
    reference::sgd_momentum(c, 0.9, &grad, w1, m1);
    reference::adam(c, &a, &grad, w2, m2, v2);
    for isa in Isa::ALL {
        let run = || {
            let mut got = [w.clone(), w.clone(), m.clone(), w.clone(), m.clone(), v.clone()];
            let [w0, w1, m1, w2, m2, v2] = &mut got;
            sgd_on(isa, c, &grad, w0);
            sgd_momentum_on(isa, c, 0.9, &grad, w1, m1);
            adam_on(isa, c, &a, &grad, w2, m2, v2);
            got
        };
        let (one, two) = (with_threads(1, run), with_threads(2, run));
        for (n, want) in want.iter().enumerate() {
            let what = format!("{isa:?} {len} result {n}");
            assert_same(&one[n], &two[n], &what);
            assert_close(&one[n], want, 1e-6, 1e-14, &what);
        }
    }
}

#[test]
fn candidates_agree_with_the_reference() {
    for len in [0, 1, 33, 50_001] {
        for c in [Common::default(), Common { lr: 0.1, wd: 0.01, rescale: 0.5, clip: Some(0.25) }] {
            check::<f32>(len, &c);
            check::<f64>(len, &c);
        }
    }
}

/// The folder with the shared test data, if this machine has it.
fn shared_data() -> Option<PathBuf> {
    let set = std::env::var_os("MXR_TEST_DATA").map(PathBuf::from);
    let near = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    set.into_iter().chain([near]).find(|d| d.join("oracle/optim.safetensors").is_file())
}

/// A tensor of a safetensors file as numbers; the header is searched as text, which is enough for this one file.
fn tensor(file: &[u8], name: &str) -> Option<Vec<f32>> {
    let header_len = u64::from_le_bytes(file[..8].try_into().ok()?) as usize;
    let header = std::str::from_utf8(&file[8..8 + header_len]).ok()?;
    let entry = &header[header.find(&format!("\"{name}\""))?..];
    assert!(entry[..entry.find('}')?].contains("\"F32\""), "{name} is not f32");
    let offsets = &entry[entry.find("data_offsets")?..];
    let offsets = &offsets[offsets.find('[')? + 1..offsets.find(']')?];
    let mut ends = offsets.split(',').map(|n| 8 + header_len + n.trim().parse::<usize>().unwrap());
    let bytes = &file[ends.next()?..ends.next()?];
    Some(bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect())
}

#[test]
fn updates_agree_with_the_oracle() {
    let Some(folder) = shared_data() else {
        println!(
            "skipped: no oracle/optim.safetensors; set MXR_TEST_DATA to the folder of the shared test data"
        );
        return;
    };
    let file = std::fs::read(folder.join("oracle/optim.safetensors")).unwrap();
    let plain = |lr| Common { lr, ..Common::default() };
    // Case, common numbers, kind (0 plain, 1 momentum, 2 Adam), tolerance: as in the oracle's index.
    let cases = [
        ("sgd_update-000", plain(0.1), 0, 2e-6),
        ("sgd_update-001", Common { lr: 0.05, wd: 0.01, rescale: 0.5, clip: Some(1.0) }, 0, 2e-6),
        ("sgd_mom_update-000", Common { wd: 0.001, ..plain(0.1) }, 1, 2e-6),
        ("adam_update-000", plain(0.01), 2, 6.8e-6),
    ];
    for (case, c, kind, tol) in cases {
        let read =
            |name: &str| tensor(&file, &format!("{case}/{name}")).unwrap_or_else(|| panic!("{case}/{name}"));
        let (mut w, grads, want) = (read("in/weight"), read("in/grads"), read("out/0"));
        let (mut m, mut v) = (vec![0f32; w.len()], vec![0f32; w.len()]);
        for (grad, want) in grads.chunks(w.len()).zip(want.chunks(w.len())) {
            match kind {
                0 => sgd(&c, grad, &mut w),
                1 => sgd_momentum(&c, 0.9, grad, &mut w, &mut m),
                _ => adam(&c, &Adam::default(), grad, &mut w, &mut m, &mut v),
            }
            assert_close(&w, want, tol, tol, case);
        }
        if kind > 0 {
            assert_close(&m, &read("out/1"), tol, tol, case);
        }
        if kind > 1 {
            assert_close(&v, &read("out/2"), tol, tol, case);
        }
    }
    println!("{} optimiser cases of the oracle", cases.len());
}
