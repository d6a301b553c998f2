//! L14: after close no task, thread, connection, lease, session or record of a client is left.

use std::{sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use reception_core::{Client, ClientExt, Elector, Leadership, Registration};
use tokio::runtime::Handle;

use crate::{
    drops::{DropAt, MOST_POLLS},
    follow::{Follower, Observer},
    leak::{self, GRACE, Process},
    play::{
        SOON, candidate, contender, eventually, instance, list, poll_once, register, same, service_name, win,
    },
    scene::{Failure, Result, Scene, ensure, within},
};

/// A client with one of everything.
struct Life {
    client: Arc<dyn Client>,
    elector: Box<dyn Elector>,
    registration: Registration,
    leadership: Leadership,
    follower: Follower,
    observer: Observer,
}

async fn live(scene: &Scene) -> Result<Life> {
    let (client, elector) = contender(scene).await?;
    let registration = register(&client, &instance("one")?).await?;
    let leadership = win(&*elector, "first").await?;
    let mut follower = Follower::of(&client).await?;
    follower.shows(SOON, &["one"]).await?;
    let mut observer = Observer::of(&*elector).await?;
    observer.sees(SOON, "first").await?;
    Ok(Life { client, elector, registration, leadership, follower, observer })
}

fn alive() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

async fn no_task(before: usize, when: &str) -> Result {
    leak::tasks(before, GRACE).await.map_err(|left| Failure::broken(format!("{when}: {left}")))
}

/// A client may keep some connections that nobody needs now: with calls at one moment it has as many as it will ever keep, and another task more is a leak.
async fn fill_the_pool(client: &Arc<dyn Client>) -> Result {
    try_join_all((0..8).map(|_| list(client))).await.map(drop)
}

pub(crate) async fn after_close_nothing_is_left(scene: &Scene) -> Result {
    let before = alive();
    let life = live(scene).await?;
    let mut pending = life.elector.elect(candidate("waits")?);
    poll_once(&mut pending).await;
    within("close", life.client.close()).await??;
    same("what the store holds after close", &scene.residue().await?, &Vec::new())?;
    // The handles are still there: close alone has to do it.
    no_task(before, "after close").await?;
    drop(pending);
    drop((life.registration, life.leadership, life.follower, life.observer, life.elector, life.client));
    Ok(())
}

pub(crate) async fn dropping_everything_leaves_nothing(scene: &Scene) -> Result {
    let before = alive();
    let Life { client, elector, registration, leadership, follower, observer } = live(scene).await?;
    drop(client);
    drop(elector);
    drop(follower);
    drop(observer);
    ensure!(leadership.is_held(), "dropping the handles ended what a guard holds");
    drop(leadership);
    drop(registration);
    eventually(SOON, "the store holds nothing", || async {
        let left = scene.residue().await.map_err(|failure| failure.to_string())?;
        if left.is_empty() { Ok(()) } else { Err(format!("it holds {left:?}")) }
    })
    .await?;
    no_task(before, "after the last drop").await
}

pub(crate) async fn guards_that_end_leave_nothing_while_the_client_lives(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    fill_the_pool(&client).await?;
    let elector = crate::play::elector(&client).await?;
    // The first round may start what lives as long as the client.
    let mut before = 0;
    for round in 0..4 {
        let registration = register(&client, &instance("one")?).await?;
        let leadership = win(&*elector, "first").await?;
        Follower::of(&client).await?.shows(SOON, &["one"]).await?;
        Observer::of(&*elector).await?.sees(SOON, "first").await?;
        within("resign", leadership.resign()).await??;
        within("close", registration.close()).await??;
        if round == 0 {
            tokio::time::sleep(GRACE).await;
            before = alive();
        }
    }
    no_task(before, "after guards and streams have ended").await
}

pub(crate) async fn a_dial_that_is_never_used_leaves_nothing(scene: &Scene) -> Result {
    let before = alive();
    for closed in [true, false, true] {
        let client = scene.dial().await?;
        if closed {
            within("close", client.close()).await??;
        }
    }
    no_task(before, "after dialling alone").await?;
    same("what the store holds", &scene.residue().await?, &Vec::new())
}

pub(crate) async fn a_dropped_watch_leaves_nothing(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    fill_the_pool(&client).await?;
    let name = service_name()?;
    drop(within("watch", client.watch(&name)).await??);
    tokio::time::sleep(GRACE).await;
    let before = alive();
    for polls in 0..MOST_POLLS {
        let done = within("watch", DropAt::new(polls, client.watch(&name))).await?;
        let last = done.is_some();
        drop(done);
        no_task(before, &format!("after a watch dropped at poll {polls}")).await?;
        let mut next = Follower::of(&client).await?;
        next.shows(SOON, &[]).await?;
        drop(next);
        no_task(before, "after a watch").await?;
        if last {
            break;
        }
    }
    Ok(())
}

pub(crate) async fn a_dropped_close_can_be_closed_again(scene: &Scene) -> Result {
    let before = alive();
    for polls in 0..MOST_POLLS {
        let life = live(scene).await?;
        let done = within("close", DropAt::new(polls, life.client.close())).await?;
        within("the second close", life.client.close()).await??;
        let at = format!("after a close dropped at poll {polls} and one that was not");
        same(&at, &scene.residue().await?, &Vec::new())?;
        no_task(before, &at).await?;
        if let Some(done) = done {
            done?;
            break;
        }
    }
    Ok(())
}

pub(crate) async fn a_close_in_a_cut_leaves_no_task(scene: &Scene) -> Result {
    let before = alive();
    let life = live(scene).await?;
    scene.cut().await?;
    // The store cannot be told, so an error is honest; the claims end with their lease.
    let _told = within("close in a cut", life.client.close()).await?;
    no_task(before, "after a close in a cut").await?;
    scene.heal().await?;
    drop((life.registration, life.leadership, life.elector, life.client));
    eventually(scene.patience(), "the store holds nothing", || async {
        let left = scene.residue().await.map_err(|failure| failure.to_string())?;
        if left.is_empty() { Ok(()) } else { Err(format!("it holds {left:?}")) }
    })
    .await
}

/// Lives after the first that are counted, and how much they may leave between them.
const LIVES: usize = 6;
const SLACK: usize = 3;

pub(crate) async fn clients_come_and_go_without_a_trace(scene: &Scene) -> Result {
    let before = alive();
    let mut first: Option<Process> = None;
    for number in 0..=LIVES {
        let life = live(scene).await?;
        if number % 2 == 0 {
            within("close", life.client.close()).await??;
        }
        drop(life);
        no_task(before, "after a client's life").await?;
        first = first.or_else(Process::count);
    }
    let Some(first) = first else {
        return Err(Failure::Unproven("this system tells neither threads nor descriptors".to_owned()));
    };
    eventually(Duration::from_secs(2), "threads and descriptors are back", || async {
        let now = Process::count().unwrap_or(first);
        let grown = now.threads > first.threads + SLACK || now.descriptors > first.descriptors + SLACK;
        if grown {
            Err(format!("{now:?} after {LIVES} more lives, {first:?} after the first"))
        } else {
            Ok(())
        }
    })
    .await
}
