//! Text, for people: no escape codes off a terminal, and none of others.

use crate::{case, case::Case, ground::Ground, run::Ended};

pub(crate) const CASES: &[Case] = &[
    case!(text_has_no_escape_codes_off_a_terminal, Writing, Sharing),
    case!(control_characters_of_others_are_shown_as_escapes, Writing, Sharing),
];

fn is_plain(ended: &Ended) {
    let printed = format!("{}\n{}", ended.out.join("\n"), ended.err);
    let odd = printed.chars().find(|letter| letter.is_control() && *letter != '\n');
    assert_eq!(odd, None, "{printed:?}");
}

async fn text_has_no_escape_codes_off_a_terminal(ground: &Ground) {
    let mut watch = ground.call("watch api").text().start();
    assert_eq!(watch.line().await.as_deref(), Some("= 0 instances"));
    let mut register = ground.register("a1", "--attr zone=b").text().start();
    assert_eq!(register.line().await.as_deref(), Some("+ registered a1 127.0.0.1:8080 zone=b"));
    assert_eq!(watch.line().await.as_deref(), Some("+ a1 127.0.0.1:8080 zone=b"));
    let list = ground.call("list api").text().end().await;
    assert_eq!(list.out, ["a1 127.0.0.1:8080 zone=b"]);
    is_plain(&list);
    for words in ["list", "doctor", "backends"] {
        is_plain(&ground.call(words).text().end().await);
    }
    let register = register.stop().await;
    assert_eq!(register.out, ["- deregistered a1 (signal)"]);
    assert_eq!(watch.line().await.as_deref(), Some("- a1"));
    for ended in [register, watch.stop().await] {
        is_plain(&ended);
        assert_eq!(ended.code, 0);
    }
}

async fn control_characters_of_others_are_shown_as_escapes(ground: &Ground) {
    let attribute = "--attr=k=\u{1b}[2J\nup\u{202e}\u{9b}31m";
    let mut watch = ground.call("watch api").text().start();
    watch.line().await;
    let mut register = ground.register("a1", "").word(attribute).text().start();
    let shown = r"a1 127.0.0.1:8080 k=\u{1b}[2J\nup\u{202e}\u{9b}31m";
    assert_eq!(register.line().await, Some(format!("+ registered {shown}")));
    assert_eq!(watch.line().await, Some(format!("+ {shown}")));
    assert_eq!(ground.call("list api").text().end().await.out, [shown]);
    assert_eq!(ground.list("api").await[0]["attributes"]["k"], &attribute["--attr=k=".len()..]);
}
