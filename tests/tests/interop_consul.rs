//! `consul lock`, plain requests and this library on one Consul: locks that both contend for, and what others see of our instances.
#![expect(clippy::expect_used, reason = "a test may panic")]

use std::time::Duration;

use futures_util::pin_mut;
use reception::{Client, ClientExt as _, Elector, Service, Status};
use reception_lab::{Agent, Consul, Running, eventually};
use reception_tests::{PATIENCE, dial, patiently};
use serde_json::Value;
use tokio::time::{Instant, timeout};

const TTL: Duration = Duration::from_secs(2);
const LEADS: &str = "the command leads";

fn url(server: &Consul) -> String {
    format!("consul://{}/interop?ttl={1}s&election_ttl={1}s", server.endpoint(), TTL.as_secs())
}

fn candidate(id: &str) -> Service {
    Service::builder("api", "10.0.0.7", 8080).id(id).build().expect("valid")
}

async fn elector(client: &dyn Client) -> Box<dyn Elector> {
    client.elector(&"reaper".parse().expect("a name")).await.expect("an elector")
}

/// Consul's own program runs a command while it holds the lock of our election.
fn lock(server: &Consul) -> Running {
    let words = ["lock", "interop/reaper", &format!("echo {LEADS}; sleep 600")];
    server.command(server.endpoint(), &words).expect("runs")
}

