//! L6: what was closed is gone and stays gone; what died is gone within the crash bound.

use std::{sync::Arc, time::Duration};

use reception_core::{Client, ClientExt, OnConflict, Status};

use crate::{
    drops::{DropAt, MOST_POLLS},
    fixture::Property,
    play::{
        SOON, WHILE, changed, eventually, ids, instance, list, list_all, listed, poll_once, register,
        register_or, remains, same,
    },
    scene::{Failure, Result, Scene, ensure, within},
};

pub(crate) async fn a_closed_registration_is_gone(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    for _ in 0..3 {
        let first = register(&owner, &instance("one")?).await?;
        let second = register(&owner, &instance("two")?).await?;
        within("close", first.close()).await??;
        for client in [&reader, &owner] {
            same("the list after close", &ids(&list_all(client).await?), &vec!["two".to_owned()])?;
        }
        within("close", second.close()).await??;
        same("the list after both", &ids(&list_all(&reader).await?), &Vec::new())?;
    }
    Ok(())
}

pub(crate) async fn an_update_under_way_does_not_bring_back_what_was_closed(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    let api = instance("one")?;
    for round in 0..12 {
        let registration = register(&owner, &api).await?;
        for version in 0..=(round % 3) {
            let mut update = Box::pin(registration.update(changed(&api, &version.to_string())?));
            poll_once(&mut update).await;
        }
        within("close", registration.close()).await??;
        same("the list after close", &ids(&list_all(&reader).await?), &Vec::new())?;
    }
    remains(WHILE, "the instance is gone", || stays_away(&reader)).await
}

async fn stays_away(reader: &Arc<dyn Client>) -> Result<(), String> {
    let view = list_all(reader).await.map_err(|failure| failure.to_string())?;
    if view.is_empty() { Ok(()) } else { Err(format!("it shows {:?}", ids(&view))) }
}

/// No instance of the dead comes back, neither as they were nor otherwise unless the store tells of the dead.
async fn stays_dead(scene: &Scene, reader: &Arc<dyn Client>) -> Result<(), String> {
    if !scene.states(Property::TellsOfTheDead) {
        return stays_away(reader).await;
    }
    let seen = list(reader).await.map_err(|failure| failure.to_string())?;
    if !seen.is_empty() {
        return Err(format!("it shows {:?} as well", ids(&seen)));
    }
    let view = list_all(reader).await.map_err(|failure| failure.to_string())?;
    let alive = view.iter().any(|service| service.status() != Status::Down);
    if alive { Err(format!("it shows {:?}", ids(&view))) } else { Ok(()) }
}

pub(crate) async fn dropping_a_registration_withdraws_it(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    for _ in 0..3 {
        let registration = register(&owner, &instance("one")?).await?;
        listed(&reader, SOON, &["one"]).await?;
        drop(registration);
        // The client lives: it has to withdraw, and not to wait for the lease.
        listed(&reader, SOON, &[]).await?;
    }
    remains(WHILE, "the instance is gone", || stays_away(&reader)).await
}

pub(crate) async fn closing_a_client_withdraws_all_of_it(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    let guards = [
        register(&owner, &instance("a")?).await?,
        register(&owner, &instance("b")?).await?,
        register(&owner, &instance("c")?).await?,
    ];
    within("close", owner.close()).await??;
    same("the list after the client's close", &ids(&list_all(&reader).await?), &Vec::new())?;
    drop(guards);
    remains(WHILE, "the instances are gone", || stays_away(&reader)).await
}

pub(crate) async fn a_killed_client_is_gone_within_the_crash_bound(scene: &Scene) -> Result {
    let owner = scene.dial().await?;
    let guards = [register(&owner, &instance("a")?).await?, register(&owner, &instance("b")?).await?];
    scene.crash().await?;
    let killed = scene.now();
    let reader = scene.dial().await?;
    let bound = reader.capabilities().crash_bound;
    listed(&reader, bound + Duration::from_secs(2), &[]).await?;
    let took = scene.now().saturating_since(killed);
    ensure!(took <= bound + Duration::from_secs(2), "gone after {took:?}, the crash bound is {bound:?}");
    drop(guards);
    remains(WHILE, "the instances are gone", || stays_dead(scene, &reader)).await
}

