//! `list` and `watch`.

use reception::{ClientExt as _, Service, Status};
use serde_json::{Value, json};

use crate::{
    case,
    case::Case,
    ground::{Ground, texts},
    process::Signal,
};

pub(crate) const CASES: &[Case] = &[
    case!(an_unknown_name_lists_nothing),
    case!(an_instance_is_listed_with_all_six, Writing, Sharing),
    case!(lists_are_sorted_by_id_and_names_by_name, Writing, Sharing),
    case!(a_fixed_list_is_listed, Fixed),
    case!(a_fixed_list_is_watched, Fixed),
    case!(a_watch_of_nothing_begins_with_an_empty_reset),
    case!(a_watch_shows_who_comes_and_who_goes, Writing, Sharing),
    case!(a_watch_begins_with_those_who_are_there, Writing, Sharing),
    case!(one_that_drains_is_removed_unless_all_are_asked_for, Writing, Sharing),
    case!(a_watch_ends_with_0_on_each_signal),
];

async fn an_unknown_name_lists_nothing(ground: &Ground) {
    ground.call("list nobody").end().await.quietly(0);
    ground.call("list nobody --all").end().await.quietly(0);
}

async fn an_instance_is_listed_with_all_six(ground: &Ground) {
    let words = "register api --address ::1 --port 9 --id a1 --attr zone=b --attr k=";
    let mut run = ground.call(words).start();
    let instance = json!({
        "name": "api", "id": "a1", "address": "::1", "port": 9, "status": "up",
        "attributes": {"zone": "b", "k": ""},
    });
    assert_eq!(run.next().await, json!({"event": "registered", "service": instance}));
    assert_eq!(ground.list("api").await, std::slice::from_ref(&instance));
    assert_eq!(ground.list("api --all").await, [instance]);
    assert_eq!(ground.list("").await, [json!({"name": "api"})]);
    run.stop().await;
    ground.shows(&[]).await;
    assert_eq!(ground.list("").await, [] as [Value; 0]);
}

async fn lists_are_sorted_by_id_and_names_by_name(ground: &Ground) {
    let _c = ground.registered("c", "").await;
    let _a = ground.registered("a", "").await;
    let mut b = ground.call("register zoo --address 127.0.0.1 --port 1 --id b").start();
    b.event("registered").await;
    let mut d = ground.call("register App --address 127.0.0.1 --port 1 --id d").start();
    d.event("registered").await;
    assert_eq!(ground.ids().await, ["a", "c"]);
    assert_eq!(texts(&ground.list("").await, "name"), ["App", "api", "zoo"]);
    let mut watch = ground.call("watch api").start();
    let reset = watch.event("reset").await;
    assert_eq!(texts(reset["services"].as_array().expect("a list"), "id"), ["a", "c"]);
}

/// An instance of a fixed list.
fn fixed(id: &str, address: &str, port: u16) -> Value {
    json!({"name": "api", "id": id, "address": address, "port": port, "status": "up", "attributes": {}})
}

async fn a_fixed_list_is_listed(ground: &Ground) {
    let both = [fixed("127.0.0.1:8081", "127.0.0.1", 8081), fixed("[::1]:8080", "::1", 8080)];
    assert_eq!(ground.list("api").await, both);
    assert_eq!(ground.list("").await, [json!({"name": "api"})]);
}

async fn a_fixed_list_is_watched(ground: &Ground) {
    let mut watch = ground.call("watch api").start();
    let reset = watch.event("reset").await;
    assert_eq!(reset["services"].as_array().map(Vec::len), Some(2), "{reset}");
    watch.stop().await.quietly(0);
    let register = ground.register("a", "").end().await;
    register.failed(1, &["static"]);
    ground.elect("a", "").end().await.failed(1, &["static"]);
    ground.leader().await.failed(1, &["static"]);
}

/// The reset that a watch prints first.
fn is_reset(reset: &Value, services: &Value) {
    let revision = reset["revision"].as_u64().expect("a revision");
    assert_eq!(*reset, json!({"event": "reset", "revision": revision, "services": services}));
}

/// A patch, with all four keys.
fn is_patch(patch: &Value, upserted: &Value, removed: &Value, since: &Value) {
    let revision = patch["revision"].as_u64().expect("a revision");
    let wanted = json!({"event": "patch", "revision": revision, "upserted": upserted, "removed": removed});
    assert_eq!(*patch, wanted);
    assert!(revision > since["revision"].as_u64().expect("a revision"), "{patch} after {since}");
}

async fn a_watch_of_nothing_begins_with_an_empty_reset(ground: &Ground) {
    let mut watch = ground.call("watch nobody").start();
    is_reset(&watch.next().await, &json!([]));
    watch.stop().await.quietly(0);
}

fn instance(id: &str) -> Value {
    json!({
        "name": "api", "id": id, "address": "127.0.0.1", "port": 8080, "status": "up", "attributes": {},
    })
}

async fn a_watch_shows_who_comes_and_who_goes(ground: &Ground) {
    let mut watch = ground.call("watch api").start();
    let reset = watch.next().await;
    is_reset(&reset, &json!([]));
    let a1 = ground.registered("a1", "").await;
    let came = watch.next().await;
    is_patch(&came, &json!([instance("a1")]), &json!([]), &reset);
    a1.stop().await;
    let went = watch.next().await;
    is_patch(&went, &json!([]), &json!(["a1"]), &came);
    watch.stop().await.quietly(0);
}

async fn a_watch_begins_with_those_who_are_there(ground: &Ground) {
    let _a1 = ground.registered("a1", "").await;
    let mut watch = ground.call("watch api --all").start();
    is_reset(&watch.next().await, &json!([instance("a1")]));
}

async fn one_that_drains_is_removed_unless_all_are_asked_for(ground: &Ground) {
    let client = reception::dial(&ground.store.url()).await.expect("a store");
    let service = |status| {
        let builder = Service::builder("api", "127.0.0.1", 8080).id("a1");
        builder.status(status).build().expect("an instance")
    };
    let a1 = client.register(service(Status::Up)).await.expect("a registration");
    let (mut living, mut all) = (ground.call("watch api").start(), ground.call("watch api --all").start());
    let reset = living.next().await;
    is_reset(&reset, &json!([instance("a1")]));
    let before = all.next().await;
    a1.update(service(Status::Draining)).await.expect("an update");
    is_patch(&living.next().await, &json!([]), &json!(["a1"]), &reset);
    let mut draining = instance("a1");
    draining["status"] = "draining".into();
    is_patch(&all.next().await, &json!([draining]), &json!([]), &before);
    assert_eq!(ground.list("api").await, [] as [Value; 0]);
    assert_eq!(ground.list("api --all").await, [draining]);
    assert!(a1.close().await.is_ok() && client.close().await.is_ok());
}

async fn a_watch_ends_with_0_on_each_signal(ground: &Ground) {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut watch = ground.call("watch api").start();
        watch.event("reset").await;
        watch.signal(signal);
        watch.end().await.quietly(0);
    }
}
