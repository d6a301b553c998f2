//! The least of DNS: one question for addresses or for services, as any program asks it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{net::UdpSocket, time::timeout};

use crate::{Error, Result};

const LIMIT: Duration = Duration::from_secs(5);
const ID: [u8; 2] = [0x52, 0x45];
/// Types of records, each with the class of the Internet.
const ADDRESS: [u8; 4] = [0, 1, 0, 1];
const SERVICE: [u8; 4] = [0, 33, 0, 1];

/// One record that tells where a service is (SRV).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct DnsService {
    /// Lower ones are taken first.
    pub priority: u16,
    /// The share of those with the same priority.
    pub weight: u16,
    /// Where it listens.
    pub port: u16,
}

/// The IPv4 addresses of a name, as this server tells them; none for a name that it does not know.
///
/// # Errors
///
/// [`Error::Io`], [`Error::Timeout`] after 5 s, [`Error::Unexpected`] when the answer is none.
///
/// # Cancel safety
///
/// Cancel safe.
pub async fn dns_addresses(server: SocketAddr, name: &str) -> Result<Vec<Ipv4Addr>> {
    let found = ask(server, name, ADDRESS).await?;
    let address = |data: Vec<u8>| Some(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?));
    read_all(found, address).ok_or_else(|| Error::unexpected(what(server, name)))
}

/// The services of a name, sorted, as this server tells them; none for a name that it does not know.
///
/// # Errors
///
/// As [`dns_addresses`].
///
/// # Cancel safety
///
/// Cancel safe.
pub async fn dns_services(server: SocketAddr, name: &str) -> Result<Vec<DnsService>> {
    let found = ask(server, name, SERVICE).await?;
    let mut services =
        read_all(found, |data| service(&data)).ok_or_else(|| Error::unexpected(what(server, name)))?;
    services.sort_unstable();
    Ok(services)
}

fn what(server: SocketAddr, name: &str) -> String {
    format!("asking {server} for {name}")
}

fn read_all<T>(records: Vec<Vec<u8>>, read: impl Fn(Vec<u8>) -> Option<T>) -> Option<Vec<T>> {
    records.into_iter().map(read).collect()
}

/// The numbers of a service; the host behind them is left out.
fn service(data: &[u8]) -> Option<DnsService> {
    let number = |at: usize| Some(u16::from_be_bytes([*data.get(at)?, *data.get(at + 1)?]));
    Some(DnsService { priority: number(0)?, weight: number(2)?, port: number(4)? })
}

/// What the records of this type hold.
async fn ask(server: SocketAddr, name: &str, of: [u8; 4]) -> Result<Vec<Vec<u8>>> {
    let what = || what(server, name);
    let mut question = [&ID[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    for label in name.split('.') {
        let length = u8::try_from(label.len()).map_err(|_| Error::unexpected(what()))?;
        question.push(length);
        question.extend_from_slice(label.as_bytes());
    }
    question.push(0);
    question.extend_from_slice(&of);
    let exchange = async {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        socket.connect(server).await?;
        socket.send(&question).await?;
        let mut answer = vec![0; 4096];
        let count = socket.recv(&mut answer).await?;
        answer.truncate(count);
        Ok(answer)
    };
    let answer = timeout(LIMIT, exchange).await.map_err(|_| Error::timeout(what(), LIMIT, ""))?;
    let answer = answer.map_err(Error::io(what()))?;
    read(&answer, question.len(), of).ok_or_else(|| Error::unexpected(what()))
}

/// What the records of a type hold in an answer, whose own part begins behind the question.
fn read(answer: &[u8], question: usize, of: [u8; 4]) -> Option<Vec<Vec<u8>>> {
    let header = answer.get(..12)?;
    let failed = header[3] & 0xF;
    if header[..2] != ID || header[2] & 0x80 == 0 || (failed != 0 && failed != 3) {
        return None;
    }
    let (mut rest, mut found) = (answer.get(question..)?, Vec::new());
    for _ in 0..u16::from_be_bytes([header[6], header[7]]) {
        // A name is a reference to another one, or labels with a zero behind them.
        let name =
            if rest.first()? & 0xC0 == 0xC0 { 2 } else { rest.iter().position(|byte| *byte == 0)? + 1 };
        let fixed = rest.get(name..name + 10)?;
        let data = rest.get(name + 10..name + 10 + usize::from(u16::from_be_bytes([fixed[8], fixed[9]])))?;
        if fixed[..4] == of {
            found.push(data.to_vec());
        }
        rest = &rest[name + 10 + data.len()..];
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_nonsense_is_not() {
        let question = b"RE\x01\0\0\x01\0\0\0\0\0\0\x03api\0\0\x01\0\x01".len();
        let good = b"RE\x85\0\0\x01\0\x02\0\0\0\0\x03api\0\0\x01\0\x01\xC0\x0C\0\x10\0\x01\0\0\0\0\0\x02\x01x\xC0\x0C\0\x01\0\x01\0\0\0\0\0\x04\x0A\0\0\x07";
        assert_eq!(read(good, question, ADDRESS), Some(vec![vec![10, 0, 0, 7]]));
        assert_eq!(read(good, question, SERVICE), Some(vec![]));
        for end in 0..good.len() {
            assert_eq!(read(&good[..end], question, ADDRESS), None, "{end}");
        }
        let mut unknown = good.to_vec();
        (unknown[3], unknown[7]) = (3, 0);
        assert_eq!(read(&unknown, question, ADDRESS), Some(vec![]));
        unknown[3] = 2;
        assert_eq!(read(&unknown, question, ADDRESS), None);
    }

    #[test]
    fn a_service_is_three_numbers_and_a_host() {
        let told = DnsService { priority: 1, weight: 3, port: 8080 };
        assert_eq!(service(b"\0\x01\0\x03\x1F\x90\x01x\0"), Some(told));
        assert_eq!(service(b"\0\x01\0\x03\x1F"), None);
    }
}
