//! A scripted web server in place of Exhibitor, for answers that the real one will not give.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};

/// Answers every request in the same way, until it is told another.
pub(crate) struct Standin {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    task: JoinHandle<()>,
}

/// The pause before a piece of an answer that does not end.
const DRIP: Duration = Duration::from_millis(20);

#[derive(Default)]
struct Script {
    answer: Vec<u8>,
    /// What follows the answer again and again, until nobody listens any more.
    drip: Vec<u8>,
    asked: usize,
    head: String,
}

impl Standin {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script: Arc<Mutex<Script>> = Arc::default();
        let shared = Arc::clone(&script);
        #[expect(clippy::disallowed_methods, reason = "it ends with its handle")]
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_buf(&mut head).await {
                        Ok(0) | Err(_) => break,
                        Ok(_) => {}
                    }
                }
                let (answer, drip) = {
                    let mut script = shared.lock().unwrap();
                    script.asked += 1;
                    script.head = String::from_utf8_lossy(&head).into_owned();
                    (script.answer.clone(), script.drip.clone())
                };
                // Who has read enough hangs up.
                let mut heard = stream.write_all(&answer).await.is_ok();
                while heard && !drip.is_empty() {
                    tokio::time::sleep(DRIP).await;
                    heard = stream.write_all(&drip).await.is_ok();
                }
            }
        });
        Self { address, script, task }
    }

    pub(crate) fn endpoint(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn answers(&self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        self.says(format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}").as_bytes());
    }

    pub(crate) fn says(&self, bytes: &[u8]) {
        self.drips(bytes, b"");
    }

    /// An answer that never ends: what it begins with, and what follows again and again.
    pub(crate) fn drips(&self, bytes: &[u8], drip: &[u8]) {
        let mut script = self.script.lock().unwrap();
        (script.answer, script.drip) = (bytes.to_vec(), drip.to_vec());
    }

    /// How many requests came.
    pub(crate) fn asked(&self) -> usize {
        self.script.lock().unwrap().asked
    }

    /// The head of the last request.
    pub(crate) fn head(&self) -> String {
        self.script.lock().unwrap().head.clone()
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        self.task.abort();
    }
}
