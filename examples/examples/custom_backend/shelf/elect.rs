//! Electing: stand in the queue, wait to be first, then serve the guard until it is resigned, dropped or closed.

use std::sync::Arc;

use futures_util::{StreamExt, future};
use reception_core::{
    BoxStream, Clock, ElectionName, Elector, ErrorKind, Leader, Leadership, LeadershipControl, Moment,
    Observation, Release, Result, Service, async_trait,
};

use super::{
    client::Inner,
    closed, error,
    store::{Place, Seat},
    watch::looks,
};

#[derive(Debug)]
pub(super) struct ShelfElector {
    inner: Arc<Inner>,
    election: ElectionName,
    number: u64,
}

impl ShelfElector {
    pub(super) fn new(inner: &Arc<Inner>, election: &ElectionName) -> Self {
        Self { inner: Arc::clone(inner), election: election.clone(), number: inner.shelf.number() }
    }
}

#[async_trait]
impl Elector for ShelfElector {
    async fn elect(&self, candidate: Service) -> Result<Leadership> {
        let inner = &self.inner;
        // Names and records may come from a lenient decoder: what we write is checked again, strictly (law L15).
        ElectionName::new(self.election.as_str())?;
        let candidate = candidate.to_builder().build()?;
        let mut bell = inner.shelf.bell();
        let inside = inner.enter("elect")?;
        let seat = inner
            .shelf
            .stand(inner.number, self.number, &self.election, candidate.clone())
            .ok_or_else(|| error(ErrorKind::Conflict, "elect", "this elector already stands with this id"))?;
        drop(inside);
        // A future that is dropped while it waits here drops the seat, and so leaves the queue (law L12).
        let inside = loop {
            let inside = inner.enter("elect")?;
            match seat.hold_if_first() {
                Place::First => break inside,
                Place::Gone => return Err(error(ErrorKind::Canceled, "elect", "the election was canceled")),
                Place::Waiting => drop(inside),
            }
            tokio::select! {
                _ = bell.changed() => {}
                () = inner.closing.cancelled() => return Err(closed("elect")),
            }
        };
        // Nothing expires inside one process, so the deadline is never. There is no await between the win and the guard:
        // the win travels as a value.
        let (leadership, control) = Leadership::pair(candidate, seat.token(), Clock::BOOT, Moment::NEVER);
        seat.lead(control.tenure());
        inner.spawn(lead(Arc::clone(inner), Term { control, seat }));
        drop(inside);
        Ok(leadership)
    }

    async fn cancel(&self) -> Result<()> {
        let _inside = self.inner.enter("cancel")?;
        self.inner.shelf.withdraw_elector(self.number);
        Ok(())
    }

    async fn leader(&self) -> Result<Option<Leader>> {
        let _inside = self.inner.enter("leader")?;
        Ok(self.inner.shelf.queue(&self.election).into_iter().next())
    }

    async fn candidates(&self) -> Result<Vec<Leader>> {
        let _inside = self.inner.enter("candidates")?;
        Ok(self.inner.shelf.queue(&self.election))
    }

    async fn observe(&self) -> Result<BoxStream<Result<Observation>>> {
        let _inside = self.inner.enter("observe")?;
        let (shelf, election) = (Arc::clone(&self.inner.shelf), self.election.clone());
        let leaders = looks(&self.inner, "observe", move || shelf.queue(&election).into_iter().next());
        let mut known = None;
        Ok(Box::pin(leaders.filter_map(move |seen| future::ready(news(&mut known, seen)))))
    }
}

/// An observation when the leader is another one than the last time; the bell also rings for other things.
fn news(known: &mut Option<Option<Leader>>, seen: Result<Option<Leader>>) -> Option<Result<Observation>> {
    let leader = match seen {
        Ok(leader) => leader,
        Err(error) => return Some(Err(error)),
    };
    let token = |leader: &Option<Leader>| leader.as_ref().map(Leader::token);
    if known.as_ref().is_some_and(|known| token(known) == token(&leader)) {
        return None;
    }
    *known = Some(leader.clone());
    Some(Ok(leader.map_or(Observation::Vacant, Observation::Leader)))
}

/// The order of the fields matters: when the runtime ends and drops them, the guard loses first and only then does the next
/// candidate win (law L9).
struct Term {
    control: LeadershipControl,
    seat: Seat,
}

async fn lead(inner: Arc<Inner>, mut term: Term) {
    tokio::select! {
        release = term.control.released() => {
            drop(term.seat);
            if let Release::Resigned(reply) = release {
                reply.send(Ok(()));
            }
        }
        () = inner.closing.cancelled() => term.control.lose(closed("elect")),
    }
}
