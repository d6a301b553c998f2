//! Who leads an election: read once, then one watch, on the leader's key alone while there is a leader.
//!
//! A watch on all candidates would bring every one that comes and goes; the next leader is read when the one before has left.

use std::sync::Arc;

use reception_core::{ElectionName, Error, ErrorKind, Result};
use reception_kit::{Break, Holder, Source};

use super::{leader, oldest};
use crate::{
    error::error,
    layout::end_of,
    session::{Ended, Line, Position, Range, Session},
};

const OPERATION: &str = "observe";

/// The leader of one election.
#[derive(Debug)]
pub(crate) struct Observer {
    session: Arc<Session>,
    name: ElectionName,
    /// What to watch from which revision on: the leader's key, else all candidates.
    range: Option<Range>,
    line: Option<Line>,
    /// What was read last.
    at: Position,
    /// Something has changed that was not read yet.
    behind: bool,
}

impl Observer {
    pub(crate) fn new(session: &Arc<Session>, name: &ElectionName) -> Self {
        Self {
            session: Arc::clone(session),
            name: name.clone(),
            range: None,
            line: None,
            at: Position::default(),
            behind: false,
        }
    }

    async fn read(&mut self) -> Result<Holder> {
        let found = oldest(&self.session, OPERATION, self.session.brief(), &self.name).await?;
        let from = found.at.revision + 1;
        let prefix = self.session.layout.candidates(&self.name);
        self.range = Some(match &found.leader {
            Some(kv) => Range { watch: 1, key: kv.key().to_vec(), end: None, from },
            None => Range { watch: 1, end: Some(end_of(&prefix)), key: prefix.into_bytes(), from },
        });
        self.line = None;
        self.at = found.at;
        self.behind = false;
        Ok(Holder::from(found.leader.map(|kv| leader(found.domain, &kv))))
    }

    async fn open(&mut self) -> Result<()> {
        let Some(range) = &self.range else {
            return Err(error(ErrorKind::Unavailable, OPERATION, "nothing was read yet"));
        };
        let line = self.session.open(OPERATION, self.session.brief(), range).await?;
        if line.at.is_before(self.at) {
            let behind = "the server has not come as far as the one that was read";
            return Err(error(ErrorKind::Unavailable, OPERATION, behind));
        }
        self.line = Some(line);
        Ok(())
    }

    async fn reread(&mut self) -> Result<Holder, Break> {
        let read = self.read().await.map_err(Break::Failed)?;
        self.open().await.map_err(Break::Failed)?;
        Ok(read)
    }
}

impl Source for Observer {
    type View = Holder;

    async fn list(&mut self) -> Result<Holder> {
        self.read().await
    }

    async fn resume(&mut self) -> Result<Holder, Break> {
        // One read tells as much as all changes since.
        self.reread().await
    }

    async fn next(&mut self) -> Result<Holder, Break> {
        while !self.behind {
            let Some(line) = &mut self.line else { return Err(Break::Failed(no_stream())) };
            match line.answers.next(OPERATION).await {
                Ok(answer) => self.behind = !answer.events().is_empty(),
                Err(Ended::Compacted { error, .. }) => return Err(Break::Gap(error)),
                Err(Ended::Canceled { error, .. } | Ended::Failed(error)) => {
                    return Err(Break::Failed(error));
                }
            }
        }
        // Dropped here the read is made again: what is behind stays so until it was read.
        self.reread().await
    }
}

fn no_stream() -> Error {
    error(ErrorKind::Unavailable, OPERATION, "no stream is open")
}
