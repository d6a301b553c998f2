//! Names: strict for what this library writes, lenient for what a store already holds.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use crate::{
    error::{CORE, Error, ErrorKind, Result},
    limits::{MAX_FOREIGN, MAX_ID, MAX_NAME},
};

/// The rule in words, as it stands in errors.
pub(crate) const RULE: &str = "letters, digits, '.', '_' and '-' only, no leading dot, no \"..\"";

fn strict(what: &'static str, text: &str, most: usize) -> Result<()> {
    let invalid =
        |rule: String| Err(Error::new(ErrorKind::InvalidName, CORE, "check", format!("{what} {rule}")));
    if text.is_empty() {
        return invalid("is empty".to_owned());
    }
    if text.len() > most {
        return invalid(format!("has {} bytes, the limit is {most}", text.len()));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if !text.bytes().all(plain) || text.starts_with('.') || text.contains("..") {
        return invalid(format!("{text:?} breaks the rule: {RULE}"));
    }
    Ok(())
}

fn lenient(what: &'static str, text: &str) -> Result<()> {
    let invalid =
        |rule: &str| Err(Error::new(ErrorKind::InvalidName, CORE, "check", format!("{what} {rule}")));
    if text.is_empty() {
        return invalid("is empty");
    }
    if text.len() > MAX_FOREIGN {
        return invalid(&format!("has {} bytes, the limit is {MAX_FOREIGN}", text.len()));
    }
    // A list reads thousands, and nearly all of them are plain.
    let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if !plain && text.chars().any(char::is_control) {
        return invalid("holds a control character");
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $most:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            #[doc = concat!("Checks a ", $what, " that this library is to write.")]
            ///
            /// # Errors
            /// InvalidName when the text is empty, too long or holds another character than `[A-Za-z0-9._-]`, starts with a dot or has
            /// two dots in a row (law L15).
            pub fn new(text: &str) -> Result<Self> {
                Self(text.into()).checked()
            }

            /// The check of `new`, for one that may be foreign.
            pub(crate) fn checked(self) -> Result<Self> {
                strict($what, &self.0, $most)?;
                Ok(self)
            }

            #[doc = concat!("Takes a ", $what, " that a store already holds, written by somebody else (law L16).")]
            ///
            /// # Errors
            /// InvalidName when the text is empty, longer than 1 KiB or holds a control character.
            pub fn foreign(text: &str) -> Result<Self> {
                lenient($what, text)?;
                Ok(Self(text.into()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// The name of a service: what its instances have in common.
    ServiceName, "service name", MAX_NAME
}
name! {
    /// The id of one instance, unique within its service.
    ServiceId, "service id", MAX_ID
}
name! {
    /// The name of an election.
    ///
    /// It never holds a slash: etcd's own recipe would count the keys of `team/api` as candidates of `team`.
    ElectionName, "election name", MAX_NAME
}

impl ServiceId {
    /// A random id (UUID version 4).
    #[must_use]
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outside_the_alphabet_are_refused() {
        let long = "a".repeat(64);
        let bad = [
            "",
            " ",
            "a b",
            "a\0b",
            "a\nb",
            "a/b",
            "..",
            ".",
            "../x",
            "a%2fb",
            ".a",
            "a..b",
            "é",
            "\u{202e}x",
            "а",
            &long,
        ];
        for text in bad {
            let error = ServiceName::new(text).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::InvalidName, "{text:?}");
        }
    }

    #[test]
    fn an_id_may_be_longer_than_a_name() {
        assert!(ServiceId::new(&"a".repeat(128)).is_ok());
        assert!(ServiceId::new(&"a".repeat(129)).is_err());
        assert!(ServiceName::new(&"a".repeat(63)).is_ok());
    }

    #[test]
    fn foreign_names_are_taken_as_they_are() {
        assert_eq!(
            ServiceId::foreign("web:10.0.0.1 8080").map(|id| id.to_string()).ok().as_deref(),
            Some("web:10.0.0.1 8080")
        );
        assert!(ServiceId::foreign("").is_err());
        assert!(ServiceId::foreign("a\u{7}").is_err());
        assert!(ServiceId::foreign(&"x".repeat(1025)).is_err());
    }
}
