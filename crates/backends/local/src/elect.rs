//! One election: candidates stand in the order of their tickets, and the one that holds the lock leads.

mod candidacy;
mod leaders;
mod term;

use std::{fmt, sync::Arc, time::Duration};

use reception_core::{
    BoxStream, Clock, ElectionName, Elector, Leader, Leadership, Observation, Result, Service, async_trait,
};
use reception_kit::{Backoff, Contest, Lifeline, Standing, elect, observation, record};

use crate::{client::Shared, error::NAME, layout::Room};
use candidacy::Candidacy;
pub(crate) use leaders::Leaders;

const OPERATION: &str = "elect";

/// One election, as a client sees it.
pub(crate) struct LocalElector {
    shared: Arc<Shared>,
    lifeline: Lifeline,
    name: ElectionName,
    room: Room,
    contest: Contest,
}

impl LocalElector {
    pub(crate) fn new(shared: Arc<Shared>, lifeline: Lifeline, name: ElectionName) -> Self {
        let room = shared.space.election(&name);
        Self { shared, lifeline, name, room, contest: Contest::new(NAME) }
    }

    async fn line(&self, operation: &'static str) -> Result<Vec<Leader>> {
        let room = self.room.clone();
        let read =
            self.shared.session.work(operation, move |_| room.check().and_then(|()| leaders::line(&room)));
        self.shared.supervisor().serve(operation, read).await
    }
}

#[async_trait]
impl Elector for LocalElector {
    async fn elect(&self, service: Service) -> Result<Leadership> {
        self.shared.supervisor().check(OPERATION)?;
        let value = record::encode_candidate(&service)?;
        let entry = self.contest.enter(service.id())?;
        let candidacy = Candidacy::new(Arc::clone(&self.shared.session), self.room.clone(), value);
        let standing = Standing {
            election: self.name.clone(),
            clock: Clock::BOOT,
            margin: Duration::ZERO,
            backoff: Backoff::new(),
            timeout: self.shared.session.timeout(),
        };
        elect(self.shared.supervisor(), self.lifeline.clone(), service, candidacy, standing, entry).await
    }

    async fn cancel(&self) -> Result<()> {
        self.shared.supervisor().check("cancel")?;
        self.contest.cancel().await
    }

    async fn leader(&self) -> Result<Option<Leader>> {
        let room = self.room.clone();
        let read =
            self.shared.session.work("leader", move |_| room.check().and_then(|()| leaders::leader(&room)));
        self.shared.supervisor().serve("leader", read).await
    }

    async fn candidates(&self) -> Result<Vec<Leader>> {
        self.line("candidates").await
    }

    async fn observe(&self) -> Result<BoxStream<Result<Observation>>> {
        self.shared.supervisor().check("observe")?;
        let source = || Leaders::new(Arc::clone(&self.shared.session), self.room.clone());
        let feed = self.shared.elections.subscribe(self.name.clone(), self.lifeline.clone(), source);
        Ok(observation(feed))
    }
}

impl fmt::Debug for LocalElector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalElector").field("name", &self.name).finish_non_exhaustive()
    }
}
