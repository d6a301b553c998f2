//! Users, passwords, rights, and tokens that run out.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests panic")]

mod support;

use std::{sync::Arc, time::Duration};

use etcd_client::{Client as Direct, ConnectOptions, Permission};
use reception_core::{Client, ClientExt, ElectionName, ErrorKind, Service};
use reception_lab::{Etcd, EtcdOptions, eventually};
use support::{Follower, SOON, dial, dial_url, instance, listed};

const PASSWORD: &str = "sesame-open";

/// A server with users: root, one who may write `test/`, one who may read it and one who may nothing.
struct Guarded {
    etcd: Etcd,
    root: Direct,
}

impl Guarded {
    async fn start(options: EtcdOptions) -> Self {
        let etcd = Etcd::start_with(options).await.unwrap();
        let mut store = support::direct(&etcd).await;
        store.user_add("root", "root", None).await.unwrap();
        store.user_grant_role("root", "root").await.unwrap();
        for (user, right) in [
            ("writer", Some(Permission::read_write("test/").with_prefix())),
            ("reader", Some(Permission::read("test/").with_prefix())),
            ("nobody", None),
        ] {
            store.user_add(user, PASSWORD, None).await.unwrap();
            store.role_add(user).await.unwrap();
            if let Some(right) = right {
                store.role_grant_permission(user, right).await.unwrap();
            }
            store.user_grant_role(user, user).await.unwrap();
        }
        store.auth_enable().await.unwrap();
        let options = ConnectOptions::new().with_user("root", "root").with_auto_token_refresh(true);
        let root = Direct::connect([etcd.endpoint().to_string()], Some(options)).await.unwrap();
        Self { etcd, root }
    }

    /// Somebody else, who came after all changes of users.
    async fn foreign(&self) -> Direct {
        let options = ConnectOptions::new().with_user("root", "root");
        Direct::connect([self.etcd.endpoint().to_string()], Some(options)).await.unwrap()
    }

    async fn dial(&self, user: &str, password: &str) -> Arc<dyn Client> {
        dial(format!("{user}:{password}@{}", self.etcd.endpoint()), "ttl=4s&timeout=2s").await
    }

