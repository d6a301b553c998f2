//! Tokens: what an agent with access control lets through, what is said when it does not, and a token that is replaced.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::Path, sync::Arc, time::Duration};

use futures_util::StreamExt;
use reception_consul::Options;
use reception_core::{
    Change, Client, ClientExt, Dialer, Error, ErrorKind, RegistrationState, Result, Service, ServiceName,
};
use reception_lab::{Consul, ConsulOptions, Proxy, ProxyOptions, eventually};

const MASTER: &str = "9b6f4d5e-6f0c-4f56-8a0e-5d1f0c7a2b01";
const SOON: Duration = Duration::from_secs(20);

/// What README.md says that a token needs, for the namespace `prod`.
const NEEDED: &str = r#"
service_prefix "prod-" { policy = "write" }
service "reception--session" { policy = "write" }
service_prefix "" { policy = "read" }
node_prefix "" { policy = "read" }
agent_prefix "" { policy = "read" }
session_prefix "" { policy = "write" }
key_prefix "prod/" { policy = "write" }
"#;
/// Enough to look.
const READING: &str = r#"
service_prefix "" { policy = "read" }
node_prefix "" { policy = "read" }
"#;

async fn guarded() -> Consul {
    Consul::start_with(ConsulOptions::default().token(MASTER)).await.unwrap()
}

