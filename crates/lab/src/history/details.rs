//! The `key=value` words at the end of a line.

use std::fmt;

/// The details of a line, in order.
///
/// ```
/// use reception_lab::history::Details;
///
/// let details = Details::new().with("watch", 1).with_list("ids", ["a", "b"]);
/// assert_eq!(details.to_string(), "watch=1 ids=a,b");
/// assert_eq!(details.list("ids").unwrap().count(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details(Vec<(String, String)>);

impl Details {
    /// No details.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds one; whitespace and control characters become `_`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.0.push((word(key).replace('=', "_"), word(&value.to_string())));
        self
    }

    /// Adds a set, `a,b,c`; an empty one is `key=`.
    #[must_use]
    pub fn with_list<T: fmt::Display>(self, key: &str, items: impl IntoIterator<Item = T>) -> Self {
        let items: Vec<_> = items.into_iter().map(|item| item.to_string().replace(',', "_")).collect();
        self.with(key, items.join(","))
    }

    /// The value of `key`, if it is there.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Whether `key` is there and says `true`.
    #[must_use]
    pub fn flag(&self, key: &str) -> bool {
        self.get(key) == Some("true")
    }

    /// The items of a set, if it is there.
    pub fn list(&self, key: &str) -> Option<impl Iterator<Item = &str>> {
        Some(self.get(key)?.split(',').filter(|item| !item.is_empty()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, value)) in self.0.iter().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            write!(f, "{gap}{key}={value}")?;
        }
        Ok(())
    }
}

fn word(text: &str) -> String {
    text.replace(|c: char| c.is_whitespace() || c.is_control(), "_")
}
