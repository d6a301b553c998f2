//! A TCP proxy between a client and a server that fails on command and counts what passes.
//!
//! ```text
//!            door (open, closed)                    flow ToServer: pass, swallow, stall, delay, cut after
//! client ───► reserved port ───► one task per connection ═════════════════════════════► upstream
//!                                                   flow ToClient: the same, set on its own
//! ```
//!
//! `door.rs` accepts; `connection.rs` is one connection; `pump.rs` is one way of it; `flow.rs` holds
//! what a test may command; `tap.rs` counts, with `h2.rs` when the client speaks HTTP/2, `http1.rs` and `jute.rs` when it is said to speak
//! HTTP/1 or ZooKeeper's protocol.

mod connection;
mod counts;
mod door;
mod flow;
mod h2;
mod http1;
mod jute;
mod pump;
mod tap;

use std::{
    net::SocketAddr,
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::sync::{Mutex, watch};

use crate::{Error, Port, Result, free_port};

pub use self::{
    counts::Counts,
    flow::{Flow, Way},
};
use self::{
    door::{Door, Shared},
    flow::Policy,
};

const SETTLE: Duration = Duration::from_secs(10);

/// Options of [`Proxy::start_with`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyOptions {
    /// Where the jitter of delays starts; the same seed gives the same delays.
    pub seed: u64,
    /// The clients speak ZooKeeper's protocol: its requests are counted, pings left out.
    pub jute: bool,
    /// The clients speak HTTP/1: its requests are counted and told.
    pub http1: bool,
}

impl ProxyOptions {
    /// Sets where the jitter of delays starts.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Says that the clients speak ZooKeeper's protocol, whose requests are then counted.
    #[must_use]
    pub fn jute(mut self, jute: bool) -> Self {
        self.jute = jute;
        self
    }

    /// Says that the clients speak HTTP/1, whose requests are then counted and told.
    #[must_use]
    pub fn http1(mut self, http1: bool) -> Self {
        self.http1 = http1;
        self
    }
}

/// A proxy on a loopback port of its own, for one server.
///
/// It connects anew for every client, so it follows a server that restarts on the same port. While the
/// server is down, a client's connection is accepted and then reset; [`refuse`](Self::refuse) is what
/// a dead machine's port looks like. A new proxy lets everything pass.
///
/// Dropping it closes every connection and ends all its tasks.
///
/// ```no_run
/// # async fn run() -> reception_lab::Result<()> {
/// let etcd = reception_lab::Etcd::start().await?;
/// let proxy = reception_lab::Proxy::start(etcd.endpoint()).await?;
/// // … point the client at proxy.url() …
/// proxy.cut().await?;
/// proxy.heal().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    policy: watch::Sender<Policy>,
    door: Mutex<Option<Door>>,
    port: Port,
}

impl Proxy {
    /// Listens on a free loopback port for clients of `upstream`.
    ///
    /// # Errors
    ///
    /// As [`start_with`](Self::start_with).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing stays.
    pub async fn start(upstream: SocketAddr) -> Result<Self> {
        Self::start_with(upstream, ProxyOptions::default()).await
    }

    /// Listens on a free loopback port for clients of `upstream`, with options.
    ///
    /// # Errors
    ///
    /// [`Error::NoPort`], or [`Error::Io`] when the port cannot be listened on.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing stays.
    pub async fn start_with(upstream: SocketAddr, options: ProxyOptions) -> Result<Self> {
        let port = free_port()?;
        let shared = Arc::new(Shared::new(upstream, &options));
        let policy = watch::Sender::new(Policy::default());
        let door = Door::open(port.address(), &shared, &policy)?;
        Ok(Self { shared, policy, door: Mutex::new(Some(door)), port })
    }

    /// The address that clients connect to.
    #[must_use]
    pub fn endpoint(&self) -> SocketAddr {
        self.port.address()
    }

