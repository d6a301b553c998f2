//! What a scenario is, and the list of all.

use futures_util::future::BoxFuture;

use crate::{leading, serving, stage::Stage, stand::Lack};

/// What a scenario answers; the text says what did not hold. A panic says the same.
pub(crate) type Outcome = Result<(), String>;

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

/// Every scenario, by number.
pub(crate) fn all() -> Vec<Scenario> {
    let mut all = [leading::SCENARIOS, serving::SCENARIOS].concat();
    all.sort_by_key(|scenario| scenario.number);
    all
}

/// The numbers that are not played on one server, each with its reason.
pub(crate) const LEFT_OUT: &[(u8, &str)] = &[
    (11, "needs three servers"),
    (12, "needs three servers"),
    (13, "needs three servers"),
    (14, "needs three servers"),
    (15, "needs three servers"),
    (16, "needs three servers"),
    (19, "is about an agent that keeps no data"),
    (20, "is about an agent beside the store"),
    (32, "needs a clock that can be set apart from the machine's"),
    (35, "floods a store; the decoders' bad inputs are played in bad_input.rs"),
    (36, "needs a small disk"),
    (37, "is about a health endpoint"),
    (38, "is about a server list that is asked for"),
    (39, "needs the processor to itself"),
    (40, "is a soak of thirty minutes over several stores"),
];
