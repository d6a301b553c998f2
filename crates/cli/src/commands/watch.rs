//! `reception watch`.

use futures_util::StreamExt;
use reception::{Change, Client, Error, Patch, Service, Snapshot, WatchOptions};
use serde::Serialize;

use crate::{
    args::Watch,
    commands::until_stopped,
    exit::{FAILED, Failure, Outcome},
    output::{Ink, Instance, Output, Say, one_line, printable, text_of},
};

/// A line of a watch.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Seen {
    Reset {
        revision: u64,
        services: Vec<Instance>,
        #[serde(skip)]
        lines: Vec<String>,
    },
    Patch {
        revision: u64,
        upserted: Vec<Instance>,
        removed: Vec<String>,
        /// Each with whether it was there before.
        #[serde(skip)]
        lines: Vec<(bool, String)>,
    },
    Stale {
        error: String,
    },
}

impl Seen {
    fn reset(snapshot: &Snapshot) -> Self {
        Self::Reset {
            revision: snapshot.revision(),
            services: snapshot.iter().map(Instance::from).collect(),
            lines: snapshot.iter().map(text_of).collect(),
        }
    }

    fn patch(before: &Snapshot, patch: &Patch) -> Self {
        let line = |service: &Service| (before.get(service.id().as_str()).is_some(), text_of(service));
        Self::Patch {
            revision: patch.revision(),
            upserted: patch.upserted().iter().map(Instance::from).collect(),
            removed: patch.removed().iter().map(ToString::to_string).collect(),
            lines: patch.upserted().iter().map(line).collect(),
        }
    }

    fn stale(error: &Error) -> Self {
        Self::Stale { error: error.to_string() }
    }
}

impl Say for Seen {
    fn text(&self, ink: Ink) -> String {
        let came = |line: &String| format!("{} {line}", ink.green("+"));
        match self {
            Self::Reset { lines, .. } => {
                let head = format!("= {} instance{}", lines.len(), if lines.len() == 1 { "" } else { "s" });
                std::iter::once(head).chain(lines.iter().map(came)).collect::<Vec<_>>().join("\n")
            }
            Self::Patch { removed, lines, .. } => {
                let upserted = lines.iter().map(|(known, line)| match known {
                    true => format!("{} {line}", ink.yellow("~")),
                    false => came(line),
                });
                let removed = removed.iter().map(|id| format!("{} {}", ink.red("-"), printable(id)));
                upserted.chain(removed).collect::<Vec<_>>().join("\n")
            }
            Self::Stale { error } => format!("{} {}", ink.yellow("!"), one_line(error)),
        }
    }
}

pub(super) async fn carry_out(client: &dyn Client, watch: &Watch, output: &Output) -> Outcome {
    until_stopped(output, follow(client, watch, output)).await
}

async fn follow(client: &dyn Client, watch: &Watch, output: &Output) -> Outcome<()> {
    let options = WatchOptions::default().any_status(watch.all);
    let mut watcher = client.watch_with(&watch.name, options).await?;
    // One `stale` an outage: the next good item is a Reset (law L4), which ends it.
    let mut stale = false;
    let mut view = Snapshot::new(watch.name.clone(), 0, []);
    while let Some(change) = watcher.next().await {
        match change? {
            Change::Reset(snapshot) => {
                stale = false;
                output.say(&Seen::reset(&snapshot)).await?;
                view = snapshot;
            }
            Change::Patch(patch) => {
                output.say(&Seen::patch(&view, &patch)).await?;
                view = view.apply(&patch);
            }
            Change::Stale(error) if !stale => {
                stale = true;
                output.say(&Seen::stale(&error)).await?;
            }
            _ => {}
        }
    }
    Err(Failure::new(FAILED, "the watch ended"))
}
