//! Plays the cases: each on a thread and a runtime of its own, under a hard limit, with the leak checks after it.

use std::{
    any::Any,
    io,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use tokio::runtime::{Handle, Runtime};

use crate::{
    cases::{CASES, Case, Need},
    fixture::{Fixture, Missing, two_workers},
    leak::{self, Ledger},
    play::eventually,
    report::{CaseResult, Outcome, Report},
    scene::{Failure, Result, Scene, Stage, Started},
};

/// A trial that is not over by then hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Which cases to play, and how, when no command line says so.
#[derive(Clone, Debug)]
#[must_use]
pub struct Plan {
    filter: String,
    limit: Duration,
    threads: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self::new()
    }
}

impl Plan {
    /// All cases, one after the other, each under the usual limit of 60 s.
    pub const fn new() -> Self {
        Self { filter: String::new(), limit: LIMIT, threads: 1 }
    }

    /// Plays only cases whose name contains this text, such as `l05::`.
    pub fn filter(mut self, text: impl Into<String>) -> Self {
        self.filter = text.into();
        self
    }

    /// Takes a trial for hanging after this span of real time.
    pub const fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Plays this many cases side by side.
    pub const fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }
}

/// Plays the cases of a plan against a fixture and tells what came of each, without a process exit.
///
/// Starts the store before and stops it after. Call it outside any runtime.
///
/// # Errors
///
/// When no runtime can be built for the run itself.
pub fn run<F: Fixture>(plan: &Plan) -> io::Result<Report> {
    let chosen: Vec<&'static Case> = in_order().filter(|case| case.name.contains(&plan.filter)).collect();
    let house = match House::<F>::open(plan.limit)? {
        Ok(house) => house,
        Err(missing) => return Ok(Report::missing(F::NAME, &missing)),
    };
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..plan.threads.clamp(1, chosen.len().max(1)) {
            scope.spawn(|| {
                while let Some(case) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = house.play(case);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push(result);
                }
            });
        }
    });
    house.close();
    Ok(Report::new::<F>(results.into_inner().unwrap_or_else(PoisonError::into_inner)))
}

/// All cases, those that must run alone last, so that they hold up the others once and not each time.
pub(crate) fn in_order() -> impl Iterator<Item = &'static Case> {
    let alone = |case: &&Case| case.needs.contains(&Need::Alone);
    CASES.iter().filter(move |case| !alone(case)).chain(CASES.iter().filter(alone))
}

/// The started store, and the runtime that it lives on.
pub(crate) struct House<F> {
    home: Runtime,
    shared: Arc<F>,
    ledger: Ledger,
    gate: RwLock<()>,
    limit: Duration,
}

impl<F: Fixture> House<F> {
    /// Starts the store.
    pub(crate) fn open(limit: Duration) -> io::Result<Result<Self, Missing>> {
        let home = two_workers()?;
        let started = home.block_on(F::start());
        Ok(started.map(|fixture| {
            let (shared, ledger, gate) = (Arc::new(fixture), Ledger::open(), RwLock::default());
            Self { home, shared, ledger, gate, limit }
        }))
    }

    /// Stops the store.
    pub(crate) fn close(self) {
        self.home.block_on(self.shared.stop());
        self.home.shutdown_timeout(Duration::from_secs(5));
    }

    /// Plays one case and says what came of it, the fixture's list of the unproven taken into account.
    pub(crate) fn play(&self, case: &'static Case) -> CaseResult {
        let outcome = if case.needs.contains(&Need::Alone) {
            let _alone = self.gate.write().unwrap_or_else(PoisonError::into_inner);
            self.counted(case)
        } else {
            let _beside_others = self.gate.read().unwrap_or_else(PoisonError::into_inner);
            self.counted(case)
        };
        let listed = F::UNPROVEN.iter().find(|(name, _)| *name == case.name).map(|(_, reason)| *reason);
        CaseResult { law: case.law, name: case.name, outcome: judged(outcome, listed) }
    }

    fn counted(&self, case: &'static Case) -> Outcome {
        let entry = self.ledger.enter();
        let (outcome, hung) = match self.own(case) {
            Ok(own) => {
                let fixture = own.as_ref().unwrap_or(&self.shared);
                let played = self.bounded(case, Arc::new(Started(Arc::clone(fixture))));
                if let Some(own) = own {
                    self.home.block_on(own.stop());
                }
                played
            }
            Err(failure) => (told(Err(failure)), false),
        };
        let left = self.ledger.leave(&entry, hung);
        match (outcome, left) {
            (Outcome::Proved, Err(left)) => Outcome::Failing(format!("left behind: {left}")),
            (outcome, _) => outcome,
        }
    }

    /// The store of its own that a case needs, which has to be stopped after it.
    fn own(&self, case: &Case) -> Result<Option<Arc<F>>> {
        if !case.needs.contains(&Need::Exclusive) {
            return Ok(None);
        }
        let missing = |missing| Failure::Unproven(format!("no store of its own: {missing}"));
        self.home.block_on(self.shared.exclusive()).map(|own| Some(Arc::new(own))).map_err(missing)
    }

