//! Every subcommand on a ZooKeeper, at a tiny size: what it prints parses and has the promised fields, and nothing of it stays. Never a time.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;

use reception_lab::ZooKeeper;
use serde_json::Value;

/// Runs a subcommand on the server, and gives its lines.
async fn lines(server: &ZooKeeper, words: &str) -> Vec<Value> {
    let url = format!("zk://{}/smoke", server.endpoint());
    let words: Vec<&str> = words.split_whitespace().chain(["--pairs", "1", "--url", &url]).collect();
    let output = Command::new(env!("CARGO_BIN_EXE_reception-bench")).args(&words).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{words:?}: {}\n{err}\n{out}", output.status);
    let client = zookeeper_client::Client::connect(&server.endpoint().to_string()).await.unwrap();
    let left = client.list_children("/smoke").await.unwrap();
    assert!(left.is_empty(), "{words:?} left {left:?} behind");
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Both peers have lines of a bench with these fields.
fn both(lines: &[Value], bench: &str, fields: &[&str]) {
    for peer in ["reception", "raw"] {
        let of: Vec<_> = lines.iter().filter(|line| line["bench"] == bench && line["peer"] == peer).collect();
        assert!(!of.is_empty(), "no {bench} of {peer} in {lines:?}");
        for (line, field) in of.iter().flat_map(|line| fields.iter().map(move |field| (line, field))) {
            assert!(line[field].is_number(), "{bench} of {peer} has no number {field}: {line}");
            assert_eq!(line["backend"], "zookeeper");
        }
    }
}

fn number(lines: &[Value], peer: &str, field: &str) -> f64 {
    let line = lines.iter().find(|line| line["peer"] == peer && line[field].is_number());
    line.unwrap_or_else(|| panic!("no {field} of {peer} in {lines:?}"))[field].as_f64().unwrap()
}

#[tokio::test]
async fn registering_watching_and_listing_name_their_costs() {
    let server = ZooKeeper::start().await.unwrap();
    let found = lines(&server, "register --count 20 --rounds 3").await;
    both(&found, "register", &["count", "seconds", "per_second", "requests", "bytes_in", "bytes_out"]);
    both(&found, "register_one", &["p50_us", "p99_us", "requests"]);
    let found = lines(&server, "watch --changes 6 --warmup 2").await;
    both(&found, "watch", &["prop_p50_us", "start_seconds", "watcher_bytes_in_per_change"]);
    for peer in ["reception", "raw"] {
        let each = number(&found, peer, "watcher_requests_per_change");
        assert!(
            (each - 0.5).abs() < 1e-9,
            "{peer}: one request for what is added, none for what goes: {each}"
        );
    }
    let found = lines(&server, "list --count 600 --repeat 2").await;
    both(&found, "list", &["p50_us", "max_us", "requests", "bytes_in"]);
    assert!((number(&found, "raw", "requests") - 3.0).abs() < 1e-9, "the names and two pages: {found:?}");
}

#[tokio::test]
async fn elections_name_one_leader_after_the_other() {
    let server = ZooKeeper::start().await.unwrap();
    let found = lines(&server, "failover --rounds 2").await;
    both(&found, "failover_resign", &["candidates", "verified_p50_us", "requests"]);
    let found = lines(&server, "failover --mode kill --rounds 1").await;
    both(&found, "failover_kill", &["asked_ttl_s", "granted_ttl_s", "p50_ms"]);
}

#[tokio::test]
async fn many_watchers_and_many_registrations_are_counted() {
    let server = ZooKeeper::start().await.unwrap();
    let found = lines(&server, "fanout --count 20 --watchers 8 --changes 2").await;
    both(&found, "fanout", &["last_p50_us", "spread_p50_us", "setup_seconds", "bytes_in_per_change"]);
    both(&lines(&server, "burst --count 50 --changes 20").await, "burst", &["seconds", "write_seconds"]);
    let found = lines(&server, "idle --count 10 --seconds 3").await;
    both(&found, "idle", &["cpu_ms_per_second", "requests_per_second", "pings_per_second"]);
    let found = lines(&server, "exit --count 20").await;
    both(&found, "exit", &["ms", "requests", "bytes_out"]);
    assert!(
        (number(&found, "reception", "requests") - 1.0).abs() < 1e-9,
        "the end of the session: {found:?}"
    );
    both(&lines(&server, "memory --count 100 --watchers 2").await, "memory", &["count"]);
}

#[tokio::test]
async fn a_broken_connection_is_no_event() {
    let server = ZooKeeper::start().await.unwrap();
    let found = lines(&server, "reconnect --count 10").await;
    assert_eq!((&found[0]["events"], &found[0]["vanished"]), (&0.into(), &0.into()), "{}", found[0]);
    assert!(found[0]["requests"].as_u64().unwrap() <= 6, "{}", found[0]);
}
