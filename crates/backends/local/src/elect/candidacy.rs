//! One candidate: its ticket, its wait, and the lock that it holds while it leads.

use std::{io, path::Path, sync::Arc, time::Duration};

use reception_core::{Clock, Error, ErrorKind, FencingToken, Result};
use reception_kit::{Claim, Pulse, Won, sleep_until};

use super::{
    OPERATION,
    leaders::{alive, sweep, tickets},
    term::Term,
};
use crate::{
    layout::{self, Room, number},
    listener::{Listener, Look},
    records::{self, Identity, Put},
    session::{Files, Grip, Session, removed},
};

/// How often a leader looks whether its lock is still the one that others would take.
const CHECK: Duration = Duration::from_millis(100);
/// A lock file that no leader is known to have held may be new because a hand removed the one that a leader still holds: that one notices well
/// within this time, and nobody leads before it.
const GRACE: Duration = Duration::from_millis(600);
/// Between two tries at a lock that its last holder is about to let go.
const KNOCK: Duration = Duration::from_millis(20);

/// The place of one candidate on this machine.
#[derive(Debug)]
pub(super) struct Candidacy {
    session: Arc<Session>,
    room: Room,
    value: Vec<u8>,
    grip: Arc<Grip>,
    listener: Option<Listener>,
    /// The looks, a glance apart, that found nobody leading though another one is before us.
    idle: u32,
}

/// Where a candidate stands.
#[derive(Debug)]
enum Turn {
    /// Somebody is before us; whether anybody leads.
    Behind {
        led: bool,
    },
    /// Nobody is before us, but the lock is held.
    Locked,
    /// The lock is ours, and we wait for a holder of an older one to notice.
    Early,
    Won(FencingToken),
    /// Our own record is gone.
    Gone,
}

impl Candidacy {
    pub(super) fn new(session: Arc<Session>, room: Room, value: Vec<u8>) -> Self {
        let grip = session.grip();
        Self { session, room, value, grip, listener: None, idle: 0 }
    }

    /// Takes a ticket, unless one is held, and listens from before.
    async fn stand(&mut self) -> Result<()> {
        let (room, value) = (self.room.clone(), self.value.clone());
        let stood = self.session.insist(OPERATION, &self.grip, &self.room, move |root, files| {
            room.make(root)?;
            if files.record.is_some() {
                return Ok(Some(()));
            }
            sweep(&room);
            let last = tickets(&room)?.last().and_then(|ticket| number(ticket)).unwrap_or(0);
            let ticket = layout::ticket(last.saturating_add(1));
            match records::put(&room, &ticket, &mut files.record, false, |_| value.clone())? {
                Put::Done => files.ticket = Some(ticket),
                _ => return Ok(None),
            }
            Ok(Some(()))
        });
        stood.await?;
        if self.listener.is_none() {
            let (room, notices) = (self.room.clone(), Arc::clone(&self.session.notices));
            let open = move |_: &Path| Ok(Listener::new(notices.open(&room.signs())));
            self.listener = Some(self.session.work(OPERATION, open).await?);
        }
        Ok(())
    }

    async fn turn(&self, impatient: bool, waited: bool) -> Result<Turn> {
        let room = self.room.clone();
        let look = move |_: &Path, files: &mut Files| turn(&room, files, impatient, waited).map(Some);
        self.session.insist(OPERATION, &self.grip, &self.room, look).await
    }

    /// Waits for a reason to look again.
    async fn wait(&mut self, led: bool) {
        let Some(listener) = &mut self.listener else { return };
        match listener.next().await {
            Look::Files(_) => {}
            Look::Glance | Look::Review => {
                listener.reviewed();
                self.idle = if led { 0 } else { self.idle + 1 };
            }
            Look::Anew => {
                self.listener = None;
                self.idle = if led { 0 } else { self.idle + 1 };
            }
        }
    }

    /// Why a leader leads no more; None while it does.
    async fn check(&self) -> Option<Error> {
        let (room, grip) = (self.room.clone(), Arc::clone(&self.grip));
        let look = move |_: &Path| holds(&room, &grip.files());
        match self.session.work(OPERATION, look).await {
            Ok(true) => None,
            Ok(false) => Some(removed(OPERATION)),
            // The threads for blocking work are busy with other things: nothing is known.
            Err(error) if error.kind() == ErrorKind::Timeout => None,
            Err(error) => Some(error),
        }
    }
}

