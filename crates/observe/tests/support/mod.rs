//! A client of answers set beforehand, and a subscriber that keeps what it is told.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::stream;
use reception_core::{BoxStream, Change};
use reception_core::{
    Capabilities, Client, Clock, ElectOptions, ElectionName, Elector, Error, ErrorKind, FencingToken, Leader,
    Leadership, LeadershipControl, ListOptions, Moment, Observation, Patch, Probe, RegisterOptions,
    Registration, RegistrationControl, Result, Service, ServiceName, Snapshot, WatchOptions, Watcher,
    async_trait,
};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

pub(crate) type Fields = BTreeMap<String, String>;

/// What a span or event carried: its name or message, and its fields.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) level: String,
    pub(crate) fields: Fields,
}

/// Keeps every span and event. A clone shows the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tape {
    next: Arc<AtomicU64>,
    spans: Arc<Mutex<BTreeMap<u64, Seen>>>,
    events: Arc<Mutex<Vec<Seen>>>,
}

impl Tape {
    pub(crate) fn spans(&self) -> Vec<Seen> {
        self.spans.lock().unwrap().values().cloned().collect()
    }

    pub(crate) fn events(&self) -> Vec<Seen> {
        self.events.lock().unwrap().clone()
    }
}

struct Reader<'a>(&'a mut Fields);

impl Visit for Reader<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

impl Subscriber for Tape {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.next.fetch_add(1, Ordering::SeqCst) + 1;
        let metadata = span.metadata();
        let mut seen =
            Seen { name: metadata.name().to_owned(), level: metadata.level().to_string(), ..Seen::default() };
        span.record(&mut Reader(&mut seen.fields));
        self.spans.lock().unwrap().insert(id, seen);
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        if let Some(seen) = self.spans.lock().unwrap().get_mut(&span.into_u64()) {
            values.record(&mut Reader(&mut seen.fields));
        }
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut seen = Seen { level: event.metadata().level().to_string(), ..Seen::default() };
        event.record(&mut Reader(&mut seen.fields));
        seen.name = seen.fields.remove("message").unwrap_or_default();
        self.events.lock().unwrap().push(seen);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

pub(crate) const TOKEN: FencingToken = FencingToken::new([7; 16], 41);

pub(crate) fn error(kind: ErrorKind) -> Error {
    Error::new(kind, "stub", "work", "as asked")
}

pub(crate) fn api() -> Service {
    Service::builder("api", "10.0.0.7", 8080).id("i-1").attribute("password", "canary").build().unwrap()
}

/// Answers at once; the other halves of its guards wait here for the test.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stub {
    /// What every fallible call answers, when set.
    pub(crate) broken: Option<ErrorKind>,
    /// Calls never answer.
    pub(crate) silent: bool,
    pub(crate) registrations: Arc<Mutex<Vec<RegistrationControl>>>,
    pub(crate) leaderships: Arc<Mutex<Vec<LeadershipControl>>>,
}

impl Stub {
    async fn answer<T: Send>(&self, good: T) -> Result<T> {
        if self.silent {
            pending::<()>().await;
        }
        match self.broken {
            Some(kind) => Err(error(kind)),
            None => Ok(good),
        }
    }
}

#[async_trait]
impl Client for Stub {
    fn backend(&self) -> &'static str {
        "stub"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(Duration::from_secs(9)).candidates(true).early_revocation(true)
    }

    async fn register_with(&self, service: Service, _: RegisterOptions) -> Result<Registration> {
        let (guard, control) = Registration::pair(service);
        self.registrations.lock().unwrap().push(control);
        self.answer(guard).await
    }

    async fn list_with(&self, name: &ServiceName, _: ListOptions) -> Result<Snapshot> {
        self.answer(Snapshot::new(name.clone(), 17, [api()])).await
    }

    async fn watch_with(&self, name: &ServiceName, _: WatchOptions) -> Result<Box<dyn Watcher>> {
        let view = Snapshot::new(name.clone(), 17, [api()]);
        let items = vec![
            Ok(Change::Reset(view.clone())),
            Ok(Change::Patch(Patch::new(18, [], [api().id().clone()]))),
            Ok(Change::Stale(error(ErrorKind::Unavailable))),
            Err(error(ErrorKind::Closed)),
        ];
        let watcher: Box<dyn Watcher> = Box::new(Played { view, items: stream::iter(items) });
        self.answer(watcher).await
    }

    async fn elector_with(&self, _: &ElectionName, _: ElectOptions) -> Result<Box<dyn Elector>> {
        let elector: Box<dyn Elector> = Box::new(self.clone());
        self.answer(elector).await
    }

    async fn names(&self) -> Result<BTreeSet<ServiceName>> {
        self.answer([api().name().clone()].into()).await
    }

    async fn probe(&self) -> Result<Probe> {
        self.answer(Probe::new(Vec::new()).server("stub")).await
    }

    async fn close(&self) -> Result<()> {
        self.answer(()).await
    }
}

#[async_trait]
impl Elector for Stub {
    async fn elect(&self, candidate: Service) -> Result<Leadership> {
        let (guard, control) = Leadership::pair(candidate, TOKEN, Clock::BOOT, Moment::NEVER);
        self.leaderships.lock().unwrap().push(control);
        self.answer(guard).await
    }

    async fn cancel(&self) -> Result<()> {
        self.answer(()).await
    }

    async fn leader(&self) -> Result<Option<Leader>> {
        self.answer(Some(Leader::new(TOKEN, Some(api()), b"canary"))).await
    }

    async fn candidates(&self) -> Result<Vec<Leader>> {
        self.answer(Vec::new()).await
    }

    async fn observe(&self) -> Result<BoxStream<Result<Observation>>> {
        let items = vec![
            Ok(Observation::Leader(Leader::new(TOKEN, Some(api()), b"canary"))),
            Ok(Observation::Leader(Leader::new(TOKEN, None, b"canary"))),
            Ok(Observation::Vacant),
            Ok(Observation::Stale(error(ErrorKind::Timeout))),
            Err(error(ErrorKind::Closed)),
        ];
        let stream: BoxStream<Result<Observation>> = Box::pin(stream::iter(items));
        self.answer(stream).await
    }
}

#[derive(Debug)]
struct Played {
    view: Snapshot,
    items: stream::Iter<std::vec::IntoIter<Result<Change>>>,
}

impl futures_util::Stream for Played {
    type Item = Result<Change>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::pin::Pin::new(&mut self.items).poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

impl Watcher for Played {
    fn current(&self) -> Option<&Snapshot> {
        Some(&self.view)
    }
}
