//! One election: candidates queue by the revision that made them, each on a lease of its own.

use std::{fmt, sync::Arc};

use reception_core::{
    BoxStream, ElectionName, Elector, ErrorKind, FencingToken, Leader, Leadership, Moment, Observation,
    Result, Service, async_trait,
};
use reception_kit::{
    Backoff, Break, Claim, Contest, Lifeline, Pulse, Standing, Won, elect, observation, record, sleep_until,
};
use uuid::Uuid;

use crate::{
    client::Shared,
    error::Refusal,
    layout::{candidate, tail},
    line::{Line, Watch},
    session::Presence,
    store::{Entry, Position, Store},
    watch::Leaders,
};

const OPERATION: &str = "elect";

/// One election, as a client sees it.
pub(crate) struct MemoryElector {
    shared: Arc<Shared>,
    lifeline: Lifeline,
    name: ElectionName,
    contest: Contest,
}

impl MemoryElector {
    pub(crate) fn new(shared: Arc<Shared>, lifeline: Lifeline, name: ElectionName) -> Self {
        let contest = Contest::new(crate::error::NAME);
        Self { shared, lifeline, name, contest }
    }

    async fn queue(&self, operation: &'static str) -> Result<Vec<Leader>> {
        let (folder, domain) = self.places();
        let read = |store: &mut Store, _| Ok((store.range(&folder), domain_of(store, &domain)?));
        let read = self.shared.line.call(operation, read);
        let (mut entries, domain) = self.shared.supervisor.serve(operation, read).await?;
        entries.sort_by_key(|(_, entry)| entry.created);
        let standing = entries.iter().filter(|(key, _)| tail(&folder, key).is_some());
        Ok(standing.map(|(_, entry)| leader(domain, entry)).collect())
    }

    fn places(&self) -> (String, String) {
        (self.shared.space.election(&self.name), self.shared.space.domain())
    }
}

#[async_trait]
impl Elector for MemoryElector {
    async fn elect(&self, service: Service) -> Result<Leadership> {
        let Shared { supervisor, options, line, .. } = &*self.shared;
        supervisor.check(OPERATION)?;
        let value = record::encode_candidate(&service)?;
        let entry = self.contest.enter(service.id())?;
        let candidacy = Candidacy::new(&self.shared, self.places(), value);
        let standing = Standing {
            election: self.name.clone(),
            clock: line.cluster().clock().clone(),
            margin: options.margin(),
            backoff: Backoff::with_bounds(options.retry() / 4, options.retry()),
            timeout: options.timeout,
        };
        elect(supervisor, self.lifeline.clone(), service, candidacy, standing, entry).await
    }

    async fn cancel(&self) -> Result<()> {
        self.shared.supervisor.check("cancel")?;
        self.contest.cancel().await
    }

    async fn leader(&self) -> Result<Option<Leader>> {
        Ok(self.queue("leader").await?.into_iter().next())
    }

    async fn candidates(&self) -> Result<Vec<Leader>> {
        self.queue("candidates").await
    }

    async fn observe(&self) -> Result<BoxStream<Result<Observation>>> {
        self.shared.supervisor.check("observe")?;
        let source = || Leaders::new(self.shared.line.clone(), self.places());
        let feed = self.shared.elections.subscribe(self.name.clone(), self.lifeline.clone(), source);
        Ok(observation(feed))
    }
}

impl fmt::Debug for MemoryElector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryElector").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The place of one candidate in the store.
#[derive(Debug)]
struct Candidacy {
    shared: Arc<Shared>,
    /// Bounded by the time for one renewal.
    line: Line,
    folder: String,
    domain: String,
    value: Vec<u8>,
    /// Noted before it is asked for, so that a release finds it also when the grant was dropped half way.
    lease: Option<u64>,
    stands: bool,
    renew_at: Moment,
    /// While leading: our own record.
    watch: Option<Watch>,
    _presence: Presence,
}

/// Where a candidate stands in the queue.
enum Turn {
    First([u8; 16], u64),
    Behind(String, Position),
}

impl Candidacy {
    fn new(shared: &Arc<Shared>, (folder, domain): (String, String), value: Vec<u8>) -> Self {
        Self {
            line: shared.line.limited(shared.options.renewal_limit()),
            shared: Arc::clone(shared),
            folder,
            domain,
            value,
            lease: None,
            stands: false,
            renew_at: Moment::NEVER,
            watch: None,
            _presence: shared.session.presence(),
        }
    }

    /// Takes a place in the queue, unless it is taken.
    async fn stand(&mut self) -> Result<u64> {
        let session = &self.shared.session;
        let lease = *self.lease.get_or_insert_with(|| session.new_lease());
        if !self.stands {
            session.grant(&self.line, lease, OPERATION).await?;
            let (key, value) = (candidate(&self.folder, lease), self.value.clone());
            let domain = &self.domain;
            self.line
                .call(OPERATION, |store, _| {
                    if store.get(domain).is_none() {
                        store.put(domain, Uuid::new_v4().simple().to_string().into_bytes(), None);
                    }
                    store.claim(&key, value, lease, false)
                })
                .await?;
            self.stands = true;
        }
        Ok(lease)
    }

