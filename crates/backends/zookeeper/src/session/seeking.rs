//! Which of the servers that were found a session goes to, one at a time.
//!
//! The driver's own list of servers is fixed and it does not tell which one it uses. So it is given one server only, and a session that has to
//! leave it is taken over by another driver: to the store it is the same session.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use reception_core::{Error, ErrorKind, Result};
use reception_kit::Backoff;
use tokio::sync::watch;
use zookeeper_client::{self as zk, SessionState};

use super::{Gate, Live, Recipe, Session, gate::supervised, keeper::dial};
use crate::{
    ensemble::Known,
    error::{error, native},
};

const OPERATION: &str = "session";
/// The pauses between rounds over all servers.
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_millis(800);
/// A server that answers takes less to open a session.
const LEAST: Duration = Duration::from_millis(400);

/// A session on a server, just opened.
pub(super) struct Placed {
    pub(super) client: zk::Client,
    pub(super) gate: Gate,
    pub(super) server: Option<Arc<str>>,
}

/// A session that stands, and where.
pub(super) struct Standing {
    pub(super) info: zk::SessionInfo,
    pub(super) ttl: Duration,
    pub(super) gate: Gate,
    pub(super) server: Option<Arc<str>>,
}

impl Placed {
    pub(super) fn standing(&self) -> Standing {
        Standing {
            info: self.client.session().clone(),
            ttl: self.client.session_timeout(),
            gate: self.gate.clone(),
            server: self.server.clone(),
        }
    }

    pub(super) fn live(self, turn: u64) -> Live {
        let Self { client, gate, server } = self;
        Live { id: client.session_id().0, ttl: client.session_timeout(), client, gate, turn, server }
    }
}

impl Session {
    /// How sessions are opened one server at a time; none with an existing client.
    pub(super) fn way(&self) -> Option<Way<'_>> {
        match &self.recipe {
            Recipe::Dial { connector, tls, .. } => Some(Way { session: self, connector, tls: *tls }),
            Recipe::Given(_) => None,
        }
    }
}

/// Ends the task of a session that is not taken over after all; dropping its client would end the session.
struct Unless(Option<Gate>);

impl Drop for Unless {
    fn drop(&mut self) {
        if let Some(gate) = self.0.take() {
            gate.cut();
        }
    }
}

/// How sessions are opened on servers that were found.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) session: &'a Session,
    pub(super) connector: &'a zk::Connector,
    pub(super) tls: bool,
}

/// Waits until servers are known; an error each time that they could not be found.
pub(super) async fn servers(known: &mut watch::Receiver<Known>) -> Result<()> {
    let mut news = known.has_changed().unwrap_or(true);
    loop {
        let now = known.borrow_and_update().clone();
        match now.trouble {
            _ if !now.servers.is_empty() => return Ok(()),
            Some(trouble) if news => return Err(trouble),
            _ => {}
        }
        if known.changed().await.is_err() {
            return Err(error(ErrorKind::Unavailable, OPERATION, "nobody looks for servers any more"));
        }
        news = true;
    }
}

