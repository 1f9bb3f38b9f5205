//! Tables of numbers as text: one sample per line, fields between separators.
//!
//! Fields may stand in quotes; spaces around them, empty lines, a byte order mark and either kind of line end are
//! accepted. An empty field is an error, because no number stands for "missing" by itself. The parser is small
//! enough to be its own: the errors need the line and the column of a field, and no record is ever kept as text.

use std::io::{BufRead, BufReader};
use std::path::Path;

use mxr_graph::dtype::DType;

use super::array::{HostArray, HostElement};
use super::error::{FormatError, FormatErrorKind, Place};
use super::input;

/// How to read a table. By default: no header, commas, no labels, f32 data, i64 labels.
///
/// ```
/// use mxr::io::csv;
///
/// let text = "width;height;class\n1.5;2;0\n3;4;1\n";
/// let table = csv::from_bytes(text.as_bytes(), &csv::Options::new().header(true).separator(';').label_last())?;
/// assert_eq!(table.header.unwrap(), ["width", "height", "class"]);
/// assert_eq!(table.data.as_slice::<f32>()?, [1.5, 2.0, 3.0, 4.0]);
/// assert_eq!(table.labels.unwrap().as_slice::<i64>()?, [0, 1]);
/// # Ok::<(), mxr::io::FormatError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    header: bool,
    separator: char,
    labels: Labels,
    data_dtype: DType,
    label_dtype: DType,
}

#[derive(Clone, Debug)]
enum Labels {
    Columns(Vec<usize>),
    Last,
}

/// A table that was read.
#[derive(Clone, Debug)]
pub struct Table {
    /// The names in the first line, all columns, when [`Options::header`] is set.
    pub header: Option<Vec<String>>,
    /// `[n, k]`: the columns that are not labels.
    pub data: HostArray,
    /// `[n]` for one label column, `[n, l]` for several.
    pub labels: Option<HostArray>,
}

impl Options {
    /// The defaults.
    pub fn new() -> Options {
        Options {
            header: false,
            separator: ',',
            labels: Labels::Columns(Vec::new()),
            data_dtype: DType::F32,
            label_dtype: DType::I64,
        }
    }

    /// Whether the first line holds names.
    pub fn header(mut self, header: bool) -> Options {
        self.header = header;
        self
    }

    /// The character between two fields.
    pub fn separator(mut self, separator: char) -> Options {
        self.separator = separator;
        self
    }

    /// The columns that are labels, counted from 0, in the order wanted.
    pub fn labels(mut self, columns: impl IntoIterator<Item = usize>) -> Options {
        self.labels = Labels::Columns(columns.into_iter().collect());
        self
    }

    /// The last column is the label.
    pub fn label_last(mut self) -> Options {
        self.labels = Labels::Last;
        self
    }

    /// The element type of the data: f32, f64, i32, i64 or u8.
    pub fn data_dtype(mut self, dtype: DType) -> Options {
        self.data_dtype = dtype;
        self
    }

    /// The element type of the labels: f32, f64, i32, i64 or u8.
    pub fn label_dtype(mut self, dtype: DType) -> Options {
        self.label_dtype = dtype;
        self
    }
}

impl Default for Options {
    fn default() -> Options {
        Options::new()
    }
}

/// Reads a table.
///
/// # Errors
/// When the file cannot be read, a field is not a number of the wanted type, or a line has another number of
/// fields than the first: with line and column.
pub fn read(path: impl AsRef<Path>, options: &Options) -> Result<Table, FormatError> {
    let path = path.as_ref();
    let (reader, _) = input::open(path)?;
    parse(BufReader::new(reader), options, &path.display().to_string())
}

/// Reads a table that is in memory.
///
/// # Errors
/// As [`read`].
pub fn from_bytes(bytes: &[u8], options: &Options) -> Result<Table, FormatError> {
    parse(bytes, options, "csv")
}

