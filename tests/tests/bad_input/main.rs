//! Bad inputs give the typed error, before any I/O where it can be known, and never a panic or a hang.
//!
//! Names, ids, addresses, ports, attributes and URLs (B1 to B7, B11, B12) are refused by values that cannot be made: the tests of
//! `reception-core` hold those. Stored records (B21) are held by the tests of the record. How often something is renewed, and margins (B10), cannot be asked for: they
//! are parts of the time to live, which fit at the shortest one, too (`elect::tests` of `reception-consul`).
#![expect(clippy::expect_used, reason = "a test may panic")]

mod consul;

use std::{io::Write as _, time::Duration};

use reception::{Client, ClientExt as _, ErrorKind, RegistrationState, Result, limits};
use reception_lab::{Etcd, free_port};
use reception_tests::{api, dial, instance, patiently};
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpListener,
    time::{Instant, timeout},
};

async fn refused(url: &str) -> reception::Error {
    match reception::dial(url).await {
        Ok(client) => panic!("{url} was taken: {client:?}"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_dial_that_cannot_work_is_refused_before_any_io() {
    for url in [
        "etcd:",
        "etcd://",
        "etcd:///ns",
        "etcd://h1/../x",
        "etcd://h1/a%2f..%2fb",
        "etcd://h1/é",
        "etcd://h1?ttl=0s",
        "etcd://h1?ttl=-1s",
        "etcd://h1?ttl=10",
        "etcd://h1?ttl=500ms",
        "etcd://h1?timeout=0s",
        "etcd://h1?tll=3s",
        "etcd://h1?cert=c",
        "etcd://h1?key=k",
        "etcd://me:pw@h1?user=you&password_file=f",
        "etcd://h1?user=you",
        "etcd://h1?password_file=/nonexistent/x",
        "memory://a,b",
        "memory:?ttl=0s",
        "memory:?nonsense=1",
        "nonsense://h1",
        "zk://h1?ttl=0s",
        "zk://h1/../x",
        "zk://h1?tll=3s",
        "etcd://h1:0",
        "etcd://h1:65536",
        "etcd://h1,,h2",
        "etcd://h1,h1",
    ] {
        let error = refused(url).await;
        assert!(
            matches!(error.kind(), ErrorKind::Config | ErrorKind::InvalidName | ErrorKind::Unsupported),
            "{url}: {error}"
        );
    }
}

#[tokio::test]
async fn a_file_that_is_wrong_is_named_and_never_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::File::create(&path)
            .and_then(|mut file| file.write_all(content.as_bytes()))
            .expect("written");
        path.display().to_string()
    };
    let empty = file("empty.pem", "");
    let noise = file("noise.pem", "canary canary canary");
    let block = |label: &str| format!("-----BEGIN {label}-----\nY2FuYXJ5\n-----END {label}-----\n");
    let encrypted = file("encrypted.pem", &block("ENCRYPTED PRIVATE KEY"));
    let broken = file("broken.pem", &block("CERTIFICATE"));
    let missing = folder.path().join("missing.pem").display().to_string();
    for (option, query) in [
        ("ca", format!("ca={missing}")),
        ("ca", format!("ca={empty}")),
        ("ca", format!("ca={noise}")),
        ("ca", format!("ca={broken}")),
        ("cert", format!("cert={noise}&key={encrypted}")),
        ("password_file", format!("user=me&password_file={missing}")),
    ] {
        let error = refused(&format!("etcd://127.0.0.1:1?{query}")).await;
        assert_eq!(error.kind(), ErrorKind::Config, "{query}: {error}");
        assert!(error.context().contains(option), "{error} names {option}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
}

#[tokio::test]
async fn a_record_that_is_too_large_is_refused_and_harms_nothing() {
    let server = Etcd::start().await.expect("a server");
    for url in ["memory:".to_owned(), format!("etcd://{}/large", server.endpoint())] {
        let client = dial(&url).await;
        // Each of these bytes takes six in JSON, so the record passes the limits of its parts and not that of the whole.
        let noise = "\u{1}".repeat(limits::MAX_VALUE);
        let large = (0..limits::MAX_ATTRIBUTES)
            .fold(instance("large").to_builder(), |builder, at| builder.attribute(&format!("k{at}"), &noise));
        let large = large.build().expect("within the limits of its parts");
        let error = patiently("register", client.register(large.clone())).await.expect_err("too large");
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{url}: {error}");
        let registration =
            patiently("register", client.register(instance("large"))).await.expect("a good one is taken");
        let error = patiently("update", registration.update(large)).await.expect_err("too large");
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{url}: {error}");
        assert!(matches!(registration.state(), RegistrationState::Active), "{:?}", registration.state());
        client.close().await.expect("closes");
    }
}

/// Every call answers with one of these kinds, within the timeout and what a busy machine adds.
async fn every_call_fails(url: &str, kinds: &[ErrorKind]) {
    let client = dial(url).await;
    let started = Instant::now();
    let outcomes: [(&str, Result<()>); 4] = [
        ("list", patiently("list", client.list(&api())).await.map(drop)),
        ("names", patiently("names", client.names()).await.map(drop)),
        ("register", patiently("register", client.register(instance("i"))).await.map(drop)),
        ("probe", patiently("probe", client.probe()).await.map(drop)),
    ];
    for (call, outcome) in outcomes {
        match outcome {
            Ok(()) => assert_eq!(call, "probe", "only a probe may say it in its answer"),
            Err(error) => {
                assert!(kinds.contains(&error.kind()), "{call} of {url}: {error:?}");
                if error.kind() == ErrorKind::Unavailable {
                    let host = url
                        .split("://")
                        .nth(1)
                        .and_then(|rest| rest.split(['/', '?']).next())
                        .unwrap_or_default();
                    assert!(error.context().contains(host), "{error} names the endpoints tried");
                }
            }
        }
    }
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "four calls of a second each took {:?}",
        started.elapsed()
    );
    let _ = timeout(Duration::from_secs(20), client.close()).await.expect("close does not hang");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_port_and_an_unknown_host_are_unavailable_at_the_first_call() {
    let port = free_port().expect("a port");
    every_call_fails(&format!("etcd://{}/x?timeout=1s", port.address()), &[ErrorKind::Unavailable]).await;
    every_call_fails("etcd://surely-not-a-host.invalid:2379/x?timeout=1s", &[ErrorKind::Unavailable]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_never_answers_is_given_up_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = silent.local_addr().expect("bound");
    let accept = async {
        let mut open = Vec::new();
        while let Ok((socket, _)) = silent.accept().await {
            open.push(socket);
        }
    };
    let url = format!("etcd://{address}/x?timeout=1s");
    tokio::select! {
        () = accept => {}
        () = every_call_fails(&url, &[ErrorKind::Unavailable, ErrorKind::Timeout]) => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_protocol_is_told_apart() {
    for answer in [
        &b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"[..],
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"\xff\xff\xff\xff\x00",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let serve = async {
            while let Ok((mut socket, _)) = listener.accept().await {
                let _ = socket.write_all(answer).await;
            }
        };
        let url = format!("etcd://{address}/x?timeout=1s");
        tokio::select! {
            () = serve => {}
            () = every_call_fails(&url, &[ErrorKind::Protocol, ErrorKind::Unavailable]) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_and_missing_rights_are_told_apart() {
    let server = Etcd::start().await.expect("a server");
    let ctl = server.ctl().expect("etcdctl");
    for command in [
        &["user", "add", "root:rootpw"][..],
        &["user", "grant-role", "root", "root"],
        &["role", "add", "ours"],
        &["role", "grant-permission", "ours", "readwrite", "--prefix=true", "allowed/"],
        &["user", "add", "me:mypw"],
        &["user", "grant-role", "me", "ours"],
        &["auth", "enable"],
    ] {
        // Adding root's role is an error on versions that have it already.
        let _ = ctl.run(command).await;
    }
    let at = server.endpoint();
    every_call_fails(&format!("etcd://me:canary@{at}/allowed?timeout=2s"), &[ErrorKind::Unauthenticated])
        .await;
    every_call_fails(&format!("etcd://me:mypw@{at}/forbidden?timeout=2s"), &[ErrorKind::Denied]).await;
    let client = dial(&format!("etcd://me:mypw@{at}/allowed?timeout=2s")).await;
    patiently("register", client.register(instance("i")))
        .await
        .expect("allowed")
        .close()
        .await
        .expect("closes");
    client.close().await.expect("closes");
}

#[test]
fn outside_a_runtime_every_call_says_so() {
    let error = futures_util::FutureExt::now_or_never(reception::dial("memory:"))
        .expect("answers at once")
        .expect_err("no runtime");
    assert_eq!(error.kind(), ErrorKind::NoRuntime);
    let error = futures_util::FutureExt::now_or_never(reception::dial("etcd://127.0.0.1:1"))
        .expect("answers at once")
        .expect_err("no runtime");
    assert_eq!(error.kind(), ErrorKind::NoRuntime);
}

#[test]
fn a_client_whose_runtime_has_ended_says_so() {
    let home = tokio::runtime::Runtime::new().expect("a runtime");
    let (client, registration) = home.block_on(async {
        let client = dial("memory:").await;
        let registration = client.register(instance("i")).await.expect("registers");
        (client, registration)
    });
    home.shutdown_timeout(Duration::from_secs(5));
    assert!(
        matches!(registration.state(), RegistrationState::Ended(error) if error.kind() == ErrorKind::Closed)
    );
    let other = tokio::runtime::Runtime::new().expect("a runtime");
    let error = other.block_on(client.list(&api())).expect_err("its runtime is gone");
    assert_eq!(error.kind(), ErrorKind::NoRuntime);
    let error = other.block_on(client.register(instance("j"))).expect_err("its runtime is gone");
    assert_eq!(error.kind(), ErrorKind::NoRuntime);
}

#[tokio::test]
async fn closing_twice_and_calling_after_it_answer_closed() {
    let client = dial("memory:").await;
    let registration = client.register(instance("i")).await.expect("registers");
    client.close().await.expect("closes");
    client.close().await.expect("a second close answers as the first");
    let error = registration.update(instance("i")).await.expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert_eq!(registration.close().await.expect_err("closed").kind(), ErrorKind::Closed);
    assert_eq!(client.list(&api()).await.expect_err("closed").kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn cancelling_twice_or_without_a_candidate_is_fine() {
    let client = dial("memory:").await;
    let elector = client.elector(&"reaper".parse().expect("a name")).await.expect("an elector");
    elector.cancel().await.expect("nothing to cancel");
    let leadership = elector.elect(instance("i")).await.expect("elected");
    assert_eq!(
        elector.elect(instance("i")).await.expect_err("it stands already").kind(),
        ErrorKind::Conflict
    );
    elector.cancel().await.expect("a won leadership stays");
    assert!(leadership.is_held());
    client.close().await.expect("closes");
}
