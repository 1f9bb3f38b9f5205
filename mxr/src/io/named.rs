//! Arrays by name, in the order of their file.

use std::collections::HashMap;
use std::{slice, vec};

use super::array::HostArray;
use super::error::{FormatError, FormatErrorKind};

/// Arrays with names: what a file of parameters holds. Keeps the order of insertion; a name occurs once.
///
/// ```
/// use mxr::io::{HostArray, NamedArrays};
///
/// let mut arrays = NamedArrays::new();
/// arrays.push("conv1_bias", HostArray::from_vec(vec![0.0f32; 20], &[20])?)?;
/// assert_eq!(arrays.get("conv1_bias").unwrap().shape(), [20]);
/// # Ok::<(), mxr::io::FormatError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct NamedArrays {
    entries: Vec<(String, HostArray)>,
    places: HashMap<String, usize>,
}

impl NamedArrays {
    /// No arrays.
    pub fn new() -> NamedArrays {
        NamedArrays::default()
    }

    /// Adds an array at the end.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn push(&mut self, name: impl Into<String>, array: HostArray) -> Result<(), FormatError> {
        let name = name.into();
        if self.places.contains_key(&name) {
            return Err(FormatError::new(
                FormatErrorKind::Duplicate,
                "NamedArrays",
                format!("there are two arrays with the name `{name}`"),
                "give each array a name of its own",
            ));
        }
        self.places.insert(name.clone(), self.entries.len());
        self.entries.push((name, array));
        Ok(())
    }

    /// The array of this name.
    pub fn get(&self, name: &str) -> Option<&HostArray> {
        self.places.get(name).map(|&at| &self.entries[at].1)
    }

    /// Whether there is an array of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// Names and arrays in order.
    pub fn iter(&self) -> Iter<'_> {
        Iter { entries: self.entries.iter() }
    }

    /// Names in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// The number of arrays.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no arrays.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Names and arrays of [`NamedArrays`] in order; what the writers of files take.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    entries: slice::Iter<'a, (String, HostArray)>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a HostArray);

    fn next(&mut self) -> Option<Self::Item> {
        self.entries.next().map(|(name, array)| (name.as_str(), array))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl<'a> IntoIterator for &'a NamedArrays {
    type Item = (&'a str, &'a HostArray);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl IntoIterator for NamedArrays {
    type Item = (String, HostArray);
    type IntoIter = vec::IntoIter<(String, HostArray)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

/// The entries that a writer was given, refused when two share a name.
pub(crate) fn distinct<'a>(
    what: &str,
    arrays: impl IntoIterator<Item = (&'a str, &'a HostArray)>,
) -> Result<Vec<(&'a str, &'a HostArray)>, FormatError> {
    let entries: Vec<_> = arrays.into_iter().collect();
    let mut seen = std::collections::HashSet::with_capacity(entries.len());
    match entries.iter().find(|(name, _)| !seen.insert(*name)) {
        None => Ok(entries),
        Some((name, _)) => Err(FormatError::new(
            FormatErrorKind::Duplicate,
            what,
            format!("two arrays to be written have the name `{name}`"),
            "give each array a name of its own",
        )),
    }
}
