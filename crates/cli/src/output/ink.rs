//! Text for people: colours on a terminal, and nothing of what others wrote that a terminal would obey.

use std::{
    borrow::Cow,
    io::{self, IsTerminal},
};

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ink {
    coloured: bool,
}

impl Ink {
    pub(crate) const PLAIN: Self = Self { coloured: false };

    pub(crate) fn of_stdout() -> Self {
        Self { coloured: io::stdout().is_terminal() && !no_colour() }
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.coloured { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Whether `NO_COLOR` is set to anything (no-color.org).
fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// The text with control characters, and those that turn the direction of writing, as escapes.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let unsafe_letter = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(unsafe_letter) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if unsafe_letter(letter) {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    Cow::Owned(shown)
}

/// The text in one line, for the one that begins with `error: `.
pub(crate) fn one_line(text: &str) -> String {
    printable(&text.replace(['\n', '\r'], " ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}\u{61c}"), "a\\u{1b}[2Jb\\u{202e}\\u{61c}");
        assert_eq!(printable("größe 東京"), "größe 東京");
    }

    #[test]
    fn an_error_is_one_line() {
        assert_eq!(one_line("a\nb"), "a b");
    }

    #[test]
    fn without_a_terminal_there_is_no_escape() {
        assert_eq!(Ink::PLAIN.green("+"), "+");
    }
}
