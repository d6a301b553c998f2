//! One candidacy: its session, the wait for the lock, and the watch on it while it leads.
//!
//! A leadership ends at its deadline: the moment before the last pass of the check that was acknowledged, and the check's time to live. Until then the
//! agent does not let the check lapse, and so nobody ends the session; the session's own time to live is longer, and counted as well.

mod standing;

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use reception_core::{ElectionName, Error, ErrorKind, FencingToken, Moment, Result};
use reception_kit::{Claim, Pulse, Won};
use uuid::Uuid;

use super::remains::{Own, Remains};
use crate::{
    api::{Locked, Pair, key_answer},
    error::{SLOW, error, is_about_us},
    http::Path,
    layout::read_domain,
    session::{Brake, Pacer, Session},
};

const OPERATION: &str = "elect";
const LONG_AGO: Moment = Moment::from_duration(Duration::ZERO);
const AGAIN: Duration = Duration::from_millis(500);
/// All who wait see a free lock at one moment: they try within this.
const JITTER: u64 = 15;

/// How often a lock is tried for when the domain has to be written first.
const TAKES: u32 = 3;

type Work<T> = Pin<Box<dyn Future<Output = T> + Send + Sync>>;

/// One candidacy.
pub(crate) struct Candidacy {
    session: Arc<Session>,
    value: Vec<u8>,
    /// What is at the store.
    has: Remains,
    pacer: Option<Pacer>,
    /// Ends when the lock is not ours any more.
    eye: Option<Work<Error>>,
    /// While leading: renews the session when it is time, beside everything else.
    renewal: Option<Work<(Moment, Result<bool>)>>,
    domain: [u8; 16],
}

impl Candidacy {
    pub(crate) fn new(session: &Arc<Session>, election: &ElectionName, value: Vec<u8>) -> Self {
        Self {
            session: Arc::clone(session),
            value,
            has: Remains::new(session, election.as_str(), session.names.lock(election)),
            pacer: None,
            eye: None,
            renewal: None,
            domain: [0; 16],
        }
    }

    fn lost(why: impl Into<String>) -> Error {
        error(ErrorKind::LeaseLost, OPERATION, why)
    }

    /// Waits until the key is another than at `index`.
    async fn wait(&mut self, index: u64) -> Result<(u64, Option<Pair>)> {
        let session = Arc::clone(&self.session);
        let path = Path::of("kv").key(&self.has.lock);
        let key = self.has.lock.clone();
        let mut asked = Box::pin(async move {
            let answer = session.wait_for(OPERATION, path, index).await?;
            key_answer(OPERATION, &key, &answer)
        });
        loop {
            let mut renewal = self.renew_at(self.renewal_due());
            let (sent, renewed) = tokio::select! {
                answer = &mut asked => return answer,
                renewed = &mut renewal => renewed,
            };
            if !renewed? {
                self.has.own = None;
                return Err(Self::lost("the session has ended"));
            }
            self.has.own.iter_mut().for_each(|own| own.renewed = sent);
        }
    }

    /// The moment before a pass of the check that our session hangs on.
    async fn fresh(&mut self) -> Result<Moment> {
        let session = Arc::clone(&self.session);
        let pass = session.standing.fresh(&session).await?;
        if self.pacer.as_ref().is_some_and(|pacer| pacer.at == pass.at) {
            return Ok(pass.sent);
        }
        Err(self.moved().await)
    }

