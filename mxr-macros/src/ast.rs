//! The language as a tree. Every part keeps the spans of the user's tokens.

use crate::errors::Spans;
use proc_macro2::{Group, Ident, Span, TokenStream};

/// What stands inside `network!( … )`.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Networks and blocks in order.
    pub(crate) fns: Vec<Fn>,
    /// `const WIDTH: usize = 64;`
    pub(crate) consts: Vec<Const>,
    /// `use path::name;`, with what it brought.
    pub(crate) imports: Vec<Import>,
    /// An item is half-typed, which has been said: names that are not known may be its own.
    pub(crate) half: bool,
    /// An editor asks: what things turn out to be is kept for it.
    pub(crate) watched: bool,
}

/// A function of another `network!`, with everything that stands beside it there.
#[derive(Debug)]
pub(crate) struct Import {
    /// What it is called here.
    pub(crate) name: Ident,
    /// What it is called there.
    pub(crate) item: Ident,
    /// Nothing where something is wrong with it, which has been said there.
    pub(crate) source: Option<Source>,
}

/// A network (capital letter first) or a block.
#[derive(Debug)]
pub(crate) struct Fn {
    /// Attributes for the generated struct, docs among them; those of the language are not.
    pub(crate) attrs: Vec<Attr>,
    pub(crate) marks: Marks,
    pub(crate) vis: TokenStream,
    pub(crate) name: Ident,
    pub(crate) params: Vec<Param>,
    /// Something in it is half-typed, which has been said: names that are not known may be what it lacks.
    pub(crate) half: bool,
    /// A loop or an assignment is half-typed: what it would change is not what it will be.
    pub(crate) lost: bool,
    /// Without statements where it is an operator of the user's.
    pub(crate) body: Block,
    /// What makes an operator of the user's.
    pub(crate) external: Option<External>,
}

/// What an operator of the user's is beside its inputs: `extern "Rust" fn … -> results { body }`.
#[derive(Debug)]
pub(crate) struct External {
    pub(crate) results: Vec<Type>,
    /// The types of its inputs as they stand.
    pub(crate) types: Vec<TokenStream>,
    /// Rust's own code. Nothing where it is missing, which has been said.
    pub(crate) body: Option<Group>,
    /// The word `fn`.
    pub(crate) at: Span,
}

impl Source {
    /// Whether this is a name of something that has faults where it is written.
    pub(crate) fn is_broken(&self, name: &Ident) -> bool {
        self.imports.iter().any(|i| i.name == *name && i.source.is_none())
    }

    /// The network or block that is called `name` here, with the source that it stands in.
    pub(crate) fn function(&self, name: &Ident) -> Option<(&Source, &Fn)> {
        let own = self.fns.iter().find(|f| f.name == *name).map(|f| (self, f));
        own.or_else(|| {
            let import = self.imports.iter().find(|i| i.name == *name)?;
            import.source.as_ref()?.function(&import.item)
        })
    }
}

impl Fn {
    /// As a message calls it.
    pub(crate) fn kind(&self) -> &'static str {
        match self.is_network() {
            true => "network",
            false if self.external.is_some() => "operator",
            false => "block",
        }
    }

    /// Whether it is a network rather than a block.
    pub(crate) fn is_network(&self) -> bool {
        self.external.is_none() && name_of(&self.name).starts_with(char::is_uppercase)
    }

    /// Whether its inputs are those of a network: tensors with all of their extents, of which some are numbers. A block for any
    /// shape has names for them.
    pub(crate) fn could_be_network(&self) -> bool {
        let whole = |p: &Param| matches!(p.ty.kind, TypeKind::Tensor(Some(_)));
        let number = |p: &Param| match &p.ty.kind {
            TypeKind::Tensor(Some(list)) => list.iter().any(|e| matches!(e.kind, ExprKind::Int(_))),
            _ => false,
        };
        self.external.is_none() && self.params.iter().all(whole) && self.params.iter().any(number)
    }
}

/// The attributes of the language.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// `#[predict]`: the network has no training program.
    pub(crate) predict: Option<Span>,
    /// `#[memory(…)]`.
    pub(crate) memory: Option<MemoryLimit>,
    /// `#[defaults(stride = 1)]`: the word and its arguments.
    pub(crate) defaults: Option<Call>,
    /// `#[same_as(crate::CLASSES)]`: the word and the path.
    pub(crate) same_as: Option<(Span, TokenStream)>,
    /// Those of layers.
    pub(crate) layer: LayerMarks,
}

/// The attributes of layers: on a block, a `let` or an assignment.
#[derive(Debug, Default)]
pub(crate) struct LayerMarks {
    /// `#[recompute]`: the backward pass makes again what is kept inside.
    pub(crate) recompute: Option<Span>,
    /// `#[lr(0.1)]`: the word, and the factor on the learning rate.
    pub(crate) lr: Option<(Span, Expr)>,
    /// `#[frozen]`: no gradients.
    pub(crate) frozen: Option<Span>,
    /// `#[no_decay]`: no weight decay.
    pub(crate) no_decay: Option<Span>,
}