    /// Plays on a thread of its own, so that a hang is a failure of one trial and not of the run.
    fn bounded(&self, case: &'static Case, stage: Arc<dyn Stage>) -> (Outcome, bool) {
        let (say, hear) = mpsc::sync_channel(1);
        let spawned = thread::Builder::new().name(case.name.to_owned()).spawn(move || {
            let outcome = told(on_stage(case, &stage));
            drop(stage);
            // The receiver is gone only when this trial was already given up as hanging.
            let _ = say.send(outcome);
        });
        let thread = match spawned {
            Ok(thread) => thread,
            Err(error) => return (Outcome::Failing(format!("no thread: {error}")), false),
        };
        match hear.recv_timeout(self.limit) {
            Err(mpsc::RecvTimeoutError::Timeout) => {
                (Outcome::Failing(format!("hangs: not over after {:?}", self.limit)), true)
            }
            heard => match (heard, thread.join()) {
                (Ok(outcome), Ok(())) => (outcome, false),
                (_, Err(panic)) => (Outcome::Failing(format!("panicked: {}", words(&*panic))), false),
                (Err(_), Ok(())) => (Outcome::Failing("ended without a word".to_owned()), false),
            },
        }
    }
}

/// Plays a case on a fresh runtime, then looks for what it left behind.
fn on_stage(case: &Case, stage: &Arc<dyn Stage>) -> Result {
    let scene = Scene::new(Arc::clone(stage), case.name);
    for need in case.needs {
        match need {
            Need::Faults => drop(scene.faults()?),
            Need::Meter => drop(scene.meter()?),
            Need::Peer => drop(scene.peer()?),
            Need::Alone | Need::Exclusive => {}
        }
    }
    let runtime = scene.runtime()?;
    runtime.block_on(async {
        let before = Handle::current().metrics().num_alive_tasks();
        (case.play)(scene.clone()).await?;
        let grace = if scene.has_faulted() { scene.patience() } else { leak::GRACE };
        leak::tasks(before, grace).await.map_err(|left| Failure::broken(format!("left behind: {left}")))?;
        eventually(scene.patience(), "the store holds nothing of the case", || async {
            let left = scene.residue().await.map_err(|failure| failure.to_string())?;
            if left.is_empty() { Ok(()) } else { Err(format!("it holds {left:?}")) }
        })
        .await
    })
}

fn told(played: Result) -> Outcome {
    match played {
        Ok(()) => Outcome::Proved,
        Err(Failure::Broken(what)) => Outcome::Failing(what),
        Err(Failure::Unproven(why)) => Outcome::Unproven(why),
    }
}

/// What an outcome is worth, given the fixture's own reason why the case cannot be shown.
fn judged(outcome: Outcome, listed: Option<&'static str>) -> Outcome {
    match (outcome, listed) {
        (Outcome::Proved, Some(_)) => {
            Outcome::Failing("proved, yet on the fixture's UNPROVEN list: remove the stale entry".to_owned())
        }
        (Outcome::Unproven(why), None) => {
            Outcome::Failing(format!("unproven, and not on the fixture's UNPROVEN list: {why}"))
        }
        (Outcome::Unproven(_), Some(reason)) => Outcome::Unproven(reason.to_owned()),
        (outcome, _) => outcome,
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

impl Report {
    fn missing(fixture: &'static str, missing: &Missing) -> Self {
        Self { fixture, missing: Some(missing.to_string()), ..Self::default() }
    }

    /// Sorts by law and adds the entries of UNPROVEN that name no case.
    pub(crate) fn new<F: Fixture>(mut results: Vec<CaseResult>) -> Self {
        results.sort_by_key(|result| (result.law, result.name));
        Self { fixture: F::NAME, results, stale: stale::<F>(), properties: F::PROPERTIES, missing: None }
    }
}

/// The entries of UNPROVEN that name no case.
pub(crate) fn stale<F: Fixture>() -> Vec<&'static str> {
    let known = |name: &str| CASES.iter().any(|case| case.name == name);
    F::UNPROVEN.iter().map(|(name, _)| *name).filter(|name| !known(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_the_list_excuses_only_what_cannot_be_shown() {
        let failing = |outcome| matches!(outcome, Outcome::Failing(_));
        assert_eq!(judged(Outcome::Proved, None), Outcome::Proved);
        assert!(failing(judged(Outcome::Proved, Some("why"))));
        assert!(failing(judged(Outcome::Unproven("no peer".to_owned()), None)));
        assert!(failing(judged(Outcome::Failing("broken".to_owned()), Some("why"))));
        let excused = judged(Outcome::Unproven("no peer".to_owned()), Some("why"));
        assert_eq!(excused, Outcome::Unproven("why".to_owned()));
    }
}
