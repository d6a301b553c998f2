//! Elections by a lock as `consul lock` takes it: a key, held by a session. The session lives as long as this process's check of elections, and by its
//! own time to live when the agent is gone.

mod candidacy;
mod observe;
mod remains;

use std::{sync::Arc, time::Duration};

use reception_core::{
    BoxStream, ElectionName, Elector, Error, ErrorKind, FencingToken, Leader, Leadership, Observation,
    Result, Service, async_trait,
};
use reception_kit::{Backoff, Contest, Hub, Lifeline, Standing, elect, observation, record};

use candidacy::Candidacy;
use observe::Observer;

use crate::{
    api::Pair,
    error::{NAME, error},
    http::Path,
    layout::read_domain,
    session::Session,
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
        let contest = Contest::new(NAME);
        Self { session: Arc::clone(session), name: name.clone(), observers, contest, lifeline }
    }
}

/// How long before the check lapses a leadership ends: what two clocks may differ by, a tenth of the time to live.
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
            margin: margin(self.session.options.election_ttl),
            backoff: Backoff::new(),
            timeout: self.session.timeout(),
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
        let (session, key) = (Arc::clone(&self.session), self.session.names.lock(&self.name));
        let find = async move {
            session.check_enterprise(OPERATION).await?;
            let consistent = |path: Path| path.flag("consistent");
            let (_, pair) = session.http.key(OPERATION, &key, consistent, session.timeout()).await?;
            let Some(pair) = pair.filter(|pair| pair.holder().is_some()) else { return Ok(None) };
            let domain = domain(&session, OPERATION).await?.unwrap_or_default();
            Ok(Some(leader(domain, &pair)))
        };
        self.session.serve(OPERATION, find).await
    }

    async fn candidates(&self) -> Result<Vec<Leader>> {
        self.session.supervisor.check("candidates")?;
        Err(unlisted())
    }

    async fn observe(&self) -> Result<BoxStream<Result<Observation>>> {
        self.session.supervisor.check("observe")?;
        let make = || Observer::new(&self.session, &self.name);
        Ok(observation(self.observers.subscribe(self.name.clone(), self.lifeline.clone(), make)))
    }
}

/// Who waits for a lock is known to nobody but itself.
fn unlisted() -> Error {
    error(ErrorKind::Unsupported, "candidates", "a lock does not tell who waits for it")
}

/// The domain of tokens, if one was written and may be read.
async fn domain(session: &Arc<Session>, operation: &'static str) -> Result<Option<[u8; 16]>> {
    let key = session.names.domain();
    let consistent = |path: Path| path.flag("consistent");
    match session.http.key(operation, &key, consistent, session.timeout()).await {
        Ok((_, pair)) => Ok(pair.and_then(|pair| read_domain(&pair.value()))),
        Err(denied) if denied.kind() == ErrorKind::Denied => Ok(None),
        Err(failed) => Err(failed),
    }
}

/// The holder of a lock as others see it; one of another program has a value and no service.
fn leader(domain: [u8; 16], pair: &Pair) -> Leader {
    let value = pair.value();
    Leader::new(FencingToken::new(domain, pair.modified), record::decode_candidate(&value).ok(), &value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B10: a leader that passes its check each quarter of the time may miss one pass, and has some time left.
    #[test]
    fn whatever_the_time_to_live_a_deadline_is_longer_than_two_passes() {
        for ttl in [1, 2, 5, 10, 3600, 24 * 3600].map(Duration::from_secs) {
            let (deadline, every) = (ttl.saturating_sub(margin(ttl)), ttl / 4);
            assert!(margin(ttl) < ttl && deadline > every * 2, "{ttl:?}: {deadline:?}, {every:?}");
        }
    }
}
