//! Fencing tokens, and the register that refuses an old one.

use std::{cmp::Ordering, fmt, str::FromStr};

use crate::error::{CORE, Error, ErrorKind, Result};

/// Proof of when a leadership began: a later leadership of the same domain has a larger token (law L10).
///
/// Send it with each write to whatever the leader guards, and let that side refuse an older one ([`Fence`] is such a side). The
/// domain is a random id of the store's data: tokens of two domains have no order. The text form is `hex:decimal`.
///
/// ```
/// use reception_core::FencingToken;
///
/// let token: FencingToken = "000102030405060708090a0b0c0d0e0f:42".parse()?;
/// assert_eq!(token.value(), 42);
/// assert!(token < FencingToken::new(token.domain(), 43));
/// # Ok::<(), reception_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FencingToken {
    domain: [u8; 16],
    value: u64,
}

impl FencingToken {
    /// Makes a token.
    #[must_use]
    pub const fn new(domain: [u8; 16], value: u64) -> Self {
        Self { domain, value }
    }

    /// The id of the store's data; zero while an observer without the right to write has found none.
    #[must_use]
    pub const fn domain(&self) -> [u8; 16] {
        self.domain
    }

    /// The number that grows.
    #[must_use]
    pub const fn value(&self) -> u64 {
        self.value
    }
}

impl PartialOrd for FencingToken {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.domain == other.domain).then(|| self.value.cmp(&other.value))
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.domain {
            write!(f, "{byte:02x}")?;
        }
        write!(f, ":{}", self.value)
    }
}

impl fmt::Debug for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FencingToken({self})")
    }
}

impl FromStr for FencingToken {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let (domain, value) = text.split_once(':')?;
            let plain = domain.len() == 32 && domain.bytes().all(|byte| byte.is_ascii_hexdigit());
            let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            let domain = u128::from_str_radix(domain, 16).ok().filter(|_| plain)?;
            let value = value.parse().ok().filter(|_| digits)?;
            Some(Self::new(domain.to_be_bytes(), value))
        };
        read().ok_or_else(|| {
            Error::new(
                ErrorKind::Protocol,
                CORE,
                "parse",
                "a token is 32 hexadecimal digits, a colon and a number",
            )
        })
    }
}

/// The largest token seen: put it in front of what a leader writes to.
///
/// ```
/// use reception_core::{Fence, FencingToken};
///
/// let token = |value| FencingToken::new([7; 16], value);
/// let mut fence = Fence::new(token(1));
/// assert!(fence.admit(token(2)).is_ok());
/// assert!(fence.admit(token(1)).is_err()); // a leader of the past
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    latest: FencingToken,
}

impl Fence {
    /// Starts from a first token.
    #[must_use]
    pub const fn new(first: FencingToken) -> Self {
        Self { latest: first }
    }

    /// The largest token admitted.
    #[must_use]
    pub const fn latest(&self) -> FencingToken {
        self.latest
    }

    /// Lets a write through and remembers its token.
    ///
    /// # Errors
    /// LeaseLost when the token is older than one seen; Conflict when it is of another domain, until [`reset`](Self::reset).
    pub fn admit(&mut self, token: FencingToken) -> Result<()> {
        let refuse = |kind, why: &str| {
            Err(Error::new(
                kind,
                CORE,
                "admit",
                format!("token {token} {why}, the latest is {}", self.latest),
            ))
        };
        match token.partial_cmp(&self.latest) {
            None => refuse(ErrorKind::Conflict, "is of another domain"),
            Some(Ordering::Less) => refuse(ErrorKind::LeaseLost, "is older"),
            Some(_) => {
                self.latest = token;
                Ok(())
            }
        }
    }

    /// Starts anew from this token, as a person decides after the store's data were lost or restored.
    pub fn reset(&mut self, token: FencingToken) {
        self.latest = token;
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for FencingToken {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for FencingToken {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_reads_back() {
        let token = FencingToken::new(*b"0123456789abcdef", u64::MAX);
        assert_eq!(token.to_string().parse::<FencingToken>().ok(), Some(token));
    }

    #[test]
    fn bad_text_is_refused() {
        let zeros = "0".repeat(32);
        for text in [
            "",
            ":",
            "1:1",
            &format!("{zeros}:"),
            &format!("{zeros}:+1"),
            &format!("{zeros}:-1"),
            &format!("+{}:1", &zeros[1..]),
        ] {
            assert!(text.parse::<FencingToken>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn tokens_of_two_domains_have_no_order() {
        assert_eq!(FencingToken::new([1; 16], 1).partial_cmp(&FencingToken::new([2; 16], 2)), None);
    }

    #[test]
    fn a_fence_refuses_another_domain_until_reset() {
        let mut fence = Fence::new(FencingToken::new([1; 16], 9));
        let other = FencingToken::new([2; 16], 1);
        assert_eq!(fence.admit(other).map_err(|error| error.kind()), Err(ErrorKind::Conflict));
        fence.reset(other);
        assert!(fence.admit(other).is_ok());
    }
}
