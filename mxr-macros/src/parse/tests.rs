//! The grammar and its recovery.

use super::source;
use crate::ast::{ExprKind, Pat, Source, Stmt, TypeKind};
use crate::errors::Faults;
use proc_macro2::TokenStream;
use std::str::FromStr;

fn parse(text: &str) -> (Source, Vec<String>) {
    let mut faults = Faults::default();
    let source = source(TokenStream::from_str(text).expect("balanced tokens"), &mut faults);
    // Each fault as `text of its first line @ first token .. last token`.
    let show = |f: &crate::errors::Fault| {
        let token = |s: proc_macro2::Span| s.source_text().unwrap_or_default();
        format!("{} @ {}..{}", f.text.lines().next().unwrap_or_default(), token(f.at.first), token(f.at.last))
    };
    (source, faults.list().iter().map(show).collect())
}

/// The body of one network with these statements; its statements' number, and the faults.
fn body(text: &str) -> (usize, Vec<String>) {
    let (source, faults) = parse(&format!("fn Net(data: Tensor<N, 4>) {{ {text} }}"));
    (source.fns[0].body.stmts.len() + usize::from(source.fns[0].body.tail.is_some()), faults)
}

#[test]
fn the_language_of_the_design() {
    let (source, faults) = parse(
        "const WIDTH: usize = 64;
         /// Docs.
         fn block(x: Tensor, filters: usize, stride: usize) {
             let a = relu(batch_norm(conv2d(x, filters, kernel = 3, stride = stride, pad = 1)));
             let shortcut = if stride != 1 { conv2d(x, filters) } else { x };
             relu(a + shortcut)
         }
         #[predict] #[derive(Debug)]
         pub fn Net(data: Tensor<f32, N, 3, { 2 * N }>, label: Tensor<N, i64>, w: Tensor![N * T, 28]) {
             let mut x = data.conv2d(16, kernel = (3, 5), pad = same).relu();
             for (c, s) in [(64, 1), (128, 2)] { x = block(x, c, s); }
             for i in 0..3 { x += -2.0 * x; }
             let (a, _) = split(x, 2);
             reshape(a, [N * T, _])
         }",
    );
    assert_eq!(faults, [""; 0]);
    assert_eq!((source.fns.len(), source.consts.len()), (2, 1));
    let net = &source.fns[1];
    assert!(net.is_network() && net.marks.predict.is_some() && !source.fns[0].is_network());
    assert_eq!((net.attrs.len(), source.fns[0].attrs.len()), (1, 1));
    assert_eq!(net.body.stmts.len(), 4);
    assert!(matches!(&net.params[0].ty.kind, TypeKind::Tensor(Some(dims)) if dims.len() == 4));
    assert!(matches!(&net.params[2].ty.kind, TypeKind::Tensor(Some(dims)) if dims.len() == 2));
    assert!(matches!(&net.body.stmts[3], Stmt::Let { pat: Pat::Tuple(parts), .. } if parts.len() == 2));
    let Stmt::Let { value, .. } = &net.body.stmts[0] else { panic!("a let") };
    assert!(matches!(&value.kind, ExprKind::Call(c) if c.method && c.name == "relu"));
}

#[test]
fn precedence_is_that_of_rust() {
    let (source, _) = parse("fn n() { 1 + 2 * 3 == 7 && !a || b }");
    let tail = source.fns[0].body.tail.as_ref().expect("a value");
    assert!(matches!(&tail.kind, ExprKind::Binary(crate::ast::Binary::Or, ..)));
}

#[test]
fn a_missing_semicolon_costs_one_message() {
    let (stmts, faults) = body("let a = relu(data) let b = relu(a); x = tanh(b) y = x; b");
    assert_eq!(stmts, 5);
    assert_eq!(faults, ["expected `;` after this @ )..)", "expected `;` after this @ )..)"]);
}

