//! The tour on each kind of store that several processes share: the same transcript, with a child process that is really killed.
#![cfg(any(feature = "consul", feature = "etcd", feature = "local", feature = "zookeeper"))]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{env, path::PathBuf, time::Duration};

use tokio::{process::Command, time::timeout};

/// What a transcript tells on any store.
const SEEN: &[&str] = &[
    "joins",
    "changes",
    "leaves",
    "crashes, its process is killed",
    "elected with token",
    "lost",
    "everything was seen",
];

/// Cargo builds the examples of a package beside its tests, unless one test alone is asked for.
fn program() -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    profile.join("examples").join(format!("tour{}", env::consts::EXE_SUFFIX))
}

/// Plays the tour there; `also` is what only this store shows.
async fn everything_is_seen(url: &str, also: &[&str]) {
    let run = Command::new(program()).arg(url).kill_on_drop(true).output();
    // It gives up by itself after 60 s.
    let output = timeout(Duration::from_secs(90), run).await.unwrap().unwrap();
    let transcript = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{transcript}\n{}", String::from_utf8_lossy(&output.stderr));
    for line in SEEN.iter().chain(also) {
        assert!(transcript.contains(line), "no line says {line:?}:\n{transcript}");
    }
}

#[cfg(feature = "consul")]
#[tokio::test]
async fn the_tour_sees_everything_on_a_real_consul() {
    let options = reception_lab::ConsulOptions::default().dns(true);
    let server = reception_lab::Consul::start_with(options).await.unwrap();
    // Any program finds by DNS what the tour registers.
    let b = "10.0.0.2".parse::<std::net::Ipv4Addr>().unwrap();
    let resolved = reception_lab::eventually(Duration::from_secs(60), || async {
        let all = server.api().get("/v1/catalog/services").await.map_err(|error| error.to_string())?.body;
        let Some(name) = all.split('"').find(|name| name.starts_with("tour-api-")) else { return Err(all) };
        match reception_lab::dns_addresses(server.dns(), &format!("{name}.service.consul")).await {
            Ok(found) if found.contains(&b) => Ok(()),
            other => Err(format!("{name}: {other:?}")),
        }
    });
    let url = format!("consul://{}", server.endpoint());
    let ((), resolved) = tokio::join!(everything_is_seen(&url, &[]), resolved);
    resolved.unwrap();
}

#[cfg(feature = "etcd")]
#[tokio::test]
async fn the_tour_sees_everything_on_a_real_etcd() {
    let server = reception_lab::Etcd::start().await.unwrap();
    everything_is_seen(&format!("etcd://{}", server.endpoint()), &[]).await;
}

#[cfg(all(feature = "local", any(target_os = "linux", target_os = "macos")))]
#[tokio::test]
async fn the_tour_sees_everything_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("local://{}?any_fs=true", folder.path().join("tour").display());
    everything_is_seen(&url, &["at once"]).await;
}

#[cfg(feature = "zookeeper")]
#[tokio::test]
async fn the_tour_sees_everything_on_a_real_zookeeper() {
    let server = reception_lab::ZooKeeper::start().await.unwrap();
    everything_is_seen(&format!("zk://{}", server.endpoint()), &[]).await;
}
