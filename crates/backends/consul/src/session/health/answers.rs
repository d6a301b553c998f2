//! Answering within limits, all in one task: it turns as long as the runtime does, and what ends it ends every connection.

use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use reception_kit::CancellationToken;
use tokio::net::{TcpListener, TcpStream};

/// What a path begins with; the rest says which registration is asked for.
pub(super) const PATH: &str = "/health/";
const ALIVE: &[u8] = br#"{"alive": true}"#;
/// As long as a header may be, and as little as the library can do with.
const HEADER: usize = 8 * 1024;
const HEADERS: usize = 64;
/// After a caller could not be taken: too many open files, say.
const PAUSE: Duration = Duration::from_millis(100);

/// What callers may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Until the header is there.
    header: Duration,
    /// The connection as a whole.
    whole: Duration,
    /// Connections at a time; one more ends the oldest, so that slow ones make room for the agent.
    callers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { header: Duration::from_secs(5), whole: Duration::from_secs(10), callers: 64 }
    }
}

/// Answers whoever comes, for ever.
pub(super) async fn answer_all(
    listener: TcpListener,
    limits: Limits,
    is_well: impl Fn(&str) -> bool + Send + Sync,
) {
    let is_well = &is_well;
    let mut open: BTreeMap<u64, CancellationToken> = BTreeMap::new();
    let mut callers = FuturesUnordered::new();
    for number in 0_u64.. {
        let caller = loop {
            tokio::select! {
                taken = listener.accept() => match taken {
                    Ok((caller, _)) => break caller,
                    Err(_) => tokio::time::sleep(PAUSE).await,
                },
                Some(done) = callers.next() => drop(open.remove(&done)),
            }
        };
        if open.len() >= limits.callers
            && let Some((_, oldest)) = open.pop_first()
        {
            oldest.cancel();
        }
        let place = CancellationToken::new();
        open.insert(number, place.clone());
        callers.push(async move {
            tokio::select! {
                () = place.cancelled() => {}
                _ = tokio::time::timeout(limits.whole, serve(caller, limits.header, is_well)) => {}
            }
            number
        });
    }
}

/// One connection, one question. A caller that breaks off or talks nonsense is no news.
async fn serve(
    caller: TcpStream,
    header: Duration,
    is_well: impl Fn(&str) -> bool + Send + Sync,
) -> hyper::Result<()> {
    let answered = service_fn(|request| {
        let answer = answer(&request, &is_well);
        async move { Ok::<_, Infallible>(answer) }
    });
    http1::Builder::new()
        // Without a timer the library takes no notice of the limit.
        .timer(TokioTimer::new())
        .header_read_timeout(header)
        .max_buf_size(HEADER)
        .max_headers(HEADERS)
        .keep_alive(false)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(caller), answered)
        .await
}

fn answer(
    request: &Request<Incoming>,
    is_well: impl Fn(&str) -> bool + Send + Sync,
) -> Response<Full<Bytes>> {
    let asked = request.uri().path().strip_prefix(PATH);
    let (status, body) = match *request.method() {
        Method::GET | Method::HEAD if asked.is_some_and(&is_well) => (StatusCode::OK, ALIVE),
        Method::GET | Method::HEAD => (StatusCode::NOT_FOUND, &b""[..]),
        _ => (StatusCode::METHOD_NOT_ALLOWED, &b""[..]),
    };
    let mut answer = Response::new(Full::new(Bytes::from_static(body)));
    *answer.status_mut() = status;
    if status == StatusCode::OK {
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    answer
}

#[cfg(test)]
mod tests;
