//! The gate: what its holder sees of it.

use std::{fmt, pin::pin, sync::Arc};

use reception_core::{BoxStream, Client, Error, ErrorKind, Result, Service};
use reception_kit::{CancellationToken, Lifeline, Supervisor, record};
use tokio::sync::{oneshot, watch};
use tracing::Instrument as _;

use super::{
    HEALTH,
    board::{Board, Chalk, board},
    check::Check,
    options::GateOptions,
    place::{End, Place, Wish},
    tally::Tally,
    tries::Tries,
};

/// What happened to a [`Gate`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum GateChange {
    /// A try was good, the first of all or after a bad one.
    Passing,
    /// A try was bad, for this reason; told for each.
    Failing(String),
    /// The store shows the instance: it was registered, first or again, because the check is good.
    Registered(Service),
    /// The store may have dropped the instance, for this reason; repair goes on. Told once until `Recovered`.
    Doubtful(Error),
    /// The store shows the instance again, or still.
    Recovered,
    /// The store has agreed that the instance is withdrawn, because the check is bad.
    Withdrawn,
    /// The store did not answer to a registration or a withdrawal: it may show the instance or not. The gate goes on;
    /// `Registered`, `Withdrawn` or `Lost` follows when it is known.
    Unconfirmed(Error),
    /// The gate has ended with this error, and the instance is no longer kept: Conflict when another owner has the id. The last change.
    Lost(Error),
}

impl GateChange {
    pub(super) fn is_of_a_try(&self) -> bool {
        matches!(self, Self::Passing | Self::Failing(_))
    }
}

/// An instance that is registered while its check is good: see [`health`](crate::health).
///
/// Dropping it withdraws the instance without waiting, and drops a try that is under way; [`close`](Gate::close) waits and says how it went.
/// As with every guard, close it before `main` returns.
#[must_use = "dropping a gate withdraws the instance"]
pub struct Gate {
    service: Service,
    board: Board,
    supervisor: Supervisor,
    lifeline: Lifeline,
    outcome: oneshot::Receiver<Result<()>>,
}

/// Keeps `service` registered while `check` is good.
///
/// It returns at once: the first try begins when the task runs, and `changes` tells what happens. A store that cannot be reached is tried again
/// with backoff, unless [`first_is_fatal`](GateOptions::first_is_fatal). Another owner of the id is waited out for the client's crash bound (at
/// least 1 s), as [`OnConflict`](crate::OnConflict) says, and ends the gate with Conflict then.
///
/// The gate holds the client: the client closes no earlier by itself. When somebody closes it, the gate ends with Closed as soon as
/// it is registered or would be.
///
/// # Errors
/// Config for a rise, fall or interval that is too small; TooLarge for an instance that no store takes; NoRuntime outside a tokio runtime.
pub fn gate(
    client: Arc<dyn Client>,
    service: Service,
    check: impl Check,
    options: GateOptions,
) -> Result<Gate> {
    options.verify()?;
    // Not a surprise after the first good tries.
    record::encode(&service)?;
    let supervisor = Supervisor::new(client.backend())?;
    let (chalk, board) = board();
    let (answer, outcome) = oneshot::channel();
    let (wish, wished) = watch::channel(Wish::Away);
    let gate = Gate {
        service: service.clone(),
        board,
        lifeline: supervisor.lifeline(),
        supervisor: supervisor.clone(),
        outcome,
    };
    let tries = Tries {
        check: Box::new(check),
        interval: options.interval,
        patience: options.patience(),
        tally: Tally::new(options.rise, options.fall),
    };
    let span = tracing::debug_span!("gate", service = %service.name(), id = %service.id());
    let place = Place::new(client, service, options, wished);
    let work = drive(tries, place, wish, supervisor.closing(), chalk, answer);
    supervisor.spawn("gate", work.instrument(span));
    Ok(gate)
}

async fn drive(
    tries: Tries,
    mut place: Place,
    wish: watch::Sender<Wish>,
    closing: CancellationToken,
    chalk: Chalk,
    answer: oneshot::Sender<Result<()>>,
) {
    let end = {
        let mut kept = pin!(place.keep(&chalk));
        tokio::select! {
            end = &mut kept => end,
            () = tries.run(&chalk, &wish, closing) => {
                wish.send_replace(Wish::Over);
                kept.await
            }
        }
    };
    // The client goes before the answer, so that whoever waited may count what is left of it.
    drop(place);
    let outcome = match end {
        End::Asked(outcome) => {
            chalk.close();
            outcome
        }
        End::Lost(error) => {
            chalk.lose(error.clone());
            Err(error)
        }
    };
    // Nobody waits when the gate was dropped.
    drop(answer.send(outcome));
}

impl Gate {
    /// The instance that it stands for.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// What has happened, then what happens, in order; it ends with the gate.
    ///
    /// Each call gives a reader of its own, from the beginning. The last 64 changes are kept: one that is further behind loses the oldest, those
    /// of tries first, and never the last.
    #[must_use]
    pub fn changes(&self) -> BoxStream<GateChange> {
        self.board.read()
    }

    /// Ends the gate: drops a try that is under way and withdraws the instance. Ok means that the store does not show it.
    ///
    /// A registration that is under way is waited for and then withdrawn, each for at most the client's timeout.
    ///
    /// # Errors
    /// Unavailable, Timeout or what else the store answered when the withdrawal is not confirmed: it goes on, and the store forgets the
    /// instance within the crash bound. The error that the gate had ended with.
    ///
    /// # Cancel safety
    /// Dropping the future is dropping the gate: withdrawal goes on, nobody is told how it went.
    pub async fn close(self) -> Result<()> {
        let Self { supervisor, lifeline, outcome, .. } = self;
        drop(lifeline);
        let outcome = outcome.await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::NoRuntime, HEALTH, "close", "the runtime ended before the gate did"))
        });
        supervisor.close().await;
        outcome
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("service", &self.service).finish_non_exhaustive()
    }
}
