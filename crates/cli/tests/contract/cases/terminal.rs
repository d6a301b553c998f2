//! On a terminal: Ctrl-C reaches the child through us alone, and text has colours.

use std::{
    fs::File,
    os::fd::OwnedFd,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use reception_lab::eventually;
use rustix::{
    fs::{Mode, OFlags, open},
    io::{read, write},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};

use crate::{
    call::Call,
    case,
    case::Case,
    ground::Ground,
    process::lines,
    run::{LIMIT, Run},
};

pub(crate) const CASES: &[Case] = &[
    case!(ctrl_c_reaches_the_child_through_us_alone, Writing, Elections),
    case!(text_on_a_terminal_has_colours_unless_they_are_not_wanted),
];

/// A terminal and what was printed on it.
struct Terminal {
    keys: Arc<OwnedFd>,
    shown: Arc<Mutex<String>>,
    /// Open as long as this is, so that it does not hang up before somebody uses it.
    device: OwnedFd,
}

impl Terminal {
    fn open() -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let keys = openpt(flags).expect("a terminal");
        grantpt(&keys).and_then(|()| unlockpt(&keys)).expect("a terminal of ours");
        let name = ptsname(&keys, Vec::new()).expect("its name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let device = open(name, flags, Mode::empty()).expect("its device");
        let (keys, shown) = (Arc::new(keys), Arc::<Mutex<String>>::default());
        let (screen, text) = (Arc::clone(&keys), Arc::clone(&shown));
        // It blocks, and ends with the last process on the terminal.
        drop(thread::spawn(move || {
            let mut part = [0; 1_024];
            while let Ok(count @ 1..) = read(&*screen, &mut part) {
                let printed = String::from_utf8_lossy(&part[..count]).into_owned();
                text.lock().unwrap_or_else(PoisonError::into_inner).push_str(&printed);
            }
        }));
        Self { keys, shown, device }
    }

    /// Runs the call with this as its controlling terminal.
    fn run(&self, call: &Call) -> Run {
        let side = || Stdio::from(File::from(self.device.try_clone().expect("a handle")));
        let mut command = call.by("setsid", &["-c"]);
        command.stdin(side()).stdout(side());
        Run::start(command, false)
    }

    async fn shows(&self, word: &str) -> String {
        let look = || async {
            let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if shown.contains(word) { Ok(shown) } else { Err(shown) }
        };
        eventually(LIMIT, look).await.expect("a word on the terminal")
    }

    fn press(&self, keys: &[u8]) {
        assert_eq!(write(&*self.keys, keys).expect("a key"), keys.len());
    }
}

async fn ctrl_c_reaches_the_child_through_us_alone(ground: &Ground) {
    let script = r#"trap 'echo int >>"$DESK/said"' INT; trap 'echo term >>"$DESK/said"; exit 0' TERM
        echo child is up; while :; do sleep 0.02; done"#;
    let (gone, resigned) = ("deregistered a1 (signal)", "resigned");
    for (call, last) in [(ground.register("a1", "--drain 500ms"), gone), (ground.elect("c1", ""), resigned)] {
        drop(std::fs::remove_file(ground.file("said")));
        let terminal = Terminal::open();
        let run = terminal.run(&call.text().child(script));
        terminal.shows("child is up").await;
        terminal.press(b"\x03");
        terminal.shows(last).await;
        run.end().await.quietly(0);
        assert_eq!(lines(&ground.file("said"), 1).await, ["term"], "it heard of Ctrl-C through us alone");
    }
}

async fn text_on_a_terminal_has_colours_unless_they_are_not_wanted(ground: &Ground) {
    for (value, coloured) in [(None, true), (Some("1"), false)] {
        let terminal = Terminal::open();
        let call = ground.call("doctor").text();
        let call = value.into_iter().fold(call, |call, value| call.env("NO_COLOR", value));
        let run = terminal.run(&call);
        let shown = terminal.shows("clock").await;
        assert_eq!(shown.contains('\u{1b}'), coloured, "{shown:?}");
        run.end().await.quietly(0);
    }
}