impl LayerMarks {
    /// Those that are there, by name.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, Span)> + '_ {
        [("recompute", self.recompute)]
            .into_iter()
            .filter_map(|(name, at)| Some((name, at?)))
            .chain(self.training())
    }

    /// Those that are about the training of weights.
    pub(crate) fn training(&self) -> impl Iterator<Item = (&'static str, Span)> + '_ {
        let lr = self.lr.as_ref().map(|(at, _)| *at);
        let all = [("lr", lr), ("frozen", self.frozen), ("no_decay", self.no_decay)];
        all.into_iter().filter_map(|(name, at)| Some((name, at?)))
    }
}

/// `#[memory(batch = 64, max = "2 GiB")]`: the network fits so much memory, or it does not compile.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    /// The attribute.
    pub(crate) at: Spans,
    /// Bytes.
    pub(crate) max: u64,
    /// What stands in quotes.
    pub(crate) text: String,
    /// Numbers for the symbols, `batch` among them.
    pub(crate) sizes: Vec<(Ident, i64)>,
}

/// `#[…]`.
#[derive(Debug)]
pub(crate) struct Attr {
    /// The first word between the brackets.
    pub(crate) name: String,
    pub(crate) at: Span,
    pub(crate) tokens: TokenStream,
}

impl Attr {
    /// Whether it changes nothing but what readers and the compiler see.
    pub(crate) fn is_silent(&self) -> bool {
        ["doc", "allow", "expect", "warn", "deny", "rustfmt", "inline", "must_use"]
            .contains(&self.name.as_str())
    }
}

/// A parameter of a network or a block.
#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    /// What it is where a call says nothing.
    pub(crate) default: Option<Expr>,
    /// Its name where that is said.
    pub(crate) defaulted: Option<Ident>,
    pub(crate) at: Spans,
}

/// The type of a parameter.
#[derive(Debug)]
pub(crate) struct Type {
    pub(crate) kind: TypeKind,
    pub(crate) at: Spans,
}

/// What a parameter holds.
#[derive(Debug)]
pub(crate) enum TypeKind {
    /// `Tensor`, or with what stands in its brackets: extents and at most one element type.
    Tensor(Option<Vec<Expr>>),
    Int,
    Float,
    Bool,
    /// `&str`: a word such as `same`.
    Word,
    /// `(usize, usize)`, `[usize; 2]`.
    List,
    /// Already reported.
    Error,
}

/// `const NAME: type = value;`
#[derive(Debug)]
pub(crate) struct Const {
    /// Docs and what else is handed on.
    pub(crate) attrs: Vec<Attr>,
    /// Who sees it outside of the macro; nobody where nothing stands.
    pub(crate) vis: TokenStream,
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    /// The type as it stands.
    pub(crate) written: TokenStream,
    pub(crate) value: Expr,
    /// `#[same_as(crate::CLASSES)]`: the constant outside that has to have its value.
    pub(crate) same_as: Option<TokenStream>,
}

/// `{ … }`.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) stmts: Vec<Stmt>,
    /// The last expression, without a semicolon.
    pub(crate) tail: Option<Box<Expr>>,
    /// The closing brace.
    pub(crate) end: Span,
    /// How many expressions deep it is.
    pub(crate) depth: u32,
}

impl Block {
    /// Every call in it, in order.
    pub(crate) fn calls<'a>(&'a self, see: &mut impl FnMut(&'a Call)) {
        for s in &self.stmts {
            match s {
                Stmt::Let { value, .. } | Stmt::Assign { value, .. } | Stmt::Expr(value) => value.calls(see),
                Stmt::For { list, body, .. } => {
                    list.calls(see);
                    body.calls(see);
                }
            }
        }
        if let Some(tail) = &self.tail {
            tail.calls(see);
        }
    }
}

impl Expr {
    fn calls<'a>(&'a self, see: &mut impl FnMut(&'a Call)) {
        match &self.kind {
            ExprKind::List(parts) => parts.iter().for_each(|p| p.calls(see)),
            ExprKind::Range(a, b, _) | ExprKind::Binary(_, a, b) => {
                a.calls(see);
                b.calls(see);
            }
            ExprKind::Unary(_, a) | ExprKind::Field(a, _) => a.calls(see),
            ExprKind::Call(call) => {
                see(call);
                call.args.iter().for_each(|a| a.value.calls(see));
            }
            ExprKind::If(condition, then, otherwise) => {
                condition.calls(see);
                then.calls(see);
                if let Some(e) = otherwise {
                    e.calls(see);
                }
            }
            ExprKind::Block(block) => block.calls(see),
            _ => {}
        }
    }
}

