//! Writes to a fenced store, also from another process.

use std::{net::SocketAddr, process, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};

use crate::{Error, Result, history::Token};

/// The longest answer.
const ANSWER: u64 = 64;

/// What a fenced store said to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FencedAnswer {
    /// Whether the write took place.
    pub accepted: bool,
    /// The number of the decision: they rise in the order the store took them.
    pub seq: u64,
}

/// A writer to a [`FencedStore`](crate::FencedStore): it connects when it must.
#[derive(Debug)]
pub struct FencedWriter {
    endpoint: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl FencedWriter {
    /// Makes a writer to the store at this address.
    #[must_use]
    pub const fn new(endpoint: SocketAddr) -> Self {
        Self { endpoint, stream: None }
    }

    /// Writes with this token and waits for the store's word.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] after `limit`, [`Error::Io`] when the store is gone, [`Error::Unexpected`] for
    /// an answer that is none. Whether the write took place is unknown then.
    ///
    /// # Cancel safety
    ///
    /// The write may have taken place.
    pub async fn write(&mut self, token: &Token, limit: Duration) -> Result<FencedAnswer> {
        let late = || Error::timeout(format!("a write to {}", self.endpoint), limit, "");
        let stream = self.stream.take();
        // A stream that broke off in the middle is not used again: an answer to another write may be on it.
        let (stream, answer) =
            timeout(limit, ask(self.endpoint, stream, token)).await.map_err(|_| late())??;
        self.stream = Some(stream);
        Ok(answer)
    }
}

/// Writes once to the store at `endpoint`, on a connection of its own.
///
/// # Errors
///
/// As [`FencedWriter::write`].
///
/// # Cancel safety
///
/// The write may have taken place.
pub async fn fenced_write(endpoint: SocketAddr, token: &Token, limit: Duration) -> Result<FencedAnswer> {
    FencedWriter::new(endpoint).write(token, limit).await
}

async fn ask(
    endpoint: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
    token: &Token,
) -> Result<(BufReader<TcpStream>, FencedAnswer)> {
    let failed = || Error::io(format!("write to {endpoint}"));
    let mut stream = match stream {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(endpoint).await.map_err(failed())?;
            stream.set_nodelay(true).map_err(failed())?;
            BufReader::new(stream)
        }
    };
    let request = format!("WRITE {token} {}\n", process::id());
    stream.write_all(request.as_bytes()).await.map_err(failed())?;
    let mut answer = String::new();
    (&mut stream).take(ANSWER).read_line(&mut answer).await.map_err(failed())?;
    let answer = parse(&answer).ok_or_else(|| {
        Error::unexpected(format!("{endpoint} answered `{}` to {request:?}", answer.trim()))
    })?;
    Ok((stream, answer))
}

fn parse(answer: &str) -> Option<FencedAnswer> {
    let (word, seq) = answer.strip_suffix('\n')?.split_once(' ')?;
    let accepted = match word {
        "accepted" => true,
        "refused" => false,
        _ => return None,
    };
    Some(FencedAnswer { accepted, seq: seq.parse().ok()? })
}
