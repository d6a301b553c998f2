//! Who leads, and who stands in line.

use std::{io, path::Path, sync::Arc};

use reception_core::{FencingToken, Leader, Result};
use reception_kit::{Break, Holder, Source, record};

use super::term::Term;
use crate::{
    layout::{Room, number},
    listener::{Listener, Look},
    records::{self, Seen},
    session::Session,
    watch::Mark,
};

const OBSERVE: &str = "observe";

/// The leader: whoever the term names, as long as it lives.
pub(crate) fn leader(room: &Room) -> io::Result<Option<Leader>> {
    let Some(term) = Term::read(room)? else { return Ok(None) };
    Ok(alive(room, &term.ticket)?.map(|value| seen(term.token, &value)))
}

/// Everyone who stands: the leader first, then by ticket. Who waits has no token yet.
pub(super) fn line(room: &Room) -> io::Result<Vec<Leader>> {
    let term = Term::read(room)?;
    let waiting = FencingToken::new(term.as_ref().map_or([0; 16], |term| term.token.domain()), 0);
    let leads = |ticket: &str| term.as_ref().is_some_and(|term| term.ticket == ticket);
    let mut tickets = tickets(room)?;
    tickets.sort_by_key(|ticket| !leads(ticket));
    let mut line = Vec::new();
    let mut dead = false;
    for ticket in tickets {
        let token = term.as_ref().filter(|_| leads(&ticket)).map_or(waiting, |term| term.token);
        match alive(room, &ticket)? {
            Some(value) => line.push(seen(token, &value)),
            None => dead = true,
        }
    }
    if dead {
        sweep(room);
    }
    Ok(line)
}

/// Takes away what dead candidates left; another one does it when this one cannot.
pub(super) fn sweep(room: &Room) {
    drop(records::sweep(room, |id, bytes| number(id).is_some() && record::decode_candidate(bytes).is_ok()));
}

/// The tickets in their order, those of the dead too.
pub(super) fn tickets(room: &Room) -> io::Result<Vec<String>> {
    let mut tickets = records::ids(&room.records())?;
    tickets.retain(|ticket| number(ticket).is_some());
    tickets.sort_unstable();
    Ok(tickets)
}

/// What a living candidate wrote.
pub(super) fn alive(room: &Room, ticket: &str) -> io::Result<Option<Vec<u8>>> {
    // The name stands in a file: it must not lead anywhere else.
    if number(ticket).is_none() {
        return Ok(None);
    }
    Ok(match records::look(room, ticket, None)? {
        Seen::Live(_, bytes) => bytes,
        _ => None,
    })
}

fn seen(token: FencingToken, value: &[u8]) -> Leader {
    Leader::new(token, record::decode_candidate(value).ok(), value)
}

/// Who leads an election, as it changes.
#[derive(Debug)]
pub(crate) struct Leaders {
    session: Arc<Session>,
    room: Room,
    listener: Option<Listener>,
    mark: Option<Mark>,
    holder: Holder,
}

impl Leaders {
    pub(crate) fn new(session: Arc<Session>, room: Room) -> Self {
        Self { session, room, listener: None, mark: None, holder: Holder::default() }
    }

    /// Reads who leads, listening from before.
    async fn read(&mut self) -> Result<Holder> {
        let (room, listener) = (self.room.clone(), self.listener.take());
        let notices = Arc::clone(&self.session.notices);
        let work = move |root: &Path| {
            room.make(root)?;
            let listener = listener.unwrap_or_else(|| Listener::new(notices.open(&room.signs())));
            let mark = Mark::of(&room)?;
            Ok((listener, mark, leader(&room)?))
        };
        let (listener, mark, leader) = self.session.work(OBSERVE, work).await?;
        (self.listener, self.mark) = (Some(listener), Some(mark));
        Ok(Holder::from(leader))
    }
}

impl Source for Leaders {
    type View = Holder;

    async fn list(&mut self) -> Result<Holder> {
        self.listener = None;
        self.holder = self.read().await?;
        Ok(self.holder.clone())
    }

    /// Listening began before the list, and whatever breaks makes a new list.
    async fn resume(&mut self) -> Result<Holder, Break> {
        Ok(self.holder.clone())
    }

    async fn next(&mut self) -> Result<Holder, Break> {
        loop {
            let Some(listener) = &mut self.listener else { return std::future::pending().await };
            match listener.next().await {
                Look::Files(_) => {}
                Look::Glance | Look::Review => listener.reviewed(),
                Look::Anew => self.listener = None,
            }
            let before = self.mark;
            let holder = self.read().await.map_err(Break::Gap)?;
            if self.mark.map(|mark| mark.signs()) != before.map(|mark| mark.signs()) {
                // Another folder stands there: listen to that one.
                self.listener = None;
                self.holder = self.read().await.map_err(Break::Gap)?;
                return Ok(self.holder.clone());
            }
            if holder != self.holder {
                self.holder = holder;
                return Ok(self.holder.clone());
            }
        }
    }
}
