//! A registration: the half that its user holds and the half that its backend holds.

use std::fmt;

use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    error::{CORE, Error, ErrorKind, Result},
    service::Service,
    stream::{BoxStream, Values},
};

/// How many requests of one guard may wait; a further one waits for room.
const PENDING: usize = 4;

/// How a registration stands.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RegistrationState {
    /// The store shows the record.
    Active,
    /// The store may not show the record; repair goes on.
    Doubtful(Error),
    /// It is over: replaced by another owner (Conflict), or closed.
    Ended(Error),
}

/// A wish of the guard's user, as the backend sees it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Request {
    /// Change the record.
    Update(Service, Reply),
    /// Withdraw the record and say how it went.
    Close(Reply),
    /// The guard was dropped: withdraw the record, nobody waits.
    Abandon,
}

/// The answer to one request. Dropping it answers Closed.
#[derive(Debug)]
pub struct Reply(oneshot::Sender<Result<()>>);

impl Reply {
    pub(crate) fn pair() -> (Self, oneshot::Receiver<Result<()>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(sender), receiver)
    }

    /// Answers. A caller that no longer waits is not an error.
    pub fn send(self, outcome: Result<()>) {
        let _ = self.0.send(outcome);
    }
}

/// One registered instance: it repairs itself until it is closed, dropped or taken by another owner.
///
/// Dropping it withdraws the instance without waiting; [`close`](Registration::close) waits and says how it went. Close it before `main`
/// returns: the task that withdraws needs the runtime. `let _ = registration` drops at once. A process that is killed
/// withdraws nothing: its instances stay for at most [`Capabilities::crash_bound`](crate::Capabilities::crash_bound).
#[must_use = "dropping a registration withdraws the instance"]
pub struct Registration {
    service: watch::Receiver<Service>,
    state: watch::Receiver<RegistrationState>,
    requests: mpsc::Sender<Request>,
}

/// The backend's half of a [`Registration`]. Dropping it ends the guard with Closed.
pub struct RegistrationControl {
    service: watch::Sender<Service>,
    state: watch::Sender<RegistrationState>,
    requests: mpsc::Receiver<Request>,
    over: bool,
}

impl Registration {
    /// Makes both halves; the state is Active.
    pub fn pair(service: Service) -> (Self, RegistrationControl) {
        let (service, service_seen) = watch::channel(service);
        let (state, state_seen) = watch::channel(RegistrationState::Active);
        let (sender, requests) = mpsc::channel(PENDING);
        let guard = Self { service: service_seen, state: state_seen, requests: sender };
        (guard, RegistrationControl { service, state, requests, over: false })
    }

    /// The record as it was last accepted.
    #[must_use]
    pub fn service(&self) -> Service {
        self.service.borrow().clone()
    }

    /// How it stands.
    #[must_use]
    pub fn state(&self) -> RegistrationState {
        self.state.borrow().clone()
    }

    /// The state now, then each change; a slow reader sees the latest. Ends after `Ended`.
    #[must_use]
    pub fn changes(&self) -> BoxStream<RegistrationState> {
        Box::pin(Values::new(self.state.clone(), |state| matches!(state, RegistrationState::Ended(_))))
    }

    /// Changes the record; Ok means that the store shows it (law L1).
    ///
    /// # Errors
    /// InvalidInstance when the name or id differs; what the store answered, after which the old record stays wanted; the error that the
    /// registration ended with.
    ///
    /// # Cancel safety
    /// Dropped before the backend took the request, nothing happens; after that the update goes on.
    pub async fn update(&self, service: Service) -> Result<()> {
        {
            let have = self.service.borrow();
            if have.name() != service.name() || have.id() != service.id() {
                let context =
                    format!("an update keeps name and id, {}/{} is another", service.name(), service.id());
                return Err(Error::new(ErrorKind::InvalidInstance, CORE, "update", context));
            }
        }
        let (reply, answer) = Reply::pair();
        if self.requests.send(Request::Update(service, reply)).await.is_err() {
            return Err(self.end("update"));
        }
        answer.await.unwrap_or_else(|_| Err(self.end("update")))
    }

    /// Withdraws the instance; Ok means that the store does not show it and no write of ours can bring it back (law L6).
    ///
    /// # Errors
    /// What the store answered, or the error that the registration had ended with. After an error too it is no longer wanted:
    /// withdrawal goes on, and the store forgets it within the crash bound.
    ///
    /// # Cancel safety
    /// Dropping the future is dropping the registration: withdrawal goes on, nobody is told how it went.
    pub async fn close(self) -> Result<()> {
        let (reply, answer) = Reply::pair();
        if self.requests.send(Request::Close(reply)).await.is_err() {
            return Err(self.end("close"));
        }
        answer.await.unwrap_or_else(|_| Err(self.end("close")))
    }

    fn end(&self, operation: &'static str) -> Error {
        match &*self.state.borrow() {
            RegistrationState::Ended(error) => error.clone(),
            _ => Error::new(ErrorKind::Closed, CORE, operation, "the registration is over"),
        }
    }
}

impl RegistrationControl {
    /// The next wish of the user: `Abandon` once after the guard was dropped, then `None` for ever.
    ///
    /// # Cancel safety
    /// Dropping the future loses no request.
    pub async fn request(&mut self) -> Option<Request> {
        if self.over {
            return None;
        }
        let request = self.requests.recv().await.unwrap_or(Request::Abandon);
        self.over = matches!(request, Request::Close(_) | Request::Abandon);
        Some(request)
    }

    /// Tells how the registration stands. After `Ended` it stays ended.
    pub fn set_state(&self, state: RegistrationState) {
        self.state.send_if_modified(|have| {
            let open = !matches!(have, RegistrationState::Ended(_));
            if open {
                *have = state;
            }
            open
        });
    }

    /// Tells the record that the store accepted.
    pub fn set_service(&self, service: Service) {
        self.service.send_replace(service);
    }
}

impl Drop for RegistrationControl {
    fn drop(&mut self) {
        let over = Error::new(ErrorKind::Closed, CORE, "register", "the registration is over");
        self.set_state(RegistrationState::Ended(over));
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("service", &self.service())
            .field("state", &self.state())
            .finish()
    }
}

impl fmt::Debug for RegistrationControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistrationControl")
            .field("service", &*self.service.borrow())
            .field("state", &*self.state.borrow())
            .finish()
    }
}
