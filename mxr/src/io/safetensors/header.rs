//! The JSON header. Read with visitors instead of a generic JSON value, which would keep only the last of two
//! equal names and let a small file ask for much memory.

use std::fmt;

use serde_core::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::to_string;

use super::super::input::MAX_DIMS;

pub(super) const METADATA: &str = "__metadata__";

/// Names and entries as they stand; equal names are kept, for the reader to refuse.
#[derive(Default)]
pub(super) struct Header {
    pub(super) tensors: Vec<(String, Info)>,
    pub(super) metadata: Vec<(String, String)>,
}

/// One array: its type by name, and its range of bytes in the data.
pub(super) struct Info {
    pub(super) dtype: String,
    pub(super) shape: Vec<u64>,
    pub(super) begin: u64,
    pub(super) end: u64,
}

impl Header {
    pub(super) fn parse(json: &[u8]) -> serde_json::Result<Header> {
        serde_json::from_slice(json)
    }

    pub(super) fn to_json(&self) -> String {
        let quoted = |text: &str| to_string(text).expect("a string is always JSON");
        let mut entries = Vec::with_capacity(self.tensors.len() + 1);
        if !self.metadata.is_empty() {
            let pairs: Vec<_> =
                self.metadata.iter().map(|(k, v)| format!("{}:{}", quoted(k), quoted(v))).collect();
            entries.push(format!("\"{METADATA}\":{{{}}}", pairs.join(",")));
        }
        for (name, info) in &self.tensors {
            let shape: Vec<_> = info.shape.iter().map(u64::to_string).collect();
            entries.push(format!(
                "{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                quoted(name),
                info.dtype,
                shape.join(","),
                info.begin,
                info.end
            ));
        }
        format!("{{{}}}", entries.join(","))
    }
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Header, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map from names to arrays")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut header = Header::default();
        let mut has_metadata = false;
        while let Some(name) = map.next_key::<String>()? {
            if name != METADATA {
                header.tensors.push((name, map.next_value()?));
            } else if has_metadata {
                return Err(A::Error::duplicate_field(METADATA));
            } else {
                header.metadata = map.next_value::<Pairs>()?.0;
                has_metadata = true;
            }
        }
        Ok(header)
    }
}

impl<'de> Deserialize<'de> for Info {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Info, D::Error> {
        deserializer.deserialize_map(InfoVisitor)
    }
}

struct InfoVisitor;

impl<'de> Visitor<'de> for InfoVisitor {
    type Value = Info;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array's dtype, shape and data_offsets")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Info, A::Error> {
        let (mut dtype, mut shape, mut offsets) = (None, None, None);
        while let Some(key) = map.next_key::<String>()? {
            let again = match key.as_str() {
                "dtype" => dtype.replace(map.next_value::<String>()?).map(|_| "dtype"),
                "shape" => shape.replace(map.next_value::<Extents>()?.0).map(|_| "shape"),
                "data_offsets" => offsets.replace(map.next_value::<[u64; 2]>()?).map(|_| "data_offsets"),
                other => return Err(A::Error::unknown_field(other, &["dtype", "shape", "data_offsets"])),
            };
            if let Some(key) = again {
                return Err(A::Error::duplicate_field(key));
            }
        }
        let [begin, end] = offsets.ok_or_else(|| A::Error::missing_field("data_offsets"))?;
        Ok(Info {
            dtype: dtype.ok_or_else(|| A::Error::missing_field("dtype"))?,
            shape: shape.ok_or_else(|| A::Error::missing_field("shape"))?,
            begin,
            end,
        })
    }
}

/// A shape of at most [`MAX_DIMS`] extents.
struct Extents(Vec<u64>);

impl<'de> Deserialize<'de> for Extents {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Extents, D::Error> {
        deserializer.deserialize_seq(ExtentsVisitor)
    }
}

struct ExtentsVisitor;

impl<'de> Visitor<'de> for ExtentsVisitor {
    type Value = Extents;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a shape of at most {MAX_DIMS} extents")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Extents, A::Error> {
        let mut extents = Vec::new();
        while let Some(extent) = seq.next_element()? {
            if extents.len() == MAX_DIMS {
                return Err(A::Error::invalid_length(MAX_DIMS + 1, &self));
            }
            extents.push(extent);
        }
        Ok(Extents(extents))
    }
}

/// A map of strings that keeps equal keys.
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pairs, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map from strings to strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}
