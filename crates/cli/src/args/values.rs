//! Values of the command line that are not plain ones.

use std::{fmt, time::Duration};

use reception::OptionValue;

/// One `--attr`.
pub(crate) type Attribute = (String, String);

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// IPv6 without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A span as in a URL (`500ms`, `10s`, `2m`, `1h`), or zero.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match text {
        "0" | "0ms" | "0s" | "0m" | "0h" => Ok(Duration::ZERO),
        _ => positive(text),
    }
}

/// A span as in a URL.
pub(super) fn positive(text: &str) -> Result<Duration, String> {
    Duration::parse(text).ok_or_else(|| "not a span of time such as 500ms, 10s, 2m or 1h".to_owned())
}

pub(super) fn attribute(text: &str) -> Result<Attribute, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("not of the form KEY=VALUE".to_owned()),
    }
}

pub(super) fn endpoint(text: &str) -> Result<Endpoint, String> {
    let (host, port) = text.rsplit_once(':').ok_or("not of the form HOST:PORT")?;
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = bracketed.unwrap_or(host);
    if host.is_empty() || (bracketed.is_none() && host.contains(':')) {
        return Err("not of the form HOST:PORT; IPv6 stands in brackets".to_owned());
    }
    let port = port.parse().ok().filter(|port| *port > 0).ok_or("the port is a number from 1 to 65535")?;
    Ok(Endpoint { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_a_unit_and_may_be_zero_where_that_makes_sense() {
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(positive("0s").is_err() && duration("5").is_err());
    }

    #[test]
    fn an_attribute_is_split_at_the_first_equals_sign() {
        assert_eq!(attribute("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(attribute("a="), Ok(("a".to_owned(), String::new())));
        assert!(attribute("a").is_err() && attribute("=b").is_err());
    }

    #[test]
    fn a_place_is_a_host_and_a_port() {
        assert_eq!(endpoint("[::1]:80").map(|place| place.to_string()), Ok("[::1]:80".to_owned()));
        for wrong in ["::1:80", "host", "host:0", "host:70000", ":80"] {
            assert!(endpoint(wrong).is_err(), "{wrong}");
        }
    }
}
