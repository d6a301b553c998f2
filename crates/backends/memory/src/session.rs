//! What a client holds at the store: the lease of its registrations, kept alive, and every other lease until it is given back.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reception_core::{Error, Result};
use reception_kit::{Backoff, CancellationToken, sleep_until};
use tokio::sync::{mpsc, watch};

use crate::{
    error::{Refusal, closed},
    layout::Namespace,
    line::Line,
    options::Options,
    register::Held,
};

/// How the shared lease is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health {
    pub(crate) lease: Option<u64>,
    /// Why the last renewal failed; the lease may live on.
    pub(crate) trouble: Option<Error>,
}

/// The claims of one client.
#[derive(Debug)]
pub(crate) struct Session {
    line: Line,
    client: u64,
    space: Namespace,
    ttl: Duration,
    renewal: Duration,
    retry: Duration,
    /// The line with the limit of one renewal.
    renewals: Line,
    health: watch::Sender<Health>,
    /// One grant at a time; false once the session has ended.
    open: tokio::sync::Mutex<bool>,
    /// Every lease that may exist at the store, noted before it is asked for.
    leases: Mutex<BTreeSet<u64>>,
    held: Arc<Held>,
    /// Taken when the session ends; see [`Presence`].
    presence: Mutex<Option<mpsc::Sender<Infallible>>>,
    ended: watch::Sender<Option<Result<()>>>,
}

/// Held by everything that may still write: the session ends after the last one is gone.
#[derive(Debug)]
pub(crate) struct Presence {
    _sender: Option<mpsc::Sender<Infallible>>,
}

impl Session {
    pub(crate) fn new(line: Line, client: u64, space: Namespace, options: &Options) -> (Self, Absence) {
        let (present, gone) = mpsc::channel(1);
        let absence = Absence { gone, line: line.clone(), client };
        let session = Self {
            renewals: line.limited(options.renewal_limit()),
            line,
            client,
            space,
            ttl: options.ttl,
            renewal: options.renewal(),
            retry: options.retry(),
            health: watch::Sender::default(),
            open: tokio::sync::Mutex::new(true),
            leases: Mutex::default(),
            held: Arc::default(),
            presence: Mutex::new(Some(present)),
            ended: watch::Sender::default(),
        };
        (session, absence)
    }

    pub(crate) fn client(&self) -> u64 {
        self.client
    }

    pub(crate) fn held(&self) -> &Arc<Held> {
        &self.held
    }

    pub(crate) fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    pub(crate) fn presence(&self) -> Presence {
        Presence { _sender: self.presence.lock().unwrap_or_else(PoisonError::into_inner).clone() }
    }

    /// How closing went; none before it is over.
    pub(crate) fn ended(&self) -> Option<Result<()>> {
        self.ended.borrow().clone()
    }

    fn leases(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lease that registrations share, granted when there is none.
    pub(crate) async fn shared_lease(&self, operation: &'static str) -> Result<u64> {
        let open = self.open.lock().await;
        if !*open {
            return Err(closed(operation, "the client is closed"));
        }
        if let Some(lease) = self.health.borrow().lease {
            return Ok(lease);
        }
        let lease = self.new_lease();
        self.grant(&self.line, lease, operation).await?;
        self.health.send_replace(Health { lease: Some(lease), trouble: None });
        Ok(lease)
    }

    /// Notes that the shared lease is gone, when it is still this one: the next write asks for another.
    pub(crate) fn lost(&self, lease: u64) {
        self.leases().remove(&lease);
        self.health.send_if_modified(|health| {
            let current = health.lease == Some(lease);
            if current {
                *health = Health::default();
            }
            current
        });
    }

    /// A lease that is not asked for yet. It is given back with the client, if not before.
    pub(crate) fn new_lease(&self) -> u64 {
        let lease = self.line.cluster().next_id();
        self.leases().insert(lease);
        lease
    }

    pub(crate) async fn grant(&self, line: &Line, lease: u64, operation: &'static str) -> Result<()> {
        line.ask(operation, |store, now| store.grant(lease, (self.client, &self.space), self.ttl, now)).await
    }

    /// Gives a lease back, and with it all that hangs on it. A killed process gives nothing back.
    pub(crate) async fn revoke(&self, line: &Line, lease: u64, operation: &'static str) -> Result<()> {
        if !line.is_crashed() {
            line.ask(operation, move |store, _| store.revoke(lease)).await?;
        }
        self.leases().remove(&lease);
        Ok(())
    }

    /// Renews the shared lease until the client closes.
    pub(crate) async fn keep(&self) {
        let mut health = self.health.subscribe();
        let mut backoff = Backoff::with_bounds(self.retry / 4, self.retry);
        loop {
            let Some(lease) = health.borrow_and_update().lease else {
                // The session itself holds the sender.
                drop(health.changed().await);
                continue;
            };
            let mut next = self.line.now().saturating_add(self.renewal);
            loop {
                sleep_until(self.line.cluster().clock(), next).await;
                match self.renew(lease).await {
                    Ok(Ok(())) => {
                        backoff.reset();
                        self.set_trouble(None);
                        next = self.line.now().saturating_add(self.renewal);
                    }
                    Ok(Err(_)) => {
                        self.lost(lease);
                        break;
                    }
                    Err(error) => {
                        next = self.line.now().saturating_add(backoff.next(&error));
                        self.set_trouble(Some(error));
                    }
                }
            }
        }
    }

    async fn renew(&self, lease: u64) -> Result<Result<(), Refusal>> {
        self.renewals.ask("renew", |store, now| store.renew(lease, now)).await
    }

    fn set_trouble(&self, trouble: Option<Error>) {
        self.health.send_if_modified(|health| {
            let changed = health.trouble.is_some() != trouble.is_some();
            health.trouble = trouble;
            changed
        });
    }

    /// The task of the session: keeps the lease until the client closes, then gives back what nobody else did.
    pub(crate) async fn run(self: Arc<Self>, closing: CancellationToken, mut absence: Absence) {
        tokio::select! {
            biased;
            () = closing.cancelled() => {}
            () = self.keep() => {}
            () = self.line.cluster().keep_time() => {}
        }
        drop(self.presence.lock().unwrap_or_else(PoisonError::into_inner).take());
        tokio::select! {
            _ = absence.gone.recv() => {}
            // What writers are left waits for leases of its own; those must not end late because of it.
            () = self.line.cluster().keep_time() => {}
        }
        *self.open.lock().await = false;
        let left: Vec<u64> = self.leases().iter().copied().collect();
        let mut outcome = Ok(());
        for lease in left {
            outcome = outcome.and(self.revoke(&self.line, lease, "close").await);
        }
        self.ended.send_replace(Some(outcome));
    }
}

/// Tells when every [`Presence`] is gone. It ends the store's knowledge of the client, also when the runtime ends under it.
#[derive(Debug)]
pub(crate) struct Absence {
    gone: mpsc::Receiver<Infallible>,
    line: Line,
    client: u64,
}

impl Drop for Absence {
    fn drop(&mut self) {
        self.line.cluster().leave(self.client);
    }
}
