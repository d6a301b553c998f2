//! What a scenario is, and the list of all.

use std::fmt::Display;

use futures_util::future::BoxFuture;

use crate::{consul, leading, machine, serving, stage::Stage, stand::Lack};

/// What a scenario answers; the text says what did not hold. A panic says the same.
pub(crate) type Outcome = Result<(), String>;

/// Fails with the words unless it holds.
pub(crate) fn hold(fact: bool, otherwise: impl FnOnce() -> String) -> Outcome {
    if fact { Ok(()) } else { Err(otherwise()) }
}

/// An error as the text of an outcome.
pub(crate) fn text(error: impl Display) -> String {
    error.to_string()
}

/// The outcome where a stand cannot do what a scenario needs: nothing was shown, so it fails unless the stand lists the lack
/// ([`Stand::lacks`](crate::stand::Stand::lacks)).
pub(crate) fn unproven(lack: Lack) -> String {
    format!("unproven: the stand has no {lack}")
}

/// One fault and what must hold under it.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    /// Its number, F1 to F40.
    pub(crate) number: u8,
    /// What must hold, as a sentence with underscores.
    pub(crate) name: &'static str,
    pub(crate) play: for<'a> fn(&'a mut Stage) -> BoxFuture<'a, Outcome>,
}

/// A row of a list of scenarios: `scenario!(1, name_of_an_async_fn)`.
#[macro_export]
macro_rules! scenario {
    ($number:literal, $play:ident) => {
        $crate::scenario::Scenario {
            number: $number,
            name: stringify!($play),
            play: |stage| ::std::boxed::Box::pin($play(stage)),
        }
    };
}

/// Every scenario that a backend plays, by number.
pub(crate) fn all(backend: &str) -> Vec<Scenario> {
    let mut all = shared();
    if let Some((own, out)) = special(backend) {
        all.retain(|scenario| !out.iter().any(|(name, _)| *name == scenario.name));
        all.extend(own);
    }
    all.sort_by_key(|scenario| scenario.number);
    all
}

/// What only this backend plays, and what of the shared ones it cannot play, by name, with the reason.
fn special(backend: &str) -> Option<(&'static [Scenario], Unplayed)> {
    match backend {
        "consul" => Some((consul::SCENARIOS, consul::LEFT_OUT)),
        "local" => Some((machine::SCENARIOS, machine::LEFT_OUT)),
        _ => None,
    }
}

type Unplayed = &'static [(&'static str, &'static str)];

fn shared() -> Vec<Scenario> {
    [leading::SCENARIOS, serving::SCENARIOS].concat()
}

/// What a backend does not play, each with the number, its name where one scenario of several is meant, and the reason.
pub(crate) fn left_out(backend: &str) -> Vec<(u8, &'static str, &'static str)> {
    let mut out: Vec<_> = LEFT_OUT.iter().map(|(number, reason)| (*number, "", *reason)).collect();
    if let Some((own, not_here)) = special(backend) {
        let shared = shared();
        out.retain(|(number, ..)| !own.iter().any(|scenario| scenario.number == *number));
        out.extend(not_here.iter().map(|(name, reason)| {
            let number =
                shared.iter().find(|scenario| scenario.name == *name).map(|scenario| scenario.number);
            (number.expect("what is left out is a scenario"), *name, *reason)
        }));
    }
    out.sort_unstable();
    out
}

/// The numbers that are played on no single server, each with its reason.
const LEFT_OUT: &[(u8, &str)] = &[
    (11, "it needs three servers"),
    (12, "it needs three servers"),
    (13, "it needs three servers"),
    (14, "it needs three servers"),
    (15, "it needs three servers"),
    (16, "it needs three servers"),
    (19, "it is about an agent that keeps no data"),
    (20, "it is about an agent beside the store"),
    (32, "it needs a clock that can be set apart from the machine's"),
    (35, "it floods a store; the decoders' bad inputs are played in bad_input.rs"),
    (36, "it needs a small disk"),
    (37, "it is about a health endpoint"),
    (38, "it is about a server list that is asked for"),
    (39, "it needs the processor to itself"),
    (40, "it is a soak of thirty minutes over several stores"),
];
