//! A template of a URI: `{scheme}://{address}:{port}/v1` as text, a list of parts in a record.

use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize, Serialize, PartialEq, Eq)]
pub(super) struct UriSpec {
    parts: Vec<Part>,
}

#[derive(Debug, Deserialize, Serialize, PartialEq, Eq)]
struct Part {
    value: String,
    #[serde(default)]
    variable: bool,
}

impl UriSpec {
    /// Takes a text apart; none when its braces do not pair.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let Some(open) = rest.find(['{', '}']) else {
                parts.push(Part { value: rest.to_owned(), variable: false });
                break;
            };
            let (before, braced) = rest.split_at(open);
            if !before.is_empty() {
                parts.push(Part { value: before.to_owned(), variable: false });
            }
            let (name, behind) = braced.strip_prefix('{')?.split_once('}')?;
            if name.contains('{') {
                return None;
            }
            if !name.trim().is_empty() {
                parts.push(Part { value: name.trim().to_owned(), variable: true });
            }
            rest = behind;
        }
        Some(Self { parts })
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for part in &self.parts {
            if part.variable {
                text.extend(["{", &part.value, "}"]);
                continue;
            }
            for character in part.value.chars() {
                match character {
                    // The variables that stand for the braces themselves.
                    '{' => text.push_str("{[}"),
                    '}' => text.push_str("{]}"),
                    plain => text.push(plain),
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_apart_and_put_together_again() {
        for text in ["", "http://h1", "{scheme}://{address}:{port}/v1", "{[}x{]}", "{a}{b}"] {
            assert_eq!(UriSpec::parse(text).unwrap().text(), text);
        }
        assert_eq!(UriSpec::parse("{ port }{}").unwrap().text(), "{port}");
        for odd in ["{", "}", "a}b", "{a", "{a{b}}"] {
            assert_eq!(UriSpec::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_brace_in_a_literal_becomes_the_variable_that_means_it() {
        let spec: UriSpec = serde_json::from_str(r#"{"parts":[{"value":"a{b}"}]}"#).unwrap();
        assert_eq!(spec.text(), "a{[}b{]}");
    }
}
