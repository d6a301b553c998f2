//! The follow machine and the mailbox under seeded schedules, and broken ones that these must reject.

mod broken;

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::SmallRng};
use reception_core::{Patch, Service, Snapshot};

use self::broken::{Broken, FAULTS};
use super::*;
use crate::mailbox::Mailbox;

const SCHEDULES: u64 = 10_000;

trait Machine {
    fn begin(&mut self) -> Vec<Action<Snapshot>>;
    fn step(&mut self, input: Input<Snapshot>, now: Moment) -> Vec<Action<Snapshot>>;
    fn deadline(&self) -> Moment;
}

impl Machine for Follow<Snapshot> {
    fn begin(&mut self) -> Vec<Action<Snapshot>> {
        Self::begin(self)
    }
    fn step(&mut self, input: Input<Snapshot>, now: Moment) -> Vec<Action<Snapshot>> {
        Self::step(self, input, now)
    }
    fn deadline(&self) -> Moment {
        Self::deadline(self)
    }
}

fn view(revision: u64, ids: &[u16]) -> Snapshot {
    let service =
        |id: &u16| Service::builder("api", "10.0.0.7", 80 + id % 3).id(&format!("i{id}")).build().unwrap();
    Snapshot::new("api".parse().unwrap(), revision, ids.iter().map(service))
}

fn error(kind: ErrorKind) -> Error {
    Error::new(kind, "test", "watch", "scripted")
}

fn same(left: &Snapshot, right: &Snapshot) -> bool {
    left.revision() <= right.revision() && left.iter().eq(right.iter())
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
    List,
    Resume,
    Next,
}

/// A store with a history that can be cut, a source with a position, and a reader that is slow as it likes.
struct World<M> {
    machine: M,
    random: SmallRng,
    now: Moment,
    history: Vec<Snapshot>,
    compacted: usize,
    position: usize,
    operation: Option<Operation>,
    must_list: bool,
    mailbox: Mailbox<Snapshot>,
    published: Option<Snapshot>,
    broken: bool,
    stale: bool,
    reader: Option<Snapshot>,
    reader_stale: bool,
    ended: bool,
    trace: Vec<String>,
}

type Check = Result<(), String>;

macro_rules! hold {
    ($what:expr, $($why:tt)+) => {
        if !$what {
            return Err(format!($($why)+));
        }
    };
}

impl<M: Machine> World<M> {
    fn new(seed: u64, machine: M) -> Self {
        Self {
            machine,
            random: SmallRng::seed_from_u64(seed),
            now: Moment::from_duration(Duration::from_secs(50)),
            history: vec![view(0, &[])],
            compacted: 0,
            position: 0,
            operation: None,
            must_list: true,
            mailbox: Mailbox::new(),
            published: None,
            broken: false,
            stale: false,
            reader: None,
            reader_stale: false,
            ended: false,
            trace: Vec::new(),
        }
    }

    fn run(mut self) -> Check {
        let outcome = self.all();
        outcome.map_err(|why| format!("{why}\n{}", self.trace.join("\n")))
    }

    fn all(&mut self) -> Check {
        let actions = self.machine.begin();
        self.perform(actions)?;
        for _ in 0..self.random.random_range(1..50) {
            match self.random.random_range(0..10) {
                0..3 => self.change(),
                3..4 => self.compacted = self.random.random_range(self.compacted..self.history.len()),
                4..8 => self.complete(0.7)?,
                _ => drop(self.read()?),
            }
        }
        for _ in 0..20 {
            self.complete(1.0)?;
        }
        while self.read()? {}
        let head = &self.history[self.history.len() - 1];
        let seen = self.reader.as_ref();
        hold!(seen.is_some_and(|view| same(view, head)), "the reader sees {seen:?}, the store is {head:?}");
        hold!(!self.reader_stale, "the reader is left stale");
        Ok(())
    }

