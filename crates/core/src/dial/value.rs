//! What the value of an option may be.

use std::{path::PathBuf, time::Duration};

use super::option::OptionKind;
use crate::secret::Secret;

/// A type that an option of a dial URL can have.
pub trait OptionValue: Sized {
    /// The kind that help texts and errors name.
    const KIND: OptionKind;

    /// Reads the text after the `=`, percent signs already decoded; `None` when it is not one.
    fn parse(text: &str) -> Option<Self>;
}

impl OptionValue for Duration {
    const KIND: OptionKind = OptionKind::Duration;

    /// A number and a unit (`ms`, `s`, `m`, `h`); zero and bare numbers are refused.
    fn parse(text: &str) -> Option<Self> {
        let at = text.find(|letter: char| !letter.is_ascii_digit())?;
        let (number, unit) = text.split_at(at);
        let number: u64 = number.parse().ok()?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        number.checked_mul(millis).filter(|millis| *millis > 0).map(Self::from_millis)
    }
}

impl OptionValue for bool {
    const KIND: OptionKind = OptionKind::Flag;

    fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }
}

macro_rules! number {
    ($($type:ty)*) => {$(
        impl OptionValue for $type {
            const KIND: OptionKind = OptionKind::Number;

            fn parse(text: &str) -> Option<Self> {
                text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
            }
        }
    )*};
}
number!(u16 u32 u64);

impl OptionValue for String {
    const KIND: OptionKind = OptionKind::Text;

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.to_owned())
    }
}

impl OptionValue for PathBuf {
    const KIND: OptionKind = OptionKind::Path;

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty() && !text.contains('\0')).then(|| text.into())
    }
}

impl OptionValue for Secret {
    const KIND: OptionKind = OptionKind::Secret;

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_needs_a_unit_and_is_not_zero() {
        let read = <Duration as OptionValue>::parse;
        assert_eq!(read("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(read("2m"), Some(Duration::from_secs(120)));
        for text in [
            "",
            "10",
            "0s",
            "-1s",
            "1.5s",
            "s",
            "1 s",
            "99999999999999999999s",
            "18446744073709551615h",
            "1d",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
