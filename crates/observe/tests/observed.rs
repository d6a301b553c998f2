//! What is traced and counted around a client, and that nothing else changes.

#![expect(clippy::unwrap_used, reason = "a test")]

mod support;

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use reception_core::{
    Client, ClientExt, ErrorKind, LeadershipControl, RegistrationState, Request, Result, Service,
};
use reception_observe::{Observed, observe};
use support::{Seen, Stub, TOKEN, Tape, api, error};

/// What one run left behind.
struct Left {
    tape: Tape,
    counters: BTreeMap<String, u64>,
}

impl Left {
    fn span(&self, name: &str) -> Seen {
        let mut spans = self.tape.spans().into_iter().filter(|span| span.name == name);
        let span = spans.next().unwrap_or_else(|| panic!("no span {name:?} in {:?}", self.tape.spans()));
        assert!(spans.next().is_none(), "one span {name:?}");
        span
    }

    fn event(&self, name: &str) -> Seen {
        let mut events = self.tape.events().into_iter();
        events
            .find(|event| event.name == name)
            .unwrap_or_else(|| panic!("no event {name:?} in {:?}", self.tape.events()))
    }
}

/// Counters as `name{label=value,..}` with the labels by name.
fn counters(snapshotter: &Snapshotter) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let (_, key) = key.into_parts();
        let mut labels: Vec<_> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        labels.sort();
        if let DebugValue::Counter(count) = value {
            found.insert(format!("{}{{{}}}", key.name(), labels.join(",")), count);
        }
    }
    found
}

/// Runs the work with a subscriber and a recorder of its own.
fn run<F: Future<Output = ()>>(work: impl FnOnce() -> F) -> Left {
    let tape = Tape::default();
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    tracing::subscriber::with_default(tape.clone(), || {
        metrics::with_local_recorder(&recorder, || runtime.block_on(async { work().await }));
    });
    Left { tape, counters: counters(&snapshotter) }
}

fn name<T: std::str::FromStr<Err = reception_core::Error>>(text: &str) -> T {
    text.parse().unwrap()
}

/// Makes every call once.
async fn every_call(client: &dyn Client) -> Vec<Result<()>> {
    let mut outcomes = vec![
        client.register_with(api(), Default::default()).await.map(drop),
        client.list(&name("api")).await.map(drop),
        client.watch(&name("api")).await.map(drop),
        client.names().await.map(drop),
        client.probe().await.map(drop),
    ];
    match client.elector(&name("reaper")).await {
        Ok(elector) => outcomes.extend([
            elector.elect(api()).await.map(drop),
            elector.leader().await.map(drop),
            elector.candidates().await.map(drop),
            elector.observe().await.map(drop),
            elector.cancel().await,
        ]),
        Err(error) => outcomes.push(Err(error)),
    }
    outcomes.push(client.close().await);
    outcomes
}

const CALLS: [&str; 12] = [
    "register",
    "list",
    "watch",
    "names",
    "probe",
    "elector",
    "elect",
    "leader",
    "candidates",
    "observe",
    "cancel",
    "close",
];

#[test]
fn each_call_is_one_span_and_one_count_of_its_name() {
    let left = run(|| async {
        let client = observe(Stub::default());
        for outcome in every_call(&*client).await {
            outcome.unwrap();
        }
    });
    for operation in CALLS {
        let span = left.span(operation);
        assert_eq!(span.level, "DEBUG");
        assert_eq!(span.fields["backend"], "stub");
        assert_eq!(span.fields["operation"], operation);
        assert!(!span.fields.contains_key("error"), "{span:?}");
        let counter = format!("reception_calls_total{{backend=stub,operation={operation},outcome=ok}}");
        assert_eq!(left.counters.get(&counter), Some(&1), "{counter} in {:?}", left.counters);
    }
    assert_eq!(left.tape.spans().len(), CALLS.len());
}

