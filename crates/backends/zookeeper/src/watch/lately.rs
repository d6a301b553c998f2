//! Records that were written a moment ago: one that goes right after is being replaced.
//!
//! A record that is replaced goes and comes in one transaction, of which the server tells in two events, at times in two
//! packets. Who replaces one of ours writes it first, in the same transaction, and so tells from a record that only goes.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

/// How far apart the events of one transaction may come.
const APART: Duration = Duration::from_millis(50);

/// When records were written, for as long as that matters.
#[derive(Debug, Default)]
pub(super) struct Lately(BTreeMap<String, Instant>);

impl Lately {
    /// A record that is known was written.
    pub(super) fn wrote(&mut self, child: &str, now: Instant) {
        self.0.insert(child.to_owned(), now);
    }

    /// Until when the return of records is waited for that were written and are gone: none when there are none. False: gone.
    pub(super) fn halves_until(&self, moved: &BTreeMap<String, bool>) -> Option<Instant> {
        let gone = moved.iter().filter(|(_, there)| !**there);
        gone.filter_map(|(child, _)| self.0.get(child)).max().map(|wrote| *wrote + APART)
    }

    /// Forgets what was too long ago.
    pub(super) fn forget(&mut self, now: Instant) {
        self.0.retain(|_, wrote| *wrote + APART > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(child: &str, there: bool) -> BTreeMap<String, bool> {
        BTreeMap::from([(child.to_owned(), there)])
    }

    #[test]
    fn only_a_record_that_goes_right_after_it_was_written_is_waited_for() {
        let now = Instant::now();
        let mut lately = Lately::default();
        assert_eq!(lately.halves_until(&moved("one", false)), None);
        lately.wrote("one", now);
        assert_eq!(lately.halves_until(&moved("one", false)), Some(now + APART));
        assert_eq!(lately.halves_until(&moved("one", true)), None, "it is back");
        assert_eq!(lately.halves_until(&moved("two", false)), None);
        lately.forget(now + APART);
        assert_eq!(lately.halves_until(&moved("one", false)), None);
    }
}
