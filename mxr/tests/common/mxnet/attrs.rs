//! Attributes of calls.

use serde_json::Value as Json;

/// The attributes of a call: JSON values, or MXNet's texts (`"(3, 3)"`, `"True"`).
pub(crate) struct Attrs<'a>(pub(crate) &'a Json);

impl Attrs<'_> {
    fn get(&self, name: &str) -> Option<Json> {
        match self.0.get(name)? {
            Json::Null => None,
            Json::String(text) => Some(match text.as_str() {
                "True" => Json::Bool(true),
                "False" => Json::Bool(false),
                t => match serde_json::from_str::<Json>(
                    &t.replace('(', "[").replace(",)", "]").replace(')', "]"),
                ) {
                    // "null" is also a word, of SoftmaxOutput.
                    Ok(value) if !value.is_null() => value,
                    _ => Json::String(text.clone()),
                },
            }),
            value => Some(value.clone()),
        }
    }

    pub(crate) fn bool(&self, name: &str, default: bool) -> bool {
        self.get(name).map_or(default, |v| v.as_bool().unwrap_or_else(|| panic!("{name} is {v}")))
    }

    pub(crate) fn float(&self, name: &str, default: f64) -> f64 {
        self.get(name).map_or(default, |v| v.as_f64().unwrap_or_else(|| panic!("{name} is {v}")))
    }

    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        self.get(name).map(|v| v.as_i64().unwrap_or_else(|| panic!("{name} is {v}")))
    }

    pub(crate) fn word(&self, name: &str, default: &str) -> String {
        self.get(name).map_or(default.to_string(), |v| v.as_str().expect("a word").to_string())
    }

    /// A list, `None` in it for null; one number is a list of one.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<Option<i64>>> {
        self.get(name).map(|v| match v {
            Json::Array(list) => list.iter().map(Json::as_i64).collect(),
            one => vec![one.as_i64()],
        })
    }

    pub(crate) fn ints(&self, name: &str) -> Option<Vec<i64>> {
        self.list(name).map(|l| l.into_iter().map(|n| n.expect("an integer")).collect())
    }
}
