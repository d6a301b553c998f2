//! Finding the address that others reach this process by.
//!
//! A machine has several addresses and only its operator knows which one is meant, so each way is asked for by name and none is a default.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use if_addrs::IfAddr;
use reception_core::{DialUrl, Error, ErrorKind, Result};
use tokio::net::{UdpSocket, lookup_host};

/// Where to take the address from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source<'a> {
    /// The environment variable of this name.
    Variable(&'a str),
    /// The network interface of this name: its first address that others can reach, IPv4 before IPv6.
    Interface(&'a str),
    /// The route to the store of this dial URL: the address that this machine would send from. Nothing is sent.
    Route(&'a str),
}

/// Finds the address to announce.
///
/// ```
/// use reception::announce::{self, Source};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> reception::Result<()> {
/// let address = announce::address(Source::Route("etcd://127.0.0.1:2379")).await?;
/// assert_eq!(address, "127.0.0.1");
/// # Ok(()) }
/// ```
///
/// # Errors
/// Config when the variable is not set or is no address, when there is no such interface, when the URL does not parse or has no host;
/// Unavailable when the host does not resolve or has no route.
///
/// # Cancel safety
/// Safe: dropping the future leaves nothing. A name is resolved without a deadline of ours: put one around it.
pub async fn address(source: Source<'_>) -> Result<String> {
    match source {
        Source::Variable(name) => variable(name),
        Source::Interface(name) => interface(name),
        Source::Route(url) => route(&url.parse()?).await,
    }
}

fn error(kind: ErrorKind, context: String) -> Error {
    Error::new(kind, "sdk", "announce", context)
}

fn variable(name: &str) -> Result<String> {
    #[expect(clippy::disallowed_methods, reason = "the caller names the variable")]
    let value = std::env::var(name).map_err(|cause| {
        error(ErrorKind::Config, format!("variable {name:?} gives no address")).with_source(cause)
    })?;
    // The strict check of an address lives in the builder of an instance.
    let checked = reception_core::Service::new("announce", value.trim(), 1)
        .map_err(|cause| error(ErrorKind::Config, format!("variable {name:?}: {}", cause.context())))?;
    Ok(checked.address().to_owned())
}

fn interface(name: &str) -> Result<String> {
    let all = if_addrs::get_if_addrs().map_err(|cause| {
        error(ErrorKind::Config, "the interfaces cannot be listed".to_owned()).with_source(cause)
    })?;
    let mut found: Vec<IpAddr> = Vec::new();
    for entry in all.iter().filter(|entry| entry.name == name) {
        match &entry.addr {
            IfAddr::V4(v4) if !v4.ip.is_link_local() => found.push(v4.ip.into()),
            IfAddr::V6(v6) if !v6.ip.is_unicast_link_local() => found.push(v6.ip.into()),
            _ => {}
        }
    }
    found.sort_by_key(IpAddr::is_ipv6);
    if let Some(first) = found.first() {
        return Ok(first.to_string());
    }
    let mut names: Vec<&str> = all.iter().map(|entry| entry.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let context =
        format!("interface {name:?} has no address that others can reach (interfaces: {})", names.join(", "));
    Err(error(ErrorKind::Config, context))
}

/// Asks the system which address it would send from: connecting a datagram socket looks the route up and sends nothing.
async fn route(url: &DialUrl) -> Result<String> {
    let no_host = || error(ErrorKind::Config, "the dial URL has no host to find a route to".to_owned());
    if url.hosts().is_empty() {
        return Err(no_host());
    }
    let mut last = no_host();
    for host in url.hosts() {
        match towards(host).await {
            Ok(address) => return Ok(address),
            Err(cause) => {
                last = error(ErrorKind::Unavailable, format!("no route to {host}")).with_source(cause);
            }
        }
    }
    Err(last)
}

async fn towards(host: &str) -> std::io::Result<String> {
    let has_port = host.rfind(':').is_some_and(|colon| !host[colon..].contains(']'));
    // Any port will do: routes do not depend on it.
    let target = if has_port { host.to_owned() } else { format!("{host}:9") };
    let mut outcome = Err(std::io::ErrorKind::NotFound.into());
    for remote in lookup_host(target).await? {
        outcome = local_address(remote).await;
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

async fn local_address(remote: SocketAddr) -> std::io::Result<String> {
    let any: IpAddr =
        if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(remote).await?;
    let local = socket.local_addr()?.ip();
    if local.is_unspecified() {
        Err(std::io::ErrorKind::AddrNotAvailable.into())
    } else {
        Ok(local.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_loopback_interface_has_a_loopback_address() {
        let name = if cfg!(target_os = "linux") { "lo" } else { "lo0" };
        assert_eq!(address(Source::Interface(name)).await.ok().as_deref(), Some("127.0.0.1"));
    }

    #[tokio::test]
    async fn an_unknown_interface_lists_those_there_are() {
        let error = address(Source::Interface("nonesuch0")).await.expect_err("unknown");
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.context().contains("interfaces: "), "{error}");
    }

    #[tokio::test]
    async fn a_variable_that_is_not_set_is_named() {
        let error = address(Source::Variable("RECEPTION_SURELY_NOT_SET")).await.expect_err("unset");
        assert!(error.context().contains("RECEPTION_SURELY_NOT_SET"), "{error}");
    }

    #[tokio::test]
    async fn a_variable_that_holds_no_address_is_refused() {
        let error = address(Source::Variable("PATH")).await.expect_err("no address");
        assert_eq!(error.kind(), ErrorKind::Config);
    }

    #[tokio::test]
    async fn a_url_without_a_host_has_no_route() {
        let error = address(Source::Route("memory:")).await.expect_err("no host");
        assert_eq!(error.kind(), ErrorKind::Config);
    }

    #[tokio::test]
    async fn the_route_to_an_ipv6_store_is_an_ipv6_address() {
        // A machine may have no IPv6 at all: then there is no route, which is an answer too.
        match address(Source::Route("etcd://[::1]:2379")).await {
            Ok(address) => assert_eq!(address, "::1"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable),
        }
    }
}