    /// The address that clients connect to, as an `http` URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.endpoint())
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counters.read()
    }

    /// When the newest 65 536 connections were accepted, in nanoseconds since boot.
    #[must_use]
    pub fn arrivals(&self) -> Vec<u64> {
        self.shared.arrivals()
    }

    /// The first bytes that the server sent on each of the newest 4096 connections, oldest first.
    #[must_use]
    pub fn openings(&self) -> Vec<Vec<u8>> {
        self.shared.openings()
    }

    /// The newest 65 536 requests of HTTP/1, oldest first, as method and target: `GET /v1/kv/a?index=7`.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked()
    }

    /// The requests of HTTP/1 that have no answer yet, such as those that a server holds back until something changes.
    #[must_use]
    pub fn waiting(&self) -> Vec<String> {
        self.shared.waiting()
    }

    /// Sets what happens to the bytes of one way, on open and on new connections.
    pub fn set(&self, way: Way, flow: Flow) {
        self.policy.send_modify(|policy| policy.set(way, flow));
    }

    /// Sets what happens to the bytes of both ways.
    pub fn set_both(&self, flow: Flow) {
        self.policy.send_modify(|policy| {
            policy.set(Way::ToServer, flow);
            policy.set(Way::ToClient, flow);
        });
    }

    /// Closes all connections and refuses new ones.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] when a connection did not end.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the connections still close.
    pub async fn cut(&self) -> Result<()> {
        self.refuse().await;
        let last = self.shared.last();
        self.policy.send_modify(|policy| policy.close = last);
        self.gone(last).await
    }

    /// Refuses new connections; those that are open go on.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the port closes.
    pub async fn refuse(&self) {
        if let Some(door) = self.door.lock().await.take() {
            door.close().await;
        }
    }

    /// Resets (RST) all connections, towards both sides; new ones are welcome.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] when a connection did not end.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the connections are still reset.
    pub async fn reset(&self) -> Result<()> {
        let last = self.shared.last();
        self.policy.send_modify(|policy| policy.reset = last);
        self.gone(last).await
    }

    /// Ends one way of all open connections (FIN); what comes after is dropped. The other way goes on.
    ///
    /// No [`heal`](Self::heal) opens that way again.
    pub fn half_close(&self, way: Way) {
        let last = self.shared.last();
        self.policy.send_modify(|policy| policy.half[way.index()] = last);
    }

    /// Cuts the connection of the next request after the work, before the reply.
    ///
    /// The request is the next one that contains `needle` (an empty one: any). It reaches the server, and
    /// the connection closes at the first byte of the reply: the client cannot know that it was served.
    /// One request only; [`Counts::replies_cut`] tells when it happened. In HTTP/2 without TLS a request
    /// is a stream, or with a needle a message on one; the replies of other streams pass. In every other
    /// protocol it is what the client sends until the server speaks, so that must take turns.
    pub fn cut_before_reply(&self, needle: impl Into<Vec<u8>>) {
        *self.shared.trap.lock().unwrap_or_else(PoisonError::into_inner) = Some(needle.into());
    }

    /// Lets everything pass again and new connections in.
    ///
    /// A connection that has lost bytes cannot go on: it is reset, as by a router that forgot it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the port cannot be listened on again.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: call it again.
    pub async fn heal(&self) -> Result<()> {
        *self.shared.trap.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.set_both(Flow::Pass);
        let mut door = self.door.lock().await;
        if door.is_none() {
            *door = Some(Door::open(self.port.address(), &self.shared, &self.policy)?);
        }
        Ok(())
    }

    async fn gone(&self, last: u64) -> Result<()> {
        let mut open = self.shared.open.subscribe();
        let gone = open.wait_for(|open| open.first().is_none_or(|first| *first > last));
        match tokio::time::timeout(SETTLE, gone).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::timeout("the end of the proxy's connections", SETTLE, "")),
        }
    }
}
