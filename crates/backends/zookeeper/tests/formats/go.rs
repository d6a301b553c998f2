//! Old Go programs and this library in one service and one election.

use std::sync::atomic::{AtomicUsize, Ordering};

use reception_core::{ClientExt, Elector, Service};
use zookeeper_client as zk;

use super::{SOON, Stage, lines, list, program, until, watch};

const FOLDER: &str = "/fleet/api";
const ROUNDS: usize = 6;

/// What the Go library writes for an instance.
const GO: &[u8] = br#"{"address":"h1.example","port":23423,"attributes":{"external":"true"}}"#;
/// And for a candidate that was given no address.
const CANDIDATE: &[u8] = br#"{"address":"","port":0,"attributes":null}"#;

/// The id and the number in a node's name, by Go's rule.
fn parsed(child: &str) -> Option<(i64, &str)> {
    let rest = child.strip_prefix("_c_")?;
    let (mark, rest) = rest.split_at_checked(32)?;
    let rest = rest.strip_prefix('-')?;
    let (id, number) = rest.split_at_checked(rest.len().checked_sub(11)?)?;
    let plain = mark.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !id.is_empty();
    Some((number.strip_prefix('-')?.parse().ok().filter(|_| plain)?, id))
}

/// The ids of a folder, the oldest first, as the Go library lists them.
async fn order(program: &zk::Client, folder: &str) -> Vec<String> {
    let mut standing: Vec<(i64, String)> = Vec::new();
    for child in program.list_children(folder).await.unwrap() {
        standing.extend(parsed(&child).map(|(number, id)| (number, id.to_owned())));
    }
    standing.sort();
    standing.into_iter().map(|(_, id)| id).collect()
}

/// Makes a node as the Go library does; its path.
async fn made(program: &zk::Client, folder: &str, id: &str, record: &[u8]) -> String {
    let parents = zk::CreateMode::Persistent.with_acls(zk::Acls::anyone_all());
    program.mkdir(folder, &parents).await.unwrap();
    let mark: String = format!("{:032x}", u128::from(id.len() as u64) << 96 | 0x006c_8b0f);
    let options = zk::CreateMode::EphemeralSequential.with_acls(zk::Acls::anyone_all());
    let prefix = format!("{folder}/_c_{mark}-{id}-");
    let (_, number) = program.create(&prefix, record, &options).await.unwrap();
    format!("{prefix}{number}")
}

#[tokio::test]
async fn an_old_instance_and_a_new_one_share_a_service() {
    let stage = Stage::new().await;
    let client = stage.dial("fleet?layout=reception").await;
    let old = made(&stage.other, FOLDER, "7f2c-old", GO).await;
    let mut watcher = watch(&client, "api").await;
    until(&mut watcher, "the old one", |view| lines(view) == ["7f2c-old h1.example:23423 Up"]).await;
    let service = Service::builder("api", "10.0.0.1", 80).id("new-1").attribute("q", "<&>").build().unwrap();
    let registration = client.register(service.clone()).await.unwrap();
    assert_eq!(order(&stage.other, FOLDER).await, ["7f2c-old", "new-1"]);
    let children = stage.other.list_children(FOLDER).await.unwrap();
    let ours = children.iter().find(|child| child.contains("-new-1-")).expect("our node");
    let (data, _) = stage.other.get_data(&format!("{FOLDER}/{ours}")).await.unwrap();
    let expected = r#"{"address":"10.0.0.1","port":80,"attributes":{"q":"\u003c\u0026\u003e"}}"#;
    assert_eq!(String::from_utf8(data).unwrap(), expected);
    until(&mut watcher, "both", |view| view.len() == 2 && view.get("new-1") == Some(&service)).await;
    // A second node of one id, as Go makes it: the older counts.
    let twin = made(&stage.other, FOLDER, "new-1", GO).await;
    stage.put(&format!("{FOLDER}/odd"), b"").await;
    until(&mut watcher, "an odd one", |view| view.unreadable() == 1).await;
    assert_eq!(list(&client, "api").await.get("new-1"), Some(&service));
    registration.close().await.unwrap();
    until(&mut watcher, "the twin", |view| view.get("new-1").is_some_and(|seen| *seen != service)).await;
    stage.remove(&twin).await;
    stage.remove(&old).await;
    until(&mut watcher, "nobody", reception_core::Snapshot::is_empty).await;
    client.close().await.unwrap();
}

