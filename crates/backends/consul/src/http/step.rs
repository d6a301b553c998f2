//! Tries at an agent that gives no answer: one at a time and with growing pauses, whoever asks.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reception_core::Error;
use tokio::{
    sync,
    time::{Instant, sleep_until},
};
use uuid::Uuid;

const FIRST: Duration = Duration::from_millis(50);
const CAP: Duration = Duration::from_secs(1);
/// While there are leases to save, the pauses are at most this part of one.
const PART: u32 = 8;
/// A try that has no answer by then has a connection at least: others need not wait for it any longer.
pub(super) const HOLD: Duration = Duration::from_millis(100);

/// How it goes with one agent.
#[derive(Debug)]
pub(super) struct Step {
    /// The shortest time to live of what is kept alive.
    lease: Duration,
    turn: sync::Mutex<()>,
    told: Mutex<Option<Shut>>,
    heard: Mutex<Heard>,
}

/// What is known of its last answer, also of one that took too long.
#[derive(Debug, Default)]
struct Heard {
    last: Option<Instant>,
    /// Asked since then, it has given no answer.
    silent: Option<Instant>,
}

/// It gave no answer last time.
#[derive(Clone, Debug)]
struct Shut {
    why: Error,
    /// What was begun before is the same failure.
    at: Instant,
    /// Of the first failure.
    since: Instant,
    pause: Duration,
    next: Instant,
}

pub(super) type Turn<'a> = sync::MutexGuard<'a, ()>;

impl Step {
    pub(super) fn new(lease: Duration) -> Self {
        Self { lease, turn: sync::Mutex::default(), told: Mutex::default(), heard: Mutex::default() }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since when it gives no answer.
    pub(super) fn silent_since(&self) -> Option<Instant> {
        self.heard().silent
    }

    /// Whether it has given no answer for so long, of which it was asked for half at least.
    pub(super) fn is_gone(&self, lease: Duration) -> bool {
        let heard = self.heard();
        let Some(silent) = heard.silent else { return false };
        silent.elapsed() >= lease / 2 && heard.last.unwrap_or(silent).elapsed() >= lease
    }

    /// It gave no answer to what was asked then.
    pub(super) fn unheard(&self, asked: Instant) {
        let mut heard = self.heard();
        if heard.last.is_none_or(|last| last < asked) {
            heard.silent.get_or_insert(asked);
        }
    }

    fn told(&self) -> MutexGuard<'_, Option<Shut>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shut(&self) -> Option<Shut> {
        self.told().clone()
    }

    /// Waits for one's turn, if turns have to be taken; the error of a try that failed meanwhile, or at once of the last one when not `patient`.
    pub(super) async fn enter(&self, patient: bool) -> Result<Option<Turn<'_>>, Error> {
        let Some(before) = self.shut() else { return Ok(None) };
        if !patient && Instant::now() < before.next {
            return Err(before.why);
        }
        let turn = self.turn.lock().await;
        match self.shut() {
            None => Ok(None),
            Some(now) if now.at > before.at => Err(now.why),
            Some(now) => {
                sleep_until(now.next).await;
                Ok(Some(turn))
            }
        }
    }

    /// It gave an answer; true when it gave none before.
    pub(super) fn answered(&self) -> bool {
        *self.heard() = Heard { last: Some(Instant::now()), silent: None };
        self.told().take().is_some()
    }

    /// A try that was begun then failed.
    pub(super) fn failed(&self, begun: Instant, why: &Error) {
        self.unheard(begun);
        let mut told = self.told();
        let at = Instant::now();
        let (since, pause) = match &*told {
            Some(shut) if begun < shut.at => return,
            Some(shut) if at - shut.since < self.lease => {
                (shut.since, (shut.pause * 2).min(CAP).min(self.lease / PART).max(FIRST))
            }
            Some(shut) => (shut.since, (shut.pause * 2).min(CAP)),
            None => (at, FIRST),
        };
        // Many clients lose an agent at one moment.
        let part = 0.5 + f64::from(Uuid::new_v4().as_bytes()[0]) / 512.0;
        *told = Some(Shut { why: why.clone(), at, since, pause, next: at + pause.mul_f64(part) });
    }
}

#[cfg(test)]
mod tests {
    use reception_core::ErrorKind;

    use super::*;
    use crate::error::error;

    fn broken(text: &str) -> Error {
        error(ErrorKind::Unavailable, "list", text)
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_answers_nothing_is_tried_in_growing_pauses() {
        let (step, begun) = (Step::new(Duration::from_secs(10)), Instant::now());
        let mut tries = 0;
        while begun.elapsed() < Duration::from_secs(10) {
            let turn = step.enter(true).await.unwrap();
            tries += 1;
            step.failed(Instant::now(), &broken("nobody"));
            drop(turn);
        }
        assert!((10..=20).contains(&tries), "{tries} tries in ten seconds");
        assert!(step.answered() && !step.answered());
        assert!(step.enter(true).await.unwrap().is_none(), "no turns when it answers");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_hears_of_the_try_that_failed() {
        let step = Step::new(Duration::from_secs(5));
        step.failed(Instant::now(), &broken("first"));
        tokio::time::sleep(Duration::from_millis(1)).await;
        let turn = step.enter(true).await.unwrap();
        let other = step.enter(true);
        tokio::pin!(other);
        tokio::select! {
            _ = &mut other => panic!("it is another's turn"),
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
        step.failed(Instant::now(), &broken("second"));
        drop(turn);
        assert_eq!(other.await.unwrap_err().context(), "second");
        assert_eq!(step.enter(false).await.unwrap_err().context(), "second", "another agent can be asked");
    }

    #[tokio::test(start_paused = true)]
    async fn what_broke_together_is_one_failure() {
        let (step, begun) = (Step::new(Duration::from_secs(5)), Instant::now());
        tokio::time::sleep(Duration::from_millis(1)).await;
        for _ in 0..9 {
            step.failed(begun, &broken("reset"));
        }
        assert_eq!(step.shut().map(|shut| shut.pause), Some(FIRST));
    }
}
