//! An option of a dial URL: declared once, read by the parser, the errors, the help and the README.

use std::{fmt, marker::PhantomData};

use super::{config, value::OptionValue};
use crate::error::Error;

/// What the value of an option is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionKind {
    /// A span with a unit, such as `10s`.
    Duration,
    /// On when given without a value or as `true`.
    Flag,
    /// A whole number.
    Number,
    /// A path of the file system.
    Path,
    /// A text that is never printed.
    Secret,
    /// Any text.
    Text,
}

impl OptionKind {
    /// The kind in a word, as it stands in tables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Duration => "duration",
            Self::Flag => "flag",
            Self::Number => "number",
            Self::Path => "path",
            Self::Secret => "secret",
            Self::Text => "text",
        }
    }

    /// What a value of this kind looks like, as it stands in errors and help.
    #[must_use]
    pub const fn example(self) -> &'static str {
        match self {
            Self::Duration => "a span such as 10s, 500ms or 2m",
            Self::Flag => "true or false",
            Self::Number => "a whole number",
            Self::Path => "a path",
            Self::Secret => "a secret",
            Self::Text => "a text",
        }
    }
}

/// One option of a dial URL whose value is a `T`.
///
/// ```
/// use std::time::Duration;
/// use reception_core::{DialUrl, Opt};
///
/// const TTL: Opt<Duration> = Opt::new("ttl", "how long a dead process may still be seen").default("10s");
/// let url: DialUrl = "etcd://h1:2379/prod?ttl=3s".parse()?;
/// assert_eq!(url.get(&TTL)?, Some(Duration::from_secs(3)));
/// # Ok::<(), reception_core::Error>(())
/// ```
pub struct Opt<T> {
    spec: OptionSpec,
    value: PhantomData<fn() -> T>,
}

impl<T: OptionValue> Opt<T> {
    /// Declares an option; the key is lower case with `_`.
    #[must_use]
    pub const fn new(key: &'static str, doc: &'static str) -> Self {
        let spec = OptionSpec { key, kind: T::KIND, default: None, doc, requires: &[] };
        Self { spec, value: PhantomData }
    }

    /// Sets the default, in the form of the URL.
    #[must_use]
    pub const fn default(mut self, text: &'static str) -> Self {
        self.spec.default = Some(text);
        self
    }

    /// Names the options that must be given along with this one.
    #[must_use]
    pub const fn requires(mut self, keys: &'static [&'static str]) -> Self {
        self.spec.requires = keys;
        self
    }

    /// The facts about the option, without its type.
    #[must_use]
    pub const fn spec(&self) -> OptionSpec {
        self.spec
    }

    /// Reads a value, or says what one looks like; a secret is never repeated.
    pub(super) fn read(&self, text: &str) -> Result<T, Error> {
        T::parse(text).ok_or_else(|| {
            let OptionSpec { key, kind, .. } = self.spec;
            let seen = if kind == OptionKind::Secret { String::new() } else { format!(", not {text:?}") };
            config(format!("option \"{key}\" is {}{seen}", kind.example()))
        })
    }
}

impl<T> fmt::Debug for Opt<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.spec, f)
    }
}

/// The facts about an option: what a help text or a table is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionSpec {
    key: &'static str,
    kind: OptionKind,
    default: Option<&'static str>,
    doc: &'static str,
    requires: &'static [&'static str],
}

impl OptionSpec {
    /// The key in the URL.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        self.key
    }

    /// What its value is.
    #[must_use]
    pub const fn kind(&self) -> OptionKind {
        self.kind
    }

    /// The value when it is not given, in the form of the URL.
    #[must_use]
    pub const fn default(&self) -> Option<&'static str> {
        self.default
    }

    /// What it is for.
    #[must_use]
    pub const fn doc(&self) -> &'static str {
        self.doc
    }

    /// The options that must be given along with it.
    #[must_use]
    pub const fn requires(&self) -> &'static [&'static str] {
        self.requires
    }

    /// The option as a row of a Markdown table: key, kind, default, meaning. The tables of the READMEs are made of these.
    #[must_use]
    pub fn row(&self) -> String {
        let Self { key, kind, default, doc, requires } = self;
        let default = default.map_or_else(String::new, |text| format!("`{text}` "));
        let needs: Vec<String> = requires.iter().map(|key| format!("`{key}`")).collect();
        let needs = if needs.is_empty() { String::new() } else { format!("; needs {}", needs.join(" and ")) };
        format!("| `{key}` | {} | {default}| {doc}{needs} |", kind.word())
    }
}
