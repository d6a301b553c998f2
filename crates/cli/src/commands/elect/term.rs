//! When the child of a leader is told to end, and when it is killed.
//!
//! ```text
//! elected ──────────────────────── R/5 left ───── R/10 left ───── deadline ── a rival may lead
//!               the child works     SIGTERM        SIGKILL
//! ```
//! R is the largest span to the deadline that was seen in this term. Nothing here waits or reads a clock.

use std::time::Duration;

use reception::Moment;

/// The part of the term that is left when the child is told to end.
const TERMINATE: u32 = 5;
/// The part that is left when it is killed.
const KILL: u32 = 10;
/// A process needs this long to end, whatever the term.
const LEAST: Duration = Duration::from_millis(100);
/// How often to look: a renewal is not announced, and the runtime's timer stops while the machine sleeps.
const NAP: Duration = Duration::from_millis(100);

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Kill,
    Terminate,
    /// Look again after this long, or as soon as something happens.
    Wait(Duration),
}

/// The child's time in one leadership.
#[derive(Debug)]
pub(super) struct Term {
    kill_after: Duration,
    longest: Duration,
    /// Since the deadline came too near: when the child is killed, even if the store answers in the meantime.
    doubt: Option<Moment>,
    /// Since we were asked to stop: when the child is killed.
    stop: Option<Moment>,
    terminated: bool,
    killed: bool,
}

impl Term {
    pub(super) fn new(kill_after: Duration) -> Self {
        Self {
            kill_after,
            longest: Duration::ZERO,
            doubt: None,
            stop: None,
            terminated: false,
            killed: false,
        }
    }

    /// We are to stop; asked again, at once.
    pub(super) fn stop(&mut self, now: Moment) {
        self.stop = Some(match self.stop {
            None => now.saturating_add(self.kill_after),
            Some(_) => now,
        });
    }

    /// Whether the child had to end for the sake of the deadline.
    pub(super) fn is_doubted(&self) -> bool {
        self.doubt.is_some()
    }

    /// Looks at the span to the deadline: zero when the leadership is lost, `Duration::MAX` when nothing expires.
    pub(super) fn look(&mut self, now: Moment, remaining: Duration) -> Step {
        let expires = remaining != Duration::MAX;
        if expires && !remaining.is_zero() {
            self.longest = self.longest.max(remaining);
            self.question(now, remaining);
        }
        let due = [self.doubt, self.stop].into_iter().flatten().min();
        if self.killed {
            return Step::Wait(NAP);
        }
        if remaining.is_zero() || due.is_some_and(|due| due <= now) {
            self.killed = true;
            return Step::Kill;
        }
        if due.is_some() && !self.terminated {
            self.terminated = true;
            return Step::Terminate;
        }
        let mut wait = due.unwrap_or(Moment::NEVER).saturating_since(now);
        if expires {
            wait =
                wait.min(NAP).min(remaining.saturating_sub(self.first_mark()).max(Duration::from_millis(1)));
        }
        Step::Wait(wait)
    }

    /// Doubts once the deadline is too near.
    fn question(&mut self, now: Moment, remaining: Duration) {
        if self.doubt.is_none() && remaining <= self.first_mark() {
            self.doubt = Some(now.saturating_add(remaining.saturating_sub(self.kill_mark())));
        }
    }

    fn first_mark(&self) -> Duration {
        (self.longest / TERMINATE).max(self.kill_mark())
    }

    fn kill_mark(&self) -> Duration {
        (self.longest / KILL).max(LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(millis: u64) -> Moment {
        Moment::from_duration(Duration::from_secs(1_000) + Duration::from_millis(millis))
    }

    /// Looks every millisecond at a term whose deadline moves as `deadline` tells, and notes what is done when.
    fn played(term: &mut Term, until: u64, deadline: impl Fn(u64) -> Moment) -> Vec<(u64, Step)> {
        let steps = (0..until)
            .map(|millis| (millis, term.look(at(millis), deadline(millis).saturating_since(at(millis)))));
        steps.filter(|(_, step)| !matches!(step, Step::Wait(_))).collect()
    }

    fn term() -> Term {
        Term::new(Duration::from_secs(10))
    }

    #[test]
    fn without_an_answer_it_is_told_at_a_fifth_and_killed_at_a_tenth() {
        let steps = played(&mut term(), 12_000, |_| at(10_000));
        assert_eq!(steps, [(8_000, Step::Terminate), (9_000, Step::Kill)]);
    }

    #[test]
    fn renewals_keep_it_working() {
        let mut term = term();
        let steps = played(&mut term, 60_000, |millis| at(millis / 3_000 * 3_000 + 10_000));
        assert!(steps.is_empty() && !term.is_doubted(), "{steps:?}");
    }

    #[test]
    fn the_longest_span_counts_not_the_last() {
        let deadline = |millis| if millis < 1_000 { at(20_000) } else { at(10_000) };
        let steps = played(&mut term(), 12_000, deadline);
        assert_eq!(steps, [(6_000, Step::Terminate), (8_000, Step::Kill)]);
    }

    #[test]
    fn doubt_is_not_taken_back() {
        let mut term = term();
        let steps = played(&mut term, 12_000, |millis| if millis < 8_500 { at(10_000) } else { at(30_000) });
        assert_eq!(steps, [(8_000, Step::Terminate), (9_000, Step::Kill)]);
        assert!(term.is_doubted());
    }

    #[test]
    fn a_short_term_leaves_time_to_kill() {
        let steps = played(&mut term(), 1_000, |_| at(400));
        assert_eq!(steps, [(300, Step::Kill)]);
    }

    #[test]
    fn who_wakes_after_the_deadline_kills_at_once_and_has_no_doubt_to_tell() {
        let mut term = term();
        assert!(matches!(term.look(at(0), Duration::from_secs(10)), Step::Wait(_)));
        assert_eq!(term.look(at(20_000), Duration::ZERO), Step::Kill);
        assert!(!term.is_doubted());
    }

    #[test]
    fn who_wakes_between_the_marks_kills_at_once() {
        let mut term = term();
        term.look(at(0), Duration::from_secs(10));
        assert_eq!(term.look(at(9_500), MS * 500), Step::Kill);
        assert!(term.is_doubted());
    }

    #[test]
    fn where_nothing_expires_only_a_stop_or_a_loss_ends_it() {
        let mut term = term();
        assert_eq!(term.look(at(0), Duration::MAX), Step::Wait(Duration::MAX));
        term.stop(at(5));
        assert_eq!(term.look(at(5), Duration::MAX), Step::Terminate);
        assert_eq!(term.look(at(5), Duration::MAX), Step::Wait(Duration::from_secs(10)));
        assert_eq!(term.look(at(10_005), Duration::MAX), Step::Kill);
        assert!(!term.is_doubted());
    }

    #[test]
    fn a_second_stop_kills_at_once() {
        let mut term = term();
        term.stop(at(0));
        assert_eq!(term.look(at(0), Duration::MAX), Step::Terminate);
        term.stop(at(100));
        assert_eq!(term.look(at(100), Duration::MAX), Step::Kill);
        assert!(matches!(term.look(at(100), Duration::MAX), Step::Wait(_)));
    }

    #[test]
    fn a_stop_does_not_hide_the_deadline() {
        let mut term = Term::new(Duration::from_secs(60));
        term.stop(at(0));
        let steps = played(&mut term, 12_000, |_| at(10_000));
        assert_eq!(steps, [(0, Step::Terminate), (9_000, Step::Kill)]);
    }
}
