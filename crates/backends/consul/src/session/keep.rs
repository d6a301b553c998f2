//! The task that keeps what is registered: passes the check, and compares with the catalog.

use std::{sync::Arc, time::Duration};

use reception_core::{ErrorKind, Moment, Result};
use reception_kit::sleep_until;
use uuid::Uuid;

use super::{Line, REPAIR, Session, rouse::awaken};
use crate::{
    api::Passed,
    error::{error, passes},
    http::{Call, Path},
    layout::{ALIAS, liveness_check, owner_mark, owner_of_check, status_check},
    options::Check,
};

const OPERATION: &str = "keep";
/// The pause before a pass that failed is tried again, at most.
const AGAIN: Duration = Duration::from_millis(500);
/// How long a withdrawal takes where nothing is wrong, and more.
const GRACE: Duration = Duration::from_millis(300);

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
    // A look tells nothing of the passes that an agent refuses.
    let (mut unpassed, mut unseen) = (false, false);
    let (mut pass_at, mut look_at) = (session.clock.now(), session.clock.now().saturating_add(REPAIR));
    loop {
        if session.lines.is_empty() && session.heart.is_idle().await && session.left_nothing() {
            session.heart.joined.notified().await;
            let now = session.clock.now();
            (pass_at, look_at) = (now.saturating_add(session.options.ttl / 2), now.saturating_add(REPAIR));
            (unpassed, unseen) = (false, false);
            continue;
        }
        let next = if told { pass_at.min(look_at) } else { look_at };
        tokio::select! {
            () = sleep_until(&session.clock, next) => {}
            () = session.http.back_again() => {
                // The agent may have started again.
                look_at = look_at.min(session.clock.now().saturating_add(AGAIN));
                continue;
            }
        }
        let sent = session.clock.now();
        let is_pass = told && sent >= pass_at;
        let outcome = if is_pass {
            let passed = pass(session).await;
            pass_at = due(session, sent, passed.is_ok());
            if matches!(passed, Ok(false)) {
                look_at = session.clock.now();
            }
            passed.map(drop)
        } else {
            let looked = look(session, sent).await;
            session.clear(OPERATION).await;
            let well = looked.is_ok() && !session.lines.any_fails();
            look_at = sent.saturating_add(if well { REPAIR } else { REPAIR / 5 });
            looked
        };
        let outcome = match outcome {
            Ok(()) => write_anew(session).await,
            failed => failed,
        };
        let doubt = if is_pass { &mut unpassed } else { &mut unseen };
        match outcome {
            Ok(()) => {
                if std::mem::take(doubt) && !unpassed && !unseen {
                    session.lines.tell_all(&Line::Fine);
                }
            }
            Err(failed) => {
                *doubt = true;
                session.lines.tell_all(&Line::Doubtful(failed));
                if session.move_on(OPERATION).await {
                    (pass_at, look_at) = (session.clock.now(), session.clock.now().saturating_add(AGAIN));
                }
            }
        }
    }
}

/// Has written again what was written with another token: an agent speaks to the servers with the token that came with a registration, and could
/// tell them of its end no more.
async fn write_anew(session: &Arc<Session>) -> Result<()> {
    let turn = session.http.token_turn();
    if session.heart.is_older(turn) {
        // Before what hangs on it.
        session.heart.restore(session, OPERATION).await?;
    }
    session.lines.lose_older(turn, &error(ErrorKind::LeaseLost, OPERATION, "the token is another one now"));
    Ok(())
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
    take_away(session, limit).await?;
    match session.http.agent_pass(OPERATION, &check, false, limit).await? {
        Passed::Yes => Ok(true),
        Passed::Unknown => {
            session.forget_node();
            match owner {
                Some(owner) => {
                    let gone = error(ErrorKind::LeaseLost, OPERATION, "the agent does not know our check");
                    session.lines.tell(owner, Line::Lost(gone));
                }
                None => session.heart.restore(session, OPERATION).await?,
            }
            Ok(false)
        }
    }
}

/// Takes away what its registration could not: it hangs on the same check, and a pass after the check lapsed would bring it back (law L6).
async fn take_away(session: &Arc<Session>, limit: Duration) -> Result<()> {
    let before = session.clock.now().saturating_sub(GRACE);
    for (owner, id) in session.lines.overdue(before) {
        match session.leave_id(OPERATION, &id, owner, limit).await {
            Ok(()) => session.lines.left(owner),
            Err(failed) if passes(&failed) => return Err(failed),
            // What is not allowed costs the others nothing.
            Err(_) => {}
        }
    }
    Ok(())
}

/// Compares all that is registered with what the catalog has of it.
async fn look(session: &Arc<Session>, asked: Moment) -> Result<()> {
    if session.lines.is_empty() {
        return Ok(());
    }
    if session.http.count() > 1 && session.options.check != Check::Ttl {
        // Nobody else would notice that it is gone: the catalog is asked of any agent.
        session.http.ask(&Call::get(OPERATION, Path::of("status/leader")).own(), session.timeout()).await?;
    }
    let found = session.found(OPERATION, &session.node(OPERATION).await?).await?;
    let checks = session.checks(OPERATION).await?;
    let checked = |owner: Uuid| {
        session.options.check == Check::None
            || [false, true].iter().any(|alias| checks.contains_key(&liveness_check(owner, *alias)))
    };
    // One without its check would be up for ever, whoever took it away.
    let seen = |id: &str, owner: Uuid, stated: bool| {
        found.get(id).is_some_and(|mark| *mark == owner_mark(session.client, owner))
            && checked(owner)
            && (!stated || checks.contains_key(&status_check(owner)))
    };
    let lost = error(ErrorKind::LeaseLost, OPERATION, "the catalog or the agent does not have all of it");
    if !session.lines.all(asked, seen) {
        session.forget_node();
        // What they hang on comes first: an alias of nothing is failed.
        session.heart.ensure(session, OPERATION).await?;
        session.lines.compare(asked, seen, &lost);
    }
    if matches!(session.options.check, Check::Http | Check::Tcp) {
        let why = error(ErrorKind::Unavailable, OPERATION, "the agent gets no good answer to its check");
        let fails = |owner| Some(checks.get(&liveness_check(owner, false))?.status == "critical");
        session.lines.judge(fails, &why);
    }
    // One that has the check itself may have been tied to another by a registration that then gave up.
    for owner in
        checks.keys().filter(|check| check.starts_with(ALIAS)).filter_map(|check| owner_of_check(check))
    {
        session.heart.untie(session, owner).await?;
    }
    let failed =
        checks.iter().filter(|(check, state)| check.starts_with(ALIAS) && state.status == "critical");
    let failed =
        failed.filter_map(|(check, _)| owner_of_check(check)).filter(|owner| session.lines.has(*owner));
    awaken(session, Some(failed.collect())).await
}