    fn change(&mut self) {
        let last = self.history[self.history.len() - 1].clone();
        let revision = last.revision() + 1;
        let id = self.random.random_range(0..6_u16);
        let next = if last.get(&format!("i{id}")).is_some() && self.random.random_bool(0.6) {
            let gone = last.get(&format!("i{id}")).map(|service| service.id().clone());
            last.apply(&Patch::new(revision, [], gone))
        } else {
            let port = self.random.random_range(1..u16::MAX);
            let service = Service::builder("api", "10.0.0.8", port).id(&format!("i{id}")).build().unwrap();
            last.apply(&Patch::new(revision, [service], []))
        };
        self.history.push(next);
    }

    /// Lets the operation under way end, or the time of the pause pass.
    fn complete(&mut self, luck: f64) -> Check {
        let fine = self.random.random_bool(luck);
        let head = self.history.len() - 1;
        let kind = if self.random.random_bool(0.5) { ErrorKind::Unavailable } else { ErrorKind::Denied };
        let failed = || Err(Break::Failed(error(kind)));
        let gap = || Err(Break::Gap(error(ErrorKind::Protocol)));
        let Some(operation) = self.operation.take() else {
            let deadline = self.machine.deadline();
            hold!(self.ended || deadline != Moment::NEVER, "nothing is under way and no timer is set");
            if !self.ended {
                self.now = self.now.max(deadline);
                return self.step(Input::Tick);
            }
            return Ok(());
        };
        let input = match operation {
            Operation::List if fine => {
                (self.position, self.must_list) = (head, false);
                Input::Listed(Ok(self.history[head].clone()))
            }
            Operation::List => Input::Listed(Err(error(kind))),
            Operation::Resume if self.position < self.compacted => {
                self.must_list = true;
                Input::Resumed(gap())
            }
            Operation::Resume if fine => Input::Resumed(Ok(self.advance(head))),
            Operation::Resume => Input::Resumed(failed()),
            Operation::Next if !fine => Input::Changed(failed()),
            Operation::Next if self.position == head => {
                self.operation = Some(Operation::Next);
                return Ok(());
            }
            Operation::Next if self.position < self.compacted => {
                self.must_list = true;
                Input::Changed(gap())
            }
            Operation::Next => {
                let to = self.random.random_range(self.position + 1..=head);
                Input::Changed(Ok(self.advance(to)))
            }
        };
        self.broken |=
            matches!(&input, Input::Listed(Err(_)) | Input::Resumed(Err(_)) | Input::Changed(Err(_)));
        self.step(input)
    }

    fn advance(&mut self, to: usize) -> Patch {
        let patch = self.history[self.position].diff(&self.history[to]);
        self.position = to;
        patch
    }

    fn step(&mut self, input: Input<Snapshot>) -> Check {
        self.trace.push(format!("> {input:?}"));
        let actions = self.machine.step(input, self.now);
        self.perform(actions)
    }

    fn perform(&mut self, actions: Vec<Action<Snapshot>>) -> Check {
        for action in actions {
            self.trace.push(format!("      {action:?}"));
            match action {
                Action::List => self.start(Operation::List)?,
                Action::Resume => self.start(Operation::Resume)?,
                Action::Next => self.start(Operation::Next)?,
                Action::Publish(event) => self.publish(event)?,
                Action::Broken(_) => {}
                Action::End(error) => return Err(format!("ended with {error}")),
            }
        }
        hold!(!self.broken || self.stale, "a break that readers are not told");
        Ok(())
    }

    fn start(&mut self, operation: Operation) -> Check {
        hold!(self.operation.is_none(), "{operation:?} beside {:?}", self.operation);
        hold!(operation == Operation::List || !self.must_list, "{operation:?} across a gap");
        self.operation = Some(operation);
        Ok(())
    }

