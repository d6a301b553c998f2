//! What a case plays on: a fixture without its type, one namespace, and its hooks.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use reception_core::{Client, Clock, ErrorKind, Moment};
use tokio::runtime::Runtime;

use crate::fixture::{Faults, Fixture, Meter, Peer, Property};

/// Why a case was not proved.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The law was broken: what was seen.
    Broken(String),
    /// It cannot be shown here: why.
    Unproven(String),
}

/// What a step of a case says.
pub(crate) type Result<T = (), E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub(crate) fn broken(what: impl Into<String>) -> Self {
        Self::Broken(what.into())
    }

    /// Says what was being done.
    pub(crate) fn during(self, what: &str) -> Self {
        match self {
            Self::Broken(why) => Self::Broken(format!("{what}: {why}")),
            unproven @ Self::Unproven(_) => unproven,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(text) | Self::Unproven(text) => f.write_str(text),
        }
    }
}

impl From<reception_core::Error> for Failure {
    fn from(error: reception_core::Error) -> Self {
        match error.kind() {
            ErrorKind::Unsupported => Self::Unproven(error.to_string()),
            _ => Self::Broken(format!("unexpected error: {error}")),
        }
    }
}

/// Ends a case as broken unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {{
        let holds: bool = $condition;
        if !holds {
            return Err($crate::scene::Failure::broken(format!($($message)+)));
        }
    }};
}

/// Ends a case as broken.
macro_rules! fail {
    ($($message:tt)+) => {
        return Err($crate::scene::Failure::broken(format!($($message)+)))
    };
}

pub(crate) use {ensure, fail};

/// A [`Fixture`] as an object.
pub(crate) trait Stage: Send + Sync + 'static {
    fn dial<'a>(&'a self, case: &'a str) -> BoxFuture<'a, reception_core::Result<Arc<dyn Client>>>;
    fn residue<'a>(&'a self, case: &'a str) -> BoxFuture<'a, Vec<String>>;
    fn faults(&self) -> Option<&dyn Faults>;
    fn peer(&self) -> Option<&dyn Peer>;
    fn meter(&self) -> Option<&dyn Meter>;
    fn runtime(&self) -> io::Result<Runtime>;
    fn clock(&self) -> Clock;
    fn states(&self, property: Property) -> bool;
}

/// A started fixture.
pub(crate) struct Started<F>(pub(crate) Arc<F>);

impl<F: Fixture> Stage for Started<F> {
    fn dial<'a>(&'a self, case: &'a str) -> BoxFuture<'a, reception_core::Result<Arc<dyn Client>>> {
        Box::pin(self.0.dial(case))
    }

    fn residue<'a>(&'a self, case: &'a str) -> BoxFuture<'a, Vec<String>> {
        Box::pin(self.0.residue(case))
    }

    fn faults(&self) -> Option<&dyn Faults> {
        self.0.faults()
    }

    fn peer(&self) -> Option<&dyn Peer> {
        self.0.peer()
    }

    fn meter(&self) -> Option<&dyn Meter> {
        self.0.meter()
    }

    fn runtime(&self) -> io::Result<Runtime> {
        F::runtime()
    }

    fn clock(&self) -> Clock {
        F::clock()
    }

    fn states(&self, property: Property) -> bool {
        F::PROPERTIES.iter().any(|(stated, _)| *stated == property)
    }
}

/// One trial's place: a namespace of its own on a started fixture.
#[derive(Clone)]
pub(crate) struct Scene {
    stage: Arc<dyn Stage>,
    case: Arc<str>,
    faulted: Arc<AtomicBool>,
    /// The crash bound of the clients dialled, in milliseconds.
    bound: Arc<AtomicU64>,
}

impl fmt::Debug for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scene").field("case", &self.case).finish_non_exhaustive()
    }
}

impl Scene {
    /// A scene with a fresh namespace, named after the case so that a store can be read by a person.
    pub(crate) fn new(stage: Arc<dyn Stage>, name: &str) -> Self {
        let plain = name.replace("::", "-");
        let kept: String = plain.chars().take(36).collect();
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let case = format!("{}-{}", kept.trim_end_matches(['_', '-']), &unique[..10]);
        Self { stage, case: case.into(), faulted: Arc::default(), bound: Arc::default() }
    }

    /// Another namespace on the same store.
    pub(crate) fn elsewhere(&self) -> Self {
        Self::new(Arc::clone(&self.stage), "elsewhere")
    }

