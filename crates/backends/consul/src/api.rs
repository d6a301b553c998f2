//! The calls that we make, typed: the API that Consul 1.8 and today's releases share.

mod access;
mod lock;
mod types;

use std::{collections::BTreeMap, time::Duration};

use hyper::StatusCode;
use reception_core::{ErrorKind, Result};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

pub(crate) use lock::Locked;
use types::{Agent, Committed};
pub(crate) use types::{
    AgentConfig, CheckState, Found, Held, NewSession, Pair, Record, Row, ServiceCheck, Services, Stored,
};

use crate::{
    error::{error, nonsense},
    http::{Answer, Call, Http, Path},
};

/// How a check of ours answered to a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    Yes,
    /// The agent knows no such check.
    Unknown,
}

pub(crate) fn parse_agent(operation: &'static str, body: &[u8]) -> Result<AgentConfig> {
    parse::<Agent>(operation, "asking the agent for itself", body).map(|agent| agent.config)
}

pub(crate) fn parse<T: DeserializeOwned>(operation: &'static str, what: &str, body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|wrong| nonsense(operation, what, place(&wrong)))
}

/// Where the fault lies; the library's own words may repeat what it read.
pub(crate) fn place(wrong: &serde_json::Error) -> String {
    format!("at byte {} of line {}", wrong.column(), wrong.line())
}

/// What an answer tells of a key; the index also when there is none.
pub(crate) fn key_answer(operation: &'static str, key: &str, answer: &Answer) -> Result<(u64, Option<Pair>)> {
    match answer.status {
        StatusCode::NOT_FOUND => Ok((answer.index, None)),
        status if status.is_success() => {
            let mut pairs: Vec<Pair> = parse(operation, "reading a key", &answer.body)?;
            Ok((answer.index, pairs.pop()))
        }
        _ => Err(answer.refusal(operation, &format!("reading {key}"))),
    }
}

impl Http {
    /// A part of a transaction, with where it belongs: of that a transaction does not heed what stands in the query.
    fn placed(&self, mut part: Value) -> Value {
        for (key, value) in self.enterprise() {
            part[key] = value.into();
        }
        part
    }

    // ---- the agent ----

    /// Writes a service to our agent. `replace`: checks that are not in the body are taken away.
    pub(crate) async fn agent_register(
        &self,
        operation: &'static str,
        id: &str,
        body: Vec<u8>,
        replace: bool,
        limit: Duration,
    ) -> Result<()> {
        let path = Path::of("agent/service/register");
        let path = if replace { path.with("replace-existing-checks", "true") } else { path };
        let answer = self.carry(id, Call::put(operation, path, body).own(), limit).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        Err(answer.refusal(operation, &format!("writing {id}")))
    }

    /// Takes a service from our agent; fine when there is none.
    pub(crate) async fn agent_deregister(
        &self,
        operation: &'static str,
        id: &str,
        limit: Duration,
    ) -> Result<()> {
        let path = Path::of("agent/service/deregister").then(id);
        self.gone(Call::put(operation, path, Vec::new()).own(), id, limit).await
    }

