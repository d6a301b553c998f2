//! Slacker's clusters, read and never written; the format is in `docs/wire/slacker.md`.

use reception_core::{ErrorKind, Result, Service, ServiceId, ServiceName, limits::MAX_RECORD};

use super::{Candidates, Child, Layout};
use crate::error::error;

const ROOT: &str = "slacker/cluster";
const NAMESPACES: &str = "namespaces";
const SERVERS: &str = "servers";
/// A service of this name is all servers of the cluster: slacker keeps names that begin so to itself.
const ALL: &str = "_servers";
const DATA: &str = "server-data";
const NOTHING: &str = "nil";

/// The servers and namespaces of a slacker cluster: read only.
///
/// The URL's path is the name of a cluster under `/slacker/cluster`, or the whole path of one.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Slacker;

/// The folder of all servers.
fn servers(base: &str) -> String {
    let cluster = base.strip_suffix(NAMESPACES).unwrap_or(base);
    format!("{cluster}{SERVERS}")
}

impl Layout for Slacker {
    fn base(&self, path: &str) -> String {
        if path.contains('/') {
            format!("/{path}/{NAMESPACES}")
        } else {
            format!("/{ROOT}/{path}/{NAMESPACES}")
        }
    }

    fn encode(&self, _service: &Service) -> Result<Vec<u8>> {
        let text = "layout=slacker is read only: register with slacker itself";
        Err(error(ErrorKind::Unsupported, "register", text))
    }

    fn decode(&self, name: &ServiceName, id: &ServiceId, record: &[u8]) -> Result<Service> {
        let flaw =
            |what: &str| error(ErrorKind::Protocol, "decode", format!("server {id} of {name}: {what}"));
        if record.len() > MAX_RECORD {
            return Err(flaw("its data are too long"));
        }
        let (address, port) =
            place(id.as_str()).ok_or_else(|| flaw("its name is not an address and a port"))?;
        let data = std::str::from_utf8(record).map_err(|_| flaw("its data are not UTF-8"))?;
        let builder = Service::builder_of(name, id, address, port);
        let builder = if matches!(data, "" | NOTHING) { builder } else { builder.attribute(DATA, data) };
        builder.build_foreign()
    }

    fn child(&self, name: &str) -> Child {
        if name.starts_with('_') {
            return Child::Other;
        }
        match ServiceId::foreign(name) {
            Ok(id) if place(name).is_some() => Child::Instance { id, number: 0 },
            _ => Child::Odd,
        }
    }

    fn folder(&self, base: &str, name: &ServiceName) -> String {
        if name.as_str() == ALL { servers(base) } else { format!("{base}/{name}") }
    }

    fn records(&self, base: &str) -> Option<String> {
        Some(servers(base))
    }

    fn candidates(&self) -> Candidates {
        Candidates::Named
    }
}

/// The address and the port that a server's name is made of.
fn place(name: &str) -> Option<(&str, u16)> {
    let (address, port) = name.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    (!address.is_empty()).then_some((address, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::page::{blocks, told};

    const PAGE: &str = include_str!("../../../../../docs/wire/slacker.md");

    #[test]
    fn the_page_says_what_is_read() {
        let (name, id) = (ServiceName::new("echo").unwrap(), ServiceId::foreign("10.0.0.7:2104").unwrap());
        for (case, block) in blocks(PAGE, "read") {
            let (bytes, expected) = block.split_once('\n').unwrap();
            let read = Slacker.decode(&name, &id, bytes.as_bytes()).unwrap();
            assert_eq!(told(&read), expected, "{case}");
        }
        assert!(Slacker.decode(&name, &id, b"\xff").is_err());
        assert!(Slacker.decode(&name, &id, &b"x".repeat(MAX_RECORD + 1)).is_err());
    }

    #[test]
    fn servers_are_told_from_what_is_slackers_own() {
        let id = ServiceId::foreign("10.0.0.7:2104").unwrap();
        assert_eq!(Slacker.child("10.0.0.7:2104"), Child::Instance { id, number: 0 });
        assert_eq!(Slacker.child("_leader"), Child::Other);
        for odd in ["10.0.0.7", "10.0.0.7:0", "10.0.0.7:x", ":2104", ""] {
            assert_eq!(Slacker.child(odd), Child::Odd, "{odd}");
        }
    }

    #[test]
    fn it_stands_where_slacker_stands() {
        let base = Slacker.base("prod");
        assert_eq!(base, "/slacker/cluster/prod/namespaces");
        assert_eq!(Slacker.base("rpc/eu/prod"), "/rpc/eu/prod/namespaces");
        let all = Slacker.folder(&base, &ServiceName::new("_servers").unwrap());
        assert_eq!(Some(all), Slacker.records(&base));
    }

    #[test]
    fn it_writes_nothing() {
        let refused = Slacker.encode(&Service::new("echo", "10.0.0.7", 2104).unwrap()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert_eq!(
            refused.to_string(),
            "register on zookeeper: layout=slacker is read only: register with slacker itself (unsupported)"
        );
    }
}
