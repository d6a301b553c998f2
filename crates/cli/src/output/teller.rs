//! Tells events without waiting for the reader: whoever has a child to stop or an instance to withdraw must not be held up.

use std::{future, pin::Pin};

use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesOrdered};

use super::{Broken, LAST_LINES, Output, Say};

/// How many lines may wait here, beside those that wait for the writer. More than a reader that is alive lets pile up.
const WAITING: usize = 64;

type Line<'a> = Pin<Box<dyn Future<Output = Result<(), Broken>> + Send + 'a>>;

/// Lines on their way, in the order in which they were said.
pub(crate) struct Teller<'a> {
    output: &'a Output,
    lines: FuturesOrdered<Line<'a>>,
    broken: Option<Broken>,
    silent: bool,
}

impl<'a> Teller<'a> {
    pub(crate) fn new(output: &'a Output) -> Self {
        Self { output, lines: FuturesOrdered::new(), broken: None, silent: false }
    }

    /// Sends a line on its way.
    pub(crate) fn say(&mut self, what: impl Say + Send + 'a) {
        if self.silent {
            return;
        }
        let output = self.output;
        self.lines.push_back(Box::pin(async move { output.say(&what).await }));
        // The first look hands it to the writer; what has been written by now is done with.
        while let Some(Some(told)) = self.lines.next().now_or_never() {
            if let Err(broken) = told {
                self.broken.get_or_insert(broken);
            }
        }
    }

    /// Whether everything has been written.
    pub(crate) fn is_done(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether the reader is so far behind that nothing should be added.
    pub(crate) fn is_full(&self) -> bool {
        self.lines.len() >= WAITING
    }

    /// Says nothing from now on.
    pub(crate) fn fall_silent(&mut self) {
        self.silent = true;
        self.lines.clear();
    }

    /// Waits until a line has been written or nothing can be printed any more; for ever while there is nothing to write. Dropping the
    /// future loses no line.
    pub(crate) async fn told(&mut self) -> Result<(), Broken> {
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        tokio::select! {
            Some(told) = self.lines.next() => told,
            broken = self.output.broken() => Err(broken),
            () = future::pending() => Ok(()),
        }
    }

    /// Waits until everything has been written, but not for long.
    pub(crate) async fn finish(&mut self) -> Result<(), Broken> {
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        let lines = &mut self.lines;
        let written = async {
            while let Some(told) = lines.next().await {
                told?;
            }
            Ok(())
        };
        // A reader that has stopped reading is one that has gone.
        tokio::time::timeout(LAST_LINES, written).await.unwrap_or(Err(Broken::Pipe))
    }
}
