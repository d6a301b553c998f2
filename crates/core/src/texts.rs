//! The address and the attributes of an instance in one piece: many instances are held, few are read.

/// All texts one after the other, each behind its length: the address, then each attribute's key and value, by key.
///
/// A length is written six bits a letter, the lowest first, and [`MORE`] is set in each letter but the last. All of these letters are
/// ASCII, so the whole is text and needs no second allocation for the places.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Texts(Box<str>);

const BITS: u32 = 6;
const MORE: u8 = 1 << BITS;

impl Texts {
    /// Takes attributes that are in the order of their keys.
    pub(crate) fn new(address: &str, attributes: &[(&str, &str)]) -> Self {
        let room = |part: &str| letters(part.len()) + part.len();
        let rooms = attributes.iter().map(|(key, value)| room(key) + room(value));
        let mut text = String::with_capacity(room(address) + rooms.sum::<usize>());
        put(&mut text, address);
        for (key, value) in attributes {
            put(&mut text, key);
            put(&mut text, value);
        }
        Self(text.into_boxed_str())
    }

    pub(crate) fn address(&self) -> &str {
        self.parts().next().unwrap_or_default()
    }

    pub(crate) fn attribute(&self, key: &str) -> Option<&str> {
        // There are few, or seldom a question.
        self.attributes()
            .find(|(have, _)| *have >= key)
            .filter(|(have, _)| *have == key)
            .map(|(_, value)| value)
    }

    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        let mut parts = self.parts();
        parts.next();
        std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
    }

    fn parts(&self) -> Parts<'_> {
        Parts(&self.0)
    }
}

/// The texts that are left to be read.
struct Parts<'a>(&'a str);

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (mut length, mut shift) = (0, 0);
        for (at, letter) in self.0.bytes().enumerate() {
            length |= usize::from(letter & (MORE - 1)) << shift;
            shift += BITS;
            if letter < MORE {
                let (part, rest) = self.0.get(at + 1..)?.split_at_checked(length)?;
                self.0 = rest;
                return Some(part);
            }
        }
        None
    }
}

fn put(text: &mut String, part: &str) {
    let mut left = part.len();
    loop {
        let low = u8::try_from(left & usize::from(MORE - 1)).unwrap_or_default();
        left >>= BITS;
        if left == 0 {
            text.push(char::from(low));
            return text.push_str(part);
        }
        text.push(char::from(low | MORE));
    }
}

fn letters(length: usize) -> usize {
    (usize::BITS - length.leading_zeros()).div_ceil(BITS).max(1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(attributes: &[(&str, &str)]) -> Texts {
        Texts::new("h1", attributes)
    }

    #[test]
    fn what_was_put_in_comes_out() {
        let pairs = [("", "empty key"), ("a", "1"), ("b", ""), ("c", "é"), ("ca", "x=y")];
        for count in 0..=pairs.len() {
            let texts = texts(&pairs[..count]);
            assert_eq!(texts.address(), "h1");
            assert_eq!(texts.attributes().collect::<Vec<_>>(), pairs[..count]);
            for (at, (key, value)) in pairs.iter().enumerate() {
                assert_eq!(texts.attribute(key), (at < count).then_some(*value), "{key}");
            }
            assert_eq!(texts.attribute("zz"), None);
        }
    }

    #[test]
    fn the_same_letters_cut_elsewhere_are_not_the_same() {
        assert!(texts(&[("a", "bc")]) != texts(&[("ab", "c")]));
        assert!(texts(&[("a", "")]) != texts(&[]));
        assert!(texts(&[("a", "1")]) == texts(&[("a", "1")]));
    }
    #[test]
    fn a_text_of_any_length_comes_out_and_takes_no_more_room_than_was_made() {
        for length in [0, 1, 63, 64, 65, 4095, 4096, 262_143, 262_144, 300_000] {
            let long = "é".repeat(length / 2) + &"x".repeat(length % 2);
            let texts = Texts::new(&long, &[("k", &long), ("l", "")]);
            assert_eq!(texts.address(), long);
            assert_eq!(texts.attribute("k"), Some(long.as_str()));
            assert_eq!(texts.attribute("l"), Some(""));
            let mut text = String::new();
            put(&mut text, &long);
            assert_eq!(text.len(), letters(length) + length, "{length}");
        }
    }
}
