//! The keeper under seeded schedules, and broken keepers that the schedules must reject.

mod broken;
mod turns;

use std::collections::BTreeSet;

use rand::{Rng, SeedableRng, rngs::SmallRng};
use reception_core::ErrorKind;

use self::broken::{Broken, FAULTS};
use super::*;

const SCHEDULES: u64 = 12_000;
const TIMEOUT: Duration = Duration::from_secs(3);

trait Machine {
    fn begin(&mut self) -> Vec<Action>;
    fn step(&mut self, input: Input, now: Moment) -> Vec<Action>;
    fn deadline(&self) -> Moment;
    fn hears_news(&self) -> bool;
}

impl Machine for Keeper {
    fn begin(&mut self) -> Vec<Action> {
        Self::begin(self)
    }
    fn step(&mut self, input: Input, now: Moment) -> Vec<Action> {
        Self::step(self, input, now)
    }
    fn deadline(&self) -> Moment {
        Self::deadline(self)
    }
    fn hears_news(&self) -> bool {
        Self::hears_news(self)
    }
}

#[derive(Clone, Debug)]
enum Operation {
    Write(u64, Service),
    Withdraw(u64),
}

/// The world around one keeper: a store that fails as it likes, a user, and what must hold.
struct World<M> {
    machine: M,
    random: SmallRng,
    now: Moment,
    store: Option<Service>,
    /// What the user was told last: this record must be in the store once all is well.
    wanted: Service,
    operation: Option<Operation>,
    past: Vec<u64>,
    asked: BTreeSet<u64>,
    next_id: u64,
    updates: Vec<(u64, Service)>,
    unwanted: bool,
    closed: bool,
    registered: Option<bool>,
    ended: bool,
    taken: bool,
    withdrawn: bool,
    let_go: bool,
    done: bool,
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

fn service(port: u16) -> Service {
    Service::builder("api", "10.0.0.7", port).id("one").build().unwrap()
}

fn error(kind: ErrorKind) -> Error {
    Error::new(kind, "test", "write", "scripted")
}

impl<M: Machine> World<M> {
    fn new(seed: u64, machine: M) -> Self {
        Self {
            machine,
            random: SmallRng::seed_from_u64(seed),
            now: Moment::from_duration(Duration::from_secs(100)),
            store: None,
            wanted: service(1),
            operation: None,
            past: Vec::new(),
            asked: BTreeSet::new(),
            next_id: 0,
            updates: Vec::new(),
            unwanted: false,
            closed: false,
            registered: None,
            ended: false,
            taken: false,
            withdrawn: false,
            let_go: false,
            done: false,
            trace: Vec::new(),
        }
    }

    fn run(mut self) -> Result<(), String> {
        let outcome = self.all();
        outcome.map_err(|why| format!("{why}\n{}", self.trace.join("\n")))
    }

    fn all(&mut self) -> Check {
        let actions = self.machine.begin();
        self.perform(actions)?;
        for _ in 0..self.random.random_range(1..40) {
            if self.done {
                break;
            }
            self.something()?;
        }
        self.heal()
    }

    /// From here on the store answers and the user asks nothing: everything must come to rest as it should.
    fn heal(&mut self) -> Check {
        for _ in 0..200 {
            if self.done || (self.operation.is_none() && self.machine.deadline() == Moment::NEVER) {
                break;
            }
            if self.operation.is_some() { self.complete(1.0)? } else { self.tick()? }
        }
        hold!(self.registered.is_some(), "register was never answered");
        hold!(self.asked.is_empty(), "unanswered: {:?}", self.asked);
        if self.unwanted || self.registered == Some(false) {
            hold!(self.done, "not wanted, yet it goes on");
            let left = self.store.is_some() && !self.taken && !(self.closed && self.let_go);
            hold!(!left, "the record is left behind");
        } else if self.taken {
            hold!(self.done && self.ended, "another owner holds the id, yet it goes on");
        } else {
            hold!(!self.done, "wanted, yet it is over");
            hold!(
                self.store.as_ref() == Some(&self.wanted),
                "store {:?}, wanted {:?}",
                self.store,
                self.wanted
            );
        }
        Ok(())
    }

