//! Sessions, and keys that they hold.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hyper::StatusCode;
use reception_core::{ErrorKind, Result};
use serde_json::json;

use super::{
    NewSession, Pair, key_answer, parse,
    types::{Committed, Made},
    written,
};
use crate::{
    error::{error, nonsense},
    http::{Call, Http, Path},
};

/// How a try to take a lock went.
#[derive(Debug)]
pub(crate) enum Locked {
    /// The key as it was locked, and the value of the one that was read.
    Yes { pair: Pair, domain: Vec<u8> },
    /// It is another's.
    No,
    /// It was left as it is: the other key is not there.
    NoDomain,
}

impl Http {
    pub(crate) async fn session_create(
        &self,
        operation: &'static str,
        session: &NewSession,
        limit: Duration,
    ) -> Result<String> {
        let call =
            Call::put(operation, Path::of("session/create"), written(operation, session)?).own().once();
        let answer = self.carry(&session.name, call, limit).await?;
        if answer.status.is_success() {
            return parse::<Made>(operation, "making a session", &answer.body).map(|made| made.id);
        }
        Err(answer.refusal(operation, "making a session"))
    }

    /// Renews a session; false when there is none.
    pub(crate) async fn session_renew(
        &self,
        operation: &'static str,
        id: &str,
        limit: Duration,
    ) -> Result<bool> {
        let path = Path::of("session/renew").then(id);
        // While it is answered its leader hears of no pass.
        let answer = self.send(&Call::put(operation, path, Vec::new()).urgent(), limit).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(true),
            _ => Err(answer.refusal(operation, "renewing a session")),
        }
    }

    /// Ends a session, and with it what it holds.
    pub(crate) async fn session_destroy(
        &self,
        operation: &'static str,
        id: &str,
        limit: Duration,
    ) -> Result<()> {
        let path = Path::of("session/destroy").then(id);
        self.ask(&Call::put(operation, path, Vec::new()), limit).await.map(drop)
    }

    /// The sessions of a node that have this name.
    pub(crate) async fn sessions_named(
        &self,
        operation: &'static str,
        node: &str,
        name: &str,
        limit: Duration,
    ) -> Result<Vec<String>> {
        self.still(name).await;
        let path = Path::of("session/node").then(node).flag("consistent");
        let answer = self.ask(&Call::get(operation, path), limit).await?;
        let all: Option<Vec<Made>> = parse(operation, "listing sessions", &answer.body)?;
        Ok(all.into_iter().flatten().filter(|made| made.name == name).map(|made| made.id).collect())
    }

    /// Reads a key; the index is that of the answer, also when there is none.
    pub(crate) async fn key(
        &self,
        operation: &'static str,
        key: &str,
        how: impl FnOnce(Path) -> Path + Send,
        limit: Duration,
    ) -> Result<(u64, Option<Pair>)> {
        let path = how(Path::of("kv").key(key));
        let answer = self.send(&Call::get(operation, path), limit).await?;
        key_answer(operation, key, &answer)
    }

    /// Writes a key that has not changed since this index, 0 for one that does not exist; false when it has.
    pub(crate) async fn key_write(
        &self,
        operation: &'static str,
        key: &str,
        index: u64,
        value: Vec<u8>,
        limit: Duration,
    ) -> Result<bool> {
        let path = Path::of("kv").key(key).with("cas", &index.to_string());
        let answer = self.ask(&Call::put(operation, path, value), limit).await?;
        Ok(answer.body.starts_with(b"true"))
    }

    /// Takes a lock by transaction, which tells the index of the win and what another key held then; LeaseLost when the session is known to be no more.
    pub(crate) async fn key_lock(
        &self,
        operation: &'static str,
        key: &str,
        value: &[u8],
        session: &str,
        domain: &str,
        limit: Duration,
    ) -> Result<Locked> {
        let (value, flags) = (BASE64.encode(value), crate::layout::LOCK_FLAGS);
        let lock = json!({ "Verb": "lock", "Key": key, "Value": value, "Flags": flags, "Session": session });
        let read = json!({ "Verb": "get", "Key": domain });
        let verbs = json!([{ "KV": self.placed(lock) }, { "KV": self.placed(read) }]);
        let call = Call::put(operation, Path::of("txn"), written(operation, &verbs)?);
        let answer = self.send(&call, limit).await?;
        match answer.status {
            // Servers say so in words alone; who does not understand them learns it when the session is renewed.
            StatusCode::CONFLICT if answer.says("invalid session") => {
                Err(error(ErrorKind::LeaseLost, operation, "the session has ended"))
            }
            StatusCode::CONFLICT if answer.says(&missing(domain)) => Ok(Locked::NoDomain),
            StatusCode::CONFLICT if answer.says("Permission denied") => {
                Err(answer.denied(operation, &format!("locking {key}")))
            }
            StatusCode::CONFLICT => Ok(Locked::No),
            status if status.is_success() => {
                let done: Committed = parse(operation, "taking a lock", &answer.body)?;
                let mut pairs = done.results.into_iter().flatten().filter_map(|outcome| outcome.pair);
                match (pairs.next(), pairs.next()) {
                    (Some(pair), Some(domain)) => Ok(Locked::Yes { pair, domain: domain.value() }),
                    _ => Err(nonsense(operation, "taking a lock", "no keys in it")),
                }
            }
            _ => Err(answer.refusal(operation, &format!("locking {key}"))),
        }
    }
}

/// What servers say of a key that a transaction did not find, as it stands in JSON.
fn missing(key: &str) -> String {
    format!("\\\"{key}\\\" doesn't exist")
}
