//! One way of one connection: takes bytes, keeps them as long as commanded, delivers them.

use std::{
    collections::VecDeque,
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::tcp::{ReadHalf, WriteHalf},
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    counts::add,
    door::{Shared, Ticket},
    flow::{Dice, End, Flow, Policy, Way},
    tap::Tap,
};

const CHUNK: usize = 16 << 10;
const KEPT: usize = 256 << 10;
const NEVER: Duration = Duration::from_secs(1 << 30);

/// Bytes on their way.
#[derive(Debug)]
struct Parcel {
    due: Option<Instant>,
    bytes: Vec<u8>,
    sent: usize,
}

#[derive(Debug)]
pub(crate) struct Pump<'a> {
    way: Way,
    number: u64,
    shared: &'a Shared,
    tap: &'a Mutex<Tap>,
    policy: watch::Receiver<Policy>,
    dice: Dice,
    flow: Flow,
    turn: u64,
    /// What may still pass before the cut.
    budget: Option<u64>,
    queue: VecDeque<Parcel>,
    kept: usize,
    /// The source has ended.
    ended: bool,
    /// The end was passed on, or cannot be.
    closed: bool,
    /// After what is queued, the connection closes.
    closing: bool,
    /// Something was swallowed that the receiver will miss.
    lost: bool,
}

impl<'a> Pump<'a> {
    pub(crate) fn new(
        way: Way,
        ticket: &'a Ticket,
        tap: &'a Mutex<Tap>,
        policy: watch::Receiver<Policy>,
    ) -> Self {
        Self {
            way,
            number: ticket.number,
            shared: &ticket.shared,
            tap,
            policy,
            dice: Dice::new(ticket.shared.seed, ticket.number, way),
            flow: Flow::Pass,
            turn: 0,
            budget: None,
            queue: VecDeque::new(),
            kept: 0,
            ended: false,
            closed: false,
            closing: false,
            lost: false,
        }
    }

    /// Runs until this way has ended in order (`Ok`) or the whole connection is to end (`Err`).
    pub(crate) async fn run(mut self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> Result<(), End> {
        let mut chunk = vec![0; CHUNK];
        loop {
            self.obey()?;
            if self.queue.is_empty() && (self.closing || self.must_close()) {
                let _ = to.shutdown().await;
                self.closed = true;
                if self.closing {
                    return Err(End::Close);
                }
            }
            if self.ended && self.closed {
                return Ok(());
            }
            tokio::select! {
                biased;
                changed = self.policy.changed() => changed.map_err(|_| End::Close)?,
                sent = deliver(self.queue.front(), &mut to), if !self.queue.is_empty() => self.sent(sent.ok())?,
                taken = from.read(&mut chunk), if self.may_take() => self.take(taken.ok(), &chunk)?,
            }
        }
    }

    /// Takes note of the commands.
    fn obey(&mut self) -> Result<(), End> {
        let policy = *self.policy.borrow_and_update();
        if let Some(end) = policy.ends(self.number) {
            return Err(end);
        }
        if self.turn == policy.turn(self.way) {
            return Ok(());
        }
        self.turn = policy.turn(self.way);
        self.flow = policy.flow(self.way);
        self.budget = None;
        match self.flow {
            Flow::Swallow => {
                self.discard();
                return Ok(());
            }
            _ if self.lost => return Err(End::Reset),
            Flow::CutAfter(bytes) => {
                self.budget = Some(bytes);
                self.closing |= bytes == 0;
            }
            Flow::Delay { .. } | Flow::Pass | Flow::Stall => {}
        }
        self.queue.iter_mut().for_each(|parcel| parcel.due = None);
        Ok(())
    }

    fn half_closed(&self) -> bool {
        self.policy.borrow().half_closes(self.way, self.number)
    }

    fn must_close(&self) -> bool {
        let ended = self.ended && !self.lost && self.flow != Flow::Stall;
        !self.closed && (ended || self.half_closed())
    }

    fn may_take(&self) -> bool {
        !self.ended && !self.closing && self.flow != Flow::Stall && self.kept < KEPT
    }

    /// Handles what the source gave: bytes, its end (0), or its failure (`None`).
    fn take(&mut self, taken: Option<usize>, chunk: &[u8]) -> Result<(), End> {
        // A command holds for every byte sent after it, also when both arrive at once.
        self.obey()?;
        match taken {
            Some(0) => {
                self.ended = true;
                self.lost |= self.flow == Flow::Swallow;
                Ok(())
            }
            Some(count) => {
                if self.way == Way::ToClient {
                    self.shared.heard(self.number, &chunk[..count]);
                }
                let cut =
                    self.tap.lock().unwrap_or_else(PoisonError::into_inner).see(self.way, &chunk[..count]);
                self.closing |= cut.is_some();
                self.keep(&chunk[..cut.unwrap_or(count)]);
                Ok(())
            }
            None if self.flow == Flow::Swallow => {
                self.ended = true;
                self.lost = true;
                Ok(())
            }
            None => Err(End::Reset),
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let allowed = self
            .budget
            .map_or(bytes.len(), |left| bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
        if let Some(left) = &mut self.budget {
            *left -= allowed as u64;
            self.closing |= *left == 0;
        }
        let dropped = if self.flow == Flow::Swallow || self.closed || self.half_closed() {
            bytes.len()
        } else {
            bytes.len() - allowed
        };
        add(&self.shared.counters.bytes_swallowed, dropped as u64);
        if self.flow == Flow::Swallow {
            self.lost = true;
        }
        let kept = &bytes[..bytes.len() - dropped];
        if kept.is_empty() {
            return;
        }
        let due = self.due();
        self.kept += kept.len();
        self.queue.push_back(Parcel { due, bytes: kept.to_vec(), sent: 0 });
    }

    fn due(&mut self) -> Option<Instant> {
        let due = match self.flow {
            Flow::Delay { base, jitter } => Instant::now() + base + self.dice.part_of(jitter),
            Flow::Stall => Instant::now() + NEVER,
            Flow::CutAfter(_) | Flow::Pass | Flow::Swallow => return None,
        };
        // Jitter never changes the order.
        Some(self.queue.back().and_then(|last| last.due).map_or(due, |last| last.max(due)))
    }

    fn sent(&mut self, sent: Option<usize>) -> Result<(), End> {
        let counters = &self.shared.counters;
        match sent {
            Some(count) => {
                let delivered = match self.way {
                    Way::ToClient => &counters.bytes_to_client,
                    Way::ToServer => &counters.bytes_to_server,
                };
                add(delivered, count as u64);
                self.kept -= count;
                if let Some(front) = self.queue.front_mut() {
                    front.sent += count;
                    if front.sent == front.bytes.len() {
                        self.queue.pop_front();
                    }
                }
                Ok(())
            }
            // The receiver's reset would travel the other way: if that is swallowed, nobody learns of it.
            None if self.policy.borrow().flow(self.way.opposite()) == Flow::Swallow => {
                self.closed = true;
                self.discard();
                Ok(())
            }
            None => Err(End::Reset),
        }
    }

    fn discard(&mut self) {
        self.lost |= !self.queue.is_empty();
        add(&self.shared.counters.bytes_swallowed, self.kept as u64);
        self.queue.clear();
        self.kept = 0;
    }
}

async fn deliver(parcel: Option<&Parcel>, to: &mut WriteHalf<'_>) -> io::Result<usize> {
    let Some(parcel) = parcel else { return Ok(0) };
    if let Some(due) = parcel.due {
        sleep_until(due).await;
    }
    match to.write(&parcel.bytes[parcel.sent..]).await {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        sent => sent,
    }
}
