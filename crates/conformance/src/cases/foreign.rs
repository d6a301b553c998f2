//! L16: what others wrote is read as it is, and what cannot be read hides nothing else.

use reception_core::{Change, ListOptions, WatchOptions};

use crate::{
    follow::Follower,
    play::{SERVICE, SOON, eventually, ids, instance, list, list_all, register, same, service_name},
    scene::{Result, Scene, ensure, within},
};

/// Bytes that are no record of ours.
fn rubbish() -> Vec<(&'static str, Vec<u8>)> {
    let deep = [b"[".repeat(10_000), b"]".repeat(10_000)].concat();
    let large = [&b"{\"x\":\""[..], &b"y".repeat(100_000), &b"\"}"[..]].concat();
    vec![
        ("bad-bytes", vec![0xff, 0xfe, 0x00, 0x80, 0x01]),
        ("bad-cut", b"{\"name\":\"api\",\"addr".to_vec()),
        ("bad-deep", deep),
        ("bad-empty", Vec::new()),
        ("bad-large", large),
        ("bad-text", b"not a record".to_vec()),
        ("bad-types", b"{\"v\":{},\"address\":[1],\"port\":\"many\",\"attributes\":7}".to_vec()),
    ]
}

pub(crate) async fn a_record_of_somebody_else_is_read(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    scene.peer_writes(SERVICE, "theirs", None).await?;
    let registration = register(&client, &instance("ours")?).await?;
    same("the list", &ids(&list(&client).await?), &vec!["ours".to_owned(), "theirs".to_owned()])?;
    Follower::of(&client).await?.shows(SOON, &["ours", "theirs"]).await?;
    same("what is unreadable", &list(&client).await?.unreadable(), &0)?;
    let names = within("names", client.names()).await??;
    ensure!(names.contains(&service_name()?), "the name of a foreign record is not shown: {names:?}");
    within("close", registration.close()).await??;
    within("close", client.close()).await??;
    // What is not ours is not ours to remove.
    let other = scene.dial().await?;
    same("the list", &ids(&list(&other).await?), &vec!["theirs".to_owned()])?;
    scene.peer_deletes(SERVICE, "theirs").await
}

pub(crate) async fn a_foreign_id_may_break_our_limits(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    let wanted = ["has:colon", "has space", &"long".repeat(60)];
    for id in wanted {
        scene.peer_writes(SERVICE, id, None).await?;
    }
    let view = list(&client).await?;
    for id in wanted {
        ensure!(view.get(id).is_some(), "the foreign id {id:?} is not shown: {view:?}");
        scene.peer_deletes(SERVICE, id).await?;
    }
    Ok(())
}

pub(crate) async fn what_cannot_be_read_is_counted_and_hides_nothing(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    let registration = register(&client, &instance("ours")?).await?;
    scene.peer_writes(SERVICE, "theirs", None).await?;
    let table = rubbish();
    for (number, (id, bytes)) in table.iter().enumerate() {
        scene.peer_writes(SERVICE, id, Some(bytes)).await?;
        for view in [list(&client).await?, list_all(&client).await?] {
            same("the list", &ids(&view), &vec!["ours".to_owned(), "theirs".to_owned()])?;
            same(&format!("what is unreadable after {id}"), &view.unreadable(), &(number + 1))?;
        }
    }
    let mut follower = Follower::of(&client).await?;
    follower.shows(SOON, &["ours", "theirs"]).await?;
    same(
        "what a watch cannot read",
        &follower.view().map(reception_core::Snapshot::unreadable),
        &Some(table.len()),
    )?;
    for (id, _) in &table {
        scene.peer_deletes(SERVICE, id).await?;
    }
    same("what is unreadable at the end", &list(&client).await?.unreadable(), &0)?;
    scene.peer_deletes(SERVICE, "theirs").await?;
    drop(registration);
    Ok(())
}

pub(crate) async fn a_watch_goes_on_past_what_it_cannot_read(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    let mut follower = Follower::with(&client, WatchOptions::default().any_status(true)).await?;
    follower.shows(SOON, &[]).await?;
    for (id, bytes) in rubbish() {
        scene.peer_writes(SERVICE, id, Some(&bytes)).await?;
        let one = |follower: &Follower| {
            follower.view().is_some_and(|view| view.unreadable() == 1 && view.is_empty())
        };
        follower.until(SOON, &format!("{id} is counted"), one).await?;
        // A record that becomes unreadable is no instance any more, and one that is mended is one again.
        scene.peer_writes(SERVICE, id, None).await?;
        follower.shows(SOON, &[id]).await?;
        same("what is unreadable", &follower.view().map(reception_core::Snapshot::unreadable), &Some(0))?;
        scene.peer_writes(SERVICE, id, Some(&bytes)).await?;
        follower.until(SOON, &format!("{id} is counted again"), one).await?;
        scene.peer_deletes(SERVICE, id).await?;
        let none = |follower: &Follower| follower.view().is_some_and(|view| view.unreadable() == 0);
        follower.until(SOON, &format!("{id} is gone"), none).await?;
    }
    follower
        .during(crate::play::WHILE, |change| {
            ensure!(
                !matches!(change, Change::Stale(_)),
                "an unreadable record made the view stale: {change:?}"
            );
            Ok(())
        })
        .await
}

pub(crate) async fn a_foreign_writer_of_an_id_is_seen_as_what_it_wrote(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    scene.peer_writes(SERVICE, "theirs", Some(b"rubbish")).await?;
    same("what is unreadable", &list(&client).await?.unreadable(), &1)?;
    scene.peer_writes(SERVICE, "theirs", None).await?;
    eventually(SOON, "the mended record is listed", || async {
        let view = list(&client).await.map_err(|failure| failure.to_string())?;
        if view.len() == 1 && view.unreadable() == 0 { Ok(()) } else { Err(format!("{view:?}")) }
    })
    .await?;
    let any =
        within("list", client.list_with(&service_name()?, ListOptions::default().any_status(true))).await??;
    same("the list with any status", &any.len(), &1)?;
    scene.peer_deletes(SERVICE, "theirs").await?;
    same("the list", &list(&client).await?.len(), &0)
}
