//! Every fault that people make, as the compiler says it: `cases/<fault>.rs` and the message beside it.
//!
//! `TRYBUILD=overwrite cargo test -p ui-tests --test ui` writes the messages anew; read every one that changes.

#[test]
fn faults_are_said_on_their_token() {
    trybuild::TestCases::new().compile_fail("cases/*.rs");
}

#[test]
fn every_case_has_one_fault_unless_its_name_says_two() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");
    let mut count = 0;
    for file in std::fs::read_dir(folder).expect("the folder of the cases") {
        let path = file.expect("a readable folder").path();
        if path.extension().is_none_or(|e| e != "stderr") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let errors = text.lines().filter(|l| l.starts_with("error")).count();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().to_string();
        assert_eq!(errors, if name.starts_with("two_") { 2 } else { 1 }, "{name}:\n{text}");
        count += 1;
    }
    assert!(count >= 25, "{count} cases");
}
