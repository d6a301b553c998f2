//! Tokens: what an agent with access control lets through, what is said when it does not, and a token that is replaced.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::Path, sync::Arc, time::Duration};

use futures_util::StreamExt;
use reception_core::{
    Change, Client, ClientExt, Dialer, Error, ErrorKind, RegistrationState, Result, Service, ServiceName,
};
use reception_lab::{Consul, ConsulOptions, eventually};

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
    nowhere.close().await.unwrap();
}
