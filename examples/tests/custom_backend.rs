//! The laws on the backend of the `custom_backend` example: all that a backend outside this repository has to write.

#[path = "../examples/custom_backend/shelf/mod.rs"]
mod shelf;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use reception_conformance::{Fixture, Missing, suite};
use reception_core::{Client, Dialer, Result};
use shelf::Shelf;

/// Holds the shelves of the cases, so that a shelf outlives its clients as a server would.
#[derive(Default)]
struct Stand {
    shelves: Mutex<BTreeMap<String, Arc<Shelf>>>,
}

impl Fixture for Stand {
    const NAME: &'static str = "shelf";
    const UNPROVEN: &'static [(&'static str, &'static str)] = &[];

    async fn start() -> Result<Self, Missing> {
        Ok(Self::default())
    }

    async fn stop(self: Arc<Self>) {}

    async fn dial(&self, case: &str) -> Result<Arc<dyn Client>> {
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        shelves.entry(case.to_owned()).or_insert_with(|| Shelf::named(case));
        drop(shelves);
        Dialer::new().with(shelf::BACKEND)?.dial(&format!("shelf://{case}")).await
    }

    async fn exclusive(&self) -> Result<Self, Missing> {
        Ok(Self::default())
    }

    async fn residue(&self, case: &str) -> Vec<String> {
        let shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        shelves.get(case).map(|shelf| shelf.contents()).unwrap_or_default()
    }
}

suite!(Stand);
