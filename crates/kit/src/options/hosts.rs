//! Hosts as they are written, and spans within bounds.

use std::{ops::RangeInclusive, time::Duration};

use reception_core::Result;

use super::config;

/// Checks that each host is of the form `host[:port]`.
///
/// # Errors
///
/// Config, with the place of the first one that is not.
pub fn check_hosts(backend: &'static str, hosts: &[String]) -> Result<()> {
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || "/@?#\\\"<>".contains(c);
    let odd = |host: &&String| host.contains(is_odd) || host.is_empty();
    match hosts.iter().position(|host| odd(&host)) {
        Some(at) => Err(config(backend, format!("host {} is not of the form host[:port]", at + 1))),
        None => Ok(()),
    }
}

/// The host with this port, unless it brings its own.
#[must_use]
pub fn with_port(host: &str, port: u16) -> String {
    let name_end = host.rfind(']').unwrap_or(0);
    if host[name_end..].contains(':') { host.to_owned() } else { format!("{host}:{port}") }
}

/// Checks that the span of an option lies within its bounds.
///
/// # Errors
///
/// Config, with the option, what was seen and the bounds.
pub fn check_span(
    backend: &'static str,
    option: &str,
    span: Duration,
    bounds: RangeInclusive<Duration>,
) -> Result<()> {
    if bounds.contains(&span) {
        return Ok(());
    }
    let (least, most) = bounds.into_inner();
    Err(config(backend, format!("option {option:?} is {span:?}, not between {least:?} and {most:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_gets_the_port_that_it_lacks() {
        for (host, whole) in [("h1", "h1:7"), ("h1:8", "h1:8"), ("[::1]", "[::1]:7"), ("[::1]:8", "[::1]:8")]
        {
            assert_eq!(with_port(host, 7), whole);
        }
    }

    #[test]
    fn an_odd_host_is_told_by_its_place() {
        for odd in ["", " h", "h x", "h\n", "h/x", "u@h", "h?x", "h#x", "h\"", "h\\x", "<h>"] {
            let error = check_hosts("test", &["h1".to_owned(), odd.to_owned()]).unwrap_err();
            assert_eq!(error.context(), "host 2 is not of the form host[:port]");
        }
        assert!(check_hosts("test", &["h1:1".to_owned(), "[::1]".to_owned()]).is_ok());
    }

    #[test]
    fn a_span_out_of_bounds_is_told_with_them() {
        let bounds = Duration::from_secs(1)..=Duration::from_secs(9);
        assert!(check_span("test", "ttl", Duration::from_secs(9), bounds.clone()).is_ok());
        let error = check_span("test", "ttl", Duration::from_secs(10), bounds).unwrap_err();
        assert_eq!(error.context(), "option \"ttl\" is 10s, not between 1s and 9s");
    }
}
