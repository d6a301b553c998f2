//! The stand of Consul: one agent that is its own server, and plain requests to it as the operator.

mod agent;
mod health;
mod herd;

use std::{net::SocketAddr, time::Duration};

use reception::async_trait;
use reception_lab::{Consul, ConsulApi, ConsulOptions, Error, Proxy, ProxyOptions, Result};
use serde_json::Value;
use tempfile::TempDir;

use self::{
    agent::{
        an_agent_that_starts_again_loses_nothing_with_its_data_and_gets_all_back_without,
        each_kind_of_check_comes_back_when_an_agent_starts_again,
        what_a_third_party_takes_away_is_back_within_the_repair,
    },
    health::a_flood_of_the_health_server_leaves_the_check_passing,
    herd::a_failover_costs_each_that_waits_a_try_or_two,
};
use crate::{
    scenario,
    scenario::Scenario,
    stand::{Folder, Guard, Lack, Seal, Setup, Stand, Tally},
};

/// What only this kind plays.
pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario!(19, an_agent_that_starts_again_loses_nothing_with_its_data_and_gets_all_back_without),
    scenario!(19, each_kind_of_check_comes_back_when_an_agent_starts_again),
    scenario!(20, what_a_third_party_takes_away_is_back_within_the_repair),
    scenario!(31, a_failover_costs_each_that_waits_a_try_or_two),
    scenario!(37, a_flood_of_the_health_server_leaves_the_check_passing),
];

/// The shared scenarios that this kind cannot play, each with its reason.
pub(crate) const LEFT_OUT: &[(&str, &str)] = &[(
    "a_failover_wakes_only_the_next_in_line",
    "a lock has no line: whoever waits is told at once and may come next; another form is played",
)];

/// A check lapses by the agent's own timer, and a tenth of a second later the servers know: within what every scenario gives the word of it.
const EXPIRY: Duration = Duration::ZERO;
/// R on Consul: all is compared every 10 s, and what is missing takes four requests on a busy machine.
const BACK: Duration = Duration::from_secs(12);
/// An agent that starts again tells the servers of its alias checks before anybody can have it look at those again that it forgot.
const HIDDEN: Duration = Duration::from_secs(5);
const LEAST_TTL: Duration = Duration::from_secs(1);
const NAMESPACE: &str = "reception-namespace";

const LACKS: &[Lack] = &[
    // A token lives until it is deleted, and no change of others ends it.
    Lack::Setup(Setup::IdleTokens),
    Lack::Setup(Setup::SignedTokens),
    Lack::Guard,
    // An agent reads its certificate when it starts.
    Lack::Setup(Setup::Certificate),
    Lack::Setup(Setup::BothCertificates),
    Lack::Seal,
    // A question that is held back has no past.
    Lack::Forgetting,
];

struct Stood {
    server: Consul,
    tap: Proxy,
    folder: TempDir,
}

/// Starts the agent of one scenario.
pub(crate) async fn stand(_number: u8) -> std::result::Result<Box<dyn Stand>, String> {
    let stood = async {
        let server = Consul::start_with(ConsulOptions::default().durable(true)).await?;
        let tap = Proxy::start_with(server.endpoint(), ProxyOptions::default().http1(true)).await?;
        let folder = tempfile::tempdir();
        let folder = folder.map_err(|source| Error::Io { what: "a temporary folder".to_owned(), source })?;
        Ok(Stood { server, tap, folder })
    };
    let stood: Result<Stood> = stood.await;
    Ok(Box::new(stood.map_err(|error| error.to_string())?))
}

fn unexpected(what: impl Into<String>) -> Error {
    Error::Unexpected { what: what.into() }
}

/// The name or id of a service in Consul.
fn prefixed(namespace: &str, name: &str) -> String {
    format!("{}-{name}", namespace.replace('/', "-"))
}

impl Stood {
    async fn read(&self, path: &str) -> Result<Value> {
        let answer = self.server.api().get(path).await?;
        match answer.status {
            404 => Ok(Value::Null),
            200 => serde_json::from_str(&answer.body).map_err(|error| unexpected(format!("{path}: {error}"))),
            status => Err(unexpected(format!("GET {path}: {status} {}", answer.body.trim()))),
        }
    }

    /// The ids of what clients of the namespace, or of one below it, have at the agent and is not known to be dead.
    async fn services(&self, namespace: &str, dead: bool) -> Result<Vec<String>> {
        let (services, checks) =
            (self.read("/v1/agent/services").await?, self.read("/v1/agent/checks").await?);
        let below = format!("{namespace}/");
        let of_namespace = |service: &Value| {
            let told = service["Meta"][NAMESPACE].as_str();
            told.is_some_and(|told| told == namespace || told.starts_with(&below))
        };
        let lapsed = |id: &str| {
            let mut checks = checks.as_object().into_iter().flatten().map(|(_, check)| check);
            checks.any(|check| check["ServiceID"] == id && check["Status"] == "critical")
        };
        let services = services.as_object().cloned().unwrap_or_default();
        Ok(services
            .into_iter()
            .filter(|(id, service)| of_namespace(service) && (dead || !lapsed(id)))
            .map(|(id, _)| id)
            .collect())
    }

    /// The ids of the sessions; whoever stands in an election has one.
    async fn sessions(&self) -> Result<Vec<String>> {
        let sessions = self.read("/v1/session/list").await?;
        let ids = sessions.as_array().into_iter().flatten().filter_map(|session| session["ID"].as_str());
        Ok(ids.map(str::to_owned).collect())
    }

    /// The keys of the namespace but for the domain.
    async fn keys(&self, namespace: &str) -> Result<Vec<String>> {
        let keys = self.read(&format!("/v1/kv/{namespace}/?keys")).await?;
        let keys = keys.as_array().cloned().unwrap_or_default();
        let keys = keys.iter().filter_map(Value::as_str).filter(|key| !key.ends_with("/.domain"));
        Ok(keys.map(str::to_owned).collect())
    }

