//! What the pages about the formats say, for the tests that hold the code to them.

use std::fmt::Write as _;

use reception_core::Service;

use super::{Child, Layout};

/// The blocks of one kind, by name.
pub(crate) fn blocks<'a>(page: &'a str, kind: &str) -> Vec<(&'a str, &'a str)> {
    let open = format!("```{kind} ");
    let mut found = Vec::new();
    for piece in page.split(open.as_str()).skip(1) {
        let (name, rest) = piece.split_once('\n').unwrap();
        found.push((name.trim(), rest.split_once("\n```").unwrap().0));
    }
    assert!(!found.is_empty(), "no block {kind}");
    found
}

/// An instance as the pages tell it.
pub(crate) fn told(service: &Service) -> String {
    let port = service.port().map_or(0, std::num::NonZeroU16::get);
    let mut told = format!("{} {port} {:?}", service.address(), service.status());
    for (key, value) in service.attributes() {
        write!(told, " {key}={value}").unwrap();
    }
    told
}

/// Names that no layout with numbered nodes has written (B20).
pub(crate) fn odd_ones(layout: &dyn Layout, more: &[&str]) {
    let common = ["", "-", "0000000012", "_c_", "i-1", "\u{1f980}000000001", "member", "latch-0000000012"];
    for child in common.iter().chain(more) {
        assert_eq!(layout.child(child), Child::Odd, "{child}");
    }
}
