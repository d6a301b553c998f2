//! L5 and L13: how streams, guards and calls end, and what does not end them.

use std::{sync::Arc, thread};

use reception_core::{
    Client, ClientExt, ElectionName, Elector, ErrorKind, Leadership, Registration, RegistrationState,
    WatchOptions,
};

use crate::{
    follow::{Follower, Observer, ends, is_final},
    play::{
        SOON, WHILE, candidate, contender, eventually, instance, list, poll_once, ready_at_once, refused,
        register, service_name, win,
    },
    scene::{Failure, Result, Scene, ensure, fail, within, within_limit},
};

const CLOSED: &[ErrorKind] = &[ErrorKind::Closed];
const OVER: &[ErrorKind] = &[ErrorKind::Closed, ErrorKind::NoRuntime];

// ---- L5 ----

pub(crate) async fn a_stream_ends_only_after_a_final_error(scene: &Scene) -> Result {
    let (client, elector) = contender(scene).await?;
    let registration = register(&client, &instance("one")?).await?;
    let mut follower = Follower::of(&client).await?;
    follower.shows(SOON, &["one"]).await?;
    let mut observer = Observer::of(&*elector).await?;
    observer.sees_nobody(SOON).await?;
    let unread = within("watch", client.watch_with(&service_name()?, WatchOptions::default())).await??;
    within("close", client.close()).await??;
    follower.ends(SOON).await?;
    observer.ends(SOON).await?;
    ends(unread, SOON, OVER).await?;
    drop(registration);
    Ok(())
}

pub(crate) async fn a_cut_never_ends_a_stream(scene: &Scene) -> Result {
    let (client, elector) = contender(scene).await?;
    let mut follower = Follower::of(&client).await?;
    let mut observer = Observer::of(&*elector).await?;
    follower.shows(SOON, &[]).await?;
    observer.sees_nobody(SOON).await?;
    for _ in 0..2 {
        scene.cut().await?;
        follower.goes_stale(SOON).await?;
        observer.goes_stale(SOON).await?;
        follower.during(WHILE, |_| Ok(())).await?;
        scene.heal().await?;
        follower.shows(scene.patience(), &[]).await?;
        observer.sees_nobody(scene.patience()).await?;
    }
    let registration = register(&client, &instance("one")?).await?;
    follower.shows(SOON, &["one"]).await?;
    drop(registration);
    Ok(())
}

pub(crate) async fn a_service_that_nobody_has_is_watched_all_the_same(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    let mut follower = Follower::of(&reader).await?;
    follower.shows(SOON, &[]).await?;
    for _ in 0..2 {
        let registration = register(&owner, &instance("one")?).await?;
        follower.shows(SOON, &["one"]).await?;
        within("close", registration.close()).await??;
        follower.shows(SOON, &[]).await?;
    }
    Ok(())
}

pub(crate) async fn a_dropped_watch_does_not_end_its_neighbour(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    let mut stays = Follower::of(&client).await?;
    stays.shows(SOON, &[]).await?;
    for number in 0..4 {
        let mut goes = Follower::of(&client).await?;
        if number % 2 == 0 {
            goes.shows(SOON, &[]).await?;
        }
        drop(goes);
    }
    let registration = register(&client, &instance("one")?).await?;
    stays.shows(SOON, &["one"]).await?;
    drop(registration);
    Ok(())
}

/// What lived on a runtime that has ended.
struct Orphans {
    client: Arc<dyn Client>,
    elector: Box<dyn Elector>,
    follower: Follower,
    observer: Observer,
    registration: Registration,
    leadership: Leadership,
}

pub(crate) async fn a_runtime_that_ends_under_a_client_ends_its_streams(scene: &Scene) -> Result {
    let runtime = scene.runtime()?;
    let there = scene.clone();
    let on_another = thread::spawn(move || {
        let orphans = runtime.block_on(async {
            let (client, elector) = contender(&there).await?;
            let registration = register(&client, &instance("one")?).await?;
            let mut follower = Follower::of(&client).await?;
            follower.shows(SOON, &["one"]).await?;
            let mut observer = Observer::of(&*elector).await?;
            let leadership = win(&*elector, "first").await?;
            observer.sees(SOON, "first").await?;
            Ok::<_, Failure>(Orphans { client, elector, follower, observer, registration, leadership })
        });
        drop(runtime);
        orphans
    });
    let orphans = on_another.join().map_err(|_| Failure::broken("the other runtime panicked"))??;
    // The store learns of it as it learns of a killed process.
    scene.note_fault();
    orphans.follower.ends(SOON).await?;
    orphans.observer.ends(SOON).await?;
    let over = within_limit(SOON, "the loss of the leadership", orphans.leadership.lost()).await?;
    ensure!(is_final(&over) || over.kind() == ErrorKind::LeaseLost, "the leadership ended with {over}");
    ensure!(!orphans.leadership.is_held(), "a leadership outlives its runtime");
    ends_with(&orphans.registration, OVER).await?;
    refused(
        "list after the runtime's end",
        within("list", orphans.client.list(&service_name()?)).await?,
        OVER,
    )?;
    let service = instance("two")?;
    refused(
        "register after the runtime's end",
        within("register", orphans.client.register(service)).await?,
        OVER,
    )?;
    let elected = within("elect", orphans.elector.elect(candidate("again")?)).await?;
    refused("elect after the runtime's end", elected, OVER)
}

/// Waits until a registration has ended and checks why.
async fn ends_with(registration: &Registration, kinds: &[ErrorKind]) -> Result {
    let state = eventually(SOON, "the registration has ended", || async {
        match registration.state() {
            RegistrationState::Ended(error) => Ok(error),
            other => Err(format!("its state is {other:?}")),
        }
    })
    .await?;
    ensure!(kinds.contains(&state.kind()), "the registration ended with {state}, expected {kinds:?}");
    Ok(())
}

