//! F33: tokens that run out, and passwords and rights that change.

use std::{sync::Arc, time::Duration};

use reception::{Client, ClientExt as _, ErrorKind, Leadership, Registration};
use reception_lab::Proxy;
use tokio::time::{sleep, timeout};

use super::{
    cast::{PATIENCE, SETTLE, SLOW, active, api, dial, hold, ids, instance, register, text, told},
    sight::{Seen, Sight},
};
use crate::{
    scenario::Outcome,
    stage::{Stage, guard},
    stand::{Setup, Stand},
};

const TTL: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(10);
/// The namespace that the server's user may use.
const NAMESPACE: &str = "guarded";

/// A client with everything that has a token to lose, and a watch of another.
struct Play {
    proxy: Proxy,
    client: Arc<dyn Client>,
    reader: Arc<dyn Client>,
    registrations: Vec<Registration>,
    leadership: Leadership,
    sight: Sight,
}

impl Play {
    async fn begin(stand: &dyn Stand) -> Result<Self, String> {
        let proxy = Proxy::start(stand.endpoint()).await.map_err(text)?;
        let url = stand.url(proxy.endpoint(), NAMESPACE, TTL);
        let (client, reader) = (dial(&url).await?, dial(&url).await?);
        let sight = Sight::open(&reader, "the reader's watch").await?;
        let registrations = register(&client, ids("i", 0..3)).await?;
        let elector = client.elector(&"reaper".parse().expect("a name")).await.map_err(text)?;
        let electing = timeout(PATIENCE, elector.elect(instance("i0"))).await;
        let leadership = electing.map_err(|_| "nobody leads".to_owned())?.map_err(text)?;
        sight.shows("full view", &ids("i", 0..3), SETTLE).await?;
        Ok(Self { proxy, client, reader, registrations, leadership, sight })
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

    /// Calls are refused and say why, the watch keeps its view, and a watch that comes now is told as well: that one is returned.
    async fn refused(&self, stand: &dyn Stand, why: ErrorKind) -> Result<Sight, String> {
        let list = self.client.list(&api()).await.err().map(|error| error.kind());
        hold(list == Some(why), || format!("a list was answered with {list:?}"))?;
        let update =
            self.registrations[0].update(told("i0", "refused")).await.err().map(|error| error.kind());
        hold(update == Some(why), || format!("an update was answered with {update:?}"))?;
        let kept = |seen: &Seen| seen.stale && seen.ids == ids("i", 0..3);
        self.sight.until("Stale with the view kept", SETTLE, kept).await?;
        // A folder is looked at when it is dialled, and this one would be refused there.
        let late = match stand.folder() {
            Some(_) => Arc::clone(&self.client),
            None => dial(&stand.url(self.proxy.endpoint(), NAMESPACE, TTL)).await?,
        };
        let late = Sight::begin(&late, "the late watch", None).await?;
        late.until("Stale of the right kind", SETTLE, |seen| seen.stales == [why]).await?;
        Ok(late)
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

/// The streams of three clients: a view each, and the watches on own keys of the instances and of the leader.
const STREAMS: u64 = 5;
/// The calls that are made with a wrong password.
const CALLS: u64 = 2;

async fn logins(stand: &dyn Stand) -> Result<u64, String> {
    stand.tally().await.map(|tally| tally.logins).map_err(text)
}

/// F33, tokens that end after 5 idle seconds: nothing is called for 10 s but renewals, once (6 times in full). Each client proves itself
/// again at most once for each token that ran out; nothing is lost (I7), and calls and watches go on.
pub(super) async fn a_token_that_ran_out_is_replaced_once(stage: &mut Stage) -> Outcome {
    let stand = stage.other(Setup::IdleTokens).await?;
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

/// F33, tokens that every change of the users ends: 3 users are added (20 in full). Each of the two clients proves itself again
/// at most once for each, and one does, counted from before the change and without the operator's own login; nothing is lost (I7).
pub(super) async fn a_change_of_users_costs_one_login_each(stage: &mut Stage) -> Outcome {
    let stand = stage.other(Setup::SignedTokens).await?;
    let guard = guard(&*stand)?;
    let play = Play::begin(&*stand).await?;
    for round in 0..stage.rounds(3, 20) {
        let name = format!("user{round}");
        let before = logins(&*stand).await?;
        let operator = guard.add_user(&name).await.map_err(text)?;
        play.works(round).await?;
        let tried = logins(&*stand).await? - before - operator;
        hold((1..=2).contains(&tried), || format!("{tried} logins of two clients after one change"))?;
        play.whole().await?;
    }
    play.end().await
}

/// F33, a password that is wrong from some moment on, and a connection that breaks then. Calls and a watch that begins then say
/// Unauthenticated; the one before is stale and keeps its view (I4, I10); and nobody tries fast: one login for each call and for each stream that is to be opened
/// again, in the 10 s that are looked at. Once the password is right again everything is back within a slow retry.
pub(super) async fn a_wrong_password_is_told_and_tried_slowly(stage: &mut Stage) -> Outcome {
    let stand = stage.other(Setup::SignedTokens).await?;
    let guard = guard(&*stand)?;
    let play = Play::begin(&*stand).await?;
    guard.set_password(false).await.map_err(text)?;
    play.proxy.reset().await.map_err(text)?;
    let before = logins(&*stand).await?;
    let late = play.refused(&*stand, ErrorKind::Unauthenticated).await?;
    sleep(IDLE).await;
    let tried = logins(&*stand).await? - before;
    hold((1..=STREAMS + CALLS).contains(&tried), || format!("{tried} logins with a wrong password"))?;
    let seen = play.sight.now();
    hold(seen.ended.is_none() && seen.ids == ids("i", 0..3), || format!("the watch did not wait: {seen:?}"))?;

    guard.set_password(true).await.map_err(text)?;
    for sight in [&play.sight, &late] {
        sight.shows("full view", &ids("i", 0..3), SLOW + SETTLE).await?;
    }
    active(&play.registrations, SLOW + SETTLE).await?;
    play.works(1).await?;
    play.end().await
}

/// F33, rights that are missing for a while, and a connection that breaks then. Calls and a watch that begins then say Denied, the one
/// before is stale and keeps its view (I4, I10). What was registered stays, since its lease needs no right, and once the rights are given again everything is
/// back within a slow retry.
pub(super) async fn missing_rights_are_told_and_cost_nothing_that_stands(stage: &mut Stage) -> Outcome {
    let stand = stage.other(Setup::IdleTokens).await?;
    let guard = guard(&*stand)?;
    let play = Play::begin(&*stand).await?;
    guard.set_rights(false).await.map_err(text)?;
    play.proxy.reset().await.map_err(text)?;
    let late = play.refused(&*stand, ErrorKind::Denied).await?;
    sleep(TTL).await;
    guard.set_rights(true).await.map_err(text)?;
    for sight in [&play.sight, &late] {
        sight.shows("full view", &ids("i", 0..3), SLOW + SETTLE).await?;
    }
    play.sight.flapped(0)?;
    active(&play.registrations, SLOW + SETTLE).await?;
    play.works(1).await?;
    play.end().await
}