/// Counts those that hold the leadership.
#[derive(Default)]
struct Holders(AtomicUsize);

impl Holders {
    fn enter(&self, who: &str) {
        assert_eq!(self.0.fetch_add(1, Ordering::SeqCst), 0, "{who} leads beside another");
    }

    fn leave(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Stands, leads and leaves as a Go program does: its own id first in the list.
async fn go_rounds(program: zk::Client, folder: &str, id: &str, holders: &Holders) -> usize {
    for _ in 0..ROUNDS {
        let path = made(&program, folder, id, CANDIDATE).await;
        loop {
            let (_, watcher) = program.list_and_watch_children(folder).await.unwrap();
            if order(&program, folder).await.first().is_some_and(|first| first == id) {
                break;
            }
            watcher.changed().await;
        }
        holders.enter(id);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        holders.leave();
        program.delete(&path, None).await.unwrap();
    }
    ROUNDS
}

async fn our_rounds(elector: Box<dyn Elector>, id: &str, holders: &Holders) -> usize {
    let candidate = Service::builder("worker", "10.0.0.1", 80).id(id).build().unwrap();
    let mut last = None;
    for _ in 0..ROUNDS {
        let leadership = elector.elect(candidate.clone()).await.unwrap();
        holders.enter(id);
        assert!(leadership.is_held());
        let token = Some(leadership.token().value());
        assert!(token > last, "tokens grow: {token:?} after {last:?}");
        last = token;
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        holders.leave();
        leadership.resign().await.unwrap();
    }
    ROUNDS
}

#[tokio::test]
async fn old_candidates_and_new_ones_take_turns_and_never_two_lead() {
    let stage = Stage::new().await;
    let folder = "/fleet/reaper";
    let clients = [stage.dial("fleet?layout=reception").await, stage.dial("fleet?layout=reception").await];
    let name = "reaper".parse().unwrap();
    let (one, two) = (clients[0].elector(&name).await.unwrap(), clients[1].elector(&name).await.unwrap());
    let programs = (program(&stage.zookeeper).await, program(&stage.zookeeper).await);
    let holders = Holders::default();
    let all = async {
        tokio::join!(
            go_rounds(programs.0, folder, "go-1", &holders),
            our_rounds(one, "new-1", &holders),
            go_rounds(programs.1, folder, "go-number-2", &holders),
            our_rounds(two, "new-2", &holders),
        )
    };
    let won = tokio::time::timeout(SOON * 2, all).await.expect("everybody has its turns");
    assert_eq!(won, (ROUNDS, ROUNDS, ROUNDS, ROUNDS));
    assert!(order(&stage.other, folder).await.is_empty());
    for client in clients {
        client.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_old_leader_is_seen_and_waited_for() {
    let stage = Stage::new().await;
    let client = stage.dial("fleet?layout=reception").await;
    let old = made(&stage.other, "/fleet/reaper", "go-1", CANDIDATE).await;
    let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
    let leader = elector.leader().await.unwrap().expect("the old one leads");
    assert_eq!(
        (leader.value(), leader.service().map(|service| service.id().as_str())),
        (CANDIDATE, Some("go-1"))
    );
    let candidate = Service::builder("worker", "10.0.0.1", 80).id("new-1").build().unwrap();
    let mut waits = elector.elect(candidate);
    while elector.candidates().await.unwrap().len() < 2 {
        let waited = tokio::time::timeout(std::time::Duration::from_millis(20), &mut waits).await;
        assert!(waited.is_err(), "it leads beside the old one");
    }
    assert_eq!(order(&stage.other, "/fleet/reaper").await, ["go-1", "new-1"]);
    stage.remove(&old).await;
    let leadership = tokio::time::timeout(SOON, waits).await.expect("its turn").unwrap();
    assert!(leadership.is_held());
    assert_eq!(elector.leader().await.unwrap().unwrap().token(), leadership.token());
    leadership.resign().await.unwrap();
    client.close().await.unwrap();
}
