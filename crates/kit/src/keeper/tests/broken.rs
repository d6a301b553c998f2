//! Keepers that break one promise each.

use super::*;

/// A keeper that breaks one promise.
pub(super) struct Broken {
    pub(super) keeper: Keeper,
    pub(super) fault: Fault,
    pub(super) writing: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    AnswersTwice,
    ForgetsAnAnswer,
    ForgetsTheFirstAnswer,
    ForgetsToWithdraw,
    GivesUpRepairing,
    RevivesAfterEnd,
    TellsAFailedUpdateOk,
    WithdrawsBesideAWrite,
    WritesAfterTheEnd,
}

pub(super) const FAULTS: [Fault; 9] = [
    Fault::AnswersTwice,
    Fault::ForgetsAnAnswer,
    Fault::ForgetsTheFirstAnswer,
    Fault::ForgetsToWithdraw,
    Fault::GivesUpRepairing,
    Fault::RevivesAfterEnd,
    Fault::TellsAFailedUpdateOk,
    Fault::WithdrawsBesideAWrite,
    Fault::WritesAfterTheEnd,
];

impl Machine for Broken {
    fn begin(&mut self) -> Vec<Action> {
        self.writing = true;
        self.keeper.begin()
    }

    fn step(&mut self, input: Input, now: Moment) -> Vec<Action> {
        let closes = matches!(input, Input::Close(_));
        let actions = self.keeper.step(input, now);
        let mut out = Vec::new();
        if closes && self.writing && matches!(self.fault, Fault::WithdrawsBesideAWrite) {
            out.push(Action::Withdraw(0));
        }
        for action in actions {
            match (&action, self.fault) {
                (Action::Answer(..), Fault::AnswersTwice) => out.push(action.clone()),
                (Action::Answer(..), Fault::ForgetsAnAnswer) => continue,
                (Action::Registered(Err(_)), Fault::ForgetsTheFirstAnswer) => continue,
                (Action::Withdraw(_), Fault::ForgetsToWithdraw) => {
                    out.push(Action::Done);
                    continue;
                }
                (Action::Write(_, _, Attempt::Repair), Fault::GivesUpRepairing) => continue,
                (Action::Done, Fault::RevivesAfterEnd) => {
                    out.push(Action::State(RegistrationState::Active));
                }
                (Action::Answer(id, Err(error)), Fault::TellsAFailedUpdateOk)
                    if error.kind() != ErrorKind::Closed =>
                {
                    out.push(Action::Answer(*id, Ok(())));
                    continue;
                }
                (Action::Done, Fault::WritesAfterTheEnd) => {
                    out.push(Action::Write(0, self.keeper.kept.clone(), Attempt::Repair));
                }
                _ => {}
            }
            match &action {
                Action::Write(..) => self.writing = true,
                Action::Withdraw(_) | Action::Cut | Action::Done => self.writing = false,
                _ => {}
            }
            out.push(action);
        }
        out
    }

    fn deadline(&self) -> Moment {
        self.keeper.deadline()
    }
    fn hears_news(&self) -> bool {
        self.keeper.hears_news()
    }
}