fn parse(mut reader: impl BufRead, options: &Options, what: &str) -> Result<Table, FormatError> {
    let mut data = column(options.data_dtype, what)?;
    let mut labels = column(options.label_dtype, what)?;
    let mut header = None;
    let mut layout: Option<Layout> = None;
    let mut samples = 0;
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(|e| FormatError::io(what, "read it", e))? == 0 {
            break;
        }
        let start = if number == 1 && line.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        let fault = |column, kind, problem: String, hint: &'static str| {
            FormatError::new(kind, what, problem, hint).at(Place::Cell { line: number, column })
        };
        let text = std::str::from_utf8(&line[start..]).map_err(|_| {
            fault(
                0,
                FormatErrorKind::Malformed,
                "the line is not UTF-8".into(),
                "save the table as UTF-8 text",
            )
        })?;
        let text = text.trim_end_matches(['\n', '\r']);
        let mut fields = Fields { rest: Some(text), separator: options.separator };
        if fields.after_blanks(text).is_empty() {
            continue;
        }
        let unterminated = |column| {
            let problem = "a quoted field does not end on its line".to_string();
            fault(column, FormatErrorKind::Malformed, problem, "close the quotes; fields cannot span lines")
        };
        if options.header && header.is_none() {
            let names: Option<Vec<String>> =
                fields.by_ref().map(|field| field.map(|field| field.replace("\"\"", "\""))).collect();
            let names = names.ok_or_else(|| unterminated(0))?;
            layout = Some(Layout::new(names.len(), options, what)?);
            header = Some(names);
            continue;
        }
        if layout.is_none() {
            layout = Some(Layout::new(fields.clone().count(), options, what)?);
        }
        let layout = layout.as_mut().expect("it was made from this or an earlier line");
        let mut count = 0;
        for field in fields {
            let field = field.ok_or_else(|| unterminated(count + 1))?;
            let bad = |problem: String| {
                let hint = if samples == 0 && !options.header {
                    "if the first line holds names, set `header(true)`; check the separator too"
                } else {
                    "mend the field, or choose another element type for this column"
                };
                fault(count + 1, FormatErrorKind::Malformed, problem, hint)
            };
            match layout.label_of.get(count) {
                None => {}
                Some(None) => data.push(field).map_err(bad)?,
                Some(Some(label)) => {
                    layout.places.push(*label);
                    labels.push(field).map_err(bad)?;
                }
            }
            count += 1;
        }
        if count != layout.label_of.len() {
            return Err(fault(
                0,
                FormatErrorKind::Malformed,
                format!("the line has {count} fields, the first has {}", layout.label_of.len()),
                "each line needs the same number of fields; check the separator and the quotes",
            ));
        }
        layout.order_labels(labels.as_mut());
        samples += 1;
    }
    let Some(layout) = layout else {
        return Err(FormatError::new(
            FormatErrorKind::Truncated,
            what,
            "there is no line",
            "the table is empty",
        ));
    };
    let label_shape = match layout.labels {
        0 => None,
        1 => Some(vec![samples]),
        several => Some(vec![samples, several]),
    };
    Ok(Table {
        header,
        data: data.finish(&[samples, layout.label_of.len() - layout.labels])?,
        labels: label_shape.map(|shape| labels.finish(&shape)).transpose()?,
    })
}

/// Which columns are labels.
struct Layout {
    /// For each column the place among the labels, if it is one.
    label_of: Vec<Option<usize>>,
    labels: usize,
    /// Places of the current line's labels, in the order of their columns.
    places: Vec<usize>,
}

impl Layout {
    fn new(columns: usize, options: &Options, what: &str) -> Result<Layout, FormatError> {
        let last = [columns - 1];
        let labels = match &options.labels {
            Labels::Columns(labels) => labels.as_slice(),
            Labels::Last => &last,
        };
        let mut label_of = vec![None; columns];
        for (place, &label) in labels.iter().enumerate() {
            match label_of.get_mut(label) {
                Some(slot @ None) => *slot = Some(place),
                Some(Some(_)) => {
                    return Err(FormatError::argument(
                        what,
                        format!("column {label} is named twice as a label"),
                        "name each label column once",
                    ));
                }
                None => {
                    return Err(FormatError::argument(
                        what,
                        format!("the label column {label} does not exist: there are {columns} columns"),
                        "columns count from 0; check the separator",
                    ));
                }
            }
        }
        Ok(Layout { label_of, labels: labels.len(), places: Vec::with_capacity(labels.len()) })
    }

    /// Brings the labels of a line from the order of the columns into the order asked for.
    fn order_labels(&mut self, cells: &mut dyn Column) {
        let first = cells.len() - self.places.len();
        // A cycle at a time; a line has few labels.
        for i in 0..self.places.len() {
            while self.places[i] != i {
                let place = self.places[i];
                cells.swap(first + i, first + place);
                self.places.swap(i, place);
            }
        }
        self.places.clear();
    }
}

