//! Ends a session of somebody else, as a second connection with its id and password may.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{Error, Result};

const LIMIT: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_millis(5);
const PASSWORD: usize = 16;
/// The length, the version and the timeout before the id.
const ID_AT: usize = 12;
const PASSWORD_AT: usize = ID_AT + 8 + 4;
const CLOSE_SESSION: i32 = -11;

/// A session, as a server opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZooKeeperSession {
    id: i64,
    timeout: i32,
    password: [u8; PASSWORD],
}

impl ZooKeeperSession {
    /// Reads a session from the first bytes that a server sent on its connection (see [`Proxy::openings`](crate::Proxy::openings)).
    #[must_use]
    pub fn read(opening: &[u8]) -> Option<Self> {
        let timeout = i32::from_be_bytes(opening.get(ID_AT - 4..ID_AT)?.try_into().ok()?);
        let id = i64::from_be_bytes(opening.get(ID_AT..ID_AT + 8)?.try_into().ok()?);
        let password = opening.get(PASSWORD_AT..PASSWORD_AT + PASSWORD)?.try_into().ok()?;
        (id != 0).then_some(Self { id, timeout, password })
    }

    /// The session's id.
    #[must_use]
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Closes the session at the server; one that is gone already is no error.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when nobody answers, [`Error::Timeout`] after 10 s.
    ///
    /// # Cancel safety
    ///
    /// The session may or may not be closed.
    pub async fn end(&self, server: SocketAddr) -> Result<()> {
        let what = format!("closing session {:#x} at {server}", self.id);
        let closing = async {
            // Its client may take the session back before our request is read: then the server hangs up on us.
            loop {
                match self.close(server).await {
                    Err(error) if is_end(&error) => tokio::time::sleep(RETRY).await,
                    done => return done,
                }
            }
        };
        match timeout(LIMIT, closing).await {
            Ok(done) => done.map_err(Error::io(what)),
            Err(_) => Err(Error::timeout(what, LIMIT, "")),
        }
    }

    async fn close(&self, server: SocketAddr) -> io::Result<()> {
        let mut stream = TcpStream::connect(server).await?;
        let mut hello = Vec::new();
        hello.extend(0_i32.to_be_bytes());
        hello.extend(0_i64.to_be_bytes());
        hello.extend(self.timeout.to_be_bytes());
        hello.extend(self.id.to_be_bytes());
        hello.extend(16_i32.to_be_bytes());
        hello.extend(self.password);
        hello.push(0);
        let mut close = Vec::new();
        close.extend(1_i32.to_be_bytes());
        close.extend(CLOSE_SESSION.to_be_bytes());
        // In one piece: the session's client comes back as soon as it has lost its connection to us.
        stream.write_all(&[framed(&hello)?, framed(&close)?].concat()).await?;
        let told = answer(&mut stream).await?;
        // An id of zero: the session is not there.
        if told.get(8..16).is_none_or(|id| id == [0; 8]) {
            return Ok(());
        }
        answer(&mut stream).await.map(drop)
    }
}

fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

fn framed(message: &[u8]) -> io::Result<Vec<u8>> {
    let length = i32::try_from(message.len()).map_err(io::Error::other)?;
    Ok([&length.to_be_bytes(), message].concat())
}

async fn answer(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_i32().await?;
    let mut message = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_read_from_the_servers_first_words() {
        let mut opening = vec![0, 0, 0, 37, 0, 0, 0, 0, 0, 0, 7, 208];
        opening.extend(9_i64.to_be_bytes());
        opening.extend(16_i32.to_be_bytes());
        opening.extend([7; 16]);
        let session = ZooKeeperSession::read(&opening).unwrap();
        assert_eq!((session.id(), session.timeout, session.password), (9, 2000, [7; 16]));
        assert_eq!(ZooKeeperSession::read(&opening[..30]), None);
    }
}