// ---- L13 ----

pub(crate) async fn after_close_every_call_answers_closed(scene: &Scene) -> Result {
    let (client, elector) = contender(scene).await?;
    let registration = register(&client, &instance("one")?).await?;
    within("close", client.close()).await??;
    let name = service_name()?;
    refused("register", within("register", client.register(instance("two")?)).await?, CLOSED)?;
    refused("list", within("list", client.list(&name)).await?, CLOSED)?;
    refused("watch", within("watch", client.watch(&name)).await?, CLOSED)?;
    refused("elector", within("elector", client.elector(&ElectionName::new("other")?)).await?, CLOSED)?;
    refused("names", within("names", client.names()).await?, CLOSED)?;
    refused("probe", within("probe", client.probe()).await?, CLOSED)?;
    refused("wait_until", within("wait_until", client.wait_until(&name, |_| true)).await?, CLOSED)?;
    refused("elect", within("elect", elector.elect(candidate("late")?)).await?, CLOSED)?;
    refused("leader", within("leader", elector.leader()).await?, CLOSED)?;
    refused("observe", within("observe", elector.observe()).await?, CLOSED)?;
    let line = within("candidates", elector.candidates()).await?;
    refused("candidates", line, &[ErrorKind::Closed, ErrorKind::Unsupported])?;
    refused("update", within("update", registration.update(instance("one")?)).await?, CLOSED)?;
    within("close", client.close()).await??;
    Ok(())
}

pub(crate) async fn after_close_every_guard_has_ended(scene: &Scene) -> Result {
    let (client, standing) = contender(scene).await?;
    let registration = register(&client, &instance("one")?).await?;
    let leadership = win(&*standing, "first").await?;
    let (tenure, lost) = (leadership.tenure(), leadership.lost());
    within("close", client.close()).await??;
    ensure!(!leadership.is_held() && !tenure.is_held(), "a leadership is held after close");
    for (what, cause) in
        [("lost()", ready_at_once(lost).await), ("the tenure", ready_at_once(tenure.lost()).await)]
    {
        let Some(cause) = cause else { fail!("{what} is not ready after close") };
        ensure!(cause.kind() == ErrorKind::Closed, "{what} says {cause}, expected Closed");
    }
    match registration.state() {
        RegistrationState::Ended(error) if error.kind() == ErrorKind::Closed => {}
        other => fail!("the registration's state after close is {other:?}"),
    }
    let run = within("run", leadership.run(std::future::pending::<()>())).await?;
    refused("run", run, CLOSED)
}

pub(crate) async fn a_close_ends_a_pending_elect(scene: &Scene) -> Result {
    let (_leading, leads) = contender(scene).await?;
    let leadership = win(&*leads, "first").await?;
    let (client, standing) = contender(scene).await?;
    let mut pending = standing.elect(candidate("waits")?);
    ensure!(poll_once(&mut pending).await.is_none(), "a second candidate won at once");
    crate::play::in_line(&client, &*standing, "first", &["waits"]).await?;
    within("close", client.close()).await??;
    refused("an elect that was pending", within("elect", pending).await?, CLOSED)?;
    ensure!(leadership.is_held(), "the close of another client ended a leadership");
    Ok(())
}

pub(crate) async fn closing_twice_and_at_once_is_the_same(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    let registration = register(&client, &instance("one")?).await?;
    let same = Arc::clone(&client);
    let (first, second, third) = tokio::join!(
        within("close", client.close()),
        within("close", same.close()),
        within("close", client.close())
    );
    first??;
    second??;
    third??;
    within("close", client.close()).await??;
    drop(registration);
    Ok(())
}

pub(crate) async fn a_call_under_way_ends_when_the_client_closes(scene: &Scene) -> Result {
    for polls in 1..4 {
        let client = scene.dial().await?;
        list(&client).await?;
        let name = service_name()?;
        let mut registering = Box::pin(client.register(instance("one")?));
        let mut listing = Box::pin(client.list(&name));
        for _ in 0..polls {
            if poll_once(&mut registering).await.is_some() || poll_once(&mut listing).await.is_some() {
                return closes(&client).await;
            }
        }
        closes(&client).await?;
        if let Err(error) = within("a list under way", listing).await? {
            ensure!(error.kind() == ErrorKind::Closed, "a list under way ended with {error}");
        }
        match within("a register under way", registering).await? {
            Err(error) => {
                ensure!(error.kind() == ErrorKind::Closed, "a register under way ended with {error}");
            }
            Ok(registration) => ends_with(&registration, CLOSED).await?,
        }
    }
    Ok(())
}

async fn closes(client: &Arc<dyn Client>) -> Result {
    within("close", client.close()).await?.map_err(Failure::from)
}

pub(crate) async fn a_call_in_a_cut_ends_when_the_client_closes(scene: &Scene) -> Result {
    let (client, elector) = contender(scene).await?;
    let registration = register(&client, &instance("one")?).await?;
    let follower = Follower::of(&client).await?;
    scene.cut().await?;
    let name = service_name()?;
    let mut listing = Box::pin(client.list(&name));
    let early = poll_once(&mut listing).await;
    // The store cannot be told: an error is an honest answer, silence is not.
    let closed = within("close in a cut", client.close()).await?;
    if early.is_none() {
        ensure!(within("a list under way", listing).await?.is_err(), "a list was answered through a cut");
    }
    follower.ends(SOON).await?;
    refused("leader", within("leader", elector.leader()).await?, CLOSED)?;
    scene.heal().await?;
    drop((closed, registration));
    Ok(())
}
