//! F28 and F29: watches that fall behind.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use rand::{Rng as _, rngs::StdRng};
use reception::{Change, Client, ClientExt as _, Registration, Service, Snapshot, Watcher};
use reception_lab::{Agent, eventually};
use tokio::time::{Instant, sleep, timeout};

use super::{
    cast::{PATIENCE, SETTLE, api, dial, hold, ids, instance, register, text, told},
    sight::Sight,
};
use crate::{scenario::Outcome, stage::Stage};

const TTL: Duration = Duration::from_secs(10);
/// The instances of a service that nobody looks at.
const SIZE: usize = 200;
/// What a process of this kind takes beside its views, in KiB: buffers of the connection, and what the allocator keeps.
const SPOILT: u64 = 12 << 10;

/// F28. One watch is cut off, 1000 changes are made (updates, withdrawals, new instances), the store forgets their history and gives
/// its room back, and the cut is healed. The watch is alive with exactly the store's view within B + 2 s (I3, I4). A watch beside the
/// cut follows all along, also over a compaction: it shows the same and was stale at no time but while the store gave room back, when
/// it answers nobody.
pub(super) async fn a_watch_that_missed_more_than_the_store_remembers_reads_anew(
    stage: &mut Stage,
) -> Outcome {
    let proxy = stage.proxy().await;
    let writer = dial(&stage.direct("missed", TTL)).await?;
    let reader = dial(&stage.through(proxy.endpoint(), "missed", TTL)).await?;
    let (cut, beside) = (
        Sight::open(&reader, "the watch in the cut").await?,
        Sight::open(&writer, "the watch beside").await?,
    );
    let mut held = register(&writer, ids("i", 0..50)).await?;
    for sight in [&cut, &beside] {
        sight.shows("full view", &ids("i", 0..50), SETTLE).await?;
    }
    for round in 0..stage.rounds(1, 5) {
        let resets = cut.now().resets;
        proxy.cut().await.map_err(text)?;
        held = churn(&writer, held, &mut stage.dice, round).await?;
        stage.compact().await?;
        equal(&beside, &writer, "after the compaction").await?;
        hold(beside.now().stales.is_empty(), || {
            "a compaction made a watch stale that missed nothing".to_owned()
        })?;
        stage.stand.defragment().await.map_err(text)?;
        proxy.heal().await.map_err(text)?;
        let healed = Instant::now();
        cut.until("reset after the heal", SETTLE, |seen| seen.resets > resets && !seen.stale).await?;
        equal(&cut, &writer, "after the heal").await?;
        hold(healed.elapsed() <= SETTLE, || format!("it took {:?} to be exact", healed.elapsed()))?;
        // Alive is who hears of what comes next.
        held.push(writer.register(instance(&format!("alive{round}"))).await.map_err(text)?);
        equal(&cut, &writer, "after one more change").await?;
        equal(&beside, &writer, "beside the cut").await?;
    }
    reader.close().await.map_err(text)?;
    writer.close().await.map_err(text)
}

/// F29. A reader does not look for 5 s (30 s in full) while a service of 200 instances of 8 KiB changes 2000 times (10,000 in full). What
/// waits for it then is one item that brings it to the present (and a Stale before it at most), not a history; its view is exact; and a
/// watch of the same client that did look was not held up. A process that sleeps so takes no more memory than two snapshots do, by the
/// memory that its first view took, and what reading and allocating spoils; the history would be ten times a snapshot (50 in full).
/// What is spoilt is taken as 12 MiB, less than the history (16 MiB) and much more than a snapshot (1.6 MiB): a reader that kept a few
/// snapshots more would pass.
pub(super) async fn a_reader_that_sleeps_wakes_up_to_one_item(stage: &mut Stage) -> Outcome {
    let writer = dial(&stage.direct("asleep", TTL)).await?;
    let reader = dial(&stage.direct("asleep", TTL)).await?;
    let mut held = Vec::new();
    for id in ids("i", 0..SIZE) {
        held.push(writer.register(bulky(&id, 0)).await.map_err(text)?);
    }
    let beside = Sight::open(&reader, "the watch that looks").await?;
    let mut asleep = reader.watch(&api()).await.map_err(text)?;
    take(&mut *asleep).await?;
    let sleeper = Sleeper::start(stage).await?;
    let nap = Duration::from_secs(stage.rounds(5, 30).into());
    let begun = Instant::now();
    let changes: Vec<(usize, u32)> =
        (0..stage.rounds(2_000, 10_000)).map(|round| (stage.dice.random_range(0..SIZE), round)).collect();
    update(&held, changes, bulky).await?;
    equal(&beside, &writer, "that looks, after the last change").await?;
    sleep(nap.saturating_sub(begun.elapsed())).await;
    let mut waiting = Vec::new();
    while let Some(item) = asleep.next().now_or_never() {
        waiting.push(item.ok_or("the watch ended")?.map_err(text)?);
    }
    let (stales, good): (Vec<_>, Vec<_>) = waiting.iter().partition(|item| matches!(item, Change::Stale(_)));
    hold(stales.len() <= 1 && good.len() <= 1, || format!("{} items waited", waiting.len()))?;
    if let Some(Change::Patch(patch)) = good.first() {
        hold(patch.upserted().len() <= SIZE, || format!("{} records in one patch", patch.upserted().len()))?;
    }
    let now = writer.list(&api()).await.map_err(text)?;
    hold(same(asleep.current(), &now), || "the view after the nap is not the store's".to_owned())?;
    hold(beside.now().stales.is_empty(), || "a watch that looks was stale".to_owned())?;
    sleeper.wake().await?;
    reader.close().await.map_err(text)?;
    writer.close().await.map_err(text)
}

