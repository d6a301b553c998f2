use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::{FutureExt, StreamExt};
use reception_core::{Change, ErrorKind, Patch, Service, Snapshot, Status, WatchOptions, Watcher};
use tokio::sync::{Notify, watch};

use super::*;
use crate::{
    feed::Break,
    testing::{clock, error, eventually},
    watcher::SnapshotWatcher,
};

/// A store of one service, and how often it was asked.
struct Store {
    head: watch::Sender<Snapshot>,
    sources: AtomicUsize,
    lists: AtomicUsize,
    broken: Mutex<Option<ErrorKind>>,
    cut: Notify,
}

struct TestSource {
    store: Arc<Store>,
    seen: watch::Receiver<Snapshot>,
    view: Snapshot,
}

impl Store {
    fn new() -> Arc<Self> {
        let head = watch::Sender::new(Snapshot::new("api".parse().unwrap(), 1, []));
        Arc::new(Self {
            head,
            sources: AtomicUsize::new(0),
            lists: AtomicUsize::new(0),
            broken: Mutex::default(),
            cut: Notify::new(),
        })
    }

    fn source(self: &Arc<Self>) -> TestSource {
        self.sources.fetch_add(1, Ordering::SeqCst);
        TestSource { store: Arc::clone(self), seen: self.head.subscribe(), view: self.head.borrow().clone() }
    }

    fn put(&self, id: &str, status: Status) {
        let port = u16::try_from(self.head.borrow().revision()).unwrap();
        let service = Service::builder("api", "10.0.0.7", port).id(id).status(status).build().unwrap();
        self.head
            .send_modify(|view| *view = view.apply(&Patch::new(view.revision() + 1, [service.clone()], [])));
    }

    fn break_with(&self, kind: Option<ErrorKind>) {
        *self.broken.lock().unwrap() = kind;
        self.cut.notify_waiters();
    }

    fn broken(&self) -> Option<ErrorKind> {
        *self.broken.lock().unwrap()
    }
}

impl TestSource {
    fn advance(&mut self) -> Patch {
        let next = self.seen.borrow_and_update().clone();
        let patch = self.view.diff(&next);
        self.view = next;
        patch
    }
}

