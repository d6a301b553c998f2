//! How many tries in a row turn the gate.

/// Counts the tries that speak against what the gate does now.
#[derive(Debug)]
pub(super) struct Tally {
    rise: u32,
    fall: u32,
    open: bool,
    against: u32,
}

impl Tally {
    pub(super) fn new(rise: u32, fall: u32) -> Self {
        Self { rise, fall, open: false, against: 0 }
    }

    /// Counts a try; true when it turned the gate.
    pub(super) fn count(&mut self, good: bool) -> bool {
        if good == self.open {
            self.against = 0;
            return false;
        }
        self.against += 1;
        let turned = self.against >= if good { self.rise } else { self.fall };
        if turned {
            self.open = good;
            self.against = 0;
        }
        turned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The gate after each try, `+` good and `-` bad.
    fn play(rise: u32, fall: u32, tries: &str) -> String {
        let mut tally = Tally::new(rise, fall);
        let after = |sign| {
            tally.count(sign == '+');
            if tally.open { 'o' } else { '.' }
        };
        tries.chars().map(after).collect()
    }

    #[test]
    fn it_turns_after_as_many_tries_in_a_row() {
        assert_eq!(play(2, 3, "++++---+"), ".ooooo..");
        assert_eq!(play(1, 1, "+-+-"), "o.o.");
    }

    #[test]
    fn one_try_the_other_way_starts_the_count_again() {
        assert_eq!(play(2, 2, "+-+-+-++"), ".......o");
        assert_eq!(play(2, 2, "++-+-+-+--"), ".oooooooo.");
    }
}
