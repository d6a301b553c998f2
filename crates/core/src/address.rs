//! What may stand as an address: a host name, IPv4 or IPv6.

use std::net::Ipv6Addr;

use crate::{
    error::{CORE, Error, ErrorKind, Result},
    limits::MAX_ADDRESS,
};

/// Checks an address that is to be written and takes the brackets off an IPv6 one.
pub(crate) fn strict(text: &str) -> Result<&str> {
    let invalid = |context: String| Err(Error::new(ErrorKind::InvalidInstance, CORE, "check", context));
    if text.is_empty() {
        return invalid("the address is empty".to_owned());
    }
    if text.len() > MAX_ADDRESS {
        return invalid(format!("an address of {} bytes, the limit is {MAX_ADDRESS}", text.len()));
    }
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(inner) = inner {
        return if is_ipv6(inner) {
            Ok(inner)
        } else {
            invalid(format!("address {text:?} is no IPv6 address in brackets"))
        };
    }
    if is_ipv6(text) || is_host(text) {
        return Ok(text);
    }
    invalid(format!("address {text:?} is no host name and no IP address"))
}

/// An IPv6 address, with a zone (`fe80::1%eth0`) if need be.
pub(crate) fn is_ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').map_or((text, None), |(address, zone)| (address, Some(zone)));
    let zone_is_plain = zone.is_none_or(|zone| {
        !zone.is_empty()
            && zone
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-' || byte == b'_')
    });
    zone_is_plain && address.parse::<Ipv6Addr>().is_ok()
}

/// A host name or IPv4 address: labels of letters, digits, `-` and `_` with single dots between them.
pub(crate) fn is_host(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    !name.is_empty()
        && name.len() <= MAX_ADDRESS
        && name.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        })
}
