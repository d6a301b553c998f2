//! The elector that traces and counts.

use reception_core::{
    BoxStream, ElectionName, Elector, FencingToken, Leader, Leadership, Observation, Result, Service,
    async_trait,
};
use tracing::{Span, field::display};

use crate::{call::call, leadership, stream::Observing};

#[derive(Debug)]
pub(crate) struct ObservedElector {
    backend: &'static str,
    election: ElectionName,
    inner: Box<dyn Elector>,
}

impl ObservedElector {
    pub(crate) fn new(backend: &'static str, election: ElectionName, inner: Box<dyn Elector>) -> Self {
        Self { backend, election, inner }
    }
}

fn note(span: &Span, token: FencingToken) {
    span.record("token", display(token));
}

#[async_trait]
impl Elector for ObservedElector {
    async fn elect(&self, candidate: Service) -> Result<Leadership> {
        let call = call!(self.backend, "elect").with("election", &self.election).instance(&candidate);
        let outcome =
            call.run(self.inner.elect(candidate), |span, won: &Leadership| note(span, won.token())).await;
        // Nothing is awaited between the win and the caller: a guard that is dropped here has resigned.
        outcome.inspect(|won| leadership::follow(self.backend, &self.election, won))
    }

    async fn cancel(&self) -> Result<()> {
        let call = call!(self.backend, "cancel").with("election", &self.election);
        call.run(self.inner.cancel(), |_, ()| ()).await
    }

    async fn leader(&self) -> Result<Option<Leader>> {
        let call = call!(self.backend, "leader").with("election", &self.election);
        let note = |span: &Span, leader: &Option<Leader>| {
            if let Some(leader) = leader {
                note(span, leader.token());
            }
        };
        call.run(self.inner.leader(), note).await
    }

    async fn candidates(&self) -> Result<Vec<Leader>> {
        let call = call!(self.backend, "candidates").with("election", &self.election);
        call.run(self.inner.candidates(), |_, _| ()).await
    }

    async fn observe(&self) -> Result<BoxStream<Result<Observation>>> {
        let call = call!(self.backend, "observe").with("election", &self.election);
        let stream = call.run(self.inner.observe(), |_, _| ()).await?;
        Ok(Box::pin(Observing::new(self.backend, self.election.clone(), stream)))
    }
}
