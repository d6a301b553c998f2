//! Accepts connections while it is open.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

use super::{
    connection,
    counts::{Counters, add, sub},
    flow::Policy,
};
use crate::{Error, ProxyOptions, Result, history::boot_ns, spawn::spawn};

/// Small, so that a stalled way soon closes the sender's window.
const RECEIVE: usize = 64 << 10;
/// How many arrivals are remembered.
const ARRIVALS: usize = 1 << 16;
/// How many requests are remembered.
const ASKED: usize = 1 << 16;
/// How many openings are remembered, and how much of each.
const OPENINGS: usize = 4096;
const OPENING: usize = 64;

/// What all connections of a proxy share. They hold no sender of the policy: its end is theirs.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) upstream: SocketAddr,
    pub(crate) seed: u64,
    /// Whether the clients speak ZooKeeper's protocol.
    pub(crate) jute: bool,
    /// Whether the clients speak HTTP/1.
    pub(crate) http1: bool,
    pub(crate) counters: Counters,
    /// What a request must contain for its reply to be cut; taken by the connection that saw it.
    pub(crate) trap: Mutex<Option<Vec<u8>>>,
    /// The numbers of the open connections.
    pub(crate) open: watch::Sender<BTreeSet<u64>>,
    last: AtomicU64,
    arrivals: Mutex<VecDeque<u64>>,
    /// By the number of the connection.
    openings: Mutex<BTreeMap<u64, Vec<u8>>>,
    asked: Mutex<VecDeque<String>>,
    /// The last request of each connection that is not answered, by the connection's number.
    waiting: Mutex<BTreeMap<u64, String>>,
}

impl Shared {
    pub(crate) fn new(upstream: SocketAddr, options: &ProxyOptions) -> Self {
        Self {
            upstream,
            seed: options.seed,
            jute: options.jute,
            http1: options.http1,
            counters: Counters::default(),
            trap: Mutex::new(None),
            open: watch::Sender::new(BTreeSet::new()),
            last: AtomicU64::new(0),
            arrivals: Mutex::default(),
            openings: Mutex::default(),
            asked: Mutex::default(),
            waiting: Mutex::default(),
        }
    }

    /// Notes the requests that a client has sent.
    pub(crate) fn ask(&self, connection: u64, requests: Vec<String>) {
        if let Some(last) = requests.last() {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(connection, last.clone());
        }
        add(&self.counters.requests, requests.len() as u64);
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.extend(requests);
        let surplus = asked.len().saturating_sub(ASKED);
        asked.drain(..surplus);
    }

    /// Notes that a connection's last request gets an answer, or never will.
    pub(crate) fn answered(&self, connection: u64) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&connection);
    }

    /// The requests without an answer.
    pub(crate) fn waiting(&self) -> Vec<String> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The newest requests.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Notes the first of what the server says on a connection.
    pub(crate) fn heard(&self, connection: u64, bytes: &[u8]) {
        let mut openings = self.openings.lock().unwrap_or_else(PoisonError::into_inner);
        let opening = openings.entry(connection).or_default();
        let wanted = OPENING.saturating_sub(opening.len()).min(bytes.len());
        opening.extend_from_slice(&bytes[..wanted]);
        if openings.len() > OPENINGS {
            openings.pop_first();
        }
    }

    /// What the server said first on each of the newest connections.
    pub(crate) fn openings(&self) -> Vec<Vec<u8>> {
        self.openings.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The number of the newest connection.
    pub(crate) fn last(&self) -> u64 {
        self.last.load(Ordering::SeqCst)
    }

    /// When the newest connections were accepted, in nanoseconds since boot.
    pub(crate) fn arrivals(&self) -> Vec<u64> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    fn arrived(&self) {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if arrivals.len() == ARRIVALS {
            arrivals.pop_front();
        }
        arrivals.push_back(boot_ns());
    }

    fn enter(self: &Arc<Self>) -> Ticket {
        self.arrived();
        let number = self.last.fetch_add(1, Ordering::SeqCst) + 1;
        self.open.send_modify(|open| {
            open.insert(number);
        });
        add(&self.counters.connections, 1);
        add(&self.counters.open_connections, 1);
        Ticket { shared: Arc::clone(self), number }
    }
}

/// The place of one open connection among the others.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) shared: Arc<Shared>,
    pub(crate) number: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        sub(&self.shared.counters.open_connections, 1);
        self.shared.open.send_modify(|open| {
            open.remove(&self.number);
        });
    }
}

#[derive(Debug)]
pub(crate) struct Door {
    accepting: JoinHandle<()>,
}

impl Door {
    pub(crate) fn open(
        address: SocketAddr,
        shared: &Arc<Shared>,
        policy: &watch::Sender<Policy>,
    ) -> Result<Self> {
        let listener = listen(address).map_err(Error::io(format!("listen on {address}")))?;
        let accepting = spawn(accept(listener, Arc::clone(shared), policy.subscribe()));
        Ok(Self { accepting })
    }

    /// Returns when the port is closed.
    pub(crate) async fn close(mut self) {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_recv_buffer_size(RECEIVE as u32)?;
    socket.bind(address)?;
    socket.listen(1024)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, policy: watch::Receiver<Policy>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                let ticket = shared.enter();
                drop(spawn(connection::run(client, ticket, policy.clone())));
            }
            // Out of descriptors, most likely: others will close some.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Connects to the server with the same small receive buffer.
pub(crate) async fn connect(upstream: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = if upstream.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_recv_buffer_size(RECEIVE as u32)?;
    socket.connect(upstream).await
}

/// Makes dropping the stream send RST instead of FIN.
pub(crate) fn arm_reset(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
