//! The frames that a ZooKeeper client sends: a length, then for all but the first one the request's number and its kind.

/// The number of every ping.
const PING: i32 = -2;
const LENGTH: usize = 4;

/// Takes one connection's way to the server apart.
#[derive(Debug, Default)]
pub(crate) struct Jute {
    /// The length and the number of the frame that has begun.
    head: Vec<u8>,
    /// What is still to come of the frame behind its head.
    rest: usize,
}

impl Jute {
    /// How many requests begin in these bytes, and how many pings.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> (u64, u64) {
        let (mut requests, mut pings) = (0, 0);
        while !bytes.is_empty() {
            if self.rest > 0 {
                let skipped = self.rest.min(bytes.len());
                self.rest -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            self.head.push(bytes[0]);
            bytes = &bytes[1..];
            let Some((length, number)) = self.head.split_at_checked(LENGTH) else { continue };
            let Ok(number) = <[u8; 4]>::try_from(number) else { continue };
            let length = length.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
            let sort = if i32::from_be_bytes(number) == PING { &mut pings } else { &mut requests };
            *sort += 1;
            self.rest = length.saturating_sub(number.len());
            self.head.clear();
        }
        (requests, pings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: i32, more: usize) -> Vec<u8> {
        let length = u32::try_from(4 + more).unwrap();
        [&length.to_be_bytes()[..], &number.to_be_bytes(), &vec![9; more]].concat()
    }

    #[test]
    fn requests_are_counted_however_they_are_cut_and_pings_apart() {
        let bytes = [frame(0, 41), frame(1, 10), frame(PING, 4), frame(2, 0), frame(3, 300)].concat();
        for size in [1, 3, 7, bytes.len()] {
            let mut jute = Jute::default();
            let counted: Vec<(u64, u64)> = bytes.chunks(size).map(|chunk| jute.feed(chunk)).collect();
            assert_eq!(counted.iter().map(|(requests, _)| requests).sum::<u64>(), 4, "{size}");
            assert_eq!(counted.iter().map(|(_, pings)| pings).sum::<u64>(), 1, "{size}");
        }
    }
}
