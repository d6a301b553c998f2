//! What a backend brings to be tested: a server, clients of it, and hooks into both.
//!
//! `start`, `exclusive` and `stop` run on the suite's own runtime, which lives as long as the whole run: what
//! they spawn (a proxy, say) goes on between trials. All else runs on the runtime of the trial that calls it.

use std::{fmt, future::Future, io, sync::Arc, time::Duration};

use reception_core::{Client, Clock, Result, async_trait};
use tokio::runtime::{Builder, Runtime};

/// A backend's test stand: a running store and fresh clients of it.
///
/// The text `case` names a namespace: unique for each trial and each run, of at most 48 bytes, made of
/// `[a-z0-9_-]`, beginning with a letter.
pub trait Fixture: Send + Sync + Sized + 'static {
    /// Name shown in the matrix, and named by `RECEPTION_TEST_ALLOW_MISSING`.
    const NAME: &'static str;

    /// Cases that cannot be proved here, each with the reason.
    ///
    /// They are played all the same: an entry whose case proves fine, or does not exist, is stale and fails,
    /// and one whose case is refuted fails as it would without the entry.
    const UNPROVEN: &'static [(&'static str, &'static str)] = &[];

    /// What the store cannot give by its nature, each with the reason. Some laws are then held to what it can give; each says so at
    /// [`Property`]. A run prints them beside the matrix.
    const PROPERTIES: &'static [(Property, &'static str)] = &[];

    /// Builds the runtime of one trial; no live task may stay on it.
    ///
    /// # Errors
    ///
    /// What the operating system says when threads cannot be started.
    fn runtime() -> io::Result<Runtime> {
        two_workers()
    }

    /// The clock by which deadlines are judged; a paused runtime brings the one that its clients read.
    fn clock() -> Clock {
        Clock::BOOT
    }

    /// Starts the store, once a process, or finds the one that the environment names.
    ///
    /// # Errors
    ///
    /// [`Missing`] when this machine has no such store.
    ///
    /// # Cancel safety
    ///
    /// A dropped future stops what it has started.
    fn start() -> impl Future<Output = Result<Self, Missing>> + Send;

    /// Stops the store; called once for the started one and once for each exclusive one.
    ///
    /// # Cancel safety
    ///
    /// Never dropped by the suite.
    fn stop(self: Arc<Self>) -> impl Future<Output = ()> + Send;

    /// Dials a fresh and independent client. Calls with one `case` share a namespace, two cases never do.
    ///
    /// # Errors
    ///
    /// What the backend's own dialling says.
    ///
    /// # Cancel safety
    ///
    /// A dropped future leaves no client.
    fn dial(&self, case: &str) -> impl Future<Output = Result<Arc<dyn Client>>> + Send;

    /// Starts a store of its own for one trial: one that may be restarted, paused and counted alone.
    ///
    /// # Errors
    ///
    /// [`Missing`] when there can be only the shared one; cases that need it are then unproven.
    ///
    /// # Cancel safety
    ///
    /// A dropped future stops what it has started.
    fn exclusive(&self) -> impl Future<Output = Result<Self, Missing>> + Send;

    /// The hook that breaks things.
    fn faults(&self) -> Option<&dyn Faults> {
        None
    }

    /// The hook that writes as a foreign client would, past every fault.
    fn peer(&self) -> Option<&dyn Peer> {
        None
    }

    /// The hook that counts, for laws L17 and L18; asked of an exclusive fixture only.
    fn meter(&self) -> Option<&dyn Meter> {
        None
    }

    /// What the store still holds of a case: records, candidates, leases, sessions. Parents and the domain
    /// record are shared and do not count. An implementation reads the store directly, past every fault.
    ///
    /// # Cancel safety
    ///
    /// Reads alone: a dropped future changes nothing.
    fn residue(&self, case: &str) -> impl Future<Output = Vec<String>> + Send;
}

