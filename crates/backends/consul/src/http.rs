//! Speaking to the agents: one pooled client for everything, one deadline for each call, one place where a path is escaped.

mod agents;
mod answer;
mod call;
mod gate;
mod path;
mod step;
mod token;
mod wire;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, header};
use reception_core::{Endpoint, Error, ErrorKind, Result, Retry};
use reception_kit::{CancellationToken, Supervisor};
use tokio::{sync::Notify, time::Instant};

pub(crate) use agents::Hold;
use agents::{Agent, Agents};
pub(crate) use answer::Answer;
pub(crate) use call::Call;
use gate::Gates;
pub(crate) use path::Path;
use step::HOLD;
pub(crate) use token::Token;
use wire::Wire;

use crate::{
    error::{SLOW, error, passes},
    options::Options,
};

/// The most bytes of an answer, unpacked: a list of 10,000 instances has 9 MB.
pub(crate) const MOST_ANSWER: usize = 256 << 20;
const TOKEN: &str = "x-consul-token";

/// A client of one or several agents.
#[derive(Clone)]
pub(crate) struct Http {
    inner: Arc<Inner>,
}

struct Inner {
    wire: Wire,
    agents: Agents,
    /// An agent that gave no answer gave one.
    back_again: Notify,
    secure: bool,
    token: Token,
    back: Supervisor,
    leaving: CancellationToken,
    gates: Gates,
    /// Goes with every request: datacenter, namespace, partition.
    scope: Vec<(&'static str, String)>,
}

impl Http {
    pub(crate) fn new(
        options: &Options,
        supervisor: &Supervisor,
        leaving: &CancellationToken,
    ) -> Result<Self> {
        let mut scope = Vec::new();
        for (key, value) in [
            ("dc", &options.datacenter),
            ("ns", &options.enterprise_namespace),
            ("partition", &options.partition),
        ] {
            scope.extend(value.clone().map(|value| (key, value)));
        }
        let inner = Inner {
            wire: Wire::new(options, supervisor, leaving)?,
            agents: Agents::new(options.addresses(), options.ttl.min(options.election_ttl)),
            secure: options.tls.is_on(),
            back_again: Notify::new(),
            token: Token::new(options)?,
            back: supervisor.clone(),
            leaving: leaving.clone(),
            gates: Gates::new(),
            scope,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The namespace and the partition of Consul Enterprise, as bodies call them.
    pub(crate) fn enterprise(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.inner.scope.iter().filter_map(|(key, value)| match *key {
            "ns" => Some(("Namespace", value.as_str())),
            "partition" => Some(("Partition", value.as_str())),
            _ => None,
        })
    }

    /// How many agents there are.
    pub(crate) fn count(&self) -> usize {
        self.inner.agents.all().len()
    }

    /// The agent that has our registrations.
    pub(crate) fn home(&self) -> usize {
        self.inner.agents.home()
    }

    /// The agent to ask now: the home, unless it gives no answer and another does.
    pub(crate) fn nearest(&self) -> usize {
        self.order().first().copied().unwrap_or_default()
    }

    /// The agents, the one to ask first.
    pub(crate) fn order(&self) -> Vec<usize> {
        self.inner.agents.order()
    }

    /// This agent answers: it is the home, if nothing stands at another.
    pub(crate) fn follow(&self, at: usize) {
        self.inner.agents.follow(at);
    }

    /// Whether an agent has given no answer for so long.
    pub(crate) fn is_gone(&self, at: usize, lease: Duration) -> bool {
        self.inner.agents.is_gone(at, lease)
    }

    /// Says that something stands at the home, or may.
    pub(crate) fn hold(&self) -> Hold {
        self.inner.agents.hold()
    }

    pub(crate) fn holds_nothing(&self) -> bool {
        self.inner.agents.holds_nothing()
    }

    /// Waits until an agent that gave no answer gives one.
    pub(crate) async fn back_again(&self) {
        self.inner.back_again.notified().await;
    }

    pub(crate) fn move_home(&self, to: usize) {
        self.inner.agents.move_home(to);
    }

    pub(crate) fn has_token(&self) -> bool {
        !matches!(self.inner.token, Token::None)
    }

    /// Grows when the token is another one: an agent keeps the one that came with a registration.
    pub(crate) fn token_turn(&self) -> u64 {
        self.inner.token.turn()
    }

    /// Carries out a call, by the agent that has our registrations, else by the next one that answers.
    ///
    /// `limit` is for each agent; the whole answer has to be there by then. What broke is tried once more: an answer may be lost by a connection that was about to
    /// end, and all that is asked here comes to the same when it is asked twice, but for what is marked.
    pub(crate) async fn send(&self, call: &Call, limit: Duration) -> Result<Answer> {
        if call.own {
            return self.send_twice(self.home(), call, limit).await;
        }
        let mut tried = Vec::new();
        for at in self.order() {
            match self.send_twice(at, call, limit).await {
                Ok(answer) => {
                    self.follow(at);
                    return Ok(answer);
                }
                Err(failed) if passes(&failed) => tried.push(failed),
                Err(failed) => return Err(failed),
            }
        }
        let Some(first) = tried.first() else { return Err(self.nobody(call.operation)) };
        let same = tried.iter().all(|failed| failed.kind() == first.kind());
        let (kind, retry) =
            if same { (first.kind(), first.retry()) } else { (ErrorKind::Unavailable, Retry::Backoff) };
        let said: Vec<&str> = tried.iter().map(Error::context).collect();
        Err(error(kind, call.operation, said.join("; ")).with_retry(retry))
    }

    /// Carries out a call whose answer must be a success.
    pub(crate) async fn ask(&self, call: &Call, limit: Duration) -> Result<Answer> {
        let answer = self.send(call, limit).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(answer.refusal(call.operation, call.path.plain()))
    }

    async fn send_twice(&self, at: usize, call: &Call, limit: Duration) -> Result<Answer> {
        let begun = Instant::now();
        match self.send_to(at, call, limit).await {
            Err(broke) if broke.kind() == ErrorKind::Unavailable && !call.once => {
                let left = limit.saturating_sub(begun.elapsed());
                if left.is_zero() { Err(broke) } else { self.send_to(at, call, left).await }
            }
            other => other,
        }
    }

    /// Asks one agent, in turns with all who ask it when it gave no answer last time.
    async fn exchange(&self, agent: &Agent, call: &Call) -> Result<Answer> {
        let request = self.request(&agent.address, call)?;
        let step = &agent.step;
        let mut turn = None;
        if !call.urgent {
            // The failure may be one of another call, which is no news to who waits for this one.
            let told = |why: Error| {
                let text = format!("{}: {}: {}", agent.address, call.path.plain(), why.context());
                error(why.kind(), call.operation, text).with_retry(why.retry())
            };
            turn = step.enter(self.count() == 1).await.map_err(told)?;
        }
        let counts = turn.is_none() && !call.urgent && !call.held;
        let _place = if counts { agent.calls.acquire().await.ok() } else { None };
        let begun = Instant::now();
        let exchange = self.inner.wire.exchange(request);
        tokio::pin!(exchange);
        let done = loop {
            tokio::select! {
                done = &mut exchange => break done,
                () = tokio::time::sleep(HOLD), if turn.is_some() => turn = None,
            }
        };
        match done {
            Ok((status, headers, body)) => {
                if step.answered() {
                    self.inner.back_again.notify_one();
                }
                let mut answer = Answer::new(status, &headers, body);
                if answer.is_refusal() {
                    answer.heals = self.inner.token.refused();
                }
                Ok(answer)
            }
            Err(why) => {
                let kind = why.kind();
                // Another certificate heals it, so it is tried again, slowly.
                let slowly = |failed: Error| {
                    if kind == ErrorKind::Config { failed.with_retry(SLOW) } else { failed }
                };
                if kind != ErrorKind::Protocol {
                    step.failed(begun, &slowly(error(kind, call.operation, why.to_string())));
                }
                let text = format!("{}: {}: {why}", agent.address, call.path.plain());
                Err(slowly(error(kind, call.operation, text)))
            }
        }
    }

    pub(crate) async fn send_to(&self, at: usize, call: &Call, limit: Duration) -> Result<Answer> {
        let agent = self.inner.agents.all().get(at).ok_or_else(|| self.nobody(call.operation))?;
        let asked = Instant::now();
        match tokio::time::timeout(limit, self.exchange(agent, call)).await {
            Ok(answer) => answer,
            Err(_) => {
                agent.step.unheard(asked);
                let text = format!("{}: {}: no answer within {limit:?}", agent.address, call.path.plain());
                Err(error(ErrorKind::Timeout, call.operation, text))
            }
        }
    }

    fn nobody(&self, operation: &'static str) -> Error {
        error(ErrorKind::Unavailable, operation, "no agent is known")
    }

    fn request(&self, agent: &str, call: &Call) -> Result<Request<Full<Bytes>>> {
        let scheme = if self.inner.secure { "https" } else { "http" };
        let target = format!("{scheme}://{agent}{}", call.path.target(&self.inner.scope));
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(target)
            .header(header::ACCEPT_ENCODING, "gzip")
            .header(header::USER_AGENT, "reception");
        if !call.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(value) = self.inner.token.header() {
            request = request.header(TOKEN, value);
        }
        request.body(Full::new(call.body.clone())).map_err(|_| {
            error(ErrorKind::Config, call.operation, format!("{agent} is no host that can be asked"))
        })
    }

    /// Asks every agent and says how long it took.
    pub(crate) async fn probe(&self, call: &Call, limit: Duration) -> (Vec<Endpoint>, Option<Answer>) {
        let asked = (0..self.count()).map(|at| async move {
            let begun = Instant::now();
            (self.send_to(at, call, limit).await, begun.elapsed())
        });
        let answers = futures_util::future::join_all(asked).await;
        let (mut endpoints, mut first) = (Vec::new(), None);
        for (agent, (answer, took)) in self.inner.agents.all().iter().zip(answers) {
            let agent = &agent.address;
            let outcome = match answer {
                Ok(answer) if answer.status.is_success() => {
                    first = first.or(Some(answer));
                    Ok(took)
                }
                Ok(answer) => Err(answer.refusal(call.operation, agent)),
                Err(failed) => Err(failed),
            };
            endpoints.push(Endpoint::new(agent.clone(), outcome));
        }
        (endpoints, first)
    }
}

impl fmt::Debug for Http {
    // Neither token nor connections: both hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let agents: Vec<&str> = self.inner.agents.all().iter().map(|agent| agent.address.as_str()).collect();
        f.debug_struct("Http").field("agents", &agents).finish_non_exhaustive()
    }
}
