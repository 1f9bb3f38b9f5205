//! Tables of numbers.

use mxr::io::csv::{self, Options, Table};
use mxr::io::{FormatError, FormatErrorKind, Place};
use mxr_graph::dtype::DType;
use proptest::prelude::*;

use super::common::data_dir;
use super::samples::assert_is;

fn parse(text: &str, options: Options) -> Result<Table, FormatError> {
    csv::from_bytes(text.as_bytes(), &options)
}

fn refusal(text: &str, options: Options, line: u64, column: usize, words: &str) {
    let error = parse(text, options).unwrap_err();
    assert_eq!(error.place(), Some(Place::Cell { line, column }), "{error}");
    assert!(error.kind() == FormatErrorKind::Malformed && error.to_string().contains(words), "{error}");
}

#[test]
fn the_digits_are_read() {
    let Some(data) = data_dir() else { return };
    let table = csv::read(data.join("digits/digits.csv"), &Options::new().label_last()).unwrap();
    assert_eq!(table.data.shape(), [1797, 64]);
    let labels = table.labels.unwrap();
    assert_eq!(labels.as_slice::<i64>().unwrap()[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let pixels = table.data.as_slice::<f32>().unwrap();
    assert!(pixels.iter().all(|&p| (0.0..=16.0).contains(&p) && p.fract() == 0.0));
    assert_eq!(table.data.slice_rows(1437..1797).unwrap().shape(), [360, 64]);
}

#[test]
fn tables_of_several_habits_are_read() {
    let table = parse("\u{feff}1, 2 ,\t3\r\n\r\n-4.5e1,+5,\"6\"\r\n", Options::new()).unwrap();
    assert_is(&table.data, &[2, 3], &[1.0f32, 2.0, 3.0, -45.0, 5.0, 6.0]);
    assert!(table.labels.is_none() && table.header.is_none());

    let options = Options::new().header(true).separator('\t').labels([2, 0]).label_dtype(DType::I32);
    let table = parse("\"a \"\"x\"\"\"\tb\tc\n1\t0.5\t3.0\n4\tinf\t6", options).unwrap();
    assert_eq!(table.header.unwrap(), ["a \"x\"", "b", "c"]);
    assert_is(&table.data, &[2, 1], &[0.5f32, f32::INFINITY]);
    assert_is(&table.labels.unwrap(), &[2, 2], &[3i32, 1, 6, 4]);

    let table = parse("1\n2\n", Options::new().label_last()).unwrap();
    assert_eq!((table.data.shape(), table.labels.unwrap().shape()), (&[2, 0][..], &[2][..]));
    let table = parse("1.25\n", Options::new().data_dtype(DType::F64)).unwrap();
    assert_is(&table.data, &[1, 1], &[1.25f64]);
}

#[test]
fn faults_are_named_with_line_and_column() {
    let labels = || Options::new().labels([1]);
    refusal("1,2\n3,x\n", Options::new(), 2, 2, "`x` is not a number of type f32");
    refusal("a,b\n3,4\n", Options::new(), 1, 1, "set `header(true)`");
    refusal("1,2\n\n3,,\n", Options::new(), 3, 2, "the field is empty");
    refusal("1,2\n3\n", Options::new(), 2, 0, "1 fields, the first has 2");
    refusal("1,2\n3,4,5\n", Options::new(), 2, 0, "3 fields, the first has 2");
    refusal("1,2.5\n", labels(), 1, 2, "`2.5` is not a number of type i64");
    refusal("1,1e300\n", labels(), 1, 2, "i64");
    refusal("1,1e300\n", Options::new(), 1, 2, "f32");
    refusal("300\n", Options::new().data_dtype(DType::U8), 1, 1, "u8");
    refusal("\t\"1\"\n", Options::new().separator('\t'), 1, 1, "the field is empty");
    refusal("1\t2\n\t\n", Options::new().separator('\t'), 2, 1, "the field is empty");
    refusal("1,\"2\n3\",4\n", Options::new(), 1, 2, "does not end");
    let error = csv::from_bytes(b"1,2\n\xff,3\n", &Options::new()).unwrap_err();
    assert_eq!(error.place(), Some(Place::Cell { line: 2, column: 0 }));
    assert!(parse("", Options::new()).is_err());
    assert!(parse("1,2\n", Options::new().labels([2])).is_err());
    assert!(parse("1,2\n", Options::new().labels([0, 0])).is_err());
    assert!(parse("1,2\n", Options::new().data_dtype(DType::Bool)).is_err());
}

proptest! {
    #[test]
    fn numbers_that_are_printed_are_read(rows in prop::collection::vec(prop::collection::vec(any::<f32>(), 3), 1..8)) {
        let text: String = rows.iter().map(|row| row.iter().map(f32::to_string).collect::<Vec<_>>().join(",") + "\n").collect();
        let table = parse(&text, Options::new()).unwrap();
        let found = table.data.as_slice::<f32>().unwrap();
        for (a, b) in found.iter().zip(rows.iter().flatten()) {
            prop_assert!(a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()));
        }
    }
}
