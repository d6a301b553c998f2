//! One candidacy: its own lease, its key, the wait for the one before it, and the watch on its own key while it leads.

mod asking;
mod leading;
mod standing;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use etcd_client::{KeyValue, WatchResponse};
use reception_core::{ElectionName, Error, ErrorKind, FencingToken, Result};
use reception_kit::{Backoff, Claim, Pulse, Won};
use tokio::sync::{Notify, oneshot, watch};

use standing::Turn;

use crate::{
    error::error,
    session::{Beat, Ended, Granted, Line, Range, Session, is_gone, keep},
};

const OPERATION: &str = "elect";
/// The watches of a candidate's stream.
const OWN: i64 = 1;
const BEFORE: i64 = 2;

/// How long before the lease ends a leadership does: what two clocks may differ by, a tenth of the time to live.
pub(crate) fn margin(ttl: Duration) -> Duration {
    (ttl / 10).max(Duration::from_millis(200))
}

/// One candidacy.
#[derive(Debug)]
pub(crate) struct Candidacy {
    session: Arc<Session>,
    election: ElectionName,
    value: Vec<u8>,
    /// The lease that was asked for, known before the answer so that it can be revoked without one.
    asked: Option<i64>,
    /// The answer to a grant that is under way in a task of its own.
    answer: Option<oneshot::Receiver<Result<Granted>>>,
    lease: Option<Lease>,
    /// Our key: its create revision and the revision up to which it is known.
    key: Option<Key>,
    domain: [u8; 16],
    /// Watches our key, and the one before it while waiting.
    line: Option<Line>,
    retry: Backoff,
    retry_at: Option<reception_core::Moment>,
    /// Whether our key was read since the last break, so that only the stream is still to be opened.
    looked: bool,
}

#[derive(Clone, Copy, Debug)]
struct Key {
    created: i64,
    known: i64,
}

#[derive(Debug)]
struct Lease {
    id: i64,
    beat: watch::Receiver<Beat>,
}

impl Candidacy {
    pub(crate) fn new(session: &Arc<Session>, election: &ElectionName, value: Vec<u8>) -> Self {
        Self {
            session: Arc::clone(session),
            election: election.clone(),
            value,
            asked: None,
            answer: None,
            lease: None,
            key: None,
            domain: [0; 16],
            line: None,
            retry: Backoff::new(),
            retry_at: None,
            looked: false,
        }
    }

    fn lost(why: impl Into<String>) -> Error {
        error(ErrorKind::LeaseLost, OPERATION, why)
    }

    /// This lease as it was acknowledged last, unless it is lost.
    fn held(&self, id: i64) -> Option<Granted> {
        let lease = self.lease.as_ref().filter(|lease| lease.id == id)?;
        match &*lease.beat.borrow() {
            Beat::Held(granted) | Beat::Doubtful(granted, _) => Some(*granted),
            Beat::Lost(_) => None,
        }
    }

    /// Grants the lease, or keeps the one that is held.
    async fn granted(&mut self) -> Result<Granted> {
        if let Some(lease) = &self.lease {
            if let Some(granted) = self.held(lease.id) {
                return Ok(granted);
            }
            self.forget();
        }
        let (id, granted) = self.ask().await?;
        let (sender, beat) = watch::channel(Beat::Held(granted));
        let session = Arc::clone(&self.session);
        self.session.supervisor.spawn("candidate lease", async move {
            let closing = session.supervisor.closing();
            let never = Notify::new();
            tokio::select! {
                _lost = keep(&session, granted, &never, |beat| drop(sender.send_replace(beat))) => {}
                () = sender.closed() => {}
                () = closing.cancelled() => {}
            }
        });
        self.lease = Some(Lease { id, beat });
        Ok(granted)
    }

    fn forget(&mut self) {
        self.asked = None;
        self.answer = None;
        self.lease = None;
        self.key = None;
        self.line = None;
    }

    fn range(&self, watch: i64, key: Vec<u8>) -> Range {
        let from = self.key.map_or(0, |key| key.known + 1);
        Range { watch, key, end: None, from }
    }

    fn own(&self) -> Option<Vec<u8>> {
        let lease = self.lease.as_ref()?.id;
        Some(self.session.layout.candidate(&self.election, lease).into_bytes())
    }