    fn something(&mut self) -> Check {
        match self.random.random_range(0..100) {
            0..40 if self.operation.is_some() => self.complete(0.55),
            0..25 if self.machine.hears_news() => self.news(),
            40..52 if !self.unwanted && self.registered == Some(true) => self.update(),
            52..57 if !self.unwanted && self.registered == Some(true) => self.close(),
            57..60 if !self.unwanted => {
                self.unwanted = true;
                self.step(Input::Abandon)
            }
            60..63 if !self.closed => {
                self.unwanted = true;
                self.closed = true;
                self.step(Input::Closing)
            }
            63..70 => self.late_outcome(),
            70..80 => {
                self.now = self.now.saturating_add(Duration::from_millis(self.random.random_range(0..900)));
                self.step(Input::Tick)
            }
            80.. => self.tick(),
            _ => Ok(()),
        }
    }

    fn tick(&mut self) -> Check {
        let deadline = self.machine.deadline();
        let idle = self.operation.is_none() && !self.machine.hears_news();
        hold!(!(idle && deadline == Moment::NEVER), "nothing is under way and no timer is set");
        if deadline == Moment::NEVER {
            return Ok(());
        }
        self.now = self.now.max(deadline);
        self.step(Input::Tick)
    }

    fn late_outcome(&mut self) -> Check {
        let Some(number) = self.past.last().copied() else { return Ok(()) };
        let fine = self.random.random_bool(0.5);
        let outcome = if fine { Ok(()) } else { Err(error(ErrorKind::Timeout)) };
        if self.random.random_bool(0.5) {
            self.step(Input::Wrote(number, outcome))
        } else {
            self.step(Input::Withdrew(number, outcome))
        }
    }

    fn news(&mut self) -> Check {
        let news = match self.random.random_range(0..20) {
            0 => {
                self.taken |= self.registered == Some(true);
                News::Taken(error(ErrorKind::Conflict))
            }
            1..6 => News::Doubtful(error(ErrorKind::Unavailable)),
            6..11 => News::Healthy,
            _ => {
                self.store = None;
                News::Lost(error(ErrorKind::LeaseLost))
            }
        };
        self.step(Input::News(news))
    }

    fn update(&mut self) -> Check {
        let (id, record) = (self.ask(), service(self.random.random_range(2..u16::MAX)));
        self.updates.push((id, record.clone()));
        self.step(Input::Update(id, record))
    }

    fn close(&mut self) -> Check {
        self.unwanted = true;
        let id = self.ask();
        self.step(Input::Close(id))
    }

    fn ask(&mut self) -> u64 {
        self.next_id += 1;
        self.asked.insert(self.next_id);
        self.next_id
    }

    fn complete(&mut self, luck: f64) -> Check {
        let fine = self.random.random_bool(luck);
        let Some(operation) = self.operation.take() else { return Ok(()) };
        let kind = match self.random.random_range(0..10) {
            0 => ErrorKind::Conflict,
            1 => ErrorKind::TooLarge,
            2 => ErrorKind::Denied,
            3..6 => ErrorKind::Timeout,
            _ => ErrorKind::Unavailable,
        };
        let outcome = if fine { Ok(()) } else { Err(error(kind)) };
        match operation {
            Operation::Write(number, record) => {
                let unknown = matches!(kind, ErrorKind::Timeout | ErrorKind::Unavailable);
                if fine || (unknown && self.random.random_bool(0.5)) {
                    self.store = Some(record);
                }
                // A conflict means that the other owner stands there; ours is gone.
                if !fine && kind == ErrorKind::Conflict {
                    self.store = None;
                    self.taken |= self.registered == Some(true) && !self.unwanted;
                }
                self.past.push(number);
                self.step(Input::Wrote(number, outcome))
            }
            Operation::Withdraw(number) => {
                if fine || self.random.random_bool(0.5) {
                    self.store = None;
                }
                self.withdrawn |= fine;
                self.past.push(number);
                self.step(Input::Withdrew(number, outcome))
            }
        }
    }

    fn step(&mut self, input: Input) -> Check {
        self.trace.push(format!("{:?} > {input:?}", self.now.since_boot()));
        let actions = self.machine.step(input, self.now);
        self.perform(actions)
    }

