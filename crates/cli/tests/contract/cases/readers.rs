//! The reader of our lines goes away: an orderly stop.

use std::{
    io::{BufRead as _, BufReader, PipeReader, pipe},
    thread,
};

use tokio::sync::oneshot;

use super::children::CAREFUL;
use crate::{call::Call, case, case::Case, ground::Ground, process::lines, run::Run};

pub(crate) const CASES: &[Case] = &[
    case!(who_is_not_read_any_more_deregisters, Writing, Sharing),
    case!(who_is_not_read_any_more_resigns, Elections, Sharing),
    case!(who_is_not_read_any_more_stops_following),
    case!(a_list_without_a_reader_is_0),
];

/// What the child says itself: the word "up" alone stands in our own lines too, as a status.
const CHILD_UP: &str = "\"child\":\"up\"";

/// One that writes into a pipe, with the lines up to this word read.
async fn read_up_to(call: Call, word: &'static str) -> (Run, PipeReader) {
    let (reader, writer) = pipe().expect("a pipe");
    let run = call.stdout(writer).start();
    let (read, there) = oneshot::channel();
    // A pipe is read in a thread, since it blocks.
    drop(thread::spawn(move || {
        let mut reader = BufReader::with_capacity(1, reader);
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            reader.read_line(&mut line).expect("one more line");
        }
        drop(read.send(reader.into_inner()));
    }));
    (run, tokio::time::timeout(crate::run::LIMIT, there).await.expect("a line in time").expect("a line"))
}

/// Notes in a file what the child of the other cases says.
fn noting() -> String {
    CAREFUL.replacen("echo \"{\\\"child\\\":\\\"term\\\"}\"", "echo term >>\"$DESK/said\"", 1)
}

async fn who_is_not_read_any_more_deregisters(ground: &Ground) {
    let script = noting();
    let (run, reader) = read_up_to(ground.register("a1", "").child(&script), CHILD_UP).await;
    assert_eq!(ground.ids().await, ["a1"]);
    drop(reader);
    run.end().await.quietly(0);
    assert_eq!(ground.ids().await, [] as [String; 0]);
    assert_eq!(lines(&ground.file("said"), 1).await, ["term"]);
}

async fn who_is_not_read_any_more_resigns(ground: &Ground) {
    let script = noting();
    let (run, reader) = read_up_to(ground.elect("c1", "").child(&script), CHILD_UP).await;
    assert_eq!(ground.leader().await.code, 0);
    drop(reader);
    run.end().await.quietly(0);
    ground.leader().await.quietly(4);
    assert_eq!(lines(&ground.file("said"), 1).await, ["term"]);
}

async fn who_is_not_read_any_more_stops_following(ground: &Ground) {
    let (watch, reader) = read_up_to(ground.call("watch api"), "reset").await;
    drop(reader);
    watch.end().await.quietly(0);
}

async fn a_list_without_a_reader_is_0(ground: &Ground) {
    for words in ["list", "list api", "doctor", "backends"] {
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        ground.call(words).stdout(writer).end().await.quietly(0);
    }
}
