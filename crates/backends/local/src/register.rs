//! One registration: a record that this process holds the lock on.

use std::{sync::Arc, time::Duration};

use reception_core::{Clock, Error, Moment, OnConflict, Result, Service};
use reception_kit::{Attempt, News, Slot, record, sleep_until};

use crate::{
    error::{io, taken},
    layout::Room,
    records::{self, Put, Seen},
    session::{Grip, Hold, Session, removed},
};

const OPERATION: &str = "register";
/// How often an owner looks whether its record stands: a hand from outside, or another owner, may have taken it away.
const CHECK: Duration = Duration::from_millis(500);
/// With many records of one client it looks less often, so that all looks together stay few.
const CHECK_EACH: Duration = Duration::from_millis(2);
const CHECK_MOST: Duration = Duration::from_secs(10);
/// How often one that waits for a dying owner looks whether it is gone.
const WAIT: Duration = Duration::from_millis(40);
/// Files that stay behind are dead and the next reader's to take away, so a withdrawal does not insist for long.
const TIDY: Duration = Duration::from_secs(1);

/// The place of one registration on this machine.
#[derive(Debug)]
pub(crate) struct Place {
    session: Arc<Session>,
    room: Room,
    id: String,
    grip: Arc<Grip>,
    hold: Hold,
    check_at: Moment,
    /// Whether the keeper was told that the folder cannot be used.
    troubled: bool,
}

/// How a record stands.
enum Standing {
    Ours,
    Missing,
    Others,
    /// Nothing of ours was written: the id is waited for, and whether it is free.
    Waiting(bool),
}

impl Place {
    pub(crate) fn new(session: Arc<Session>, room: Room, service: &Service, hold: Hold) -> Self {
        let grip = session.grip();
        let id = service.id().as_str().to_owned();
        Self { session, room, id, grip, hold, check_at: Clock::BOOT.now(), troubled: false }
    }

    async fn stands(&self) -> Result<Standing> {
        let (grip, room, id) = (Arc::clone(&self.grip), self.room.clone(), self.id.clone());
        let look = move |_: &std::path::Path| {
            let files = grip.files();
            let Some(owned) = &files.record else {
                return Ok(Standing::Waiting(!matches!(records::look(&room, &id, None)?, Seen::Live(..))));
            };
            Ok(match owned.stands(&room.record(&id))? {
                true => Standing::Ours,
                false if matches!(records::look(&room, &id, None)?, Seen::Live(..)) => Standing::Others,
                false => Standing::Missing,
            })
        };
        self.session.work(OPERATION, look).await
    }

    /// Whether a look is news.
    fn judge(&mut self, seen: Result<Standing>) -> Option<News> {
        let standing = match seen {
            Ok(standing) => standing,
            Err(error) if self.troubled => {
                tracing::debug!(%error, "the folder cannot be used");
                return None;
            }
            Err(error) => {
                self.troubled = true;
                return Some(News::Doubtful(error));
            }
        };
        let recovered = std::mem::take(&mut self.troubled);
        match standing {
            Standing::Ours | Standing::Waiting(false) => recovered.then_some(News::Healthy),
            Standing::Waiting(true) => Some(News::Healthy),
            Standing::Missing => Some(News::Lost(removed(OPERATION))),
            Standing::Others => Some(News::Taken(taken(OPERATION))),
        }
    }

    /// How long until the next look.
    fn span(&self) -> Duration {
        if self.grip.files().record.is_none() {
            return WAIT;
        }
        CHECK.max(CHECK_EACH * self.session.claims()).min(CHECK_MOST)
    }
}

impl Slot for Place {
    async fn write(&mut self, service: &Service, attempt: Attempt) -> Result<()> {
        let fresh = record::encode(service)?;
        let replace = attempt == Attempt::First(OnConflict::Replace);
        let (room, id, service) = (self.room.clone(), self.id.clone(), service.clone());
        let put = self.session.insist(OPERATION, &self.grip, &self.room, move |root, files| {
            room.make(root)?;
            let bytes = |previous: Option<&[u8]>| {
                let kept = previous.and_then(|previous| record::encode_over(&service, previous).ok());
                kept.unwrap_or_else(|| fresh.clone())
            };
            Ok(match records::put(&room, &id, &mut files.record, replace, bytes)? {
                Put::Done => Some(Ok(())),
                Put::Taken => Some(Err(taken(OPERATION))),
                Put::Busy => None,
            })
        });
        let outcome = put.await?;
        self.check_at = Clock::BOOT.now().saturating_add(self.span());
        outcome
    }

    /// To let the lock go is to be gone; taking the file away is tidiness, and whoever reads next may do it.
    async fn withdraw(&mut self) -> Result<()> {
        self.hold.leave();
        self.grip.next_round();
        let until = Clock::BOOT.now().saturating_add(TIDY.min(self.session.timeout() / 2));
        loop {
            let (grip, room, id) = (Arc::clone(&self.grip), self.room.clone(), self.id.clone());
            let tidied = self.session.supervisor().blocking("close", move || {
                let mut files = grip.files();
                let Some(owned) = &files.record else { return Ok(true) };
                owned.let_go();
                let tidied = owned.tidy(&room, &id);
                if !matches!(tidied, Ok(false)) {
                    files.record = None;
                }
                tidied
            });
            match tidied.await? {
                Ok(false) if Clock::BOOT.now() < until => {
                    sleep_until(&Clock::BOOT, Clock::BOOT.now().saturating_add(Duration::from_millis(3)))
                        .await;
                }
                Ok(_) => break,
                Err(error) => {
                    let left: Error = io("close", self.session.root(), error);
                    tracing::debug!(%left, "a dead record is left behind");
                    break;
                }
            }
        }
        self.grip.files().record = None;
        Ok(())
    }

    async fn news(&mut self) -> News {
        loop {
            sleep_until(&Clock::BOOT, self.check_at).await;
            let seen = self.stands().await;
            self.check_at = Clock::BOOT.now().saturating_add(self.span());
            if let Some(news) = self.judge(seen) {
                return news;
            }
        }
    }
}
