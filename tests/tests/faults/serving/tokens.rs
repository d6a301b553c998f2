//! F33: tokens that run out, and passwords and rights that change.

use std::{sync::Arc, time::Duration};

use reception::{Client, ClientExt as _, ErrorKind, Leadership, Registration};
use reception_lab::eventually;
use tokio::time::{sleep, timeout};

use super::{
    cast::{PATIENCE, SETTLE, active, api, dial, hold, ids, instance, register, text, told},
    sight::Sight,
};
use crate::{
    scenario::Outcome,
    stage::Stage,
    stand::{Setup, Stand},
};

const TTL: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(10);
/// The namespace that the server's user may use.
const NAMESPACE: &str = "guarded";
/// The slow retry of what people must mend: 30 s and a tenth of jitter.
const SLOW: Duration = Duration::from_secs(33);

/// A client with everything that has a token to lose, and a watch of another.
struct Play {
    client: Arc<dyn Client>,
    reader: Arc<dyn Client>,
    registrations: Vec<Registration>,
    leadership: Leadership,
    sight: Sight,
}

impl Play {
    async fn begin(stand: &dyn Stand) -> Result<Self, String> {
        let url = stand.url(stand.endpoint(), NAMESPACE, TTL);
        let (client, reader) = (dial(&url).await?, dial(&url).await?);
        let registrations = register(&client, ids("i", 0..3)).await?;
        let elector = client.elector(&"reaper".parse().expect("a name")).await.map_err(text)?;
        let electing = timeout(PATIENCE, elector.elect(instance("i0"))).await;
        let leadership = electing.map_err(|_| "nobody leads".to_owned())?.map_err(text)?;
        let sight = Sight::open(&reader, "the reader's watch").await?;
        sight.shows("full view", &ids("i", 0..3), SETTLE).await?;
        Ok(Self { client, reader, registrations, leadership, sight })
    }

    /// One call of each kind goes through, and everybody hears of it.
    async fn works(&self, round: u32) -> Outcome {
        self.registrations[0].update(told("i0", round)).await.map_err(text)?;
        let later = self.client.register(instance("later")).await.map_err(text)?;
        let mut all = ids("i", 0..3);
        all.insert("later".to_owned());
        self.sight.shows("new instance", &all, SETTLE).await?;
        later.close().await.map_err(text)?;
        self.sight.shows("view without it", &ids("i", 0..3), SETTLE).await?;
        self.client.list(&api()).await.map(drop).map_err(text)
    }

    /// Nothing was lost on the way.
    async fn whole(&self) -> Outcome {
        hold(self.leadership.is_held(), || format!("the leadership is lost: {:?}", self.leadership))?;
        active(&self.registrations, SETTLE).await?;
        let removals = self.sight.now().removals;
        hold(removals.keys().all(|id| id == "later"), || format!("instances flapped: {removals:?}"))
    }

    async fn end(self) -> Outcome {
        self.client.close().await.map_err(text)?;
        self.reader.close().await.map_err(text)
    }
}

async fn logins(stand: &dyn Stand) -> Result<u64, String> {
    stand.tally().await.map(|tally| tally.logins).map_err(text)
}

/// F33, tokens that end after 5 idle seconds: nothing is called for 10 s but renewals, once (6 times in full). Each client proves itself
/// again at most once for each token that ran out; nothing is lost (I7), and calls and watches go on.
pub(super) async fn a_token_that_ran_out_is_replaced_once(stage: &mut Stage) -> Outcome {
    let Some(stand) = stage.stand.other(Setup::IdleTokens).await.map_err(text)? else { return Ok(()) };
    let play = Play::begin(&*stand).await?;
    for round in 0..stage.rounds(1, 6) {
        let before = logins(&*stand).await?;
        sleep(IDLE).await;
        play.works(round).await?;
        let tried = logins(&*stand).await? - before;
        // Two clients, two tokens each in ten seconds, and one of the calls after them.
        hold((1..=6).contains(&tried), || format!("{tried} logins in round {round}"))?;
        play.whole().await?;
    }
    play.end().await
}

/// F33, tokens that every change of the users ends: 3 users are added (20 in full). Each client proves itself again once for each, and
/// nothing is lost (I7).
pub(super) async fn a_change_of_users_costs_one_login_each(stage: &mut Stage) -> Outcome {
    let Some(stand) = stage.stand.other(Setup::SignedTokens).await.map_err(text)? else { return Ok(()) };
    let Some(guard) = stand.guard() else { return Ok(()) };
    let play = Play::begin(&*stand).await?;
    for round in 0..stage.rounds(3, 20) {
        let name = format!("user{round}");
        guard.add_user(&name).await.map_err(text)?;
        let before = logins(&*stand).await?;
        play.works(round).await?;
        let tried = logins(&*stand).await? - before;
        hold(tried <= 2, || format!("{tried} logins of two clients after one change"))?;
        play.whole().await?;
    }
    play.end().await
}

/// F33, a password that is wrong from some moment on, and then rights that are missing. Calls say Unauthenticated and Denied; the watch is
/// stale with that kind and keeps its view (I4, I10); and nobody tries fast: a login for each renewal that is due and one for each slow
/// retry. Once it is mended everything is back within a slow retry.
pub(super) async fn wrong_credentials_are_told_and_tried_slowly(stage: &mut Stage) -> Outcome {
    let Some(stand) = stage.stand.other(Setup::SignedTokens).await.map_err(text)? else { return Ok(()) };
    let Some(guard) = stand.guard() else { return Ok(()) };
    let play = Play::begin(&*stand).await?;
    guard.set_password(false).await.map_err(text)?;
    let before = logins(&*stand).await?;
    let refused = play.client.list(&api()).await.err().map(|error| error.kind());
    hold(refused == Some(ErrorKind::Unauthenticated), || format!("a list was answered with {refused:?}"))?;
    let refused = play.registrations[0].update(told("i0", 1)).await.err().map(|error| error.kind());
    hold(refused == Some(ErrorKind::Unauthenticated), || format!("an update was answered with {refused:?}"))?;
    sleep(TTL).await;
    let tried = logins(&*stand).await? - before;
    hold(tried <= 20, || format!("{tried} logins with a wrong password in {TTL:?}"))?;
    let seen = play.sight.now();
    hold(seen.ended.is_none(), || format!("the watch ended: {:?}", seen.ended))?;
    guard.set_password(true).await.map_err(text)?;
    let mended = || async {
        let view = play.reader.list(&api()).await.map_err(text)?;
        if view.len() == 3 { Ok(()) } else { Err(format!("{} are listed", view.len())) }
    };
    eventually(SLOW + SETTLE, mended).await.map_err(|late| format!("not back once mended: {late}"))?;
    active(&play.registrations, SLOW + SETTLE).await?;
    play.sight.shows("full view", &ids("i", 0..3), SLOW + SETTLE).await?;
    play.works(2).await?;
    play.end().await
}