/// The fields of a line; `None` for one whose quotes do not end.
#[derive(Clone)]
struct Fields<'a> {
    rest: Option<&'a str>,
    separator: char,
}

impl Fields<'_> {
    /// Text without the spaces and tabs in front, unless they separate fields.
    fn after_blanks<'t>(&self, text: &'t str) -> &'t str {
        text.trim_start_matches(|c| (c == ' ' || c == '\t') && c != self.separator)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Option<&'a str>;

    fn next(&mut self) -> Option<Option<&'a str>> {
        let text = self.rest.take()?;
        if let Some(quoted) = self.after_blanks(text).strip_prefix('"') {
            let mut from = 0;
            let end = loop {
                let Some(quote) = quoted[from..].find('"').map(|at| from + at) else { return Some(None) };
                if !quoted[quote + 1..].starts_with('"') {
                    break quote;
                }
                from = quote + 2;
            };
            let after = self.after_blanks(&quoted[end + 1..]);
            if !after.is_empty() {
                let Some(rest) = after.strip_prefix(self.separator) else { return Some(None) };
                self.rest = Some(rest);
            }
            return Some(Some(&quoted[..end]));
        }
        match text.split_once(self.separator) {
            Some((field, rest)) => {
                self.rest = Some(rest);
                Some(Some(field.trim()))
            }
            None => Some(Some(text.trim())),
        }
    }
}

/// Cells of one element type, under construction.
trait Column {
    fn push(&mut self, text: &str) -> Result<(), String>;
    fn swap(&mut self, a: usize, b: usize);
    fn len(&self) -> usize;
    fn finish(self: Box<Self>, shape: &[usize]) -> Result<HostArray, FormatError>;
}

fn column(dtype: DType, what: &str) -> Result<Box<dyn Column>, FormatError> {
    match dtype {
        DType::F32 => Ok(Box::new(Vec::<f32>::new())),
        DType::F64 => Ok(Box::new(Vec::<f64>::new())),
        DType::I32 => Ok(Box::new(Vec::<i32>::new())),
        DType::I64 => Ok(Box::new(Vec::<i64>::new())),
        DType::U8 => Ok(Box::new(Vec::<u8>::new())),
        other => Err(FormatError::argument(
            what,
            format!("tables are not read as {other}"),
            "choose f32, f64, i32, i64 or u8, and convert afterwards",
        )),
    }
}

impl<T: Cell> Column for Vec<T> {
    fn push(&mut self, text: &str) -> Result<(), String> {
        if text.is_empty() {
            return Err("the field is empty".to_string());
        }
        let value = T::parse(text).ok_or_else(|| {
            let shown: String = text.chars().take(40).collect();
            format!("`{shown}` is not a number of type {}", T::NAME)
        })?;
        Vec::push(self, value);
        Ok(())
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.as_mut_slice().swap(a, b);
    }

    fn len(&self) -> usize {
        Vec::len(self)
    }

    fn finish(self: Box<Self>, shape: &[usize]) -> Result<HostArray, FormatError> {
        HostArray::from_vec(*self, shape)
    }
}

trait Cell: HostElement {
    const NAME: &'static str;
    fn parse(text: &str) -> Option<Self>;
}

macro_rules! float_cell {
    ($($ty:ty),*) => {$(
        impl Cell for $ty {
            const NAME: &'static str = stringify!($ty);
            fn parse(text: &str) -> Option<$ty> {
                let value: $ty = text.parse().ok()?;
                // Digits that overflow to infinity are a fault of the data; the word is meant.
                let meant = value.is_finite() || !text.contains(|c: char| c.is_ascii_digit());
                meant.then_some(value)
            }
        }
    )*};
}
float_cell!(f32, f64);

macro_rules! whole_cell {
    ($($ty:ty),*) => {$(
        impl Cell for $ty {
            const NAME: &'static str = stringify!($ty);
            fn parse(text: &str) -> Option<$ty> {
                text.parse().ok().or_else(|| {
                    // Whole numbers written as `3.0` or `3e0`, as far as an f64 holds them exactly.
                    let value: f64 = text.parse().ok()?;
                    let whole = value.fract() == 0.0 && value.abs() <= 9007199254740992.0;
                    if whole { <$ty>::try_from(value as i64).ok() } else { None }
                })
            }
        }
    )*};
}
whole_cell!(i32, i64, u8);
