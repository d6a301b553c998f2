//! What an Exhibitor answers: the servers, as JSON or as a form. Nothing in it is trusted.

mod read;

use std::{collections::BTreeSet, net::Ipv6Addr};

use reception_core::{DialUrl, Error, ErrorKind, Result};

use crate::error::unfound;

/// The most bytes of an answer.
pub(crate) const MOST_BYTES: usize = 1 << 20;
/// The most servers of an answer.
const MOST_SERVERS: usize = 256;

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    /// `count=1&server0=h1&port=2181`.
    Pairs,
}

impl Form {
    /// The form of a body of this type.
    ///
    /// # Errors
    ///
    /// Protocol for every other type.
    pub(crate) fn of(kind: &str) -> Result<Self> {
        let plain = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match plain.as_str() {
            "application/json" => Ok(Self::Json),
            "application/x-www-form-urlencoded" => Ok(Self::Pairs),
            "" => Err(wrong("answered without a type of content")),
            _ => Err(wrong("answered neither JSON nor a form")),
        }
    }

    /// Whether a part of an answer can be told from the whole by what it says: `port=21` is the beginning of `port=2181`.
    pub(crate) fn shows_its_end(self) -> bool {
        self == Self::Json
    }

    /// The servers that a body tells, each `host:port`.
    ///
    /// # Errors
    ///
    /// Protocol for anything that is no such list, Unavailable for a list without servers.
    pub(crate) fn read(self, body: &[u8]) -> Result<BTreeSet<String>> {
        let (hosts, port) = match self {
            Self::Json => read::json(body)?,
            Self::Pairs => read::pairs(body)?,
        };
        servers(&hosts, port)
    }
}

fn wrong(context: &str) -> Error {
    unfound(ErrorKind::Protocol, context)
}

fn servers(hosts: &[String], port: i64) -> Result<BTreeSet<String>> {
    if hosts.len() > MOST_SERVERS {
        return Err(wrong(&format!("tells {} servers, more than {MOST_SERVERS}", hosts.len())));
    }
    let port = u16::try_from(port).ok().filter(|port| *port > 0);
    let port = port.ok_or_else(|| wrong("tells a port that is not in 1-65535"))?;
    if hosts.is_empty() {
        return Err(unfound(ErrorKind::Unavailable, "tells no servers"));
    }
    hosts.iter().enumerate().map(|(at, host)| server(at, host, port)).collect()
}

/// A host with the port, if it is a host and nothing else. What it is instead is not repeated.
///
/// One host has one spelling: lists are compared, and a session leaves a server that is not listed any more.
fn server(at: usize, host: &str, port: u16) -> Result<String> {
    let inside = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let whole = match inside.parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]:{port}"),
        Err(_) => format!("{}:{port}", host.to_ascii_lowercase()),
    };
    // The rules of hosts are those of dial URLs.
    let url: Option<DialUrl> = format!("zk://{whole}").parse().ok();
    match url {
        Some(url) if url.hosts() == [whole.as_str()] && url.path().is_empty() => Ok(whole),
        _ => Err(wrong(&format!("tells a server, number {}, that is no host", at + 1))),
    }
}

#[cfg(test)]
mod tests;
