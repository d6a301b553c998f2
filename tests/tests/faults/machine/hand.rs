//! Leaders whose files a hand removes or replaces: F3, F21, F22.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rand::Rng as _;
use reception_lab::history::{Event, Line};
use reception_tests::PATIENCE;
use tokio::time::sleep;

use crate::{
    leading::{
        death::{refused, written},
        field::{BACKOFF, Field, LOAD, WORD, between, must, told},
    },
    scenario::Outcome,
    stage::{Stage, folder},
};

/// A lock file that no leader is known to have held is held this long before its holder leads.
const GRACE: Duration = Duration::from_millis(600);

/// How soon there is a leader again when everybody may have to stand anew.
const AGAIN: Duration = Duration::from_secs(7);

fn election(stage: &Stage, field: &Field) -> Result<PathBuf, String> {
    Ok(folder(stage)?.path().join(field.namespace()).join("elections").join(Field::ELECTION))
}

/// F22. A leader's record is removed, and its lock file removed or replaced, while it lives and holds both. Somebody else can lock the new one at
/// once: the old leader must find out by comparing which files the paths lead to, within W, and nobody leads before it has (I1).
pub(super) async fn a_leader_whose_lock_file_is_removed_knows_before_the_next_leads(
    stage: &mut Stage,
) -> Outcome {
    let mut field = Field::open(stage, "f22-local", Duration::ZERO).await?;
    let rounds = stage.rounds(3, 20);
    let played = unlocked(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

async fn unlocked(stage: &mut Stage, field: &mut Field, rounds: u32) -> Outcome {
    field.join(stage, 3, &[]).await?;
    let mut leader = field.elected(0, PATIENCE).await?;
    for _ in 0..rounds {
        let calm = stage.span(Duration::ZERO, Duration::from_millis(200));
        sleep(calm).await;
        let replaced = stage.dice.random();
        let at = field.fault("F22", &[leader.pid], &["early"])?;
        unlock(stage, field, replaced).await?;
        let next = field.elected(at, GRACE + WORD + LOAD).await?;
        // As long as an old claim would be seen beside the new one.
        sleep(LOAD).await;
        let lost = field.lost(leader.pid, at, LOAD).await?;
        must(next.token > leader.token, || format!("{next} after {leader}"))?;
        must(next.ns >= lost.ns, || format!("{} led before {} knew of its loss", next.pid, leader.pid))?;
        field.heal(LOAD)?;
        stand_again(field).await?;
        leader = next;
    }
    Ok(())
}

/// Takes away what the leader holds. Its record alone would make it step down and leave the lock held till then; its lock alone would keep the
/// others behind a candidate that lives.
async fn unlock(stage: &Stage, field: &Field, replaced: bool) -> Outcome {
    let lock = election(stage, field)?.join("lock");
    stage.stand.delete_leader(field.namespace(), Field::ELECTION).await.map_err(told)?;
    if !replaced {
        return fs::remove_file(&lock).map_err(told);
    }
    let other = lock.with_extension("other");
    fs::write(&other, "").and_then(|()| fs::rename(&other, &lock)).map_err(told)
}

type Deed = fn(&Path, &Path) -> io::Result<()>;

/// What a hand does, to the root and to the election below it.
const DEEDS: &[(&str, Deed)] = &[
    ("removes the lock", |_, election| fs::remove_file(election.join("lock"))),
    ("removes the candidates", |_, election| {
        fs::remove_dir_all(election.join("records")).and(fs::remove_dir_all(election.join("signs")))
    }),
    ("removes the lock and the term", |_, election| {
        fs::remove_file(election.join("lock")).and(fs::remove_file(election.join("term")))
    }),
    ("moves the election away", |_, election| fs::rename(election, election.with_extension("away"))),
    ("moves the folder away", |root, _| fs::rename(root, away(root))),
    ("replaces the folder", |root, _| fs::rename(root, away(root)).and_then(|()| fs::create_dir(root))),
];

/// A place beside it that nothing stands at.
fn away(root: &Path) -> PathBuf {
    let free = |number: &u32| !root.with_extension(format!("away{number}")).exists();
    root.with_extension(format!("away{}", (0..).find(free).unwrap_or_default()))
}

/// F21. A hand removes, moves or replaces files and folders of an election, up to the root, under 4 contenders in processes of their own. The
/// leader knows within W, there is a leader again within B + 2 s, no two lead at once, and tokens grow or begin a new domain (I1, I2).
pub(super) async fn whatever_a_hand_removes_no_two_lead(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f21-local", Duration::ZERO).await?;
    let rounds = stage.rounds(1, 5);
    let played = removed(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

async fn removed(stage: &mut Stage, field: &mut Field, rounds: u32) -> Outcome {
    field.join(stage, 4, &[]).await?;
    let mut leader = field.elected(0, PATIENCE).await?;
    for (what, deed) in (0..rounds).flat_map(|_| DEEDS) {
        let calm = stage.span(Duration::ZERO, Duration::from_millis(300));
        sleep(calm).await;
        let (root, election) = (folder(stage)?.path(), election(stage, field)?);
        let all = field.others(0);
        let at = field.fault("F21", &all, &["early"])?;
        deed(&root, &election).map_err(|error| format!("a hand that {what}: {error}"))?;
        // Somebody makes the root again that is reached by no link.
        drop(field.elector.leader().await);
        let next = field.elected(at, AGAIN + GRACE + LOAD).await;
        let next = next.map_err(|late| format!("a hand {what}: {late}"))?;
        // It is well past W by now.
        let lost = field.lost(leader.pid, at, LOAD).await.map_err(|late| format!("a hand {what}: {late}"))?;
        let after = between(at, lost.ns);
        must(after <= WORD + LOAD, || format!("a hand {what}: the leader knew after {after:?}"))?;
        field.heal(LOAD)?;
        stand_again(field).await.map_err(|late| format!("a hand {what}: {late}"))?;
        leader = field.elected_last()?;
        must(leader.ns >= next.ns, || "the last leader is not the last".to_owned())?;
    }
    Ok(())
}

/// All are candidates again, so that the next fault finds a line.
async fn stand_again(field: &Field) -> Outcome {
    for rival in &field.rivals {
        field.in_line(&rival.id, BACKOFF + Duration::from_secs(2) + LOAD).await?;
    }
    Ok(())
}

/// F3. The leader stops itself (SIGSTOP) exactly between `is_held()` and its write, a hand removes its record and its lock file, another leads and writes, and the
/// first goes on to its write. That two hold at once for as long is the exception that the laws list for a leader that stands still; the
/// fenced store refuses the write, and the one that woke up knows within W (I2).
pub(super) async fn a_leader_stopped_before_its_write_is_refused_once_its_lock_was_taken(
    stage: &mut Stage,
) -> Outcome {
    let mut field = Field::open(stage, "f03-local", Duration::ZERO).await?;
    field.overlap = Some(PATIENCE);
    let rounds = stage.rounds(2, 20);
    let played = stopped_before_write(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

async fn stopped_before_write(stage: &mut Stage, field: &mut Field, rounds: u32) -> Outcome {
    for _ in 0..rounds {
        let number = stage.dice.random_range(20..=80).to_string();
        field.join(stage, 1, &["--stop-before-write", &number]).await?;
        let first = field.rivals.last().map(|rival| rival.agent.pid()).unwrap_or_default();
        let led =
            field.until("leader", 0, PATIENCE, |line| line.event == Event::Elected && line.pid == first);
        led.await?;
        field.join(stage, 2, &[]).await?;
        let stop = |line: &Line| line.event == Event::Stopped && line.pid == first;
        field.until("stop before a write", 0, PATIENCE, stop).await?;
        let at = field.fault("F3", &[first], &["early"])?;
        unlock(stage, field, false).await?;
        let next = field.elected(at, GRACE + Duration::from_secs(3) + LOAD).await?;
        written(field, next.pid, next.ns).await?;
        let awake = field.resume(first)?;
        refused(field, first, awake).await?;
        field.lost(first, awake, WORD + LOAD).await?;
        field.heal(LOAD)?;
        // Then the next to join leads at once.
        field.dismiss().await?;
    }
    Ok(())
}