/// A process that watches and does not look.
struct Sleeper(Agent);

impl Sleeper {
    async fn start(stage: &Stage) -> Result<Self, String> {
        let url = stage.direct("asleep", TTL);
        let agent = Agent::start(env!("CARGO_BIN_EXE_sleeper"), [url.as_str(), "api"]).map_err(text)?;
        let this = Self(agent);
        let asleep = || async { this.told("first") };
        eventually(PATIENCE, asleep).await.map_err(|late| format!("the sleeper does not sleep: {late}"))?;
        Ok(this)
    }

    /// A number that it has told.
    fn told(&self, key: &str) -> Result<u64, String> {
        let said = self.0.logs();
        let word = said.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        word.and_then(|number| number.parse().ok()).ok_or(said)
    }

    async fn wake(self) -> Outcome {
        let ended = self.0.terminate().await.map_err(text)?;
        hold(ended.success(), || format!("the sleeper ended with {ended}: {}", self.0.logs()))?;
        let [empty, first, most, items] = ["empty", "first", "most", "items"].map(|key| self.told(key));
        let (empty, first, most, items) = (empty?, first?, most?, items?);
        hold(items <= 2, || format!("{items} items waited for the sleeper"))?;
        let bound = empty + 2 * first.saturating_sub(empty) + SPOILT;
        hold(most <= bound, || format!("the sleeper took {most} KiB, not {bound} at most: {}", self.0.logs()))
    }
}

async fn take(watcher: &mut dyn Watcher) -> Outcome {
    let item = timeout(PATIENCE, watcher.next()).await.map_err(|_| "no first view".to_owned())?;
    item.ok_or("the watch ended")?.map(drop).map_err(text)
}

/// 1000 changes: most are updates, and every tenth instance goes and another comes.
pub(crate) async fn churn(
    writer: &Arc<dyn Client>,
    mut held: Vec<Registration>,
    dice: &mut StdRng,
    round: u32,
) -> Result<Vec<Registration>, String> {
    for turn in 0..10 {
        let changes: Vec<(usize, u32)> = (0..90)
            .map(|change| (dice.random_range(0..held.len()), round * 1000 + turn * 100 + change))
            .collect();
        update(&held, changes, told::<u32>).await?;
        for _ in 0..5 {
            let gone = held.swap_remove(dice.random_range(0..held.len()));
            gone.close().await.map_err(text)?;
        }
        held.extend(register(writer, ids(&format!("r{round}t{turn}n"), 0..5)).await?);
    }
    Ok(held)
}

/// Updates with these numbers; two of one instance may run at once, and the later one wins.
async fn update(
    held: &[Registration],
    changes: Vec<(usize, u32)>,
    record: fn(&str, u32) -> Service,
) -> Outcome {
    let each = stream::iter(changes).map(|(index, round)| {
        let id = held[index].service().id().to_string();
        async move { held[index].update(record(&id, round)).await }
    });
    each.buffer_unordered(32).try_collect::<()>().await.map_err(text)
}

/// Waits until a watch shows exactly what the store holds, record by record.
pub(crate) async fn equal(sight: &Sight, client: &Arc<dyn Client>, when: &str) -> Outcome {
    let probe = || async {
        let listed = client.list(&api()).await.map_err(text)?;
        let seen = sight.now();
        if !seen.stale && same(seen.view.as_ref(), &listed) {
            return Ok(());
        }
        Err(format!("{} listed, {} shown, stale {}", listed.len(), seen.ids.len(), seen.stale))
    };
    eventually(SETTLE, probe)
        .await
        .map_err(|late| format!("the watch {when} is not the store's view (I3): {late}"))
}

/// A record of 8 KiB.
fn bulky(id: &str, round: u32) -> Service {
    let (keys, value) = (0..16, format!("{round:0512}"));
    let builder =
        keys.fold(instance(id).to_builder(), |builder, key| builder.attribute(&format!("k{key}"), &value));
    builder.build().expect("valid")
}

fn same(view: Option<&Snapshot>, listed: &Snapshot) -> bool {
    view.is_some_and(|view| view.iter().eq(listed.iter()))
}
