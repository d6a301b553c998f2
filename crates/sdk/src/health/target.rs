//! `host:port` in text.

use reception_core::{Result, Service};

use super::config;

/// Splits `host:port`, an IPv6 address in brackets, and checks both.
pub(super) fn host_and_port(text: &str) -> Result<(String, u16)> {
    let wrong = || config(format!("{text:?} is not HOST:PORT, with an IPv6 address in brackets"));
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    if host.contains(':') != bracketed || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
    // The strict check of an address lives in the builder of an instance.
    let checked = Service::new("check", host, port).map_err(|cause| wrong().with_source(cause))?;
    Ok((checked.address().to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_addresses_and_bracketed_addresses_are_taken() {
        for (text, host) in
            [("api.local:80", "api.local"), ("127.0.0.1:80", "127.0.0.1"), ("[::1]:80", "::1")]
        {
            assert_eq!(host_and_port(text).unwrap(), (host.to_owned(), 80));
        }
    }

    #[test]
    fn what_is_no_target_is_refused_up_front() {
        for text in
            ["", ":80", "h", "h:", "h:0", "h:+1", "h:65536", "::1:80", "[h:80", "[]:80", "a b:80", "h/x:80"]
        {
            let error = host_and_port(text).expect_err(text);
            assert_eq!(error.kind(), reception_core::ErrorKind::Config, "{text}");
        }
    }
}