#[test]
fn spans_carry_the_fields_of_the_project() {
    let left = run(|| async {
        every_call(&Observed::new(Stub::default())).await;
    });
    let field = |span: &str, field: &str| left.span(span).fields[field].clone();
    assert_eq!((field("register", "service"), field("register", "id")), ("api".to_owned(), "i-1".to_owned()));
    assert_eq!((field("list", "service"), field("list", "revision")), ("api".to_owned(), "17".to_owned()));
    assert_eq!((field("elect", "election"), field("elect", "id")), ("reaper".to_owned(), "i-1".to_owned()));
    assert_eq!(field("elect", "token"), TOKEN.to_string());
    assert_eq!(field("leader", "token"), TOKEN.to_string());
    assert_eq!(field("watch", "service"), "api");
    assert_eq!(field("observe", "election"), "reaper");
}

#[test]
fn an_error_is_recorded_counted_and_returned_but_never_logged_above_debug() {
    let left = run(|| async {
        let client = observe(Stub { broken: Some(ErrorKind::LeaseLost), ..Stub::default() });
        for outcome in every_call(&*client).await {
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::LeaseLost);
        }
    });
    let wanted = error(ErrorKind::LeaseLost).to_string();
    for operation in ["register", "list", "watch", "names", "probe", "elector", "close"] {
        assert_eq!(left.span(operation).fields["error"], wanted);
        let counter =
            format!("reception_calls_total{{backend=stub,operation={operation},outcome=lease lost}}");
        assert_eq!(left.counters.get(&counter), Some(&1), "{counter} in {:?}", left.counters);
    }
    assert!(left.tape.events().iter().all(|event| event.level == "DEBUG"));
}

#[test]
fn a_call_that_is_dropped_counts_as_dropped() {
    let left = run(|| async {
        let client = observe(Stub { silent: true, ..Stub::default() });
        assert!(client.names().now_or_never().is_none());
        drop(client.list(&name("api")));
    });
    let counted: Vec<_> = left.counters.iter().map(|(counter, count)| (counter.as_str(), *count)).collect();
    assert_eq!(counted, [("reception_calls_total{backend=stub,operation=names,outcome=dropped}", 1)]);
}

#[test]
fn items_of_a_watch_pass_through_and_are_counted() {
    let left = run(|| async {
        let client = observe(Stub::default());
        let mut watcher = client.watch(&name("api")).await.unwrap();
        assert_eq!(watcher.current().map(reception_core::Snapshot::revision), Some(17));
        assert_eq!(watcher.size_hint(), (4, Some(4)));
        let mut items = 0;
        while watcher.next().await.is_some() {
            items += 1;
        }
        assert_eq!(items, 4);
    });
    for item in ["reset", "patch", "stale", "end"] {
        let counter = format!("reception_items_total{{backend=stub,item={item},operation=watch}}");
        assert_eq!(left.counters.get(&counter), Some(&1), "{counter} in {:?}", left.counters);
    }
    assert_eq!(left.event("reset").fields["revision"], "17");
    assert_eq!(left.event("patch").fields["removed"], "1");
    assert_eq!(left.event("stale").fields["error"], error(ErrorKind::Unavailable).to_string());
    assert_eq!(left.event("watch ended").fields["service"], "api");
}

#[test]
fn items_of_an_observation_pass_through_and_are_counted() {
    let left = run(|| async {
        let elector = observe(Stub::default()).elector(&name("reaper")).await.unwrap();
        assert_eq!(elector.observe().await.unwrap().count().await, 5);
    });
    for (item, count) in [("leader", 2), ("vacant", 1), ("stale", 1), ("end", 1)] {
        let counter = format!("reception_items_total{{backend=stub,item={item},operation=observe}}");
        assert_eq!(left.counters.get(&counter), Some(&count), "{counter} in {:?}", left.counters);
    }
    assert_eq!(left.event("leader").fields["token"], TOKEN.to_string());
    assert_eq!(left.event("leader").fields["service"], "api");
}

/// Wins, lets `end` end the leadership, and gives what was left.
fn leadership(end: impl FnOnce(reception_core::Leadership, &mut Vec<LeadershipControl>)) -> Left {
    run(|| async {
        let stub = Stub::default();
        let elector = observe(stub.clone()).elector(&name("reaper")).await.unwrap();
        let leadership = elector.elect(api()).await.unwrap();
        assert!(leadership.is_held());
        end(leadership, &mut stub.leaderships.lock().unwrap());
    })
}

