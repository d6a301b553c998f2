//! The agents of a client, and which of them is asked first.
//!
//! One of them is the home: what is registered stands there. The others are asked when it gives no answer. While nothing stands anywhere, whoever answers is the
//! home.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Semaphore;

use super::step::Step;

const CALLS: usize = 64;

/// One agent.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) address: String,
    pub(super) step: Step,
    /// Calls under way but for those that are held back: an agent takes 200 connections from one address.
    pub(super) calls: Semaphore,
}

#[derive(Debug)]
pub(super) struct Agents {
    all: Vec<Agent>,
    stand: Arc<Mutex<Stand>>,
}

#[derive(Debug, Default)]
struct Stand {
    home: usize,
    /// How many things stand there, or may.
    held: usize,
}

/// Something of ours stands at the home, or may; as long as there is one, only `move_home` moves it.
#[derive(Debug)]
pub(crate) struct Hold(Arc<Mutex<Stand>>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).held -= 1;
    }
}

impl Agents {
    pub(super) fn new(addresses: Vec<String>, lease: Duration) -> Self {
        let agent = |address| Agent { address, step: Step::new(lease), calls: Semaphore::new(CALLS) };
        let all = addresses.into_iter().map(agent);
        Self { all: all.collect(), stand: Arc::default() }
    }

    fn stand(&self) -> MutexGuard<'_, Stand> {
        self.stand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn all(&self) -> &[Agent] {
        &self.all
    }

    pub(super) fn home(&self) -> usize {
        self.stand().home
    }

    pub(super) fn move_home(&self, to: usize) {
        self.stand().home = to;
    }

    pub(super) fn hold(&self) -> Hold {
        self.stand().held += 1;
        Hold(Arc::clone(&self.stand))
    }

    pub(super) fn holds_nothing(&self) -> bool {
        self.stand().held == 0
    }

    /// This one answered: the home, if nothing stands at another.
    pub(super) fn follow(&self, at: usize) {
        let mut stand = self.stand();
        if stand.held == 0 {
            stand.home = at;
        }
    }

    fn is_silent(&self, at: usize) -> bool {
        self.all.get(at).is_some_and(|agent| agent.step.silent_since().is_some())
    }

    /// Whether it has given no answer for so long.
    pub(super) fn is_gone(&self, at: usize, lease: Duration) -> bool {
        self.all.get(at).is_some_and(|agent| agent.step.is_gone(lease))
    }

    /// The home and then the others, but those that give no answer last.
    pub(super) fn order(&self) -> Vec<usize> {
        let (home, count) = (self.home(), self.all.len());
        let mut order: Vec<usize> = (0..count).map(|step| (home + step) % count).collect();
        if count > 1 {
            order.sort_by_key(|at| self.is_silent(*at));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use reception_core::ErrorKind;
    use tokio::time::{Instant, advance};

    use super::*;
    use crate::error::error;

    fn three() -> Agents {
        let names = ["a", "b", "c"].map(str::to_owned);
        Agents::new(names.into(), Duration::from_secs(5))
    }

    fn silent(agents: &Agents, at: usize) {
        agents.all[at].step.failed(Instant::now(), &error(ErrorKind::Unavailable, "list", "nobody"));
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_give_no_answer_are_asked_last() {
        let agents = three();
        assert_eq!(agents.order(), [0, 1, 2]);
        silent(&agents, 0);
        assert_eq!(agents.order(), [1, 2, 0]);
        agents.all[0].step.answered();
        assert_eq!(agents.order(), [0, 1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_is_gone_when_what_hangs_on_it_has_lapsed() {
        let (agents, lease) = (three(), Duration::from_secs(4));
        agents.all[0].step.answered();
        advance(Duration::from_secs(3)).await;
        silent(&agents, 0);
        advance(Duration::from_millis(1500)).await;
        assert!(!agents.is_gone(0, lease), "an agent may start again");
        advance(Duration::from_millis(500)).await;
        assert!(agents.is_gone(0, lease));
        // Never heard of.
        silent(&agents, 1);
        advance(lease / 2).await;
        assert!(!agents.is_gone(1, lease));
        advance(lease / 2).await;
        assert!(agents.is_gone(1, lease) && !agents.is_gone(2, lease));
        agents.all[0].step.answered();
        assert!(!agents.is_gone(0, lease));
    }

    #[tokio::test]
    async fn what_stands_at_the_home_keeps_it() {
        let agents = three();
        agents.follow(1);
        assert_eq!(agents.home(), 1);
        let (one, other) = (agents.hold(), agents.hold());
        drop(one);
        agents.follow(2);
        assert_eq!((agents.home(), agents.order()), (1, vec![1, 2, 0]));
        drop(other);
        assert!(agents.holds_nothing());
        agents.follow(2);
        assert_eq!(agents.home(), 2);
    }
}