pub(crate) async fn a_close_in_a_cut_is_gone_within_the_crash_bound(scene: &Scene) -> Result {
    let owner = scene.dial().await?;
    let registration = register(&owner, &instance("one")?).await?;
    scene.cut().await?;
    let reader = scene.dial().await?;
    let closed = within("close in a cut", registration.close()).await?;
    if closed.is_ok() {
        same("the list after a close that was Ok", &ids(&list_all(&reader).await?), &Vec::new())?;
    }
    listed(&reader, scene.patience(), &[]).await?;
    scene.heal().await?;
    remains(WHILE * 2, "the instance is gone", || stays_dead(scene, &reader)).await?;
    drop(owner);
    Ok(())
}

pub(crate) async fn a_dropped_register_leaves_no_instance(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    let api = instance("one")?;
    within("close", register(&owner, &api).await?.close()).await??;
    for polls in 0..MOST_POLLS {
        let dropped = DropAt::new(polls, owner.register(api.clone()));
        if let Some(done) = within("register", dropped).await? {
            within("close", done?.close()).await??;
            return Ok(());
        }
        let at = format!("a register dropped at poll {polls}");
        gone(&reader).await.map_err(|failure| failure.during(&at))?;
        let next = registers(&owner).await.map_err(|failure| failure.during(&at))?;
        within("close", next.close()).await??;
        remains(WHILE / 6, &at, || stays_away(&reader)).await?;
    }
    Ok(())
}

async fn gone(reader: &Arc<dyn Client>) -> Result {
    eventually(SOON, "the instance is gone", || stays_away(reader)).await
}

/// Registers anew; while the dropped call is still being undone the id may be held.
async fn registers(owner: &Arc<dyn Client>) -> Result<reception_core::Registration> {
    eventually(SOON, "the next register succeeds", || async {
        let service = instance("one").map_err(|failure| failure.to_string())?;
        let answer =
            register_or(owner, &service, OnConflict::Fail).await.map_err(|failure| failure.to_string())?;
        answer.map_err(|error| error.to_string())
    })
    .await
}

pub(crate) async fn a_dropped_close_withdraws_all_the_same(scene: &Scene) -> Result {
    let (owner, reader) = (scene.dial().await?, scene.dial().await?);
    let api = instance("one")?;
    within("close", register(&owner, &api).await?.close()).await??;
    for polls in 0..MOST_POLLS {
        let registration = registers(&owner).await?;
        let done = within("close", DropAt::new(polls, registration.close())).await?;
        let at = format!("a close dropped at poll {polls}");
        gone(&reader).await.map_err(|failure| failure.during(&at))?;
        if let Some(done) = done {
            done?;
            break;
        }
    }
    for polls in 0..MOST_POLLS {
        let registration = registers(&owner).await?;
        let update = DropAt::new(polls, registration.update(changed(&api, "2")?));
        let done = within("update", update).await?;
        within("close", registration.close()).await??;
        same("the list after a dropped update and a close", &ids(&list_all(&reader).await?), &Vec::new())?;
        if done.is_some() {
            break;
        }
    }
    remains(WHILE, "the instance is gone", || stays_away(&reader)).await
}

pub(crate) async fn a_freed_id_can_be_taken_at_once(scene: &Scene) -> Result {
    let (one, two) = (scene.dial().await?, scene.dial().await?);
    let api = instance("one")?;
    for _ in 0..3 {
        for client in [&one, &two] {
            let taken = register_or(client, &api, OnConflict::Fail).await?.map_err(Failure::from)?;
            within("close", taken.close()).await??;
        }
    }
    Ok(())
}