    fn perform(&mut self, actions: Vec<Action>) -> Check {
        for action in actions {
            self.trace.push(format!("      {action:?}"));
            hold!(!self.done, "{action:?} after Done");
            match action {
                Action::Write(number, record, attempt) => {
                    hold!(self.operation.is_none(), "a write beside {:?}", self.operation);
                    hold!(!self.unwanted && !self.withdrawn && !self.ended, "a write that nobody wants");
                    let first = matches!(attempt, Attempt::First(_));
                    hold!(first != (self.registered == Some(true)), "{attempt:?} at the wrong time");
                    self.operation = Some(Operation::Write(number, record));
                }
                Action::Withdraw(number) => {
                    hold!(self.operation.is_none(), "a withdrawal beside {:?}", self.operation);
                    self.operation = Some(Operation::Withdraw(number));
                }
                Action::Cut => self.cut()?,
                Action::Adopt(record) => {
                    hold!(self.store.as_ref() == Some(&record), "adopted what the store does not hold");
                    self.wanted = record;
                }
                Action::State(state) => {
                    let ended = matches!(state, RegistrationState::Ended(_));
                    hold!(!self.ended, "{state:?} after Ended");
                    hold!(ended || !self.unwanted, "{state:?} when nobody wants it");
                    self.ended = ended;
                }
                Action::Answer(id, outcome) => self.answered(id, outcome.is_ok())?,
                Action::Registered(outcome) => {
                    hold!(self.registered.is_none(), "register answered twice");
                    hold!(outcome.is_err() || self.store.is_some(), "registered, and nothing is stored");
                    self.registered = Some(outcome.is_ok());
                }
                Action::LetGo(_) => self.let_go = true,
                Action::Done => {
                    hold!(self.operation.is_none(), "done beside {:?}", self.operation);
                    self.done = true;
                }
            }
        }
        Ok(())
    }

    fn cut(&mut self) -> Check {
        let landed = self.random.random_bool(0.5);
        match self.operation.take() {
            Some(Operation::Write(number, record)) => {
                self.past.push(number);
                if landed {
                    self.store = Some(record);
                }
            }
            Some(Operation::Withdraw(number)) => {
                self.past.push(number);
                if landed {
                    self.store = None;
                }
            }
            None => return Err("a cut without an operation".into()),
        }
        Ok(())
    }

    fn answered(&mut self, id: u64, fine: bool) -> Check {
        hold!(self.asked.remove(&id), "request {id} answered twice or never asked");
        match self.updates.iter().find(|(update, _)| *update == id) {
            // Several updates that waited are written as the latest of them.
            Some((_, record)) => {
                let later = self.updates.iter().any(|(other, record)| *other > id && *record == self.wanted);
                hold!(
                    !fine || *record == self.wanted || later,
                    "update {id} is told Ok but was not accepted"
                );
            }
            None => hold!(!fine || self.store.is_none(), "closed, and the store still shows it"),
        }
        Ok(())
    }
}

fn keeper(seed: u64) -> Keeper {
    let mut random = SmallRng::seed_from_u64(!seed);
    let on_conflict = match random.random_range(0..3) {
        0 => OnConflict::Fail,
        1 => OnConflict::Replace,
        _ => OnConflict::Wait,
    };
    let reconcile = if random.random_bool(0.3) { Duration::from_secs(15) } else { Duration::ZERO };
    let terms = Terms { backend: "test", on_conflict, timeout: TIMEOUT, crash_bound: TIMEOUT * 2, reconcile };
    let now = Moment::from_duration(Duration::from_secs(100));
    Keeper::new(service(1), terms, Backoff::seeded(seed), now)
}

#[test]
fn a_keeper_keeps_its_promises_under_any_schedule() {
    for seed in 0..SCHEDULES {
        if let Err(why) = World::new(seed, keeper(seed)).run() {
            panic!("seed {seed}: {why}");
        }
    }
}

#[test]
fn the_schedules_reject_every_broken_keeper() {
    for fault in FAULTS {
        let caught = (0..SCHEDULES).any(|seed| {
            let machine = Broken { keeper: keeper(seed), fault, writing: false };
            World::new(seed, machine).run().is_err()
        });
        assert!(caught, "{fault:?} went unnoticed");
    }
}
