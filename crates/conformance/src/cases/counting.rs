//! L17 and L18, proved by counting: watches at the store, and what one change costs.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use reception_core::{Change, Client, ClientExt, Registration, Service, ServiceName};

use crate::{
    fixture::{Meter, Property},
    follow::Follower,
    play::{SOON, changed, eventually, instance, register, same},
    scene::{Failure, Result, Scene, ensure, fail, within},
};

/// Watchers of one service by one client.
const WATCHERS: usize = 50;

// ---- L17 ----

pub(crate) async fn many_watchers_all_see_every_change(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    let mut followers = Vec::new();
    for _ in 0..WATCHERS {
        followers.push(Follower::of(&reader).await?);
    }
    let api = instance("one")?;
    let registration = register(&owner, &api).await?;
    let next = changed(&api, "2")?;
    within("update", registration.update(next.clone())).await??;
    for follower in &mut followers {
        follower.until(SOON, "the update is seen", |follower| follower.get("one") == Some(&next)).await?;
    }
    drop(followers.drain(..WATCHERS / 2));
    within("close", registration.close()).await??;
    for follower in &mut followers {
        follower.shows(SOON, &[]).await?;
    }
    Ok(())
}

pub(crate) async fn many_watchers_share_one_watch_at_the_store(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    let registration = register(&owner, &instance("one")?).await?;
    let before = scene.meter()?.watches();
    let mut followers = Vec::new();
    for _ in 0..WATCHERS {
        let mut follower = Follower::of(&reader).await?;
        follower.shows(SOON, &["one"]).await?;
        followers.push(follower);
    }
    let opened = scene.meter()?.watches().saturating_sub(before);
    ensure!(opened <= 1, "{WATCHERS} watchers of one service opened {opened} watches at the store");
    let other = ServiceName::new("other")?;
    let second = within("watch", reader.watch(&other)).await??;
    let third = within("watch", reader.watch(&other)).await??;
    let opened = scene.meter()?.watches().saturating_sub(before);
    ensure!(opened <= 2, "watchers of two services opened {opened} watches at the store");
    drop((followers, second, third));
    eventually(SOON, "the watches at the store are closed", || async {
        let meter = scene.meter().map_err(|failure| failure.to_string())?;
        let open = meter.watches().saturating_sub(before);
        if open == 0 { Ok(()) } else { Err(format!("{open} are open although every watcher was dropped")) }
    })
    .await?;
    drop(registration);
    Ok(())
}

pub(crate) async fn a_change_costs_the_same_for_one_watcher_and_for_many(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    let api = instance("one")?;
    let registration = register(&owner, &api).await?;
    let mut followers = vec![Follower::of(&reader).await?];
    let one = cost_apart(scene, &registration, &api, &mut followers).await?;
    while followers.len() < WATCHERS {
        followers.push(Follower::of(&reader).await?);
    }
    let many = cost(scene, &registration, &api, &mut followers).await?;
    one.about(&many, &format!("for {WATCHERS} watchers instead of one"))
}

// ---- L18 ----

/// What changes cost between them.
#[derive(Clone, Copy, Debug)]
struct Cost {
    requests: u64,
    bytes: u64,
}

/// Changes that are counted together, so that a renewal in between hardly shows.
const CHANGES: u64 = 100;

impl Cost {
    /// Equal in requests, and in bytes but for one answer of the whole list a change.
    fn within_a_list(&self, other: &Self, list: u64, what: &str) -> Result {
        let told = CHANGES * list;
        ensure!(
            other.bytes > self.bytes + told / 20,
            "{CHANGES} changes cost {} bytes {what}, {} before: these are not whole lists of {list} bytes",
            other.bytes,
            self.bytes
        );
        let allowed = Self { requests: self.requests, bytes: self.bytes + told };
        allowed.about(other, what)
    }

    /// Equal within five percent and the few requests of a renewal.
    fn about(&self, other: &Self, what: &str) -> Result {
        let near = |one: u64, other: u64, slack: u64| other <= one + one / 20 + slack;
        ensure!(
            near(self.requests, other.requests, 8),
            "{CHANGES} changes cost {} requests {what}, {} before",
            other.requests,
            self.requests
        );
        ensure!(
            near(self.bytes, other.bytes, 2048),
            "{CHANGES} changes cost {} bytes {what}, {} before",
            other.bytes,
            self.bytes
        );
        Ok(())
    }
}

/// Counts what one update costs, and tells what [`CHANGES`] cost that nobody takes together.
///
/// Who is not waited for, such as the owner with a look at its own record, may else read several changes as one, on a busy machine.
async fn cost_apart(
    scene: &Scene,
    registration: &Registration,
    api: &Service,
    followers: &mut [Follower],
) -> Result<Cost> {
    let meter = scene.meter()?;
    let mut costs = [(0, 0); 5];
    for (change, cost) in costs.iter_mut().enumerate() {
        rest(meter).await;
        let (requests, bytes) = (meter.requests(), meter.bytes());
        settle(registration, api, &format!("{change:04}"), followers).await?;
        rest(meter).await;
        *cost = (meter.requests() - requests, meter.bytes() - bytes);
    }
    // A renewal falls into few of them.
    let [mut requests, mut bytes] = [costs.map(|cost| cost.0), costs.map(|cost| cost.1)];
    requests.sort_unstable();
    bytes.sort_unstable();
    Ok(Cost { requests: requests[2] * CHANGES, bytes: bytes[2] * CHANGES })
}

