use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use reception_core::{Client as _, ClientExt as _, ErrorKind, FencingToken, Leadership};
use reception_local::LocalClient;

use crate::{actor::Actor, client, desk, eventually, instance, soon};

async fn elect(client: &LocalClient, id: &str) -> Leadership {
    let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
    soon(elector.elect(instance(id))).await.unwrap()
}

fn token(said: &str) -> FencingToken {
    said.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_is_followed_by_the_next_process_with_a_larger_token() {
    let desk = desk();
    let mut first = Actor::start("elect", desk.path(), &["first"]);
    assert_eq!(first.says(), "stands");
    let mut tokens = vec![token(&first.says())];
    for round in 0..4 {
        let next = Actor::start("elect", desk.path(), &[&format!("next-{round}")]);
        assert_eq!(next.says(), "stands");
        let reader = client(desk.path()).await;
        let elector = reader.elector(&"reaper".parse().unwrap()).await.unwrap();
        eventually(async || elector.candidates().await.unwrap().len() == 2).await;
        assert_eq!(next.said(), None);
        first.kill();
        tokens.push(token(&next.says()));
        let leader = elector.leader().await.unwrap().unwrap();
        assert_eq!(Some(&leader.token()), tokens.last());
        first = next;
        reader.close().await.unwrap();
    }
    assert!(tokens.windows(2).all(|pair| pair[0] < pair[1]), "{tokens:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_leader_leads_on_and_a_stopped_candidate_is_passed() {
    let desk = desk();
    let leader = Actor::start("elect", desk.path(), &["leader"]);
    assert_eq!(leader.says(), "stands");
    let first = token(&leader.says());
    let stopped = Actor::start("elect", desk.path(), &["stopped"]);
    assert_eq!(stopped.says(), "stands");
    let reader = client(desk.path()).await;
    let elector = reader.elector(&"reaper".parse().unwrap()).await.unwrap();
    eventually(async || elector.candidates().await.unwrap().len() == 2).await;
    leader.stop();
    stopped.stop();
    let waiting = elector.elect(instance("third"));
    tokio::pin!(waiting);
    assert!(
        tokio::time::timeout(Duration::from_secs(3), &mut waiting).await.is_err(),
        "a stopped process lives"
    );
    drop(leader);
    let third = soon(waiting).await.unwrap();
    assert!(third.token() > first);
    stopped.go_on();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(third.is_held() && stopped.said().is_none(), "who holds the lock leads");
    third.resign().await.unwrap();
    assert!(token(&stopped.says()) > first);
    reader.close().await.unwrap();
}

/// What a hand from outside may do to an election that has a leader.
type Deed = fn(&Path);

const DEEDS: &[(&str, Deed)] = &[
    ("the lock file is removed", |root| fs::remove_file(election(root).join("lock")).unwrap()),
    ("the lock file is replaced", |root| {
        fs::write(election(root).join("new"), "").unwrap();
        fs::rename(election(root).join("new"), election(root).join("lock")).unwrap();
    }),
    ("the candidates are removed", |root| {
        for folder in ["records", "signs"] {
            fs::remove_dir_all(election(root).join(folder)).unwrap();
        }
    }),
    ("the election is removed", |root| fs::remove_dir_all(election(root)).unwrap()),
    ("the folder is removed", |root| fs::remove_dir_all(root).unwrap()),
    ("the folder is moved away", |root| fs::rename(root, root.with_extension("away")).unwrap()),
    ("the folder is replaced", |root| {
        fs::rename(root, root.with_extension("away")).unwrap();
        fs::create_dir(root).unwrap();
    }),
];

fn election(root: &Path) -> PathBuf {
    root.join("reception/elections/reaper")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_hand_removes_no_two_ever_lead() {
    for (what, deed) in DEEDS {
        let desk = desk();
        let root = desk.path().join("root");
        let (one, two) = (client(&root).await, client(&root).await);
        let first = elect(&one, "first").await;
        deed(&root);
        let second = elect(&two, "second").await;
        assert!(!first.is_held(), "{what}: two lead at once");
        assert_eq!(soon(first.lost()).await.kind(), ErrorKind::LeaseLost, "{what}");
        assert!(second.is_held(), "{what}");
        // In what is left of the data, or in new ones with another domain: never a smaller token.
        assert!(second.token().partial_cmp(&first.token()).is_none_or(std::cmp::Ordering::is_gt), "{what}");
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(second.is_held(), "{what}: the second lost");
        one.close().await.unwrap();
        two.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_in_another_process_notices_that_its_lock_was_removed() {
    let desk = desk();
    let leader = Actor::start("elect", desk.path(), &["leader"]);
    assert_eq!(leader.says(), "stands");
    let first = token(&leader.says());
    fs::remove_file(election(desk.path()).join("lock")).unwrap();
    let heir = client(desk.path()).await;
    let second = elect(&heir, "heir").await;
    let said = leader.said().expect("the first has lost before the second led");
    assert!(said.starts_with("lost: "), "{said}");
    assert!(second.token() > first);
    heir.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_term_that_is_not_ours_is_not_written_over() {
    let desk = desk();
    let one = client(desk.path()).await;
    drop(elect(&one, "first").await.resign().await);
    fs::write(election(desk.path()).join("term"), "something else").unwrap();
    let elector = one.elector(&"reaper".parse().unwrap()).await.unwrap();
    assert_eq!(soon(elector.elect(instance("second"))).await.unwrap_err().kind(), ErrorKind::Protocol);
    assert_eq!(elector.leader().await.unwrap_err().kind(), ErrorKind::Protocol);
    assert_eq!(fs::read_to_string(election(desk.path()).join("term")).unwrap(), "something else");
    one.close().await.unwrap();
}
