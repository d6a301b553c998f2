//! F25: answers that never come.

use std::{sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use reception::{Client, ClientExt as _};
use reception_lab::{Proxy, eventually};
use tokio::time::timeout;

use super::cast::{PATIENCE, SETTLE, api, dial, hold, instance, text, told};
use crate::{scenario::Outcome, stage::Stage};

const TTL: Duration = Duration::from_secs(4);
const LANES: u32 = 4;

/// F25. In each of 50 rounds (500 in full) the proxy cuts the connection after a request has reached the store and before its reply:
/// at the grant of the lease or any other first request, at the writes of a record, a candidate and an update, and at the withdrawals.
/// The client cannot know what was done. Every call succeeds all the same; there is exactly one record for a registration and one for
/// a candidate, with the last content; and V after everything has closed no record and no lease is left (I6).
///
/// No history is written: a run is one fault after the other, and what holds is looked at in the store itself, each round.
pub(super) async fn answers_that_are_lost_make_no_second_record_and_no_orphan(stage: &mut Stage) -> Outcome {
    let rounds = stage.rounds(48, 500) / LANES;
    let seeds: Vec<u64> = (0..LANES).map(|_| stage.dice.random()).collect();
    let mut cuts = 0;
    let stage = &*stage;
    let lanes = (0..).zip(seeds).map(|(lane, seed)| play(stage, lane, rounds, StdRng::seed_from_u64(seed)));
    for cut in try_join_all(lanes).await? {
        cuts += cut;
    }
    hold(cuts >= u64::from(rounds * LANES), || format!("only {cuts} replies were cut"))?;
    let left = || async {
        let mut left = stage.stand.residue("lost").await.map_err(text)?;
        left.retain(|what| !what.ends_with("/domain"));
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    };
    let bound = stage.stand.granted(TTL) + stage.stand.expiry_slack() + Duration::from_secs(1);
    eventually(bound, left).await.map_err(|late| format!("what is left after V (I6): {late}"))
}

async fn play(stage: &Stage, lane: u32, rounds: u32, mut dice: StdRng) -> Result<u64, String> {
    let proxy = Proxy::start(stage.stand.endpoint()).await.map_err(text)?;
    for round in 0..rounds {
        let namespace = format!("lost/n{lane}x{round}");
        let mut table = Table { stage, namespace, proxy: &proxy, dice: &mut dice };
        table.round().await.map_err(|wrong| format!("lane {lane}, round {round}: {wrong}"))?;
    }
    Ok(proxy.counts().replies_cut)
}

/// One round.
struct Table<'a> {
    stage: &'a Stage,
    namespace: String,
    proxy: &'a Proxy,
    dice: &'a mut StdRng,
}

impl Table<'_> {
    /// Cuts the reply to any next request, to a request that names a key, or to none.
    fn trap(&mut self, key: &str) {
        let needle = if self.dice.random() { key } else { "" };
        if self.dice.random_bool(0.8) {
            self.proxy.cut_before_reply(needle);
        }
    }

    async fn round(&mut self) -> Outcome {
        let client = dial(&self.stage.through(self.proxy.endpoint(), &self.namespace, TTL)).await?;
        if self.dice.random() {
            // With a connection, the first request is the grant.
            client.list(&api()).await.map_err(text)?;
        }
        self.trap("services/api/x");
        let registration = within("register", client.register(instance("x"))).await?;
        self.trap("elections/reaper/");
        let elector = client.elector(&"reaper".parse().expect("a name")).await.map_err(text)?;
        let leadership = within("elect", elector.elect(instance("x"))).await?;
        let keys = self.keys().await?;
        hold(keys.len() == 2 && leadership.is_held(), || format!("one of each is there, not {keys:?}"))?;
        self.trap("services/api/x");
        within("update", registration.update(told("x", 1))).await?;
        self.shows(&client).await?;
        self.trap("services/api/x");
        if self.dice.random() {
            within("close of the registration", registration.close()).await?;
            self.trap("");
            within("resign", leadership.resign()).await?;
        }
        within("close of the client", client.close()).await?;
        let keys = self.keys().await?;
        hold(keys.is_empty(), || format!("left after the close (I6): {keys:?}"))
    }

    async fn shows(&self, client: &Arc<dyn Client>) -> Outcome {
        let listed = client.list(&api()).await.map_err(text)?;
        let all: Vec<_> = listed.iter().collect();
        hold(all == [&told("x", 1)], || format!("the record is not the last that was written: {all:?}"))
    }

    /// What the store holds but leases, which those of the other lanes are among.
    async fn keys(&self) -> Result<Vec<String>, String> {
        let mut left = self.stage.stand.residue(&self.namespace).await.map_err(text)?;
        left.retain(|what| !what.starts_with("lease "));
        Ok(left)
    }
}

async fn within<T>(what: &str, work: impl Future<Output = reception::Result<T>>) -> Result<T, String> {
    let answered = timeout(PATIENCE.min(SETTLE * 3), work).await;
    answered.map_err(|_| format!("no answer to {what}"))?.map_err(|error| format!("{what}: {error}"))
}
