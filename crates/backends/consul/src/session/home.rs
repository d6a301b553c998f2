//! Which of several agents has what is ours, and when another one gets it.
//!
//! All that is registered stands at one agent, the home: the first of the URL that answers when the first thing is registered. It stays there as long as that
//! agent gives any answer. When it has given none for as long as our check there takes to lapse, the next one that answers is the home: everything is
//! written there, and what the old one left is taken out of the catalog, and out of the old one when it is back.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::StatusCode;
use reception_core::{ErrorKind, Result};

use super::{
    Session,
    inventory::{marked, ours},
};
use crate::{
    api::{Found, parse, parse_agent},
    error::error,
    http::{Call, Path},
    layout::{HIDDEN, owner_of_mark},
};

/// What stands in the version of such an agent.
const ENTERPRISE: &str = "ent";
/// How long one agent has to say that it answers.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Home {
    known: Mutex<Known>,
    /// One moves at a time.
    moving: tokio::sync::Mutex<()>,
    /// An agent said so, or need not.
    has_enterprise: AtomicBool,
}

#[derive(Debug, Default)]
struct Known {
    /// An agent and the name of its node.
    node: Option<(usize, Arc<str>)>,
    /// As it was known last, when it has to be asked for again.
    last: Option<(usize, Arc<str>)>,
    /// Agents that were the home, each with its node: something of ours may still be there.
    left: BTreeMap<usize, Option<Arc<str>>>,
}

impl Home {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// The name of our agent's node.
    pub(crate) async fn node(&self, operation: &'static str) -> Result<Arc<str>> {
        if let Some(node) = self.known_node() {
            return Ok(node);
        }
        let at = self.http.home();
        let agent = self.http.agent_self(operation, self.timeout()).await?;
        if let Some(wanted) = self.options.datacenter.as_ref().filter(|wanted| **wanted != agent.datacenter) {
            let text = format!(
                "an agent takes what is of its own datacenter {:?}, and option \"datacenter\" is {wanted:?}",
                agent.datacenter
            );
            return Err(error(ErrorKind::Config, operation, text));
        }
        let node: Arc<str> = agent.node.into();
        self.home.known().node = Some((at, Arc::clone(&node)));
        Ok(node)
    }

    /// The agent at the home's address may be another one by now: its name is asked for again.
    pub(crate) fn forget_node(&self) {
        let mut known = self.home.known();
        if let Some(node) = known.node.take() {
            known.last = Some(node);
        }
    }

    /// The name of an agent's node as it was known last.
    fn last_node(&self, at: usize) -> Option<Arc<str>> {
        let known = self.home.known();
        let mut names = [&known.node, &known.last].into_iter().flatten();
        names.find(|(of, _)| *of == at).map(|(_, node)| Arc::clone(node))
    }

    /// Refuses what is of another place than our agent: it would be written to the agent all the same.
    pub(crate) async fn check_place(&self, operation: &'static str) -> Result<()> {
        if self.options.datacenter.is_some() {
            self.node(operation).await?;
        }
        self.check_enterprise(operation).await
    }

    /// Refuses a namespace and a partition where there are none: an agent that does not know the word answers for all.
    pub(crate) async fn check_enterprise(&self, operation: &'static str) -> Result<()> {
        if self.http.enterprise().next().is_none() || self.home.has_enterprise.load(Ordering::Acquire) {
            return Ok(());
        }
        let answer = self.http.ask(&Call::get(operation, Path::of("agent/self")), self.timeout()).await;
        match answer.and_then(|answer| parse_agent(operation, &answer.body)) {
            Ok(agent) if !agent.version.contains(ENTERPRISE) => {
                let options: Vec<_> = self.http.enterprise().map(|(name, _)| name.to_lowercase()).collect();
                let text = format!(
                    "option {}: the agent is of Consul {}, which is not Enterprise",
                    options.join(", "),
                    agent.version
                );
                return Err(error(ErrorKind::Unsupported, operation, text));
            }
            Ok(_) => {}
            // Who may not ask the agent for itself is believed.
            Err(denied) if denied.kind() == ErrorKind::Denied => {}
            Err(failed) => return Err(failed),
        }
        self.home.has_enterprise.store(true, Ordering::Release);
        Ok(())
    }

    /// The name of our agent's node, if it is known.
    pub(crate) fn known_node(&self) -> Option<Arc<str>> {
        let home = self.http.home();
        self.home.known().node.as_ref().filter(|(at, _)| *at == home).map(|(_, node)| Arc::clone(node))
    }

