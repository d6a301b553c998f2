//! As much of HTTP/2 and gRPC framing as counting needs: no header is decoded.

const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const END_STREAM: u8 = 0x1;
const PADDED: u8 = 0x8;

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    kind: u8,
    flags: u8,
    length: usize,
    pub(crate) stream: u32,
}

impl Frame {
    fn parse(head: [u8; HEAD]) -> Self {
        Self {
            length: usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]),
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5] & 0x7F, head[6], head[7], head[8]]),
        }
    }

    pub(crate) fn is_headers(self) -> bool {
        self.kind == HEADERS
    }

    pub(crate) fn is_reset(self) -> bool {
        self.kind == RST_STREAM
    }

    pub(crate) fn carries_reply(self) -> bool {
        matches!(self.kind, DATA | HEADERS | RST_STREAM)
    }

    pub(crate) fn ends_stream(self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }
}

/// What a frame reader finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// A frame whose head is complete, and where it began in these bytes (0 if before them).
    Begin(Frame, usize),
    /// Some of a stream's data, without padding.
    Data(u32, &'a [u8]),
    /// A frame that is complete.
    End(Frame),
}

/// Splits one way of a connection into frames, whatever the chunks it comes in.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    head: [u8; HEAD],
    have: usize,
    body: Option<Body>,
}

#[derive(Debug)]
struct Body {
    frame: Frame,
    left: usize,
    /// How much padding ends the frame; unknown until its first byte was seen.
    padding: Option<usize>,
}

impl Frames {
    pub(crate) fn feed<'a>(&mut self, bytes: &'a [u8], mut see: impl FnMut(Piece<'a>)) {
        let mut at = 0;
        while at < bytes.len() {
            if let Some(body) = &mut self.body {
                at += body.feed(&bytes[at..], &mut see);
            } else {
                let began = at;
                let taken = (HEAD - self.have).min(bytes.len() - at);
                self.head[self.have..self.have + taken].copy_from_slice(&bytes[at..at + taken]);
                self.have += taken;
                at += taken;
                if self.have == HEAD {
                    self.have = 0;
                    let frame = Frame::parse(self.head);
                    see(Piece::Begin(frame, began));
                    self.body = Some(Body::new(frame));
                }
            }
            if let Some(body) = self.body.take_if(|body| body.left == 0) {
                see(Piece::End(body.frame));
            }
        }
    }
}

impl Body {
    fn new(frame: Frame) -> Self {
        let padded = frame.kind == DATA && frame.flags & PADDED != 0;
        Self { frame, left: frame.length, padding: if padded { None } else { Some(0) } }
    }

    fn feed<'a>(&mut self, bytes: &'a [u8], see: &mut impl FnMut(Piece<'a>)) -> usize {
        let Some(padding) = self.padding else {
            self.padding = Some(usize::from(bytes[0]));
            self.left -= 1;
            return 1;
        };
        let taken = self.left.min(bytes.len());
        let data = taken.min(self.left.saturating_sub(padding));
        if self.frame.kind == DATA && data > 0 {
            see(Piece::Data(self.frame.stream, &bytes[..data]));
        }
        self.left -= taken;
        taken
    }
}

/// Counts the gRPC messages in one way of a stream's data.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    /// The prefix of a message: one byte of flags, four of length.
    prefix: [u8; 5],
    have: usize,
    left: usize,
}

impl Messages {
    /// How many messages began in these bytes (their prefix became complete).
    pub(crate) fn feed(&mut self, mut data: &[u8]) -> u64 {
        let mut began = 0;
        while !data.is_empty() {
            let skipped = self.left.min(data.len());
            self.left -= skipped;
            data = &data[skipped..];
            let taken = (self.prefix.len() - self.have).min(data.len());
            self.prefix[self.have..self.have + taken].copy_from_slice(&data[..taken]);
            self.have += taken;
            data = &data[taken..];
            if self.have == self.prefix.len() {
                self.have = 0;
                let [_, length @ ..] = self.prefix;
                self.left = u32::from_be_bytes(length) as usize;
                began += 1;
            }
        }
        began
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream];
        bytes.extend_from_slice(payload);
        bytes
    }

    fn split(bytes: &[u8], chunk: usize) -> (Vec<(u8, u32)>, Vec<u8>, usize) {
        let (mut began, mut data, mut ended) = (Vec::new(), Vec::new(), 0);
        let mut frames = Frames::default();
        for part in bytes.chunks(chunk) {
            frames.feed(part, |piece| match piece {
                Piece::Begin(frame, _) => began.push((frame.kind, frame.stream)),
                Piece::Data(_, bytes) => data.extend_from_slice(bytes),
                Piece::End(_) => ended += 1,
            });
        }
        (began, data, ended)
    }

    #[test]
    fn frames_are_found_whatever_the_chunks() {
        let mut bytes = frame(4, 0, 0, b"");
        bytes.extend(frame(HEADERS, 4, 1, b"headers"));
        bytes.extend(frame(DATA, PADDED | END_STREAM, 1, b"\x03hellopad"));
        bytes.extend(frame(RST_STREAM, 0, 3, b"\0\0\0\x08"));
        for chunk in 1..bytes.len() {
            let (began, data, ended) = split(&bytes, chunk);
            assert_eq!(began, [(4, 0), (HEADERS, 1), (DATA, 1), (RST_STREAM, 3)]);
            assert_eq!((data.as_slice(), ended), (b"hello".as_slice(), 4));
        }
    }

    #[test]
    fn the_place_where_a_frame_began_is_known() {
        let mut bytes = frame(4, 0, 0, b"xyz");
        bytes.extend(frame(HEADERS, 4, 5, b""));
        let mut places = Vec::new();
        Frames::default().feed(&bytes, |piece| {
            if let Piece::Begin(_, place) = piece {
                places.push(place);
            }
        });
        assert_eq!(places, [0, 12]);
    }

    #[test]
    fn padding_longer_than_its_frame_is_survived() {
        let bytes = frame(DATA, PADDED, 1, b"\xFFab");
        assert_eq!(split(&bytes, 4).1, b"");
        assert_eq!(split(&frame(DATA, PADDED, 1, b""), 4).2, 1);
    }

    #[test]
    fn messages_are_counted_whatever_the_pieces() {
        let bytes = b"\0\0\0\0\x03abc\0\0\0\0\0\x01\0\0\0\x02de";
        for chunk in 1..=bytes.len() {
            let mut messages = Messages::default();
            assert_eq!(bytes.chunks(chunk).map(|part| messages.feed(part)).sum::<u64>(), 3);
        }
    }
}