/// Makes a token with this policy.
async fn token(consul: &Consul, name: &str, rules: &str) -> String {
    let quoted = rules.replace('"', "\\\"").replace('\n', " ");
    let policy = format!(r#"{{"Name":"{name}","Rules":"{quoted}"}}"#);
    consul.api().put("/v1/acl/policy", &policy).await.unwrap();
    let token = format!(r#"{{"Policies":[{{"Name":"{name}"}}]}}"#);
    field(&dense(&consul.api().put("/v1/acl/token", &token).await.unwrap()), "SecretID")
}

/// An agent in development mode writes its answers on many lines.
fn dense(answer: &str) -> String {
    answer.split_whitespace().collect()
}

fn field(answer: &str, name: &str) -> String {
    let (_, rest) = answer.split_once(&format!("\"{name}\":\"")).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

async fn dial(consul: &Consul, options: &str) -> Result<Arc<dyn Client>> {
    let url = format!("consul://{}/prod?timeout=2s{options}", consul.endpoint());
    Dialer::new().with(reception_consul::BACKEND).unwrap().dial(&url).await
}

fn api() -> ServiceName {
    "api".parse().unwrap()
}

fn one() -> Service {
    Service::builder("api", "10.0.0.7", 8080).id("one").build().unwrap()
}

fn refused(error: &Error, secret: &str) {
    let told = format!("{error} {error:?}");
    let kinds = [ErrorKind::Denied, ErrorKind::Unauthenticated];
    assert!(kinds.contains(&error.kind()), "{told}");
    assert!(!told.contains(secret), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_with_the_rights_that_are_documented_does_everything() {
    let consul = guarded().await;
    let token = token(&consul, "needed", NEEDED).await;
    let client = dial(&consul, &format!("&token={token}")).await.unwrap();
    let first = client.register(one()).await.unwrap();
    let second = Service::builder("api", "10.0.0.8", 8080).id("two").build().unwrap();
    let second = client.register(second).await.unwrap();
    assert_eq!(client.list(&api()).await.unwrap().len(), 2);
    assert!(client.names().await.unwrap().contains(&api()));
    let mut watcher = client.watch(&api()).await.unwrap();
    let shown = tokio::time::timeout(SOON, watcher.next()).await.unwrap().unwrap().unwrap();
    assert!(matches!(&shown, Change::Reset(view) if view.len() == 2), "{shown:?}");
    let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
    let leadership = elector.elect(one()).await.unwrap();
    assert!(elector.leader().await.unwrap().is_some());
    leadership.resign().await.unwrap();
    client.probe().await.unwrap();
    first.close().await.unwrap();
    second.close().await.unwrap();
    client.close().await.unwrap();
    assert!(!format!("{client:?}").contains(&token));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_token_may_not_do_is_refused_and_nobody_prints_it() {
    let consul = guarded().await;
    let reading = token(&consul, "reading", READING).await;
    let unknown = "11111111-2222-3333-4444-555555555555";
    for token in [reading.as_str(), unknown] {
        let client = dial(&consul, &format!("&token={token}")).await.unwrap();
        refused(&client.register(one()).await.unwrap_err(), token);
        let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
        let stood = tokio::time::timeout(SOON, elector.elect(one())).await.expect("an answer in time");
        refused(&stood.unwrap_err(), token);
        client.close().await.unwrap();
    }
    // Nobody is what one without a token is: it sees nothing of what it may not read.
    let nobody = dial(&consul, "").await.unwrap();
    refused(&nobody.register(one()).await.unwrap_err(), MASTER);
    nobody.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_replaced_in_its_file_counts_from_then_on() {
    let consul = guarded().await;
    let (first, second) = (token(&consul, "first", NEEDED).await, token(&consul, "second", NEEDED).await);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    write(&file, &format!("{first}\n"));
    let client = dial(&consul, &format!("&ttl=2s&token_file={}", file.display())).await.unwrap();
    let registration = client.register(one()).await.unwrap();

    // The old one is taken away; the new one is there before or after.
    write(&file, &second);
    let told = dense(&consul.api().ask("GET", "/v1/acl/tokens", "").await.unwrap().body);
    let accessor = accessor_of(&told, "first").unwrap();
    let gone = consul.api().ask("DELETE", &format!("/v1/acl/token/{accessor}"), "").await.unwrap();
    assert_eq!(gone.status, 200, "{}", gone.body);

    eventually(SOON, || async {
        match client.list(&api()).await {
            Ok(view) if view.len() == 1 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap();
    let two = Service::builder("api", "10.0.0.8", 8080).id("two").build().unwrap();
    let second = client.register(two).await.unwrap();
    eventually(SOON, || async {
        match registration.state() {
            RegistrationState::Active => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap();
    second.close().await.unwrap();
    registration.close().await.unwrap();
    client.close().await.unwrap();
}

/// The id by which a token is managed, of the one with this policy.
fn accessor_of(told: &str, policy: &str) -> Option<String> {
    let tokens = told.split("\"AccessorID\":\"").skip(1);
    let mut tokens = tokens.filter(|token| token.contains(&format!("\"Name\":\"{policy}\"")));
    Some(tokens.next()?.split('"').next()?.to_owned())
}

fn write(file: &Path, text: &str) {
    let beside = file.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, file).unwrap();
}

#[tokio::test]
async fn a_token_file_that_cannot_be_used_is_named_by_dial() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    write(&empty, "\n");
    for (file, why) in [(folder.path().join("missing"), "token_file"), (empty, "token_file")] {
        let url = format!("consul://127.0.0.1:1/prod?token_file={}", file.display());
        let dialer = Dialer::new().with(reception_consul::BACKEND).unwrap();
        let error = dialer.dial(&url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
}

/// The name of the test below that is run in a process of its own, with the variable.
const WITH_VARIABLE: &str = "a_process_with_the_variable";
const VARIABLE: &str = "CONSUL_HTTP_TOKEN";
const AGENT: &str = "RECEPTION_TEST_CONSUL_AGENT";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_variable_with_the_token_is_read_when_that_is_asked_for() {
    let consul = guarded().await;
    let token = token(&consul, "needed", NEEDED).await;
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", WITH_VARIABLE, "--nocapture"]);
    command.env(VARIABLE, &token).env(AGENT, consul.endpoint().to_string());
    let played = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&played.stdout), String::from_utf8_lossy(&played.stderr));
    assert!(played.status.success() && said.contains("1 passed"), "{said}");
    assert!(!said.contains(&token), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "played by the test above, which sets the variable"]
async fn a_process_with_the_variable() {
    #[expect(clippy::disallowed_methods, reason = "where the test above says that the agent is")]
    let agent = std::env::var(AGENT).unwrap();
    let options = || Options::new([agent.clone()]).namespace("prod").timeout(Duration::from_secs(2));
    let without = reception_consul::dial(options()).await.unwrap();
    let error = without.register(one()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    let options = options().token_from_env();
    println!("{options:?}");
    let client = reception_consul::dial(options).await.unwrap();
    println!("{client:?}");
    client.register(one()).await.unwrap().close().await.unwrap();
    client.close().await.unwrap();
    without.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn namespace_and_partition_of_the_enterprise_version_are_sent_when_they_are_set() {
    let consul = Consul::start().await.unwrap();
    let proxy = Proxy::start_with(consul.endpoint(), ProxyOptions::default().http1(true)).await.unwrap();
    let options = || Options::new([proxy.endpoint().to_string()]);
    let plain = reception_consul::dial(options()).await.unwrap();
    plain.list(&api()).await.unwrap();
    let set = |asked: &str| asked.contains("ns=") || asked.contains("partition=") || asked.contains("dc=");
    assert!(!proxy.asked().iter().any(|asked| set(asked)), "{:?}", proxy.asked());
    plain.close().await.unwrap();

    let options = options().enterprise(Some("team".to_owned()), Some("west".to_owned()));
    let client = reception_consul::dial(options).await.unwrap();
    // The version that we have knows no namespaces and says so, but it was asked.
    let error = client.list(&api()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("Enterprise"), "{error}");
    client.register(one()).await.unwrap_err();
    let asked = proxy.asked();
    let asked: Vec<_> = asked.iter().filter(|asked| set(asked)).collect();
    assert!(
        asked.iter().all(|asked| asked.contains("ns=team") && asked.contains("partition=west")),
        "{asked:?}"
    );
    assert!(asked.len() >= 2, "{asked:?}");
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_datacenter_is_read_and_not_written() {
    let east = Consul::start_with(ConsulOptions::default().datacenter("east")).await.unwrap();
    let west = ConsulOptions::default().datacenter("west").beside(east.wide_gossip());
    let west = Consul::start_with(west).await.unwrap();
    let there = dial(&west, "").await.unwrap();
    let registration = there.register(one()).await.unwrap();
    let leadership = there.elector(&"reaper".parse().unwrap()).await.unwrap().elect(one()).await.unwrap();

    let client = dial(&east, "&datacenter=west").await.unwrap();
    eventually(SOON, || async {
        match client.list(&api()).await {
            Ok(view) if view.len() == 1 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap();
    assert!(client.names().await.unwrap().contains(&api()));
    let mut watcher = client.watch(&api()).await.unwrap();
    let shown = tokio::time::timeout(SOON, watcher.next()).await.unwrap().unwrap().unwrap();
    assert!(matches!(&shown, Change::Reset(view) if view.len() == 1), "{shown:?}");
    let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
    assert!(elector.leader().await.unwrap().is_some());
    for error in [
        client.register(one()).await.unwrap_err(),
        tokio::time::timeout(SOON, elector.elect(one())).await.expect("an answer in time").unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains("datacenter") && error.to_string().contains("east"), "{error}");
    }
    assert_eq!(east.api().get("/v1/agent/services").await.unwrap().body.trim(), "{}", "nothing was written");
    leadership.resign().await.unwrap();
    registration.close().await.unwrap();
    client.close().await.unwrap();
    there.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_datacenter_that_is_not_there_is_told() {
    let consul = Consul::start().await.unwrap();
    let here = dial(&consul, "&datacenter=dc1").await.unwrap();
    let registration = here.register(one()).await.unwrap();
    assert_eq!(here.list(&api()).await.unwrap().len(), 1);
    registration.close().await.unwrap();
    here.close().await.unwrap();
    let nowhere = dial(&consul, "&datacenter=atlantis").await.unwrap();
    let answer = tokio::time::timeout(SOON, nowhere.list(&api())).await.expect("an answer in time");
    let error = answer.unwrap_err();
    assert!(error.to_string().contains("datacenter"), "{error}");
    let error = nowhere.register(one()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    nowhere.close().await.unwrap();
}