/// Whether the lock and the ticket that we hold are those that others see.
fn holds(room: &Room, files: &Files) -> io::Result<bool> {
    let (Some((_, lock)), Some(record), Some(ticket)) = (&files.lock, &files.record, &files.ticket) else {
        return Ok(false);
    };
    Ok(Identity::at(&room.lock())? == Some(*lock) && record.stands(&room.record(ticket))?)
}

fn turn(room: &Room, files: &mut Files, impatient: bool, waited: bool) -> io::Result<Turn> {
    let (Some(ticket), Some(record)) = (files.ticket.clone(), &mut files.record) else {
        return Ok(Turn::Gone);
    };
    if !record.stands(&room.record(&ticket))? {
        return Ok(Turn::Gone);
    }
    if files.lock.is_none() {
        if !impatient && is_behind(room, &ticket)? {
            let led = Term::read(room)?.map_or(Ok(None), |term| alive(room, &term.ticket))?.is_some();
            return Ok(Turn::Behind { led });
        }
        let lock = records::open_lock(&room.lock())?;
        if !records::lock(&lock)? {
            return Ok(Turn::Locked);
        }
        let identity = Identity::of_file(&lock)?;
        files.lock = Some((lock, identity));
    }
    let Some((lock, identity)) = &files.lock else { return Ok(Turn::Locked) };
    if Identity::at(&room.lock())? != Some(*identity) {
        drop(lock.unlock());
        files.lock = None;
        return Ok(Turn::Locked);
    }
    let term = Term::read(room)?;
    if !waited && term.as_ref().is_none_or(|term| term.lock != *identity) {
        return Ok(Turn::Early);
    }
    let next = Term::after(term.as_ref(), &ticket, *identity)?;
    next.write(room)?;
    record.give_sign(&room.sign(&ticket))?;
    Ok(Turn::Won(next.token))
}

fn is_behind(room: &Room, ticket: &str) -> io::Result<bool> {
    for other in tickets(room)?.iter().take_while(|other| other.as_str() < ticket) {
        if alive(room, other)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Claim for Candidacy {
    async fn win(&mut self) -> Result<Won> {
        let mut waited = false;
        self.idle = 0;
        loop {
            self.stand().await?;
            // Who is before us may be stopped: the line is a courtesy, and after a second without a leader whoever can leads.
            let impatient = self.idle > 1;
            match self.turn(impatient, waited).await? {
                Turn::Won(token) => {
                    self.listener = None;
                    return Ok(Won::forever(token));
                }
                Turn::Behind { led } => self.wait(led).await,
                Turn::Locked => sleep_until(&Clock::BOOT, Clock::BOOT.now().saturating_add(KNOCK)).await,
                Turn::Early => {
                    sleep_until(&Clock::BOOT, Clock::BOOT.now().saturating_add(GRACE)).await;
                    waited = true;
                }
                // The caller waits a little before we stand again.
                Turn::Gone => {
                    self.release().await?;
                    return Err(removed(OPERATION));
                }
            }
        }
    }

    async fn pulse(&mut self) -> Pulse {
        loop {
            sleep_until(&Clock::BOOT, Clock::BOOT.now().saturating_add(CHECK)).await;
            if let Some(error) = self.check().await {
                return Pulse::Lost(error);
            }
        }
    }

    /// To let the locks go is to be gone; the ticket's name is nobody else's, so that its files need no gate.
    async fn release(&mut self) -> Result<()> {
        self.listener = None;
        self.grip.next_round();
        let (room, grip) = (self.room.clone(), Arc::clone(&self.grip));
        let released = self.session.supervisor().blocking("resign", move || {
            let mut files = grip.files();
            let (record, ticket, lock) = (files.record.take(), files.ticket.take(), files.lock.take());
            if let Some((record, ticket)) = record.as_ref().zip(ticket.as_ref()) {
                record.let_go();
                drop(records::remove(&room.record(ticket)));
            }
            if let Some((lock, _)) = &lock {
                drop(lock.unlock());
            }
            // Last, since it wakes who waits for the lock.
            if let Some(ticket) = &ticket {
                drop(records::remove(&room.sign(ticket)));
            }
        });
        released.await
    }
}
