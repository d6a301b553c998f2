//! Elections: standing, observing, and who leads.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use crate::{
    error::{Error, Result},
    leadership::Leadership,
    service::Service,
    stream::BoxStream,
    token::FencingToken,
};

/// One election. Observing needs no candidate; one elector may stand several times.
///
/// The trait has no default methods, so that a wrapper which forgets one does not compile.
#[async_trait]
pub trait Elector: fmt::Debug + Send + Sync {
    /// Stands with this candidate and waits until it leads.
    ///
    /// It retries Unavailable and Timeout until it is canceled or dropped: put a deadline of your own around it, or
    /// [`probe`](crate::Client::probe) first.
    ///
    /// # Errors
    /// Canceled after [`cancel`](Elector::cancel); Conflict when this elector already stands with the same id; Denied, Unauthenticated, Closed,
    /// Unsupported and others that a retry does not mend.
    ///
    /// # Cancel safety
    /// Dropped at any await, also after the store has granted the leadership, it leaves no candidate once the store was reached (law L12).
    async fn elect(&self, candidate: Service) -> Result<Leadership>;

    /// Takes every pending `elect` of this elector back; each returns Canceled. Ok once they are withdrawn. A leadership already won stays.
    ///
    /// # Errors
    /// What the store answered; withdrawal goes on.
    ///
    /// # Cancel safety
    /// Dropped before its first poll nothing happens; after that withdrawal goes on.
    async fn cancel(&self) -> Result<()>;

    /// Who leads now, read from the store.
    ///
    /// # Errors
    /// Unavailable, Timeout, Denied, Unauthenticated, Closed.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    async fn leader(&self) -> Result<Option<Leader>>;

    /// All candidates, the leader first, then next in line first.
    ///
    /// # Errors
    /// Unsupported where the store cannot know ([`Capabilities::candidates`](crate::Capabilities::candidates)); as [`leader`](Elector::leader).
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    async fn candidates(&self) -> Result<Vec<Leader>>;

    /// Who leads, now and from now on, under the laws of a watch: the first good item is Leader or Vacant (L2), an error is Stale and keeps
    /// the view (L4), the stream ends only as L5 says. It returns at once; a store that cannot be reached shows as Stale.
    ///
    /// # Errors
    /// Closed, NoRuntime, Unsupported.
    ///
    /// # Cancel safety
    /// Safe: dropping the future or the stream leaves nothing.
    async fn observe(&self) -> Result<BoxStream<Result<Observation>>>;
}

/// What an observer of an election sees.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Observation {
    /// This one leads.
    Leader(Leader),
    /// Nobody leads.
    Vacant,
    /// The view may be old; keep it. The next good item tells all.
    Stale(Error),
}

/// A leader or candidate, as others see it.
#[derive(Clone, PartialEq, Eq)]
pub struct Leader {
    token: FencingToken,
    service: Option<Service>,
    value: Arc<[u8]>,
}

impl Leader {
    /// Makes one from what stands in the store.
    #[must_use]
    pub fn new(token: FencingToken, service: Option<Service>, value: &[u8]) -> Self {
        Self { token, service, value: value.into() }
    }

    /// Its fencing token.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.token
    }

    /// What it said of itself; none when the winner is another program's, such as `etcdctl`, `consul lock` or Curator's latch.
    #[must_use]
    pub fn service(&self) -> Option<&Service> {
        self.service.as_ref()
    }

    /// What the winner wrote, byte for byte.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}

impl fmt::Debug for Leader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leader")
            .field("token", &self.token)
            .field("service", &self.service)
            .field("value_bytes", &self.value.len())
            .finish()
    }
}
