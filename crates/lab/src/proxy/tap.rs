//! Listens in on one connection: counts, and finds the reply that is to be cut.

use std::sync::{Arc, PoisonError};

use super::{
    counts::{add, sub},
    door::Shared,
    flow::Way,
    h2::{Frame, Frames, Messages, Piece},
    http1::Http1,
    jute::Jute,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Streams beyond this are counted as requests only.
const TRACKED: usize = 4096;

#[derive(Debug)]
pub(crate) struct Tap {
    shared: Arc<Shared>,
    protocol: Protocol,
    /// Who spoke last.
    speaker: Option<Way>,
    frames: [Frames; 2],
    streams: std::collections::BTreeMap<u32, [Messages; 2]>,
    newest: u32,
    /// The end of what a stream's client said, for a needle that spans two pieces.
    said: (u32, Vec<u8>),
    snare: Option<Snare>,
    /// For clients of ZooKeeper.
    jute: Option<Jute>,
    /// For clients of HTTP/1.
    http1: Option<Http1>,
    /// The connection's number.
    number: u64,
}

/// What the client speaks, as far as heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http2,
    Other,
    /// So many bytes of the preface matched.
    Unknown(usize),
}

/// The reply that is to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Snare {
    Any,
    Stream(u32),
}

impl Tap {
    pub(crate) fn new(shared: &Arc<Shared>, number: u64) -> Self {
        Self {
            shared: Arc::clone(shared),
            protocol: Protocol::Unknown(0),
            speaker: None,
            frames: Default::default(),
            streams: Default::default(),
            newest: 0,
            said: Default::default(),
            snare: None,
            jute: shared.jute.then(Jute::default),
            http1: shared.http1.then(Http1::default),
            number,
        }
    }

    /// Sees bytes as they were sent; says from where on they must not pass.
    pub(crate) fn see(&mut self, way: Way, bytes: &[u8]) -> Option<usize> {
        if way == Way::ToServer && self.speaker != Some(way) {
            add(&self.shared.counters.bursts, 1);
        }
        self.speaker = Some(way);
        let rest = if way == Way::ToServer { self.recognize(bytes) } else { bytes };
        let cut = match self.protocol {
            Protocol::Other => self.see_plain(way, bytes),
            Protocol::Http2 | Protocol::Unknown(_) => self.see_frames(way, rest),
        };
        if cut.is_some() {
            self.snare = None;
            add(&self.shared.counters.replies_cut, 1);
        }
        cut
    }

    /// Matches the client's first bytes with the preface of HTTP/2; gives what follows it.
    fn recognize<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Protocol::Unknown(matched) = self.protocol else { return bytes };
        let compared = bytes.len().min(PREFACE.len() - matched);
        if bytes[..compared] != PREFACE[matched..matched + compared] {
            self.protocol = Protocol::Other;
            return bytes;
        }
        let matched = matched + compared;
        self.protocol = if matched == PREFACE.len() { Protocol::Http2 } else { Protocol::Unknown(matched) };
        &bytes[compared..]
    }

    fn see_plain(&mut self, way: Way, bytes: &[u8]) -> Option<usize> {
        match way {
            Way::ToClient => {
                if self.http1.is_some() {
                    self.shared.answered(self.number);
                }
                self.snare.map(|_| 0)
            }
            Way::ToServer => {
                if let Some(jute) = &mut self.jute {
                    let (requests, pings) = jute.feed(bytes);
                    add(&self.shared.counters.requests, requests);
                    add(&self.shared.counters.pings, pings);
                }
                if let Some(http1) = &mut self.http1 {
                    self.shared.ask(self.number, http1.feed(bytes));
                }
                if self.spring(0, bytes) {
                    self.snare = Some(Snare::Any);
                }
                None
            }
        }
    }

    fn see_frames(&mut self, way: Way, bytes: &[u8]) -> Option<usize> {
        let mut frames = std::mem::take(&mut self.frames[way.index()]);
        let mut cut = None;
        frames.feed(bytes, |piece| match piece {
            Piece::Begin(frame, offset) => {
                let reply = way == Way::ToClient && frame.carries_reply();
                if reply && self.snare == Some(Snare::Stream(frame.stream)) {
                    cut = cut.or(Some(offset));
                }
                self.begin(way, frame);
            }
            Piece::Data(stream, data) => self.data(way, stream, data),
            Piece::End(frame) => self.end(way, frame),
        });
        self.frames[way.index()] = frames;
        cut
    }

    fn begin(&mut self, way: Way, frame: Frame) {
        let opens = frame.is_headers() && frame.stream % 2 == 1 && frame.stream > self.newest;
        if way == Way::ToClient || !opens {
            return;
        }
        self.newest = frame.stream;
        add(&self.shared.counters.requests, 1);
        if self.streams.len() < TRACKED {
            self.streams.insert(frame.stream, Default::default());
            add(&self.shared.counters.open_streams, 1);
        }
        // Without a needle the stream itself is the request.
        if self.wants_any() && self.spring(frame.stream, b"") {
            self.snare = Some(Snare::Stream(frame.stream));
        }
    }

    fn data(&mut self, way: Way, stream: u32, data: &[u8]) {
        if let Some(messages) = self.streams.get_mut(&stream) {
            let counter = match way {
                Way::ToClient => &self.shared.counters.messages_to_client,
                Way::ToServer => &self.shared.counters.messages_to_server,
            };
            add(counter, messages[way.index()].feed(data));
        }
        if way == Way::ToServer && !self.wants_any() && self.spring(stream, data) {
            self.snare = Some(Snare::Stream(stream));
        }
    }

    /// A call is over when the server has ended its stream or either side has reset it.
    fn end(&mut self, way: Way, frame: Frame) {
        let over = frame.is_reset() || (way == Way::ToClient && frame.ends_stream());
        if over && self.streams.remove(&frame.stream).is_some() {
            sub(&self.shared.counters.open_streams, 1);
        }
    }

    fn wants_any(&self) -> bool {
        self.shared.trap.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(Vec::is_empty)
    }

    /// Takes the trap if it is armed and what the client said contains its needle.
    fn spring(&mut self, stream: u32, data: &[u8]) -> bool {
        let mut trap = self.shared.trap.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(needle) = trap.as_ref() else { return false };
        if self.said.0 != stream {
            self.said = (stream, Vec::new());
        }
        self.said.1.extend_from_slice(data);
        let found = needle.is_empty() || self.said.1.windows(needle.len()).any(|window| window == needle);
        let surplus = self.said.1.len().saturating_sub(needle.len());
        self.said.1.drain(..surplus);
        if found {
            self.said.1.clear();
            *trap = None;
        }
        found
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        sub(&self.shared.counters.open_streams, self.streams.len() as u64);
        self.shared.answered(self.number);
    }
}
