//! Which of the servers that were found a session goes to, one at a time.
//!
//! The driver's own list of servers is fixed and it does not tell which one it uses. So it is given one server only, and a session that has to
//! leave it is taken over by another driver: to the store it is the same session.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use reception_core::{Error, ErrorKind, Result};
use reception_kit::Backoff;
use tokio::sync::watch;
use zookeeper_client as zk;

use super::{Gate, Live, Recipe, Session, gate::supervised, keeper::dial};
use crate::{
    ensemble::Known,
    error::{error, native},
};

const OPERATION: &str = "session";
/// The pauses between rounds over all servers.
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_millis(800);

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
pub(super) async fn servers(known: &mut watch::Receiver<Known>) -> Result<BTreeSet<String>> {
    let mut news = known.has_changed().unwrap_or(true);
    loop {
        let now = known.borrow_and_update().clone();
        match now.trouble {
            _ if !now.servers.is_empty() => return Ok((*now.servers).clone()),
            Some(trouble) if news => return Err(trouble),
            _ => {}
        }
        if known.changed().await.is_err() {
            return Err(error(ErrorKind::Unavailable, OPERATION, "nobody looks for servers any more"));
        }
        news = true;
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

/// In no order, so that clients spread; the one that is to be left comes last.
fn shuffled(servers: BTreeSet<String>, last: Option<&str>) -> Vec<String> {
    let mut servers: Vec<String> = servers.into_iter().collect();
    servers.sort_by_cached_key(|server| (Some(server.as_str()) == last, uuid::Uuid::new_v4()));
    servers
}

impl Way<'_> {
    /// Opens a session on one of the servers, or takes one over; each is tried once.
    ///
    /// That the session is over is believed when no server takes it and one says so.
    pub(super) async fn round(
        self,
        servers: BTreeSet<String>,
        standing: Option<&Standing>,
    ) -> Result<Placed, zk::Error> {
        let limit = if servers.len() > 1 { self.session.ttl / 5 } else { self.session.ttl / 2 };
        let limit = limit.max(Duration::from_millis(400));
        let mut failed = zk::Error::NoHosts;
        for server in shuffled(servers, standing.and_then(|standing| standing.server.as_deref())) {
            let tried = tokio::time::timeout(limit, self.open(&server, standing));
            match tried.await {
                Ok(Ok((client, gate))) => {
                    return Ok(Placed { client, gate, server: Some(server.into()) });
                }
                Ok(Err(wrong @ (zk::Error::AuthFailed | zk::Error::SessionExpired))) => failed = wrong,
                Ok(Err(_)) | Err(_) => {}
            }
        }
        Err(failed)
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
        known: &mut watch::Receiver<Known>,
        standing: &Standing,
    ) -> Result<Placed, Error> {
        let until = self.session.clock.now().saturating_add(standing.ttl * 7 / 5);
        let mut backoff = Backoff::with_bounds(FIRST, LONGEST);
        loop {
            let servers = (*known.borrow_and_update().servers).clone();
            let lost = |why: &str| Err(error(ErrorKind::LeaseLost, OPERATION, why));
            match self.round(servers, Some(standing)).await {
                Ok(placed) => return Ok(placed),
                Err(zk::Error::SessionExpired) => return lost("the session has expired"),
                Err(wrong @ zk::Error::AuthFailed) => return Err(native(OPERATION, "logging in", wrong)),
                Err(_) if self.session.clock.now() >= until => {
                    return lost("no server was found for as long as a session lives");
                }
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
        let servers: BTreeSet<String> = ["a:1", "b:1", "c:1"].map(str::to_owned).into();
        for _ in 0..20 {
            assert_eq!(shuffled(servers.clone(), Some("a:1"))[2], "a:1");
        }
        assert!((0..200).any(|_| shuffled(servers.clone(), None)[0] == "c:1"));
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
        assert_eq!(servers(&mut known).now_or_never().unwrap().unwrap().len(), 1);
        assert_eq!(servers(&mut known).now_or_never().unwrap().unwrap().len(), 1);
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
