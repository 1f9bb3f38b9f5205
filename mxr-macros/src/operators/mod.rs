//! `__operators!`: the operator list of `mxr-graph` as methods of `NDArray` and `Symbol`, and one option builder per
//! operator, with docs; `__operators!(editor)`: what an editor is shown of them. Nobody writes a signature twice.
//!
//! What the generated code calls in the crate `mxr`:
//!
//! ```text
//! crate::Error
//! crate::opts::{Given, Extent, Extents, Ints, Pair, Padding}          (hand-written, beside the builders)
//! crate::ndarray::NDArray
//! crate::ndarray::invoke(op: &'static str, inputs: &[&NDArray], options: &[(&'static str, Arg)])
//!     -> Result<Vec<NDArray>, crate::Error>
//! crate::symbol::Symbol
//! crate::symbol::invoke(op: &'static str, inputs: &[&Symbol], options: &[(&'static str, Arg)], name: Option<&str>)
//!     -> Vec<Symbol>
//! ```
//!
//! `inputs` are the operands in the schema's order, as in `Graph::call`: data, then parameters and states. `Arg` is
//! `mxr_graph::schema::Arg`. A symbol takes its mistakes along and reports them when it is bound, therefore its
//! `invoke` cannot fail; it gives as many symbols as the operator has visible results.

mod docs;
mod editor;
mod methods;
mod options;

use mxr_graph::ops::OPS;
use mxr_graph::schema::{Default, OperandKind, OptionDef, OptionKind, Schema};
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::quote;

/// The expansion of `__operators!(what)`.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let what = match input.into_iter().next() {
        Some(TokenTree::Ident(i)) => i.to_string(),
        _ => String::new(),
    };
    match what.as_str() {
        "options" => options::expand(&schemas()),
        "ndarray" => methods::ndarray(&schemas()),
        "symbol" => methods::symbol(&schemas()),
        "table" => docs::table(&schemas()),
        "editor" => editor::expand(&schemas()),
        _ => {
            quote! { ::core::compile_error!("__operators! takes `options`, `ndarray`, `symbol`, `table` or `editor`"); }
        }
    }
}

fn schemas() -> Vec<&'static Schema> {
    OPS.iter().map(|op| op.schema()).filter(|s| !s.internal).collect()
}

/// An identifier, raw where the name is a keyword.
fn ident(name: &str) -> Ident {
    spanned(name, Span::call_site())
}

/// The same at a place of the user's.
pub(crate) fn spanned(name: &str, span: Span) -> Ident {
    const KEYWORDS: [&str; 14] = [
        "as", "box", "do", "else", "final", "for", "if", "in", "loop", "match", "mod", "move", "type",
        "where",
    ];
    match KEYWORDS.contains(&name) {
        true => Ident::new_raw(name, span),
        false => Ident::new(name, span),
    }
}

/// A local variable of a generated method, which no operand and no option can be mistaken for.
fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// `conv2d` → `Conv2d`, `batch_norm` → `BatchNorm`: the name of the option builder.
pub(crate) fn builder(schema: &Schema) -> Ident {
    let mut name = String::new();
    for word in schema.name.split('_') {
        let mut letters = word.chars();
        name.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    Ident::new(&name, Span::call_site())
}

/// What a call gives by name: options, and parameters of another layer.
pub(crate) fn fields(schema: &'static Schema) -> impl Iterator<Item = &'static str> {
    let options = schema.options.iter().map(|o| o.name);
    let params = schema.inputs.iter().filter(|i| matches!(i.kind, OperandKind::Param | OperandKind::Aux));
    // Whether there is a `bias`, or which, is one word.
    options.chain(params.map(|i| i.name).filter(|name| schema.option(name).is_none()))
}

/// Options that have to be given.
fn required(schema: &Schema) -> Vec<&'static OptionDef> {
    schema.options.iter().filter(|o| o.default == Default::Required).collect()
}

/// Options that have a default.
fn optional(schema: &Schema) -> Vec<&'static OptionDef> {
    schema.options.iter().filter(|o| o.default != Default::Required).collect()
}

/// Options that have to be given where the operator makes its parameters by itself: their extents (`filters`, `kernel`,
/// `units`), which a given weight would tell.
fn required_to_make(schema: &Schema) -> Vec<&'static OptionDef> {
    let makes = schema.inputs.iter().any(|i| i.kind == OperandKind::Param);
    let extent = |o: &OptionDef| match o.kind {
        OptionKind::Dim => o.positional,
        OptionKind::Pair(_) => true,
        _ => false,
    };
    let asked =
        |o: &OptionDef| o.default == Default::Required || makes && o.default == Default::Absent && extent(o);
    schema.options.iter().filter(|o| asked(o)).collect()
}

fn variadic(schema: &Schema) -> bool {
    schema.inputs.iter().any(|i| i.kind == OperandKind::Variadic)
}

/// The parameter type of an option, and the `Arg` made of the parameter.
fn option_type(option: &OptionDef) -> (TokenStream, TokenStream) {
    let name = ident(option.name);
    let into = |ty: &str| {
        let ty = Ident::new(ty, Span::call_site());
        (quote!(impl Into<crate::opts::#ty>), quote!(#name.into().arg()))
    };
    match option.kind {
        OptionKind::Dim => into("Extent"),
        OptionKind::Pair(_) => into("Pair"),
        OptionKind::Pad => into("Padding"),
        OptionKind::Ints => into("Ints"),
        OptionKind::Shape | OptionKind::Indices => into("Extents"),
        OptionKind::Int(..) => (quote!(i64), quote!(::mxr_graph::schema::Arg::Int(#name))),
        OptionKind::Float(..) => (quote!(f64), quote!(::mxr_graph::schema::Arg::Float(#name))),
        OptionKind::Bool => (quote!(bool), quote!(::mxr_graph::schema::Arg::Bool(#name))),
        OptionKind::Choice(_) => (quote!(&str), quote!(::mxr_graph::schema::Arg::from(#name))),
        OptionKind::Expr => {
            panic!("`{}` takes a scalar expression, which only internal operators do", option.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builders_are_named_after_operators() {
        let relu = mxr_graph::ops::find("relu").expect("relu is an operator").schema();
        assert_eq!(builder(relu).to_string(), "Relu");
        assert_eq!(ident("where").to_string(), "r#where");
    }

    #[test]
    fn every_operator_has_its_methods_and_its_builder() {
        let text = |what: TokenStream| expand(what).to_string();
        let (options, array, symbol) = (text(quote!(options)), text(quote!(ndarray)), text(quote!(symbol)));
        for s in schemas() {
            assert!(options.contains(&format!("pub struct {} {{", builder(s))), "{} in options", s.name);
            assert!(array.contains(&format!("pub fn {} ", ident(s.name))), "{} in NDArray", s.name);
            assert!(symbol.contains(&format!("pub fn {} ", ident(s.name))), "{} in Symbol", s.name);
            assert!(symbol.contains(&format!("pub fn {}_with ", s.name)), "{}_with in Symbol", s.name);
        }
        assert!(
            array.contains("pub fn reshape (& self , shape : impl Into < crate :: opts :: Extents >)"),
            "{array}"
        );
        let table = text(quote!(table));
        for s in schemas() {
            assert!(table.contains(&format!("NDArray::{}) |", s.name)), "{} in the table", s.name);
        }
        assert!(text(quote!(nothing)).contains("compile_error"));
    }
}