    fn publish(&mut self, event: Event<Snapshot>) -> Check {
        match event {
            Event::Stale(error) => {
                hold!(!self.stale, "Stale twice in one break");
                self.stale = true;
                self.mailbox.stale(error);
            }
            Event::Reset(view) => {
                (self.stale, self.broken) = (false, false);
                self.published = Some(view.clone());
                self.mailbox.reset(view);
            }
            Event::Delta(patch) => {
                hold!(!self.stale, "a Delta after Stale");
                let Some(before) = &self.published else { return Err("a Delta before any Reset".into()) };
                let after = before.apply(&patch);
                self.published = Some(after.clone());
                self.mailbox.delta(&patch, after);
            }
        }
        let here = &self.history[self.position];
        let seen = self.published.as_ref();
        let right = self.stale || seen.is_some_and(|view| same(view, here));
        hold!(right, "published {seen:?}, the store is {here:?}");
        Ok(())
    }

    fn read(&mut self) -> Result<bool, String> {
        let Some((event, after)) = self.mailbox.pop() else {
            hold!(self.reader.is_some() == self.published.is_some(), "the reader lacks the first view");
            if let (Some(seen), Some(told)) = (&self.reader, &self.published) {
                hold!(same(seen, told), "the reader sees {seen:?}, told was {told:?}");
            }
            return Ok(false);
        };
        self.trace.push(format!("   read {event:?}"));
        match event {
            Event::Stale(_) => self.reader_stale = true,
            Event::Reset(view) => {
                self.reader_stale = false;
                self.reader = Some(view);
            }
            Event::Delta(patch) => {
                hold!(!self.reader_stale, "the reader gets a Delta after Stale");
                let Some(before) = &self.reader else { return Err("the reader gets a Delta first".into()) };
                self.reader = Some(before.apply(&patch));
            }
        }
        if let (Some(after), Some(seen)) = (&after, &self.reader) {
            hold!(same(seen, after), "handed out {after:?} beside {seen:?}");
        }
        Ok(true)
    }
}

fn machine(seed: u64) -> Follow<Snapshot> {
    Follow::new(Backoff::seeded(seed))
}

#[test]
fn a_reader_sees_the_store_under_any_schedule() {
    for seed in 0..SCHEDULES {
        if let Err(why) = World::new(seed, machine(seed)).run() {
            panic!("seed {seed}: {why}");
        }
    }
}

#[test]
fn the_schedules_reject_every_broken_machine() {
    for fault in FAULTS {
        let broken = |seed| World::new(seed, Broken { machine: machine(seed), fault });
        assert!((0..SCHEDULES).any(|seed| broken(seed).run().is_err()), "{fault:?} went unnoticed");
    }
}

#[test]
fn a_gap_found_after_a_pause_is_listed_at_once_and_one_after_a_list_is_not() {
    let now = Moment::from_duration(Duration::from_secs(1));
    let gap = || Input::Resumed(Err(Break::Gap(error(ErrorKind::Unavailable))));
    let lists = |actions: &[Action<Snapshot>]| actions.iter().any(|action| matches!(action, Action::List));
    let mut machine = machine(1);
    machine.begin();
    machine.step(Input::Listed(Ok(view(1, &[1]))), now);
    machine.step(Input::Resumed(Err(Break::Failed(error(ErrorKind::Unavailable)))), now);
    let later = machine.deadline();
    machine.step(Input::Tick, later);
    assert!(lists(&machine.step(gap(), later)), "the pause is over and the store has answered");
    machine.step(Input::Listed(Ok(view(9, &[2]))), later);
    assert!(!lists(&machine.step(gap(), later)), "a store that forgets at once is not listed in a loop");
    assert!(machine.deadline() > later);
}

#[test]
fn only_four_kinds_end_a_stream() {
    let ending = [ErrorKind::Closed, ErrorKind::Internal, ErrorKind::NoRuntime, ErrorKind::Unsupported];
    let passing = [ErrorKind::Denied, ErrorKind::Unauthenticated, ErrorKind::Protocol, ErrorKind::TooLarge];
    let now = Moment::from_duration(Duration::from_secs(1));
    for (kinds, expected) in [(ending, true), (passing, false)] {
        for kind in kinds {
            let mut machine = machine(1);
            machine.begin();
            let actions = machine.step(Input::Listed(Err(error(kind))), now);
            assert_eq!(actions.iter().any(|action| matches!(action, Action::End(_))), expected, "{kind:?}");
        }
    }
}
