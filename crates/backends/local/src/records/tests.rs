use super::*;
use crate::layout::Namespace;

fn room(desk: &Path) -> Room {
    let room = Namespace::new(desk, &["test".to_owned()]).election(&"api".parse().unwrap());
    room.make(desk).unwrap();
    room
}

fn claim(room: &Room, id: &str, bytes: &[u8], replace: bool) -> (Put, Option<Owned>) {
    let mut owned = None;
    let put = put(room, id, &mut owned, replace, |_| bytes.to_vec()).unwrap();
    (put, owned)
}

fn live(room: &Room, id: &str) -> Option<Vec<u8>> {
    match look(room, id, None).unwrap() {
        Seen::Live(_, bytes) => bytes,
        _ => None,
    }
}

#[test]
fn a_record_lives_as_long_as_its_lock_is_held() {
    let desk = tempfile::tempdir().unwrap();
    let room = room(desk.path());
    let (put, owned) = claim(&room, "a", b"one", false);
    assert_eq!(put, Put::Done);
    assert_eq!(live(&room, "a").as_deref(), Some(&b"one"[..]));
    assert_eq!(claim(&room, "a", b"two", false).0, Put::Taken);
    drop(owned);
    assert!(matches!(look(&room, "a", None).unwrap(), Seen::Dead(_, bytes) if bytes == b"one"));
    let (put, _owned) = claim(&room, "a", b"two", false);
    assert_eq!(put, Put::Done);
    assert_eq!(live(&room, "a").as_deref(), Some(&b"two"[..]));
}

#[test]
fn readers_do_not_keep_a_dead_record_from_the_next_owner() {
    let desk = tempfile::tempdir().unwrap();
    let room = room(desk.path());
    drop(claim(&room, "a", b"one", false));
    let reader = File::open(room.record("a")).unwrap();
    reader.try_lock_shared().unwrap();
    assert_eq!(claim(&room, "a", b"two", false).0, Put::Done);
}

#[test]
fn one_that_was_replaced_takes_nothing_from_its_heir() {
    let desk = tempfile::tempdir().unwrap();
    let room = room(desk.path());
    let (_, mut first) = claim(&room, "a", b"first", false);
    let (put_heir, heir) = claim(&room, "a", b"heir", true);
    assert_eq!(put_heir, Put::Done);
    let own = first.take().unwrap();
    assert!(!own.stands(&room.record("a")).unwrap());
    own.let_go();
    assert!(own.tidy(&room, "a").unwrap());
    let mut first = Some(own);
    assert_eq!(put(&room, "a", &mut first, false, |_| b"again".to_vec()).unwrap(), Put::Taken);
    assert_eq!(live(&room, "a").as_deref(), Some(&b"heir"[..]));
    assert!(room.sign("a").exists());
    let heir = heir.unwrap();
    heir.let_go();
    assert!(heir.tidy(&room, "a").unwrap());
    assert!(!room.record("a").exists() && !room.sign("a").exists());
}

#[test]
fn while_the_gate_is_held_nothing_is_changed() {
    let desk = tempfile::tempdir().unwrap();
    let room = room(desk.path());
    let (_, owned) = claim(&room, "a", b"one", false);
    let gate = Gate::enter(&room).unwrap().unwrap();
    assert!(Gate::enter(&room).unwrap().is_none());
    assert_eq!(claim(&room, "b", b"two", false).0, Put::Busy);
    assert!(!owned.as_ref().unwrap().tidy(&room, "a").unwrap());
    drop(gate);
    assert_eq!(claim(&room, "b", b"two", false).0, Put::Done);
}

#[test]
fn a_gate_that_was_removed_admits_nobody_twice() {
    let desk = tempfile::tempdir().unwrap();
    let room = room(desk.path());
    let old = open_lock(&room.gate()).unwrap();
    fs::remove_file(room.gate()).unwrap();
    assert!(lock(&old).unwrap());
    // Whoever opened it before it was removed finds another file at the path, or none, and knocks again.
    assert_ne!(Identity::at(&room.gate()).unwrap(), Some(Identity::of_file(&old).unwrap()));
    assert!(Gate::enter(&room).unwrap().is_some());
}

#[test]
fn what_the_dead_left_is_swept_and_nothing_else() {
    let desk = tempfile::tempdir().unwrap();
    let room = room(desk.path());
    let (_, _alive) = claim(&room, "alive", b"ours", false);
    drop(claim(&room, "dead", b"ours", false));
    drop(claim(&room, "foreign", b"theirs", false));
    let draft = room.record(&layout::draft());
    fs::write(&draft, "half").unwrap();
    fs::write(room.sign("orphan"), "").unwrap();
    fs::write(room.record(".hidden"), "").unwrap();
    fs::create_dir(room.record("folder")).unwrap();
    sweep(&room, |_, bytes| bytes == b"ours").unwrap();
    let mut left = ids(&room.records()).unwrap();
    left.sort();
    assert_eq!(left, ["alive", "folder", "foreign"]);
    assert!(!draft.exists() && room.record(".hidden").exists());
    let mut signs = ids(&room.signs()).unwrap();
    signs.sort();
    assert_eq!(signs, ["alive", "foreign"]);
}

#[test]
fn links_pipes_and_folders_are_no_records_and_hold_nobody_up() {
    let desk = tempfile::tempdir().unwrap();
    let room = room(desk.path());
    let (_, _owned) = claim(&room, "real", b"x", false);
    std::os::unix::fs::symlink(room.record("real"), room.record("link")).unwrap();
    fs::create_dir(room.record("folder")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, room.record("pipe"), rustix::fs::Mode::RWXU).unwrap();
    for odd in ["link", "folder", "pipe"] {
        assert_eq!(look(&room, odd, None).unwrap(), Seen::Odd, "{odd}");
        assert!(put(&room, odd, &mut None, true, |_| Vec::new()).is_err(), "{odd}");
    }
    assert_eq!(look(&room, "none", None).unwrap(), Seen::Gone);
}

#[test]
fn equal_bytes_are_not_written_again_and_a_missing_sign_is() {
    let desk = tempfile::tempdir().unwrap();
    let room = room(desk.path());
    let mut owned = None;
    for _ in 0..2 {
        put(&room, "a", &mut owned, false, |_| b"one".to_vec()).unwrap();
    }
    let identity = owned.as_ref().unwrap().identity;
    fs::remove_file(room.sign("a")).unwrap();
    put(&room, "a", &mut owned, false, |before| before.unwrap().to_vec()).unwrap();
    assert_eq!(owned.as_ref().unwrap().identity, identity);
    assert!(room.sign("a").exists());
    put(&room, "a", &mut owned, false, |_| b"two".to_vec()).unwrap();
    assert_ne!(owned.unwrap().identity, identity);
}
