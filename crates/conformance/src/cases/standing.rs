//! L12: an elect that is canceled, or dropped wherever it is, leaves no candidate, and the next one wins.

use std::{sync::Arc, time::Duration};

use reception_core::{Client, Elector, ErrorKind};

use crate::{
    drops::{DropAt, MOST_POLLS},
    fixture::Property,
    play::{
        SOON, candidate, contender, eventually, in_line, leader, poll_once, ready_at_once, refused, win,
        win_within,
    },
    scene::{Result, Scene, ensure, fail, within},
};

/// Checks that this one does not stand, where the store can tell, and does not lead.
async fn stands_no_more(client: &Arc<dyn Client>, elector: &dyn Elector, id: &str) -> Result {
    eventually(SOON, &format!("{id} does not stand"), || async {
        let line = crate::play::candidates(client, elector).await.map_err(|failure| failure.to_string())?;
        let leading = leader(elector).await.map_err(|failure| failure.to_string())?;
        let stands = line.is_some_and(|line| line.iter().any(|one| one == id));
        let leads = leading.is_some_and(|(leading, _)| leading == id);
        if stands || leads { Err(format!("stands: {stands}, leads: {leads}")) } else { Ok(()) }
    })
    .await
}

pub(crate) async fn a_canceled_elect_leaves_no_candidate(scene: &Scene) -> Result {
    let (client, leads) = contender(scene).await?;
    let (_second, second) = contender(scene).await?;
    let (_third, third) = contender(scene).await?;
    let leadership = win(&*leads, "first").await?;
    let mut waits = second.elect(candidate("second")?);
    poll_once(&mut waits).await;
    in_line(&client, &*leads, "first", &["second"]).await?;
    let (canceled, answer) = tokio::join!(within("cancel", second.cancel()), within("elect", waits));
    canceled??;
    refused("a canceled elect", answer?, &[ErrorKind::Canceled])?;
    in_line(&client, &*leads, "first", &[]).await?;
    within("resign", leadership.resign()).await??;
    let next = win(&*third, "third").await?;
    // An elector can be used again after a cancel.
    drop(next);
    let again = win(&*second, "again").await?;
    drop(again);
    Ok(())
}

pub(crate) async fn cancel_ends_every_elect_of_its_elector_alone(scene: &Scene) -> Result {
    let (client, leads) = contender(scene).await?;
    let (_second, second) = contender(scene).await?;
    let (_third, third) = contender(scene).await?;
    let leadership = win(&*leads, "first").await?;
    let (mut one, mut two) = (second.elect(candidate("one")?), second.elect(candidate("two")?));
    let mut other = third.elect(candidate("other")?);
    poll_once(&mut one).await;
    in_line(&client, &*leads, "first", &["one"]).await?;
    poll_once(&mut two).await;
    in_line(&client, &*leads, "first", &["one", "two"]).await?;
    poll_once(&mut other).await;
    in_line(&client, &*leads, "first", &["one", "two", "other"]).await?;
    let (canceled, one, two) =
        tokio::join!(within("cancel", second.cancel()), within("elect", one), within("elect", two));
    canceled??;
    refused("a canceled elect", one?, &[ErrorKind::Canceled])?;
    refused("a canceled elect", two?, &[ErrorKind::Canceled])?;
    in_line(&client, &*leads, "first", &["other"]).await?;
    within("resign", leadership.resign()).await??;
    let next = within("the other's elect", other).await??;
    ensure!(next.is_held(), "the other's leadership was lost at once");
    Ok(())
}

pub(crate) async fn a_cancel_with_nothing_to_cancel_is_ok(scene: &Scene) -> Result {
    let (_client, elector) = contender(scene).await?;
    within("cancel", elector.cancel()).await??;
    within("cancel", elector.cancel()).await??;
    let leadership = win(&*elector, "first").await?;
    within("cancel", elector.cancel()).await??;
    ensure!(leadership.is_held(), "a cancel took a leadership that was already won");
    Ok(())
}

