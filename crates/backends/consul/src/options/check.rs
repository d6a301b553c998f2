//! How the agent sees that an instance lives, and what has to hold for that.

use std::{
    net::{Ipv6Addr, SocketAddr},
    time::Duration,
};

use reception_core::{DialUrl, Result, Service};

use super::{CHECK_BIND, CHECK_HOST, CHECK_TIMEOUT, Check, INTERVAL, Options, refuse};

/// What Consul raises a shorter one to.
const LEAST_FORGET: Duration = Duration::from_secs(60);
const MOST_FORGET: Duration = Duration::from_secs(365 * 24 * 3600);

/// Where the agent finds our server, as option `check_host` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announced {
    /// As in a URL.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl Options {
    pub(super) fn checked_liveness(&self) -> Result<()> {
        let forget = self.deregister_after;
        if forget < LEAST_FORGET {
            let text = format!(
                "option \"deregister_after\" is {forget:?}; Consul forgets nothing before one minute: give 1m or more"
            );
            return Err(refuse(text));
        }
        if forget > MOST_FORGET {
            return Err(refuse(format!("option \"deregister_after\" is {forget:?}, more than a year")));
        }
        self.bind()?;
        self.announced().map(drop)
    }

    /// Where our server listens.
    pub(crate) fn bind(&self) -> Result<SocketAddr> {
        let bind = &self.check_bind;
        let why = "is no IP address with a port, such as 127.0.0.1:0 or [::1]:8600";
        bind.parse().map_err(|_| refuse(format!("option \"check_bind\": {bind:?} {why}")))
    }

    /// Where the agent finds it, if that is said.
    pub(crate) fn announced(&self) -> Result<Option<Announced>> {
        let Some(text) = &self.check_host else { return Ok(None) };
        let wrong = || refuse(format!("option \"check_host\": {text:?} is no host, and no host with a port"));
        let bare = bracketed(text);
        let (host, port) = match text.rsplit_once(':') {
            // An IPv6 address, with or without brackets.
            _ if bare != *text || text.ends_with(']') => (bare.as_str(), None),
            Some((host, port)) => (host, Some(port)),
            None => (text.as_str(), None),
        };
        let port = match port {
            // A sign would be taken for a number, too.
            Some(port) if port.starts_with(|c: char| c.is_ascii_digit()) => {
                Some(port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(wrong)?)
            }
            Some(_) => return Err(wrong()),
            None => None,
        };
        // The limits of an address are those of an instance's.
        Service::new("check", host, 1).map_err(|_| wrong())?;
        Ok(Some(Announced { host: host.to_owned(), port }))
    }
}

/// Refuses an option that this kind of check makes nothing of: who gives it expects something.
pub(super) fn needless(url: &DialUrl, check: Check) -> Result<()> {
    let asked = [INTERVAL.spec().key(), CHECK_TIMEOUT.spec().key()];
    let listens = [CHECK_BIND.spec().key(), CHECK_HOST.spec().key()];
    for key in url.options() {
        let with = match check {
            Check::Ttl | Check::None if asked.contains(&key) => "check=http and check=tcp",
            Check::Ttl | Check::None | Check::Tcp if listens.contains(&key) => "check=http",
            _ => continue,
        };
        return Err(refuse(format!("option \"{key}\" means something with {with} alone")));
    }
    Ok(())
}

/// An address as it stands in a URL.
pub(crate) fn bracketed(address: &str) -> String {
    // A zone may follow.
    let bare = address.split('%').next().unwrap_or(address);
    if bare.parse::<Ipv6Addr>().is_ok() { format!("[{address}]") } else { address.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Result<Option<Announced>> {
        Options::new(["a"]).check_server("127.0.0.1:0", Some(text.to_owned())).announced()
    }

    #[test]
    fn a_host_may_have_a_port() {
        for (text, host_is, port) in [
            ("web-1.example", "web-1.example", None),
            ("web-1.example:8600", "web-1.example", Some(8600)),
            ("10.0.0.7:1", "10.0.0.7", Some(1)),
            ("::1", "[::1]", None),
            ("[::1]", "[::1]", None),
            ("[::1]:8600", "[::1]", Some(8600)),
        ] {
            let announced = host(text).unwrap();
            assert_eq!(announced, Some(Announced { host: host_is.to_owned(), port }), "{text}");
        }
        for text in ["", "a/b", "http://a", "a:", "a:0", "a:+1", "a:99999", "me@a", "a b", "[::1]:x", "a:b:1"]
        {
            let refused = host(text).unwrap_err().to_string();
            assert!(refused.contains("\"check_host\""), "{text}: {refused}");
        }
    }
}
