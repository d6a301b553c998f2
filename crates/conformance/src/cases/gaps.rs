//! L3 and L4 across a gap: nothing is lost, nothing is made up, and the view stays while it is stale.

use reception_core::{Change, Client, ClientExt, ErrorKind};

use crate::{
    follow::{Follower, Observer},
    play::{
        SERVICE, SOON, WHILE, contender, elector, instance, lease, list, listed, register, same,
        service_name, win,
    },
    scene::{Result, Scene, ensure, fail, within},
};

// ---- L3 ----

pub(crate) async fn a_removal_by_somebody_else_in_a_cut_is_not_lost(scene: &Scene) -> Result {
    let reader = scene.dial().await?;
    scene.peer_writes(SERVICE, "stays", None).await?;
    scene.peer_writes(SERVICE, "goes", None).await?;
    let mut follower = Follower::of(&reader).await?;
    follower.shows(SOON, &["goes", "stays"]).await?;
    scene.cut().await?;
    follower.goes_stale(SOON).await?;
    scene.peer_deletes(SERVICE, "goes").await?;
    scene.peer_writes(SERVICE, "new", None).await?;
    ensure!(follower.ids() == ["goes", "stays"], "the stale view became {:?}", follower.ids());
    scene.heal().await?;
    follower.shows(scene.patience(), &["new", "stays"]).await?;
    scene.peer_deletes(SERVICE, "stays").await?;
    scene.peer_deletes(SERVICE, "new").await?;
    follower.shows(SOON, &[]).await
}

pub(crate) async fn a_death_in_a_cut_is_seen_after_it(scene: &Scene) -> Result {
    let owner = scene.dial().await?;
    // Between a death and its notice there must be time for a cut.
    lease(&owner).await?;
    let registration = register(&owner, &instance("mortal")?).await?;
    scene.crash().await?;
    let reader = scene.dial().await?;
    let mut follower = Follower::of(&reader).await?;
    follower.shows(SOON, &["mortal"]).await?;
    scene.cut().await?;
    let witness = scene.dial().await?;
    listed(&witness, scene.patience(), &[]).await?;
    let second = register(&witness, &instance("second")?).await?;
    scene.heal().await?;
    follower.shows(scene.patience(), &["second"]).await?;
    drop((registration, second));
    Ok(())
}

pub(crate) async fn a_gap_with_many_changes_loses_none(scene: &Scene) -> Result {
    let reader = scene.dial().await?;
    let mut follower = Follower::of(&reader).await?;
    follower.shows(SOON, &[]).await?;
    scene.cut().await?;
    let writer = scene.dial().await?;
    let mut guards = Vec::new();
    for number in 0..10 {
        guards.push(register(&writer, &instance(&format!("i{number}"))?).await?);
    }
    for guard in guards.drain(..5) {
        within("close", guard.close()).await??;
    }
    follower.goes_stale(SOON).await?;
    scene.heal().await?;
    follower.shows(scene.patience(), &["i5", "i6", "i7", "i8", "i9"]).await
}

pub(crate) async fn a_restart_of_the_store_loses_no_change(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    let first = register(&owner, &instance("first")?).await?;
    let mut follower = Follower::of(&reader).await?;
    follower.shows(SOON, &["first"]).await?;
    scene.restart().await?;
    let writer = scene.dial().await?;
    let second = register(&writer, &instance("second")?).await?;
    follower.shows(scene.patience(), &["first", "second"]).await?;
    within("close", second.close()).await??;
    follower.shows(scene.patience(), &["first"]).await?;
    drop(first);
    Ok(())
}

// ---- L4 ----

pub(crate) async fn a_cut_keeps_the_view_and_ends_in_a_reset(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    let registration = register(&owner, &instance("one")?).await?;
    let mut follower = Follower::of(&reader).await?;
    follower.shows(SOON, &["one"]).await?;
    scene.cut().await?;
    follower.goes_stale(SOON).await?;
    same("the view once stale", &follower.ids(), &vec!["one".to_owned()])?;
    follower
        .during(WHILE, |change| match change {
            Change::Stale(_) => Ok(()),
            other => fail!("{other:?} in a cut"),
        })
        .await?;
    same("the view while stale", &follower.ids(), &vec!["one".to_owned()])?;
    let resets = follower.tally.resets;
    scene.heal().await?;
    follower.until(scene.patience(), "the view is good again", |follower| !follower.is_stale()).await?;
    ensure!(follower.tally.resets > resets, "the view is good again without a Reset");
    follower.shows(scene.patience(), &["one"]).await?;
    drop(registration);
    Ok(())
}

