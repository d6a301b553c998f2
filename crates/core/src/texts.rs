//! The address and the attributes of an instance in one piece: many instances are held, few are read.

/// All texts one after the other: the address, then each attribute's key and value, by key.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Texts {
    text: Box<str>,
    /// Where the address ends.
    address: u32,
    attributes: Box<[Ends]>,
}

/// Where an attribute's key and value end.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Ends {
    key: u32,
    value: u32,
}

impl Texts {
    /// Takes attributes that are in the order of their keys; all together they are far below 4 GiB.
    pub(crate) fn new(address: &str, attributes: &[(String, String)]) -> Self {
        let bytes: usize = attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
        let mut text = String::with_capacity(address.len() + bytes);
        let mut put = |part: &str| {
            text.push_str(part);
            u32::try_from(text.len()).unwrap_or(u32::MAX)
        };
        let address = put(address);
        let ends = attributes.iter().map(|(key, value)| Ends { key: put(key), value: put(value) });
        let attributes = ends.collect();
        Self { text: text.into_boxed_str(), address, attributes }
    }

    pub(crate) fn address(&self) -> &str {
        self.part(0, self.address)
    }

    pub(crate) fn attribute(&self, key: &str) -> Option<&str> {
        let (mut low, mut high) = (0, self.attributes.len());
        while low < high {
            let middle = low.midpoint(high);
            let (have, value) = self.pair(middle);
            match have.cmp(key) {
                std::cmp::Ordering::Equal => return Some(value),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        (0..self.attributes.len()).map(|at| self.pair(at))
    }

    fn pair(&self, at: usize) -> (&str, &str) {
        let begin = at.checked_sub(1).map_or(self.address, |before| self.attributes[before].value);
        let Ends { key, value } = self.attributes[at];
        (self.part(begin, key), self.part(key, value))
    }

    fn part(&self, begin: u32, end: u32) -> &str {
        self.text.get(begin as usize..end as usize).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(attributes: &[(&str, &str)]) -> Texts {
        let owned: Vec<_> = attributes.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Texts::new("h1", &owned)
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
}
