//! What is known before anything is asked: options, the URL, names and sizes.

use crate::{call::Call, case, case::Case, ground::Ground};

pub(crate) const CASES: &[Case] = &[
    case!(what_is_wrong_from_the_start_is_2),
    case!(what_is_wrong_is_told_before_a_file_is_made),
    case!(a_record_that_is_too_large_is_2),
    case!(a_folder_that_others_can_write_is_2),
    case!(global_options_stand_before_or_after_the_command),
    case!(the_url_comes_from_the_variable_unless_it_is_given),
    case!(without_a_url_it_is_this_machine),
];

/// Each is wrong for a reason of its own.
const WRONG: &[&str] = &[
    "",
    "frobnicate",
    "list --frobnicate",
    "list a/b",
    "list -o yaml",
    "watch",
    "watch .hidden",
    "leader",
    "leader a/b",
    "elect a/b",
    "elect e --id a/b",
    "elect e --port 0",
    "elect e --port 70000",
    "elect e --kill-after 5",
    "elect e --attr k",
    "elect e --address a/b",
    "register api",
    "register api --address h",
    "register api --address h --port 0",
    "register api --address h --port x",
    "register api --address h --port 65536",
    "register a/b --address h --port 1",
    "register api --address h --port 1 --id a/b",
    "register api --address a/b --port 1",
    "register api --address h --port 1 --attr consul-x=1",
    "register api --address h --port 1 --attr =x",
    "register api --address h --port 1 --on-conflict maybe",
    "register api --address h --port 1 --drain 5",
    "register api --address h --port 1 --rise 3",
    "register api --address h --port 1 --fall 3",
    "register api --address h --port 1 --interval 2s",
    "register api --address h --port 1 --check-cmd true --rise 0",
    "register api --address h --port 1 --check-cmd true --check-tcp h:1",
    "register api --address h --port 1 --check-tcp h",
    "register api --address h --port 1 --check-http ftp://h/",
    "register api --address h --port 1 sleep 1",
    "completions tcsh",
    "list --url zookeeper2://h",
    "list --url nonsense",
    "list --url memory:?frobnicate=1",
    "list --url static://h:1",
    "list --url static://h:1,h/?name=api",
    "list --url local:?timeout=5",
    "list --url local://host/folder",
];

async fn what_is_wrong_from_the_start_is_2(_: &Ground) {
    for line in WRONG {
        let ended = Call::bare(line).end().await;
        assert_eq!(ended.code, 2, "{line}: {ended:?}");
        assert!(ended.out.is_empty(), "{line}: nothing on stdout: {ended:?}");
        let errors = ended.err.lines().filter(|line| line.starts_with("error: ")).count();
        // Without a command there is help instead.
        assert_eq!(errors, usize::from(!line.is_empty()), "{line}: {ended:?}");
    }
}

async fn what_is_wrong_is_told_before_a_file_is_made(ground: &Ground) {
    let events = ground.file("events");
    for words in [
        "register api --address a/b --port 1",
        "register api --address h --port 1 --check-http ftp://h/",
        "register api --address h --port 1 --url nonsense",
        "elect e --address a/b",
        "elect e --url local:?timeout=5",
    ] {
        for file in [events.clone(), ground.file("no such folder").join("events")] {
            Call::bare(words).events(file).end().await.failed(2, &[]);
        }
        assert!(!events.exists(), "{words}");
    }
    // Only then is it the file that is wrong.
    let unfit = ground.file("no such folder").join("events");
    ground.register("a1", "").events(unfit.clone()).end().await.failed(1, &["no such folder"]);
    ground.elect("a1", "").events(unfit).end().await.failed(1, &["no such folder"]);
}

async fn a_record_that_is_too_large_is_2(ground: &Ground) {
    let mut register = ground.register("a", "");
    let mut elect = ground.elect("a", "");
    for number in 0..65 {
        register = register.word(format!("--attr=k{number}=v"));
        elect = elect.word(format!("--attr=k{number}=v"));
    }
    register.end().await.failed(2, &["attributes"]);
    elect.end().await.failed(2, &["attributes"]);
    let long = "v".repeat(513);
    ground.register("a", "").word(format!("--attr=k={long}")).end().await.failed(2, &[]);
    ground.register(&"i".repeat(129), "").end().await.failed(2, &[]);
    ground.call(&format!("list {}", "n".repeat(64))).end().await.failed(2, &[]);
}

async fn a_folder_that_others_can_write_is_2(ground: &Ground) {
    use std::os::unix::fs::PermissionsExt;

    let folder = ground.file("open");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o777)).expect("a folder of ours");
    let url = format!("local://{}?any_fs=true", folder.display());
    for words in ["list", "watch api", "leader e", "elect e", "register api --address h --port 1"] {
        Call::bare(words).word("--url").word(&url).end().await.failed(2, &["open"]);
    }
}

async fn global_options_stand_before_or_after_the_command(_: &Ground) {
    const URL: &str = "--url static://127.0.0.1:1/?name=api";
    let lines = [
        format!("{URL} -o json -v list api"),
        format!("list {URL} --output json -v api"),
        format!("list api -v -o=json {URL}"),
        format!("-ojson list api {URL} -v"),
    ];
    for line in lines {
        let ended = Call::bare(&line).end().await;
        assert_eq!(ended.code, 0, "{line}: {ended:?}");
        assert_eq!(ended.json()[0]["id"], "127.0.0.1:1", "{line}");
    }
}

async fn the_url_comes_from_the_variable_unless_it_is_given(_: &Ground) {
    let list = || Call::bare("list -o json").env("RECEPTION_URL", "static://127.0.0.1:1/?name=one");
    assert_eq!(list().end().await.json()[0]["name"], "one");
    let given = list().word("--url").word("static://127.0.0.1:1/?name=two").end().await;
    assert_eq!(given.json()[0]["name"], "two");
}

async fn without_a_url_it_is_this_machine(ground: &Ground) {
    use std::os::unix::fs::PermissionsExt;

    let runtime =
        tempfile::Builder::new().prefix("reception-run-").tempdir_in(place(ground)).expect("a folder");
    std::fs::set_permissions(runtime.path(), PermissionsExt::from_mode(0o700)).expect("a folder of ours");
    let call = |words: &str| Call::bare(words).env("XDG_RUNTIME_DIR", runtime.path()).word("-ojson");
    let mut register = call("register api --address 127.0.0.1 --port 8080 --id a1").start_json();
    register.event("registered").await;
    assert!(runtime.path().join("reception").is_dir());
    for variable in [None, Some("")] {
        let list = variable.into_iter().fold(call("list api"), |call, url| call.env("RECEPTION_URL", url));
        assert_eq!(list.end().await.json()[0]["id"], "a1");
    }
    let mode = std::fs::metadata(runtime.path().join("reception")).expect("a folder").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

/// Where the row's own store lies: of a type that is not refused, where there is such a place.
fn place(ground: &Ground) -> std::path::PathBuf {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { ground.desk().to_owned() }
}