/// What a kind of store cannot give, whoever writes its backend. A law asks less of a store only where its fixture states the property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Property {
    /// Who asks for instances of any status is told of the dead for a while after the crash bound, as `Down` and never otherwise.
    TellsOfTheDead,
    /// A watch is told of a change by the whole list. Its requests are the same in number, its bytes at most those of one list a change.
    TellsWholeLists,
    /// Those who stand win in any order: nobody is in line.
    WinsInAnyOrder,
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TellsOfTheDead => "tells of the dead",
            Self::TellsWholeLists => "tells whole lists",
            Self::WinsInAnyOrder => "wins in any order",
        })
    }
}

/// Faults between the clients of a case and the store, or of the store itself.
///
/// **Whom a fault hits:** `cut`, `expire` and `crash` hit every client of the case that has been dialled when
/// the fault is called; a client dialled later is whole. An error of kind `Unsupported` makes the case
/// unproven, never green.
#[async_trait]
pub trait Faults: Send + Sync {
    /// Lets nothing pass between the store and the clients present, until [`heal`](Self::heal).
    ///
    /// # Errors
    ///
    /// `Unsupported` when it cannot be done here.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may or may not have cut.
    async fn cut(&self, case: &str) -> Result<()>;

    /// Ends every cut of the case; crashed clients stay dead.
    ///
    /// # Errors
    ///
    /// `Unsupported` when it cannot be done here.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may or may not have healed.
    async fn heal(&self, case: &str) -> Result<()>;

    /// Makes the store forget the leases or sessions of the clients present, at once.
    ///
    /// # Errors
    ///
    /// `Unsupported` when it cannot be done here.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have forgotten some of them.
    async fn expire(&self, case: &str) -> Result<()>;

    /// Ends the clients present as a kill of their process would: nothing they say reaches the store again.
    ///
    /// # Errors
    ///
    /// `Unsupported` when it cannot be done here.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have crashed some of them.
    async fn crash(&self, case: &str) -> Result<()>;

    /// Kills the store and starts it again with its data. Called on an exclusive fixture only.
    ///
    /// # Errors
    ///
    /// `Unsupported` when it cannot be done here.
    ///
    /// # Cancel safety
    ///
    /// Never dropped by the suite.
    async fn restart(&self) -> Result<()>;

    /// Stops the store from answering for `span`, connections kept; it may return at once or when the span is
    /// over. Called on an exclusive fixture only.
    ///
    /// # Errors
    ///
    /// `Unsupported` when it cannot be done here.
    ///
    /// # Cancel safety
    ///
    /// Never dropped by the suite.
    async fn pause(&self, span: Duration) -> Result<()>;
}

/// Somebody else who writes the same store, through no client of ours and past every fault.
#[async_trait]
pub trait Peer: Send + Sync {
    /// Writes a record of a service: `None` a good one with status Up, else these bytes as they are.
    ///
    /// # Errors
    ///
    /// `Unsupported` when the store cannot hold such bytes, which makes the case unproven.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may or may not have written.
    async fn write(&self, case: &str, name: &str, id: &str, raw: Option<&[u8]>) -> Result<()>;

    /// Removes a record, whoever wrote it.
    ///
    /// # Errors
    ///
    /// `Unsupported` when it cannot be done here.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may or may not have removed.
    async fn delete(&self, case: &str, name: &str, id: &str) -> Result<()>;
}

/// Counts what clients cost the store. Both sums only grow.
pub trait Meter: Send + Sync {
    /// Requests sent to the store so far.
    fn requests(&self) -> u64;

    /// Bytes exchanged with the store so far, both ways.
    fn bytes(&self) -> u64;

    /// Watches of services open at the store now.
    fn watches(&self) -> u64;
}

/// Why a store cannot be had on this machine.
///
/// The run fails unless `RECEPTION_TEST_ALLOW_MISSING` holds the fixture's name (several are split by commas).
#[derive(Clone, Debug)]
pub struct Missing {
    reason: String,
}

impl Missing {
    /// States what is missing and how to get it.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Missing {}

/// A runtime with two workers and real time, the default of a trial.
pub(crate) fn two_workers() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(2).enable_all().build()
}
