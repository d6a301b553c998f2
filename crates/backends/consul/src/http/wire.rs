//! The connections: pooled, kept alive, closed with the client; answers are unpacked here.

use std::{fmt, future::Future, io::Read as _, pin::Pin, time::Duration};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    HeaderMap, Request, StatusCode,
    body::{Body as _, Incoming},
    header,
};
use hyper_util::{
    client::legacy::{Client, Error as SendError, connect::HttpConnector},
    rt::TokioTimer,
};
use reception_core::{ErrorKind, Result};
use reception_kit::{CancellationToken, Supervisor};

use super::MOST_ANSWER;
use crate::options::Options;

const CONNECT: Duration = Duration::from_secs(3);
const IDLE: Duration = Duration::from_secs(30);
/// Connections that are kept though nobody asks anything: more of them end as soon as their answer is there.
const KEPT: usize = 2;
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One pool for all agents.
pub(super) enum Wire {
    Plain(Client<HttpConnector, Full<Bytes>>),
    #[cfg(feature = "tls")]
    Secure(Client<hyper_rustls::HttpsConnector<HttpConnector>, Full<Bytes>>),
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Fault {
    Send(SendError),
    Body,
    TooLarge,
    Packed,
}

impl Fault {
    pub(super) fn kind(&self) -> ErrorKind {
        /// What rustls says of certificates, of an end that refuses ours, and of one that does not speak TLS.
        const TLS: [&str; 5] = [
            "peer certificate",
            "certificate required",
            "CertificateRequired",
            "fatal alert",
            "corrupt message",
        ];
        match self {
            Self::Send(_) if TLS.iter().any(|mark| self.to_string().contains(mark)) => ErrorKind::Config,
            Self::Send(_) | Self::Body => ErrorKind::Unavailable,
            Self::TooLarge | Self::Packed => ErrorKind::Protocol,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(failed) if failed.is_connect() => {
                f.write_str("no connection")?;
                let mut source = std::error::Error::source(failed);
                while let Some(inner) = source {
                    if inner.source().is_none() {
                        write!(f, " ({inner})")?;
                    }
                    source = inner.source();
                }
                Ok(())
            }
            Self::Send(_) => f.write_str("the connection broke before an answer"),
            Self::Body => f.write_str("the connection broke within the answer"),
            Self::TooLarge => write!(f, "the answer has over {MOST_ANSWER} bytes"),
            Self::Packed => f.write_str("the answer cannot be unpacked"),
        }
    }
}

/// Connections are tasks of the client, and end with it.
#[derive(Clone)]
struct Tasks(Supervisor, CancellationToken);

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, work: F) {
        let leaving = self.1.clone();
        self.0.spawn("connection", async move {
            let work: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(work);
            tokio::select! {
                () = work => {}
                () = leaving.cancelled() => {}
            }
        });
    }
}

impl Wire {
    pub(super) fn new(
        options: &Options,
        supervisor: &Supervisor,
        leaving: &CancellationToken,
    ) -> Result<Self> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT.min(options.timeout)));
        connector.set_keepalive(Some(KEEP_ALIVE));
        connector.set_nodelay(true);
        let mut builder = Client::builder(Tasks(supervisor.clone(), leaving.clone()));
        builder.pool_timer(TokioTimer::new()).timer(TokioTimer::new()).pool_idle_timeout(IDLE);
        builder.pool_max_idle_per_host(KEPT);
        #[cfg(feature = "tls")]
        if options.tls.is_on() {
            connector.enforce_http(false);
            let config = crate::options::tls(options)?;
            let secure = hyper_rustls::HttpsConnectorBuilder::new()
                .with_tls_config(config)
                .https_only()
                .enable_http1()
                .wrap_connector(connector);
            return Ok(Self::Secure(builder.build(secure)));
        }
        Ok(Self::Plain(builder.build(connector)))
    }

    pub(super) async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, HeaderMap, Vec<u8>), Fault> {
        let answer = match self {
            Self::Plain(client) => client.request(request).await,
            #[cfg(feature = "tls")]
            Self::Secure(client) => client.request(request).await,
        };
        let (parts, body) = answer.map_err(Fault::Send)?.into_parts();
        let packed = parts.headers.get(header::CONTENT_ENCODING).is_some_and(|how| how == "gzip");
        let body = collect(body).await?;
        let body = if packed { unpack(&body)? } else { Vec::from(body) };
        Ok((parts.status, parts.headers, body))
    }
}

async fn collect(body: Incoming) -> Result<Bytes, Fault> {
    if usize::try_from(body.size_hint().lower()).map_or(true, |size| size > MOST_ANSWER) {
        return Err(Fault::TooLarge);
    }
    match Limited::new(body, MOST_ANSWER).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(failed) if failed.is::<http_body_util::LengthLimitError>() => Err(Fault::TooLarge),
        Err(_) => Err(Fault::Body),
    }
}

/// Unpacks, up to the same bound: a small answer may unpack to more than the memory.
fn unpack(packed: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::with_capacity((packed.len() * 4).min(MOST_ANSWER));
    let most = u64::try_from(MOST_ANSWER).unwrap_or(u64::MAX);
    let mut reader = MultiGzDecoder::new(packed).take(most.saturating_add(1));
    reader.read_to_end(&mut body).map_err(|_| Fault::Packed)?;
    if body.len() > MOST_ANSWER { Err(Fault::TooLarge) } else { Ok(body) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    #[test]
    fn what_was_packed_unpacks_and_nonsense_is_told() {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&b"[]".repeat(5000)).unwrap();
        let packed = packer.finish().unwrap();
        assert_eq!(unpack(&packed).unwrap(), b"[]".repeat(5000));
        assert!(matches!(unpack(&packed[..packed.len() / 2]), Err(Fault::Packed)));
        assert!(matches!(unpack(b"<html>"), Err(Fault::Packed)));
    }
}
