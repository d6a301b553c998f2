use reception_core::{ErrorKind, Patch, Service, ServiceId, Snapshot};

use super::*;

fn service(id: &str, port: u16) -> Service {
    Service::builder("api", "10.0.0.7", port).id(id).build().unwrap()
}

fn view(ids: &[&str]) -> Snapshot {
    Snapshot::new("api".parse().unwrap(), 1, ids.iter().map(|id| service(id, 80)))
}

fn stale(text: &str) -> Error {
    Error::new(ErrorKind::Unavailable, "test", "watch", text)
}

fn gone(id: &str) -> Patch {
    Patch::new(2, [], [ServiceId::new(id).unwrap()])
}

fn kinds(mailbox: &mut Mailbox<Snapshot>) -> Vec<&'static str> {
    let kind = |(event, _)| match event {
        Event::Reset(_) => "reset",
        Event::Delta(_) => "delta",
        Event::Stale(_) => "stale",
    };
    std::iter::from_fn(|| mailbox.pop().map(kind)).collect()
}

#[test]
fn what_waits_keeps_its_order() {
    let (old, new) = (view(&["a", "b"]), view(&["a"]));
    let mut mailbox = Mailbox::new();
    mailbox.delta(&gone("b"), new.clone());
    mailbox.stale(stale("first"));
    assert_eq!(kinds(&mut mailbox), ["delta", "stale"]);

    mailbox.stale(stale("first"));
    mailbox.reset(old.clone());
    mailbox.delta(&gone("b"), new.clone());
    assert_eq!(kinds(&mut mailbox), ["stale", "reset"]);

    mailbox.delta(&gone("b"), new);
    mailbox.stale(stale("first"));
    mailbox.reset(old.clone());
    mailbox.stale(stale("second"));
    assert_eq!(kinds(&mut mailbox), ["reset", "stale"]);

    mailbox.stale(stale("first"));
    mailbox.stale(stale("second"));
    mailbox.reset(old);
    assert_eq!(kinds(&mut mailbox), ["stale", "reset"]);
    assert!(mailbox.pop().is_none());
}

#[test]
fn changes_that_wait_are_handed_out_as_one() {
    let mut mailbox = Mailbox::new();
    let mut now = view(&["a", "b"]);
    for patch in [gone("b"), Patch::new(3, [service("b", 81)], []), Patch::new(4, [service("c", 82)], [])] {
        now = now.apply(&patch);
        mailbox.delta(&patch, now.clone());
    }
    let Some((Event::Delta(patch), Some(after))) = mailbox.pop() else { panic!("no delta") };
    assert_eq!(patch.upserted(), [service("b", 81), service("c", 82)]);
    assert!(patch.removed().is_empty());
    assert_eq!(after.revision(), 4);
    assert!(mailbox.pop().is_none());
}

#[test]
fn a_sleeping_reader_holds_no_more_than_the_set() {
    let ids: Vec<String> = (0..200).map(|id| format!("i{id}")).collect();
    let mut now = view(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let mut mailbox = Mailbox::new();
    // Ids that come and go leave a removal behind each.
    for step in 0..10_000_u64 {
        let id = format!("x{}", step / 2);
        let patch = if step % 2 == 0 {
            Patch::new(step + 2, [service(&id, 80)], [])
        } else {
            Patch::new(step + 2, [], [ServiceId::new(&id).unwrap()])
        };
        now = now.apply(&patch);
        mailbox.delta(&patch, now.clone());
        let changes = mailbox.good.as_ref().and_then(|good| good.changes.as_ref());
        assert!(changes.is_none_or(|changes| changes.weight <= 402 && changes.deltas.len() <= 402));
    }
    let Some((Event::Reset(last), _)) = mailbox.pop() else { panic!("no reset") };
    assert_eq!((last.len(), last.revision()), (200, now.revision()));
}

#[test]
fn a_sleeping_reader_of_a_steady_set_gets_one_delta() {
    let ids: Vec<String> = (0..200).map(|id| format!("i{id}")).collect();
    let mut now = view(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let mut mailbox = Mailbox::new();
    for step in 0..10_000_u64 {
        let port = u16::try_from(step % 60_000 + 1).unwrap();
        let patch = Patch::new(step + 2, [service(&format!("i{}", step % 200), port)], []);
        now = now.apply(&patch);
        mailbox.delta(&patch, now.clone());
    }
    let Some((Event::Delta(patch), Some(last))) = mailbox.pop() else { panic!("no delta") };
    assert_eq!((patch.upserted().len(), last.revision()), (200, now.revision()));
}