pub(crate) async fn a_dropped_elect_leaves_no_candidate(scene: &Scene) -> Result {
    let (client, leads) = contender(scene).await?;
    let (_second, second) = contender(scene).await?;
    let (_third, third) = contender(scene).await?;
    let leadership = win(&*leads, "first").await?;
    let mut waits = second.elect(candidate("second")?);
    poll_once(&mut waits).await;
    in_line(&client, &*leads, "first", &["second"]).await?;
    drop(waits);
    in_line(&client, &*leads, "first", &[]).await?;
    within("resign", leadership.resign()).await??;
    let next = win(&*third, "third").await?;
    drop(next);
    Ok(())
}

/// Waits until the store has granted, polling `elect` only when it does not work on its own, and then drops it.
async fn drops_a_win(
    mut elect: impl Future<Output = reception_core::Result<reception_core::Leadership>> + Unpin + Send,
    seen_by: &dyn Elector,
    id: &str,
) -> Result {
    let mut looks = 0_u32;
    loop {
        if leader(seen_by).await?.is_some_and(|(leading, _)| leading == id) {
            // Granted by the store, and never polled since: the win must not travel as a message that is lost here.
            drop(elect);
            return Ok(());
        }
        looks += 1;
        ensure!(looks < 400, "{id} never came to lead");
        // An elect that does its own I/O in its poll needs one from time to time; one that has a task does not.
        if looks.is_multiple_of(40) && poll_once(&mut elect).await.is_some() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn a_win_that_nobody_polls_goes_to_the_rival(scene: &Scene) -> Result {
    let (_one, one) = contender(scene).await?;
    let (_two, two) = contender(scene).await?;
    let (watching, observing) = contender(scene).await?;
    // Where nobody is in line the rival comes when the second has won.
    let in_order = !scene.states(Property::WinsInAnyOrder);
    for round in 0..3 {
        let id = format!("second-{round}");
        let leadership = win(&*one, "first").await?;
        let mut second = two.elect(candidate(&id)?);
        ensure!(poll_once(&mut second).await.is_none(), "a second candidate won at once");
        in_line(&watching, &*observing, "first", &[&id]).await?;
        let mut rival = observing.elect(candidate("rival")?);
        if in_order {
            poll_once(&mut rival).await;
            in_line(&watching, &*observing, "first", &[&id, "rival"]).await?;
        }
        within("resign", leadership.resign()).await??;
        drops_a_win(second, &*one, &id).await?;
        let won = within("the elect of the rival of a dropped win", rival).await??;
        ensure!(won.is_held(), "the rival's leadership was lost at once, round {round}");
        stands_no_more(&watching, &*observing, &id).await?;
        within("resign", won.resign()).await??;
    }
    Ok(())
}

pub(crate) async fn a_first_win_that_nobody_polls_is_given_back(scene: &Scene) -> Result {
    let (_one, one) = contender(scene).await?;
    let (watching, observing) = contender(scene).await?;
    let mut first = one.elect(candidate("first")?);
    if poll_once(&mut first).await.is_none() {
        drops_a_win(first, &*observing, "first").await?;
    }
    stands_no_more(&watching, &*observing, "first").await?;
    let next = win(&*observing, "next").await?;
    drop(next);
    Ok(())
}

pub(crate) async fn an_elect_dropped_at_any_poll_leaves_the_way_free(scene: &Scene) -> Result {
    let (client, one) = contender(scene).await?;
    let (_two, two) = contender(scene).await?;
    for polls in 0..MOST_POLLS {
        // A name of its own each time, so that what is left of one is not taken for the next.
        let id = format!("dropped-{polls}");
        let done = within("elect", DropAt::new(polls, one.elect(candidate(&id)?))).await?;
        let at = format!("an elect dropped at poll {polls}");
        let last = done.is_some();
        drop(done);
        let next = win(&*two, "next").await.map_err(|failure| failure.during(&at))?;
        ensure!(next.is_held(), "{at}: the next leadership was lost at once");
        within("resign", next.resign()).await??;
        stands_no_more(&client, &*one, &id).await.map_err(|failure| failure.during(&at))?;
        if last {
            break;
        }
    }
    Ok(())
}

pub(crate) async fn a_waiting_elect_dropped_at_any_poll_leaves_the_line(scene: &Scene) -> Result {
    let (client, leads) = contender(scene).await?;
    let (_two, two) = contender(scene).await?;
    let leadership = win(&*leads, "first").await?;
    for polls in 0..6 {
        let waits = DropAt::new(polls, two.elect(candidate(&format!("dropped-{polls}"))?));
        // It waits for ever behind the first, so its polls may run out: then it is dropped where it is.
        if let Ok(Some(won)) = tokio::time::timeout(Duration::from_millis(100), waits).await {
            ensure!(won.is_err(), "a second candidate won while the first leads");
        }
        in_line(&client, &*leads, "first", &[]).await?;
    }
    ensure!(leadership.is_held(), "the drops of another took the leadership");
    Ok(())
}

pub(crate) async fn a_dropped_leadership_goes_to_the_next(scene: &Scene) -> Result {
    let (_one, one) = contender(scene).await?;
    let (_two, two) = contender(scene).await?;
    for round in 0..3 {
        let leadership = win(&*one, &format!("first-{round}")).await?;
        let tenure = leadership.tenure();
        let mut waits = two.elect(candidate("second")?);
        ensure!(poll_once(&mut waits).await.is_none(), "a second candidate won at once");
        drop(leadership);
        ensure!(!tenure.is_held(), "a dropped leadership is held");
        ensure!(ready_at_once(tenure.lost()).await.is_some(), "lost() of a dropped leadership is not ready");
        let next = within("the next elect", waits).await??;
        within("resign", next.resign()).await??;
    }
    Ok(())
}

pub(crate) async fn an_elect_canceled_in_a_cut_is_withdrawn_after_it(scene: &Scene) -> Result {
    let (_leading, leads) = contender(scene).await?;
    let leadership = win(&*leads, "first").await?;
    let (client, second) = contender(scene).await?;
    let mut waits = second.elect(candidate("second")?);
    poll_once(&mut waits).await;
    in_line(&client, &*second, "first", &["second"]).await?;
    scene.cut().await?;
    let mut canceling = second.cancel();
    let early = poll_once(&mut canceling).await;
    scene.heal().await?;
    if early.is_none() {
        // Ok only once withdrawn; an error is an honest answer about a store that was away.
        let _told = within("cancel over a cut", canceling).await?;
    }
    refused("a canceled elect", within("elect", waits).await?, &[ErrorKind::Canceled])?;
    let (third_client, third) = contender(scene).await?;
    stands_no_more(&third_client, &*third, "second").await?;
    drop(leadership);
    let next = win_within(&*third, "third", scene.patience()).await?;
    drop(next);
    Ok(())
}

pub(crate) async fn a_candidate_stands_once(scene: &Scene) -> Result {
    let (_leading, leads) = contender(scene).await?;
    let (client, second) = contender(scene).await?;
    let leadership = win(&*leads, "first").await?;
    let mut waits = second.elect(candidate("second")?);
    poll_once(&mut waits).await;
    in_line(&client, &*second, "first", &["second"]).await?;
    let again = within("a second elect of one candidate", second.elect(candidate("second")?)).await?;
    refused("a second elect of one candidate", again, &[ErrorKind::Conflict])?;
    in_line(&client, &*second, "first", &["second"]).await?;
    within("resign", leadership.resign()).await??;
    let won = within("the elect that stood", waits).await??;
    ensure!(won.is_held(), "the leadership was lost at once");
    Ok(())
}

pub(crate) async fn a_candidate_that_gave_up_may_stand_again_at_once(scene: &Scene) -> Result {
    let (_client, elector) = contender(scene).await?;
    for _ in 0..4 {
        // As a program does that stands in a loop: what it had before is still being withdrawn.
        drop(win(&*elector, "first").await?);
        let resigned = win(&*elector, "first").await?;
        within("resign", resigned.resign()).await??;
        let leads = win(&*elector, "other").await?;
        let mut dropped = elector.elect(candidate("first")?);
        ensure!(poll_once(&mut dropped).await.is_none(), "a second candidate was answered at once");
        drop(dropped);
        let mut waits = elector.elect(candidate("first")?);
        if let Some(early) = poll_once(&mut waits).await {
            fail!("one that stands again after a drop was answered at once: {early:?}");
        }
        drop(leads);
        drop(within("the elect that stands again", waits).await??);
    }
    Ok(())
}