fn change(left: &Left, change: &str) -> Option<u64> {
    let counter = format!("reception_leaderships_total{{backend=stub,change={change},election=reaper}}");
    left.counters.get(&counter).copied()
}

#[test]
fn a_leadership_is_told_when_it_is_gained_and_when_it_is_lost() {
    let left = leadership(|held, controls| {
        controls[0].lose(error(ErrorKind::LeaseLost));
        drop(held);
    });
    assert_eq!(
        (change(&left, "gained"), change(&left, "lost"), change(&left, "resigned")),
        (Some(1), Some(1), None)
    );
    assert_eq!(left.event("leadership gained").fields["token"], TOKEN.to_string());
    let lost = left.event("leadership lost");
    assert_eq!(lost.fields["error"], error(ErrorKind::LeaseLost).to_string());
    assert_eq!((&*lost.fields["election"], &*lost.fields["id"]), ("reaper", "i-1"));
}

#[test]
fn giving_a_leadership_up_is_no_loss() {
    let left = leadership(|held, _| drop(held));
    assert_eq!(
        (change(&left, "gained"), change(&left, "lost"), change(&left, "resigned")),
        (Some(1), None, Some(1))
    );
}

#[test]
fn a_leadership_that_is_kept_is_told_once() {
    let left = leadership(|held, controls| {
        assert!(controls[0].extend(reception_core::Moment::NEVER, Duration::ZERO, Duration::ZERO));
        std::mem::forget(held);
        std::mem::take(controls).into_iter().for_each(std::mem::forget);
    });
    assert_eq!(
        (change(&left, "gained"), change(&left, "lost"), change(&left, "resigned")),
        (Some(1), None, None)
    );
}

#[test]
fn a_loss_is_told_from_whichever_thread_latches_it() {
    let stub = Stub::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut held = Vec::new();
    runtime.block_on(async {
        let elector = observe(stub.clone()).elector(&name("reaper")).await.unwrap();
        for _ in 0..200 {
            held.push(elector.elect(api()).await.unwrap());
        }
    });
    let controls = std::mem::take(&mut *stub.leaderships.lock().unwrap());
    let loser = std::thread::spawn(move || drop(controls));
    held.into_iter().for_each(drop);
    loser.join().unwrap();
}

#[test]
fn the_guards_of_the_client_are_handed_on_untouched() {
    run(|| async {
        let stub = Stub::default();
        let client = Observed::new(Arc::new(stub.clone()) as Arc<dyn Client>);
        assert_eq!(client.backend(), "stub");
        assert_eq!(client.capabilities(), stub.capabilities());
        assert_eq!(client.inner().backend(), "stub");
        let registration = client.register(api()).await.unwrap();
        let mut control = stub.registrations.lock().unwrap().pop().unwrap();
        control.set_state(RegistrationState::Doubtful(error(ErrorKind::Timeout)));
        assert!(matches!(registration.state(), RegistrationState::Doubtful(_)));
        let next: Service = api().to_builder().port(9090).build().unwrap();
        let update = registration.update(next);
        let answer = async {
            let Some(Request::Update(service, reply)) = control.request().await else { panic!("an update") };
            control.set_service(service);
            reply.send(Ok(()));
        };
        let (updated, ()) = futures_util::future::join(update, answer).await;
        updated.unwrap();
        assert_eq!(registration.service().port().map(u16::from), Some(9090));
        drop(registration);
        assert!(matches!(control.request().await, Some(Request::Abandon)));
    });
}

#[test]
fn attributes_and_values_are_never_shown() {
    let left = run(|| async {
        let client = observe(Stub::default());
        every_call(&*client).await;
        let elector = client.elector(&name("reaper")).await.unwrap();
        assert_eq!(elector.observe().await.unwrap().count().await, 5);
        client.watch(&name("api")).await.unwrap().for_each(|_| async {}).await;
    });
    let shown = format!("{:?} {:?} {:?}", left.tape.spans(), left.tape.events(), left.counters);
    assert!(!shown.contains("canary"), "{shown}");
}
