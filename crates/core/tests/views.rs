//! Snapshots and patches compose as the contract says.
#![expect(clippy::expect_used, reason = "a test may panic")]

use proptest::prelude::*;
use reception_core::{Patch, Service, ServiceName, Snapshot};

fn instance(id: u8, port: u16) -> Service {
    Service::builder("api", "h", port).id(&format!("i{id}")).build().expect("valid")
}

fn view(revision: u64, services: &[(u8, u16)]) -> Snapshot {
    let name = ServiceName::new("api").expect("valid");
    Snapshot::new(name, revision, services.iter().map(|(id, port)| instance(*id, *port)))
}

fn services() -> impl Strategy<Value = Vec<(u8, u16)>> {
    proptest::collection::vec((0_u8..12, 1_u16..4), 0..16)
}

proptest! {
    #[test]
    fn applying_the_difference_gives_the_next_view(left in services(), right in services()) {
        let (left, right) = (view(1, &left), view(2, &right).with_unreadable(3));
        prop_assert_eq!(left.apply(&left.diff(&right)), right);
    }

    #[test]
    fn one_patch_does_what_two_do(one in services(), two in services(), three in services()) {
        let (one, two, three) = (view(1, &one), view(2, &two), view(3, &three));
        let (first, second) = (one.diff(&two), two.diff(&three));
        prop_assert_eq!(one.apply(&first.then(&second)), three);
    }

    #[test]
    fn a_view_is_in_the_order_of_its_ids_and_the_last_of_an_id_stays(services in services()) {
        let view = view(1, &services);
        let ids: Vec<_> = view.iter().map(|service| service.id().clone()).collect();
        prop_assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        for (id, _) in &services {
            let last = services.iter().rfind(|(other, _)| other == id).map(|(_, port)| *port);
            let have = view.get(&format!("i{id}")).and_then(Service::port).map(Into::into);
            prop_assert_eq!(have, last);
        }
    }
}

#[test]
fn an_id_given_as_upserted_and_removed_is_an_upsert() {
    let service = instance(1, 80);
    let patch = Patch::new(2, [service.clone()], [service.id().clone()]);
    assert_eq!((patch.upserted().len(), patch.removed().len()), (1, 0));
}

#[test]
fn an_equal_view_differs_by_nothing() {
    let view = view(1, &[(1, 80)]);
    assert!(view.diff(&view).is_empty());
}
