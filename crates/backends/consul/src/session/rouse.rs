//! Notices at once that an agent has started again, and sees to it that what hangs on our check is shown as what it is.
//!
//! An agent asks nobody else for its services, so this question is answered also before there is a leader. One that starts again with its data runs each alias
//! check once, and loses the outcome when that is faster than the agent itself: such an instance stays failed for a minute. Whatever changes at
//! the service that they stand for has all of them looked at again.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hyper::StatusCode;
use reception_core::{ErrorKind, Result, Retry};
use serde::{Deserialize, de::IgnoredAny};
use uuid::Uuid;

use super::Session;
use crate::{
    api::parse,
    error::error,
    http::{Answer, Call, Path},
    layout::{ALIAS, owner_of_check},
};

const OPERATION: &str = "keep";
/// An agent holds a question back for so long.
const WAIT: Duration = Duration::from_secs(60);
/// Between two questions of which the first failed; the tries at an agent that gives no answer have pauses of their own.
const AGAIN: Duration = Duration::from_millis(50);
/// What is under way when an agent begins.
const BEGINNING: Duration = Duration::from_millis(20);
/// So many times all are woken; what sleeps then is written again, one by one.
const TIMES: u32 = 3;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Known {
    content_hash: String,
}

/// Runs as long as the client.
pub(super) async fn rouse(session: Arc<Session>) {
    let closing = session.supervisor.closing();
    let work = async {
        loop {
            session.heart.shared().await;
            if let Err(failed) = attend(&session).await {
                let pause = if let Retry::After(pause) = failed.retry() { pause } else { AGAIN };
                tokio::time::sleep(pause).await;
            }
        }
    };
    tokio::select! {
        () = closing.cancelled() => {}
        () = work => {}
    }
}

/// Looks after what may be new, and waits for the next change.
async fn attend(session: &Arc<Session>) -> Result<()> {
    let answer = ask(session, None).await?;
    if answer.status == StatusCode::NOT_FOUND {
        // Before any instance is written again: one that hangs on nothing is failed.
        return session.heart.restore(session, OPERATION).await;
    }
    awaken(session, None).await?;
    session.heart.ensure(session, OPERATION).await?;
    let mut known: Known = parse(OPERATION, "looking at our agent", &answer.body)?;
    while session.heart.is_shared().await {
        let answer = ask(session, Some(&known.content_hash)).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        known = parse(OPERATION, "looking at our agent", &answer.body)?;
    }
    Ok(())
}

async fn ask(session: &Session, hash: Option<&str>) -> Result<Answer> {
    let path = Path::of("agent/service").then(session.heart.service());
    let (path, held) = match hash {
        Some(hash) => {
            let wait = format!("{}s", WAIT.as_secs());
            (path.with("hash", hash).with("wait", &wait), WAIT + WAIT / 16)
        }
        None => (path, Duration::ZERO),
    };
    let (call, limit) = (Call::get(OPERATION, path), held + session.timeout());
    let answer = session.http.send_to(session.http.home(), &call, limit).await?;
    match answer.status {
        status if status.is_success() || status == StatusCode::NOT_FOUND => Ok(answer),
        _ => Err(answer.refusal(OPERATION, "agent/service")),
    }
}

/// Wakes what the agent shows as failed and is not; `known` is what it shows so, where that was asked just now.
pub(super) async fn awaken(session: &Arc<Session>, mut known: Option<Vec<Uuid>>) -> Result<()> {
    if !session.heart.is_shared().await {
        return Ok(());
    }
    for _ in 0..TIMES {
        let sleeping = match known.take() {
            Some(sleeping) => sleeping,
            None => asleep(session).await?,
        };
        if sleeping.is_empty() {
            return Ok(());
        }
        session.heart.wake(session, OPERATION).await?;
        tokio::time::sleep(BEGINNING).await;
        // An agent that had no leader when it began tells the servers anew after 15 s, or when it is written to.
        session.heart.ensure(session, OPERATION).await?;
    }
    for owner in asleep(session).await? {
        let text = "the agent shows it as failed, and it is not";
        let failed = error(ErrorKind::LeaseLost, OPERATION, text);
        session.lines.awaken(owner, failed);
    }
    Ok(())
}

/// Those of ours whose alias checks are failed.
async fn asleep(session: &Session) -> Result<Vec<Uuid>> {
    let failed = format!("Status == critical and CheckID matches `^{ALIAS}`");
    let path = Path::of("agent/checks").with("filter", &failed);
    let answer = session.http.ask(&Call::get(OPERATION, path).own(), session.timeout()).await?;
    let found: BTreeMap<String, IgnoredAny> = parse(OPERATION, "looking for failed checks", &answer.body)?;
    let owners = found.keys().filter_map(|check| owner_of_check(check));
    Ok(owners.filter(|owner| session.lines.has(*owner)).collect())
}
