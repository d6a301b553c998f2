//! The HTTP interface of a Consul agent, as a foreign client asks it.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{Error, Response, Result};

/// Ten thousand instances take 9 MB.
const CAP: u64 = 64 << 20;
const LIMIT: Duration = Duration::from_secs(20);

/// One agent asked by plain requests, each over a connection of its own, within 20 s and 64 MiB.
#[derive(Clone, Debug)]
pub struct ConsulApi {
    agent: SocketAddr,
    token: Option<String>,
}

impl ConsulApi {
    /// Asks the agent at this address, which may be a proxy.
    #[must_use]
    pub fn new(agent: SocketAddr) -> Self {
        Self { agent, token: None }
    }

    /// Shows this token.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Reads; answers whatever status comes back.
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the connection is closed.
    pub async fn get(&self, path: &str) -> Result<Response> {
        self.ask("GET", path, "").await
    }

    /// Writes, and takes no other answer than 200.
    ///
    /// # Errors
    ///
    /// [`Error::Unexpected`] at any other status; else as [`ask`](Self::ask).
    ///
    /// # Cancel safety
    ///
    /// As [`ask`](Self::ask).
    pub async fn put(&self, path: &str, body: &str) -> Result<String> {
        let answer = self.ask("PUT", path, body).await?;
        if answer.status == 200 {
            return Ok(answer.body);
        }
        Err(Error::unexpected(format!("PUT {path}: {} {}", answer.status, answer.body.trim())))
    }

    /// Asks with any method; answers whatever status comes back.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when nobody answers, [`Error::Timeout`], [`Error::TooMuch`] over 64 MiB, [`Error::Unexpected`] when the answer is
    /// not HTTP.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it may or may not have been done.
    pub async fn ask(&self, method: &str, path: &str, body: &str) -> Result<Response> {
        let what = format!("{method} {path}");
        match timeout(LIMIT, self.exchange(method, path, body)).await {
            Ok(answer) => parse(&what, &answer.map_err(Error::io(what.clone()))?),
            Err(_) => Err(Error::timeout(what, LIMIT, "")),
        }
    }

    async fn exchange(&self, method: &str, path: &str, body: &str) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.agent).await?;
        let token = self.token.as_ref().map(|token| format!("X-Consul-Token: {token}\r\n"));
        // HTTP/1.0: the agent sends no chunks and closes when it is done.
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: {}\r\n{}Content-Length: {}\r\n\r\n",
            self.agent,
            token.unwrap_or_default(),
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(CAP + 1).read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

fn parse(what: &str, answer: &[u8]) -> Result<Response> {
    if answer.len() as u64 > CAP {
        return Err(Error::TooMuch { program: what.to_owned(), limit: CAP });
    }
    let text = String::from_utf8_lossy(answer);
    let status = text.split(' ').nth(1).and_then(|code| code.parse().ok());
    match (status, text.split_once("\r\n\r\n")) {
        (Some(status), Some((_, body))) => Ok(Response { status, body: body.to_owned() }),
        _ => Err(Error::unexpected(format!("{what}: not an HTTP answer"))),
    }
}
