//! What views cost, counted in allocations and bytes: nothing here depends on the speed of the machine.
#![expect(clippy::expect_used, reason = "a test may panic")]

use std::alloc::System;

use reception_core::{Patch, Service, ServiceId, ServiceName, Snapshot, Status};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn counted<T>(work: impl FnOnce() -> T) -> (T, Stats) {
    let region = Region::new(HEAP);
    let made = work();
    let stats = region.change();
    (made, stats)
}

fn held(stats: &Stats) -> usize {
    stats.bytes_allocated - stats.bytes_deallocated
}

fn read(name: &ServiceName, number: usize, port: u16) -> Service {
    let id = ServiceId::foreign(&format!("inst-{number:08}")).expect("valid");
    Service::foreign(name, &id, "10.0.255.255", port, Status::Up, &[("zone", "a")]).expect("valid")
}

fn view(name: &ServiceName, count: usize) -> Snapshot {
    let services: Vec<_> = (0..count).map(|number| read(name, number, 80)).collect();
    Snapshot::new(name.clone(), 1, services)
}

// One test, since it counts what the whole process allocates.
#[test]
fn a_clone_is_free_a_change_does_not_grow_and_an_instance_is_small() {
    let name = ServiceName::new("api").expect("valid");

    let (large, made) = counted(|| view(&name, 10_000));
    let each = held(&made) / 10_000;
    assert!(each <= 150, "{each} bytes an instance, its id of 13 included");

    let (copy, cloned) = counted(|| large.clone());
    assert_eq!((cloned.allocations, cloned.bytes_allocated), (0, 0), "a clone allocates");
    drop(copy);

    // A leaf and the branches above it, each of at most 64 entries and put together in a list before; one level more from 4,096 on.
    for (count, most) in [(100, 4 << 10), (1000, 4 << 10), (10_000, 8 << 10), (100_000, 12 << 10)] {
        let before = view(&name, count);
        let changed = read(&name, count / 2, 81);
        let new = read(&name, count, 80);
        let gone = read(&name, 3, 80).id().clone();
        for (put, removed) in [(Some(changed), None), (Some(new), None), (None, Some(gone))] {
            let patch = Patch::new(2, put, removed);
            let (after, cost) = counted(|| before.apply(&patch));
            assert!(cost.allocations <= 16, "{} allocations for one change of {count}", cost.allocations);
            assert!(cost.bytes_allocated <= most, "{} bytes for one change of {count}", cost.bytes_allocated);
            assert!(held(&cost) <= most / 2, "{} bytes held after one change of {count}", held(&cost));
            drop(after);
        }
    }
}