    /// Renews the lease and looks at our own record and at who stands before us, in one request.
    async fn look(&self, lease: u64) -> Result<Result<Turn, Refusal>> {
        let key = candidate(&self.folder, lease);
        self.line
            .ask(OPERATION, |store, now| {
                store.renew(lease, now)?;
                let own = store.get(&key).ok_or(Refusal::NoLease)?.created;
                let mut before = store.range(&self.folder);
                before.retain(|(key, entry)| entry.created < own && tail(&self.folder, key).is_some());
                let nearest = before.into_iter().max_by_key(|(_, entry)| entry.created);
                Ok(match nearest {
                    Some((key, _)) => Turn::Behind(key, store.position()),
                    None => Turn::First(domain_of(store, &self.domain)?, own),
                })
            })
            .await
    }

    /// Waits until the candidate before us has changed, or until the lease wants renewing.
    async fn wait(&self, before: &str, since: Position, until: Moment) -> Result<()> {
        let mut watch = match Watch::open(&self.line, OPERATION, before, Some(since)).await {
            Ok(watch) => watch,
            Err(Break::Failed(error)) => return Err(error),
            Err(_) => return Ok(()),
        };
        tokio::select! {
            changes = watch.next() => match changes {
                Err(Break::Failed(error)) => Err(error),
                _ => Ok(()),
            },
            () = sleep_until(self.line.cluster().clock(), until) => Ok(()),
        }
    }

    /// One try to renew while leading. None: unknown, and soon to be tried again.
    async fn renew(&mut self, lease: u64) -> Option<Pulse> {
        let soon = self.shared.options.retry();
        if self.watch.is_none() {
            let own = candidate(&self.folder, lease);
            self.watch = Watch::open(&self.line, OPERATION, &own, None).await.ok();
        }
        let sent = self.line.now();
        self.renew_at = sent.saturating_add(soon);
        // Without a watch the store could not be reached a moment ago.
        self.watch.as_ref()?;
        let key = candidate(&self.folder, lease);
        let client = self.shared.session.client();
        let answer = self.line.ask("renew", |store, now| {
            store.own(&key, client).ok_or(Refusal::NoLease)?;
            store.renew(lease, now)
        });
        match answer.await {
            Ok(Ok(())) => {
                self.renew_at = sent.saturating_add(self.shared.options.renewal());
                Some(Pulse::Renewed { sent, ttl: self.shared.options.ttl })
            }
            Ok(Err(refusal)) => Some(Pulse::Lost(refusal.during(OPERATION))),
            Err(_) => None,
        }
    }
}

impl Claim for Candidacy {
    async fn win(&mut self) -> Result<Won> {
        loop {
            let stood = self.stand().await;
            let lease = match stood {
                Err(error) if error.kind() == ErrorKind::LeaseLost => {
                    self.release().await?;
                    return Err(error);
                }
                stood => stood?,
            };
            let sent = self.line.now();
            let renew_at = sent.saturating_add(self.shared.options.renewal());
            match self.look(lease).await? {
                Ok(Turn::First(domain, created)) => {
                    self.renew_at = sent;
                    return Ok(Won::new(FencingToken::new(domain, created), sent, self.shared.options.ttl));
                }
                Ok(Turn::Behind(before, since)) => self.wait(&before, since, renew_at).await?,
                // Our place is gone: the caller waits a little before we queue up again.
                Err(refusal) => {
                    self.release().await?;
                    return Err(refusal.during(OPERATION));
                }
            }
        }
    }

    async fn pulse(&mut self) -> Pulse {
        loop {
            let Some(lease) = self.lease else { return Pulse::Lost(Refusal::NoLease.during(OPERATION)) };
            let due = sleep_until(self.line.cluster().clock(), self.renew_at);
            let changed = tokio::select! {
                changes = async { match &mut self.watch {
                    Some(watch) => watch.next().await,
                    None => std::future::pending().await,
                } } => changes.is_ok(),
                () = due => true,
            };
            if !changed {
                self.watch = None;
                self.renew_at =
                    self.renew_at.min(self.line.now().saturating_add(self.shared.options.retry()));
            } else if let Some(pulse) = self.renew(lease).await {
                return pulse;
            }
        }
    }

    async fn release(&mut self) -> Result<()> {
        self.watch = None;
        if let Some(lease) = self.lease {
            self.shared.session.revoke(&self.line, lease, "resign").await?;
            (self.lease, self.stands) = (None, false);
        }
        Ok(())
    }
}

/// The domain of these data; zero while nobody has stood yet.
pub(crate) fn domain_of(store: &mut Store, place: &str) -> Result<[u8; 16], Refusal> {
    let Some(entry) = store.get(place) else { return Ok([0; 16]) };
    Uuid::try_parse_ascii(&entry.value).map(Uuid::into_bytes).map_err(|_| Refusal::OddDomain)
}

/// A record of a candidate, as others see it.
pub(crate) fn leader(domain: [u8; 16], entry: &Entry) -> Leader {
    let service = record::decode_candidate(&entry.value).ok();
    Leader::new(FencingToken::new(domain, entry.created), service, &entry.value)
}