    /// A fresh client, not hit by any fault called so far.
    pub(crate) async fn dial(&self) -> Result<Arc<dyn Client>> {
        let dialled = within("dial", self.stage.dial(&self.case)).await?;
        let client = dialled.map_err(|error| Failure::from(error).during("dial"))?;
        let bound = u64::try_from(client.capabilities().crash_bound.as_millis()).unwrap_or(u64::MAX);
        self.bound.fetch_max(bound, Ordering::Relaxed);
        Ok(client)
    }

    /// How long the store may show a dead client of this scene, and a little more for a busy machine.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_millis(self.bound.load(Ordering::Relaxed)) + SLACK
    }

    pub(crate) fn now(&self) -> Moment {
        self.stage.clock().now()
    }

    /// Whether the fixture states that its store is like this.
    pub(crate) fn states(&self, property: Property) -> bool {
        self.stage.states(property)
    }

    pub(crate) fn runtime(&self) -> Result<Runtime> {
        self.stage.runtime().map_err(|error| Failure::broken(format!("no runtime: {error}")))
    }

    /// What the store still holds of this namespace.
    pub(crate) async fn residue(&self) -> Result<Vec<String>> {
        within("residue", self.stage.residue(&self.case)).await
    }

    pub(crate) async fn cut(&self) -> Result {
        self.note_fault();
        asked("faults().cut", within("cut", self.faults()?.cut(&self.case)).await?)
    }

    pub(crate) async fn heal(&self) -> Result {
        asked("faults().heal", within("heal", self.faults()?.heal(&self.case)).await?)
    }

    pub(crate) async fn expire(&self) -> Result {
        self.note_fault();
        asked("faults().expire", within("expire", self.faults()?.expire(&self.case)).await?)
    }

    pub(crate) async fn crash(&self) -> Result {
        self.note_fault();
        asked("faults().crash", within("crash", self.faults()?.crash(&self.case)).await?)
    }

    pub(crate) async fn restart(&self) -> Result {
        self.note_fault();
        asked("faults().restart", within("restart", self.faults()?.restart()).await?)
    }

    pub(crate) async fn pause(&self, span: Duration) -> Result {
        self.note_fault();
        asked("faults().pause", within("pause", self.faults()?.pause(span)).await?)
    }

    pub(crate) async fn peer_writes(&self, name: &str, id: &str, raw: Option<&[u8]>) -> Result {
        asked("peer().write", within("peer", self.peer()?.write(&self.case, name, id, raw)).await?)
    }

    pub(crate) async fn peer_deletes(&self, name: &str, id: &str) -> Result {
        asked("peer().delete", within("peer", self.peer()?.delete(&self.case, name, id)).await?)
    }

    pub(crate) fn meter(&self) -> Result<&dyn Meter> {
        self.stage.meter().ok_or_else(|| missing_hook("meter"))
    }

    /// Something broke: a client may need to reach the store again before it can leave.
    pub(crate) fn note_fault(&self) {
        self.faulted.store(true, Ordering::Relaxed);
    }

    /// Whether a fault struck: what clients hold then ends later than a drop in good health ends it.
    pub(crate) fn has_faulted(&self) -> bool {
        self.faulted.load(Ordering::Relaxed)
    }

    pub(crate) fn faults(&self) -> Result<&dyn Faults> {
        self.stage.faults().ok_or_else(|| missing_hook("faults"))
    }

    pub(crate) fn peer(&self) -> Result<&dyn Peer> {
        self.stage.peer().ok_or_else(|| missing_hook("peer"))
    }
}

fn missing_hook(hook: &str) -> Failure {
    Failure::Unproven(format!("the fixture has no {hook}"))
}

fn asked(hook: &str, answer: reception_core::Result<()>) -> Result {
    answer.map_err(|error| Failure::from(error).during(hook))
}

/// What a busy machine may add to any bound of the store.
pub(crate) const SLACK: Duration = Duration::from_secs(5);

/// No single call of a client or hook may take longer than this, whatever stands in its way.
pub(crate) const LONGEST_CALL: Duration = Duration::from_secs(40);

/// Bounds a call: a hang becomes a sentence.
///
/// # Cancel safety
///
/// As that of `work`.
pub(crate) async fn within<T>(what: &str, work: impl Future<Output = T> + Send) -> Result<T> {
    within_limit(LONGEST_CALL, what, work).await
}

/// As [`within`], with a limit of the law's own.
///
/// # Cancel safety
///
/// As that of `work`.
pub(crate) async fn within_limit<T>(
    limit: Duration,
    what: &str,
    work: impl Future<Output = T> + Send,
) -> Result<T> {
    let answer = tokio::time::timeout(limit, work).await;
    answer.map_err(|_| Failure::broken(format!("{what} did not end within {limit:?}")))
}
