//! Whatever the lines say, the checker answers.

use reception_lab::history::{Bounds, Details, Event, Line, Token, check};

/// A small generator of numbers that look random: the same ones for the same seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }
}

const TIMES: &[u64] = &[0, 1, 1_000_000, 5_000_000_000, 20_000_000_000, u64::MAX - 1, u64::MAX];
const KEYS: &[&str] = &[
    "accepted", "client", "clients", "count", "early", "election", "from", "id", "ids", "kind", "name", "ok",
    "pids", "seq", "service", "short", "state", "store", "takes", "watch", "what", "within", "unknown",
];
const VALUES: &[&str] = &[
    "",
    "-1",
    "0",
    "1",
    "1,2",
    "2",
    "a",
    "a,b",
    "a,a",
    "b",
    ",",
    "active",
    "closed",
    "ended",
    "false",
    "true",
    "18446744073709551615",
    "99999999999999999999",
    "é",
];

fn line(numbers: &mut Numbers) -> Line {
    let ns = if numbers.below(4) == 0 { numbers.of(TIMES) } else { numbers.below(60_000_000_000) };
    let pid = u32::try_from(numbers.below(4)).unwrap();
    let token = (numbers.below(3) > 0).then(|| Token::new(numbers.of(&["d", "e"]), numbers.below(4)));
    let details = (0..numbers.below(6))
        .fold(Details::new(), |details, _| details.with(numbers.of(KEYS), numbers.of(VALUES)));
    Line::new(ns, pid, numbers.of(Event::ALL), token, details)
}

#[test]
fn no_history_makes_the_checker_panic() {
    for seed in 0..2_000 {
        let mut numbers = Numbers(seed);
        let length = numbers.below(80);
        let lines: Vec<_> = (0..length).map(|_| line(&mut numbers)).collect();
        for violation in check(&lines, &Bounds::default()) {
            assert!(violation.to_string().starts_with(violation.invariant), "seed {seed}");
        }
    }
}

#[test]
fn every_line_reads_back_as_it_was_written() {
    for seed in 0..2_000 {
        let line = line(&mut Numbers(seed));
        assert_eq!(line.to_string().parse(), Ok(line), "seed {seed}");
    }
}

#[test]
fn no_text_makes_the_parser_panic() {
    const WORDS: &[&str] =
        &["1", "-1", "x", "claim", "elected", "-", ":", "d:1", "d:", ":1", "=", "k=v", "=v", "é:é", "\u{0}"];
    for seed in 0..5_000 {
        let mut numbers = Numbers(seed);
        let words: Vec<_> = (0..numbers.below(8)).map(|_| numbers.of(WORDS)).collect();
        let _ = words.join(" ").parse::<Line>();
    }
}
