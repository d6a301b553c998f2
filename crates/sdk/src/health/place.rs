//! The instance of one gate: brought to what is wished, one call at a time.

use std::{future::Future, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use reception_core::{
    Client, Error, ErrorKind, ListOptions, OnConflict, RegisterOptions, Registration, RegistrationState,
    Result, Retry, Service,
};
use reception_kit::Backoff;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::{GateChange, HEALTH, board::Chalk, options::GateOptions};

/// How long another owner is waited out at least: one that was told to stop a moment ago is still at it.
const LEAST_WAIT: Duration = Duration::from_secs(1);
/// The same when the other owner may be ourselves, withdrawing.
const OWN_WAIT: Duration = Duration::from_secs(10);
/// The most between two tries for an id that another owner holds.
const CONFLICT_PAUSE: Duration = Duration::from_millis(500);

/// What the instance should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Away,
    Here,
    /// Away, and the gate is over then.
    Over,
}

/// How it ended.
#[derive(Debug)]
pub(super) enum End {
    /// As it was wished, confirmed or not.
    Asked(Result<()>),
    /// By itself.
    Lost(Error),
}

/// A call to the store whose outcome is not known.
#[derive(Debug)]
struct Unknown {
    error: Error,
    /// The store was asked when the gate was over already: asking it once more takes as long again.
    at_the_end: bool,
}

/// The instance of one gate.
#[derive(Debug)]
pub(super) struct Place {
    client: Arc<dyn Client>,
    service: Service,
    options: GateOptions,
    wished: watch::Receiver<Wish>,
    backoff: Backoff,
    /// No registration has succeeded yet.
    first: bool,
    /// `Registered` was told, and nothing that takes it back.
    told: bool,
    unknown: Option<Unknown>,
}

impl Place {
    pub(super) fn new(
        client: Arc<dyn Client>,
        service: Service,
        options: GateOptions,
        wished: watch::Receiver<Wish>,
    ) -> Self {
        let backoff = Backoff::new();
        Self { client, service, options, wished, backoff, first: true, told: false, unknown: None }
    }

    /// Does what is wished until it is over.
    pub(super) async fn keep(&mut self, chalk: &Chalk) -> End {
        loop {
            let done = match self.wish() {
                Wish::Over => return End::Asked(self.finish().await),
                Wish::Away => {
                    self.stay_away(chalk).await;
                    Ok(())
                }
                Wish::Here => self.be_here(chalk).await,
            };
            match done {
                Ok(()) => {}
                Err(error) if self.wish() == Wish::Over => return End::Asked(Err(error)),
                Err(error) => return End::Lost(error),
            }
        }
    }

    fn wish(&mut self) -> Wish {
        *self.wished.borrow_and_update()
    }

    /// Waits for another wish. The sender outlives this.
    async fn other_wish(&mut self, than: Wish) {
        let _ = self.wished.wait_for(|wish| *wish != than).await;
    }

    async fn be_here(&mut self, chalk: &Chalk) -> Result<()> {
        match self.enter(chalk).await? {
            Some(registration) => {
                self.stay(&registration, chalk).await?;
                self.leave(registration, chalk).await
            }
            None => Ok(()),
        }
    }

    /// Registers, as often as it takes; None when that is no longer wished.
    async fn enter(&mut self, chalk: &Chalk) -> Result<Option<Registration>> {
        let mut contested = None;
        loop {
            let error = match self.client.register_with(self.service.clone(), self.claim()).await {
                Ok(registration) => {
                    self.backoff.reset();
                    self.unknown = None;
                    (self.first, self.told) = (false, true);
                    chalk.add(GateChange::Registered(registration.service()));
                    return Ok(Some(registration));
                }
                Err(error) => error,
            };
            let pause = self.backoff.next(&error);
            if error.kind() == ErrorKind::Conflict {
                // The owner may be ourselves, not withdrawn since the store is away: that time does not count.
                let Some(away) = self.is_away().await else { return Ok(None) };
                if away {
                    contested = None;
                } else if contested.get_or_insert_with(Instant::now).elapsed() >= self.patience() {
                    return Err(error);
                }
                if !self.pause(pause.min(CONFLICT_PAUSE), Wish::Here).await {
                    return Ok(None);
                }
                continue;
            }
            if error.retry() == Retry::Never || (self.first && self.options.first_is_fatal) {
                return Err(error);
            }
            contested = None;
            self.not_known(error, chalk);
            if !self.pause(pause, Wish::Here).await {
                return Ok(None);
            }
        }
    }