    /// Everything that a client does, with one of each.
    async fn works(&self, client: &Arc<dyn Client>) {
        let registration = client.register(instance("one")).await.unwrap();
        listed(client, &["one"]).await;
        let elector = client.elector(&ElectionName::new("reaper").unwrap()).await.unwrap();
        let leadership = tokio::time::timeout(SOON, elector.elect(instance("one"))).await.unwrap().unwrap();
        assert!(elector.leader().await.unwrap().is_some());
        leadership.resign().await.unwrap();
        registration.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_user_who_may_write_the_namespace_needs_no_more() {
    let guarded = Guarded::start(EtcdOptions::default()).await;
    let client = guarded.dial("writer", PASSWORD).await;
    guarded.works(&client).await;
    let probe = client.probe().await.unwrap();
    assert_eq!(probe.identity.as_deref(), Some("writer"));
    assert_eq!(probe.lease, Some(Duration::from_secs(4)));
    client.close().await.unwrap();
}

#[tokio::test]
async fn a_service_that_is_forbidden_hurts_no_other_that_is_registered_with_it() {
    const MANY: usize = 40;
    let mut guarded = Guarded::start(EtcdOptions::default()).await;
    guarded.root.user_add("clerk", PASSWORD, None).await.unwrap();
    guarded.root.role_add("clerk").await.unwrap();
    for right in ["test/services/api/", "test/gone/"] {
        let right = Permission::read_write(right).with_prefix();
        guarded.root.role_grant_permission("clerk", right).await.unwrap();
    }
    guarded.root.user_grant_role("clerk", "clerk").await.unwrap();
    let client = guarded.dial("clerk", PASSWORD).await;
    let first = client.register(instance("first")).await.unwrap();
    let all = (0..MANY).map(|number| {
        let name = if number % 10 == 3 { "secret" } else { "api" };
        let service = Service::builder(name, "10.0.0.7", 8080).id(&format!("i{number:02}")).build().unwrap();
        client.register(service)
    });
    let outcomes = futures_util::future::join_all(all).await;
    for (number, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Err(error) if number % 10 == 3 => assert_eq!(error.kind(), ErrorKind::Denied, "{error}"),
            Ok(_) if number % 10 != 3 => {}
            other => panic!("{number}: {other:?}"),
        }
    }
    let secret = etcd_client::GetOptions::new().with_prefix();
    let read = guarded.foreign().await.kv_client().get("test/services/secret/", Some(secret)).await.unwrap();
    assert_eq!(read.kvs().len(), 0, "rights are the server's to check, for each key");
    first.close().await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test]
async fn rights_on_single_keys_are_enough_to_hear_that_one_was_removed() {
    const MANY: usize = 10;
    let mut guarded = Guarded::start(EtcdOptions::default()).await;
    guarded.root.user_add("porter", PASSWORD, None).await.unwrap();
    guarded.root.role_add("porter").await.unwrap();
    // Every other one: between two of them is one that is nobody's business.
    let key = |number: usize| format!("test/services/api/i{:02}", number * 2);
    for number in 0..MANY {
        let right = Permission::read_write(key(number));
        guarded.root.role_grant_permission("porter", right).await.unwrap();
    }
    let right = Permission::read_write("test/gone/").with_prefix();
    guarded.root.role_grant_permission("porter", right).await.unwrap();
    guarded.root.user_grant_role("porter", "porter").await.unwrap();
    let client = guarded.dial("porter", PASSWORD).await;
    let all = (0..MANY).map(|number| client.register(instance(&format!("i{:02}", number * 2))));
    let guards = futures_util::future::join_all(all).await;
    assert!(guards.iter().all(Result::is_ok), "{guards:?}");
    let store = guarded.foreign().await;
    let removed = store.kv_client().delete(key(3), None).await.unwrap();
    let after = removed.header().unwrap().revision();
    support::returned(&store, "i06", after).await;
    client.close().await.unwrap();
}

#[tokio::test]
async fn a_password_may_be_in_a_file() {
    let guarded = Guarded::start(EtcdOptions::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let address = guarded.etcd.endpoint();
    let url = format!("etcd://{address}/test?user=writer&password_file={}", file.display());
    let client = dial_url(&url).await.unwrap();
    guarded.works(&client).await;
    for (url, why) in [
        (format!("etcd://writer@{address}/test"), "the user has no password"),
        (format!("etcd://{address}/test?user=writer"), "needs \"password_file\""),
        (format!("etcd://a:b@{address}/test?user=writer&password_file={}", file.display()), "given twice"),
        (format!("etcd://a:b@{address}/test?password_file={}", file.display()), "given twice"),
        (format!("etcd://{address}/test?user=writer&password_file=/missing"), "entity not found"),
    ] {
        let error = dial_url(&url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains(why), "{error}");
        assert!(!error.to_string().contains(PASSWORD), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_by_every_call_and_ends_no_watch() {
    let guarded = Guarded::start(EtcdOptions::default()).await;
    let client = guarded.dial("writer", "wrong-word").await;
    let error = client.list(&support::api()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
    assert!(!format!("{error} {error:?}").contains("wrong-word"));
    let error = client.register(instance("one")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
    let elector = client.elector(&ElectionName::new("reaper").unwrap()).await.unwrap();
    let error = elector.elect(instance("one")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
    let mut follower = Follower::of(&client).await;
    follower.stale().await;
    assert_eq!(follower.stales[0].kind(), ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn missing_rights_are_told_apart_from_a_wrong_password() {
    let guarded = Guarded::start(EtcdOptions::default()).await;
    let writer = guarded.dial("writer", PASSWORD).await;
    let registration = writer.register(instance("one")).await.unwrap();
    let reader = guarded.dial("reader", PASSWORD).await;
    let mut follower = Follower::of(&reader).await;
    follower.shows(&["one"]).await;
    let error = reader.register(instance("two")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    let nobody = guarded.dial("nobody", PASSWORD).await;
    let error = nobody.list(&support::api()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    let mut follower = Follower::of(&nobody).await;
    follower.stale().await;
    assert_eq!(follower.stales[0].kind(), ErrorKind::Denied);
    drop(registration);
}

#[tokio::test]
async fn a_denied_registration_leaves_no_task() {
    let guarded = Guarded::start(EtcdOptions::default()).await;
    let reader = guarded.dial("reader", PASSWORD).await;
    listed(&reader, &[]).await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let error = reader.register(instance("one")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    // The lease goes after a time to live without a registration.
    let back = || async {
        let now = tasks();
        if now <= before { Ok(()) } else { Err(format!("{now} tasks, {before} before")) }
    };
    eventually(SOON, back).await.unwrap();
}

#[tokio::test]
async fn a_token_that_ran_out_is_replaced_on_calls_and_on_watches() {
    let options = EtcdOptions::default().auth_token_ttl(Duration::from_secs(1));
    let guarded = Guarded::start(options).await;
    let writer = guarded.dial("writer", PASSWORD).await;
    writer.list(&support::api()).await.unwrap();
    // A token runs out between the second and the third second; looking at it does not renew it.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut follower = Follower::of(&writer).await;
    follower.until("a first view", |_| true).await;
    assert_eq!(follower.stales.len(), 0, "{:?}", follower.stales);
    tokio::time::sleep(Duration::from_secs(4)).await;
    let registration = writer.register(instance("one")).await.unwrap();
    follower.shows(&["one"]).await;
    drop(registration);
    follower.shows(&[]).await;
}

/// With JWT every change of a user or a role makes all tokens stale, under a code of its own.
#[tokio::test]
async fn a_change_of_users_makes_tokens_stale_and_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    let pair = rcgen::KeyPair::generate().unwrap();
    std::fs::write(&key, pair.serialize_pem()).unwrap();
    let public = folder.path().join("public.pem");
    std::fs::write(&public, pair.public_key_pem()).unwrap();
    let token = format!(
        "--auth-token=jwt,pub-key={},priv-key={},sign-method=ES256,ttl=10m",
        public.display(),
        key.display()
    );
    let mut guarded = Guarded::start(EtcdOptions::default().flag(token)).await;
    let client = guarded.dial("writer", PASSWORD).await;
    guarded.works(&client).await;
    let registration = client.register(instance("one")).await.unwrap();
    let mut follower = Follower::of(&client).await;
    follower.shows(&["one"]).await;
    guarded.root.user_add("later", "later", None).await.unwrap();
    let two = client.register(instance("two")).await.unwrap();
    follower.shows(&["one", "two"]).await;
    assert_eq!(follower.removals, 0);
    // The watch on the second key was asked for on a stream with the old token: it is looked at all the same.
    let mut store = guarded.foreign().await;
    let deleted = store.delete("test/services/api/two", None).await.unwrap();
    let gone = deleted.header().unwrap().revision();
    support::returned(&store, "two", gone).await;
    registration.close().await.unwrap();
    two.close().await.unwrap();
    guarded.works(&client).await;
}

#[tokio::test]
async fn a_server_without_users_serves_a_client_with_a_password() {
    let etcd = Etcd::start().await.unwrap();
    let client = dial(format!("writer:{PASSWORD}@{}", etcd.endpoint()), "ttl=4s&timeout=2s").await;
    let registration = client.register(instance("one")).await.unwrap();
    listed(&client, &["one"]).await;
    drop(registration);
    eventually(SOON, || async {
        let view = client.list(&support::api()).await.map_err(|error| error.to_string())?;
        if view.is_empty() { Ok(()) } else { Err(format!("{view:?}")) }
    })
    .await
    .unwrap();
}