async fn read(server: &Consul, path: &str) -> Value {
    let answer = server.api().get(path).await.expect("answers");
    serde_json::from_str(&answer.body).unwrap_or(Value::Null)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_of_consul_lock_is_seen_waited_for_and_followed() {
    let server = Consul::start().await.expect("an agent");
    let mut foreign = lock(&server);
    assert_eq!(foreign.line(PATIENCE).await.expect("consul lock leads"), LEADS);

    let client = dial(&url(&server)).await;
    let elector = elector(&*client).await;
    let leader = patiently("leader", elector.leader()).await.expect("answers").expect("somebody leads");
    assert!(leader.service().is_none(), "{leader:?}");
    let standing = elector.elect(candidate("ours"));
    pin_mut!(standing);
    assert!(timeout(Duration::from_secs(1), standing.as_mut()).await.is_err(), "it waits");

    foreign.stop().await.expect("consul lock gives the lock back");
    let leadership = patiently("elect", standing).await.expect("elected");
    assert!(leadership.token().value() > leader.token().value(), "{leader:?} {leadership:?}");
    client.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consul_lock_waits_for_our_leader_and_follows() {
    let server = Consul::start().await.expect("an agent");
    let client = dial(&url(&server)).await;
    let elector = elector(&*client).await;
    let leadership = patiently("elect", elector.elect(candidate("ours"))).await.expect("elected");
    let mut foreign = lock(&server);
    // It has asked for the lock's key, then waits.
    let stands = || async {
        let sessions = read(&server, "/v1/session/list").await;
        let count = sessions.as_array().map_or(0, Vec::len);
        if count == 2 { Ok(()) } else { Err(format!("{count} sessions")) }
    };
    eventually(PATIENCE, stands).await.expect("consul lock stands");
    assert!(foreign.line(Duration::from_secs(1)).await.is_err(), "it waits");
    patiently("resign", leadership.resign()).await.expect("resigns");
    assert_eq!(foreign.line(PATIENCE).await.expect("consul lock leads"), LEADS);
    client.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_leader_of_ours_is_followed_by_consul_lock_and_harms_nobody_else() {
    let server = Consul::start().await.expect("an agent");
    let theirs = r#"{"Name":"theirs","ID":"theirs-1","Check":{"TTL":"10m","Status":"passing"}}"#;
    server.api().put("/v1/agent/service/register", theirs).await.expect("another program registers");
    let folder = tempfile::tempdir().expect("a folder");
    let history = folder.path().join("history").display().to_string();
    let words = ["--url", &url(&server), "--history", &history, "--id", "ours"].map(str::to_owned);
    let roles = ["--service", "api", "--election", "reaper"].map(str::to_owned);
    let agent =
        Agent::start(env!("CARGO_BIN_EXE_contender"), words.into_iter().chain(roles)).expect("starts");
    let ours = || async {
        let up = read(&server, "/v1/health/service/interop-api?passing").await;
        let held = read(&server, "/v1/kv/interop/reaper/.lock").await;
        let well = up.as_array().is_some_and(|rows| rows.len() == 1) && held[0]["Session"].is_string();
        if well { Ok(()) } else { Err(format!("{up} {held}")) }
    };
    eventually(PATIENCE, ours).await.expect("ours is registered and leads");
    let mut foreign = lock(&server);
    assert!(foreign.line(Duration::from_secs(1)).await.is_err(), "it waits");

    agent.kill();
    let died = Instant::now();
    assert_eq!(foreign.line(PATIENCE).await.expect("consul lock leads"), LEADS);
    // Its own client sleeps for five seconds after a lock that it did not get.
    assert!(died.elapsed() < TTL + Duration::from_secs(8), "after {:?}", died.elapsed());
    let gone = || async {
        let up = read(&server, "/v1/health/service/interop-api?passing").await;
        if up.as_array().is_some_and(Vec::is_empty) { Ok(()) } else { Err(up.to_string()) }
    };
    eventually(PATIENCE, gone).await.expect("the dead one is not passing");
    let up = read(&server, "/v1/health/service/theirs?passing").await;
    assert_eq!(up.as_array().map(Vec::len), Some(1), "another program's service stays: {up}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_see_our_instance_as_consul_shows_its_own_and_we_see_theirs() {
    let server = Consul::start().await.expect("an agent");
    let client = dial(&format!("consul://{}", server.endpoint())).await;
    let ours =
        Service::builder("api", "10.0.0.7", 8080).id("one").attribute("zone", "a").build().expect("valid");
    let registration = client.register(ours.clone()).await.expect("registers");
    let rows = read(&server, "/v1/health/service/api?passing").await;
    let service = &rows[0]["Service"];
    assert_eq!((&service["Address"], &service["Port"]), (&"10.0.0.7".into(), &8080.into()), "{rows}");
    assert_eq!(service["Meta"]["zone"], "a", "{rows}");
    let services = read(&server, "/v1/catalog/services").await;
    let names: Vec<&String> = services.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["api", "consul"], "a single registration adds nothing else");

    registration
        .update(ours.to_builder().status(Status::Draining).build().expect("valid"))
        .await
        .expect("updates");
    let rows = read(&server, "/v1/health/service/api?passing").await;
    assert_eq!(rows.as_array().map(Vec::len), Some(0), "who drains gets no traffic: {rows}");

    let theirs = r#"{"Name":"web","ID":"web-1","Address":"10.0.0.8","Port":81,"Meta":{"zone":"b"}}"#;
    server.api().put("/v1/agent/service/register", theirs).await.expect("another program registers");
    let view = client.list(&"web".parse().expect("a name")).await.expect("lists");
    let web = view.iter().next().expect("one");
    assert_eq!((web.id().as_str(), web.address(), web.attribute("zone")), ("web-1", "10.0.0.8", Some("b")));
    client.close().await.expect("closes");
}

/// Services that another program has at the same agent: of another name, of ours without and with a check, and one that has attributes of its own.
const THEIRS: &[(&str, &str, &str)] = &[
    ("theirs", "theirs-1", r#","Check":{"TTL":"10m","Status":"passing"}"#),
    ("interop-api", "interop-api-9", ""),
    ("interop-api", "interop-api:theirs", r#","Check":{"TTL":"10m","Status":"passing"}"#),
    ("interop-api", "theirs-2", r#","Meta":{"owner":"them"},"Check":{"TTL":"10m","Status":"passing"}"#),
];

async fn register_theirs(server: &Consul) {
    for (name, id, more) in THEIRS {
        let body = format!(r#"{{"Name":"{name}","ID":"{id}","Address":"10.0.0.9","Port":9{more}}}"#);
        server.api().put("/v1/agent/service/register", &body).await.expect("another program registers");
    }
}

/// The ids that pass, of both names.
async fn passing(server: &Consul) -> Vec<String> {
    let mut ids = Vec::new();
    for name in ["theirs", "interop-api"] {
        let rows = read(server, &format!("/v1/health/service/{name}?passing")).await;
        let of = rows.as_array().into_iter().flatten();
        ids.extend(of.filter_map(|row| row["Service"]["ID"].as_str().map(str::to_owned)));
    }
    ids.sort_unstable();
    ids
}

async fn only_theirs(server: &Consul, when: &str) {
    let mut wanted: Vec<&str> = THEIRS.iter().map(|(_, id, _)| *id).collect();
    wanted.sort_unstable();
    let rest = || async {
        let ids = passing(server).await;
        if ids == wanted { Ok(()) } else { Err(format!("{ids:?} pass")) }
    };
    eventually(PATIENCE, rest).await.unwrap_or_else(|late| panic!("{when}: {late}"));
    let held = read(server, "/v1/agent/services").await;
    for (_, id, _) in THEIRS {
        assert!(held[*id].is_object(), "{when}: the agent has {held}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_program_registered_at_our_agent_survives_us() {
    let server = Consul::start().await.expect("an agent");
    register_theirs(&server).await;
    for count in [1, 3] {
        let client = dial(&url(&server)).await;
        let mut guards = Vec::new();
        for number in 0..count {
            guards.push(client.register(candidate(&format!("ours-{number}"))).await.expect("registers"));
        }
        assert_eq!(passing(&server).await.len(), THEIRS.len() + count);
        let view = client.list(&"api".parse().expect("a name")).await.expect("lists");
        assert_eq!(view.len(), count + 3, "theirs of our name are listed as well: {view:?}");
        client.close().await.expect("closes");
        drop(guards);
        only_theirs(&server, &format!("closed with {count}")).await;
    }
    let client = dial(&url(&server)).await;
    let guard = client.register(candidate("ours")).await.expect("registers");
    drop((guard, client));
    only_theirs(&server, "dropped").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_program_registered_at_our_agent_survives_a_kill_of_us() {
    let server = Consul::start().await.expect("an agent");
    register_theirs(&server).await;
    let folder = tempfile::tempdir().expect("a folder");
    let history = folder.path().join("history").display().to_string();
    let words = ["--url", &url(&server), "--history", &history, "--id", "ours"].map(str::to_owned);
    let roles = ["--service", "api", "--election", "reaper"].map(str::to_owned);
    let agent =
        Agent::start(env!("CARGO_BIN_EXE_contender"), words.into_iter().chain(roles)).expect("starts");
    let there = || async {
        let ids = passing(&server).await;
        if ids.len() == THEIRS.len() + 1 { Ok(()) } else { Err(format!("{ids:?} pass")) }
    };
    eventually(PATIENCE, there).await.expect("ours is registered");
    agent.kill();
    only_theirs(&server, "killed").await;
}
