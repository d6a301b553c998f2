//! What the registrations, watches and candidacies of one client share: the agents, the checks that say that this process lives, and what
//! is known of how it goes.

mod brake;
mod health;
mod heart;
mod holder;
mod home;
mod inventory;
mod keep;
mod line;
mod lookout;
mod rouse;
mod standing;
mod sweep;

use std::{fmt, future::Future, sync::Arc, time::Duration};

use reception_core::{Clock, Result};
use reception_kit::{CancellationToken, Supervisor, Wanted};
use tokio::sync::Semaphore;
use uuid::Uuid;

pub(crate) use brake::Brake;
use health::Health;
pub(crate) use heart::{Heart, Tie};
pub(crate) use holder::{Holder, is_checked};
use home::Home;
pub(crate) use line::{Line, Lines};
pub(crate) use lookout::Lookout;
pub(crate) use standing::{Pacer, Standing};
use sweep::Sweep;

use crate::{
    http::Http,
    layout::Names,
    options::{Check, Options},
};

/// How often everything of this client is compared with the catalog: what a third party did is mended within this.
pub(crate) const REPAIR: Duration = Duration::from_secs(10);

/// Writes and withdrawals under way at a time: fewer than an agent takes connections.
const WRITES: usize = 32;

/// What belongs to one client.
pub(crate) struct Session {
    pub(crate) http: Http,
    pub(crate) names: Names,
    pub(crate) options: Options,
    /// Of this client, in the owner marks of all its registrations.
    pub(crate) client: Uuid,
    pub(crate) clock: Clock,
    /// The tasks of the caller's things.
    pub(crate) supervisor: Supervisor,
    /// The connections, which outlive those.
    pub(crate) back: Supervisor,
    pub(crate) wanted: Wanted,
    pub(crate) lines: Lines,
    pub(crate) heart: Heart,
    pub(crate) standing: Standing,
    pub(crate) lookout: Lookout,
    pub(crate) health: Health,
    pub(crate) sweep: Sweep,
    /// Writes and withdrawals under way.
    pub(crate) writes: Semaphore,
    /// The connections may end.
    leaving: CancellationToken,
    home: Home,
}

impl Session {
    pub(crate) fn new(options: Options, supervisor: Supervisor, back: Supervisor) -> Result<Arc<Self>> {
        let client = Uuid::new_v4();
        let leaving = CancellationToken::new();
        let http = Http::new(&options, &back, &leaving)?;
        let agents = http.count();
        Ok(Arc::new(Self {
            http,
            names: Names::new(&options.namespace, options.layout),
            heart: Heart::new(client),
            standing: Standing::new(client),
            lookout: Lookout::new(agents),
            health: Health::new(),
            sweep: Sweep::default(),
            writes: Semaphore::new(WRITES),
            leaving,
            options,
            client,
            clock: Clock::BOOT,
            supervisor,
            back,
            wanted: Wanted::default(),
            lines: Lines::default(),
            home: Home::default(),
        }))
    }

    /// Starts what needs the session itself.
    pub(crate) fn begin(self: &Arc<Self>) {
        self.supervisor.spawn("keep", keep::keep(Arc::clone(self)));
        if self.options.check == Check::Ttl {
            self.supervisor.spawn("rouse", rouse::rouse(Arc::clone(self)));
        }
        self.back.spawn("pace", standing::pace(Arc::clone(self)));
        let (session, lifeline) = (Arc::clone(self), self.back.lifeline());
        // When all that is the caller's has ended, the connections end.
        self.back.spawn("end", async move {
            session.supervisor.closing().cancelled().await;
            session.supervisor.close().await;
            // Nobody is there to hear of it.
            drop(session.sweep.rest(&session).await);
            session.leaving.cancel();
            drop(lifeline);
        });
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.options.timeout
    }

    /// The longest that a dead process may still be seen.
    pub(crate) fn crash_bound(&self) -> Duration {
        if self.options.check == Check::None { Duration::MAX } else { self.patience() }
    }

    /// How long a new owner waits for one that may be dying.
    pub(crate) fn patience(&self) -> Duration {
        const SLACK: Duration = Duration::from_secs(1);
        let patience = match self.options.check {
            // Two misses are a death, and the interval begins when a question has ended.
            Check::Http | Check::Tcp => self.options.check_timeout * 2,
            Check::Ttl | Check::None => Duration::ZERO,
        };
        self.lease() + patience + SLACK
    }

    /// How long the store takes a process for alive after it was last seen alive.
    pub(crate) fn lease(&self) -> Duration {
        match self.options.check {
            Check::Ttl => self.options.ttl,
            // The agent forgives one miss.
            Check::Http | Check::Tcp => self.options.interval * 2,
            // Nobody notices: what is told is how long a new owner waits before it says Conflict.
            Check::None => self.options.ttl,
        }
    }

    /// Goes on with what nobody waits for any more, for as long as there are connections.
    pub(crate) fn go_on(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let leaving = self.leaving.clone();
        self.back.spawn(name, async move {
            tokio::select! {
                () = leaving.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// Runs a user's call.
    pub(crate) async fn serve<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let outcome = self.supervisor.serve(operation, work).await;
        // A connection that broke since the client closes is no fault of the store.
        if outcome.is_err() && self.supervisor.is_closed() {
            return Err(self.supervisor.closed(operation));
        }
        outcome
    }

    /// Ends everything: what the caller has first, then the connections.
    pub(crate) async fn close(self: &Arc<Self>) -> Result<()> {
        self.supervisor.close().await;
        let swept = self.sweep.rest(self).await;
        self.back.close().await;
        swept
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("http", &self.http)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}
