//! The least of DNS: one question for addresses, as any program asks it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{net::UdpSocket, time::timeout};

use crate::{Error, Result};

const LIMIT: Duration = Duration::from_secs(5);
const ID: [u8; 2] = [0x52, 0x45];
/// The type of an address and the class of the Internet.
const ADDRESS: [u8; 4] = [0, 1, 0, 1];

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
    let what = || format!("asking {server} for {name}");
    let mut question = [&ID[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    for label in name.split('.') {
        let length = u8::try_from(label.len()).map_err(|_| Error::unexpected(what()))?;
        question.push(length);
        question.extend_from_slice(label.as_bytes());
    }
    question.push(0);
    question.extend_from_slice(&ADDRESS);
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
    read(&answer, question.len()).ok_or_else(|| Error::unexpected(what()))
}

/// The addresses in an answer, whose own part begins behind the question.
fn read(answer: &[u8], question: usize) -> Option<Vec<Ipv4Addr>> {
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
        if fixed[..4] == ADDRESS {
            found.push(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?));
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
        assert_eq!(read(good, question), Some(vec![Ipv4Addr::new(10, 0, 0, 7)]));
        for end in 0..good.len() {
            assert_eq!(read(&good[..end], question), None, "{end}");
        }
        let mut unknown = good.to_vec();
        (unknown[3], unknown[7]) = (3, 0);
        assert_eq!(read(&unknown, question), Some(vec![]));
        unknown[3] = 2;
        assert_eq!(read(&unknown, question), None);
    }
}
