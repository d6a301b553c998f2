//! The server that the agent asks with `check=http`: one path, one answer, and little to take from it.
//!
//! A caller has five seconds for a header of at most 8 KiB, and only the last 64 callers are heard: slow ones make room for the agent.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Duration};

use reception_core::{ErrorKind, Result, Service};
use reception_kit::CancellationToken;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::OnceCell,
};

use super::Session;
use crate::error::error;

const OPERATION: &str = "register";
const PATH: &str = "/health";
const HEADER: usize = 8 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);
const CALLERS: usize = 64;
const ALIVE: &str = r#"{"alive": true}"#;

/// The server, once it is needed.
#[derive(Debug)]
pub(crate) struct Health {
    bound: OnceCell<SocketAddr>,
}

impl Health {
    pub(super) fn new() -> Self {
        Self { bound: OnceCell::new() }
    }

    /// Where the agent asks for an instance; starts the server with the first one.
    pub(crate) async fn url(&self, session: &Arc<Session>, service: &Service) -> Result<String> {
        let bound = self.bound.get_or_try_init(|| serve(session)).await?;
        let host = session.options.check_host.as_deref().unwrap_or_else(|| service.address());
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        Ok(format!("http://{host}:{}{PATH}", bound.port()))
    }
}

async fn serve(session: &Arc<Session>) -> Result<SocketAddr> {
    let bind = &session.options.check_bind;
    let wrong = |why: std::io::Error| {
        error(ErrorKind::Config, OPERATION, format!("option \"check_bind\": {bind}: {}", why.kind()))
    };
    let listener = TcpListener::bind(bind).await.map_err(wrong)?;
    let bound = listener.local_addr().map_err(wrong)?;
    let (back, leaving) = (session.back.clone(), session.leaving.clone());
    session.back.spawn("health", async move {
        let accept = async {
            let mut callers: VecDeque<CancellationToken> = VecDeque::with_capacity(CALLERS + 1);
            loop {
                let Ok((caller, _)) = listener.accept().await else {
                    // Too many open files, say.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let room = leaving.child_token();
                callers.push_back(room.clone());
                if callers.len() > CALLERS
                    && let Some(first) = callers.pop_front()
                {
                    first.cancel();
                }
                back.spawn("health answer", async move {
                    tokio::select! {
                        () = room.cancelled() => {}
                        _ = tokio::time::timeout(PATIENCE, answer(caller)) => {}
                    }
                });
            }
        };
        tokio::select! {
            () = leaving.cancelled() => {}
            () = accept => {}
        }
    });
    Ok(bound)
}

async fn answer(mut caller: TcpStream) -> std::io::Result<()> {
    let mut header = Vec::with_capacity(512);
    let status = loop {
        if header.windows(4).any(|end| end == b"\r\n\r\n") {
            break judge(&header);
        }
        if header.len() > HEADER {
            break "431 Request Header Fields Too Large";
        }
        if caller.read_buf(&mut header).await? == 0 {
            return Ok(());
        }
    };
    let body = if status.starts_with("200") { ALIVE } else { "" };
    let text = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    caller.write_all(text.as_bytes()).await?;
    caller.shutdown().await
}

/// The status of the answer to a request.
fn judge(header: &[u8]) -> &'static str {
    let line = header.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    match (words.next(), words.next(), words.next()) {
        (Some(b"GET" | b"HEAD"), Some(path), Some(b"HTTP/1.1" | b"HTTP/1.0")) if path == PATH.as_bytes() => {
            "200 OK"
        }
        (Some(b"GET" | b"HEAD"), Some(_), Some(_)) => "404 Not Found",
        (Some(_), Some(_), Some(_)) => "405 Method Not Allowed",
        _ => "400 Bad Request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_question_is_answered() {
        for (request, status) in [
            ("GET /health HTTP/1.1\r\nhost: x\r\n\r\n", "200"),
            ("GET / HTTP/1.1\r\n\r\n", "404"),
            ("GET /health/../etc HTTP/1.1\r\n\r\n", "404"),
            ("POST /health HTTP/1.1\r\n\r\n", "405"),
            ("\r\n\r\n", "400"),
        ] {
            assert!(judge(request.as_bytes()).starts_with(status), "{request}");
        }
    }
}
