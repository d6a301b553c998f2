//! L2 and L3: a watch begins with the whole state, and after each item its view equals the store.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use reception_core::{Change, ClientExt, Registration, Service, Status, WatchOptions};

use crate::{
    follow::{Follower, Observer},
    play::{
        SOON, changed, contender, elector, eventually, instance, list, register, same, service_name, win,
        win_within,
    },
    scene::{Failure, Result, Scene, ensure, fail, within},
};

// ---- L2 ----

pub(crate) async fn an_empty_watch_starts_with_a_reset(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    let mut follower = Follower::of(&client).await?;
    match follower.next(SOON).await? {
        Change::Reset(view) if view.is_empty() => Ok(()),
        other => fail!("the first item of an empty watch is {other:?}"),
    }
}

pub(crate) async fn a_watch_starts_with_a_reset_of_what_is_there(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    let guards = [register(&client, &instance("a")?).await?, register(&client, &instance("b")?).await?];
    let wanted = list(&client).await?;
    let other = scene.dial().await?;
    let mut followers = Vec::new();
    // The second one joins a watch that its client already has.
    for reader in [&client, &client, &other] {
        let mut follower = Follower::of(reader).await?;
        match follower.next(SOON).await? {
            Change::Reset(view) if view.iter().eq(wanted.iter()) => {}
            other => fail!("the first item is {other:?}, expected a Reset of {wanted:?}"),
        }
        followers.push(follower);
    }
    drop(guards);
    Ok(())
}

pub(crate) async fn an_observation_starts_vacant_or_with_the_leader(scene: &Scene) -> Result {
    let (client, elector) = contender(scene).await?;
    let mut early = Observer::of(&*elector).await?;
    early.next(SOON).await?;
    early.sees_nobody(std::time::Duration::ZERO).await?;
    ensure!(crate::play::leader(&*elector).await?.is_none(), "nobody was elected, yet there is a leader");
    let leadership = win(&*elector, "first").await?;
    let (other, observing) = contender(scene).await?;
    let mut late = Observer::of(&*observing).await?;
    late.next(SOON).await?;
    let token = late.sees(std::time::Duration::ZERO, "first").await?;
    same("the token observed", &token, &leadership.token())?;
    early.sees(SOON, "first").await?;
    // One that joins an observation which its client already has.
    Observer::of(&*elector).await?.sees(SOON, "first").await?;
    drop((client, other));
    Ok(())
}

pub(crate) async fn a_stream_that_starts_in_a_cut_is_stale_first(scene: &Scene) -> Result {
    let owner = scene.dial().await?;
    let reader = scene.dial().await?;
    list(&reader).await?;
    let elector = elector(&reader).await?;
    scene.cut().await?;
    let mut follower = Follower::of(&reader).await?;
    let mut observer = Observer::of(&*elector).await?;
    follower.goes_stale(SOON).await?;
    observer.goes_stale(SOON).await?;
    ensure!(follower.view().is_none(), "a view was made up in a cut: {:?}", follower.view());
    scene.heal().await?;
    let registration = register(&owner, &instance("one")?).await?;
    follower.shows(scene.patience(), &["one"]).await?;
    observer.sees_nobody(scene.patience()).await?;
    drop(registration);
    Ok(())
}

// ---- L3 ----

pub(crate) async fn every_change_reaches_the_watch_of_another_client(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    let mut follower = Follower::of(&reader).await?;
    follower.shows(SOON, &[]).await?;
    let api = instance("one")?;
    let registration = register(&owner, &api).await?;
    follower.shows(SOON, &["one"]).await?;
    let next = changed(&api, "2")?;
    within("update", registration.update(next.clone())).await??;
    follower.until(SOON, "the update is seen", |follower| follower.get("one") == Some(&next)).await?;
    let second = register(&owner, &instance("two")?).await?;
    follower.shows(SOON, &["one", "two"]).await?;
    within("close", registration.close()).await??;
    follower.shows(SOON, &["two"]).await?;
    drop(second);
    follower.shows(SOON, &[]).await?;
    same("resets without any gap", &follower.tally.resets, &1)
}

/// A small generator, so that a failing run can be told by its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

pub(crate) async fn the_view_equals_the_list_after_any_churn(scene: &Scene) -> Result {
    let seed = uuid::Uuid::new_v4().as_u64_pair().0 | 1;
    churn(scene, seed).await.map_err(|failure| failure.during(&format!("seed {seed}")))
}

