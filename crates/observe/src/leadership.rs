//! Tells when a leadership begins and ends, without a task.
//!
//! The guard goes to the caller untouched. What waits for its loss is a future that is its own waker: whoever latches the loss (the
//! backend, the guard's drop, or a look at the clock) wakes it, and the waking itself polls it. It holds no candidate and no client, and
//! core ends every leadership at last, so it always goes away.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake, Waker},
};

use reception_core::{ElectionName, Error, ErrorKind, FencingToken, Leadership, Service};
use tracing::debug;

use crate::count;

/// Tells that the leadership was gained, and later that it ended.
pub(crate) fn follow(backend: &'static str, election: &ElectionName, won: &Leadership) {
    let end =
        End { backend, election: election.clone(), candidate: won.service().clone(), token: won.token() };
    end.gained();
    let lost = won.lost();
    let ended = async move { end.ended(&lost.await) };
    let follower =
        Arc::new(Follower { due: AtomicBool::new(false), work: Mutex::new(Some(Box::pin(ended))) });
    Waker::from(follower).wake();
}

struct End {
    backend: &'static str,
    election: ElectionName,
    candidate: Service,
    token: FencingToken,
}

impl End {
    fn gained(&self) {
        let Self { backend, election, candidate, token } = self;
        count::leadership(backend, election.as_str(), "gained");
        debug!(
            target: "reception_observe",
            backend, operation = "elect", service = %candidate.name(), id = %candidate.id(), %election, %token,
            "leadership gained",
        );
    }

    fn ended(&self, error: &Error) {
        let Self { backend, election, candidate, token } = self;
        let change = if error.kind() == ErrorKind::Closed { "resigned" } else { "lost" };
        count::leadership(backend, election.as_str(), change);
        debug!(
            target: "reception_observe",
            backend, operation = "elect", service = %candidate.name(), id = %candidate.id(), %election, %token, %error,
            "leadership {change}",
        );
    }
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Follower {
    due: AtomicBool,
    work: Mutex<Option<Work>>,
}

impl Wake for Follower {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.due.store(true, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(self));
        // Whoever finds it locked leaves `due` behind, and whoever unlocks it looks again: a poll may wake itself, so nobody may wait.
        while self.due.load(Ordering::SeqCst) {
            let mut work = match self.work.try_lock() {
                Ok(work) => work,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            self.due.store(false, Ordering::SeqCst);
            let over = work
                .as_mut()
                .is_none_or(|work| work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
            if over {
                *work = None;
            }
        }
    }
}
