//! A token in a file, and one that is replaced.

use std::{fs, path::Path, time::Duration};

use futures_util::StreamExt as _;
use reception_core::{Change, ClientExt, Dialer, ErrorKind, Registration, RegistrationState, Retry, Service};
use reception_lab::{Proxy, ProxyOptions, eventually};

use super::{NEEDED, SOON, api, dial, guarded, one, revoke, token};

fn write(file: &Path, text: &str) {
    let beside = file.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, file).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_replaced_in_its_file_counts_from_then_on() {
    let consul = guarded().await;
    let (first, second) = (token(&consul, "first", NEEDED).await, token(&consul, "second", NEEDED).await);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    write(&file, &format!("{first}\n"));
    let client = dial(consul.endpoint(), &format!("&ttl=2s&token_file={}", file.display())).await.unwrap();
    let registration = client.register(one()).await.unwrap();

    // The old one is taken away; the new one is there before or after.
    write(&file, &second);
    revoke(&consul, "first").await;

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

/// An agent speaks to the servers with the token that came with a registration: it cannot tell them of its end once that token is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_with_a_token_that_is_gone_vanishes_with_its_process_all_the_same() {
    gone_with_its_process(&["one"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_that_were_written_with_a_token_that_is_gone_vanish_with_their_process() {
    gone_with_its_process(&["one", "two", "three"]).await;
}

async fn gone_with_its_process(ids: &[&str]) {
    let consul = guarded().await;
    let (first, second) = (token(&consul, "first", NEEDED).await, token(&consul, "second", NEEDED).await);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    write(&file, &first);
    let proxy = Proxy::start_with(consul.endpoint(), ProxyOptions::default().http1(true)).await.unwrap();
    let options = format!("&ttl=2s&election_ttl=2s&token_file={}", file.display());
    let client = dial(proxy.endpoint(), &options).await.unwrap();
    let mut registrations = Vec::new();
    for id in ids {
        let service = Service::builder("api", "10.0.0.7", 8080).id(id).build().unwrap();
        registrations.push(client.register(service).await.unwrap());
    }
    let leadership = client.elector(&"reaper".parse().unwrap()).await.unwrap().elect(one()).await.unwrap();
    let writes = || proxy.asked().iter().filter(|asked| asked.contains("agent/service/register")).count();
    let before = writes();

    write(&file, &second);
    revoke(&consul, "first").await;
    // The instances, the check of elections, and what several hang on.
    let expected = before + ids.len() + 1 + usize::from(ids.len() > 1);
    eventually(SOON, || async {
        let active = |registration: &Registration| matches!(registration.state(), RegistrationState::Active);
        let well = writes() >= expected && registrations.iter().all(active);
        if well { Ok(()) } else { Err(format!("{} of {expected}: {:?}", writes(), proxy.asked())) }
    })
    .await
    .unwrap();
    assert!(leadership.is_held(), "it cost the leadership");

    // For the agent it has died.
    proxy.cut().await.unwrap();
    let other = dial(consul.endpoint(), &format!("&token={second}")).await.unwrap();
    let elector = other.elector(&"reaper".parse().unwrap()).await.unwrap();
    let next = tokio::time::timeout(SOON, elector.elect(one())).await.unwrap().unwrap();
    assert!(next.token() > leadership.token());
    eventually(SOON, || async {
        match other.list(&api()).await {
            Ok(view) if view.is_empty() => Ok(()),
            shown => Err(format!("{shown:?}")),
        }
    })
    .await
    .unwrap();
    next.resign().await.unwrap();
    other.close().await.unwrap();
    proxy.heal().await.unwrap();
    drop((registrations, leadership));
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_taken_away_is_told_and_tried_slowly_and_the_next_one_mends_all() {
    const WHILE: Duration = Duration::from_secs(10);
    let consul = guarded().await;
    let first = token(&consul, "first", NEEDED).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    write(&file, &first);
    let proxy = Proxy::start_with(consul.endpoint(), ProxyOptions::default().http1(true)).await.unwrap();
    let client = dial(proxy.endpoint(), &format!("&token_file={}", file.display())).await.unwrap();
    let registration = client.register(one()).await.unwrap();
    revoke(&consul, "first").await;
    eventually(SOON, || async {
        match registration.state() {
            RegistrationState::Doubtful(why) if why.kind() == ErrorKind::Unauthenticated => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap();
    let before = proxy.asked().len();
    tokio::time::sleep(WHILE).await;
    let asked = proxy.asked().len() - before;
    assert!(asked <= 40, "{asked} requests within {WHILE:?}");

    write(&file, &token(&consul, "second", NEEDED).await);
    eventually(SOON * 2, || async {
        let (state, view) = (registration.state(), client.list(&api()).await);
        let well =
            matches!(state, RegistrationState::Active) && view.as_ref().is_ok_and(|view| view.len() == 1);
        if well { Ok(()) } else { Err(format!("{state:?} {view:?}")) }
    })
    .await
    .unwrap();
    registration.close().await.unwrap();
    client.close().await.unwrap();
}

/// The new token comes some seconds after the old one has gone: whoever leads loses that, and nobody stops standing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn candidates_stand_again_with_the_token_that_a_file_tells_later() {
    let consul = guarded().await;
    let first = token(&consul, "first", NEEDED).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    write(&file, &first);
    let options = format!("&election_ttl=2s&token_file={}", file.display());
    let (client, other) =
        (dial(consul.endpoint(), &options).await.unwrap(), dial(consul.endpoint(), &options).await.unwrap());
    let name = "reaper".parse().unwrap();
    let (leads, waits) = (client.elector(&name).await.unwrap(), other.elector(&name).await.unwrap());
    let leadership = leads.elect(one()).await.unwrap();
    let mut waiting = waits.elect(one());
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut waiting).await.is_err(), "there is a leader");
    revoke(&consul, "first").await;
    tokio::time::timeout(SOON, leadership.lost()).await.unwrap();
    let mut again = leads.elect(one());
    for standing in [&mut waiting, &mut again] {
        let ended = tokio::time::timeout(Duration::from_secs(4), standing).await;
        assert!(ended.is_err(), "{ended:?}");
    }
    write(&file, &token(&consul, "second", NEEDED).await);
    // Either of them.
    let next = tokio::time::timeout(SOON * 2, futures_util::future::select(waiting, again)).await.unwrap();
    let (won, _waits) = next.factor_first();
    assert!(won.unwrap().token() > leadership.token());
    client.close().await.unwrap();
    other.close().await.unwrap();

    // Where nothing else can be told, the refusal is.
    let client = dial(consul.endpoint(), &format!("&token={first}")).await.unwrap();
    let refused = client.elector(&name).await.unwrap().elect(one()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unauthenticated, "{refused}");
    client.close().await.unwrap();
}

/// Nobody waits for half a minute when a file may tell another token at any time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_is_fresh_again_soon_after_a_file_tells_the_next_token() {
    let consul = guarded().await;
    let first = token(&consul, "first", NEEDED).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    write(&file, &first);
    let client = dial(consul.endpoint(), &format!("&token_file={}", file.display())).await.unwrap();
    let given = dial(consul.endpoint(), &format!("&token={first}")).await.unwrap();
    let mut watcher = client.watch(&api()).await.unwrap();
    revoke(&consul, "first").await;
    let mut stale = async |wanted: bool| loop {
        let change = watcher.next().await.unwrap().unwrap();
        if matches!(change, Change::Stale(_)) == wanted {
            return;
        }
    };
    // The agent answers a question that it holds back when the token goes, or at its end.
    let registration = client.register(one()).await.unwrap_err();
    assert_eq!(registration.kind(), ErrorKind::Unauthenticated, "{registration}");
    tokio::time::timeout(SOON * 2, stale(true)).await.unwrap();
    let refused = client.list(&api()).await.unwrap_err();
    assert_eq!(refused.retry(), Retry::After(Duration::from_secs(2)), "{refused}");
    let refused = given.list(&api()).await.unwrap_err();
    assert_eq!(refused.retry(), Retry::After(Duration::from_secs(30)), "{refused}");
    write(&file, &token(&consul, "second", NEEDED).await);
    tokio::time::timeout(SOON, stale(false)).await.unwrap();
    client.close().await.unwrap();
    given.close().await.unwrap();
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
