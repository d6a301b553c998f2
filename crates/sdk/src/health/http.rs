//! The check that asks over HTTP.

use std::fmt;

use hyper::{
    Request, Uri,
    client::conn::http1,
    header::{ACCEPT, CONNECTION, HOST, USER_AGENT},
    http::uri::{Authority, PathAndQuery, Scheme},
};
use hyper_util::rt::TokioIo;
use reception_core::{Result, async_trait};
use tokio::net::TcpStream;

use super::{Check, config, target::host_and_port};

/// The most that is read of an answer: its head.
const HEAD: usize = 16 << 10;
const AGENT: &str = concat!("reception/", env!("CARGO_PKG_VERSION"));

/// Good is a 2xx answer to a GET over plain HTTP/1.1.
///
/// Each try makes a connection of its own and goes straight to the host, without a proxy. No redirect is followed: a 3xx answer is bad. The head of the
/// answer decides, of which at most 16 KiB are read; the body is not waited for.
#[derive(Clone, PartialEq, Eq)]
pub struct Http {
    host: String,
    port: u16,
    authority: Authority,
    target: PathAndQuery,
}

impl Http {
    /// Asks `http://host[:port][/path][?query]`; the port is 80 when none is given.
    ///
    /// # Errors
    /// Config for anything else: `https`, user and password, a fragment, a host or port that can be none.
    pub fn new(url: &str) -> Result<Self> {
        // A query may hold a secret, so no error repeats the text.
        let wrong = |what: &str| config(format!("the URL of an HTTP check {what}"));
        let uri: Uri = url.parse().map_err(|cause| wrong("does not parse").with_source(cause))?;
        match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => {}
            Some(scheme) if *scheme == Scheme::HTTPS => {
                return Err(wrong("is https, which is not supported: use http, or a command"));
            }
            _ => return Err(wrong("does not begin with http://")),
        }
        if url.contains('#') {
            return Err(wrong("has a fragment, which no server sees"));
        }
        let authority = uri.authority().cloned().ok_or_else(|| wrong("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("holds a user, which is not supported: use a command"));
        }
        let has_port = authority.as_str().len() > authority.host().len();
        let full = if has_port { authority.to_string() } else { format!("{authority}:80") };
        let (host, port) = host_and_port(&full)?;
        let target = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        Ok(Self { host, port, authority, target })
    }

    async fn ask(&self) -> Result<u16, Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        let request = Request::get(self.target.as_str())
            .header(HOST, self.authority.as_str())
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, "*/*")
            .header(CONNECTION, "close")
            .body(String::new())?;
        let (mut sender, connection) =
            http1::Builder::new().max_buf_size(HEAD).handshake(TokioIo::new(stream)).await?;
        let mut asked = std::pin::pin!(sender.send_request(request));
        tokio::select! {
            biased;
            answer = &mut asked => Ok(answer?.status().as_u16()),
            // The answer and the end of the connection may come together.
            ended = connection => match asked.await {
                Ok(answer) => Ok(answer.status().as_u16()),
                Err(error) => Err(ended.err().unwrap_or(error).into()),
            },
        }
    }
}

#[async_trait]
impl Check for Http {
    async fn check(&mut self) -> Result<(), String> {
        let place = format!("http://{}{}", self.authority, self.target.path());
        match self.ask().await {
            Ok(200..=299) => Ok(()),
            Ok(status) => Err(format!("{place} answered {status}")),
            Err(error) => Err(format!("{place} does not answer: {error}")),
        }
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("authority", &self.authority)
            .field("path", &self.target.path())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use reception_core::ErrorKind;

    use super::*;

    #[test]
    fn a_url_is_taken_apart_and_port_and_path_have_defaults() {
        let check = Http::new("http://api.local").unwrap();
        assert_eq!((check.host.as_str(), check.port, check.target.as_str()), ("api.local", 80, "/"));
        let check = Http::new("http://[::1]:8080/live?deep=1").unwrap();
        assert_eq!((check.host.as_str(), check.port, check.target.as_str()), ("::1", 8080, "/live?deep=1"));
    }

    #[test]
    fn what_cannot_be_asked_is_refused_up_front() {
        for (url, word) in [
            ("https://h/", "https"),
            ("ftp://h/", "http://"),
            ("h:80/live", "parse"),
            ("/live", "http://"),
            ("http://", "parse"),
            ("http://u:hidden@h/", "user"),
            ("http://h/#hidden", "fragment"),
            ("http://h:0/", "HOST:PORT"),
            ("http://h:99999/?hidden", ""),
            ("", "parse"),
        ] {
            let error = Http::new(url).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            assert!(error.to_string().contains(word), "{url}: {error}");
            assert!(!error.to_string().contains("hidden"), "{url}: {error}");
        }
    }

    #[test]
    fn debug_does_not_print_the_query() {
        let check = Http::new("http://h/live?token=hidden").unwrap();
        assert!(!format!("{check:?}").contains("hidden"));
    }
}
