//! Who watches: follows the service and the election, tells what it sees, and waits for what should come.

use std::fmt;

use futures_util::StreamExt;
use reception::{
    BoxStream, Change, Client, ClientExt, FencingToken, Leader, Observation, Patch, Result, ServiceId,
    Snapshot, Watcher,
};
use tokio::time::Instant;

use crate::{Outcome, Stage};

/// Prints who did what, and when.
#[derive(Debug)]
pub(crate) struct Transcript(Instant);

impl Transcript {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn say(&self, who: &str, what: impl fmt::Display) {
        println!("{:6.2} s  {who:<9} {what}", self.0.elapsed().as_secs_f64());
    }
}

/// One thing that the audience can see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sight {
    Changes(String),
    Goes(String),
    Joins(String),
    Leads(String),
    Loses(String),
    Nobody,
    NoLeader,
}

impl Sight {
    pub(crate) fn changes(id: &str) -> Self {
        Self::Changes(id.to_owned())
    }

    pub(crate) fn goes(id: &str) -> Self {
        Self::Goes(id.to_owned())
    }

    pub(crate) fn joins(id: &str) -> Self {
        Self::Joins(id.to_owned())
    }

    pub(crate) fn leads(id: &str) -> Self {
        Self::Leads(id.to_owned())
    }

    pub(crate) fn loses(id: &str) -> Self {
        Self::Loses(id.to_owned())
    }
}

pub(crate) struct Audience {
    pub(crate) story: Transcript,
    watcher: Box<dyn Watcher>,
    observations: BoxStream<Result<Observation>>,
    view: Option<Snapshot>,
    leader: Option<Leader>,
    seen: Vec<Sight>,
}

impl Audience {
    pub(crate) async fn open(client: &dyn Client, stage: &Stage, story: Transcript) -> Outcome<Self> {
        let watcher = client.watch(&stage.api).await?;
        let observations = client.elector(&stage.reaper).await?.observe().await?;
        Ok(Self { story, watcher, observations, view: None, leader: None, seen: Vec::new() })
    }

    /// The token of the leader seen last.
    pub(crate) fn token(&self) -> Option<FencingToken> {
        self.leader.as_ref().map(Leader::token)
    }

    /// Watches until all of `wanted` was seen.
    pub(crate) async fn until(&mut self, wanted: &[Sight]) -> Outcome {
        while !wanted.iter().all(|sight| self.seen.contains(sight)) {
            tokio::select! {
                item = self.watcher.next() => match item {
                    Some(change) => self.watched(&change?),
                    None => return Err("the watch ended".into()),
                },
                item = self.observations.next() => match item {
                    Some(observation) => self.observed(observation?),
                    None => return Err("the observation ended".into()),
                },
            }
        }
        Ok(())
    }

    fn watched(&mut self, change: &Change) {
        if let Change::Stale(error) = change {
            return self.story.say("watcher", format_args!("keeps its view, news may be missing: {error}"));
        }
        // Whether it came as a reset or as a patch, the view is complete: what happened is the difference to the last one.
        let Some(view) = self.watcher.current().cloned() else { return };
        match self.view.replace(view.clone()) {
            Some(before) => self.tell(&before, &before.diff(&view)),
            None if view.is_empty() => self.see(Sight::Nobody, "watcher", "sees nobody yet"),
            None => self.story.say("watcher", format_args!("sees {} instances to begin with", view.len())),
        }
    }

    fn tell(&mut self, before: &Snapshot, news: &Patch) {
        for service in news.upserted() {
            let id = service.id().as_str();
            let zone = service.attribute("zone").unwrap_or("none");
            if before.get(id).is_some() {
                self.see(Sight::changes(id), "watcher", format_args!("sees {id} change: zone {zone}"));
            } else {
                let address = service.address();
                self.see(
                    Sight::joins(id),
                    "watcher",
                    format_args!("sees {id} join at {address}, zone {zone}"),
                );
            }
        }
        for id in news.removed().iter().map(ServiceId::as_str) {
            self.see(Sight::goes(id), "watcher", format_args!("sees {id} gone"));
        }
    }

    fn observed(&mut self, observation: Observation) {
        let next = match observation {
            Observation::Leader(leader) => Some(leader),
            Observation::Vacant => None,
            Observation::Stale(error) => {
                return self
                    .story
                    .say("observer", format_args!("keeps its view, news may be missing: {error}"));
            }
            _ => return,
        };
        let before = std::mem::replace(&mut self.leader, next.clone());
        if before.as_ref().map(Leader::token) == next.as_ref().map(Leader::token) && before.is_some() {
            return;
        }
        match &before {
            Some(before) => self.see(
                Sight::loses(name(before)),
                "observer",
                format_args!("sees leader {} lost", name(before)),
            ),
            None if next.is_none() => self.see(Sight::NoLeader, "observer", "sees no leader yet"),
            None => {}
        }
        if let Some(leader) = &next {
            let (name, token) = (name(leader), leader.token());
            self.see(Sight::leads(name), "observer", format_args!("sees {name} elected with token {token}"));
        }
    }

    fn see(&mut self, sight: Sight, who: &str, what: impl fmt::Display) {
        self.story.say(who, what);
        self.seen.push(sight);
    }
}

/// A foreign winner has a value and no service.
fn name(leader: &Leader) -> &str {
    leader.service().map_or("a stranger", |service| service.id().as_str())
}
