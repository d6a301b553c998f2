//! Elections by the recipe of Go's `concurrency.Election`: a key per candidate, named after its own lease; the oldest key leads.

mod candidacy;
mod observe;

use std::sync::Arc;

use etcd_client::{GetOptions, KeyValue, SortOrder, SortTarget, Txn, TxnOp};
use reception_core::{
    BoxStream, ElectionName, Elector, ErrorKind, FencingToken, Leader, Leadership, Observation, Result,
    Service, async_trait,
};
use reception_kit::{Backoff, Contest, Hub, Lifeline, Standing, elect, observation, record};

pub(crate) use candidacy::{Candidacy, margin};
pub(crate) use observe::Observer;

use crate::{
    error::{NAME, error},
    layout::{end_of, read_domain},
    session::{Patience, Position, Session, reads},
    watch::{Page, pages},
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

#[async_trait]
impl Elector for Election {
    async fn elect(&self, candidate: Service) -> Result<Leadership> {
        self.session.supervisor.check("elect")?;
        let value = record::encode_candidate(&candidate)?;
        let entry = self.contest.enter(candidate.id())?;
        let standing = Standing {
            election: self.name.clone(),
            clock: self.session.clock.clone(),
            margin: margin(self.session.ttl),
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
        self.session.supervisor.check("leader")?;
        let found = oldest(&self.session, "leader", self.session.patient(), &self.name).await?;
        Ok(found.leader.map(|kv| leader(found.domain, &kv)))
    }

    async fn candidates(&self) -> Result<Vec<Leader>> {
        const OPERATION: &str = "candidates";
        self.session.supervisor.check(OPERATION)?;
        let prefix = self.session.layout.candidates(&self.name);
        let mut keys = Vec::new();
        let domain = async {
            let key = self.session.layout.domain();
            self.session.get(OPERATION, self.session.patient(), key.as_bytes(), GetOptions::new()).await
        };
        let domain = read_domain(domain.await?.kvs().first().map(KeyValue::value));
        let (patience, mut page) = (self.session.patient(), Page::default());
        pages(&self.session, OPERATION, patience, &prefix, &mut page, |page| keys.extend(page)).await?;
        keys.sort_by_key(KeyValue::create_revision);
        Ok(keys.iter().map(|kv| leader(domain, kv)).collect())
    }

    async fn observe(&self) -> Result<BoxStream<Result<Observation>>> {
        self.session.supervisor.check("observe")?;
        let make = || Observer::new(&self.session, &self.name);
        Ok(observation(self.observers.subscribe(self.name.clone(), self.lifeline.clone(), make)))
    }
}

/// Who leads, as of one revision.
pub(crate) struct Oldest {
    pub(crate) at: Position,
    pub(crate) domain: [u8; 16],
    pub(crate) leader: Option<KeyValue>,
}

/// Reads the leader and the domain at one revision.
pub(crate) async fn oldest(
    session: &Session,
    operation: &'static str,
    patience: Patience,
    name: &ElectionName,
) -> Result<Oldest> {
    let prefix = session.layout.candidates(name);
    let first = GetOptions::new()
        .with_range(end_of(&prefix))
        .with_sort(SortTarget::Create, SortOrder::Ascend)
        .with_limit(1);
    let txn =
        Txn::new().and_then([TxnOp::get(session.layout.domain(), None), TxnOp::get(prefix, Some(first))]);
    let answer = session.txn(operation, patience, txn).await?;
    let mut read = reads(&answer).into_iter();
    let domain = read_domain(
        read.next().and_then(|mut read| read.take_kvs().into_iter().next()).as_ref().map(KeyValue::value),
    );
    let leader = read.next().and_then(|mut read| read.take_kvs().into_iter().next());
    if answer.header().is_none() {
        return Err(error(ErrorKind::Protocol, operation, "an answer without a header"));
    }
    Ok(Oldest { at: Position::of(answer.header()), domain, leader })
}

/// A candidate as others see it; one of another program has a value and no service.
pub(crate) fn leader(domain: [u8; 16], kv: &KeyValue) -> Leader {
    let token = FencingToken::new(domain, u64::try_from(kv.create_revision()).unwrap_or_default());
    Leader::new(token, record::decode_candidate(kv.value()).ok(), kv.value())
}