    /// Writes one more check of a service to our agent; `id` is whose writes it waits for. NotFound when there is no such service.
    pub(crate) async fn agent_check(
        &self,
        operation: &'static str,
        id: &str,
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<()> {
        let path = Path::of("agent/check/register");
        let answer = self.carry(id, Call::put(operation, path, body).own(), limit).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        if answer.says("does not exist") {
            return Err(error(
                ErrorKind::NotFound,
                operation,
                format!("writing a check of {id}: it is gone"),
            ));
        }
        Err(answer.refusal(operation, &format!("writing {id}")))
    }

    pub(crate) async fn agent_deregister_check(
        &self,
        operation: &'static str,
        id: &str,
        limit: Duration,
    ) -> Result<()> {
        let path = Path::of("agent/check/deregister").then(id);
        self.gone(Call::put(operation, path, Vec::new()).own(), id, limit).await
    }

    async fn gone(&self, call: Call, id: &str, limit: Duration) -> Result<()> {
        let answer = self.carry(id, call, limit).await?;
        let unknown = answer.status == StatusCode::NOT_FOUND
            || ["Unknown service", "Unknown check", "unknown check"].iter().any(|words| answer.says(words));
        if answer.status.is_success() || unknown {
            return Ok(());
        }
        Err(answer.refusal("close", &format!("removing {id}")))
    }

    /// Tells our agent that we live.
    pub(crate) async fn agent_pass(
        &self,
        operation: &'static str,
        check: &str,
        urgent: bool,
        limit: Duration,
    ) -> Result<Passed> {
        let path = Path::of("agent/check/pass").then(check);
        let call = Call::put(operation, path, Vec::new()).own();
        let call = if urgent { call.urgent() } else { call };
        let answer = self.send(&call, limit).await?;
        let unknown = answer.status == StatusCode::NOT_FOUND
            || answer.says("does not have associated TTL")
            || answer.says("nknown check");
        match answer.status.is_success() {
            true => Ok(Passed::Yes),
            false if unknown => Ok(Passed::Unknown),
            false => Err(answer.refusal(operation, "passing our check")),
        }
    }

    /// What our agent holds under an id.
    pub(crate) async fn agent_health(
        &self,
        operation: &'static str,
        id: &str,
        limit: Duration,
    ) -> Result<Option<Held>> {
        let path = Path::of("agent/health/service/id").then(id).with("format", "json");
        let answer = self.send(&Call::get(operation, path).own(), limit).await?;
        match answer.status.as_u16() {
            404 => Ok(None),
            // The status tells the health; the body is the same.
            200 | 429 | 503 if answer.body.first() == Some(&b'{') => {
                parse(operation, "looking at our agent", &answer.body).map(Some)
            }
            _ => Err(answer.refusal(operation, &format!("looking for {id}"))),
        }
    }

    pub(crate) async fn agent_self(&self, operation: &'static str, limit: Duration) -> Result<AgentConfig> {
        let answer = self.ask(&Call::get(operation, Path::of("agent/self")).own(), limit).await?;
        parse_agent(operation, &answer.body)
    }

    // ---- the catalog ----

    /// The instances of a service with their health.
    pub(crate) async fn health(
        &self,
        operation: &'static str,
        service: &str,
        how: impl FnOnce(Path) -> Path + Send,
        limit: Duration,
    ) -> Result<Answer> {
        let path = how(Path::of("health/service").then(service));
        self.ask(&Call::get(operation, path), limit).await?.seen(operation, service)
    }

    /// The names of all services.
    pub(crate) async fn service_names(
        &self,
        operation: &'static str,
        limit: Duration,
    ) -> Result<Vec<String>> {
        let path = Path::of("catalog/services").flag("consistent");
        let answer = self.ask(&Call::get(operation, path), limit).await?;
        let answer = answer.seen(operation, "the services")?;
        let names: BTreeMap<String, serde::de::IgnoredAny> =
            parse(operation, "listing services", &answer.body)?;
        Ok(names.into_keys().collect())
    }

    /// Takes a service of a node out of the catalog. An agent that lives puts it back.
    pub(crate) async fn catalog_deregister(
        &self,
        operation: &'static str,
        node: &str,
        id: &str,
        limit: Duration,
    ) -> Result<()> {
        let body = written(operation, &json!({ "Node": node, "ServiceID": id }))?;
        self.ask(&Call::put(operation, Path::of("catalog/deregister"), body), limit).await.map(drop)
    }

    /// One service of a node, by a consistent read that costs the same however many there are. It is there only together with its checks.
    pub(crate) async fn stored(
        &self,
        operation: &'static str,
        node: &str,
        id: &str,
        checks: &[String],
        limit: Duration,
    ) -> Result<Option<Stored>> {
        let service = self.placed(json!({ "ID": id }));
        let mut verbs = vec![json!({ "Service": { "Verb": "get", "Node": node, "Service": service } })];
        verbs.extend(checks.iter().map(|check| {
            let check = self.placed(json!({ "Node": node, "CheckID": check }));
            json!({ "Check": { "Verb": "get", "Check": check } })
        }));
        let path = Path::of("txn").flag("consistent");
        let answer = self.send(&Call::put(operation, path, written(operation, &verbs)?), limit).await?;
        match answer.status {
            // What is not there fails the transaction.
            StatusCode::CONFLICT if answer.says("nvalid session") => {
                Err(error(ErrorKind::LeaseLost, operation, "the session has ended"))
            }
            StatusCode::CONFLICT => Ok(None),
            status if status.is_success() => {
                let done: Committed = parse(operation, "reading back", &answer.body)?;
                Ok(done.results.into_iter().flatten().find_map(|outcome| outcome.service))
            }
            _ => Err(answer.refusal(operation, "reading back")),
        }
    }
}

fn written(operation: &'static str, value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value)
        .map_err(|_| error(ErrorKind::Internal, operation, "a request that cannot be written"))
}
