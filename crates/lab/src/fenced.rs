//! A store that refuses the writes of past leaders, as a user's own store with a fence does.
//!
//! It speaks lines on loopback, so that contenders of other processes reach it: `WRITE TOKEN PID`
//! is answered with `accepted SEQ` or `refused SEQ`, numbered in the order of its decisions.

mod writer;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::sleep,
};

pub use self::writer::{FencedAnswer, FencedWriter, fenced_write};
use crate::{
    Error, Port, Result, free_port,
    history::{Details, Event, Line, Recorder, Token, boot_ns},
    spawn::spawn,
};

/// The longest request.
const REQUEST: u64 = 1024;

/// A store behind a fence: within a domain it refuses a token smaller than one it has seen.
///
/// Dropping it closes its port and its connections.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> reception_lab::Result<()> {
/// use std::time::Duration;
/// use reception_lab::{FencedStore, fenced_write, history::Token};
///
/// let store = FencedStore::start().await?;
/// let limit = Duration::from_secs(5);
/// assert!(fenced_write(store.endpoint(), &Token::new("d", 2), limit).await?.accepted);
/// assert!(!fenced_write(store.endpoint(), &Token::new("d", 1), limit).await?.accepted);
/// assert_eq!(store.accepted(), [Token::new("d", 2)]);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct FencedStore {
    shared: Arc<Shared>,
    port: Port,
    /// Its end is the end of all tasks.
    _open: watch::Sender<()>,
}

#[derive(Debug)]
struct Shared {
    fence: Mutex<Fence>,
    recorder: Option<Recorder>,
}

#[derive(Debug, Default)]
struct Fence {
    largest: HashMap<String, u64>,
    accepted: Vec<Token>,
    seq: u64,
}

impl FencedStore {
    /// Listens on a free loopback port.
    ///
    /// # Errors
    ///
    /// [`Error::NoPort`], or [`Error::Io`] when the port cannot be listened on.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing stays.
    pub async fn start() -> Result<Self> {
        Self::open(None).await
    }

    /// As [`start`](Self::start), and records each decision as a `write` of the process that asked.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing stays.
    pub async fn start_recording(recorder: Recorder) -> Result<Self> {
        Self::open(Some(recorder)).await
    }

    async fn open(recorder: Option<Recorder>) -> Result<Self> {
        let port = free_port()?;
        let address = port.address();
        let listener = TcpListener::bind(address).await.map_err(Error::io(format!("listen on {address}")))?;
        let shared = Arc::new(Shared { fence: Mutex::default(), recorder });
        let (open, closed) = watch::channel(());
        drop(spawn(serve(listener, Arc::clone(&shared), closed)));
        Ok(Self { shared, port, _open: open })
    }

    /// Where writers connect to.
    #[must_use]
    pub fn endpoint(&self) -> SocketAddr {
        self.port.address()
    }

    /// The tokens of the accepted writes, in order.
    #[must_use]
    pub fn accepted(&self) -> Vec<Token> {
        self.shared.fence().accepted.clone()
    }
}

impl Shared {
    fn fence(&self) -> MutexGuard<'_, Fence> {
        self.fence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to one request; `None` when it is none.
    fn answer(&self, request: &str) -> Option<String> {
        let mut words = request.split_whitespace();
        let (verb, token, pid) = (words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        if verb != "WRITE" {
            return None;
        }
        let mut fence = self.fence();
        let accepted = fence.decide(&token);
        let word = if accepted { "accepted" } else { "refused" };
        let answer = format!("{word} {}\n", fence.seq);
        if let Some(recorder) = &self.recorder {
            let details = Details::new().with("accepted", accepted).with("seq", fence.seq);
            // Under the lock: the times rise as the decisions do. A decision that is not on record must not count.
            recorder.write(&Line::new(boot_ns(), pid, Event::Write, Some(token), details)).ok()?;
        }
        Some(answer)
    }
}

impl Fence {
    fn decide(&mut self, token: &Token) -> bool {
        self.seq += 1;
        let largest = self.largest.entry(token.domain.clone()).or_default();
        let accepted = token.value >= *largest;
        if accepted {
            *largest = token.value;
            self.accepted.push(token.clone());
        }
        accepted
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, mut closed: watch::Receiver<()>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closed.changed() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let (shared, mut closed) = (Arc::clone(&shared), closed.clone());
                drop(spawn(async move {
                    tokio::select! {
                        () = converse(stream, &shared) => {}
                        _ = closed.changed() => {}
                    }
                }));
            }
            // Out of descriptors, most likely: others will close some.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Answers requests until one is not understood, or the writer goes.
async fn converse(stream: TcpStream, shared: &Shared) {
    let _ = stream.set_nodelay(true);
    let mut stream = BufReader::new(stream);
    loop {
        let mut request = String::new();
        let read = (&mut stream).take(REQUEST).read_line(&mut request).await;
        if !read.is_ok_and(|length| length > 0) || !request.ends_with('\n') {
            return;
        }
        let Some(answer) = shared.answer(&request) else { return };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
