//! Elections by the recipe of Curator's `LeaderLatch`: an ephemeral sequential node per candidate; the lowest sequence number leads.

mod candidacy;
mod line;
mod observe;

use std::{sync::Arc, time::Duration};

use reception_core::{
    BoxStream, ElectionName, Elector, ErrorKind, FencingToken, Leader, Leadership, Moment, Observation,
    Result, Service, async_trait,
};
use reception_kit::{Backoff, Contest, Hub, Lifeline, Standing, elect, observation, signal};
use zookeeper_client as zk;

use candidacy::Candidacy;
use line::line;
use observe::Observer;

use crate::{
    error::{NAME, error},
    layout::{Paths, read_domain},
    session::Session,
    watch::{Found, read_all, read_one, readable},
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
        let value = self.session.paths.encode_candidate(&candidate)?;
        let entry = self.contest.enter(candidate.id())?;
        let standing = Standing {
            election: self.name.clone(),
            clock: self.session.clock.clone(),
            // Taken off each grant, which may be more or less than what was asked for.
            margin: Duration::ZERO,
            backoff: Backoff::new(),
            timeout: self.session.timeout,
        };
        let claim = Candidacy::new(&self.session, &self.name, candidate.id(), value);
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

/// Who stands; those that may not be read are left out and counted.
async fn candidates(session: &Arc<Session>, name: &ElectionName) -> Result<Vec<Leader>> {
    const OPERATION: &str = "candidates";
    let until = session.until();
    if session.paths.leader(name).is_some() {
        let text = "this layout tells who leads and not who stands";
        return Err(error(ErrorKind::Unsupported, OPERATION, text));
    }
    let folder = session.paths.candidates(name);
    let standing = line(session, OPERATION, until, &folder, true).await?;
    let domain = domain(session, OPERATION, until).await?;
    let found = read_all(session, OPERATION, until, &folder, standing).await?;
    readable(OPERATION, &folder, &found)?;
    let (mut known, mut refused) = (Vec::new(), 0);
    for (child, record) in found {
        match record {
            Found::Record { data, stat } => {
                known.push(leader(&session.paths, name, domain, &child, &data, &stat));
            }
            Found::Denied => refused += 1,
            Found::Nothing => {}
        }
    }
    if refused > 0 {
        signal::unreadable(NAME, name.as_str(), refused);
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
    if let Some(path) = session.paths.leader(name) {
        return named(session, operation, until, name, path).await;
    }
    let folder = session.paths.candidates(name);
    loop {
        let standing = line(session, operation, until, &folder, fresh).await?;
        let Some(child) = standing.into_iter().next() else { return Ok(None) };
        let path = format!("{folder}/{child}");
        // One that left meanwhile is not the first any more. One that may not be read leads all the same: to name another, or nobody, would be
        // wrong.
        let record = read_one(session, operation, until, &path).await?.needed(operation, &path)?;
        if let Some((data, stat)) = record {
            let domain = domain(session, operation, until).await?;
            let leader = leader(&session.paths, name, domain, &child, &data, &stat);
            return Ok(Some(First { path, leader }));
        }
    }
}

/// Reads the node that names the leader. It outlives the leader, so the one it names has to be there.
async fn named(
    session: &Arc<Session>,
    operation: &'static str,
    until: Moment,
    name: &ElectionName,
    path: String,
) -> Result<Option<First>> {
    let record = read_one(session, operation, until, &path).await?.needed(operation, &path)?;
    let Some((data, stat)) = record else { return Ok(None) };
    let folder = session.paths.candidates(name);
    let child = String::from_utf8_lossy(&data).into_owned();
    if session.paths.sequence(&child).is_none() || child.contains('/') {
        return Ok(None);
    }
    let there = format!("{folder}/{child}");
    let standing = read_one(session, operation, until, &there).await?.needed(operation, &there)?;
    let Some((mut of_leader, _)) = standing else { return Ok(None) };
    if let Some(records) = session.paths.records(&folder) {
        let there = format!("{records}/{child}");
        let record = read_one(session, operation, until, &there).await?.needed(operation, &there)?;
        let Some((data, _)) = record else { return Ok(None) };
        of_leader = data;
    }
    let service = session.paths.decode_candidate(name, &child, &of_leader);
    // The node is written by each that begins to lead, so its last transaction grows; nobody knows a domain.
    let token = FencingToken::new([0; 16], u64::try_from(stat.mzxid).unwrap_or_default());
    Ok(Some(First { path, leader: Leader::new(token, service, &data) }))
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
fn leader(
    paths: &Paths,
    name: &ElectionName,
    domain: [u8; 16],
    child: &str,
    data: &[u8],
    stat: &zk::Stat,
) -> Leader {
    let token = FencingToken::new(domain, u64::try_from(stat.czxid).unwrap_or_default());
    Leader::new(token, paths.decode_candidate(name, child, data), data)
}
