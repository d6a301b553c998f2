//! The weights of members: records beside them that select by address, by name or by shard.

use reception_core::{Service, Status};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{endpoint_text, field};

#[derive(Deserialize)]
pub(super) struct Vectors<'a> {
    #[serde(borrow)]
    vector: Vec<Vector<'a>>,
}

#[derive(Deserialize)]
struct Vector<'a> {
    #[serde(default)]
    select: String,
    #[serde(borrow, default)]
    weight: Option<&'a RawValue>,
}

impl Vector<'_> {
    /// Finagle takes a number with a point or an exponent and passes over whole ones.
    fn weight(&self) -> f64 {
        let text = self.weight.map_or("", RawValue::get);
        let float = text.contains(['.', 'e', 'E']).then(|| text.parse().ok()).flatten();
        float.filter(|weight: &f64| weight.is_finite()).unwrap_or(1.0)
    }
}

pub(super) fn read(record: &[u8]) -> Option<Vectors<'_>> {
    serde_json::from_slice(record).ok()
}

/// The weight is the product of all that select the member; a negative one hides it.
pub(super) fn weigh(service: Service, child: &str, records: &[&[u8]]) -> Service {
    let port = service.port().map_or(0, std::num::NonZeroU16::get);
    let inet = endpoint_text(service.address(), port);
    let fits = |select: &str| match select.split_once('=') {
        Some(("inet", wanted)) => wanted == inet || wanted == format!("{}:{port}", service.address()),
        Some(("member", wanted)) => wanted == child,
        Some(("shard", wanted)) => service.attribute(field::SHARD) == Some(wanted),
        _ => false,
    };
    let records = records.iter().filter_map(|record| read(record));
    let selected = records.flat_map(|record| record.vector).filter(|vector| fits(&vector.select));
    let weights: Vec<f64> = selected.map(|vector| vector.weight()).collect();
    if weights.is_empty() {
        return service;
    }
    let hidden = weights.iter().any(|weight| *weight < 0.0);
    let product: f64 = weights.iter().map(|weight| weight.max(0.0)).product();
    let mut builder = service.to_builder();
    if product.is_finite() {
        builder = builder.attribute(field::WEIGHT, &product.to_string());
    }
    if hidden {
        builder = builder.status(Status::Down);
    }
    builder.build_foreign().unwrap_or(service)
}
