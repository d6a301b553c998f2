//! Which lease a win goes with.

use reception_core::Clock;
use reception_kit::Supervisor;

use super::*;
use crate::layout::Layout;

#[tokio::test]
async fn a_lost_lease_is_not_held_nor_is_another() {
    let supervisor = Supervisor::new("etcd").unwrap();
    let times = (Duration::from_secs(1), Duration::from_secs(1));
    let session = Session::new(Layout::new("test").unwrap(), supervisor, Clock::BOOT, times, Vec::new());
    let mut candidacy = Candidacy::new(&session, &ElectionName::new("reaper").unwrap(), Vec::new());
    assert!(candidacy.held(7).is_none());
    let granted = Granted { id: 7, sent: Clock::BOOT.now(), ttl: Duration::from_secs(1) };
    let (keeper, beat) = watch::channel(Beat::Held(granted));
    candidacy.lease = Some(Lease { id: 7, beat });
    assert!(candidacy.held(7).is_some());
    assert!(candidacy.held(8).is_none());
    keeper.send_replace(Beat::Lost(Candidacy::lost("gone")));
    assert!(candidacy.held(7).is_none());
}
