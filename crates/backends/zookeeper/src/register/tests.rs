//! Two registrations of one id in one client, on a real server, step by step.

use reception_core::{Clock, OnConflict};
use reception_kit::Supervisor;
use reception_lab::ZooKeeper;

use super::*;
use crate::{error::NAME, options::Options, session::Hosts};

fn session(zookeeper: &ZooKeeper) -> Arc<Session> {
    let options = Options::new([zookeeper.endpoint().to_string()]).namespace("prod");
    let supervisors = (Supervisor::new(NAME).unwrap(), Supervisor::new(NAME).unwrap());
    let times = (options.timeout, options.ttl);
    let (recipe, _) = options.recipe(Hosts::Fixed(zookeeper.endpoint().to_string())).unwrap();
    Session::new(options.checked().unwrap(), supervisors, Clock::BOOT, times, recipe, None)
}

fn one() -> Service {
    Service::builder("api", "10.0.0.7", 8080).id("one").build().unwrap()
}

async fn stands(session: &Arc<Session>) -> bool {
    let live = session.live(OPERATION, session.until()).await.unwrap();
    live.client.check_stat("/prod/api/one").await.unwrap().is_some()
}

#[tokio::test]
async fn a_withdrawal_that_is_late_leaves_the_next_registration_alone() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let session = session(&zookeeper);
    let first = Attempt::First(OnConflict::Fail);
    let mut before = Place::take(&session, &one()).unwrap();
    before.write(&one(), first).await.unwrap();
    // A try to withdraw that did not reach the server.
    assert!(before.leave());
    let mut after = Place::take(&session, &one()).unwrap();
    after.write(&one(), first).await.unwrap();
    before.withdraw().await.unwrap();
    assert!(stands(&session).await, "the record of the next registration is gone");
    after.withdraw().await.unwrap();
    drop((before, after));
    assert!(!stands(&session).await);
    session.close().await.unwrap();
}

#[tokio::test]
async fn a_withdrawal_goes_on_when_the_next_registration_gave_up() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let session = session(&zookeeper);
    let mut before = Place::take(&session, &one()).unwrap();
    before.write(&one(), Attempt::First(OnConflict::Fail)).await.unwrap();
    assert!(before.leave());
    drop(Place::take(&session, &one()).unwrap());
    // Somebody wrote to it meanwhile, which makes it no less ours.
    let live = session.live(OPERATION, session.until()).await.unwrap();
    live.client.set_data("/prod/api/one", b"{}", None).await.unwrap();
    before.withdraw().await.unwrap();
    assert!(!stands(&session).await);
    drop((before, live));
    session.close().await.unwrap();
}
