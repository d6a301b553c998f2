//! What the contenders of a field have written down, as it is waited for.

use std::time::Duration;

use reception_lab::history::{Event, Line};
use tokio::time::{Instant, sleep};

use super::field::{Field, must, told};
use crate::scenario::Outcome;

impl Field {
    /// Reads what was written meanwhile.
    pub(crate) fn read(&mut self) -> Outcome {
        let more = self.reader.more().map_err(told)?;
        self.lines.extend(more);
        Ok(())
    }

    /// The first line from `ns` on that fits, waited for until `limit` after now.
    pub(crate) async fn until(
        &mut self,
        what: &str,
        from: u64,
        limit: Duration,
        fits: impl Fn(&Line) -> bool,
    ) -> Result<Line, String> {
        let end = Instant::now() + limit;
        let mut read = 0;
        loop {
            // Asked before reading: what was written in time is then all there.
            let late = Instant::now() >= end;
            self.read()?;
            let fresh = &self.lines[read..];
            if let Some(line) = fresh.iter().find(|line| line.ns >= from && fits(line)) {
                return Ok(line.clone());
            }
            read = self.lines.len();
            if late {
                return Err(format!("no {what} within {limit:?}"));
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Who is elected from `ns` on, within `limit`.
    pub(crate) async fn elected(&mut self, from: u64, limit: Duration) -> Result<Line, String> {
        self.until("new leader", from, limit, |line| line.event == Event::Elected).await
    }

    /// Who was elected last.
    pub(crate) fn elected_last(&mut self) -> Result<Line, String> {
        self.read()?;
        let last = self.lines.iter().rev().find(|line| line.event == Event::Elected);
        last.cloned().ok_or_else(|| "nobody was elected".to_owned())
    }

    /// Who leads: elected last, and it has not said since that it leads no more; waited for until `limit` after now.
    pub(crate) async fn leads(&mut self, limit: Duration) -> Result<Line, String> {
        let end = Instant::now() + limit;
        loop {
            let late = Instant::now() >= end;
            let last = self.elected_last()?;
            let over = |line: &Line| {
                line.pid == last.pid
                    && line.ns > last.ns
                    && matches!(line.event, Event::Lost | Event::Resigning)
            };
            if !self.lines.iter().any(over) {
                return Ok(last);
            }
            must(!late, || format!("nobody leads after {last} within {limit:?}"))?;
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// That this one says from `ns` on that it leads no more, within `limit`.
    pub(crate) async fn lost(&mut self, pid: u32, from: u64, limit: Duration) -> Result<Line, String> {
        let what = format!("word of {pid} that it leads no more");
        self.until(&what, from, limit, |line| line.event == Event::Lost && line.pid == pid).await
    }

    /// Lines of this process and kind between two times.
    pub(crate) fn said(&self, pid: u32, event: Event, from: u64, to: u64) -> usize {
        let fits = |line: &&Line| line.pid == pid && line.event == event && (from..to).contains(&line.ns);
        self.lines.iter().filter(fits).count()
    }

    /// Waits until the last view of every watch of these is exactly `ids`.
    pub(crate) async fn all_see(&mut self, pids: &[u32], ids: &[String], limit: Duration) -> Outcome {
        let end = Instant::now() + limit;
        loop {
            let late = Instant::now() >= end;
            self.read()?;
            let view = |pid: &u32| {
                let shown = |line: &&Line| line.pid == *pid && line.event == Event::Snapshot;
                let last = self.lines.iter().rev().find(shown)?;
                Some(last.details.list("ids")?.map(str::to_owned).collect::<Vec<_>>())
            };
            let wrong: Vec<_> = pids
                .iter()
                .map(|pid| (pid, view(pid)))
                .filter(|(_, view)| view.as_deref() != Some(ids))
                .collect();
            if wrong.is_empty() {
                return Ok(());
            }
            must(!late, || format!("after {limit:?} not all views are {ids:?}: {wrong:?}"))?;
            sleep(Duration::from_millis(20)).await;
        }
    }
}
