//! One leadership, from the election to its end.

use std::{pin::pin, time::Duration};

use reception::{Clock, Leadership};

use super::{
    outside::{Outside, Stop},
    stand::{Next, Stand},
    term::{Step, Term},
    told::Told,
};
use crate::{
    child::{Child, Ending},
    exit::Failure,
};

/// What the child finds its fencing token in.
const TOKEN: &str = "RECEPTION_TOKEN";

/// What ended the work of a leader.
#[derive(Debug, Default)]
struct Work {
    ending: Option<Ending>,
    /// The child had to end for the sake of the deadline.
    doubted: bool,
    stop: Option<Stop>,
}

impl Work {
    fn code(&self) -> u8 {
        self.ending.map_or(0, Ending::code)
    }
}

impl Stand<'_> {
    /// Leads until it is lost or there is a reason to give up.
    pub(super) async fn lead(&mut self, leadership: Leadership) -> Next {
        let since = Clock::BOOT.now();
        let mut term = Term::new(self.elect.child.kill_after);
        term.look(since, leadership.remaining());
        self.outside.say(Told::elected(leadership.token()));
        let work = match self.work(&leadership, &mut term).await {
            Ok(work) => work,
            Err(failure) => {
                self.resign(leadership).await;
                return Next::Fail(failure);
            }
        };
        if work.doubted || !leadership.is_held() {
            return self.lost(leadership, work).await;
        }
        self.resign(leadership).await;
        match work.code() {
            code if work.stop.is_some() || self.elect.once || code == 0 => Next::End(code, work.stop),
            _ => Next::Again(self.pauses.after(Clock::BOOT.now().saturating_since(since))),
        }
    }

    /// Runs the child, if there is one, once who reads has been told that we lead.
    async fn work(&mut self, leadership: &Leadership, term: &mut Term) -> Result<Work, Failure> {
        let mut lost = pin!(leadership.lost());
        let command = &self.elect.child.command;
        let until_stopped = async {
            match self.outside.written().await {
                None if command.is_empty() => Some(self.outside.stop().await),
                stop => stop,
            }
        };
        let stop = tokio::select! {
            biased;
            _ = &mut lost => return Ok(Work::default()),
            stop = until_stopped => stop,
        };
        if stop.is_some() {
            return Ok(Work { stop, ..Work::default() });
        }
        // Told to end before it started: the reader of our lines took its time.
        if !matches!(term.look(Clock::BOOT.now(), leadership.remaining()), Step::Wait(_)) {
            return Ok(Work { doubted: term.is_doubted(), ..Work::default() });
        }
        let environment = [(TOKEN, leadership.token().to_string())];
        let child = tokio::select! {
            biased;
            _ = &mut lost => return Ok(Work::default()),
            child = Child::spawn(command, &environment) => child?,
        };
        Ok(attend(&mut self.outside, leadership, term, child).await)
    }

    /// Tells the loss. What is left of a doubted leadership is given back first, so that a rival needs not wait for its end.
    async fn lost(&mut self, leadership: Leadership, work: Work) -> Next {
        let mut code = work.code();
        let mut stop = work.stop;
        let told = if work.doubted { Told::doubt() } else { Told::lost(&leadership.lost().await) };
        let failure = told.failure().filter(|_| self.elect.once);
        self.outside.say(told);
        if work.doubted {
            let asked_before = stop.is_some();
            tokio::select! {
                biased;
                resigned = leadership.resign() => self.unconfirmed = resigned.err().filter(|_| asked_before),
                asked = self.outside.stop(), if !asked_before => {
                    // By now it waits as any other candidate does.
                    (stop, code) = (Some(asked), 0);
                }
            }
        }
        match (failure, stop) {
            (Some(failure), _) => Next::Fail(failure),
            (None, Some(stop)) => Next::End(code, Some(stop)),
            (None, None) => Next::Again(Duration::ZERO),
        }
    }

    /// Gives the leadership back and tells so once the store has agreed.
    async fn resign(&mut self, leadership: Leadership) {
        match leadership.resign().await {
            Ok(()) => self.outside.say(Told::Resigned),
            Err(error) => self.unconfirmed = Some(error),
        }
    }
}

/// Stays with the child until it has ended: by itself, for the sake of the deadline, or because we are asked to stop.
async fn attend(
    outside: &mut Outside<'_>,
    leadership: &Leadership,
    term: &mut Term,
    mut child: Child,
) -> Work {
    let mut stop = None;
    let mut lost = pin!(leadership.lost());
    let mut held = true;
    loop {
        let nap = match term.look(Clock::BOOT.now(), leadership.remaining()) {
            Step::Kill => {
                child.kill();
                continue;
            }
            Step::Terminate => {
                child.terminate();
                continue;
            }
            Step::Wait(nap) => nap,
        };
        tokio::select! {
            biased;
            ending = child.gone() => return Work { ending: Some(ending), doubted: term.is_doubted(), stop },
            asked = outside.stop() => {
                term.stop(Clock::BOOT.now());
                stop.get_or_insert(asked);
            }
            // The next look sees it.
            _ = &mut lost, if held => held = false,
            () = tokio::time::sleep(nap) => {}
        }
    }
}
