//! One candidacy: its session, the wait for the lock, and the watch on it while it leads.
//!
//! A leadership ends at its deadline: the moment before the last pass of the check that was acknowledged, and the check's time to live. Until then the
//! agent does not let the check lapse, and so nobody ends the session; the session's own time to live is longer, and counted as well.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use reception_core::{ElectionName, Error, ErrorKind, FencingToken, Moment, Result};
use reception_kit::{Claim, Pulse, Won, sleep_until};
use uuid::Uuid;

use super::domain;
use crate::{
    api::{NewSession, Pair, ServiceCheck, key_answer},
    error::error,
    http::Path,
    layout::{span, write_domain},
    session::{Pacer, Session},
};

const OPERATION: &str = "elect";
/// The least that Consul takes as a session's time to live.
const LEAST_SESSION: Duration = Duration::from_secs(10);
/// Between two looks whether the servers know our check.
const PAUSE: Duration = Duration::from_millis(10);
const LONG_AGO: Moment = Moment::from_duration(Duration::ZERO);
const AGAIN: Duration = Duration::from_millis(500);
/// All who wait see a free lock at one moment: they try within this.
const JITTER: u64 = 15;

type Eye = Pin<Box<dyn Future<Output = Error> + Send + Sync>>;

/// One candidacy.
pub(crate) struct Candidacy {
    session: Arc<Session>,
    election: ElectionName,
    key: String,
    value: Vec<u8>,
    guid: Uuid,
    /// A request of ours may have been carried out.
    standing: bool,
    /// A session of ours may have been made.
    unsettled: bool,
    pacer: Option<Pacer>,
    own: Option<Own>,
    /// Ends when the lock is not ours any more.
    eye: Option<Eye>,
    domain: [u8; 16],
}

/// Our session.
#[derive(Clone, Debug)]
struct Own {
    id: String,
    /// The moment before the last renewal that was acknowledged.
    renewed: Moment,
}

impl Candidacy {
    pub(crate) fn new(session: &Arc<Session>, election: &ElectionName, value: Vec<u8>) -> Self {
        Self {
            session: Arc::clone(session),
            election: election.clone(),
            key: session.names.lock(election),
            value,
            guid: Uuid::new_v4(),
            standing: false,
            unsettled: false,
            pacer: None,
            own: None,
            eye: None,
            domain: [0; 16],
        }
    }

    fn lost(why: impl Into<String>) -> Error {
        error(ErrorKind::LeaseLost, OPERATION, why)
    }

    /// Tells the candidacy, so that a session is found whose answer was lost.
    fn session_name(&self) -> String {
        format!("reception {} {}", self.election, self.guid.simple())
    }

    /// The backstop: only a dead agent makes it matter.
    fn session_ttl(&self) -> Duration {
        LEAST_SESSION.max(self.session.options.election_ttl * 3)
    }

