//! One lease: granted under an id of our choice, so that a grant may be sent twice, and kept alive until it is lost.

use std::{collections::BTreeSet, pin::pin, sync::atomic::Ordering, time::Duration};

use etcd_client::{LeaseGrantOptions, LeaseTimeToLiveOptions};
use reception_core::{Error, ErrorKind, Moment, Result};
use reception_kit::{Backoff, readable, sleep_until};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{Patience, Session};
use crate::error::{NAME, error};

/// A lease as it was acknowledged last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Granted {
    pub(crate) id: i64,
    /// Taken before the request was sent: the lease runs at least `ttl` from here.
    pub(crate) sent: Moment,
    /// What the server granted, which is more than was asked when that was below its election timeout.
    pub(crate) ttl: Duration,
}

/// What a lease's keeper tells.
#[derive(Clone, Debug)]
pub(crate) enum Beat {
    /// Renewed.
    Held(Granted),
    /// The last renewal was not answered; the lease may still stand.
    Doubtful(Granted, Error),
    /// The server does not know it any more.
    Lost(Error),
}

/// A lease id that nobody else has.
pub(crate) fn fresh_lease() -> i64 {
    let (high, _) = Uuid::new_v4().as_u64_pair();
    i64::try_from(high >> 1).unwrap_or(i64::MAX).max(1)
}

impl Session {
    /// Grants the lease `id`, or finds it granted by an earlier try.
    pub(crate) async fn grant(
        &self,
        operation: &'static str,
        id: i64,
        patience: Patience,
    ) -> Result<Granted> {
        let seconds = i64::try_from(self.ttl.as_secs()).unwrap_or(i64::MAX);
        let sent = self.clock.now();
        let work = |channel: &etcd_client::Client| {
            let mut lease = channel.lease_client();
            async move { lease.grant(seconds, Some(LeaseGrantOptions::new().with_id(id))).await }
        };
        match self.call(operation, patience, work).await {
            Ok(granted) => Ok(Granted { id, sent, ttl: self.noted(span(granted.ttl())) }),
            // An earlier try of ours has landed.
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let sent = self.renew(operation, id, patience).await?;
                Ok(Granted { id, sent, ttl: self.noted(self.granted(operation, id, patience).await?) })
            }
            Err(error) => Err(error),
        }
    }

    /// Notes what was granted, and says once when it is more than was asked for.
    fn noted(&self, ttl: Duration) -> Duration {
        let millis = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        if self.granted.swap(millis, Ordering::Relaxed) != millis && ttl > self.ttl {
            let (backend, operation, asked) = (NAME, "grant", self.ttl);
            tracing::warn!(backend, operation, ?asked, granted = ?ttl, "the server grants longer leases");
        }
        ttl
    }

    /// The keys on the lease `id`.
    pub(super) async fn keys_on(&self, id: i64) -> Result<BTreeSet<Vec<u8>>> {
        let work = |channel: &etcd_client::Client| {
            let (mut lease, with_keys) = (channel.lease_client(), LeaseTimeToLiveOptions::new().with_keys());
            async move { lease.time_to_live(id, Some(with_keys)).await }
        };
        let told = self.call("reconcile", self.brief(), work).await?;
        Ok(told.keys().iter().cloned().collect())
    }

    /// What the server granted last.
    pub(crate) fn last_grant(&self) -> Option<Duration> {
        let granted = self.granted.load(Ordering::Relaxed);
        (granted > 0).then(|| Duration::from_millis(granted))
    }

    /// Renews the lease `id`: when the request was sent; LeaseLost when the server does not know the lease.
    pub(crate) async fn renew(&self, operation: &'static str, id: i64, patience: Patience) -> Result<Moment> {
        let sent = self.clock.now();
        let work = |channel: &etcd_client::Client| {
            let mut lease = channel.lease_client();
            // Opens a stream and waits for its first answer: queueing into an open stream proves nothing.
            async move { lease.keep_alive(id).await.map(drop) }
        };
        self.call(operation, patience, work).await.map(|()| sent)
    }

    async fn granted(&self, operation: &'static str, id: i64, patience: Patience) -> Result<Duration> {
        let work = |channel: &etcd_client::Client| {
            let mut lease = channel.lease_client();
            async move { lease.time_to_live(id, None).await }
        };
        let told = self.call(operation, patience, work).await?;
        if told.ttl() <= 0 {
            return Err(gone(operation, id));
        }
        Ok(span(told.granted_ttl()))
    }

    /// Revokes the lease and with it every key on it; a lease that is gone is revoked.
    pub(crate) async fn revoke(&self, operation: &'static str, id: i64, patience: Patience) -> Result<()> {
        let work = |channel: &etcd_client::Client| {
            let mut lease = channel.lease_client();
            async move { lease.revoke(id).await }
        };
        match self.call(operation, patience, work).await {
            Err(error) if error.kind() != ErrorKind::LeaseLost => Err(error),
            _ => Ok(()),
        }
    }
}

fn gone(operation: &'static str, id: i64) -> Error {
    error(ErrorKind::LeaseLost, operation, format!("lease {id:x} is gone"))
}

fn late(operation: &'static str, by: Duration) -> Error {
    error(ErrorKind::Timeout, operation, format!("no answer, {:?} after it was due", readable(by)))
}

fn span(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

/// Renews a lease until the server does not know it any more; tells `beat` how it goes and returns why it ended.
///
/// A deadline that has passed here is not the end: the server may have given the lease more time (it does so after a restart), and
/// then nothing needs to be written again. `suspect` asks for a renewal at once. One without an answer is in doubt when it is overdue by a
/// third of the lease, also while several silent endpoints are still being asked.
pub(crate) async fn keep(
    session: &Session,
    mut held: Granted,
    suspect: &Notify,
    mut beat: impl FnMut(Beat) + Send,
) -> Error {
    const OPERATION: &str = "renew";
    let mut backoff =
        Backoff::with_bounds(Duration::from_millis(50), (held.ttl / 10).min(Duration::from_secs(1)));
    let mut due = held.sent.saturating_add(held.ttl / 3);
    let mut doubted = false;
    loop {
        tokio::select! {
            () = sleep_until(&session.clock, due) => {}
            () = suspect.notified() => {}
        }
        let overdue = held.sent.saturating_add(held.ttl / 3 * 2);
        let mut renewing = pin!(session.renew(OPERATION, held.id, session.renewal(held.ttl)));
        let renewed = tokio::select! {
            biased;
            renewed = &mut renewing => renewed,
            () = sleep_until(&session.clock, overdue), if !doubted => {
                beat(Beat::Doubtful(held, late(OPERATION, held.ttl / 3)));
                renewing.await
            }
        };
        doubted = renewed.is_err();
        match renewed {
            Ok(sent) => {
                held.sent = sent;
                due = sent.saturating_add(held.ttl / 3);
                backoff.reset();
                beat(Beat::Held(held));
            }
            Err(error) if error.kind() == ErrorKind::LeaseLost => {
                beat(Beat::Lost(error.clone()));
                return error;
            }
            Err(error) => {
                due = session.clock.now().saturating_add(backoff.next(&error).min(held.ttl / 4));
                beat(Beat::Doubtful(held, error));
            }
        }
    }
}
