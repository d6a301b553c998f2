//! L9 and L10: at most one leads at any instant, and each leadership has a larger token than the one before.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::{Either, join_all, select};
use reception_core::{FencingToken, Leadership, Tenure};

use crate::{
    follow::Observer,
    load::Load,
    play::{
        SOON, WHILE, candidate, contender, elector, eventually, in_line, leader, lease, led_by, poll_once,
        same, win, win_within,
    },
    scene::{Failure, Result, Scene, ensure, fail, within},
};

/// How soon a leader has to notice that the store took its claim away before its time; and as long again as the
/// machine kept its tasks waiting meanwhile.
const NOTICE: Duration = Duration::from_millis(500);

// ---- L9 ----

pub(crate) async fn one_of_many_leads_at_a_time(scene: &Scene) -> Result {
    rounds(scene).await.map(|_| ())
}

/// Four clients win three times each; every win looks at all tenures there ever were.
async fn rounds(scene: &Scene) -> Result<Vec<FencingToken>> {
    let mut electors = Vec::new();
    for _ in 0..4 {
        electors.push(contender(scene).await?);
    }
    let tenures: Mutex<Vec<Tenure>> = Mutex::default();
    let contend = electors.iter().enumerate().map(|(number, (_, elector))| {
        let tenures = &tenures;
        async move {
            for round in 0..3 {
                let leadership = win_within(&**elector, &format!("c{number}-{round}"), SOON).await?;
                {
                    let mut tenures = tenures.lock().unwrap_or_else(PoisonError::into_inner);
                    tenures.push(leadership.tenure());
                    let held = tenures.iter().filter(|tenure| tenure.is_held()).count();
                    ensure!(held == 1, "{held} tenures are held at one instant: {tenures:?}");
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
                ensure!(leadership.is_held(), "a leadership was lost without any fault");
                within("resign", leadership.resign()).await??;
            }
            Ok::<_, Failure>(())
        }
    });
    join_all(contend).await.into_iter().collect::<Result<Vec<()>>>()?;
    let tenures = tenures.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(tenures.iter().map(Tenure::token).collect())
}

/// Stands with a second client until it wins, and samples that the first does not hold when it does.
async fn succeeds(scene: &Scene, first: &Leadership, notice: Duration) -> Result<Leadership> {
    let (client, elector) = contender(scene).await?;
    let second = win_within(&*elector, "second", scene.patience()).await?;
    let (until, load) = (scene.now().saturating_add(notice), Load::now());
    while first.is_held() {
        let waited = if notice.is_zero() { Duration::ZERO } else { load.waited() };
        ensure!(
            scene.now() < until.saturating_add(waited),
            "two leaderships are held at one instant: {first:?} and {second:?}"
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    ensure!(second.is_held(), "the successor lost at once");
    drop(client);
    Ok(second)
}

pub(crate) async fn a_leader_behind_a_cut_steps_down_before_the_next(scene: &Scene) -> Result {
    let (_client, elector) = contender(scene).await?;
    let first = win(&*elector, "first").await?;
    finite(&first)?;
    scene.cut().await?;
    let second = succeeds(scene, &first, Duration::ZERO).await?;
    scene.heal().await?;
    never_both(&first, &second, WHILE * 2).await?;
    ensure!(second.is_held(), "the heal of the first took the leadership from the second");
    Ok(())
}

fn finite(leadership: &Leadership) -> Result {
    if leadership.remaining() == Duration::MAX {
        return Err(Failure::Unproven("a leadership has no deadline here".to_owned()));
    }
    Ok(())
}

async fn never_both(first: &Leadership, second: &Leadership, span: Duration) -> Result {
    crate::play::remains(span, "at most one is held", || async {
        if first.is_held() && second.is_held() { Err("both are held".to_owned()) } else { Ok(()) }
    })
    .await
}

pub(crate) async fn a_leader_whose_claim_is_revoked_notices_soon(scene: &Scene) -> Result {
    let (_client, elector) = contender(scene).await?;
    let first = win(&*elector, "first").await?;
    scene.expire().await?;
    let second = succeeds(scene, &first, NOTICE).await?;
    never_both(&first, &second, WHILE).await
}

pub(crate) async fn a_paused_store_has_one_leader(scene: &Scene) -> Result {
    let (client, elector) = contender(scene).await?;
    let (_other, rival) = contender(scene).await?;
    let first = win(&*elector, "first").await?;
    finite(&first)?;
    let span = lease(&client).await? * 2;
    let standing = rival.elect(candidate("second")?);
    let pausing = Box::pin(async {
        scene.pause(span).await?;
        crate::play::remains(span + scene.patience(), "the rival waits", || async { Ok(()) }).await
    });
    let second = match select(standing, pausing).await {
        Either::Left((second, _)) => {
            let second = second?;
            ensure!(!first.is_held(), "two leaderships are held at one instant: {first:?} and {second:?}");
            Some(second)
        }
        Either::Right((paused, standing)) => {
            paused?;
            drop(standing);
            None
        }
    };
    match second {
        Some(second) => never_both(&first, &second, WHILE).await,
        None => held_by_the_first(&first),
    }
}

/// When the rival did not win, then because the first kept its claim through it all.
fn held_by_the_first(first: &Leadership) -> Result {
    ensure!(first.is_held(), "after a pause of the store nobody leads");
    Ok(())
}

pub(crate) async fn a_restart_of_the_store_keeps_one_leader(scene: &Scene) -> Result {
    let (client, elector) = contender(scene).await?;
    let (_other, rival) = contender(scene).await?;
    let first = win(&*elector, "first").await?;
    let mut standing = rival.elect(candidate("second")?);
    poll_once(&mut standing).await;
    in_line(&client, &*rival, "first", &["second"]).await?;
    scene.restart().await?;
    let looked = tokio::time::timeout(lease(&client).await? * 2, standing).await;
    match looked {
        Ok(second) => {
            let second = second?;
            ensure!(!first.is_held(), "two leaderships are held at one instant: {first:?} and {second:?}");
        }
        Err(_) => ensure!(first.is_held(), "after a restart of the store nobody leads"),
    }
    Ok(())
}

pub(crate) async fn candidates_stand_in_the_order_of_their_coming(scene: &Scene) -> Result {
    let (client, elector) = contender(scene).await?;
    let (_two, second) = contender(scene).await?;
    let (_three, third) = contender(scene).await?;
    let leadership = win(&*elector, "first").await?;
    let mut waits = second.elect(candidate("second")?);
    poll_once(&mut waits).await;
    in_line(&client, &*elector, "first", &["second"]).await?;
    let mut waits_too = third.elect(candidate("third")?);
    poll_once(&mut waits_too).await;
    in_line(&client, &*elector, "first", &["second", "third"]).await?;
    if !client.capabilities().candidates {
        return Err(Failure::Unproven("the store cannot tell who stands".to_owned()));
    }
    within("resign", leadership.resign()).await??;
    let next = within("the second's elect", waits).await??;
    ensure!(poll_once(&mut waits_too).await.is_none(), "two lead after one resigned");
    within("resign", next.resign()).await??;
    let last = within("the third's elect", waits_too).await??;
    same("who leads last", &last.service().id().as_str(), &"third")
}

// ---- L10 ----

fn grows(tokens: &[FencingToken]) -> Result {
    for pair in tokens.windows(2) {
        if let [earlier, later] = pair {
            ensure!(earlier.domain() == later.domain(), "the domain went from {earlier} to {later}");
            ensure!(earlier < later, "the token went from {earlier} to {later}");
        }
    }
    Ok(())
}

pub(crate) async fn tokens_grow_from_round_to_round(scene: &Scene) -> Result {
    let tokens = rounds(scene).await?;
    same("the wins", &tokens.len(), &12)?;
    grows(&tokens)
}

pub(crate) async fn tokens_grow_after_everyone_has_left(scene: &Scene) -> Result {
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let (client, elector) = contender(scene).await?;
        tokens.push(win(&*elector, "alone").await?.token());
        within("close", client.close()).await??;
    }
    grows(&tokens)
}

pub(crate) async fn tokens_grow_over_lost_leases_and_deaths(scene: &Scene) -> Result {
    let (_client, elector) = contender(scene).await?;
    let first = win(&*elector, "first").await?;
    let mut tokens = vec![first.token()];
    scene.expire().await?;
    let expired = within("the loss", first.lost()).await?;
    drop((first, expired));
    // The same candidate stands again, as a program does that goes on after a loss.
    let second = win_within(&*elector, "first", scene.patience()).await?;
    tokens.push(second.token());
    scene.crash().await?;
    let (_heir, heir) = contender(scene).await?;
    tokens.push(win_within(&*heir, "third", scene.patience()).await?.token());
    drop(second);
    grows(&tokens)
}

pub(crate) async fn tokens_grow_over_a_restart_of_the_store(scene: &Scene) -> Result {
    let (client, elector) = contender(scene).await?;
    let mut tokens = vec![win(&*elector, "first").await?.token()];
    scene.restart().await?;
    tokens.push(win_within(&*elector, "second", scene.patience()).await?.token());
    let (_other, other) = contender(scene).await?;
    tokens.push(win_within(&*other, "third", scene.patience()).await?.token());
    drop(client);
    grows(&tokens)
}

pub(crate) async fn everyone_sees_the_token_that_the_leader_has(scene: &Scene) -> Result {
    let (client, standing) = contender(scene).await?;
    let (other, observing) = contender(scene).await?;
    let leadership = win(&*standing, "first").await?;
    let token = leadership.token();
    same("the tenure's token", &leadership.tenure().token(), &token)?;
    same("who stands", leadership.service(), &candidate("first")?)?;
    for (client, elector) in [(&client, &standing), (&other, &observing)] {
        same("the token at the store", &led_by(&**elector, SOON, "first").await?, &token)?;
        let Some(seen) = within("leader", elector.leader()).await?? else { fail!("the leader is gone") };
        same("the leader's instance", &seen.service().cloned(), &Some(candidate("first")?))?;
        ensure!(!seen.value().is_empty(), "what the winner wrote is not shown");
        if let Some(line) = crate::play::candidates(client, &**elector).await? {
            ensure!(line.iter().all(|id| id == "first"), "a lone candidate stands in a line of {line:?}");
        }
    }
    same("the token observed", &Observer::of(&*observing).await?.sees(SOON, "first").await?, &token)?;
    // Another election of the same store is a different matter.
    let name = reception_core::ElectionName::new("reaper2")?;
    let apart = within("elector", reception_core::ClientExt::elector(&client, &name)).await??;
    ensure!(leader(&*apart).await?.is_none(), "an election whose name begins another shows its leader");
    let second = win(&*apart, "first").await?;
    ensure!(leadership.is_held() && second.is_held(), "two elections took a leadership from each other");
    Ok(())
}

pub(crate) async fn an_observer_needs_no_candidate(scene: &Scene) -> Result {
    let observing = elector(&scene.dial().await?).await?;
    ensure!(leader(&*observing).await?.is_none(), "a fresh election has a leader");
    let (client, standing) = contender(scene).await?;
    let leadership = win(&*standing, "first").await?;
    led_by(&*observing, SOON, "first").await?;
    within("resign", leadership.resign()).await??;
    eventually(SOON, "nobody leads", || async {
        match leader(&*observing).await.map_err(|failure| failure.to_string())? {
            None => Ok(()),
            other => Err(format!("the leader is {other:?}")),
        }
    })
    .await?;
    drop(client);
    Ok(())
}
