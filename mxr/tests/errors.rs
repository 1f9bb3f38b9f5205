//! One text from three sources: the calls of the error catalogue that have a fault are refused by `Symbol` and by `NDArray` in
//! the words in which `network!` refuses them (whose tests hold the macro against the same catalogue).

use mxr::graph::catalogue::{Case, Entry, Scope};
use mxr::graph::ops;
use mxr::graph::schema::Arg;
use mxr::{DType, Device, Error, NDArray, Symbol};

/// The first `let` of an example: `let conv1 = conv2d(x, 20, kernel = 7);`
struct Call {
    layer: String,
    op: String,
    operands: Vec<Input>,
    options: Vec<(String, Arg)>,
}

/// `x: Tensor<N, 3, 8, 8>`
#[derive(Clone)]
struct Input {
    name: String,
    extents: Vec<String>,
    dtype: DType,
}

/// What stands between commas outside of all brackets.
fn parts(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut out) = (0, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '<' => depth += 1,
            ')' | ']' | '>' => depth -= 1,
            ',' if depth == 0 => {
                out.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push(text[start..].trim());
    out
}

fn inputs(case: &Case) -> Vec<Input> {
    let input = |text: &str| {
        let (name, ty) = text.split_once(": Tensor<").expect("an input with its type");
        let list = parts(ty.strip_suffix('>').expect("a closing sign"));
        let dtype = list.iter().find_map(|e| DType::from_name(e)).unwrap_or_default();
        let extents = list.iter().filter(|e| DType::from_name(e).is_none()).map(|e| (*e).to_string());
        Input { name: name.to_string(), extents: extents.collect(), dtype }
    };
    parts(case.inputs).into_iter().map(input).collect()
}

fn arg(text: &str) -> Arg {
    let list = text.strip_prefix(['(', '[']).and_then(|t| t.strip_suffix([')', ']']));
    match (list, text) {
        (Some(list), _) => Arg::List(parts(list).into_iter().map(arg).collect()),
        (None, "true" | "false") => Arg::Bool(text == "true"),
        (None, "_") => Arg::Hole,
        _ => match (text.parse(), text.parse()) {
            (Ok(n), _) => Arg::Int(n),
            (_, Ok(x)) => Arg::Float(x),
            _ => Arg::from(text),
        },
    }
}

fn call(case: &Case) -> Call {
    let inputs = inputs(case);
    let line = case.wrong.lines().find_map(|l| l.trim().strip_prefix("let ")).expect("a call");
    let (layer, line) = line.split_once(" = ").expect("a name and a call");
    let (op, args) = line.split_once('(').expect("a call");
    let args = args.strip_suffix(");").expect("the end of the call");
    let schema = ops::find(op).expect("an operator").schema();
    let mut places = schema.options.iter().filter(|o| o.positional).map(|o| o.name.to_string());
    let (mut operands, mut options) = (Vec::new(), Vec::new());
    for part in parts(args) {
        let (name, value) = match part.split_once(" = ") {
            Some((name, value)) => (Some(name.to_string()), value),
            None => (None, part),
        };
        match inputs.iter().find(|i| i.name == value) {
            Some(input) => operands.push(input.clone()),
            None => options.push((name.or_else(|| places.next()).expect("a name"), arg(value))),
        }
    }
    Call { layer: layer.to_string(), op: op.to_string(), operands, options }
}

impl Call {
    fn options(&self) -> Vec<(&str, Arg)> {
        self.options.iter().map(|(n, a)| (n.as_str(), a.clone())).collect()
    }

    /// The error of the symbol, which names layer and operator.
    fn symbol(&self) -> Result<(), Error> {
        let symbol = |i: &Input| {
            let axes = i.extents.iter().map(|e| match e.parse::<usize>() {
                Ok(n) => n.into(),
                Err(_) => e.as_str().into(),
            });
            Symbol::input(&i.name).dtype(i.dtype).shape(axes.collect::<Vec<_>>())
        };
        let operands: Vec<Symbol> = self.operands.iter().map(symbol).collect();
        let operands: Vec<&Symbol> = operands.iter().collect();
        let y = Symbol::apply(&self.op, &operands, &self.options(), Some(&self.layer))?;
        y[0].compile("net").map(drop)
    }

    /// The error of the arrays, which names operator and argument. A symbol is 2.
    fn arrays(&self) -> Result<(), Error> {
        let array = |i: &Input| {
            let shape: Vec<usize> = i.extents.iter().map(|e| e.parse().unwrap_or(2)).collect();
            NDArray::zeros_on(&Device::cpu(), &shape, i.dtype)
        };
        let operands = self.operands.iter().map(array).collect::<Result<Vec<_>, _>>()?;
        let operands: Vec<&NDArray> = operands.iter().collect();
        NDArray::apply(&self.op, &operands, &self.options()).map(drop)
    }
}

/// The text with 2 for `N`, where it stands alone.
fn with_a_batch_of_2(text: &str) -> String {
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let chars: Vec<char> = text.chars().collect();
    let alone = |at: usize| {
        let before = at.checked_sub(1).and_then(|b| chars.get(b)).copied();
        chars[at] == 'N' && !word(before) && !word(chars.get(at + 1).copied())
    };
    (0..chars.len()).map(|at| if alone(at) { '2' } else { chars[at] }).collect()
}

#[test]
fn symbols_and_arrays_say_what_the_macro_says() {
    let mut count = 0;
    for entry in Entry::all() {
        for case in entry.cases.iter().filter(|c| matches!(c.scope, Scope::Everywhere | Scope::RunTime)) {
            let call = call(case);
            let (first, rest) = case.says.split_at(case.says.find('\n').unwrap_or(case.says.len()));
            let message = format!("{first} ({}){rest}", entry.code);
            let layer = format!("`{}`: ", call.layer);
            let without = message.strip_prefix(&layer).unwrap_or(&message).to_string();

            let have = call.symbol().expect_err(case.wrong).to_string();
            // The macro knows the place of what is wrong with an option; a symbol has only its layer's name.
            assert_eq!(have.strip_prefix(&layer).unwrap_or(&have), without, "symbol: {}", case.wrong);
            let named = message.starts_with(&layer);
            assert!(!named || have.starts_with(&layer), "symbol: {have}");

            let have = call.arrays().expect_err(case.wrong).to_string();
            assert_eq!(have, with_a_batch_of_2(&without), "array: {}", case.wrong);
            count += 1;
        }
    }
    assert!(count >= 40, "{count} calls");
}

/// The networks of what is told when they run, and their statements: the text of each is compared with the catalogue's.
mod run {
    use super::*;
    use mxr::graph::catalogue::Code;
    use mxr::{Mode, Network};

    mod trained {
        mxr::network!(
            pub fn Net(data: Tensor<N, 3, 8, 8>, label: Tensor<N, i64>) {
                let fc1 = dense(flatten(data), 10);
                softmax_cross_entropy(fc1, label)
            }
        );
    }

    mod predicts {
        mxr::network!(
            #[predict]
            pub fn Net(data: Tensor<N, 3, 8, 8>) {
                let fc1 = dense(flatten(data), 10);
                softmax(fc1)
            }
        );
    }

    /// The inputs of an example's network, by which the two are told apart.
    fn is_trained(case: &Case) -> bool {
        case.wrong.contains("label: Tensor<N, i64>")
    }

    #[test]
    fn what_a_bound_network_refuses_has_a_code() -> Result<(), Error> {
        macro_rules! told {
            ($net:ident; $($code:ident $network:ty: $wrong:expr => $right:expr;)*) => {$({
                let case = &Entry::of(Code::$code).cases[0];
                let words = |text: &str| text.split_whitespace().collect::<String>();
                let Scope::Run(wrong, right) = case.scope else { panic!("{} runs", stringify!($code)) };
                assert_eq!(words(wrong), words(stringify!($wrong)));
                assert_eq!(words(right), words(stringify!($right)));
                assert_eq!(is_trained(case), <$network>::PROGRAMS.train().is_some());
                let mut $net = <$network>::bind(4)?;
                let _ = $net.executor_mut();
                let told = $wrong.map(|_| ()).expect_err(stringify!($wrong)).to_string();
                let (first, rest) = case.says.split_once('\n').expect("a help");
                assert_eq!(told, format!("{first} ({})\n{rest}", Code::$code));
                $right.map(|_| ())?;
            })*};
        }
        told! { net;
            FedUnknown trained::Net: net.set_input("date", &NDArray::zeros(&[4, 3, 8, 8])?)
                => net.set_input("data", &NDArray::zeros(&[4, 3, 8, 8])?);
            FedShape trained::Net: net.set_input("data", &NDArray::zeros(&[5, 3, 8, 8])?)
                => net.set_input("data", &NDArray::zeros(&[4, 3, 8, 8])?);
            NoParameter trained::Net: net.param("fc1_weigth") => net.param("fc1_weight");
            NothingToGoBack trained::Net: net.backward()
                => net.forward(Mode::Train).and_then(|_| net.backward());
            OnlyPredicts predicts::Net: net.forward(Mode::Train) => net.forward(Mode::Predict);
        }
        let runs = Entry::all().flat_map(|e| e.cases).filter(|c| matches!(c.scope, Scope::Run(..)));
        assert_eq!(runs.count(), 5);
        Ok(())
    }
}
