//! An elector with a flaw.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream};
use reception_core::{
    BoxStream, Clock, Elector, Error, ErrorKind, FencingToken, Leader, Leadership, Observation, Result,
    Service, async_trait,
};
use tokio::sync::oneshot;

use crate::{
    flaw::Flaw,
    guard::{broken_leadership, made_up_leadership, spawn},
};

static COUNTER: AtomicU64 = AtomicU64::new(1);

#[derive(Debug)]
pub(crate) struct DoubleElector {
    flaw: Flaw,
    inner: Arc<dyn Elector>,
    clock: Clock,
}

impl DoubleElector {
    pub(crate) fn new(flaw: Flaw, inner: Arc<dyn Elector>, clock: Clock) -> Self {
        Self { flaw, inner, clock }
    }

    /// Stands in a task, which sends news of the win as a message that may find nobody, while the claim lies in
    /// a slot that nobody else empties.
    async fn elects_in_a_task(&self, candidate: Service) -> Result<Leadership> {
        let slot: Arc<Mutex<Option<Leadership>>> = Arc::default();
        let (mut say, hear) = oneshot::channel();
        let (inner, flaw, claim) = (Arc::clone(&self.inner), self.flaw, Arc::clone(&slot));
        spawn(async move {
            let won = if flaw == Flaw::LosesAnUnpolledWin {
                tokio::select! {
                    won = inner.elect(candidate) => won,
                    () = say.closed() => return,
                }
            } else {
                inner.elect(candidate).await
            };
            match won {
                Err(error) => drop(say.send(Err(error))),
                Ok(leadership) => {
                    let lost = leadership.lost();
                    claim.lock().unwrap_or_else(PoisonError::into_inner).replace(leadership);
                    drop(say.send(Ok(())));
                    lost.await;
                }
            }
        });
        let gone = || Error::new(ErrorKind::Closed, "double", "elect", "the task ended");
        hear.await.unwrap_or_else(|_| Err(gone()))?;
        slot.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(gone)
    }
}

#[async_trait]
impl Elector for DoubleElector {
    async fn elect(&self, candidate: Service) -> Result<Leadership> {
        let clock = self.clock.clone();
        match self.flaw {
            Flaw::LeadsBesideOthers => {
                let token = FencingToken::new([7; 16], COUNTER.fetch_add(1, Ordering::Relaxed));
                Ok(made_up_leadership(candidate, token, clock))
            }
            Flaw::RepeatsTokens => {
                let inner = self.inner.elect(candidate).await?;
                let token = FencingToken::new(inner.token().domain(), 7);
                Ok(broken_leadership(inner, token, clock, Some(Duration::ZERO)))
            }
            Flaw::OutlivesItsDeadline => {
                let inner = self.inner.elect(candidate).await?;
                let token = inner.token();
                Ok(broken_leadership(inner, token, clock, None))
            }
            Flaw::LearnsOfItsLossLate => {
                let inner = self.inner.elect(candidate).await?;
                let token = inner.token();
                Ok(broken_leadership(inner, token, clock, Some(Duration::from_secs(1))))
            }
            Flaw::KeepsADroppedCandidate | Flaw::LosesAnUnpolledWin => self.elects_in_a_task(candidate).await,
            _ => self.inner.elect(candidate).await,
        }
    }

    async fn cancel(&self) -> Result<()> {
        if self.flaw == Flaw::IgnoresCancel { Ok(()) } else { self.inner.cancel().await }
    }

    async fn leader(&self) -> Result<Option<Leader>> {
        self.inner.leader().await
    }

    async fn candidates(&self) -> Result<Vec<Leader>> {
        self.inner.candidates().await
    }

    async fn observe(&self) -> Result<BoxStream<Result<Observation>>> {
        let seen = self.inner.observe().await?;
        Ok(match self.flaw {
            Flaw::SaysNothingWhenVacant => {
                Box::pin(seen.filter(|item| std::future::ready(!matches!(item, Ok(Observation::Vacant)))))
            }
            Flaw::ForgetsTheLeaderOnError => Box::pin(seen.flat_map(|item| {
                let forgets = matches!(item, Ok(Observation::Stale(_))).then_some(Ok(Observation::Vacant));
                stream::iter([Some(item), forgets]).filter_map(std::future::ready)
            })),
            _ => seen,
        })
    }
}
