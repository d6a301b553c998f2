//! What has happened to a gate: kept in order, bounded, for any number of readers.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::stream::unfold;
use reception_core::{BoxStream, Error, ErrorKind};
use tokio::sync::watch;

use super::{GateChange, HEALTH};

/// How much is kept for a reader that comes late or is slow.
pub(super) const KEPT: usize = 64;

#[derive(Debug, Default)]
struct Page {
    next: u64,
    kept: VecDeque<(u64, GateChange)>,
}

impl Page {
    fn add(&mut self, change: GateChange) {
        if self.kept.len() == KEPT {
            // What became of tries is told again soon; what became of the registration is not.
            let least = self.kept.iter().position(|(_, change)| change.is_of_a_try()).unwrap_or(0);
            self.kept.remove(least);
        }
        self.kept.push_back((self.next, change));
        self.next += 1;
    }

    fn from(&self, number: u64) -> Option<(u64, GateChange)> {
        self.kept.iter().find(|(of, _)| *of >= number).cloned()
    }
}

/// The reading half.
#[derive(Debug, Clone)]
pub(super) struct Board {
    page: Arc<Mutex<Page>>,
    added: watch::Receiver<()>,
}

/// The writing half. Dropping it ends every reader, with `Lost` if the task behind it did not come to its end.
#[derive(Debug)]
pub(super) struct Chalk {
    page: Arc<Mutex<Page>>,
    added: watch::Sender<()>,
    over: bool,
}

pub(super) fn board() -> (Chalk, Board) {
    let page = Arc::new(Mutex::new(Page::default()));
    let (sender, added) = watch::channel(());
    (Chalk { page: Arc::clone(&page), added: sender, over: false }, Board { page, added })
}

fn locked(page: &Mutex<Page>) -> MutexGuard<'_, Page> {
    page.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    /// What is kept, then each further change.
    pub(super) fn read(&self) -> BoxStream<GateChange> {
        Box::pin(unfold((self.clone(), 0), |(mut board, number)| async move {
            loop {
                board.added.mark_unchanged();
                let found = locked(&board.page).from(number);
                if let Some((of, change)) = found {
                    return Some((change, (board, of + 1)));
                }
                if board.added.changed().await.is_err() {
                    // The last change may have come between the look and the wait.
                    let (of, change) = locked(&board.page).from(number)?;
                    return Some((change, (board, of + 1)));
                }
            }
        }))
    }
}

impl Chalk {
    pub(super) fn add(&self, change: GateChange) {
        locked(&self.page).add(change);
        self.added.send_replace(());
    }

    /// The gate is over, in order.
    pub(super) fn close(mut self) {
        self.over = true;
    }

    /// The gate is over, by itself.
    pub(super) fn lose(mut self, error: Error) {
        self.add(GateChange::Lost(error));
        self.over = true;
    }
}

impl Drop for Chalk {
    fn drop(&mut self) {
        if !self.over {
            let error =
                Error::new(ErrorKind::NoRuntime, HEALTH, "gate", "the runtime ended before the gate did");
            self.add(GateChange::Lost(error));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, StreamExt as _};

    use super::*;

    fn bad(number: usize) -> GateChange {
        GateChange::Failing(number.to_string())
    }

    fn all(board: &Board) -> Vec<String> {
        let told = board.read().map(|change| format!("{change:?}")).collect::<Vec<_>>();
        told.now_or_never().expect("the board is closed")
    }

    #[test]
    fn every_reader_is_told_everything_in_order_and_ends() {
        let (chalk, board) = board();
        chalk.add(GateChange::Passing);
        let mut early = board.read();
        assert!(early.next().now_or_never().is_some());
        assert!(early.next().now_or_never().is_none());
        chalk.add(bad(1));
        assert!(early.next().now_or_never().is_some());
        chalk.close();
        assert!(early.next().now_or_never().flatten().is_none());
        assert_eq!(all(&board), ["Passing", "Failing(\"1\")"]);
    }

    #[test]
    fn a_reader_that_is_far_behind_loses_tries_before_it_loses_states() {
        let (chalk, board) = board();
        chalk.add(GateChange::Withdrawn);
        for number in 0..200 {
            chalk.add(bad(number));
        }
        chalk.add(GateChange::Recovered);
        chalk.close();
        let told = all(&board);
        assert_eq!(told.len(), KEPT);
        assert_eq!((told[0].as_str(), told[1].as_str()), ("Withdrawn", "Failing(\"138\")"));
        assert_eq!(told[KEPT - 1], "Recovered");
    }

    #[test]
    fn the_last_state_is_never_lost() {
        let (chalk, board) = board();
        for _ in 0..200 {
            chalk.add(GateChange::Withdrawn);
        }
        chalk.lose(super::super::config("on purpose"));
        assert!(all(&board).last().expect("kept").starts_with("Lost"));
    }

    #[test]
    fn a_task_that_is_dropped_is_told_as_lost() {
        let (chalk, board) = board();
        drop(chalk);
        assert!(all(&board)[0].contains("NoRuntime"));
    }
}
