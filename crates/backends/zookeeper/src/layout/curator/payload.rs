//! The payload: attributes as a map of texts, or whatever another program put there.

use std::borrow::Cow;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::value::RawValue;

use super::field;

/// The maps of Java that hold texts and are written back as ours without harm.
const MAPS: &[&str] = &[
    "java.util.HashMap",
    "java.util.Hashtable",
    "java.util.LinkedHashMap",
    "java.util.TreeMap",
    "java.util.concurrent.ConcurrentHashMap",
];

/// The pairs of a payload that is a map of texts.
pub(super) struct Texts<'a>(pub(super) Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// Reads a payload as a map of texts, its class left out; none when it is anything else. `class` is the one that we write.
pub(super) fn texts<'a>(payload: &'a RawValue, class: &str) -> Option<Texts<'a>> {
    let Texts(mut pairs) = serde_json::from_str(payload.get()).ok()?;
    let known = |name: &str| name == class || MAPS.contains(&name);
    if pairs.iter().any(|(key, value)| key == field::CLASS && !known(value)) {
        return None;
    }
    pairs.sort_by(|left, right| left.0.cmp(&right.0));
    if pairs.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return None;
    }
    pairs.retain(|(key, _)| key != field::CLASS);
    Some(Texts(pairs))
}

/// Writes a map of texts.
pub(super) fn map(class: &str, pairs: &[(&str, &str)]) -> serde_json::Result<Box<RawValue>> {
    serde_json::value::to_raw_value(&Written { class, pairs })
}

struct Written<'a> {
    class: &'a str,
    pairs: &'a [(&'a str, &'a str)],
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.pairs.len() + 1))?;
        map.serialize_entry(field::CLASS, self.class)?;
        for (key, value) in self.pairs {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Texts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Pairs)
    }
}

struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Texts<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts<'de>, A::Error> {
        let mut pairs = Vec::new();
        while let Some((Text(key), Text(value))) = map.next_entry()? {
            pairs.push((key, value));
        }
        Ok(Texts(pairs))
    }
}
