//! One registration: the task around the keeper.

use std::{collections::BTreeMap, future::Future, pin::pin};

use reception_core::{
    Clock, RegisterOptions, Registration, RegistrationControl, Reply, Request, Result, Service,
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::{
    deadline::sleep_until,
    keeper::{Action, Input, Keeper, Terms},
    signal,
    slot::{Attempt, Keeping, News, Slot},
    supervise::{Lifeline, Supervisor},
};

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
