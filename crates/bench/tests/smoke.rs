//! Every subcommand at a tiny size: what it prints parses and has the promised fields. Never a time.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::BTreeSet,
    process::{Command, Output},
};

use etcd_client::GetOptions;
use reception_lab::Etcd;
use serde_json::Value;

fn bench(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_reception-bench")).args(words).output().unwrap()
}

/// Runs a subcommand on a server, and gives its lines.
async fn lines(etcd: &Etcd, words: &[&str]) -> Vec<Value> {
    let url = format!("etcd://{}/smoke", etcd.endpoint());
    let words: Vec<&str> = words.iter().copied().chain(["--url", &url]).collect();
    let lines = told(&words);
    let mut client = etcd_client::Client::connect([etcd.url()], None).await.unwrap();
    let left = client.get("smoke/", Some(GetOptions::new().with_prefix().with_keys_only())).await.unwrap();
    assert_eq!(left.kvs().len(), 0, "{words:?} left keys behind");
    let leases = client.leases().await.unwrap();
    assert_eq!(leases.leases().len(), 0, "{words:?} left leases behind");
    lines
}

fn told(words: &[&str]) -> Vec<Value> {
    let output = bench(words);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{words:?}: {}\n{err}\n{out}", output.status);
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The lines of a bench and peer, each of which has these fields as numbers.
fn have(lines: &[Value], bench: &str, peer: &str, fields: &[&str]) {
    let of = |line: &&Value| line["bench"] == bench && line["peer"] == peer;
    assert!(lines.iter().any(|line| of(&line)), "no {bench} of {peer} in {lines:?}");
    for line in lines.iter().filter(of) {
        for field in fields {
            assert!(line[field].is_number(), "{bench} of {peer} has no number {field}: {line}");
        }
        assert!(line["run"].is_number() && line["backend"].is_string(), "{line}");
    }
}

fn ratio(lines: &[Value], mode: &str, field: &str) {
    let of = |line: &&Value| line["bench"] == "ratio" && line["mode"] == mode;
    let line = lines.iter().find(of).unwrap_or_else(|| panic!("no ratio of {mode} in {lines:?}"));
    for end in ["reception", "raw", "ratio", "ratio_min", "ratio_max"] {
        assert!(line[format!("{field}_{end}")].is_number(), "{line}");
    }
}

fn both(lines: &[Value], bench: &str, fields: &[&str]) {
    have(lines, bench, "reception", fields);
    have(lines, bench, "raw", fields);
}

#[tokio::test]
async fn registering_watching_and_listing_name_their_costs() {
    let etcd = Etcd::start().await.unwrap();
    let found = lines(&etcd, &["register", "--count", "20", "--rounds", "3", "--pairs", "1"]).await;
    both(
        &found,
        "register",
        &["count", "seconds", "per_second", "requests", "calls", "bytes_in", "bytes_out"],
    );
    both(&found, "register_one", &["p50_us", "p99_us", "requests"]);
    ratio(&found, "register pipelined 64", "per_second");
    ratio(&found, "register group", "per_second");
    ratio(&found, "register_one", "p50_us");

    let found = lines(&etcd, &["watch", "--changes", "6", "--warmup", "2", "--pairs", "2"]).await;
    let per_change =
        ["process_cpu_us_per_change", "watcher_requests_per_change", "watcher_bytes_in_per_change"];
    both(&found, "watch", &["prop_p50_us", "prop_p99_us", "call_p50_us", "start_seconds"]);
    both(&found, "watch", &per_change);
    ratio(&found, "watch delta", "prop_p50_us");
    let runs: BTreeSet<String> = found.iter().map(|line| line["run"].to_string()).collect();
    assert!(runs.contains("1") && runs.contains("2"), "{runs:?}");

    let found = lines(&etcd, &["list", "--count", "300", "--repeat", "2", "--pairs", "1"]).await;
    both(&found, "list", &["p50_us", "max_us", "requests", "bytes_in"]);
    ratio(&found, "list", "p50_us");
    let found = lines(&etcd, &["list", "--cached", "--count", "30", "--pairs", "1"]).await;
    have(&found, "list", "reception", &["p50_ns", "clone_p50_ns", "requests"]);
    assert_eq!(found[0]["requests"], 0, "a view that is watched costs no request");
}

#[tokio::test]
async fn elections_name_one_leader_after_the_other() {
    let etcd = Etcd::start().await.unwrap();
    let found = lines(&etcd, &["failover", "--rounds", "2", "--pairs", "1"]).await;
    both(&found, "failover_resign", &["candidates", "verified_p50_us", "verified_p99_us", "requests"]);
    ratio(&found, "failover_resign", "verified_p50_us");
    let found = lines(&etcd, &["failover", "--mode", "kill", "--rounds", "1", "--pairs", "1"]).await;
    both(&found, "failover_kill", &["asked_ttl_s", "granted_ttl_s", "p50_ms", "max_ms"]);
}

#[tokio::test]
async fn many_watchers_and_many_registrations_are_counted() {
    let etcd = Etcd::start().await.unwrap();
    let found =
        lines(&etcd, &["fanout", "--count", "20", "--watchers", "8", "--changes", "2", "--pairs", "1"]).await;
    both(&found, "fanout", &["last_p50_us", "spread_p50_us", "setup_seconds", "bytes_in_per_change"]);
    let found = lines(&etcd, &["burst", "--count", "50", "--changes", "20", "--pairs", "1"]).await;
    both(&found, "burst", &["seconds", "write_seconds"]);
    assert!(found.iter().any(|line| line["mode"] == "registered" && line["snapshots"].is_number()));
    let found = lines(&etcd, &["idle", "--count", "10", "--seconds", "1", "--pairs", "1"]).await;
    both(&found, "idle", &["cpu_ms_per_second", "requests_per_second", "bytes_per_second"]);
    let found = lines(&etcd, &["exit", "--count", "20", "--pairs", "1"]).await;
    both(&found, "exit", &["ms", "requests", "bytes_out"]);
}

#[tokio::test]
async fn a_broken_connection_is_no_event() {
    let etcd = Etcd::start().await.unwrap();
    let found = lines(&etcd, &["reconnect", "--count", "10", "--pairs", "1"]).await;
    have(&found, "reconnect", "reception", &["requests", "calls", "connections", "stale", "seconds"]);
    assert_eq!((&found[0]["events"], &found[0]["vanished"]), (&0.into(), &0.into()), "{}", found[0]);
}

#[tokio::test]
async fn what_needs_no_server_runs_without_one() {
    let found = told(&["publish", "--count", "40", "--changes", "6", "--pairs", "1"]);
    both(&found, "publish", &["p50_us", "p99_us"]);
    ratio(&found, "publish apply", "p50_us");
    let memory = ["memory", "--url", "memory:", "--count", "500", "--watchers", "2", "--pairs", "1"];
    both(&told(&memory), "memory", &["count"]);
    let watch = ["watch", "--url", "memory:", "--changes", "4", "--warmup", "2", "--pairs", "1"];
    have(&told(&watch), "watch", "reception", &["prop_p50_us", "start_seconds"]);
    let list = ["list", "--cached", "--url", "memory:", "--count", "10", "--pairs", "1"];
    have(&told(&list), "list", "reception", &["p50_ns"]);
}

#[test]
fn bad_arguments_are_told_and_exit_with_2() {
    for (words, told) in [
        (&["walk"][..], "\"walk\" is no subcommand"),
        (&["watch", "--cuont", "3"], "watch has no option --cuont"),
        (&["watch", "--count", "x"], "--count is \"x\""),
        (&["register", "--url", "memory:"], "needs a server"),
    ] {
        let output = bench(words);
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {err}");
        assert!(err.contains(told) && output.stdout.is_empty(), "{words:?}: {err}");
    }
    let help = bench(&["--help"]);
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("reconnect"));
}

#[test]
fn a_server_that_is_not_there_is_told_and_exits_with_1() {
    let output = bench(&["watch", "--url", "etcd://127.0.0.1:9/bench"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.is_empty());
}