    /// Takes the lock, if it is free; `found` is what was there.
    async fn take(&mut self, own: &Own, found: Option<&Pair>) -> Result<Option<Won>> {
        // `consul lock` refuses such a key, too: it may be a semaphore, whose holders are told elsewhere.
        if found.is_some_and(|pair| !pair.may_be_lock()) {
            let text = format!("{} is no lock: its flags are other ones", self.has.lock);
            return Err(error(ErrorKind::Conflict, OPERATION, text));
        }
        let session = Arc::clone(&self.session);
        // Before the lock: that it is granted proves that the check had not lapsed by then.
        let sent = self.fresh().await?;
        let limit = session.timeout();
        // The domain is read in the same step: others take it for the one of our token.
        let domain = session.names.domain();
        for _ in 0..TAKES {
            match session
                .http
                .key_lock(OPERATION, &self.has.lock, &self.value, &own.id, &domain, limit)
                .await?
            {
                Locked::Yes { pair, domain: told } if pair.holder() == Some(&own.id) => {
                    self.domain = match read_domain(&told) {
                        Some(domain) => domain,
                        None => self.find_domain().await?,
                    };
                    return Ok(Some(self.won(&pair, sent)));
                }
                Locked::Yes { .. } | Locked::No => return Ok(None),
                Locked::NoDomain => drop(self.find_domain().await?),
            }
        }
        Err(error(ErrorKind::Unavailable, OPERATION, format!("{domain} is gone again and again")))
    }

    /// What follows from it before the next try.
    fn failed_to_take(&mut self, failed: &Error) {
        if failed.kind() == ErrorKind::LeaseLost {
            self.has.own = None;
        }
        // It was read a moment ago, so this is about the right to take it; a token from a file may be another one soon.
        if is_about_us(failed) && failed.retry() == SLOW {
            self.session.standing.dismiss(&self.has.lock);
        }
    }

    fn won(&mut self, pair: &Pair, sent: Moment) -> Won {
        let token = FencingToken::new(self.domain, pair.modified);
        self.eye = Some(self.look(pair.modified));
        self.renewal = Some(self.renew_at(self.renewal_due()));
        Won::new(token, sent, self.term(sent))
    }

    /// How long a pass lets us lead: to the earlier of check and session.
    fn term(&self, sent: Moment) -> Duration {
        let session = self.has.own.as_ref().map_or(LONG_AGO, |own| own.renewed);
        let until = session.saturating_add(self.session_ttl());
        self.session.options.election_ttl.min(until.saturating_since(sent))
    }

    /// Waits until the lock is not ours as we have won it: whoever writes to its key gives it another index, which others take for our token.
    fn look(&self, token: u64) -> Work<Error> {
        let (session, key) = (Arc::clone(&self.session), self.has.lock.clone());
        let own = self.has.own.as_ref().map(|own| own.id.clone()).unwrap_or_default();
        let mut index = token;
        Box::pin(async move {
            let mut brake = Brake::new();
            loop {
                brake.pass().await;
                let path = Path::of("kv").key(&key);
                let asked = session.wait_for(OPERATION, path, index).await;
                match asked.and_then(|answer| key_answer(OPERATION, &key, &answer)) {
                    // A server that is behind, or a store that was set back: asked anew, it tells for sure.
                    Ok((next, _)) if next < index => {
                        index = 0;
                        tokio::time::sleep(AGAIN / 5).await;
                    }
                    Ok((_, pair)) if pair.as_ref().and_then(Pair::holder) != Some(&own) => {
                        return Self::lost("the lock is not ours any more");
                    }
                    Ok((_, Some(pair))) if pair.modified != token => {
                        return Self::lost("somebody wrote to the key of the lock");
                    }
                    Ok((next, _)) if next > 0 => index = next,
                    // What nobody answers the deadline ends.
                    _ => {
                        index = 0;
                        tokio::time::sleep(AGAIN).await;
                    }
                }
            }
        })
    }
}

/// How long one of many lets the others go first.
fn spread() -> Duration {
    Duration::from_millis(u64::from(Uuid::new_v4().as_bytes()[0]) % JITTER)
}

impl Candidacy {
    /// The reply to an earlier try was lost: the check has to be passed before another look.
    async fn regain(&mut self, own: &str) -> Result<Won> {
        let sent = self.fresh().await?;
        let (http, limit) = (&self.session.http, self.session.timeout());
        let (_, still) = http.key(OPERATION, &self.has.lock, |path| path.flag("consistent"), limit).await?;
        if let Some(pair) = still.filter(|pair| pair.holder() == Some(own)) {
            self.domain = self.find_domain().await?;
            let won = self.won(&pair, sent);
            self.session.standing.leads(self.has.guid).await;
            return Ok(won);
        }
        self.has.own = None;
        Err(Self::lost("the lock was taken from us"))
    }

