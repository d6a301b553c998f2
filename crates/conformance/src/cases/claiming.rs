//! L8: one live owner per id.

use futures_util::future::join_all;
use reception_core::{ClientExt, ErrorKind, OnConflict, RegistrationState};

use crate::{
    play::{SOON, WHILE, changed, eventually, instance, list, refused, register, register_or, remains, same},
    scene::{Failure, Result, SLACK, Scene, ensure, fail, within, within_limit},
};

const CONFLICT: &[ErrorKind] = &[ErrorKind::Conflict];

pub(crate) async fn a_second_owner_is_refused_at_once_when_asked_to_fail(scene: &Scene) -> Result {
    let (first, second) = (scene.dial().await?, scene.dial().await?);
    let api = instance("one")?;
    let registration = register(&first, &api).await?;
    let rival = changed(&api, "rival")?;
    refused("register of a taken id", register_or(&second, &rival, OnConflict::Fail).await?, CONFLICT)?;
    same("the list", &list(&second).await?.get("one").cloned(), &Some(api))?;
    ensure!(
        matches!(registration.state(), RegistrationState::Active),
        "its state is {:?}",
        registration.state()
    );
    within("close", registration.close()).await??;
    let taken = register_or(&second, &rival, OnConflict::Fail).await?.map_err(Failure::from)?;
    drop(taken);
    Ok(())
}

pub(crate) async fn waiting_for_a_living_owner_ends_in_a_conflict(scene: &Scene) -> Result {
    let (first, second) = (scene.dial().await?, scene.dial().await?);
    let api = instance("one")?;
    let registration = register(&first, &api).await?;
    let bound = scene.patience() + SLACK * 3;
    let answer =
        within_limit(bound, "a register that waits", second.register(changed(&api, "rival")?)).await?;
    refused("register of a taken id", answer, CONFLICT)?;
    same("the list", &list(&second).await?.get("one").cloned(), &Some(api))?;
    drop(registration);
    Ok(())
}

pub(crate) async fn waiting_outlives_an_owner_that_is_dying(scene: &Scene) -> Result {
    let first = scene.dial().await?;
    let api = instance("one")?;
    let registration = register(&first, &api).await?;
    scene.crash().await?;
    let second = scene.dial().await?;
    let restarted = changed(&api, "2")?;
    let bound = scene.patience() + SLACK * 3;
    let taken = within_limit(bound, "a register that waits", second.register(restarted.clone())).await??;
    same("the list", &list(&second).await?.get("one").cloned(), &Some(restarted))?;
    drop(registration);
    remains(scene.patience(), "the restarted instance stays", || async {
        let view = list(&second).await.map_err(|failure| failure.to_string())?;
        if view.len() == 1 { Ok(()) } else { Err(format!("it shows {view:?}")) }
    })
    .await?;
    drop(taken);
    Ok(())
}

pub(crate) async fn waiting_ends_when_the_owner_leaves(scene: &Scene) -> Result {
    let (first, second) = (scene.dial().await?, scene.dial().await?);
    let api = instance("one")?;
    let registration = register(&first, &api).await?;
    let mut waiting = Box::pin(second.register(changed(&api, "2")?));
    if let Some(early) = crate::play::poll_once(&mut waiting).await {
        fail!("a register that was to wait answered at once: {early:?}");
    }
    within("close", registration.close()).await??;
    let taken = within("a register that waits", waiting).await??;
    same("the list", &list(&second).await?.len(), &1)?;
    drop(taken);
    Ok(())
}

pub(crate) async fn replacing_ends_the_first_owner(scene: &Scene) -> Result {
    let (first, second) = (scene.dial().await?, scene.dial().await?);
    let api = instance("one")?;
    let registration = register(&first, &api).await?;
    let heir = changed(&api, "heir")?;
    let taken = register_or(&second, &heir, OnConflict::Replace).await?.map_err(Failure::from)?;
    eventually(scene.patience() + SOON, "the first owner has ended", || async {
        match registration.state() {
            RegistrationState::Ended(error) if error.kind() == ErrorKind::Conflict => Ok(()),
            other => Err(format!("its state is {other:?}")),
        }
    })
    .await?;
    let stays = || async {
        let view = list(&second).await.map_err(|failure| failure.to_string())?;
        if view.get("one") == Some(&heir) { Ok(()) } else { Err(format!("the list is {view:?}")) }
    };
    remains(WHILE, "the heir's record stays", stays).await?;
    // What the first owner still says must not reach what is no longer its own.
    ensure!(within("update", registration.update(api)).await?.is_err(), "a replaced owner could update");
    drop(registration);
    remains(WHILE, "the heir's record stays", stays).await?;
    drop(taken);
    Ok(())
}

pub(crate) async fn a_client_registers_an_id_once(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    let api = instance("one")?;
    let registration = register(&client, &api).await?;
    for on_conflict in [OnConflict::Wait, OnConflict::Fail] {
        let again = within_limit(SOON, "register", async {
            register_or(&client, &changed(&api, "2")?, on_conflict).await
        });
        refused("a second register of one id by one client", again.await??, CONFLICT)?;
    }
    same("the list", &list(&client).await?.get("one").cloned(), &Some(api.clone()))?;
    within("update", registration.update(changed(&api, "3")?)).await??;
    within("close", registration.close()).await??;
    let again = register_or(&client, &api, OnConflict::Fail).await?.map_err(Failure::from)?;
    drop(again);
    Ok(())
}

pub(crate) async fn of_many_claims_at_once_one_wins(scene: &Scene) -> Result {
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(scene.dial().await?);
    }
    for round in 0..4 {
        let api = instance(&format!("i{round}"))?;
        let claims = clients.iter().map(|client| register_or(client, &api, OnConflict::Fail));
        let mut won = Vec::new();
        for answer in join_all(claims).await {
            match answer? {
                Ok(registration) => won.push(registration),
                Err(error) if error.kind() == ErrorKind::Unsupported => return Err(error.into()),
                Err(error) => refused::<()>("a claim", Err(error), CONFLICT)?,
            }
        }
        ensure!(won.len() == 1, "{} of 5 claims of one id were granted", won.len());
        for registration in won {
            within("close", registration.close()).await??;
        }
    }
    Ok(())
}
