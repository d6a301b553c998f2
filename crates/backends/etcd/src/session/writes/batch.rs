//! Several writes in one transaction: all or none.
//!
//! Every guard is a comparison of the transaction itself and not of one nested in it, for three reasons: the server checks the rights to every
//! key (old ones do not look into nested transactions), a batch is refused as a whole before anything of it is written, and it costs the
//! server least. When one guard does not hold nothing is written, but what stands at every key is read in the same moment: so
//! whoever was in the way has the answer that it would have had alone, and the others go again.

use etcd_client::TxnResponse;
use reception_core::{Error, ErrorKind, Result};
use tokio::sync::oneshot;

use super::{
    Outcome, Patience, Session, Write, Written,
    write::{Parts, told},
};

/// How often those that were not in the way go again together; then each goes alone.
const ROUNDS: usize = 3;

/// A write, and who waits for it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) write: Write,
    pub(super) reply: oneshot::Sender<Outcome>,
}

impl Member {
    fn answer(self, outcome: Outcome) {
        // One that does not wait any more settles it with its next write.
        drop(self.reply.send(outcome));
    }
}

/// Sends the writes until each has its answer.
pub(super) async fn play(
    session: &Session,
    operation: &'static str,
    patience: Patience,
    mut members: Vec<Member>,
) {
    let begun = session.clock.now();
    let left = || patience.after(session.clock.now().saturating_since(begun));
    let mut loose = false;
    for _ in 0..ROUNDS {
        if members.len() < 2 {
            break;
        }
        let mut parts = Parts::default();
        members.iter().for_each(|member| member.write.add_to(&mut parts));
        let (late, answer) = session.traced_txn(operation, left(), parts.transaction()).await;
        loose |= late;
        match answer {
            Ok(answer) => members = settle(members, loose, &answer),
            Err(error) if may_be_of_one(&error, &members) => {
                session.writes.refused(&error, members.len());
                break;
            }
            Err(error) => return fan_out(members, loose, &error),
        }
    }
    let alone = members.into_iter().map(|member| async {
        let (late, outcome) = session.write_alone(operation, left(), &member.write).await;
        member.answer((loose || late, outcome));
    });
    futures_util::future::join_all(alone).await;
}

/// Answers those whose outcome is known; gives back those that others were in the way of.
fn settle(members: Vec<Member>, loose: bool, answer: &TxnResponse) -> Vec<Member> {
    let told: Vec<Written> = told(members.iter().map(|member| &member.write), answer);
    let mut again = Vec::new();
    for (member, written) in members.into_iter().zip(told) {
        if !written.done && member.write.would_hold(&written) {
            again.push(member);
        } else {
            member.answer((loose, Ok(written)));
        }
    }
    again
}

/// Whether the server may have refused all for the sake of one, or for their number.
fn may_be_of_one(error: &Error, members: &[Member]) -> bool {
    match error.kind() {
        ErrorKind::Unavailable
        | ErrorKind::Timeout
        | ErrorKind::Unauthenticated
        | ErrorKind::Config
        | ErrorKind::Closed
        | ErrorKind::NoRuntime => false,
        ErrorKind::LeaseLost => members.iter().any(|member| member.write.lease() != members[0].write.lease()),
        _ => true,
    }
}

fn fan_out(members: Vec<Member>, loose: bool, error: &Error) {
    for member in members {
        member.answer((loose, Err(error.clone())));
    }
}

impl Session {
    /// Sends one write by itself, and tells whether a try without an answer may still land.
    pub(super) async fn write_alone(
        &self,
        operation: &'static str,
        patience: Patience,
        write: &Write,
    ) -> Outcome {
        let mut parts = Parts::default();
        write.add_to(&mut parts);
        let (loose, answer) = self.traced_txn(operation, patience, parts.transaction()).await;
        let written: Result<Written> =
            answer.map(|answer| told(std::iter::once(write), &answer).pop().unwrap_or_default());
        (loose, written)
    }
}
