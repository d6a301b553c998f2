//! Following a service: its events, and what they ask to be read.

use reception_core::{Error, ErrorKind, Patch, Result, ServiceId, Snapshot};
use reception_kit::{Break, Source};
use tokio::time::{Instant, timeout_at};

use super::{
    Found, Instances, OPERATION,
    members::Change,
    node::{numbered, sorted},
    stream::{Event, Stream},
};
use crate::error::error;

impl Instances {
    /// Takes note of an event; an error when the stream has broken.
    fn note(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::Broken => Err(error(
                ErrorKind::Unavailable,
                OPERATION,
                format!("the link is broken; tried {}", self.session.tried()),
            )),
            Event::Gone(path) => {
                match (child(&self.folder, &path), self.records.as_ref()) {
                    (Some(child), _) => drop(self.moved.insert(child.to_owned(), false)),
                    (None, Some(records)) => self.look_at(child(records, &path)),
                    (None, None) => {}
                }
                Ok(())
            }
            Event::There(path) => {
                let records = self.records.as_ref().and_then(|records| child(records, &path));
                self.look_at(child(&self.folder, &path).or(records));
                Ok(())
            }
        }
    }

    fn look_at(&mut self, child: Option<&str>) {
        let Some(child) = child else { return };
        if ServiceId::foreign(child).is_ok_and(|key| self.known.contains_key(&key)) {
            self.lately.wrote(child, Instant::now());
        }
        self.moved.insert(child.to_owned(), true);
    }

    /// Takes note of all that has come.
    fn note_all(&mut self) -> Result<(), Error> {
        while let Some(event) = self.stream.as_mut().and_then(Stream::ready) {
            self.note(event)?;
        }
        Ok(())
    }

    /// Waits for the other half of what is being replaced. Cancel safe.
    async fn note_late(&mut self) -> Result<(), Error> {
        while let Some(until) = self.lately.halves_until(&self.moved)
            && let Some(stream) = &mut self.stream
        {
            let Ok(event) = timeout_at(until, stream.next()).await else { break };
            self.note(event)?;
        }
        self.lately.forget(Instant::now());
        Ok(())
    }

    /// Reads what has moved and takes it into the view; none when that changes nothing of it.
    async fn catch_up(&mut self) -> Result<Option<Patch>, Break> {
        let unread = self.unread();
        let there = self.moved.iter().filter(|(_, there)| **there).map(|(child, _)| child.clone());
        let (wanted, mut odd) = sorted(&*self.session.paths.layout, there.collect());
        let found = self.fetch(wanted, self.session.until()).await.map_err(Break::Failed)?;
        let told = std::mem::take(&mut self.moved);
        // What the answer overtook: a record that went and came in one transaction was never gone.
        self.note_all().map_err(Break::Failed)?;
        let removed = told.into_iter().filter(|(child, there)| !there && !self.moved.contains_key(child));
        let removed: Vec<_> = removed.map(|(child, _)| (child, Found::Nothing)).collect();
        self.odd.append(&mut odd);
        let mut change = Change::default();
        for (child, record) in found.into_iter().chain(removed) {
            if matches!(record, Found::Nothing) {
                self.odd.remove(&child);
            }
            let Ok(key) = ServiceId::foreign(&child) else { continue };
            self.take(&key, record, &mut change);
        }
        self.settle(&mut change);
        let changed = !change.written.is_empty() || !change.gone.is_empty() || self.unread() != unread;
        Ok(changed.then(|| self.patch(change)))
    }
}

/// The folder that holds both.
pub(super) fn above<'a>(one: &'a str, other: &str) -> &'a str {
    let parts = one.split('/').zip(other.split('/')).take_while(|(one, other)| one == other);
    let length: usize = parts.map(|(part, _)| part.len() + 1).sum();
    &one[..length.saturating_sub(1)]
}

/// The name of a direct child.
fn child<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    let child = path.strip_prefix(folder)?.strip_prefix('/')?;
    (!child.is_empty() && !child.contains('/')).then_some(child)
}

impl Source for Instances {
    type View = Snapshot;

    async fn list(&mut self) -> Result<Snapshot> {
        self.known.clear();
        self.odd.clear();
        self.members = numbered(&self.session.paths.layout);
        self.unreadable = 0;
        let change = self.read().await?;
        let view = Snapshot::new(self.name.clone(), self.revision, change.written);
        Ok(view.with_unreadable(self.unread()))
    }

    async fn resume(&mut self) -> Result<Patch, Break> {
        if self.stream.as_ref().is_some_and(|stream| !stream.is_broken()) {
            // Just listed, with the watch before it.
            return Ok(self.patch(Change::default()));
        }
        let change = self.read().await.map_err(Break::Failed)?;
        Ok(self.patch(change))
    }

    async fn next(&mut self) -> Result<Patch, Break> {
        loop {
            if self.moved.is_empty() {
                let Some(stream) = &mut self.stream else {
                    return Err(Break::Failed(error(ErrorKind::Unavailable, OPERATION, "no watch is set")));
                };
                let event = stream.next().await;
                self.note(event).map_err(Break::Failed)?;
            }
            // All that has come meanwhile is one change; what came in one packet is told one by one.
            tokio::task::yield_now().await;
            self.note_all().map_err(Break::Failed)?;
            if !self.moved.is_empty() {
                self.note_late().await.map_err(Break::Failed)?;
                // Dropped here nothing is lost: what moved is kept until it was read.
                if let Some(patch) = self.catch_up().await? {
                    return Ok(patch);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_above_two_is_the_longest_that_holds_both() {
        assert_eq!(above("/a/b/namespaces/x", "/a/b/servers"), "/a/b");
        assert_eq!(above("/a/servers", "/a/servers"), "/a/servers");
    }

    #[test]
    fn only_direct_children_are_instances() {
        assert_eq!(child("/prod/api", "/prod/api/i-1"), Some("i-1"));
        for path in ["/prod/api", "/prod/api/", "/prod/api/i/deep", "/prod/apis/i", "/prod"] {
            assert_eq!(child("/prod/api", path), None, "{path}");
        }
    }
}
