//! What a candidate stands by: the check of its process, the domain of tokens, and a session that it renews.

use std::{sync::Arc, time::Duration};

use reception_core::{Error, ErrorKind, Moment, Result};
use reception_kit::sleep_until;
use uuid::Uuid;

use super::{super::remains::Own, Candidacy, OPERATION, TAKES, Work};
use crate::{
    api::{NewSession, ServiceCheck},
    error::{error, is_about_us},
    layout::{read_domain, span, write_domain},
};

/// The least that Consul takes as a session's time to live.
const LEAST_SESSION: Duration = Duration::from_secs(10);
/// And the most.
const MOST_SESSION: Duration = Duration::from_secs(24 * 3600);
/// Between two looks whether the servers know our check, growing.
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// So many looks in vain, and the check is written again: that makes the agent tell the servers at once.
const REWRITE: u32 = 5;

impl Candidacy {
    /// The backstop: only a dead agent makes it matter.
    pub(super) fn session_ttl(&self) -> Duration {
        (self.session.options.election_ttl * 3).clamp(LEAST_SESSION, MOST_SESSION)
    }

    /// Stands: the check, the domain and a session.
    pub(super) async fn stand(&mut self) -> Result<Own> {
        self.has.standing = true;
        let session = Arc::clone(&self.session);
        // A session that is made now hangs on the check that stands at the home of now.
        if self.has.own.is_none() && !self.is_at_home() {
            self.pacer = None;
        }
        if self.pacer.is_none() {
            self.pacer = Some(session.standing.join(&session, self.has.guid).await?);
        }
        if let Some(own) = &self.has.own {
            return Ok(own.clone());
        }
        self.domain = self.find_domain().await?;
        let asked = NewSession {
            name: self.has.name.clone(),
            ttl: span(self.session_ttl()),
            lock_delay: "0s",
            behavior: "delete",
            node_checks: [],
            service_checks: vec![ServiceCheck { id: session.standing.check().to_owned() }],
        };
        let (begun, mut tried, mut pause) = (tokio::time::Instant::now(), 0_u32, PAUSE);
        // Before the await: a future that is dropped there leaves a request on its way.
        let before = std::mem::replace(&mut self.has.unsettled, true);
        let own = loop {
            let renewed = session.clock.now();
            match session.http.session_create(OPERATION, &asked, session.timeout()).await {
                Ok(id) => break Own { id, renewed },
                // The agent has not told the servers of the check yet, or they did not hear that it passes.
                Err(early) if is_early(&early) && begun.elapsed() < session.timeout() => {
                    tried += 1;
                    match tried {
                        // Or it does not know of it any more.
                        1 => drop(session.standing.pass(&session).await),
                        // Or the servers have lost it, which the agent would find out within a minute or two.
                        REWRITE => drop(session.standing.restore(&session).await),
                        _ => {}
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(failed) => {
                    if is_about_us(&failed) {
                        self.has.unsettled = before;
                    }
                    return Err(failed);
                }
            }
        };
        self.has.own = Some(own.clone());
        // One that was asked for before, and whose answer was lost, may be there beside this one.
        self.has.unsettled = before;
        if !self.is_at_home() {
            return Err(self.moved().await);
        }
        Ok(own)
    }

    /// Whether the check that we follow stands where everything of this client does.
    fn is_at_home(&self) -> bool {
        self.pacer.as_ref().is_some_and(|pacer| pacer.at == self.session.http.home())
    }

    /// What is passed now stands at another agent, and says nothing of our session.
    pub(super) async fn moved(&mut self) -> Error {
        match self.has.end_session().await {
            Ok(()) => {
                self.pacer = None;
                Self::lost("another agent has taken over")
            }
            Err(failed) => failed,
        }
    }

    pub(super) async fn find_domain(&self) -> Result<[u8; 16]> {
        let (http, key, limit) = (&self.session.http, self.session.names.domain(), self.session.timeout());
        for _ in 0..TAKES {
            let (_, pair) = http.key(OPERATION, &key, |path| path.flag("consistent"), limit).await?;
            if let Some(domain) = pair.as_ref().and_then(|pair| read_domain(&pair.value())) {
                return Ok(domain);
            }
            // What is no domain is written over: whoever wrote it there has ended the one before.
            let (made, index) = (Uuid::new_v4().into_bytes(), pair.map_or(0, |pair| pair.modified));
            if http.key_write(OPERATION, &key, index, write_domain(made).into_bytes(), limit).await? {
                return Ok(made);
            }
        }
        Err(error(ErrorKind::Unavailable, OPERATION, format!("{key} changes again and again")))
    }

    /// Renews the session; false when it is gone.
    pub(super) async fn renew(&mut self) -> Result<bool> {
        let Some(own) = &mut self.has.own else { return Ok(false) };
        let sent = self.session.clock.now();
        let alive = self.session.http.session_renew(OPERATION, &own.id, self.session.timeout()).await?;
        if alive {
            own.renewed = sent;
        }
        Ok(alive)
    }

    pub(super) fn renewal_due(&self) -> Moment {
        let ttl = self.session_ttl();
        self.has.own.as_ref().map_or(Moment::NEVER, |own| own.renewed.saturating_add(ttl / 3))
    }

    /// Renews the session then. The moment before, and whether there is a session.
    pub(super) fn renew_at(&self, due: Moment) -> Work<(Moment, Result<bool>)> {
        let session = Arc::clone(&self.session);
        let own = self.has.own.as_ref().map(|own| own.id.clone()).unwrap_or_default();
        let ttl = self.session_ttl();
        Box::pin(async move {
            sleep_until(&session.clock, due).await;
            let sent = session.clock.now();
            // One answer that is lost leaves time for another try.
            let limit = session.timeout().min(ttl / 4);
            (sent, session.http.session_renew(OPERATION, &own, limit).await)
        })
    }
}

/// Whether the servers said that they do not know the check, or not as passing.
fn is_early(refused: &Error) -> bool {
    let (_, said) = refused.context().split_once("the agent answered 500").unwrap_or_default();
    said.contains("heck")
}