    /// Stands and waits until it has won.
    async fn compete(&mut self) -> Result<Won> {
        (self.eye, self.renewal) = (None, None);
        let own = self.stand().await?;
        let consistent = |path: Path| path.flag("consistent");
        let limit = self.session.timeout();
        let (mut index, mut pair) =
            self.session.http.key(OPERATION, &self.has.lock, consistent, limit).await?;
        self.session.standing.admit(&self.has.lock);
        let (mut refused, mut seen, mut brake) = (0_u32, None, Brake::new());
        loop {
            match pair.as_ref().and_then(Pair::holder) {
                Some(holder) if holder == own.id => return self.regain(&own.id).await,
                Some(holder) => {
                    refused = 0;
                    // Who ended the session of one leader may have ended ours, which nobody tells us.
                    let next = Some(holder.to_owned());
                    if seen.is_some() && seen != next && !self.renew().await? {
                        self.has.own = None;
                        return Err(Self::lost("the session has ended"));
                    }
                    seen = next;
                }
                None => {
                    let taken = self.take(&own, pair.as_ref()).await;
                    if let Err(failed) = &taken {
                        self.failed_to_take(failed);
                    }
                    if let Some(won) = taken? {
                        self.session.standing.leads(self.has.guid).await;
                        return Ok(won);
                    }
                    refused += 1;
                    // Free and yet refused: our session is no more, or another one came and left.
                    if refused > 1 && !self.renew().await? {
                        self.has.own = None;
                        return Err(Self::lost("the session has ended"));
                    }
                }
            }
            if index == 0 || refused > 1 {
                tokio::time::sleep(AGAIN / 5).await;
            }
            brake.pass().await;
            let (next, found) = self.wait(index).await?;
            index = if next < index { 0 } else { next };
            pair = found;
            if refused == 0 && pair.as_ref().and_then(Pair::holder).is_none() {
                tokio::time::sleep(spread()).await;
            }
        }
    }
}

impl Claim for Candidacy {
    async fn win(&mut self) -> Result<Won> {
        self.compete().await.map_err(|failed| self.has.outlive(failed))
    }

    async fn pulse(&mut self) -> Pulse {
        loop {
            let (Some(eye), Some(pacer), Some(renewal)) = (&mut self.eye, &mut self.pacer, &mut self.renewal)
            else {
                return Pulse::Lost(Self::lost("nobody looks at the lock"));
            };
            let (sent, renewed) = tokio::select! {
                biased;
                lost = eye => {
                    self.eye = None;
                    return Pulse::Lost(lost);
                }
                sent = pacer.next() => return Pulse::Renewed { sent, ttl: self.term(sent) },
                renewed = renewal => renewed,
            };
            let due = match renewed {
                Ok(true) => {
                    self.has.own.iter_mut().for_each(|own| own.renewed = sent);
                    self.renewal_due()
                }
                Ok(false) => {
                    self.renewal = None;
                    return Pulse::Lost(Self::lost("the session has ended"));
                }
                Err(_) => self.session.clock.now().saturating_add(AGAIN),
            };
            self.renewal = Some(self.renew_at(due));
        }
    }

    async fn release(&mut self) -> Result<()> {
        if !self.has.standing {
            return Ok(());
        }
        (self.eye, self.renewal) = (None, None);
        self.has.withdraw().await.map_err(|failed| self.has.outlive(failed))?;
        self.pacer = None;
        Ok(())
    }
}

impl fmt::Debug for Candidacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidacy")
            .field("key", &self.has.lock)
            .field("own", &self.has.own)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_herd_tries_at_different_moments_and_none_late() {
        let spread: BTreeSet<Duration> = (0..1000).map(|_| spread()).collect();
        assert!(spread.len() > 10, "{spread:?}");
        assert!(spread.iter().all(|span| *span < Duration::from_millis(JITTER)), "{spread:?}");
    }
}
