//! Faults for tests, those of users too: what can happen between a client and its store, and to the store itself.

use std::time::Duration;

use reception_core::Result;

use crate::{client::MemoryClient, cluster::Cluster, layout::Namespace};

/// What stands between a client and the store.
#[derive(Debug, Clone, Default)]
pub(crate) struct Condition {
    pub(crate) cut: bool,
    pub(crate) silent: bool,
    pub(crate) paused: bool,
    pub(crate) crashed: bool,
    pub(crate) delay: Duration,
}

/// Which clients a fault hits.
#[derive(Debug, Clone)]
pub(crate) enum Reach {
    All,
    Client(u64),
    Namespace(Namespace),
}

/// The fault handle of a [`Cluster`].
///
/// Faults between client and store hit the clients that are there when the fault is called, and later ones not at all: every client of
/// the store, or after [`of`](Self::of) and [`within`](Self::within) those alone. Faults of the store itself
/// ([`stall`](Self::stall), [`restart`](Self::restart), [`compact`](Self::compact), [`wipe`](Self::wipe)) are felt by all, however the handle is narrowed.
#[derive(Debug, Clone)]
pub struct Faults {
    cluster: Cluster,
    reach: Reach,
}

impl Faults {
    pub(crate) fn new(cluster: Cluster, reach: Reach) -> Self {
        Self { cluster, reach }
    }

    /// The same handle for one client alone.
    #[must_use]
    pub fn of(&self, client: &MemoryClient) -> Self {
        Self::new(self.cluster.clone(), Reach::Client(client.id()))
    }

    /// The same handle for the clients of one namespace, as those that were dialled by a URL with this path.
    ///
    /// # Errors
    /// Config when the namespace is none.
    pub fn within(&self, namespace: &str) -> Result<Self> {
        Ok(Self::new(self.cluster.clone(), Reach::Namespace(Namespace::parse(namespace)?)))
    }

    /// Ends the leases of the clients now, as an operator may: their instances and candidates are gone, and they learn of it at their next renewal.
    pub fn expire(&self) {
        for client in self.cluster.reached(&self.reach) {
            self.cluster
                .access(|store, _| store.leases_of(client).into_iter().for_each(|lease| store.revoke(lease)));
        }
    }

    /// Refuses every connection of the clients: calls are Unavailable, watches Stale, renewals are missed. Until [`heal`](Self::heal).
    pub fn partition(&self) {
        self.each(|condition| condition.cut = true);
    }

    /// Swallows everything between the clients and the store: calls run into their timeout. Until [`heal`](Self::heal).
    pub fn silence(&self) {
        self.each(|condition| condition.silent = true);
    }

    /// Makes every call of the clients take this long, half of it before the store acts and half after. Until [`heal`](Self::heal).
    pub fn delay(&self, span: Duration) {
        self.each(|condition| condition.delay = span);
    }

    /// Ends partition, silence and delay.
    pub fn heal(&self) {
        self.each(|condition| {
            condition.cut = false;
            condition.silent = false;
            condition.delay = Duration::ZERO;
        });
    }

    /// Stops the clients, as SIGSTOP stops a process: nothing of them renews, answers or reacts. Their deadlines pass all the same. Until
    /// [`resume`](Self::resume).
    pub fn pause(&self) {
        self.each(|condition| condition.paused = true);
    }

    /// Lets paused clients run on.
    pub fn resume(&self) {
        self.each(|condition| condition.paused = false);
    }

    /// Ends the clients as a kill of their process does: nothing is withdrawn and nothing of theirs reaches the store any more, so their leases
    /// run out. Their guards and streams end with Closed. Crashed clients stay so.
    ///
    /// # Cancel safety
    /// Dropped, the clients are crashed all the same; only the end of their tasks is not waited for.
    pub async fn crash(&self) {
        let mut tasks = Vec::new();
        for client in self.cluster.reached(&self.reach) {
            tasks.extend(self.cluster.set_condition(client, |condition| condition.crashed = true));
        }
        for supervisor in &tasks {
            supervisor.closing().cancel();
        }
        for supervisor in tasks {
            supervisor.close().await;
        }
    }

    /// The store answers nothing for this long; connections stay, and no lease ends meanwhile.
    pub fn stall(&self, span: Duration) {
        self.cluster.access(|store, now| store.stall(span, now));
    }

    /// The store goes down and comes back at once with its data: every connection breaks, every lease begins anew.
    pub fn restart(&self) {
        self.cluster.access(crate::store::Store::restart);
    }

    /// The store forgets the changes up to now: a watch that is behind them has a gap and must read everything again.
    pub fn compact(&self) {
        self.cluster.access(|store, _| store.compact());
    }

    /// The store comes back without its data: records, leases and the domain are gone, and revisions start over.
    pub fn wipe(&self) {
        self.cluster.access(|store, _| store.wipe());
    }

    fn each(&self, change: impl Fn(&mut Condition)) {
        for client in self.cluster.reached(&self.reach) {
            self.cluster.set_condition(client, &change);
        }
    }
}
