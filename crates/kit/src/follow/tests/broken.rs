//! Machines that break one promise each.

use super::*;

#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    EmptiesOnError,
    EndsOnError,
    ForgetsToRetry,
    LosesAChange,
    LosesARemoval,
    ResumesAfterAGap,
    SaysNothingOfABreak,
    StaleTwice,
    TellsADeltaAfterStale,
}

pub(super) const FAULTS: [Fault; 9] = [
    Fault::EmptiesOnError,
    Fault::EndsOnError,
    Fault::ForgetsToRetry,
    Fault::LosesAChange,
    Fault::LosesARemoval,
    Fault::ResumesAfterAGap,
    Fault::SaysNothingOfABreak,
    Fault::StaleTwice,
    Fault::TellsADeltaAfterStale,
];

/// A machine that breaks one promise.
pub(super) struct Broken {
    pub(super) machine: Follow<Snapshot>,
    pub(super) fault: Fault,
}

impl Machine for Broken {
    fn begin(&mut self) -> Vec<Action<Snapshot>> {
        self.machine.begin()
    }

    fn step(&mut self, input: Input<Snapshot>, now: Moment) -> Vec<Action<Snapshot>> {
        let was_stale = self.machine.stale;
        let mut out = Vec::new();
        for action in self.machine.step(input, now) {
            match (&action, self.fault) {
                (Action::Broken(_), Fault::EmptiesOnError) => {
                    out.push(Action::Publish(Event::Reset(view(0, &[]))));
                }
                (Action::Broken(error), Fault::EndsOnError) => {
                    out.push(Action::End(error.clone()));
                    return out;
                }
                (Action::Resume | Action::List, Fault::ForgetsToRetry) if was_stale => continue,
                (Action::Publish(Event::Delta(_)), Fault::LosesAChange) => continue,
                (Action::Publish(Event::Delta(patch)), Fault::LosesARemoval) => {
                    let kept = Patch::new(patch.revision(), patch.upserted().to_vec(), []);
                    out.push(Action::Publish(Event::Delta(kept)));
                    continue;
                }
                (Action::List, Fault::ResumesAfterAGap) if self.machine.view.is_some() => {
                    self.machine.phase = Phase::Resuming { listed: false };
                    out.push(Action::Resume);
                    continue;
                }
                (Action::Publish(Event::Stale(_)), Fault::SaysNothingOfABreak) => continue,
                (Action::Publish(Event::Stale(_)), Fault::StaleTwice) => out.push(action.clone()),
                (Action::Publish(Event::Reset(view)), Fault::TellsADeltaAfterStale) if was_stale => {
                    let all: Vec<Service> = view.iter().cloned().collect();
                    out.push(Action::Publish(Event::Delta(Patch::new(view.revision(), all, []))));
                    continue;
                }
                _ => {}
            }
            out.push(action);
        }
        out
    }

    fn deadline(&self) -> Moment {
        self.machine.deadline()
    }
}