    /// Waits while the wish is this one; false when there is another.
    async fn pause(&mut self, span: Duration, wish: Wish) -> bool {
        tokio::select! {
            biased;
            () = self.other_wish(wish) => false,
            () = sleep(span) => true,
        }
    }

    /// Whether an earlier call has no answer yet and the store gives none now; None when the wish changes meanwhile.
    async fn is_away(&mut self) -> Option<bool> {
        if self.unknown.is_none() {
            return Some(false);
        }
        let looking = self.is_shown();
        tokio::select! {
            biased;
            () = self.other_wish(Wish::Here) => None,
            shown = looking => Some(shown.is_err()),
        }
    }

    /// The gate waits for a dying owner itself: between two answers nothing of ours is in the store, so that it can end at any time.
    fn claim(&self) -> RegisterOptions {
        match self.options.register.on_conflict {
            OnConflict::Replace if self.first => self.options.register,
            _ => self.options.register.on_conflict(OnConflict::Fail),
        }
    }

    fn patience(&self) -> Duration {
        // Where nobody notices a death there is nothing to wait for.
        let bound = Some(self.client.capabilities().crash_bound).filter(|bound| *bound < Duration::MAX);
        let bound = bound.unwrap_or_default();
        match self.options.register.on_conflict {
            _ if self.unknown.is_some() => bound.max(OWN_WAIT),
            OnConflict::Wait => bound.max(LEAST_WAIT),
            _ => Duration::ZERO,
        }
    }

    /// Is registered, until that is no longer wished.
    async fn stay(&mut self, registration: &Registration, chalk: &Chalk) -> Result<()> {
        let mut states = registration.changes();
        let mut doubtful = false;
        loop {
            let state = tokio::select! {
                biased;
                () = self.other_wish(Wish::Here) => return Ok(()),
                state = states.next() => state,
            };
            match state {
                Some(RegistrationState::Doubtful(error)) if !doubtful => {
                    doubtful = true;
                    chalk.add(GateChange::Doubtful(error));
                }
                Some(RegistrationState::Active) if doubtful => {
                    doubtful = false;
                    chalk.add(GateChange::Recovered);
                }
                Some(RegistrationState::Ended(error)) => return Err(error),
                Some(_) => {}
                None => {
                    return Err(Error::new(ErrorKind::Closed, HEALTH, "gate", "the registration is over"));
                }
            }
        }
    }

    async fn leave(&mut self, registration: Registration, chalk: &Chalk) -> Result<()> {
        let by_check = self.wish() != Wish::Over;
        match registration.close().await {
            Ok(()) => {
                if by_check {
                    self.withdrawn(chalk);
                }
                Ok(())
            }
            Err(error) if error.retry() == Retry::Never => Err(error),
            Err(error) => {
                self.not_known(error, chalk);
                Ok(())
            }
        }
    }

    fn withdrawn(&mut self, chalk: &Chalk) {
        self.unknown = None;
        if std::mem::take(&mut self.told) {
            chalk.add(GateChange::Withdrawn);
        }
    }

    fn not_known(&mut self, error: Error, chalk: &Chalk) {
        let at_the_end = self.wish() == Wish::Over;
        if self.unknown.is_none() {
            chalk.add(GateChange::Unconfirmed(error.clone()));
        }
        self.unknown = Some(Unknown { error, at_the_end });
    }

    /// Waits for another wish, and finds out meanwhile what became of a call without an answer.
    async fn stay_away(&mut self, chalk: &Chalk) {
        while let Some(unknown) = &self.unknown {
            let pause = self.backoff.next(&unknown.error);
            if !self.pause(pause, Wish::Away).await {
                return;
            }
            let looking = self.is_shown();
            tokio::select! {
                biased;
                () = self.other_wish(Wish::Away) => return,
                shown = looking => if matches!(shown, Ok(false)) {
                    self.backoff.reset();
                    self.withdrawn(chalk);
                },
            }
        }
        self.other_wish(Wish::Away).await;
    }

    /// Whether the store shows such an instance. The withdrawal goes on meanwhile, so what it does not show does not come back.
    fn is_shown(&self) -> impl Future<Output = Result<bool>> + Send + use<> {
        let (client, service) = (Arc::clone(&self.client), self.service.clone());
        async move {
            let list = client.list_with(service.name(), ListOptions::default().any_status(true)).await?;
            Ok(list.get(service.id().as_str()).is_some())
        }
    }

    async fn finish(&mut self) -> Result<()> {
        match self.unknown.take() {
            None => Ok(()),
            Some(unknown) if !unknown.at_the_end && matches!(self.is_shown().await, Ok(false)) => Ok(()),
            Some(unknown) => Err(unknown.error),
        }
    }
}