/// Counts what updates of one instance cost, each waited for by every follower.
async fn cost(
    scene: &Scene,
    registration: &Registration,
    api: &Service,
    followers: &mut [Follower],
) -> Result<Cost> {
    settle(registration, api, "0000", followers).await?;
    let meter = scene.meter()?;
    rest(meter).await;
    let (requests, bytes) = (meter.requests(), meter.bytes());
    for change in 1..=CHANGES {
        settle(registration, api, &format!("{change:04}"), followers).await?;
    }
    Ok(Cost { requests: meter.requests() - requests, bytes: meter.bytes() - bytes })
}

/// Waits until nothing more comes of what was done before, such as the owner's own look at what it has just registered.
async fn rest(meter: &dyn Meter) {
    const STILL: Duration = Duration::from_millis(250);
    let mut last = meter.bytes();
    // A store that is never still is counted as it is.
    for _ in 0..20 {
        tokio::time::sleep(STILL).await;
        if meter.bytes() == last {
            return;
        }
        last = meter.bytes();
    }
}

/// What one answer of the whole list takes, asked by a client that does nothing else.
async fn bytes_of_a_list(scene: &Scene) -> Result<u64> {
    let (meter, reader) = (scene.meter()?, scene.dial().await?);
    let mut least = u64::MAX;
    for _ in 0..3 {
        rest(meter).await;
        let before = meter.bytes();
        crate::play::list(&reader).await?;
        least = least.min(meter.bytes() - before);
    }
    Ok(least)
}

async fn settle(
    registration: &Registration,
    api: &Service,
    version: &str,
    followers: &mut [Follower],
) -> Result {
    let next = changed(api, version)?;
    within("update", registration.update(next.clone())).await??;
    let id = next.id().as_str();
    for follower in followers {
        follower.until(SOON, "the update is seen", |follower| follower.get(id) == Some(&next)).await?;
    }
    Ok(())
}

/// Registers instances up to a number, a few at a time.
async fn grow(owner: &Arc<dyn Client>, from: usize, to: usize) -> Result<Vec<Registration>> {
    let services = (from..to).map(|number| instance(&format!("i{number:04}"))).collect::<Result<Vec<_>>>()?;
    stream::iter(services)
        .map(|service| async move { register(owner, &service).await })
        .buffer_unordered(64)
        .try_collect()
        .await
}

/// A reader that has seen all.
async fn reader_of(scene: &Scene, size: usize) -> Result<Follower> {
    let mut follower = Follower::of(&scene.dial().await?).await?;
    let what = format!("all {size} are seen");
    follower.until(SOON, &what, |follower| follower.ids().len() == size).await?;
    Ok(follower)
}

pub(crate) async fn the_cost_of_a_change_does_not_grow_with_the_service(scene: &Scene) -> Result {
    scene.meter()?;
    let owner = scene.dial().await?;
    let one = register(&owner, &instance("changes")?).await?;
    let few = grow(&owner, 0, 9).await?;
    let small = cost_apart(scene, &one, &one.service(), &mut [reader_of(scene, 10).await?]).await?;
    let many = grow(&owner, 9, 999).await?;
    let large = cost(scene, &one, &one.service(), &mut [reader_of(scene, 1000).await?]).await?;
    let what = "with 1,000 instances, 10 at first";
    if scene.states(Property::TellsWholeLists) {
        let list = bytes_of_a_list(scene).await?;
        small.within_a_list(&large, list, what)?;
    } else {
        small.about(&large, what)?;
    }
    drop((few, many));
    within("close", owner.close()).await?.map_err(Failure::from)
}

pub(crate) async fn a_change_in_a_large_service_is_a_patch_of_one(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    let one = register(&owner, &instance("changes")?).await?;
    let mut guards = Vec::new();
    for size in [10, 300] {
        guards.extend(grow(&owner, guards.len(), size - 1).await?);
        let mut follower = Follower::of(&reader).await?;
        follower
            .until(SOON, &format!("all {size} are seen"), |follower| follower.ids().len() == size)
            .await?;
        // What was on its way comes before this.
        let followers = &mut [follower];
        settle(&one, &one.service(), &format!("before {size}"), followers).await?;
        let [follower] = followers;
        let next = changed(&one.service(), &format!("of {size}"))?;
        within("update", one.update(next.clone())).await??;
        match follower.next(SOON).await? {
            Change::Patch(patch) if patch.upserted() == [next] && patch.removed().is_empty() => {}
            other => fail!("one change in {size} instances came as {other:?}"),
        }
    }
    same("the list", &crate::play::list(&reader).await?.len(), &300)?;
    within("close", owner.close()).await?.map_err(Failure::from)
}
