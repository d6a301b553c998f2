//! One registration: what a backend brings, and the task that keeps it.

use std::{collections::BTreeMap, future::Future, pin::pin, time::Duration};

use reception_core::{
    Clock, Error, OnConflict, RegisterOptions, Registration, RegistrationControl, Reply, Request, Result,
    Service,
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    deadline::sleep_until,
    keeper::{Action, Input, Keeper, Terms},
    signal,
    supervise::{Lifeline, Supervisor},
};

/// The place of one registration in a store.
///
/// The keeper calls one method at a time. Every slot needs its own mark of ownership: a withdrawal
/// may go on after `close` or `register` has answered an error, beside a new registration of the id.
pub trait Slot: Send + 'static {
    /// Claims the id, or repairs or updates the record. Idempotent and bounded in time.
    ///
    /// # Errors
    ///
    /// Conflict when another owner holds the id; any other error may leave the outcome unknown, the
    /// next write or withdrawal settles it.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any await; what it left the next write or withdrawal settles.
    fn write(&mut self, service: &Service, attempt: Attempt) -> impl Future<Output = Result<()>> + Send;

    /// Removes what any write left; idempotent, and free when nothing was written. Ok means gone, and
    /// that no write of ours can bring it back (law L6).
    ///
    /// # Errors
    ///
    /// Any error means that something may be left.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any await; the next call goes on with what is left.
    fn withdraw(&mut self) -> impl Future<Output = Result<()>> + Send;

    /// Waits for news about the claim; called while no other method runs.
    ///
    /// # Cancel safety
    ///
    /// Dropped and called again at will, without losing news.
    fn news(&mut self) -> impl Future<Output = News> + Send;
}

/// Why the keeper writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attempt {
    /// The id is claimed for the first time, under this policy. A Conflict under
    /// [`OnConflict::Wait`] comes back as the same attempt, after a pause or on the slot's news.
    First(OnConflict),
    /// The record may be gone or of an old state: compare, and write what is wanted.
    Repair,
    /// The record is replaced by another of the same id.
    Update,
}

/// What a slot learns about its claim without being asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum News {
    /// The store cannot be reached; the claim may still stand.
    Doubtful(Error),
    /// The claim stands, or the id that was waited for is free.
    Healthy,
    /// The lease, session or key is gone: write again.
    Lost(Error),
    /// Another owner holds the id: the registration ends.
    Taken(Error),
}

/// How a registration is kept.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "backends build it in one place and the kit is exempt from semver"
)]
pub struct Keeping {
    /// Where time comes from.
    pub clock: Clock,
    /// Waits between attempts that failed.
    pub backoff: Backoff,
    /// How long `register`, `update` and `close` may take; waiting for a dying owner comes on top.
    pub timeout: Duration,
    /// How long a dead owner may still be seen.
    pub crash_bound: Duration,
    /// How often the record is compared with the store unasked; zero for never.
    pub reconcile: Duration,
}

/// Claims the id of `service` and keeps it registered until the guard is closed or dropped.
///
/// # Errors
///
/// Conflict when another owner holds the id (law L8), the error of the first write else; what that
/// write may have left is withdrawn. Closed and NoRuntime as [`Supervisor::check`].
///
/// # Cancel safety
///
/// A future that is dropped at any poll withdraws: its task goes on until nothing is left.
pub async fn register<S: Slot>(
    supervisor: &Supervisor,
    lifeline: Lifeline,
    service: Service,
    options: RegisterOptions,
    slot: S,
    keeping: Keeping,
) -> Result<Registration> {
    supervisor.check("register")?;
    let (registration, control) = Registration::pair(service.clone());
    let (answer, answered) = oneshot::channel();
    let terms = Terms {
        backend: supervisor.backend(),
        on_conflict: options.on_conflict,
        timeout: keeping.timeout,
        crash_bound: keeping.crash_bound,
        reconcile: keeping.reconcile,
    };
    let desk = Desk {
        signal: signal::Registration::new(supervisor.backend(), &service),
        keeper: Keeper::new(service, terms, keeping.backoff, keeping.clock.now()),
        clock: keeping.clock,
        control,
        asking: true,
        closing: Some(supervisor.closing()),
        answer: Some(answer),
        lifeline: Some(lifeline),
        replies: BTreeMap::new(),
        next_reply: 0,
    };
    supervisor.spawn("register", keep(slot, desk));
    // The guard waits here, so a dropped future drops it, and its Drop abandons the registration.
    match answered.await {
        Ok(outcome) => outcome.map(|()| registration),
        Err(_) => Err(supervisor.closed("register")),
    }
}

