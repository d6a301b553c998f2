//! The tries of one gate: one at a time, each with an end.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt as _;
use reception_kit::{CancellationToken, readable};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, timeout},
};

use super::{GateChange, board::Chalk, check::Check, place::Wish, tally::Tally};

/// What makes the tries.
pub(super) struct Tries {
    pub(super) check: Box<dyn Check>,
    pub(super) interval: Duration,
    pub(super) patience: Duration,
    pub(super) tally: Tally,
}

impl Tries {
    /// Tries until the gate closes, and drops the check then.
    pub(super) async fn run(mut self, chalk: &Chalk, wish: &watch::Sender<Wish>, closing: CancellationToken) {
        tokio::select! {
            biased;
            () = closing.cancelled() => {}
            () = self.go_on(chalk, wish) => {}
        }
    }

    async fn go_on(&mut self, chalk: &Chalk, wish: &watch::Sender<Wish>) {
        let mut beat = interval(self.interval);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut known_good = false;
        loop {
            beat.tick().await;
            let answer = self.once().await;
            let good = answer.is_ok();
            match answer {
                Ok(()) if known_good => {}
                Ok(()) => {
                    tracing::debug!("the check is good");
                    chalk.add(GateChange::Passing);
                }
                Err(reason) => {
                    tracing::debug!(error = reason, "the check is bad");
                    chalk.add(GateChange::Failing(reason));
                }
            }
            known_good = good;
            if self.tally.count(good) {
                wish.send_replace(if good { Wish::Here } else { Wish::Away });
            }
        }
    }

    async fn once(&mut self) -> Result<(), String> {
        // A user's check that panics must not take the registration along.
        let guarded = AssertUnwindSafe(self.check.check()).catch_unwind();
        match timeout(self.patience, guarded).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err("the check panicked".to_owned()),
            Err(_) => Err(format!("no answer within {:?}", readable(self.patience))),
        }
    }
}