/// Waits for news of the finding while no server is known: it has pauses of its own. The next look sees them, too.
pub(super) async fn news(known: Option<&watch::Receiver<Known>>) {
    let unknown = known.filter(|known| known.borrow().servers.is_empty());
    let Some(mut known) = unknown.cloned() else { return std::future::pending().await };
    if known.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Waits until the session should be on another server: its own is none any more or, when its link is broken, there are others.
pub(super) async fn better(known: Option<&mut watch::Receiver<Known>>, server: Option<&str>, broken: bool) {
    let (Some(known), Some(server)) = (known, server) else { return std::future::pending().await };
    loop {
        let servers = known.borrow_and_update().servers.clone();
        let others = servers.iter().any(|other| other != server);
        if others && (broken || !servers.contains(server)) {
            return;
        }
        if known.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// Waits until a session has no more reason to leave its server while its link stands: that breaks, or the server is listed again.
///
/// Never, once another driver has gone on with the session.
pub(super) async fn reconsidered(
    standing: &Standing,
    states: &mut zk::StateWatcher,
    known: &watch::Receiver<Known>,
) {
    let here = |known: &Known| standing.server.as_ref().is_some_and(|here| known.servers.contains(&**here));
    let mut known = known.clone();
    let listed = async {
        if known.wait_for(here).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let broken = async { while states.changed().await == SessionState::SyncConnected {} };
    tokio::select! {
        () = standing.gate.over() => {}
        () = broken => {}
        () = listed => {}
    }
    if standing.gate.has_moved() {
        std::future::pending::<()>().await;
    }
}

/// The server to try next, in no order, so that clients spread; the one that is to be left comes last.
fn next(servers: &BTreeSet<String>, tried: &BTreeSet<String>, last: Option<&str>) -> Option<String> {
    let left = servers.difference(tried);
    left.min_by_key(|server| (Some(server.as_str()) == last, uuid::Uuid::new_v4())).cloned()
}

impl Way<'_> {
    /// Opens a session on one of the servers, or takes one over; each is tried once.
    ///
    /// Those are tried that are known by then: a list may be mended while servers that are no use are waited for.
    /// That the session is over is believed when no server takes it and one says so.
    pub(super) async fn round(
        self,
        known: &watch::Receiver<Known>,
        standing: Option<&Standing>,
    ) -> Result<Placed, zk::Error> {
        let last = standing.and_then(|standing| standing.server.as_deref());
        let (mut tried, mut failed) = (BTreeSet::new(), zk::Error::NoHosts);
        loop {
            let servers = Arc::clone(&known.borrow().servers);
            let Some(server) = next(&servers, &tried, last) else { return Err(failed) };
            let opened = tokio::time::timeout(self.patience(servers.len()), self.open(&server, standing));
            match opened.await {
                Ok(Ok((client, gate))) => {
                    return Ok(Placed { client, gate, server: Some(server.into()) });
                }
                Ok(Err(wrong @ (zk::Error::AuthFailed | zk::Error::SessionExpired))) => failed = wrong,
                Ok(Err(_)) | Err(_) => {}
            }
            tried.insert(server);
        }
    }

    /// How long one of so many servers may take: a round over all shall end before a session does.
    fn patience(self, servers: usize) -> Duration {
        let ttl = self.session.ttl;
        let most = if servers > 1 { ttl / 5 } else { ttl / 2 };
        let share = ttl * 4 / 5 / u32::try_from(servers.max(1)).unwrap_or(u32::MAX);
        share.min(most).max(LEAST)
    }

    async fn open(self, server: &str, standing: Option<&Standing>) -> Result<(zk::Client, Gate), zk::Error> {
        let gate = Gate::new();
        let connector = self.connector.clone().with_fail_eagerly();
        let Some(standing) = standing else {
            let client = supervised(&self.session.back, &gate, dial(connector, server, self.tls)).await?;
            return Ok((client, gate));
        };
        let connector = connector.with_session(standing.info.clone());
        let client = supervised(&self.session.back, &gate, dial(connector, server, self.tls)).await?;
        let mut unless = Unless(Some(gate.clone()));
        // Else the driver before would try to get it back.
        standing.gate.hand_over();
        // Another server may be behind what this session has seen.
        client.sync("/").await?;
        unless.0 = None;
        drop(unless);
        Ok((client, gate))
    }

    /// Takes a session whose link is broken to whatever server takes it, for as long as the store may keep it.
    pub(super) async fn rescue(
        self,
        known: &watch::Receiver<Known>,
        standing: &Standing,
    ) -> Result<Placed, Error> {
        let until = self.session.clock.now().saturating_add(standing.ttl * 7 / 5);
        let mut backoff = Backoff::with_bounds(FIRST, LONGEST);
        let lost = |why: &str| Err(error(ErrorKind::LeaseLost, OPERATION, why));
        loop {
            let left = until.saturating_since(self.session.clock.now());
            let Ok(tried) = tokio::time::timeout(left, self.round(known, Some(standing))).await else {
                return lost("no server was found for as long as a session lives");
            };
            match tried {
                Ok(placed) => return Ok(placed),
                Err(zk::Error::SessionExpired) => return lost("the session has expired"),
                Err(wrong @ zk::Error::AuthFailed) => return Err(native(OPERATION, "logging in", wrong)),
                Err(wrong) => {
                    let pause = backoff.next(&native(OPERATION, "going to another server", wrong));
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_that_is_left_is_tried_last() {
        let of = |servers: &[&str]| servers.iter().map(|server| (*server).to_owned()).collect();
        let servers: BTreeSet<String> = of(&["a:1", "b:1", "c:1"]);
        for _ in 0..20 {
            assert_ne!(next(&servers, &of(&["b:1"]), Some("a:1")).as_deref(), Some("a:1"));
        }
        assert_eq!(next(&servers, &of(&["b:1", "c:1"]), Some("a:1")).as_deref(), Some("a:1"));
        assert_eq!(next(&servers, &servers, None), None);
        assert!((0..200).any(|_| next(&servers, &of(&[]), None).as_deref() == Some("c:1")));
    }

    #[tokio::test]
    async fn a_trouble_is_told_once_each_time_and_servers_at_once() {
        use futures_util::FutureExt as _;

        let trouble = || Some(error(ErrorKind::Denied, OPERATION, "nobody tells"));
        let (sender, mut known) = watch::channel(Known::default());
        assert!(servers(&mut known).now_or_never().is_none());
        for _ in 0..2 {
            let (waited, ()) = tokio::join!(servers(&mut known), async {
                sender.send_modify(|known| known.trouble = trouble());
            });
            assert_eq!(waited.unwrap_err().kind(), ErrorKind::Denied);
            assert!(servers(&mut known).now_or_never().is_none());
        }
        sender.send_modify(|known| known.servers = std::sync::Arc::new(["a:1".to_owned()].into()));
        servers(&mut known).now_or_never().unwrap().unwrap();
        servers(&mut known).now_or_never().unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_session_stays_while_its_server_does_and_its_link_stands() {
        use futures_util::FutureExt as _;

        let all = |servers: &[&str]| Known {
            servers: std::sync::Arc::new(servers.iter().map(|server| (*server).to_owned()).collect()),
            trouble: None,
        };
        for (servers, broken, moves) in [
            (&["a:1", "b:1"][..], false, false),
            (&["a:1"][..], true, false),
            (&["a:1", "b:1"][..], true, true),
            (&["b:1"][..], false, true),
            (&[][..], false, false),
        ] {
            let (_sender, mut known) = watch::channel(all(servers));
            let moved = better(Some(&mut known), Some("a:1"), broken).now_or_never().is_some();
            assert_eq!(moved, moves, "{servers:?} {broken}");
        }
        assert!(better(None, None, true).now_or_never().is_none());
    }
}