#[test]
fn half_typed_statements_leave_the_others_alone() {
    for (text, stmts, fault) in [
        ("let a = ; let b = relu(data); b", 3, "expected an expression after this @ =..="),
        ("let a = let b = relu(data); b", 3, "expected an expression after this @ =..="),
        ("let = relu(data); data", 2, "expected a name after this @ let..let"),
        ("let a; data", 2, "expected `=` and a layer after this @ a..a"),
        ("let a = data.; data", 2, "expected the name of an operator after `.` @ ...."),
        ("let a = conv2d(data, 20, kernel = ); a", 2, "expected an expression after this @ =..="),
        ("let a = conv2d(data, , 20); a", 2, "expected an argument before this @ ,..,"),
        ("let a = data.relu; a", 2, "expected `(` after this @ relu..relu"),
        ("let a = match data { _ => 1 }; data", 2, "there is no `match` in a network @ match..match"),
        ("let a = mxr::relu(data); a", 2, "names have no path in a network @ mxr..relu"),
        ("for i in 0..3 data", 1, "expected `{` and what is repeated after this @ 3..3"),
        ("return data;", 1, "`return` is not needed @ return..return"),
        ("let a = data[0]; data", 2, "there is no indexing @ [0]..[0]"),
        ("3 = data; data", 1, "the left side of `=` must be a name, or a tuple of names @ 3..3"),
        ("let a = relu(data tanh); a", 2, "expected `,` or `)` @ tanh..tanh"),
    ] {
        let (have, faults) = body(text);
        let got = faults.iter().map(String::as_str).collect::<Vec<_>>();
        let ends = |f: &str| f.replace("(data)", "[").replace("()", "(");
        assert_eq!(got.len(), 1, "{text}: {faults:?}");
        assert_eq!(ends(got[0]).split(" @ ").next(), ends(fault).split(" @ ").next(), "{text}: {faults:?}");
        assert_eq!(have, stmts, "{text}: {faults:?}");
    }
}

#[test]
fn an_unclosed_parenthesis_gives_the_rest_back() {
    // As rust-analyzer repairs it: the group goes on to the end of the body.
    let (stmts, faults) = body("let a = conv2d(data, 20 ; let b = relu(a); let c = relu(b); c)");
    assert_eq!(stmts, 4);
    assert_eq!(faults, ["expected `)` after this @ 20..20"]);
    let (stmts, faults) = body("let a = relu(conv2d(data, 20 let b = tanh(data); b))");
    assert_eq!(stmts, 3, "{faults:?}");
    assert_eq!(faults[0], "expected `)` after this @ 20..20");
}

#[test]
fn functions_are_found_again() {
    let (source, faults) =
        parse("fn (x) {} fn a(x: Tensor) { let b = relu(x); pub fn C(data: Tensor<N>) { data } b }");
    assert_eq!(source.fns.len(), 2, "{faults:?}");
    assert_eq!(faults.len(), 1, "{faults:?}");
    let (source, faults) = parse("use x::y; struct S; fn a(x: Tensor) { x } 5");
    assert_eq!((source.fns.len(), faults.len()), (1, 2), "{faults:?}");
}

#[test]
fn parameters_and_types() {
    for (text, fault) in [
        ("fn a(x: Tenser<N>) { x }", "there is no type `Tenser` here @ Tenser..Tenser"),
        ("fn a(x) { x }", "`x` needs a type @ x..x"),
        ("fn a(x: Tensor, x: Tensor) { x }", "`a` has two inputs called `x` @ x..x"),
        ("fn a(x: Tensor<N, 3) { x }", "expected `>` after this @ 3..3"),
        ("fn a<N>(x: Tensor<N>) { x }", "`a` needs no generic parameters @ <..<"),
        ("fn a(x: ) { x }", "expected a type, found nothing @ )..)"),
        ("const A = 3;", "`A` needs a type @ A..A"),
    ] {
        let (_, faults) = parse(text);
        assert_eq!(faults, [fault], "{text}");
    }
}

#[test]
fn what_is_nested_without_end_is_refused() {
    for text in [
        format!("fn a(x: Tensor) {{ {}x{} }}", "relu(".repeat(5000), ")".repeat(5000)),
        format!("fn a(x: Tensor) {{ {}x }}", "-".repeat(100_000)),
        format!("fn a(x: Tensor) {{ x{} }}", ".relu()".repeat(100_000)),
        format!("fn a(x: Tensor) {{ x{} }}", " + x".repeat(100_000)),
        format!("fn a(x: Tensor) {{ {}x{} }}", "{".repeat(5000), "}".repeat(5000)),
        format!("fn a(x: Tensor) {{ let {}y{} = x; }}", "(".repeat(5000), ")".repeat(5000)),
    ] {
        let (_, faults) = parse(&text);
        let deep = faults.iter().filter(|f| f.starts_with("this is nested too deeply")).count();
        assert_eq!(deep, 1, "{faults:?}");
    }
}