    /// Stands: the check, the domain and a session.
    async fn stand(&mut self) -> Result<Own> {
        self.standing = true;
        let session = Arc::clone(&self.session);
        if self.pacer.is_none() {
            self.pacer = Some(session.standing.join(&session, self.guid).await?);
        }
        if let Some(own) = &self.own {
            return Ok(own.clone());
        }
        self.domain = self.find_domain().await?;
        let asked = NewSession {
            name: self.session_name(),
            ttl: span(self.session_ttl()),
            lock_delay: "0s",
            behavior: "delete",
            node_checks: [],
            service_checks: vec![ServiceCheck { id: session.standing.check().to_owned() }],
        };
        let (begun, mut passed) = (tokio::time::Instant::now(), false);
        // Before the await: a future that is dropped there leaves a request on its way.
        self.unsettled = true;
        let own = loop {
            let renewed = session.clock.now();
            match session.http.session_create(OPERATION, &asked, session.timeout()).await {
                Ok(id) => break Own { id, renewed },
                // The agent has not told the servers of the check yet, or they did not hear that it passes.
                Err(early) if early.context().contains("heck") && begun.elapsed() < session.timeout() => {
                    // Or it does not know of it any more.
                    if !std::mem::replace(&mut passed, true) {
                        drop(session.standing.pass(&session).await);
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                Err(failed) => return Err(failed),
            }
        };
        self.own = Some(own.clone());
        self.unsettled = false;
        Ok(own)
    }

    async fn find_domain(&self) -> Result<[u8; 16]> {
        if let Some(domain) = domain(&self.session, OPERATION).await? {
            return Ok(domain);
        }
        let made = Uuid::new_v4().into_bytes();
        let (http, key, limit) = (&self.session.http, self.session.names.domain(), self.session.timeout());
        if http.key_create(OPERATION, &key, write_domain(made).into_bytes(), limit).await? {
            return Ok(made);
        }
        let found = domain(&self.session, OPERATION).await?;
        found.ok_or_else(|| error(ErrorKind::Protocol, OPERATION, format!("{key} holds no domain")))
    }

    /// Renews the session; false when it is gone.
    async fn renew(&mut self) -> Result<bool> {
        let Some(own) = &mut self.own else { return Ok(false) };
        let sent = self.session.clock.now();
        let alive = self.session.http.session_renew(OPERATION, &own.id, self.session.timeout()).await?;
        if alive {
            own.renewed = sent;
        }
        Ok(alive)
    }

    fn renewal_due(&self) -> Moment {
        let ttl = self.session_ttl();
        self.own.as_ref().map_or(Moment::NEVER, |own| own.renewed.saturating_add(ttl / 3))
    }

    /// Waits until the key is another than at `index`.
    async fn wait(&mut self, index: u64) -> Result<(u64, Option<Pair>)> {
        let session = Arc::clone(&self.session);
        let path = Path::of("kv").key(&self.key);
        let key = self.key.clone();
        let mut asked = Box::pin(async move {
            let answer = session.wait_for(OPERATION, path, index).await?;
            key_answer(OPERATION, &key, &answer)
        });
        loop {
            let (clock, due) = (self.session.clock.clone(), self.renewal_due());
            tokio::select! {
                answer = &mut asked => return answer,
                () = sleep_until(&clock, due) => {
                    if !self.renew().await? {
                        self.own = None;
                        return Err(Self::lost("the session has ended"));
                    }
                }
            }
        }
    }

    /// Takes the lock, if it is free.
    async fn take(&mut self, own: &Own) -> Result<Option<Won>> {
        let session = Arc::clone(&self.session);
        // Before the lock: that it is granted proves that the check had not lapsed by then.
        let sent = session.standing.fresh(&session).await?;
        let limit = session.timeout();
        let pair = session.http.key_lock(OPERATION, &self.key, &self.value, &own.id, limit).await?;
        Ok(pair.filter(|pair| pair.holder() == Some(&own.id)).map(|pair| self.won(&pair, sent)))
    }

    fn won(&mut self, pair: &Pair, sent: Moment) -> Won {
        let token = FencingToken::new(self.domain, pair.modified);
        self.eye = Some(self.look(pair.modified));
        Won::new(token, sent, self.term(sent))
    }

    /// How long a pass lets us lead: to the earlier of check and session.
    fn term(&self, sent: Moment) -> Duration {
        let session = self.own.as_ref().map_or(LONG_AGO, |own| own.renewed);
        let until = session.saturating_add(self.session_ttl());
        self.session.options.election_ttl.min(until.saturating_since(sent))
    }

    /// Waits until the lock is not ours.
    fn look(&self, index: u64) -> Eye {
        let (session, key) = (Arc::clone(&self.session), self.key.clone());
        let own = self.own.as_ref().map(|own| own.id.clone()).unwrap_or_default();
        let mut index = index;
        Box::pin(async move {
            loop {
                let path = Path::of("kv").key(&key);
                let asked = session.wait_for(OPERATION, path, index).await;
                match asked.and_then(|answer| key_answer(OPERATION, &key, &answer)) {
                    Ok((_, pair)) if pair.as_ref().and_then(Pair::holder) != Some(&own) => {
                        return Self::lost("the lock is not ours any more");
                    }
                    Ok((next, _)) if next >= index && next > 0 => index = next,
                    // What nobody answers the deadline ends.
                    _ => {
                        index = 0;
                        tokio::time::sleep(AGAIN).await;
                    }
                }
            }
        })
    }
}

impl Claim for Candidacy {
    async fn win(&mut self) -> Result<Won> {
        self.eye = None;
        let own = self.stand().await?;
        let consistent = |path: Path| path.flag("consistent");
        let limit = self.session.timeout();
        let (mut index, mut pair) = self.session.http.key(OPERATION, &self.key, consistent, limit).await?;
        let (mut refused, mut seen) = (0_u32, None);
        loop {
            match pair.as_ref().and_then(Pair::holder) {
                // The reply to an earlier try was lost: the check has to be passed after this look.
                Some(holder) if holder == own.id => {
                    let sent = self.session.standing.fresh(&self.session).await?;
                    let (_, still) = self.session.http.key(OPERATION, &self.key, consistent, limit).await?;
                    if let Some(pair) = still.filter(|pair| pair.holder() == Some(&own.id)) {
                        let won = self.won(&pair, sent);
                        self.session.standing.leads(self.guid).await;
                        return Ok(won);
                    }
                    self.own = None;
                    return Err(Self::lost("the lock was taken from us"));
                }
                Some(holder) => {
                    refused = 0;
                    // Who ended the session of one leader may have ended ours, which nobody tells us.
                    let next = Some(holder.to_owned());
                    if seen.is_some() && seen != next && !self.renew().await? {
                        self.own = None;
                        return Err(Self::lost("the session has ended"));
                    }
                    seen = next;
                }
                None => {
                    let taken = self.take(&own).await;
                    if taken.as_ref().is_err_and(|failed| failed.kind() == ErrorKind::LeaseLost) {
                        self.own = None;
                    }
                    if let Some(won) = taken? {
                        self.session.standing.leads(self.guid).await;
                        return Ok(won);
                    }
                    refused += 1;
                    // Free and yet refused: our session is no more, or another one came and left.
                    if refused > 1 && !self.renew().await? {
                        self.own = None;
                        return Err(Self::lost("the session has ended"));
                    }
                }
            }
            if index == 0 || refused > 1 {
                tokio::time::sleep(AGAIN / 5).await;
            }
            let (next, found) = self.wait(index).await?;
            index = if next < index { 0 } else { next };
            pair = found;
            if refused == 0 && pair.as_ref().and_then(Pair::holder).is_none() {
                let spread = u64::from(Uuid::new_v4().as_bytes()[0]) % JITTER;
                tokio::time::sleep(Duration::from_millis(spread)).await;
            }
        }
    }

    async fn pulse(&mut self) -> Pulse {
        loop {
            let (clock, due) = (self.session.clock.clone(), self.renewal_due());
            let (Some(eye), Some(pacer)) = (&mut self.eye, &mut self.pacer) else {
                return Pulse::Lost(Self::lost("nobody looks at the lock"));
            };
            tokio::select! {
                biased;
                lost = eye => {
                    self.eye = None;
                    return Pulse::Lost(lost);
                }
                sent = pacer.next() => return Pulse::Renewed { sent, ttl: self.term(sent) },
                () = sleep_until(&clock, due) => match self.renew().await {
                    Ok(true) => {}
                    Ok(false) => return Pulse::Lost(Self::lost("the session has ended")),
                    Err(_) => tokio::time::sleep(AGAIN).await,
                },
            }
        }
    }

    async fn release(&mut self) -> Result<()> {
        if !self.standing {
            return Ok(());
        }
        self.eye = None;
        let session = Arc::clone(&self.session);
        if let Some(own) = &self.own {
            // Ends the session, and with it the key that it holds: one request.
            session.http.session_destroy(OPERATION, &own.id, session.timeout()).await?;
            self.own = None;
        }
        if self.unsettled {
            let (name, node) = (self.session_name(), session.node(OPERATION).await?);
            for id in session.http.sessions_named(OPERATION, &node, &name, session.timeout()).await? {
                session.http.session_destroy(OPERATION, &id, session.timeout()).await?;
            }
            self.unsettled = false;
        }
        session.standing.leave(&session, self.guid).await?;
        self.pacer = None;
        self.standing = false;
        Ok(())
    }
}

impl fmt::Debug for Candidacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidacy").field("key", &self.key).field("own", &self.own).finish_non_exhaustive()
    }
}
