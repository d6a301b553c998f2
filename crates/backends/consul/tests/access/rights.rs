//! What a token may do, and what it is told of the rest.

use std::time::Duration;

use futures_util::StreamExt;
use reception_consul::Options;
use reception_core::{Change, ClientExt, Error, ErrorKind, RegistrationState, Service};
use reception_lab::eventually;

use super::{MASTER, NEEDED, SOON, api, dial, guarded, one, rule, token};

/// Enough to look.
const READING: &str = r#"
service_prefix "" { policy = "read" }
node_prefix "" { policy = "read" }
"#;

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
    let client = dial(consul.endpoint(), &format!("&token={token}")).await.unwrap();
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
    let identity = client.probe().await.unwrap().identity.unwrap();
    assert!(identity.contains("accessor") && !identity.contains(&token), "{identity}");
    first.close().await.unwrap();
    second.close().await.unwrap();
    client.close().await.unwrap();
    assert!(!format!("{client:?}").contains(&token));
}

/// What is looked at may still be read: that is no sign that the agent takes the passes again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_without_the_right_to_pass_its_check_stays_in_doubt() {
    let consul = guarded().await;
    let token = token(&consul, "needed", NEEDED).await;
    let client = dial(consul.endpoint(), &format!("&ttl=2s&token={token}")).await.unwrap();
    let registration = client.register(one()).await.unwrap();
    let reading = NEEDED.replace("write", "read");
    rule(&consul, "needed", &reading).await;
    let doubtful = || async {
        match registration.state() {
            RegistrationState::Doubtful(why) if why.kind() == ErrorKind::Denied => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    eventually(SOON, doubtful).await.unwrap();
    // All is compared every 10 s.
    let end = tokio::time::Instant::now() + Duration::from_secs(13);
    while tokio::time::Instant::now() < end {
        assert!(doubtful().await.is_ok(), "{:?}", registration.state());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    rule(&consul, "needed", NEEDED).await;
    eventually(SOON * 2, || async {
        match registration.state() {
            RegistrationState::Active => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap();
    registration.close().await.unwrap();
    client.close().await.unwrap();
}

/// An agent that has started while the servers are away refuses what it cannot ask them about, and who has taken rights away gives them back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_could_stand_before_goes_on_when_its_token_is_refused_for_a_while() {
    let consul = guarded().await;
    let token = token(&consul, "needed", NEEDED).await;
    let master = dial(consul.endpoint(), &format!("&election_ttl=2s&token={MASTER}")).await.unwrap();
    let client = dial(consul.endpoint(), &format!("&election_ttl=2s&token={token}")).await.unwrap();
    let name = "reaper".parse().unwrap();
    let (leads, waits) = (master.elector(&name).await.unwrap(), client.elector(&name).await.unwrap());
    let leadership = leads.elect(one()).await.unwrap();
    let mut waiting = waits.elect(one());
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut waiting).await.is_err(), "there is a leader");
    rule(&consul, "needed", READING).await;
    // Its session has to be renewed every 3.3 s.
    let ended = tokio::time::timeout(Duration::from_secs(8), &mut waiting).await;
    assert!(ended.is_err(), "{ended:?}");
    rule(&consul, "needed", NEEDED).await;
    let before = leadership.token();
    leadership.resign().await.unwrap();
    let next = tokio::time::timeout(SOON, waiting).await.unwrap().unwrap();
    assert!(next.token() > before);
    next.resign().await.unwrap();
    client.close().await.unwrap();
    master.close().await.unwrap();
}

/// A session can be made for it, and the lock not read, or read and not taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_have_the_lock_of_an_election_is_refused() {
    let consul = guarded().await;
    for policy in ["deny", "read"] {
        let rules = format!("{NEEDED}\nkey \"prod/reaper/.lock\" {{ policy = \"{policy}\" }}");
        let token = token(&consul, policy, &rules).await;
        let client = dial(consul.endpoint(), &format!("&token={token}")).await.unwrap();
        // One that it may have says nothing of others.
        let other = client.elector(&"sweeper".parse().unwrap()).await.unwrap();
        let leadership = other.elect(one()).await.unwrap();
        let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
        let stood = tokio::time::timeout(SOON, elector.elect(one())).await.expect(policy);
        assert_eq!(stood.unwrap_err().kind(), ErrorKind::Denied, "{policy}");
        leadership.resign().await.unwrap();
        client.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_token_may_not_do_is_refused_and_nobody_prints_it() {
    let consul = guarded().await;
    let reading = token(&consul, "reading", READING).await;
    let unknown = "11111111-2222-3333-4444-555555555555";
    for token in [reading.as_str(), unknown] {
        let client = dial(consul.endpoint(), &format!("&token={token}")).await.unwrap();
        refused(&client.register(one()).await.unwrap_err(), token);
        let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
        let stood = tokio::time::timeout(SOON, elector.elect(one())).await.expect("an answer in time");
        refused(&stood.unwrap_err(), token);
        refused(&client.probe().await.unwrap_err(), token);
        client.close().await.unwrap();
    }
    // Nobody is what one without a token is: it sees nothing of what it may not read.
    let nobody = dial(consul.endpoint(), "").await.unwrap();
    refused(&nobody.register(one()).await.unwrap_err(), MASTER);
    nobody.close().await.unwrap();
}

/// The name of the test below that is run in a process of its own, with the variable.
const WITH_VARIABLE: &str = "rights::a_process_with_the_variable";
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
