//! The lines of a history, and the file they share.
#![cfg(test)]

use std::{fs, process, thread};

use reception_lab::{
    Error,
    history::{Details, Event, Line, LineError, Reader, Recorder, Token, boot_ns, read},
};

#[test]
fn a_line_reads_back() {
    for text in [
        "1 2 closing -",
        "17 41 write 000102030405060708090a0b0c0d0e0f:42 accepted=true seq=3",
        "18446744073709551615 4294967295 snapshot - watch=1 version=- ids=",
    ] {
        assert_eq!(text.parse::<Line>().unwrap().to_string(), text);
    }
}

#[test]
fn every_event_has_a_word_of_its_own() {
    for event in Event::ALL {
        assert_eq!(event.word().parse(), Ok(*event));
    }
}

#[test]
fn a_bad_line_says_what_is_wrong() {
    for (text, error, words) in [
        ("", LineError::Missing("the time"), "the time is missing"),
        ("1", LineError::Missing("the process id"), "the process id is missing"),
        ("1 2", LineError::Missing("the event"), "the event is missing"),
        ("1 2 claim", LineError::Missing("the token"), "the token is missing"),
        ("-1 2 claim -", LineError::Time("-1".into()), "a time is the nanoseconds since boot, not `-1`"),
        ("1 x claim -", LineError::Pid("x".into()), "a process id is a number, not `x`"),
        ("1 2 claims -", LineError::Event("claims".into()), "`claims` is no event"),
        ("1 2 claim 7", LineError::Token("7".into()), "a token is domain:number, not `7`"),
        ("1 2 claim d:+7", LineError::Token("d:+7".into()), "a token is domain:number, not `d:+7`"),
        ("1 2 claim - ids", LineError::Detail("ids".into()), "a detail is key=value, not `ids`"),
        ("1 2 claim - =x", LineError::Detail("=x".into()), "a detail is key=value, not `=x`"),
    ] {
        assert_eq!(text.parse::<Line>(), Err(error.clone()), "{text}");
        assert_eq!(error.to_string(), words);
    }
}

#[test]
fn details_hold_no_spaces() {
    let details = Details::new().with("why", "lease lost\n").with_list("ids", ["a b", "c,d"]);
    assert_eq!(details.to_string(), "why=lease_lost_ ids=a_b,c_d");
    let ids: Vec<_> = details.list("ids").unwrap().collect();
    assert_eq!(ids, ["a_b", "c_d"]);
    assert_eq!(Details::new().with("ids", "").list("ids").unwrap().count(), 0);
    assert!(details.get("kind").is_none() && details.list("kind").is_none());
}

#[test]
fn recorders_share_a_file_without_tearing_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    let before = boot_ns();
    thread::scope(|scope| {
        for thread in 0..4 {
            // Two share a handle, two open their own.
            let recorder = Recorder::open(&path).unwrap();
            for recorder in [recorder.clone(), recorder] {
                scope.spawn(move || {
                    for n in 0..500 {
                        let details = Details::new().with("thread", thread).with("filler", "x".repeat(n));
                        recorder.record(Event::Note, Some(Token::new("d", n as u64)), details).unwrap();
                    }
                });
            }
        }
    });
    let lines = read(&path).unwrap();
    assert_eq!(lines.len(), 4000);
    assert!(lines.iter().all(|line| line.pid == process::id() && line.ns >= before && line.ns <= boot_ns()));
}

#[test]
fn a_driver_records_for_others_and_at_other_times() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(folder.path().join("history")).unwrap();
    recorder.record_for(7, Event::Killed, None, Details::new()).unwrap();
    recorder.record_at(5, Event::Claim, Some(Token::new("d", 1)), Details::new()).unwrap();
    let lines = read(recorder.path()).unwrap();
    assert_eq!((lines[0].pid, lines[0].event), (7, Event::Killed));
    assert_eq!((lines[1].pid, lines[1].ns), (process::id(), 5));
}

#[test]
fn a_reader_gives_whole_lines_only_and_each_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    fs::write(&path, "1 1 closing -\n2 1 clo").unwrap();
    let mut reader = Reader::open(&path).unwrap();
    assert_eq!(reader.more().unwrap().len(), 1);
    assert_eq!(reader.more().unwrap().len(), 0);
    fs::write(&path, "1 1 closing -\n2 1 closed -\n").unwrap();
    assert_eq!(reader.more().unwrap()[0].event, Event::Closed);
}

#[test]
fn a_bad_history_names_the_file_and_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    fs::write(&path, "1 1 closing -\n\n1 1 closd -\n").unwrap();
    let error = read(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("{}:3", path.display()));
    assert!(matches!(error, Error::History { source: LineError::Event(_), .. }), "{error:?}");
    assert!(matches!(read(folder.path().join("none")), Err(Error::Io { .. })));
}