pub(crate) async fn a_late_watcher_in_a_cut_sees_no_empty_view(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    let registration = register(&owner, &instance("one")?).await?;
    let mut follower = Follower::of(&reader).await?;
    follower.shows(SOON, &["one"]).await?;
    scene.cut().await?;
    follower.goes_stale(SOON).await?;
    let mut late = Follower::of(&reader).await?;
    late.goes_stale(SOON).await?;
    late.during(WHILE, |_| Ok(())).await?;
    let made_up = late.view().is_some_and(reception_core::Snapshot::is_empty);
    ensure!(!made_up, "a watcher that came in a cut was told that there is nothing");
    scene.heal().await?;
    late.shows(scene.patience(), &["one"]).await?;
    drop(registration);
    Ok(())
}

pub(crate) async fn an_observation_keeps_its_leader_through_a_cut(scene: &Scene) -> Result {
    let (_client, standing) = contender(scene).await?;
    let (_reader, observing) = contender(scene).await?;
    let leadership = win(&*standing, "first").await?;
    let mut observer = Observer::of(&*observing).await?;
    observer.sees(SOON, "first").await?;
    scene.cut().await?;
    observer.goes_stale(SOON).await?;
    observer.stays_stale(WHILE).await?;
    let (_next, next) = contender(scene).await?;
    drop(leadership);
    let successor = crate::play::win_within(&*next, "second", scene.patience()).await?;
    scene.heal().await?;
    observer.sees(scene.patience(), "second").await?;
    drop(successor);
    Ok(())
}

pub(crate) async fn an_unreachable_store_is_an_error_and_not_an_empty_answer(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    let registration = register(&client, &instance("one")?).await?;
    let elector = elector(&client).await?;
    let leadership = win(&*elector, "first").await?;
    scene.cut().await?;
    let name = service_name()?;
    let (listed, names, leader, probed) = tokio::join!(
        within("list in a cut", client.list(&name)),
        within("names in a cut", client.names()),
        within("leader in a cut", elector.leader()),
        within("probe in a cut", client.probe()),
    );
    let seen = [
        ("list", listed?.err().map(|error| error.kind())),
        ("names", names?.err().map(|error| error.kind())),
        ("leader", leader?.err().map(|error| error.kind())),
    ];
    for (call, kind) in seen {
        let told = matches!(kind, Some(ErrorKind::Unavailable | ErrorKind::Timeout));
        ensure!(told, "{call} in a cut: expected Unavailable or Timeout, got {kind:?}");
    }
    if let Ok(probe) = probed? {
        let reached = probe.endpoints.iter().any(|endpoint| endpoint.outcome.is_ok());
        ensure!(!reached, "a probe reached the store through a cut: {probe:?}");
    }
    scene.heal().await?;
    listed_again(&client, scene).await?;
    drop((registration, leadership));
    Ok(())
}

async fn listed_again(client: &std::sync::Arc<dyn Client>, scene: &Scene) -> Result {
    crate::play::eventually(scene.patience(), "the store is reached again", || async {
        list(client).await.map(|_| ()).map_err(|failure| failure.to_string())
    })
    .await
}

pub(crate) async fn a_restart_of_the_store_keeps_the_view(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    let registration = register(&owner, &instance("one")?).await?;
    let mut follower = Follower::of(&reader).await?;
    follower.shows(SOON, &["one"]).await?;
    scene.restart().await?;
    follower
        .during(WHILE * 5, |change| match change {
            Change::Reset(view) => Ok(ensure_holds(view)?),
            Change::Patch(patch) => {
                ensure!(patch.removed().is_empty(), "a restart removed {:?}", patch.removed());
                Ok(())
            }
            _ => Ok(()),
        })
        .await?;
    follower.shows(scene.patience(), &["one"]).await?;
    drop(registration);
    Ok(())
}

fn ensure_holds(view: &reception_core::Snapshot) -> Result {
    ensure!(view.get("one").is_some(), "a restart emptied the view: {view:?}");
    Ok(())
}
