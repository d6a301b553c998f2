//! `doctor`, `backends`, `completions`, help and version.

use serde_json::Value;

use crate::{
    call::Call,
    case,
    case::Case,
    ground::{Ground, texts},
    row::ROWS,
};

pub(crate) const CASES: &[Case] = &[
    case!(a_doctor_makes_six_checks_of_a_store_that_is_well),
    case!(the_backend_is_listed_with_its_options),
];

pub(crate) const ALONE: &[Case] = &[
    case!(backends_are_listed_by_name),
    case!(every_command_helps_with_an_example),
    case!(the_version_names_the_features),
    case!(completions_are_for_every_shell),
];

async fn a_doctor_makes_six_checks_of_a_store_that_is_well(ground: &Ground) {
    let ended = Call::on(&ground.store.patient_url(), ground.desk(), "doctor").end().await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let found = ended.json();
    let checks = ["reach", "version", "credentials", "limits", "latency", "clock"];
    assert_eq!(texts(&found, "check"), checks);
    for finding in &found {
        let keys: Vec<_> = finding.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["advice", "check", "detail", "ok"], "{finding}");
        assert!(finding["ok"] == true && finding["detail"].is_string(), "{finding}");
        assert!(finding["advice"].is_null() || finding["advice"].is_string(), "{finding}");
    }
}

async fn backends() -> Vec<Value> {
    let ended = Call::bare("backends -o json").end().await;
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    ended.json()
}

async fn the_backend_is_listed_with_its_options(ground: &Ground) {
    let all = backends().await;
    let name = ground.row.name;
    let row = all.iter().find(|row| row["backend"] == name).expect("a row of this backend");
    let keys: Vec<_> = row.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["backend", "example", "options", "schemes"], "{row}");
    let schemes = row["schemes"].as_array().expect("schemes");
    let scheme = schemes.first().and_then(Value::as_str).expect("a scheme");
    assert!(row["example"].as_str().expect("an example").starts_with(&format!("{scheme}:")), "{row}");
    for option in row["options"].as_array().expect("options") {
        let keys: Vec<_> = option.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["default", "doc", "key", "kind"], "{option}");
        assert!(["key", "kind", "doc"].iter().all(|key| option[key].is_string()), "{option}");
        assert!(option["default"].is_null() || option["default"].is_string(), "{option}");
    }
}

async fn backends_are_listed_by_name(_: &Ground) {
    let names = texts(&backends().await, "backend");
    assert!(names.is_sorted(), "{names:?}");
    for row in ROWS {
        assert!(names.iter().any(|name| name == row.name), "{} in {names:?}", row.name);
    }
}

async fn every_command_helps_with_an_example(_: &Ground) {
    let commands = ["register", "list", "watch", "elect", "leader", "doctor", "backends", "completions"];
    for command in commands {
        let help = Call::bare(command).word("--help").end().await;
        assert_eq!((help.code, help.err.as_str()), (0, ""), "{command}");
        let text = help.out.join("\n");
        assert!(
            text.contains("Example") && text.contains(&format!("reception {command}"))
                || text.contains(&format!(" {command}")),
            "{text}"
        );
    }
    let help = Call::bare("--help").end().await;
    let text = help.out.join("\n");
    assert!(commands.iter().all(|command| text.contains(command)), "{text}");
    assert!(text.contains("password"), "the help warns of passwords in --url: {text}");
}

async fn the_version_names_the_features(_: &Ground) {
    let ended = Call::bare("--version").end().await;
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    let text = ended.out.join("\n");
    assert!(text.starts_with("reception ") && text.contains(env!("CARGO_PKG_VERSION")), "{text}");
    assert!(ROWS.iter().all(|row| text.contains(row.name)), "{text}");
}

async fn completions_are_for_every_shell(_: &Ground) {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ended = Call::bare("completions").word(shell).end().await;
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{shell}");
        assert!(ended.out.iter().any(|line| line.contains("register")), "{shell}");
    }
}
