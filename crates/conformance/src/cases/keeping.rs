//! L7: while it is wanted an instance stays, or comes back.

use std::time::Duration;

use futures_util::StreamExt;
use reception_core::{Change, RegistrationState};

use crate::{
    follow::Follower,
    play::{
        SERVICE, SOON, WHILE, contender, ids, instance, lease, list, listed, register, remains, short_fault,
        two_leases, win,
    },
    scene::{Result, Scene, ensure, fail, within_limit},
};

/// How long a repair may take that nothing announces: the longest reconcile interval.
const REPAIR: Duration = Duration::from_secs(20);

/// Counts how often one id goes and comes back in a stream of changes.
#[derive(Debug)]
struct Flaps {
    present: bool,
    gone: usize,
    back: usize,
}

impl Flaps {
    const NONE: Self = Self { present: true, gone: 0, back: 0 };

    fn see(&mut self, change: &Change, id: &str) {
        let present = match change {
            Change::Reset(view) => view.get(id).is_some(),
            Change::Patch(patch) if patch.removed().iter().any(|removed| removed.as_str() == id) => false,
            Change::Patch(patch) => {
                self.present || patch.upserted().iter().any(|service| service.id().as_str() == id)
            }
            _ => self.present,
        };
        match (self.present, present) {
            (true, false) => self.gone += 1,
            (false, true) => self.back += 1,
            _ => {}
        }
        self.present = present;
    }

    fn none(&self) -> Result {
        ensure!(self.gone == 0, "the instance went away {} times", self.gone);
        Ok(())
    }

    fn at_most_one(&self) -> Result {
        ensure!(self.present, "the instance did not come back: {self:?}");
        ensure!(self.gone <= 1 && self.back <= 1, "more than one removal and return: {self:?}");
        Ok(())
    }
}

pub(crate) async fn a_lost_lease_is_repaired_with_one_return(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    let registration = register(&owner, &instance("one")?).await?;
    let mut follower = Follower::of(&reader).await?;
    follower.shows(SOON, &["one"]).await?;
    scene.expire().await?;
    let mut flaps = Flaps::NONE;
    listed(&reader, scene.patience() + REPAIR, &["one"]).await?;
    remains(WHILE, "the instance is back", || async {
        let view = list(&reader).await.map_err(|failure| failure.to_string())?;
        if view.len() == 1 { Ok(()) } else { Err(format!("it shows {:?}", ids(&view))) }
    })
    .await?;
    follower
        .during(WHILE, |change| {
            flaps.see(change, "one");
            Ok(())
        })
        .await?;
    flaps.at_most_one()?;
    let ended = matches!(registration.state(), RegistrationState::Ended(_));
    ensure!(!ended, "the registration gave up: {:?}", registration.state());
    Ok(())
}

pub(crate) async fn a_record_that_somebody_deletes_comes_back(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    let registration = register(&owner, &instance("one")?).await?;
    scene.peer_deletes(SERVICE, "one").await?;
    listed(&reader, scene.patience() + REPAIR, &["one"]).await?;
    drop(registration);
    Ok(())
}

pub(crate) async fn a_cut_shorter_than_the_lease_costs_nothing(scene: &Scene) -> Result {
    let (owner, elector) = contender(scene).await?;
    let registration = register(&owner, &instance("one")?).await?;
    let leadership = win(&*elector, "first").await?;
    let (span, lease) = (short_fault(&owner).await?, lease(&owner).await?);
    let mut flaps = Flaps::NONE;
    // Several, so that at least one of them meets a renewal.
    for _ in 0..3 {
        scene.cut().await?;
        let reader = scene.dial().await?;
        let mut follower = Follower::of(&reader).await?;
        follower.shows(span, &["one"]).await?;
        let mut look = |change: &Change| {
            flaps.see(change, "one");
            Ok(())
        };
        follower.during(span, &mut look).await?;
        scene.heal().await?;
        follower.during(lease * 2 / 3, &mut look).await?;
    }
    let reader = scene.dial().await?;
    flaps.none()?;
    listed(&reader, SOON, &["one"]).await?;
    ensure!(leadership.is_held(), "a cut of {span:?} cost the leadership, the lease is {lease:?}");
    crate::play::eventually(SOON, "the registration is active again", || async {
        match registration.state() {
            RegistrationState::Active => Ok(()),
            other => Err(format!("its state is {other:?}")),
        }
    })
    .await
}

pub(crate) async fn a_cut_longer_than_the_lease_ends_in_a_return(scene: &Scene) -> Result {
    let owner = scene.dial().await?;
    // Where nothing expires no cut is longer.
    lease(&owner).await?;
    let registration = register(&owner, &instance("one")?).await?;
    let mut states = registration.changes();
    let first = within_limit(SOON, "the first state", states.next()).await?;
    ensure!(matches!(first, Some(RegistrationState::Active)), "the first state is {first:?}");
    scene.cut().await?;
    let reader = scene.dial().await?;
    listed(&reader, scene.patience(), &[]).await?;
    match within_limit(scene.patience(), "the doubt", states.next()).await? {
        Some(RegistrationState::Doubtful(_)) => {}
        other => fail!("the state in a long cut is {other:?}"),
    }
    scene.heal().await?;
    listed(&reader, scene.patience() + REPAIR, &["one"]).await?;
    loop {
        match within_limit(scene.patience(), "the end of the doubt", states.next()).await? {
            Some(RegistrationState::Active) => return Ok(()),
            Some(RegistrationState::Doubtful(_)) => {}
            other => fail!("the state after a long cut is {other:?}"),
        }
    }
}

pub(crate) async fn a_restart_of_the_store_keeps_what_is_registered(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    let registration = register(&owner, &instance("one")?).await?;
    let lease = lease(&owner).await?;
    let mut follower = Follower::of(&reader).await?;
    follower.shows(SOON, &["one"]).await?;
    scene.restart().await?;
    let mut flaps = Flaps::NONE;
    let look = |change: &Change| {
        flaps.see(change, "one");
        Ok(())
    };
    follower.during(lease * 2, look).await?;
    flaps.none()?;
    listed(&reader, SOON, &["one"]).await?;
    drop(registration);
    Ok(())
}

pub(crate) async fn a_guard_keeps_its_client_alive(scene: &Scene) -> Result {
    let owner = scene.dial().await?;
    let span = two_leases(&owner).await?;
    let registration = register(&owner, &instance("one")?).await?;
    drop(owner);
    let reader = scene.dial().await?;
    remains(span, "the instance is there", || async {
        let view = list(&reader).await.map_err(|failure| failure.to_string())?;
        if view.len() == 1 { Ok(()) } else { Err(format!("it shows {:?}", ids(&view))) }
    })
    .await?;
    ensure!(
        matches!(registration.state(), RegistrationState::Active),
        "its state is {:?}",
        registration.state()
    );
    crate::scene::within("close", registration.close()).await??;
    listed(&reader, SOON, &[]).await
}