    async fn deregister(&self, id: &str) -> Result<()> {
        self.server.api().put(&format!("/v1/agent/service/deregister/{id}"), "").await.map(drop)
    }

    fn saved(&self) -> String {
        self.folder.path().join("saved").display().to_string()
    }
}

#[async_trait]
impl Stand for Stood {
    fn endpoint(&self) -> SocketAddr {
        self.tap.endpoint()
    }

    fn lacks(&self) -> &'static [Lack] {
        LACKS
    }

    fn url(&self, endpoint: SocketAddr, namespace: &str, ttl: Duration) -> String {
        let ttl = ttl.as_millis();
        format!("consul://{endpoint}/{namespace}?ttl={ttl}ms&election_ttl={ttl}ms")
    }

    fn granted(&self, asked: Duration) -> Duration {
        asked.max(LEAST_TTL)
    }

    fn expiry_slack(&self) -> Duration {
        EXPIRY
    }

    fn back_after_revoke(&self) -> Duration {
        BACK
    }

    fn connects(&self) -> u64 {
        // Each question that is held back has a connection of its own: the watch, the lock, who lives at the agent.
        5
    }

    fn spare_connections(&self) -> usize {
        2
    }

    fn race(&self) -> Duration {
        // A registration is four requests, one after the other, and Ok when the agent has told the servers and a read shows it.
        Duration::from_millis(1500)
    }

    fn hidden_after_restart(&self) -> Option<Duration> {
        Some(HIDDEN)
    }

    fn watches_of_an_owner(&self) -> u64 {
        // It compares all that it has with the catalog now and then.
        0
    }

    fn reads_conflicts(&self) -> bool {
        true
    }

    fn sessions(&self) -> Option<ConsulApi> {
        Some(self.server.api())
    }

    fn kill(&self) {
        self.server.kill();
    }

    async fn restart(&self) -> Result<()> {
        self.server.restart().await
    }

    async fn wipe(&self) -> Result<()> {
        self.server.wipe().await
    }

    fn pause(&self) -> Result<()> {
        self.server.pause()
    }

    fn resume(&self) -> Result<()> {
        self.server.resume()
    }

    async fn revoke(&self, namespace: &str) -> Result<()> {
        let (services, sessions) = (self.services(namespace, true).await?, self.sessions().await?);
        if services.is_empty() && sessions.is_empty() {
            return Err(unexpected("there is nothing to take away"));
        }
        for session in sessions {
            self.server.api().put(&format!("/v1/session/destroy/{session}"), "").await?;
        }
        let (leases, records): (Vec<_>, Vec<_>) =
            services.into_iter().partition(|id| id.starts_with("reception-"));
        // What the instances hang on comes last: it is written again at once.
        for id in records.into_iter().chain(leases) {
            self.deregister(&id).await?;
        }
        Ok(())
    }

    async fn delete_leader(&self, namespace: &str, election: &str) -> Result<()> {
        let key = format!("/v1/kv/{namespace}/{election}/.lock");
        if self.read(&key).await?.is_null() {
            return Err(unexpected("there is no leader whose key could be deleted"));
        }
        self.server.api().ask("DELETE", &key, "").await.map(drop)
    }

    async fn delete_instance(&self, namespace: &str, service: &str, id: &str) -> Result<()> {
        self.deregister(&format!("{}:{id}", prefixed(namespace, service))).await
    }

    async fn residue(&self, namespace: &str) -> Result<Vec<String>> {
        // What died the agent shows as dead, and forgets after a minute or two.
        let left = self.services(namespace, false).await?;
        // What carries a check of a client is its lease, and no record.
        let told = |id: String| if id.starts_with("reception-") { format!("lease {id}") } else { id };
        let mut left: Vec<_> = left.into_iter().map(told).collect();
        left.extend(self.keys(namespace).await?);
        // A part of a scenario's namespace has others beside it, whose sessions are none of its own.
        if !namespace.contains('/') {
            left.extend(self.sessions().await?.into_iter().map(|id| format!("session {id}")));
        }
        Ok(left)
    }

    async fn save(&self) -> Result<()> {
        drop(std::fs::remove_file(self.saved()));
        self.server.run(&["snapshot", "save", &self.saved()]).await
    }

    async fn restore(&self) -> Result<()> {
        self.server.restart().await?;
        self.server.run(&["snapshot", "restore", &self.saved()]).await
    }

    async fn prepare(&self, _namespace: &str, _election: &str) -> Result<()> {
        Ok(())
    }

    async fn tally(&self) -> Result<Tally> {
        let held = self.tap.waiting();
        let watches = held.iter().filter(|asked| asked.contains("index=")).count() as u64;
        let asked = self.tap.asked();
        let lives = |asked: &String| asked.contains("/v1/agent/check/") || asked.contains("/renew/");
        let calls = asked.iter().filter(|asked| !lives(asked));
        let writes = calls.clone().filter(|asked| asked.starts_with("PUT ")).count() as u64;
        Ok(Tally { watches, writes, calls: Some(calls.count() as u64), logins: 0 })
    }

    async fn other(&self, _setup: Setup) -> Result<Option<Box<dyn Stand>>> {
        Ok(None)
    }

    fn guard(&self) -> Option<&dyn Guard> {
        None
    }

    fn seal(&self) -> Option<&dyn Seal> {
        None
    }

    fn folder(&self) -> Option<&dyn Folder> {
        None
    }

    async fn defragment(&self) -> Result<()> {
        Ok(())
    }

    async fn compact(&self) -> Result<bool> {
        Ok(false)
    }
}