    /// Before anything of ours stands anywhere: the first agent that answers is the home.
    pub(crate) async fn find_home(&self, operation: &'static str) {
        if self.http.count() == 1 || !self.http.holds_nothing() {
            return;
        }
        let _moving = self.home.moving.lock().await;
        for at in self.http.order() {
            if self.answers(operation, at).await {
                self.http.follow(at);
                return;
            }
        }
    }

    /// Whether an agent answers, and knows of a leader.
    async fn answers(&self, operation: &'static str, at: usize) -> bool {
        let call = Call::get(operation, Path::of("status/leader"));
        let answer = self.http.send_to(at, &call, PATIENCE.min(self.timeout())).await;
        answer.is_ok_and(|answer| answer.status.is_success() && answer.body.trim_ascii().len() > 2)
    }

    /// Makes another agent the home when ours is gone; true when it did.
    pub(super) async fn move_on(self: &Arc<Self>, operation: &'static str) -> bool {
        let (home, count) = (self.http.home(), self.http.count());
        let registered = !self.lines.is_empty() || !self.heart.is_idle().await;
        let lease = if registered { self.options.ttl } else { self.options.election_ttl };
        if count == 1 || !self.http.is_gone(home, lease) {
            return false;
        }
        let _moving = self.home.moving.lock().await;
        if self.http.home() != home {
            return true;
        }
        for at in (1..count).map(|step| (home + step) % count) {
            if self.answers(operation, at).await {
                let node = self.last_node(home);
                self.home.known().left.insert(home, node);
                self.http.move_home(at);
                tracing::warn!(backend = crate::error::NAME, "another agent takes over what is registered");
                self.standing.moved(self).await;
                self.heart.moved(self).await;
                let gone =
                    error(ErrorKind::LeaseLost, operation, "the agent is gone, another one takes over");
                self.lines.lose_all(&gone);
                self.heart.joined.notify_one();
                self.clear(operation).await;
                return true;
            }
        }
        false
    }

    /// Whether nothing of ours is where it should not be.
    pub(super) fn left_nothing(&self) -> bool {
        self.home.known().left.is_empty()
    }

    /// Takes away what is left at agents that were the home.
    pub(super) async fn clear(&self, operation: &'static str) {
        let left: Vec<_> = self.home.known().left.iter().map(|(at, node)| (*at, node.clone())).collect();
        for (at, node) in left {
            if let Some(node) = node.filter(|_| at != self.http.home()) {
                // Its agent may be gone for ever, and nobody else takes it out.
                if self.strike(operation, &node).await.is_ok() {
                    self.home.known().left.insert(at, None);
                }
            }
            if self.clear_agent(operation, at).await.is_ok() {
                self.home.known().left.remove(&at);
            }
        }
    }

    /// Takes what is ours at a node out of the catalog.
    async fn strike(&self, operation: &'static str, node: &str) -> Result<()> {
        let mut ids: BTreeSet<String> = self.found(operation, node).await?.into_keys().collect();
        ids.extend([self.heart.service(), self.standing.service()].map(str::to_owned));
        for id in ids {
            self.http.catalog_deregister(operation, node, &id, self.timeout()).await?;
        }
        Ok(())
    }

    /// Takes away what is ours at an agent; if that is the home, only what nobody here wants.
    async fn clear_agent(&self, operation: &'static str, at: usize) -> Result<()> {
        let path =
            Path::of("agent/services").with("filter", &format!("{} or Service == `{HIDDEN}`", ours(self)));
        let limit = PATIENCE.min(self.timeout());
        let answer = self.http.send_to(at, &Call::get(operation, path), limit).await?;
        if answer.status != StatusCode::OK {
            return Err(error(ErrorKind::Unavailable, operation, "it does not answer well yet"));
        }
        let found: BTreeMap<String, Found> = parse(operation, "listing what is left", &answer.body)?;
        let home = at == self.http.home();
        let mut gone: Vec<String> = [self.heart.service(), self.standing.service()]
            .into_iter()
            .filter(|id| !home && found.contains_key(*id))
            .map(str::to_owned)
            .collect();
        let marked = marked(self, found.into_values()).into_iter();
        let wanted = |mark: &str| home && owner_of_mark(mark).is_some_and(|owner| self.lines.has(owner));
        gone.extend(marked.filter(|(_, mark)| !wanted(mark)).map(|(id, _)| id));
        for id in gone {
            let path = Path::of("agent/service/deregister").then(&id);
            let answer = self.http.send_to(at, &Call::put(operation, path, Vec::new()), limit).await?;
            if !answer.status.is_success() && answer.status != StatusCode::NOT_FOUND {
                return Err(error(ErrorKind::Unavailable, operation, "it is not taken away yet"));
            }
        }
        Ok(())
    }
}
