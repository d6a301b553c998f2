//! A registration in a store that is not the one that it was written to.

use std::time::Duration;

use etcd_client::{Client, ConnectOptions};
use reception_core::Clock;
use reception_kit::Supervisor;
use reception_lab::Etcd;
use tokio::time::timeout;

use super::*;
use crate::{
    layout::Layout,
    session::{Endpoint, Recipe},
};

const SOON: Duration = Duration::from_secs(10);
/// A revision that the store has yet to reach.
const AHEAD: i64 = 1_000;

async fn session(etcd: &Etcd) -> Arc<Session> {
    let recipe = Recipe { url: etcd.url(), options: ConnectOptions::new() };
    let endpoint = Endpoint::dial(etcd.endpoint().to_string(), recipe, None).await.unwrap();
    let supervisor = Supervisor::new("etcd").unwrap();
    let times = (Duration::from_secs(5), Duration::from_secs(60));
    Session::new(Layout::new("test").unwrap(), supervisor, Clock::BOOT, times, vec![endpoint])
}

fn instance(id: &str) -> Service {
    Service::builder("api", "10.0.0.7", 8080).id(id).build().unwrap()
}

async fn lost(place: &mut Place) {
    let news = timeout(SOON, place.news()).await.expect("told in time");
    assert!(matches!(news, News::Lost(_)), "{news:?}");
}

#[tokio::test]
async fn a_registration_that_was_written_before_the_store_was_set_back_is_not_deaf() {
    let etcd = Etcd::start().await.unwrap();
    let store = Client::connect([etcd.endpoint().to_string()], None).await.unwrap();
    let session = session(&etcd).await;
    let mut rewound = session.lookout.rewound();
    // The stream is open when the other one comes.
    let earlier = instance("earlier");
    let mut first = Place::take(&session, &earlier).unwrap();
    first.write(&earlier, Attempt::First(OnConflict::Fail)).await.unwrap();
    store.kv_client().delete(first.key.as_str(), None).await.unwrap();
    lost(&mut first).await;

    let service = instance("held");
    let mut place = Place::take(&session, &service).unwrap();
    let lease = place.seat.lease(None).await.unwrap();
    place.stands(AHEAD, lease);
    lost(&mut place).await;
    assert!(!rewound.has_changed().unwrap(), "it may be a server that lags");
    place.write(&service, Attempt::Repair).await.unwrap();
    assert!(place.standing < Some(AHEAD));
    assert!(rewound.has_changed().unwrap(), "what was withdrawn may be there again");
    rewound.mark_unchanged();
    for _ in 0..2 {
        store.kv_client().delete(place.key.as_str(), None).await.unwrap();
        lost(&mut place).await;
        place.write(&service, Attempt::Repair).await.unwrap();
    }
    assert!(!rewound.has_changed().unwrap());
    session.close().await.unwrap();
}
