//! The least of HTTP: one GET over a fresh loopback connection.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{Error, Result};

const LIMIT: u64 = 4 << 20;

/// The answer to [`http_get`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The body, as text.
    pub body: String,
}

/// Asks a plain-text HTTP server for `path` within `limit`.
///
/// # Errors
///
/// [`Error::Io`] when nobody answers, [`Error::Timeout`], [`Error::TooMuch`] over 4 MiB,
/// [`Error::Unexpected`] when the answer is not HTTP.
///
/// # Cancel safety
///
/// Cancel safe: the connection is closed.
pub async fn http_get(server: SocketAddr, path: &str, limit: Duration) -> Result<Response> {
    http_ask(server, path, &[], limit).await
}

/// As [`http_get`], with more headers.
pub(crate) async fn http_ask(
    server: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    limit: Duration,
) -> Result<Response> {
    let what = format!("GET http://{server}{path}");
    match timeout(limit, exchange(server, path, headers)).await {
        Ok(answer) => parse(&what, &answer.map_err(Error::io(what.clone()))?),
        Err(_) => Err(Error::timeout(what, limit, "")),
    }
}

async fn exchange(server: SocketAddr, path: &str, headers: &[(&str, &str)]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    // HTTP/1.0: the server sends no chunks and closes when it is done.
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {server}\r\n{headers}\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LIMIT + 1).read_to_end(&mut answer).await?;
    Ok(answer)
}

fn parse(what: &str, answer: &[u8]) -> Result<Response> {
    if answer.len() as u64 > LIMIT {
        return Err(Error::TooMuch { program: what.to_owned(), limit: LIMIT });
    }
    let text = String::from_utf8_lossy(answer);
    let status = text.split(' ').nth(1).and_then(|code| code.parse().ok());
    match (status, text.split_once("\r\n\r\n")) {
        (Some(status), Some((_, body))) if text.starts_with("HTTP/") => {
            Ok(Response { status, body: body.to_owned() })
        }
        _ => Err(Error::unexpected(format!("{what}: not an HTTP answer"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_split_into_status_and_body() {
        let response = parse("x", b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n{}\r\n\r\n").unwrap();
        assert_eq!((response.status, response.body.as_str()), (200, "{}\r\n\r\n"));
    }

    #[test]
    fn garbage_is_not_an_answer() {
        assert!(matches!(parse("x", b"\x00\x00 12 \r\n\r\n"), Err(Error::Unexpected { .. })));
    }
}
