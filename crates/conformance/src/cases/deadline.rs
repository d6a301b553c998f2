//! L11: leadership ends at its deadline by the clock alone, and never comes back.

use std::{sync::Arc, time::Duration};

use reception_core::{Client, ErrorKind, Leadership, Moment};

use crate::{
    play::{
        SOON, WHILE, contender, lease, poll_once, ready_at_once, refused, remains, two_leases, win,
        win_within,
    },
    scene::{Failure, Result, Scene, ensure, fail, within, within_limit},
};

/// How late a task may be woken on a busy machine.
const LATE: Duration = Duration::from_millis(700);

/// A leader behind a cut: nothing extends its deadline any more.
struct Doomed {
    client: Arc<dyn Client>,
    leadership: Leadership,
    /// When its lease ends at the earliest at the store: the deadline has to lie before.
    expiry: Moment,
}

async fn doomed(scene: &Scene) -> Result<Doomed> {
    let (client, elector) = contender(scene).await?;
    let leadership = win(&*elector, "first").await?;
    if leadership.remaining() == Duration::MAX {
        return Err(Failure::Unproven("a leadership has no deadline here".to_owned()));
    }
    let lease = lease(&client).await?;
    scene.cut().await?;
    let expiry = scene.now().saturating_add(lease);
    Ok(Doomed { client, leadership, expiry })
}

impl Doomed {
    /// Looks at the guard until it is over, and checks each look against the clock.
    async fn over(&self, scene: &Scene) -> Result {
        loop {
            let before = scene.now();
            let (held, remaining) = (self.leadership.is_held(), self.leadership.remaining());
            if !held {
                ensure!(remaining.is_zero(), "{remaining:?} remain of a leadership that is over");
                return Ok(());
            }
            ensure!(before < self.expiry, "it is held although its lease may have ended");
            let deadline = before.saturating_add(remaining);
            ensure!(deadline <= self.expiry, "its deadline lies after the end of its lease");
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
}

pub(crate) async fn a_leadership_ends_at_its_deadline_by_the_clock(scene: &Scene) -> Result {
    let doomed = doomed(scene).await?;
    doomed.over(scene).await?;
    let over = remains(WHILE, "it is over", || async { not_held(&doomed.leadership) });
    over.await?;
    scene.heal().await?;
    let lease = doomed.expiry.saturating_since(scene.now()) + WHILE * 3;
    remains(lease, "it is over although the store is back", || async { not_held(&doomed.leadership) })
        .await?;
    ensure!(!doomed.leadership.tenure().is_held(), "a tenure taken after the end is held");
    drop(doomed.client);
    Ok(())
}

fn not_held(leadership: &Leadership) -> Result<(), String> {
    if leadership.is_held() { Err("it is held again".to_owned()) } else { Ok(()) }
}

pub(crate) async fn lost_is_ready_at_its_first_poll_after_the_deadline(scene: &Scene) -> Result {
    let doomed = doomed(scene).await?;
    let unpolled = doomed.leadership.lost();
    let mut polled = Box::pin(doomed.leadership.tenure().lost());
    ensure!(poll_once(&mut polled).await.is_none(), "lost() was ready while it was held");
    doomed.over(scene).await?;
    for (what, cause) in [
        ("one never polled before", ready_at_once(unpolled).await),
        ("one polled before", poll_once(&mut polled).await),
        ("one made after", ready_at_once(doomed.leadership.lost()).await),
    ] {
        let Some(cause) = cause else { fail!("lost() is not ready after the deadline: {what}") };
        ensure!(cause.kind() == ErrorKind::LeaseLost, "lost() says {cause}: {what}");
    }
    scene.heal().await
}

pub(crate) async fn lost_wakes_who_waits_at_the_deadline(scene: &Scene) -> Result {
    let doomed = doomed(scene).await?;
    let (first, second) = (doomed.leadership.lost(), doomed.leadership.tenure().lost());
    let limit = doomed.expiry.saturating_since(scene.now()) + SOON;
    let (first, second) = within_limit(limit, "lost()", futures_util::future::join(first, second)).await?;
    on_time(scene, &doomed)?;
    ensure!(!doomed.leadership.is_held(), "lost() was ready while it was held");
    for cause in [first, second] {
        ensure!(cause.kind() == ErrorKind::LeaseLost, "lost() says {cause}");
    }
    scene.heal().await
}

fn on_time(scene: &Scene, doomed: &Doomed) -> Result {
    let late = scene.now().saturating_since(doomed.expiry);
    ensure!(late <= LATE, "woken {late:?} after the lease may have ended");
    Ok(())
}

pub(crate) async fn a_running_program_stops_at_the_deadline(scene: &Scene) -> Result {
    let doomed = doomed(scene).await?;
    let limit = doomed.expiry.saturating_since(scene.now()) + SOON;
    let outcome = within_limit(limit, "run", doomed.leadership.run(std::future::pending::<()>())).await?;
    on_time(scene, &doomed)?;
    refused("run", outcome, &[ErrorKind::LeaseLost])?;
    let after = within("run", doomed.leadership.run(std::future::pending::<()>())).await?;
    refused("run after the deadline", after, &[ErrorKind::LeaseLost])?;
    scene.heal().await
}

pub(crate) async fn the_deadline_lies_before_the_hand_over(scene: &Scene) -> Result {
    let doomed = doomed(scene).await?;
    let (_next, next) = contender(scene).await?;
    let second = win_within(&*next, "second", scene.patience()).await?;
    ensure!(!doomed.leadership.is_held(), "a successor won before the deadline of the first");
    let Some(cause) = ready_at_once(doomed.leadership.lost()).await else {
        fail!("a successor won, and lost() of the first is not ready");
    };
    ensure!(cause.kind() == ErrorKind::LeaseLost, "lost() says {cause}");
    drop(second);
    scene.heal().await
}

pub(crate) async fn a_leadership_in_good_health_outlives_its_lease(scene: &Scene) -> Result {
    let (client, elector) = contender(scene).await?;
    let leadership = win(&*elector, "first").await?;
    let span = two_leases(&client).await?;
    remains(span, "it is held", || async {
        let remaining = leadership.remaining();
        if leadership.is_held() && !remaining.is_zero() { Ok(()) } else { Err("it is over".to_owned()) }
    })
    .await?;
    let output = within("run", leadership.run(async { 7 })).await??;
    ensure!(output == 7, "run gave {output}");
    Ok(())
}

pub(crate) async fn a_resigned_leadership_is_over_at_once(scene: &Scene) -> Result {
    let (_client, elector) = contender(scene).await?;
    let leadership = win(&*elector, "first").await?;
    let tenure = leadership.tenure();
    let mut resigning = Box::pin(leadership.resign());
    let early = poll_once(&mut resigning).await;
    ensure!(!tenure.is_held(), "it is held while it is being resigned");
    if early.is_none() {
        within("resign", resigning).await??;
    }
    let Some(cause) = ready_at_once(tenure.lost()).await else { fail!("lost() is not ready after resign") };
    ensure!(cause.kind() == ErrorKind::Closed, "lost() says {cause} after resign");
    Ok(())
}
