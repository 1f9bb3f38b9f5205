//! A [`Summary`] as a Rust expression of constants.

use mxr_graph::summary::{Amount, Cost, Summary};

/// The text of an expression of type `Summary`.
pub(super) fn summary(s: &Summary) -> String {
    let (parameters, train, predict) = (amount(s.parameters), cost(&s.train), cost(&s.predict));
    format!(
        "{{ use ::mxr::graph::summary::{{Amount, Cost, Summary}}; \
         Summary {{ parameters: {parameters}, train: {train}, predict: {predict} }} }}"
    )
}

fn cost(c: &Cost) -> String {
    if *c == Cost::UNKNOWN {
        return "Cost::UNKNOWN".to_string();
    }
    let [flops, planned, naive, outside, kept] = [c.flops, c.planned, c.naive, c.outside, c.kept].map(amount);
    format!("Cost {{ flops: {flops}, planned: {planned}, naive: {naive}, outside: {outside}, kept: {kept} }}")
}

fn amount(a: Amount) -> String {
    match (a.per_symbol(), a.fixed()) {
        (Some(per_symbol), Some(fixed)) => format!("Amount::new({per_symbol}, {fixed})"),
        _ => "Amount::UNKNOWN".to_string(),
    }
}