async fn churn(scene: &Scene, seed: u64) -> Result {
    let owners = [scene.dial().await?, scene.dial().await?];
    let reader = scene.dial().await?;
    let mut dice = Dice(seed);
    let mut follower = Follower::of(&reader).await?;
    let mut guards: BTreeMap<String, Registration> = BTreeMap::new();
    for step in 0..60 {
        let id = format!("i{}", dice.roll(8));
        match (guards.remove(&id), dice.roll(3)) {
            (None, _) => {
                let owner = &owners[usize::try_from(dice.roll(2)).unwrap_or(0)];
                let service = changed(&instance(&id)?, &step.to_string())?;
                guards.insert(id, register(owner, &service).await?);
            }
            (Some(guard), 0) => within("close", guard.close()).await??,
            (Some(guard), _) => {
                let next = changed(&guard.service(), &step.to_string())?;
                within("update", guard.update(next)).await??;
                guards.insert(id, guard);
            }
        }
        if dice.roll(4) == 0 {
            meets_the_list(&mut follower, &reader).await?;
        }
    }
    meets_the_list(&mut follower, &reader).await?;
    let wanted: Vec<Service> = guards.values().map(Registration::service).collect();
    same("the list", &list(&reader).await?.iter().cloned().collect::<Vec<_>>(), &wanted)
}

async fn meets_the_list(
    follower: &mut Follower,
    reader: &std::sync::Arc<dyn reception_core::Client>,
) -> Result {
    let wanted = list(reader).await?;
    let meets = |follower: &Follower| follower.view().is_some_and(|view| view.iter().eq(wanted.iter()));
    follower.until(SOON, &format!("the view equals {wanted:?}"), meets).await
}

pub(crate) async fn a_slow_reader_gets_the_difference_and_not_the_history(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    let mut follower = Follower::of(&reader).await?;
    follower.shows(SOON, &[]).await?;
    let apis = [instance("a")?, instance("b")?, instance("c")?];
    let guards = try_join_all(apis.iter().map(|api| register(&owner, api))).await?;
    for round in 0..60 {
        let next = apis.iter().map(|api| changed(api, &round.to_string())).collect::<Result<Vec<_>>>()?;
        let updates = guards.iter().zip(next).map(|(guard, next)| guard.update(next));
        within("updates", try_join_all(updates)).await??;
    }
    // The reader's client has everything once a second watch of it does.
    let last = list(&owner).await?;
    let mut second = Follower::of(&reader).await?;
    let caught_up = |follower: &Follower| follower.view().is_some_and(|view| view.iter().eq(last.iter()));
    second.until(SOON, "another watch has caught up", caught_up).await?;
    follower.until(SOON, "the slow watch has caught up", caught_up).await?;
    let items = follower.tally.patches + follower.tally.resets;
    ensure!(items <= 20, "183 changes made {items} items for a reader that had not looked");
    drop(guards);
    Ok(())
}

pub(crate) async fn a_watch_shows_who_is_up_unless_asked_for_all(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    let mut up = Follower::of(&reader).await?;
    let mut all = Follower::with(&reader, WatchOptions::default().any_status(true)).await?;
    let api = instance("one")?;
    let registration = register(&owner, &api).await?;
    up.shows(SOON, &["one"]).await?;
    all.shows(SOON, &["one"]).await?;
    let draining = api.to_builder().status(Status::Draining).build()?;
    within("update", registration.update(draining.clone())).await??;
    up.shows(SOON, &[]).await?;
    all.until(SOON, "the status is seen", |all| all.get("one") == Some(&draining)).await?;
    let down = instance("two")?.to_builder().status(Status::Down).build()?;
    let second = register(&owner, &down).await?;
    all.shows(SOON, &["one", "two"]).await?;
    within("update", registration.update(api)).await??;
    up.shows(SOON, &["one"]).await?;
    // A late watcher is filtered as an early one.
    Follower::of(&reader).await?.shows(SOON, &["one"]).await?;
    Follower::with(&reader, WatchOptions::default().any_status(true))
        .await?
        .shows(SOON, &["one", "two"])
        .await?;
    drop(second);
    Ok(())
}

pub(crate) async fn wait_until_ends_with_the_view_that_fits(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    let name = service_name()?;
    let waiting = within("wait_until", reader.wait_until(&name, |view| view.len() == 3));
    let registering = async {
        let mut guards = Vec::new();
        for id in ["a", "b", "c"] {
            guards.push(register(&owner, &instance(id)?).await?);
        }
        Ok::<_, Failure>(guards)
    };
    let (view, guards) = tokio::try_join!(waiting, registering)?;
    same("the view waited for", &view?.len(), &3)?;
    drop(guards);
    Ok(())
}

pub(crate) async fn an_observer_follows_a_hand_over(scene: &Scene) -> Result {
    let (_watching, observing) = contender(scene).await?;
    let mut observer = Observer::of(&*observing).await?;
    let (_first, one) = contender(scene).await?;
    let (_second, two) = contender(scene).await?;
    let leadership = win(&*one, "one").await?;
    let first = observer.sees(SOON, "one").await?;
    within("resign", leadership.resign()).await??;
    let successor = win_within(&*two, "two", SOON).await?;
    let second = observer.sees(SOON, "two").await?;
    ensure!(first < second, "the token observed went from {first} to {second}");
    drop(successor);
    observer.sees_nobody(SOON).await?;
    eventually(SOON, "nobody leads", || async {
        let leader = crate::play::leader(&*observing).await.map_err(|failure| failure.to_string())?;
        if leader.is_none() { Ok(()) } else { Err(format!("the leader is {leader:?}")) }
    })
    .await
}
