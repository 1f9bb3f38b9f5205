//! What ARCHITECTURE.md shows of the code is the code.

#[test]
fn the_operator_in_architecture_md_is_the_real_one() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let Ok(text) = std::fs::read_to_string(format!("{root}/ARCHITECTURE.md")) else {
        println!("skipped: ARCHITECTURE.md is not part of a published crate");
        return;
    };
    let code = include_str!("../src/ops/sigmoid.rs");
    assert!(text.contains(&format!("```rust\n{}\n```", code.trim_end())), "copy src/ops/sigmoid.rs into it");
    let list = include_str!("../src/ops/mod.rs");
    for line in ["mod sigmoid;", "&sigmoid::Sigmoid,"] {
        assert!(list.contains(line) && text.contains(line), "the two lines in ops/mod.rs: {line}");
    }
}
