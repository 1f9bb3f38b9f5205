//! What an editor is shown, as text: what the test of ui-tests with a server finds by hovering, here without one.

use crate::errors::Faults;
use crate::expand::expanded;
use crate::expand::tests::{clock, zoo};
use proc_macro2::TokenStream;
use std::str::FromStr;

#[test]
fn completing_is_quick() {
    for (name, source) in zoo() {
        let text = source.to_string().replacen("relu", "raCompletionMarker", 1);
        for (what, tokens) in
            [("shown", source.clone()), ("completed", TokenStream::from_str(&text).expect("tokens"))]
        {
            let mut size = 0;
            let start = clock();
            for _ in 0..10 {
                let out = expanded(tokens.clone(), true, &mut Faults::default());
                size = out.into_iter().count();
            }
            println!("{name} {what}: {:?} {size}", (clock() - start) / 10);
        }
    }
}
