//! Elections by the recipe of Curator's `LeaderLatch`: an ephemeral sequential node per candidate; the lowest sequence number leads.

mod candidacy;
mod line;
mod observe;

use std::{sync::Arc, time::Duration};

use reception_core::{
    BoxStream, ElectionName, Elector, FencingToken, Leader, Leadership, Moment, Observation, Result, Service,
    async_trait,
};
use reception_kit::{Backoff, Contest, Hub, Lifeline, Standing, elect, observation, record};
use zookeeper_client as zk;

use candidacy::Candidacy;
use line::line;
use observe::Observer;

use crate::{
    error::NAME,
    layout::read_domain,
    session::Session,
    watch::{Found, read_all, read_one},
};

/// Where the readers of one election meet.
pub(crate) type Observers = Hub<ElectionName, Observer>;

/// One election.
#[derive(Debug)]
pub(crate) struct Election {
    session: Arc<Session>,
    name: ElectionName,
    observers: Observers,
    contest: Contest,
    lifeline: Lifeline,
}

impl Election {
    pub(crate) fn new(
        session: &Arc<Session>,
        name: &ElectionName,
        observers: Observers,
        lifeline: Lifeline,
    ) -> Self {
        Self {
            session: Arc::clone(session),
            name: name.clone(),
            observers,
            contest: Contest::new(NAME),
            lifeline,
        }
    }
}

/// How long before the session ends a leadership does: what two clocks may differ by, a tenth of the time to live.
pub(crate) fn margin(ttl: Duration) -> Duration {
    (ttl / 10).max(Duration::from_millis(200))
}

#[async_trait]
impl Elector for Election {
    async fn elect(&self, candidate: Service) -> Result<Leadership> {
        self.session.supervisor.check("elect")?;
        let value = record::encode_candidate(&candidate)?;
        let entry = self.contest.enter(candidate.id())?;
        let standing = Standing {
            election: self.name.clone(),
            clock: self.session.clock.clone(),
            // Taken off each grant, which may be more or less than what was asked for.
            margin: Duration::ZERO,
            backoff: Backoff::new(),
            timeout: self.session.timeout,
        };
        let claim = Candidacy::new(&self.session, &self.name, value);
        elect(&self.session.supervisor, self.lifeline.clone(), candidate, claim, standing, entry).await
    }

    async fn cancel(&self) -> Result<()> {
        self.session.supervisor.check("cancel")?;
        self.contest.cancel().await
    }

    async fn leader(&self) -> Result<Option<Leader>> {
        const OPERATION: &str = "leader";
        let (session, name) = (Arc::clone(&self.session), self.name.clone());
        let find = async move { first(&session, OPERATION, session.until(), &name, true).await };
        Ok(self.session.serve(OPERATION, find).await?.map(|first| first.leader))
    }

    async fn candidates(&self) -> Result<Vec<Leader>> {
        let (session, name) = (Arc::clone(&self.session), self.name.clone());
        self.session.serve("candidates", async move { candidates(&session, &name).await }).await
    }

    async fn observe(&self) -> Result<BoxStream<Result<Observation>>> {
        self.session.supervisor.check("observe")?;
        let make = || Observer::new(&self.session, &self.name);
        Ok(observation(self.observers.subscribe(self.name.clone(), self.lifeline.clone(), make)))
    }
}

async fn candidates(session: &Arc<Session>, name: &ElectionName) -> Result<Vec<Leader>> {
    const OPERATION: &str = "candidates";
    let until = session.until();
    let folder = session.paths.candidates(name);
    let standing = line(session, OPERATION, until, &folder, true).await?;
    let domain = domain(session, OPERATION, until).await?;
    let found = read_all(session, OPERATION, until, &folder, standing).await?;
    let mut known = Vec::new();
    for (child, record) in found {
        let record = record.needed(OPERATION, &format!("{folder}/{child}"))?;
        known.extend(record.map(|(data, stat)| leader(domain, &data, &stat)));
    }
    Ok(known)
}

/// Who leads, and where that is written.
pub(crate) struct First {
    pub(crate) path: String,
    pub(crate) leader: Leader,
}

/// Reads the leader.
pub(crate) async fn first(
    session: &Arc<Session>,
    operation: &'static str,
    until: Moment,
    name: &ElectionName,
    fresh: bool,
) -> Result<Option<First>> {
    let folder = session.paths.candidates(name);
    loop {
        let standing = line(session, operation, until, &folder, fresh).await?;
        let Some(child) = standing.into_iter().next() else { return Ok(None) };
        let path = format!("{folder}/{child}");
        // One that left meanwhile is not the first any more.
        let record = read_one(session, operation, until, &path).await?.needed(operation, &path)?;
        if let Some((data, stat)) = record {
            let domain = domain(session, operation, until).await?;
            return Ok(Some(First { path, leader: leader(domain, &data, &stat) }));
        }
    }
}

/// The domain of tokens; zero when none was written yet or it may not be read. Read once a session.
pub(crate) async fn domain(
    session: &Arc<Session>,
    operation: &'static str,
    until: Moment,
) -> Result<[u8; 16]> {
    let id = session.live(operation, until).await?.id;
    if let Some(known) = session.known_domain(id) {
        return Ok(known);
    }
    let Found::Record { data, .. } = read_one(session, operation, until, &session.paths.domain()).await?
    else {
        return Ok([0; 16]);
    };
    let Some(domain) = read_domain(&data) else { return Ok([0; 16]) };
    session.note_domain(id, domain);
    Ok(domain)
}

/// A candidate as others see it; one of another program has a value and no service.
pub(crate) fn leader(domain: [u8; 16], data: &[u8], stat: &zk::Stat) -> Leader {
    let token = FencingToken::new(domain, u64::try_from(stat.czxid).unwrap_or_default());
    Leader::new(token, record::decode_candidate(data).ok(), data)
}