/// Everything of the task but the slot, which the operation under way borrows.
struct Desk {
    keeper: Keeper,
    clock: Clock,
    control: RegistrationControl,
    asking: bool,
    closing: Option<CancellationToken>,
    answer: Option<oneshot::Sender<Result<()>>>,
    lifeline: Option<Lifeline>,
    replies: BTreeMap<u64, Reply>,
    next_reply: u64,
    signal: signal::Registration,
}

enum Operation {
    Write(u64, Service, Attempt),
    Withdraw(u64),
}

#[derive(Default)]
struct Orders {
    operation: Option<Operation>,
    cut: bool,
    done: bool,
}

async fn keep<S: Slot>(mut slot: S, mut desk: Desk) {
    let actions = desk.keeper.begin();
    let mut orders = desk.perform(actions);
    while !orders.done {
        orders = match orders.operation {
            Some(Operation::Write(number, service, attempt)) => {
                let work = slot.write(&service, attempt);
                desk.operate(work, |outcome| Input::Wrote(number, outcome)).await
            }
            Some(Operation::Withdraw(number)) => {
                desk.operate(slot.withdraw(), |outcome| Input::Withdrew(number, outcome)).await
            }
            None => desk.wait(slot.news()).await,
        };
    }
}

impl Desk {
    /// Runs one operation to its end, or until the keeper cuts it.
    async fn operate(
        &mut self,
        work: impl Future<Output = Result<()>> + Send,
        ended: impl Fn(Result<()>) -> Input + Send,
    ) -> Orders {
        let mut work = pin!(work);
        loop {
            let (input, over) = tokio::select! {
                biased;
                outcome = &mut work => (ended(outcome), true),
                input = self.input() => (input, false),
            };
            let orders = self.step(input);
            if over || orders.cut || orders.done {
                return orders;
            }
        }
    }

    async fn wait(&mut self, news: impl Future<Output = News> + Send) -> Orders {
        let input = if self.keeper.hears_news() {
            tokio::select! {
                biased;
                input = self.input() => input,
                news = news => Input::News(news),
            }
        } else {
            self.input().await
        };
        self.step(input)
    }

    /// The next request, the end of the client, or the deadline that the keeper waits for.
    async fn input(&mut self) -> Input {
        loop {
            let deadline = self.keeper.deadline();
            tokio::select! {
                biased;
                () = cancelled(self.closing.as_ref()) => {
                    self.closing = None;
                    return Input::Closing;
                }
                request = self.control.request(), if self.asking => match request {
                    Some(Request::Update(service, reply)) => return Input::Update(self.keep_reply(reply), service),
                    Some(Request::Close(reply)) => return Input::Close(self.keep_reply(reply)),
                    Some(_) => return Input::Abandon,
                    None => self.asking = false,
                },
                () = sleep_until(&self.clock, deadline) => return Input::Tick,
            }
        }
    }

    fn keep_reply(&mut self, reply: Reply) -> u64 {
        let id = self.next_reply;
        self.next_reply += 1;
        self.replies.insert(id, reply);
        id
    }

    fn step(&mut self, input: Input) -> Orders {
        let actions = self.keeper.step(input, self.clock.now());
        self.perform(actions)
    }

    fn perform(&mut self, actions: Vec<Action>) -> Orders {
        let mut orders = Orders::default();
        for action in actions {
            match action {
                Action::Write(number, service, attempt) => {
                    orders.operation = Some(Operation::Write(number, service, attempt));
                }
                Action::Withdraw(number) => orders.operation = Some(Operation::Withdraw(number)),
                Action::Cut => orders.cut = true,
                Action::Adopt(service) => self.control.set_service(service),
                Action::State(state) => {
                    self.signal.state(&state);
                    self.control.set_state(state);
                }
                Action::Answer(id, outcome) => {
                    if let Some(reply) = self.replies.remove(&id) {
                        reply.send(outcome);
                    }
                }
                Action::Registered(outcome) => {
                    if let Some(answer) = self.answer.take() {
                        // A caller that is gone has dropped its guard, which says so by itself.
                        drop(answer.send(outcome));
                    }
                }
                Action::LetGo(error) => {
                    self.signal.withdrawal_failed(&error);
                    self.lifeline = None;
                }
                Action::Done => orders.done = true,
            }
        }
        orders
    }
}

async fn cancelled(token: Option<&CancellationToken>) {
    match token {
        Some(token) => token.cancelled().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
