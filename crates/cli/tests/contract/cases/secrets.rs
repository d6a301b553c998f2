//! Nothing prints a password.

use crate::{call::Call, case, case::Case, ground::Ground, run::Ended};

pub(crate) const CASES: &[Case] = &[
    case!(a_password_that_works_is_never_printed, Users, Writing, Elections),
    case!(a_password_that_is_refused_is_never_printed, Users),
];

pub(crate) const ALONE: &[Case] = &[
    case!(a_url_that_is_wrong_is_told_without_its_password),
    case!(help_and_completions_do_not_show_the_variable),
];

/// A word that no log holds by chance.
const PASSWORD: &str = "hUnter2zz";

fn is_kept(ended: &Ended, line: &str) {
    let printed = format!("{}\n{}", ended.out.join("\n"), ended.err);
    assert!(!printed.contains(PASSWORD), "{line} prints the password:\n{printed}");
}

async fn a_password_that_works_is_never_printed(ground: &Ground) {
    let url = ground.store.lock(PASSWORD).await.expect("a server that asks for a password");
    let file = ground.file("password");
    std::fs::write(&file, PASSWORD).expect("a file");
    let by_file = ground.store.patient_url().replacen("://", "://root@", 1)
        + &format!("&password_file={}", file.display());
    for url in [&url, &by_file] {
        for (line, code) in [("list", 0), ("list api", 0), ("leader nightly", 4), ("doctor", 0)] {
            let ended =
                Call::bare(line).word("-vv").env("RECEPTION_URL", url).env("RUST_LOG", "trace").end().await;
            is_kept(&ended, line);
            assert_eq!(ended.code, code, "{line}: {ended:?}");
        }
        let going = ["watch api", "register api --address 127.0.0.1 --port 1", "elect nightly"];
        for line in going {
            let mut run = Call::bare(line).word("-vv").word("-ojson").env("RECEPTION_URL", url).start_json();
            let first = run.next().await;
            let ended = run.stop().await;
            is_kept(&ended, line);
            assert!(ended.code == 0 && !first.to_string().contains(PASSWORD), "{line}: {ended:?}");
        }
    }
}

async fn a_password_that_is_refused_is_never_printed(ground: &Ground) {
    let right = ground.store.lock("another-one").await.expect("a server that asks for a password");
    let url = right.replace("another-one", PASSWORD);
    for line in ["list", "list api", "leader nightly", "register api --address 127.0.0.1 --port 1"] {
        let ended = Call::bare(line).word("-vv").env("RECEPTION_URL", &url).end().await;
        is_kept(&ended, line);
        assert_eq!((ended.code, ended.out.len()), (1, 0), "{line}: {ended:?}");
        ended.error();
    }
    let ended = Call::bare("doctor -ojson -vv").env("RECEPTION_URL", &url).end().await;
    is_kept(&ended, "doctor");
    let bad: Vec<_> = ended.json().into_iter().filter(|finding| finding["check"] == "credentials").collect();
    assert!(ended.code == 1 && bad[0]["ok"] == false && bad[0]["advice"].is_string(), "{ended:?}");
}

async fn a_url_that_is_wrong_is_told_without_its_password(_: &Ground) {
    let urls = [
        format!("etcd://root:{PASSWORD}@h:port/x"),
        format!("etcd://root:{PASSWORD}@/x"),
        format!("etcd://root:{PASSWORD}@h/x?frobnicate=1"),
        format!("etcd://root:{PASSWORD}@h/x?user=other&password_file=f"),
        format!("frobnicate://root:{PASSWORD}@h/x"),
        format!("local://root:{PASSWORD}@h/x"),
        format!("memory://root:{PASSWORD}@h"),
        format!("static://root:{PASSWORD}@h:1/?name=api"),
        format!("root:{PASSWORD}@h"),
        format!("etcd:root:{PASSWORD}@h"),
        format!("etcd://h/x?password={PASSWORD}"),
    ];
    for url in urls {
        for given in [true, false] {
            let list = Call::bare("list -vv");
            let list = if given { list.word("--url").word(&url) } else { list.env("RECEPTION_URL", &url) };
            let ended = list.end().await;
            is_kept(&ended, &url);
            ended.failed(2, &[]);
        }
    }
}

async fn help_and_completions_do_not_show_the_variable(_: &Ground) {
    let url = format!("etcd://root:{PASSWORD}@h/x");
    for line in ["--help", "list --help", "backends", "completions bash", "--version", "frobnicate"] {
        let ended = Call::bare(line).env("RECEPTION_URL", &url).end().await;
        is_kept(&ended, line);
    }
}