    /// Waits until the one before us or our own key is gone, or the lease is.
    async fn wait(&mut self, before: Vec<u8>) -> Result<()> {
        self.line = None;
        let own = self.own().ok_or_else(|| Self::lost("no lease"))?;
        let (first, second) = (self.range(BEFORE, before), self.range(OWN, own));
        let mut line = self.session.open(OPERATION, self.session.brief(), &first).await?;
        line.requests.add(&second).await.map_err(broken)?;
        let Some(lease) = &mut self.lease else { return Err(Self::lost("no lease")) };
        loop {
            tokio::select! {
                answer = line.answers.next(OPERATION) => {
                    let answer = answer.map_err(broken)?;
                    if removal(&answer).is_some() {
                        // Our key goes on being watched here, should we lead.
                        self.line = (answer.watch_id() == BEFORE).then_some(line);
                        return Ok(());
                    }
                }
                error = lost(&mut lease.beat) => return Err(error),
            }
        }
    }

    /// The margin grows with the lease that was granted; what kit subtracts is that of the one asked for.
    fn term(&self, granted: Granted) -> Duration {
        let more = margin(granted.ttl).saturating_sub(margin(self.session.ttl));
        granted.ttl.saturating_sub(more)
    }
}

/// The revision at which a watched key was removed.
fn removal(answer: &WatchResponse) -> Option<i64> {
    let gone = answer.events().iter().find(|event| is_gone(event));
    gone.map(|event| event.kv().map_or(0, KeyValue::mod_revision))
}

fn broken(ended: Ended) -> Error {
    match ended {
        Ended::Canceled { error, .. } | Ended::Compacted { error, .. } | Ended::Failed(error) => error,
    }
}

async fn lost(beat: &mut watch::Receiver<Beat>) -> Error {
    loop {
        if let Beat::Lost(error) = &*beat.borrow_and_update() {
            return error.clone();
        }
        if beat.changed().await.is_err() {
            return Candidacy::lost("nobody keeps the lease");
        }
    }
}

impl Claim for Candidacy {
    async fn win(&mut self) -> Result<Won> {
        loop {
            let lease = self.granted().await?.id;
            let key = match self.key {
                Some(key) => key,
                None => match self.stand(lease).await {
                    Err(error) if error.kind() == ErrorKind::LeaseLost => {
                        self.forget();
                        return Err(error);
                    }
                    stood => stood?,
                },
            };
            self.key = Some(key);
            match self.turn(lease, key).await? {
                Turn::Ours => {
                    // A lease that was lost meanwhile took the key along: its token goes with no other lease.
                    let Some(granted) = self.held(lease) else {
                        self.forget();
                        return Err(Self::lost("the candidate's lease was lost"));
                    };
                    let created = u64::try_from(key.created).unwrap_or_default();
                    return Ok(Won::new(
                        FencingToken::new(self.domain, created),
                        granted.sent,
                        self.term(granted),
                    ));
                }
                Turn::After(before) => self.wait(before).await?,
                // Told as an error, so that kit's backoff bounds how often a key is put that somebody keeps removing.
                Turn::Gone => return Err(Self::lost("the candidate's key was removed")),
            }
        }
    }

    async fn pulse(&mut self) -> Pulse {
        let Some(lease) = &self.lease else { return Pulse::Lost(Self::lost("no lease")) };
        let mut beat = lease.beat.clone();
        let renewed = async {
            loop {
                if beat.changed().await.is_err() {
                    return Err(Self::lost("nobody keeps the lease"));
                }
                match &*beat.borrow_and_update() {
                    Beat::Held(granted) => return Ok(*granted),
                    Beat::Lost(error) => return Err(error.clone()),
                    Beat::Doubtful(..) => {}
                }
            }
        };
        let renewed = tokio::select! {
            biased;
            error = self.removed() => return Pulse::Lost(error),
            renewed = renewed => renewed,
        };
        if let Some(lease) = &mut self.lease {
            // Seen now: else the same renewal would be told again and again.
            lease.beat = beat;
        }
        match renewed {
            Ok(granted) => Pulse::Renewed { sent: granted.sent, ttl: self.term(granted) },
            Err(error) => Pulse::Lost(error),
        }
    }

    async fn release(&mut self) -> Result<()> {
        self.line = None;
        self.lease = None;
        while let Some(id) = self.asked {
            let settled = self.settled().await;
            let revoked = self.session.revoke("resign", id, self.session.brief()).await;
            if self.session.supervisor.is_closed() {
                self.session.parted(id, &revoked);
            }
            revoked?;
            // A grant that was answered meanwhile may have come after the revocation: once more.
            if settled || self.left_alone() {
                break;
            }
        }
        self.forget();
        Ok(())
    }
}
