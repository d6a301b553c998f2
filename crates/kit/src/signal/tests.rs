use std::collections::BTreeMap;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use reception_core::{ErrorKind, Patch, Snapshot};

use super::*;
use crate::testing::{error, service};

/// What was counted so far, by name and state. A recorder's snapshot tells only what changed since the last.
struct Meter {
    recorder: Snapshotter,
    totals: BTreeMap<String, f64>,
}

impl Meter {
    fn new(recorder: &DebuggingRecorder) -> Self {
        Self { recorder: recorder.snapshotter(), totals: BTreeMap::new() }
    }

    fn shows(&mut self, expected: &[(&str, f64)]) {
        for (key, _, _, value) in self.recorder.snapshot().into_vec() {
            let key = key.key();
            let state =
                key.labels().find(|label| label.key() == "state").map(|label| format!(" {}", label.value()));
            let change = match value {
                DebugValue::Counter(count) => u32::try_from(count).map_or(f64::NAN, f64::from),
                DebugValue::Gauge(value) => value.into_inner(),
                DebugValue::Histogram(_) => f64::NAN,
            };
            *self.totals.entry(format!("{}{}", key.name(), state.unwrap_or_default())).or_default() += change;
        }
        self.totals.retain(|_, total| *total != 0.0);
        let expected: BTreeMap<_, _> =
            expected.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        assert_eq!(self.totals, expected);
    }
}

#[test]
fn gauges_count_what_is_and_nothing_that_was() {
    let recorder = DebuggingRecorder::new();
    let mut meter = Meter::new(&recorder);
    metrics::with_local_recorder(&recorder, || {
        let (mut one, mut two) =
            (Registration::new("test", &service("one")), Registration::new("test", &service("two")));
        one.state(&RegistrationState::Active);
        two.state(&RegistrationState::Active);
        meter.shows(&[("reception_registrations active", 2.0)]);
        two.state(&RegistrationState::Doubtful(error(ErrorKind::Unavailable)));
        meter.shows(&[("reception_registrations active", 1.0), ("reception_registrations doubtful", 1.0)]);
        two.state(&RegistrationState::Ended(error(ErrorKind::Closed)));
        drop(one);
        meter.shows(&[]);

        let mut leader = Candidacy::new("test", &"reaper".parse().unwrap(), &service("one"));
        leader.won(FencingToken::new([1; 16], 7));
        meter.shows(&[("reception_leader", 1.0)]);
        leader.ended();
        meter.shows(&[]);
    });
}

#[test]
fn a_watch_counts_breaks_staleness_and_unreadable_records() {
    let recorder = DebuggingRecorder::new();
    let mut meter = Meter::new(&recorder);
    metrics::with_local_recorder(&recorder, || {
        let mut watch = Watch::new::<Snapshot>("test", &"api");
        let view = Snapshot::new("api".parse().unwrap(), 1, []).with_unreadable(2);
        watch.published(&Event::Reset(view.clone()));
        meter.shows(&[("reception_unreadable_total", 2.0)]);
        watch.published(&Event::<Snapshot>::Delta(Patch::new(2, [], []).with_unreadable(3)));
        watch.published(&Event::<Snapshot>::Delta(Patch::new(3, [], []).with_unreadable(1)));
        meter.shows(&[("reception_unreadable_total", 3.0)]);
        watch.broken(&error(ErrorKind::Unavailable));
        watch.published(&Event::<Snapshot>::Stale(error(ErrorKind::Unavailable)));
        let (broken, unreadable) = (("reception_reconnects_total", 1.0), ("reception_unreadable_total", 3.0));
        meter.shows(&[broken, unreadable, ("reception_watch_stale", 1.0)]);
        watch.published(&Event::Reset(view));
        let unreadable = ("reception_unreadable_total", 4.0);
        meter.shows(&[broken, unreadable]);
        watch.published(&Event::<Snapshot>::Stale(error(ErrorKind::Unavailable)));
        drop(watch);
        meter.shows(&[broken, unreadable]);
    });
}
