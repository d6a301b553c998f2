//! The task that keeps what is registered: passes the check, and compares with the catalog.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use reception_core::{ErrorKind, Moment, Result};
use reception_kit::sleep_until;
use uuid::Uuid;

use super::{Line, REPAIR, Session};
use crate::{
    api::{Found, Passed, Services, parse},
    error::error,
    http::{Call, Path},
    layout::{OWNER, owner_mark},
    options::Check,
};

const OPERATION: &str = "keep";
/// The pause before a pass that failed is tried again, at most.
const AGAIN: Duration = Duration::from_millis(500);

/// Runs as long as the client.
pub(super) async fn keep(session: Arc<Session>) {
    let closing = session.supervisor.closing();
    tokio::select! {
        () = closing.cancelled() => {}
        () = work(&session) => {}
    }
}

async fn work(session: &Arc<Session>) {
    let told = session.options.check == Check::Ttl;
    let mut doubtful = false;
    let (mut pass_at, mut look_at) = (session.clock.now(), session.clock.now().saturating_add(REPAIR));
    let mut since_good = session.clock.now();
    loop {
        if session.lines.is_empty() && session.heart.is_idle().await {
            session.heart.joined.notified().await;
            let now = session.clock.now();
            (pass_at, look_at, since_good) =
                (now.saturating_add(session.options.ttl / 2), now.saturating_add(REPAIR), now);
            doubtful = false;
            continue;
        }
        let next = if told { pass_at.min(look_at) } else { look_at };
        sleep_until(&session.clock, next).await;
        let sent = session.clock.now();
        let outcome = if told && sent >= pass_at {
            let passed = pass(session).await;
            pass_at = due(session, sent, passed.is_ok());
            if matches!(passed, Ok(false)) {
                look_at = session.clock.now();
            }
            passed.map(drop)
        } else {
            let looked = look(session, sent).await;
            look_at = sent.saturating_add(if looked.is_ok() { REPAIR } else { REPAIR / 5 });
            looked
        };
        match outcome {
            Ok(()) => {
                since_good = sent;
                if std::mem::take(&mut doubtful) {
                    session.lines.tell_all(&Line::Fine);
                }
            }
            Err(failed) => {
                doubtful = true;
                session.lines.tell_all(&Line::Doubtful(failed));
                if sent.saturating_since(since_good) > session.options.ttl {
                    move_home(session).await;
                }
            }
        }
    }
}

fn due(session: &Session, sent: Moment, good: bool) -> Moment {
    let half = session.options.ttl / 2;
    let after = if good { half } else { (session.options.ttl / 8).min(AGAIN) };
    sent.saturating_add(after).max(session.clock.now().saturating_add(Duration::from_millis(20)))
}

/// Passes the check; false when the agent does not know it.
async fn pass(session: &Arc<Session>) -> Result<bool> {
    let Some((check, owner)) = session.heart.check().await else { return Ok(true) };
    let limit = (session.options.ttl / 3).min(session.timeout());
    match session.http.agent_pass(OPERATION, &check, limit).await? {
        Passed::Yes => Ok(true),
        Passed::Unknown => {
            match owner {
                Some(owner) => {
                    let gone = error(ErrorKind::LeaseLost, OPERATION, "the agent does not know our check");
                    session.lines.tell(owner, Line::Lost(gone));
                }
                None => session.heart.write(session, OPERATION).await?,
            }
            Ok(false)
        }
    }
}

/// Compares all that is registered with what the catalog has of it.
async fn look(session: &Arc<Session>, asked: Moment) -> Result<()> {
    if session.lines.is_empty() {
        return Ok(());
    }
    let found = session.found(OPERATION).await?;
    let seen =
        |id: &str, owner: Uuid| found.get(id).is_some_and(|mark| *mark == owner_mark(session.client, owner));
    let lost = error(ErrorKind::LeaseLost, OPERATION, "the catalog does not have it");
    session.lines.compare(asked, seen, &lost);
    Ok(())
}

/// What finds the registrations of this client among services. Consul 1.8 takes a record without the key for a match, and applies it to a node's services not
/// at all: what is found has to be looked at once more.
pub(super) fn ours(session: &Session) -> String {
    format!("Meta[\"{OWNER}\"] matches `^{}-`", session.client.simple())
}

/// Of services those that carry the mark of this client, each with it.
pub(super) fn marked(session: &Session, found: impl IntoIterator<Item = Found>) -> BTreeMap<String, String> {
    let ours = format!("{}-", session.client.simple());
    let marks =
        found.into_iter().filter_map(|mut found| Some((found.id, found.meta.as_mut()?.remove(OWNER)?)));
    marks.filter(|(_, mark)| mark.starts_with(&ours)).collect()
}

impl Session {
    /// All registrations of this client that the catalog has, each with its mark.
    pub(super) async fn found(&self, operation: &'static str) -> Result<BTreeMap<String, String>> {
        let node = self.node(operation).await?;
        let path =
            Path::of("catalog/node-services").then(&node).with("filter", &ours(self)).flag("consistent");
        let answer = self.http.ask(&Call::get(operation, path), self.timeout()).await?;
        let found: Option<Services> = parse(operation, "comparing with the catalog", &answer.body)?;
        Ok(marked(self, found.and_then(|found| found.services).into_iter().flatten()))
    }
}

/// The agent that has our registrations is gone: another that answers gets them.
async fn move_home(session: &Arc<Session>) {
    let (home, count) = (session.http.home(), session.http.agents().len());
    let call = Call::get(OPERATION, Path::of("status/leader"));
    for at in (1..count).map(|step| (home + step) % count) {
        let answer = session.http.send_to(at, &call, session.timeout()).await;
        if answer.is_ok_and(|answer| answer.status.is_success()) {
            session.http.move_home(at);
            session.forget_node();
            let gone = error(ErrorKind::LeaseLost, OPERATION, "the agent is gone, another one takes over");
            session.lines.lose_all(&gone);
            return;
        }
    }
}