/// A statement.
#[derive(Debug)]
pub(crate) enum Stmt {
    /// `let pat: ty = value;`
    Let { pat: Pat, ty: Option<Type>, value: Expr, marks: LayerMarks },
    /// `pat = value;`
    Assign { pat: Pat, value: Expr, marks: LayerMarks },
    /// `for pat in list { body }`
    For { pat: Pat, list: Expr, body: Block },
    /// `value;`
    Expr(Expr),
}

/// What a value is bound to.
#[derive(Debug)]
pub(crate) enum Pat {
    Name(Ident),
    Wild,
    Tuple(Vec<Pat>),
}

impl Pat {
    /// The names in it, in order.
    pub(crate) fn names<'a>(&'a self, see: &mut impl FnMut(&'a Ident)) {
        match self {
            Pat::Wild => {}
            Pat::Name(ident) => see(ident),
            Pat::Tuple(parts) => parts.iter().for_each(|p| p.names(see)),
        }
    }
}

/// An expression.
#[derive(Debug)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) at: Spans,
    /// How many expressions deep it is.
    pub(crate) depth: u32,
}

impl Expr {
    /// As short as it can be written in a message.
    pub(crate) fn short(&self) -> String {
        match &self.kind {
            ExprKind::Int(n) => n.to_string(),
            ExprKind::Float(x) => format!("{x:?}"),
            ExprKind::Bool(b) => b.to_string(),
            ExprKind::Text(t) => format!("{t:?}"),
            ExprKind::Name(name) => name.to_string(),
            ExprKind::Field(of, name) => format!("{}.{name}", of.short()),
            ExprKind::Hole => "_".to_string(),
            ExprKind::List(parts) => {
                let parts: Vec<String> = parts.iter().map(Expr::short).collect();
                format!("({})", parts.join(", "))
            }
            _ => "…".to_string(),
        }
    }
}

/// The kinds of expressions.
#[derive(Debug)]
pub(crate) enum ExprKind {
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Name(Ident),
    /// `_`
    Hole,
    /// `(a, b)` and `[a, b]`.
    List(Vec<Expr>),
    /// `a..b` or `a..=b`.
    Range(Box<Expr>, Box<Expr>, bool),
    Unary(Unary, Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    Call(Call),
    /// `layer.weight`: a parameter of the layer.
    Field(Box<Expr>, Ident),
    If(Box<Expr>, Block, Option<Box<Expr>>),
    Block(Block),
    /// Already reported; the part in front of a dot is kept.
    Error(Option<Box<Expr>>),
}

/// `name(args)` or `receiver.name(args)`.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: Ident,
    /// The receiver of a method comes first.
    pub(crate) args: Vec<Arg>,
    /// Whether the first argument is a receiver.
    pub(crate) method: bool,
    /// A comma or an argument is missing, which has been said: how many arguments there are says nothing.
    pub(crate) half: bool,
    /// `name::new(…)`: no call yet, but a block with weights of its own.
    pub(crate) instance: bool,
}

/// An argument.
#[derive(Debug)]
pub(crate) struct Arg {
    /// `kernel` of `kernel = 5`.
    pub(crate) name: Option<Ident>,
    pub(crate) value: Expr,
}

impl Arg {
    /// Name and value.
    pub(crate) fn spans(&self) -> Spans {
        match &self.name {
            Some(n) => Spans::from(n.span()).to(self.value.at),
            None => self.value.at,
        }
    }
}

impl Arg {
    /// The name and the value of `kernel == 3`, where `kernel = 3` may be meant.
    pub(crate) fn compared(&self) -> Option<(&Ident, &Expr)> {
        match (&self.name, &self.value.kind) {
            (None, ExprKind::Binary(Binary::Eq, a, b)) => match &a.kind {
                ExprKind::Name(name) => Some((name, b)),
                _ => None,
            },
            _ => None,
        }
    }
}

/// An operator with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unary {
    Neg,
    Not,
}

/// An operator with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

impl Binary {
    /// As written.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Binary::Or => "||",
            Binary::And => "&&",
            Binary::Eq => "==",
            Binary::Ne => "!=",
            Binary::Lt => "<",
            Binary::Le => "<=",
            Binary::Gt => ">",
            Binary::Ge => ">=",
            Binary::Add => "+",
            Binary::Sub => "-",
            Binary::Mul => "*",
            Binary::Div => "/",
            Binary::Rem => "%",
        }
    }

    /// How tightly it binds, as in Rust.
    pub(crate) fn level(self) -> u8 {
        match self {
            Binary::Or => 1,
            Binary::And => 2,
            Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => 3,
            Binary::Add | Binary::Sub => 4,
            Binary::Mul | Binary::Div | Binary::Rem => 5,
        }
    }
}

/// An identifier without `r#`.
pub(crate) fn name_of(ident: &Ident) -> String {
    let text = ident.to_string();
    match text.strip_prefix("r#") {
        Some(t) => t.to_string(),
        None => text,
    }
}