impl Drop for TestSource {
    fn drop(&mut self) {
        self.store.sources.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Source for TestSource {
    type View = Snapshot;

    async fn list(&mut self) -> Result<Snapshot> {
        self.store.lists.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        match self.store.broken() {
            Some(kind) => Err(error(kind)),
            None => {
                self.advance();
                Ok(self.view.clone())
            }
        }
    }

    async fn resume(&mut self) -> Result<Patch, Break> {
        match self.store.broken() {
            Some(kind) => Err(Break::Failed(error(kind))),
            None => Ok(self.advance()),
        }
    }

    async fn next(&mut self) -> Result<Patch, Break> {
        let store = Arc::clone(&self.store);
        let cut = store.cut.notified();
        if let Some(kind) = store.broken() {
            return Err(Break::Failed(error(kind)));
        }
        tokio::select! {
            biased;
            () = cut => Err(Break::Failed(error(store.broken().unwrap_or(ErrorKind::Unavailable)))),
            _ = self.seen.changed() => Ok(self.advance()),
        }
    }
}

struct Bench {
    supervisor: Supervisor,
    hub: Hub<String, TestSource>,
    store: Arc<Store>,
}

impl Bench {
    fn new() -> Self {
        let supervisor = Supervisor::new("test").unwrap();
        let hub = Hub::new(supervisor.clone(), clock(), Backoff::seeded(1));
        Self { supervisor, hub, store: Store::new() }
    }

    fn feed(&self) -> Feed<Snapshot> {
        self.hub.subscribe("api".into(), self.supervisor.lifeline(), || self.store.source())
    }

    fn watcher(&self) -> SnapshotWatcher {
        SnapshotWatcher::new(self.feed(), WatchOptions::default())
    }

    fn sources(&self) -> usize {
        self.store.sources.load(Ordering::SeqCst)
    }
}

fn ids(view: Option<&Snapshot>) -> Vec<String> {
    view.into_iter().flat_map(Snapshot::iter).map(|service| service.id().to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn many_readers_share_one_upstream_that_stops_with_the_last() {
    let bench = Bench::new();
    let keep = bench.supervisor.lifeline();
    let mut feeds: Vec<_> = (0..50).map(|_| bench.feed()).collect();
    for feed in &mut feeds {
        assert!(matches!(feed.next().await, Some(Ok(Event::Reset(_)))));
    }
    bench.store.put("a", Status::Up);
    for feed in &mut feeds {
        assert!(matches!(feed.next().await, Some(Ok(Event::Delta(_)))));
        assert_eq!(ids(feed.view()), ["a"]);
    }
    let mut late = bench.feed();
    let Some(Some(Ok(Event::Reset(view)))) = late.next().now_or_never() else { panic!("not at once") };
    assert_eq!(ids(Some(&view)), ["a"]);
    assert_eq!((bench.sources(), bench.hub.upstreams()), (1, 1));
    assert_eq!(bench.store.lists.load(Ordering::SeqCst), 1);

    drop(feeds);
    tokio::task::yield_now().await;
    assert_eq!(bench.sources(), 1);
    drop(late);
    eventually("the upstream stops", || bench.sources() == 0).await;
    let mut again = bench.feed();
    assert!(matches!(again.next().await, Some(Ok(Event::Reset(_)))));
    assert_eq!((bench.sources(), bench.hub.upstreams()), (1, 1));
    drop(keep);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_gets_the_sum_and_holds_up_nobody() {
    let bench = Bench::new();
    let (mut slow, mut quick) = (bench.feed(), bench.feed());
    slow.next().await.unwrap().unwrap();
    quick.next().await.unwrap().unwrap();
    for step in 0..1_000 {
        bench.store.put(&format!("i{}", step % 10), if step < 990 { Status::Down } else { Status::Up });
        quick.next().await.unwrap().unwrap();
        assert_eq!(quick.view().unwrap().revision(), step + 2);
    }
    let Some(Ok(Event::Delta(patch))) = slow.next().await else { panic!("no delta") };
    assert_eq!((patch.upserted().len(), slow.view().unwrap().revision()), (10, 1_001));
    assert!(slow.next().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_break_is_stale_once_and_then_a_reset() {
    let bench = Bench::new();
    bench.store.put("a", Status::Up);
    let mut watcher = bench.watcher();
    assert!(matches!(watcher.next().await, Some(Ok(Change::Reset(_)))));
    bench.store.break_with(Some(ErrorKind::Unavailable));
    assert!(matches!(watcher.next().await, Some(Ok(Change::Stale(_)))));
    assert_eq!(ids(watcher.current()), ["a"]);

    let mut late = bench.watcher();
    assert!(matches!(late.next().now_or_never(), Some(Some(Ok(Change::Reset(_))))));
    assert!(matches!(late.next().now_or_never(), Some(Some(Ok(Change::Stale(_))))));

    tokio::time::sleep(std::time::Duration::from_secs(30)).await;
    assert!(watcher.next().now_or_never().is_none(), "one Stale for one break");
    bench.store.put("b", Status::Up);
    bench.store.break_with(None);
    for reader in [&mut watcher, &mut late] {
        assert!(matches!(reader.next().await, Some(Ok(Change::Reset(_)))));
        assert_eq!(ids(reader.current()), ["a", "b"]);
    }
    assert_eq!(bench.store.lists.load(Ordering::SeqCst), 1, "the position was still good");
}

#[tokio::test(start_paused = true)]
async fn a_watcher_shows_what_is_up_unless_asked_for_all() {
    let bench = Bench::new();
    bench.store.put("down", Status::Down);
    bench.store.put("up", Status::Up);
    let mut up = bench.watcher();
    let mut all = SnapshotWatcher::new(bench.feed(), WatchOptions::default().any_status(true));
    up.next().await.unwrap().unwrap();
    all.next().await.unwrap().unwrap();
    assert_eq!(
        (ids(up.current()), ids(all.current())),
        (vec!["up".into()], vec!["down".into(), "up".into()])
    );

    bench.store.put("drain", Status::Draining);
    all.next().await.unwrap().unwrap();
    assert!(up.next().now_or_never().is_none(), "an instance that is not Up is no news");
    bench.store.put("up", Status::Draining);
    let Some(Ok(Change::Patch(patch))) = up.next().await else { panic!("no patch") };
    assert_eq!(patch.removed().iter().map(ToString::to_string).collect::<Vec<_>>(), ["up"]);
    bench.store.put("drain", Status::Up);
    up.next().await.unwrap().unwrap();
    assert_eq!(ids(up.current()), ["drain"]);
    let late = bench.watcher().next().await.unwrap().unwrap();
    assert!(matches!(late, Change::Reset(view) if ids(Some(&view)) == ["drain"]));
}

#[tokio::test(start_paused = true)]
async fn an_error_that_ends_a_stream_comes_after_what_waited() {
    let bench = Bench::new();
    let mut feed = bench.feed();
    bench.store.put("a", Status::Up);
    eventually("the list", || bench.store.lists.load(Ordering::SeqCst) == 1).await;
    tokio::task::yield_now().await;
    bench.store.break_with(Some(ErrorKind::Unsupported));
    assert!(matches!(feed.next().await, Some(Ok(Event::Reset(_)))));
    let end = feed.next().await.unwrap().unwrap_err();
    assert_eq!(end.kind(), ErrorKind::Unsupported);
    assert!(feed.next().await.is_none());
    assert_eq!(bench.hub.upstreams(), 0);
}

#[tokio::test(start_paused = true)]
async fn closing_the_client_ends_every_stream() {
    let bench = Bench::new();
    let (mut read, mut unread) = (bench.feed(), bench.feed());
    read.next().await.unwrap().unwrap();
    bench.supervisor.close().await;
    for feed in [&mut read, &mut unread, &mut bench.feed()] {
        assert_eq!(feed.next().await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
        assert!(feed.next().await.is_none());
    }
    assert_eq!(bench.sources(), 0);
}

#[test]
fn a_runtime_that_ends_ends_every_stream() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (mut feed, bench) = runtime.block_on(async {
        let bench = Bench::new();
        let mut feed = bench.feed();
        feed.next().await.unwrap().unwrap();
        (feed, bench)
    });
    drop(runtime);
    let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for feed in [&mut feed, &mut bench.feed()] {
        assert_eq!(other.block_on(feed.next()).unwrap().unwrap_err().kind(), ErrorKind::Closed);
        assert!(other.block_on(feed.next()).is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_a_feed_before_its_first_item_leaves_nothing() {
    let bench = Bench::new();
    let keep = bench.supervisor.lifeline();
    drop(bench.feed());
    eventually("the upstream stops", || bench.sources() == 0).await;
    assert_eq!(bench.hub.upstreams(), 0);
    assert!(!bench.supervisor.is_closed());
    drop(keep);
    assert!(bench.supervisor.is_closed());
    bench.supervisor.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_come_and_go_at_once_leave_nothing() {
    let bench = Arc::new(Bench::new());
    let keep = bench.supervisor.lifeline();
    let done = Arc::new(AtomicUsize::new(0));
    for _ in 0..4 {
        let (bench, done) = (Arc::clone(&bench), Arc::clone(&done));
        let supervisor = bench.supervisor.clone();
        supervisor.spawn("reader", async move {
            for round in 0..200 {
                let mut watcher = bench.watcher();
                if round % 3 > 0 {
                    assert!(matches!(watcher.next().await, Some(Ok(Change::Reset(_)))));
                }
                if round % 3 > 1 {
                    bench.store.put("a", Status::Up);
                    watcher.next().await.unwrap().unwrap();
                }
            }
            done.fetch_add(1, Ordering::SeqCst);
        });
    }
    eventually("all readers are done", || done.load(Ordering::SeqCst) == 4).await;
    eventually("the upstream stops", || bench.sources() == 0).await;
    assert_eq!(bench.hub.upstreams(), 0);
    drop(keep);
    bench.supervisor.close().await;
}
