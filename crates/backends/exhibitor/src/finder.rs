//! Asks the Exhibitors again and again which servers there are.
//!
//! ```text
//!          one answers: publish, wait poll ± a tenth
//!          ┌────────────────┐
//!          ▼                │
//!  round over all, from the one that answered last
//!          ▲                │
//!          └────────────────┘
//!          none answers: keep what is known, wait a backoff up to poll
//! ```

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use reception_core::{Error, Result, Retry};
use reception_kit::Backoff;
use reception_zookeeper::{Ensemble, Servers};

use crate::{
    ask::Asker,
    error::{NAME, all_failed},
    options::Place,
    state::State,
};

/// The first pause after a round without an answer.
const FIRST: Duration = Duration::from_millis(250);

/// The Exhibitors of one client. They are never forgotten, and nobody is asked whom an answer names: it could be anybody.
pub(crate) struct Finder {
    pub(crate) places: Vec<Place>,
    pub(crate) asker: Asker,
    pub(crate) poll: Duration,
    /// The servers to use until an Exhibitor has answered once.
    pub(crate) fallback: BTreeSet<String>,
    pub(crate) state: Arc<State>,
}

impl Finder {
    /// Asks one after the other until one answers; the next round begins with that one.
    async fn round(&self, first: &mut usize) -> Result<(String, BTreeSet<String>)> {
        let mut failures = Vec::new();
        for step in 0..self.places.len() {
            let at = (*first + step) % self.places.len();
            let place = self.places[at].to_string();
            let begun = self.state.now();
            let answer = self.asker.ask(&self.places[at]).await;
            let took = self.state.now().saturating_since(begun);
            match answer {
                Ok(servers) => {
                    self.state.asked(&place, Ok(took));
                    *first = at;
                    return Ok((place, servers));
                }
                Err(error) => {
                    self.state.asked(&place, Err(error.clone()));
                    failures.push((place, error));
                }
            }
        }
        Err(all_failed(failures))
    }

    fn failed(&self, servers: &Servers, error: Error) {
        tracing::debug!(backend = NAME, %error, "no Exhibitor tells servers");
        let never = self.state.failed(error.clone());
        if never && !self.fallback.is_empty() {
            // First: who uses them may ask at once where they are from.
            self.state.fell_back();
            if servers.publish(self.fallback.iter().cloned()) {
                tracing::warn!(backend = NAME, %error, "the static servers are used until an Exhibitor answers");
            }
        }
        // Nothing once there are servers.
        servers.fail(error);
    }

    /// Not all clients at one moment.
    fn pause(&self) -> Duration {
        self.poll * 9 / 10 + self.poll / 5 * chance(1000) / 1000
    }
}

/// A number below this one, by chance.
fn chance(below: u32) -> u32 {
    let drawn = uuid::Uuid::new_v4().as_u128() % u128::from(below.max(1));
    u32::try_from(drawn).unwrap_or_default()
}

impl Ensemble for Finder {
    fn asked(&self) -> String {
        let places: Vec<String> = self.places.iter().map(Place::to_string).collect();
        format!("the Exhibitors {} for servers", places.join(","))
    }

    async fn find(self, servers: Servers) {
        let mut backoff = Backoff::with_bounds(FIRST, self.poll);
        let mut first = chance(u32::try_from(self.places.len()).unwrap_or(u32::MAX)) as usize;
        loop {
            let pause = match self.round(&mut first).await {
                Ok((place, found)) => {
                    self.state.found(&place, found.len());
                    let listed = found.iter().map(String::as_str).collect::<Vec<_>>().join(",");
                    if servers.publish(found.iter().cloned()) {
                        tracing::debug!(backend = NAME, exhibitor = place, servers = listed, "new servers");
                    }
                    backoff.reset();
                    self.pause()
                }
                Err(error) => {
                    self.failed(&servers, error.clone());
                    // One that refuses a user is asked as often as one that is away: the poll bounds both.
                    backoff.next(&error.with_retry(Retry::Backoff)).max(self.poll.min(FIRST) / 4)
                }
            };
            tokio::time::sleep(pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use reception_core::Clock;

    use super::*;

    #[test]
    fn polls_are_spread_over_a_fifth_of_their_time() {
        let finder = Finder {
            places: Vec::new(),
            asker: Asker::new("", None, Duration::from_secs(1)).unwrap(),
            poll: Duration::from_secs(10),
            fallback: BTreeSet::new(),
            state: Arc::new(State::new(Clock::BOOT)),
        };
        let pauses: BTreeSet<Duration> = (0..100).map(|_| finder.pause()).collect();
        assert!(pauses.len() > 20);
        assert!(pauses.first().unwrap() >= &Duration::from_secs(9), "{pauses:?}");
        assert!(pauses.last().unwrap() <= &Duration::from_secs(11), "{pauses:?}");
    }
}
