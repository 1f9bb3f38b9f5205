//! One function: its signature and its statements.

use super::types::{Module, describe};
use super::{cfg, is_marked, module_of, unspanned};
use crate::ast::{Binary, Block, Expr, ExprKind, Fn, Param, Pat, Source, Stmt, Type, TypeKind, name_of};
use crate::elaborate::{Seen, Shown};
use mxr_graph::dtype::DType;
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{quote, quote_spanned};
use std::collections::BTreeSet;

/// What is being written of one function.
pub(super) struct Body<'a> {
    pub(super) source: &'a Source,
    item: &'a Fn,
    /// What it is called here.
    name: Ident,
    pub(super) seen: &'a Seen,
    /// The places of tokens that name a layer's constant.
    layers: &'a BTreeSet<String>,
    scope: Vec<(String, Bound)>,
    pub(super) module: Module,
    /// Whether names are those of the network itself rather than of a loop or a choice.
    top: bool,
}

/// What a name refers to.
#[derive(Clone)]
enum Bound {
    /// A constant of the network.
    Layer,
    /// A field of the struct at this path.
    Field(TokenStream),
}

impl<'a> Body<'a> {
    pub(super) fn new(
        source: &'a Source,
        item: &'a Fn,
        name: Ident,
        seen: &'a Seen,
        layers: &'a BTreeSet<String>,
    ) -> Body<'a> {
        let module = Module::new(module_of(&name));
        Body { source, item, name, seen, layers, scope: Vec::new(), module, top: true }
    }

    /// The function, and the module of what is known about it.
    pub(super) fn written(mut self) -> (TokenStream, TokenStream) {
        let (head, locals, declared) = self.head();
        let item = self.item;
        let defaults: Vec<TokenStream> = item.params.iter().filter_map(|p| self.default(p)).collect();
        let stmts = self.statements(&item.body);
        let tail = item.body.tail.as_ref().map_or_else(TokenStream::new, |e| self.expr(e));
        let module = module_of(&self.name);
        let symbols: Vec<Ident> = self.module.symbols().collect();
        let cfg: Vec<&TokenStream> = cfg(item).collect();
        let body = quote! {
            #head {
                use #module::{#(#symbols),*};
                #locals
                __touch((#(#declared,)* #(#defaults,)*));
                #stmts
                __result((#tail))
            }
        };
        let known = self.module.written();
        (body, quote!(#(#cfg)* #known))
    }

    /// A function of elsewhere: what it takes.
    pub(super) fn signature(mut self) -> (TokenStream, TokenStream) {
        let (head, ..) = self.head();
        (quote!(#head { loop {} }), self.module.written())
    }

    /// Attributes and signature; the inputs with their shapes; and the extents that it names.
    fn head(&mut self) -> (TokenStream, TokenStream, Vec<TokenStream>) {
        let item = self.item;
        let own = self.source.fns.iter().any(|f| std::ptr::eq(f, item));
        let mut declared = Vec::new();
        let mut fields = Vec::new();
        for p in &item.params {
            if own {
                declared.extend(self.types(&p.ty, Some(&p.name)));
            }
            let ty = self.module.value(&self.expected(p));
            fields.push((&p.name, describe(&p.name.to_string(), self.seen.all(&p.name)), ty));
        }
        for ty in item.external.iter().filter(|_| own).flat_map(|e| &e.results) {
            declared.extend(self.types(ty, None));
        }
        self.module.inputs(&fields);
        let module = module_of(&self.name);
        for (name, ..) in &fields {
            self.scope.push((name_of(name), Bound::Field(quote!(#module::inputs))));
        }
        let params = item.params.iter().map(|p| {
            let name = unspanned(&p.name);
            let ty = match p.ty.kind {
                TypeKind::Tensor(_) | TypeKind::Error => quote!(Tensor),
                TypeKind::Int => quote!(usize),
                TypeKind::Float => quote!(f64),
                TypeKind::Bool => quote!(bool),
                TypeKind::Word => quote!(&'static str),
                TypeKind::List => quote!(__ide::List),
            };
            quote!(#name: #ty)
        });
        // The struct of a network has the token of its name, and the docs.
        let name = match (item.is_network(), own) {
            (true, true) => unspanned(&self.name),
            (_, true) => self.name.clone(),
            (_, false) if name_of(&item.name) == name_of(&self.name) => item.name.clone(),
            (_, false) => unspanned(&self.name),
        };
        let docs = item.attrs.iter().filter(|a| a.name == "doc").map(|a| &a.tokens);
        let (generic, result) = match self.gives_several(item) {
            true => (quote!(Results), quote!(Results)),
            false => (quote!(Shape), quote!(Tensor<Shape>)),
        };
        let cfg = cfg(item);
        let head = quote!(#(#cfg)* #(#docs)* fn #name<#generic>(#(#params),*) -> #result);
        let locals = fields.iter().map(|(name, _, ty)| {
            let name = unspanned(name);
            quote!(let #name: #ty = __any(());)
        });
        (head, quote!(#(#locals)*), declared)
    }

    pub(super) fn gives_several(&self, item: &Fn) -> bool {
        if let Some(external) = &item.external {
            return external.results.len() > 1;
        }
        let tail = item.body.tail.as_deref();
        tail.is_some_and(|tail| gives_several(self.source, tail, MOST_CALLS))
    }

    /// What an input is, or by its type may be.
    fn expected(&self, p: &Param) -> Shown {
        match (self.seen.first(&p.name), &p.ty.kind) {
            (Shown::Unknown, TypeKind::Int) => Shown::Extent(crate::elaborate::Extent::Number(1)),
            (Shown::Unknown, TypeKind::Float) => Shown::Float(0.0),
            (Shown::Unknown, TypeKind::Bool) => Shown::Bool(false),
            (Shown::Unknown, TypeKind::Word) => Shown::Word(String::new()),
            (known, _) => known.clone(),
        }
    }

    /// A default, in terms of the inputs, and the name that it is given to.
    fn default(&mut self, p: &'a Param) -> Option<TokenStream> {
        let (name, value) = (p.defaulted.as_ref()?, p.default.as_ref()?);
        let value = match (&p.ty.kind, &value.kind) {
            (TypeKind::Word, ExprKind::Name(_)) => quote!(()),
            _ => self.expr(value),
        };
        let name = self.reference(name);
        Some(quote!(#name, #value))
    }

    /// The extents in a type; new names in that of an input are symbols.
    fn types(&mut self, ty: &'a Type, input: Option<&Ident>) -> Vec<TokenStream> {
        let TypeKind::Tensor(Some(list)) = &ty.kind else { return Vec::new() };
        let mut out = Vec::new();
        for e in list {
            let new = input.is_some_and(|input| self.declare(e, input));
            match &e.kind {
                ExprKind::Int(_) => {}
                // A token is said once: as what it declares.
                _ if new => {}
                ExprKind::Name(name) if DType::from_name(&name_of(name)).is_some() => {}
                _ => out.push(self.expr(e)),
            }
        }
        out
    }

    /// New names in an extent; whether there are any.
    fn declare(&mut self, e: &Expr, input: &Ident) -> bool {
        match &e.kind {
            ExprKind::Name(name) => {
                let text = name_of(name);
                let known =
                    DType::from_name(&text).is_some() || self.source.consts.iter().any(|c| c.name == *name);
                if !known && !is_marked(name) {
                    let doc = match self.item.is_network() {
                        true => format!("`{text}`: a symbol, gets its number when the network is bound."),
                        false => {
                            let all = describe(&text, self.seen.all(e));
                            format!("{all}\n\nAn extent of `{input}`.")
                        }
                    };
                    return self.module.declare(name, &doc);
                }
                false
            }
            ExprKind::Unary(_, a) => self.declare(a, input),
            ExprKind::Binary(_, a, b) => {
                let (a, b) = (self.declare(a, input), self.declare(b, input));
                a || b
            }
            ExprKind::Block(b) => b.tail.as_ref().is_some_and(|t| self.declare(t, input)),
            _ => false,
        }
    }

    fn statements(&mut self, block: &'a Block) -> TokenStream {
        block.stmts.iter().map(|s| self.statement(s)).collect()
    }

    fn statement(&mut self, s: &'a Stmt) -> TokenStream {
        let mut out = match s {
            Stmt::Let { pat, ty, value, .. } => {
                let value = self.expr(value);
                let extents = ty.iter().flat_map(|ty| self.types(ty, None)).collect::<Vec<_>>();
                let (pat, ty) = self.bind(pat);
                quote!(let #pat: #ty = __result((#value, #(#extents,)*));)
            }
            Stmt::Assign { pat, value, .. } => {
                // `x += y` has its name in the sum once more.
                let again = |name: &Ident| match &value.kind {
                    ExprKind::Binary(_, a, _) => matches!(&a.kind, ExprKind::Name(n) if same(n, name)),
                    _ => false,
                };
                let mut names = Vec::new();
                pat.names(&mut |n| names.extend((!again(n)).then_some(n)));
                let names: Vec<TokenStream> = names.into_iter().map(|n| self.reference(n)).collect();
                let value = self.expr(value);
                let (pat, ty) = self.assigned(pat);
                quote!(__touch((#(#names,)*)); let #pat: #ty = __result((#value));)
            }
            Stmt::For { pat, list, body } => {
                let list = self.expr(list);
                let (mark, top) = (self.scope.len(), std::mem::replace(&mut self.top, false));
                let (pat, ty) = self.bind(pat);
                let stmts = self.statements(body);
                let tail = body.tail.as_ref().map(|e| self.expr(e));
                self.scope.truncate(mark);
                self.top = top;
                quote!({ let #pat: #ty = __result((#list)); #stmts #tail; })
            }
            Stmt::Expr(e) => {
                let e = self.expr(e);
                quote!(#e;)
            }
        };
        // What is assigned inside is another value behind it.
        let mut inside = Vec::new();
        match s {
            Stmt::For { body, .. } => assignments(body, &mut inside),
            Stmt::Let { value, .. } | Stmt::Assign { value, .. } | Stmt::Expr(value) => {
                inner(value, &mut inside)
            }
        }
        for (at, name) in inside.iter().enumerate() {
            let last = inside[at + 1..].iter().all(|n| *n != *name);
            if last && self.scope.iter().any(|(n, _)| *n == name_of(name)) {
                let (local, ty) = (unspanned(name), self.module.value(self.seen.last(*name)));
                out.extend(quote!(let #local: #ty = __result(());));
            }
        }
        out
    }

    /// New names, and their types.
    fn bind(&mut self, pat: &Pat) -> (TokenStream, TokenStream) {
        match pat {
            Pat::Wild => (quote!(_), quote!(())),
            Pat::Name(ident) => {
                let ty = self.module.value(self.seen.first(ident));
                let layer = self.top && self.item.is_network() && self.layers.contains(&key(ident));
                let bound = match layer {
                    true => Bound::Layer,
                    false => Bound::Field(self.module.name(ident, self.seen.all(ident))),
                };
                self.scope.push((name_of(ident), bound));
                let local = unspanned(ident);
                (quote!(#local), ty)
            }
            Pat::Tuple(parts) => {
                let (parts, types): (Vec<_>, Vec<_>) = parts.iter().map(|p| self.bind(p)).unzip();
                (quote!((#(#parts,)*)), quote!((#(#types,)*)))
            }
        }
    }

    /// Names that get another value, and its types.
    fn assigned(&mut self, pat: &Pat) -> (TokenStream, TokenStream) {
        match pat {
            Pat::Wild => (quote!(_), quote!(())),
            Pat::Name(ident) => {
                let (local, ty) = (unspanned(ident), self.module.value(self.seen.first(ident)));
                (quote!(#local), ty)
            }
            Pat::Tuple(parts) => {
                let (parts, types): (Vec<_>, Vec<_>) = parts.iter().map(|p| self.assigned(p)).unzip();
                (quote!((#(#parts,)*)), quote!((#(#types,)*)))
            }
        }
    }

    fn find(&self, name: &str) -> Option<&Bound> {
        self.scope.iter().rev().find(|(n, _)| n == name).map(|(_, bound)| bound)
    }

    /// The names that can be seen.
    pub(super) fn visible(&self) -> impl Iterator<Item = &str> {
        self.scope.iter().map(|(name, _)| name.as_str())
    }

    pub(super) fn is_bound(&self, ident: &Ident) -> bool {
        self.find(&name_of(ident)).is_some()
    }

    /// What a name refers to, without its value.
    fn reference(&self, ident: &Ident) -> TokenStream {
        match self.find(&name_of(ident)) {
            Some(Bound::Layer) => {
                let network = unspanned(&self.name);
                quote!(#network::#ident)
            }
            Some(Bound::Field(path)) => quote!(__any::<#path>(()).#ident),
            None if is_marked(ident) => quote!(#ident),
            None => quote!(()),
        }
    }

    /// A name and its value.
    pub(super) fn named(&self, ident: &Ident) -> TokenStream {
        // The word itself comes first, known or not: with a mark behind it, it would stand at the same place.
        if self.is_bound(ident) {
            let (reference, local) = (self.reference(ident), unspanned(ident));
            quote!(__of(#local, #reference))
        } else if self.is_known(ident) || is_marked(ident) {
            quote!(__of(#ident, ()))
        } else {
            quote!(__of(the_name_that_is_being_typed, ()))
        }
    }

    /// Whether a name stands for something.
    pub(super) fn is_known(&self, ident: &Ident) -> bool {
        let constant = || self.source.consts.iter().any(|c| c.name == *ident);
        self.is_bound(ident) || constant() || self.module.is_declared(&name_of(ident))
    }

    pub(super) fn expr(&mut self, e: &'a Expr) -> TokenStream {
        let span = e.at.first;
        match &e.kind {
            ExprKind::Int(n) => number(Literal::u64_unsuffixed(n.unsigned_abs()), span),
            ExprKind::Float(x) if x.is_finite() => number(Literal::f64_unsuffixed(x.abs()), span),
            ExprKind::Float(_) => quote!(()),
            ExprKind::Bool(b) => quote!(#b),
            ExprKind::Text(t) => quote!(#t),
            ExprKind::Name(name) => self.named(name),
            ExprKind::Hole => self.module.hole(span, self.seen.first(e)),
            ExprKind::List(parts) => {
                let parts: Vec<TokenStream> = parts.iter().map(|p| self.expr(p)).collect();
                quote!((#(#parts,)*))
            }
            ExprKind::Range(a, b, _) => {
                let (a, b) = (self.expr(a), self.expr(b));
                quote!((#a, #b))
            }
            ExprKind::Unary(_, a) => {
                let (a, shape) = (self.expr(a), self.shape(e));
                quote!(__unary::<#shape>(#a))
            }
            ExprKind::Binary(op, a, b) => {
                let (a, b) = (self.expr(a), self.expr(b));
                let shape = self.shape(e);
                match op {
                    Binary::Add | Binary::Sub | Binary::Mul | Binary::Div => {
                        quote!(__binary::<#shape>(#a, #b))
                    }
                    _ => quote!(__compare(#a, #b)),
                }
            }
            ExprKind::Call(call) => self.call(e, call),
            ExprKind::Field(of, name) => {
                let at = self.module.reserve();
                let receiver = self.expr(of);
                if is_marked(name) {
                    return quote!(__part(#receiver.#name, ()));
                }
                let parameter = match self.seen.first(e) {
                    Shown::Unknown => quote!(()),
                    shown => self.module.parameter(&at, name, shown),
                };
                quote!(__part(#receiver.the_name_that_is_being_typed, #parameter))
            }
            ExprKind::Error(Some(receiver)) => {
                let receiver = self.expr(receiver);
                quote!(__part(#receiver.the_name_that_is_being_typed, ()))
            }
            ExprKind::Error(None) => quote!(the_name_that_is_being_typed),
            ExprKind::If(condition, then, otherwise) => {
                let condition = self.expr(condition);
                let then = self.braces(then);
                let otherwise = otherwise.as_ref().map_or_else(|| quote!(()), |o| self.expr(o));
                let shape = self.shape(e);
                quote!(__choice::<#shape>(#condition, #then, #otherwise))
            }
            ExprKind::Block(block) => self.braces(block),
        }
    }

    fn shape(&mut self, e: &Expr) -> TokenStream {
        let alias = self.module.reserve();
        self.module.shape(alias, self.seen.first(e), false)
    }

    fn braces(&mut self, block: &'a Block) -> TokenStream {
        let (mark, top) = (self.scope.len(), std::mem::replace(&mut self.top, false));
        let stmts = self.statements(block);
        let tail = block.tail.as_ref().map(|e| self.expr(e));
        self.scope.truncate(mark);
        self.top = top;
        quote!({ #stmts #tail })
    }
}

fn number(mut literal: Literal, span: Span) -> TokenStream {
    literal.set_span(span);
    quote_spanned!(span=> #literal)
}

/// No function gives what another gives through more calls than this; one that calls itself has been reported.
const MOST_CALLS: usize = 16;

/// Whether an expression has several values, by its words.
fn gives_several(source: &Source, e: &Expr, calls: usize) -> bool {
    let block = |b: &Block| b.tail.as_deref().is_some_and(|t| gives_several(source, t, calls));
    match &e.kind {
        ExprKind::List(_) => true,
        ExprKind::If(_, then, _) => block(then),
        ExprKind::Block(b) => block(b),
        ExprKind::Call(call) => match source.function(&call.name) {
            Some((_, f)) if f.external.is_some() => f.external.as_ref().is_some_and(|e| e.results.len() > 1),
            Some((home, f)) => {
                f.body.tail.as_deref().is_some_and(|t| calls > 0 && gives_several(home, t, calls - 1))
            }
            None => mxr_graph::ops::find(&name_of(&call.name)).is_some_and(|op| op.schema().visible != 1),
        },
        _ => false,
    }
}

/// A token by its place.
fn key(ident: &Ident) -> String {
    format!("{:?}", ident.span())
}

fn same(a: &Ident, b: &Ident) -> bool {
    a == b && key(a) == key(b)
}

/// The names that a body assigns to, loops and choices included.
fn assignments<'e>(block: &'e Block, out: &mut Vec<&'e Ident>) {
    for s in &block.stmts {
        match s {
            Stmt::Assign { pat, value, .. } => {
                inner(value, out);
                pat.names(&mut |n| out.push(n));
            }
            Stmt::For { body, .. } => assignments(body, out),
            Stmt::Let { value, .. } | Stmt::Expr(value) => inner(value, out),
        }
    }
    if let Some(tail) = &block.tail {
        inner(tail, out);
    }
}

/// The same of the blocks in an expression.
fn inner<'e>(e: &'e Expr, out: &mut Vec<&'e Ident>) {
    match &e.kind {
        ExprKind::If(_, then, otherwise) => {
            assignments(then, out);
            otherwise.iter().for_each(|o| inner(o, out));
        }
        ExprKind::Block(block) => assignments(block, out),
        _ => {}
    }
}
