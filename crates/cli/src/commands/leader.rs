//! `reception leader`.

use futures_util::StreamExt;
use reception::{Client, ElectOptions, Elector, Observation};
use serde::Serialize;

use crate::{
    args::Leader,
    commands::until_stopped,
    exit::{FAILED, Failure, Outcome, VACANT},
    output::{Ink, LeaderShape, Output, Say, one_line},
};

/// Who leads, asked once.
#[derive(Serialize)]
#[serde(transparent)]
struct Found(LeaderShape);

impl Say for Found {
    fn text(&self, _: Ink) -> String {
        self.0.text().to_owned()
    }
}

/// A line of `--follow`.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Seen {
    Leader(LeaderShape),
    Vacant,
    Stale { error: String },
}

impl Say for Seen {
    fn text(&self, ink: Ink) -> String {
        match self {
            Self::Leader(leader) => format!("{} {}", ink.green("+"), leader.text()),
            Self::Vacant => format!("{} vacant", ink.red("-")),
            Self::Stale { error } => format!("{} {}", ink.yellow("!"), one_line(error)),
        }
    }
}

pub(super) async fn carry_out(client: &dyn Client, leader: &Leader, output: &Output) -> Outcome {
    let elector = client.elector_with(&leader.name, ElectOptions::default()).await?;
    if leader.follow {
        return until_stopped(output, follow(&*elector, output)).await;
    }
    match elector.leader().await? {
        Some(leader) => {
            output.say(&Found(LeaderShape::from(&leader))).await?;
            Ok(0)
        }
        None => Ok(VACANT),
    }
}

async fn follow(elector: &dyn Elector, output: &Output) -> Outcome<()> {
    let mut observations = elector.observe().await?;
    let mut stale = false;
    while let Some(observation) = observations.next().await {
        let seen = match observation? {
            Observation::Leader(leader) => Seen::Leader((&leader).into()),
            Observation::Vacant => Seen::Vacant,
            Observation::Stale(_) if stale => continue,
            Observation::Stale(error) => Seen::Stale { error: error.to_string() },
            _ => continue,
        };
        stale = matches!(seen, Seen::Stale { .. });
        output.say(&seen).await?;
    }
    Err(Failure::new(FAILED, "the observation ended"))
}
