//! A fencing token as text: ordered within its domain only.

use std::{cmp::Ordering, fmt, str::FromStr};

use super::LineError;

/// A fencing token as it is written: `domain:value`.
///
/// Tokens of two domains have no order.
///
/// ```
/// use reception_lab::history::Token;
///
/// let token: Token = "000102030405060708090a0b0c0d0e0f:42".parse()?;
/// assert_eq!(token.value, 42);
/// assert!(token < Token::new(token.domain.clone(), 43));
/// # Ok::<(), reception_lab::history::LineError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Token {
    /// The store's data that it comes from.
    pub domain: String,
    /// The number that grows.
    pub value: u64,
}

impl Token {
    /// Makes a token.
    #[must_use]
    pub fn new(domain: impl Into<String>, value: u64) -> Self {
        Self { domain: domain.into(), value }
    }
}

impl PartialOrd for Token {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.domain == other.domain).then(|| self.value.cmp(&other.value))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.domain, self.value)
    }
}

impl FromStr for Token {
    type Err = LineError;

    fn from_str(text: &str) -> Result<Self, LineError> {
        let read = || {
            let (domain, value) = text.split_once(':')?;
            let named = !domain.is_empty() && !domain.contains(char::is_whitespace);
            let digits = value.bytes().all(|byte| byte.is_ascii_digit());
            let value = value.parse().ok().filter(|_| named && digits)?;
            Some(Self::new(domain, value))
        };
        read().ok_or_else(|| LineError::Token(text.to_owned()))
    }
}
