//! Many processes that come and go, and how soon a death is seen.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use reception_lab::eventually;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    case,
    case::Case,
    ground::{Ground, is_deregistered, texts},
    plan::say,
    run::{LIMIT, Run},
};

pub(crate) const CASES: &[Case] = &[
    case!(a_watch_ends_at_the_living_however_they_came_and_went, Writing, Sharing),
    case!(a_death_is_seen_at_once, Writing, Sharing, Promptness),
];

/// The ids that a watch shows, from its lines.
#[derive(Default)]
struct View(BTreeSet<String>);

impl View {
    fn hear(&mut self, line: &str) {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let list = |field: &str| line[field].as_array().cloned().unwrap_or_default();
        match line["event"].as_str() {
            Some("reset") => self.0 = texts(&list("services"), "id").into_iter().collect(),
            Some("patch") => {
                let removed: Vec<_> =
                    list("removed").iter().map(|id| id.as_str().expect("an id").to_owned()).collect();
                let upserted = texts(&list("upserted"), "id");
                assert!(!removed.iter().any(|id| upserted.contains(id)), "no id in both: {line}");
                self.0.retain(|id| !removed.contains(id));
                self.0.extend(upserted);
            }
            other => assert_eq!(other, Some("stale"), "{line}"),
        }
    }
}

/// The processes that live, by their ids.
struct Crowd<'a> {
    ground: &'a Ground,
    dice: StdRng,
    living: BTreeMap<String, Run>,
    most: usize,
}

impl Crowd<'_> {
    /// Starts one, or ends one in one way or another.
    async fn step(&mut self) {
        let ids = u32::try_from(self.most).expect("a number") * 2;
        let id = format!("i{:02}", self.dice.random_range(0..ids));
        match self.living.remove(&id) {
            // The id of one that is dying is waited for.
            None if self.living.len() < self.most => {
                let run = self.ground.register(&id, "").start();
                self.living.insert(id, run);
            }
            None => {}
            Some(mut run) if self.dice.random_bool(0.5) => run.kill().await,
            Some(run) => drop(run.stop().await),
        }
    }

    /// The ids of those that are registered: of all that live.
    async fn settled(&mut self) -> BTreeSet<String> {
        for run in self.living.values_mut() {
            run.event("registered").await;
        }
        self.living.keys().cloned().collect()
    }
}

async fn a_watch_ends_at_the_living_however_they_came_and_went(ground: &Ground) {
    let (most, time) = if ground.size.full { (50, 60) } else { (20, 10) };
    let dice = StdRng::seed_from_u64(ground.size.seed);
    let mut crowd = Crowd { ground, dice, living: BTreeMap::new(), most };
    let (mut watch, mut view) = (ground.call("watch api").start(), View::default());
    let end = Instant::now() + Duration::from_secs(time);
    let mut steps = 0;
    while Instant::now() < end {
        crowd.step().await;
        steps += 1;
        watch.arrived().iter().for_each(|line| view.hear(line));
    }
    let living = crowd.settled().await;
    let mut seen = || {
        watch.arrived().iter().for_each(|line| view.hear(line));
        std::future::ready(if view.0 == living { Ok(()) } else { Err(view.0.clone()) })
    };
    let told = format!("{steps} steps with seed {}; the living: {living:?}", ground.size.seed);
    eventually(LIMIT, &mut seen).await.unwrap_or_else(|late| panic!("the watch: {late}; {told}"));
    let ids: Vec<_> = living.iter().map(String::as_str).collect();
    ground.shows(&ids).await;
    say(&format!("command: {} of {most} live on {} after {steps} steps", living.len(), ground.row.name));
    for (id, run) in std::mem::take(&mut crowd.living) {
        let ended = run.stop().await;
        // On a busy machine some were in doubt meanwhile.
        let last = ended.json().pop().expect("a line");
        assert_eq!(ended.code, 0, "{id}: {ended:?}");
        is_deregistered(&last, &id, "signal");
    }
    eventually(LIMIT, || {
        watch.arrived().iter().for_each(|line| view.hear(line));
        std::future::ready(if view.0.is_empty() { Ok(()) } else { Err(view.0.clone()) })
    })
    .await
    .expect("nobody in the watch");
}

/// What the contract promises on a machine that is not too busy.
const AT_ONCE: Duration = Duration::from_millis(100);

async fn a_death_is_seen_at_once(ground: &Ground) {
    let mut watch = ground.call("watch api").start();
    watch.event("reset").await;
    let mut spans = Vec::new();
    for _ in 0..11 {
        let mut run = ground.registered("a1", "").await;
        watch.event("patch").await;
        let killed = Instant::now();
        run.kill().await;
        watch.event("patch").await;
        spans.push(killed.elapsed());
    }
    spans.sort_unstable();
    let median = spans[spans.len() / 2];
    say(&format!(
        "command: a death is seen on {} after {median:?}, at most {:?}",
        ground.row.name, spans[10]
    ));
    assert!(median < AT_ONCE, "{spans:?}");
}
